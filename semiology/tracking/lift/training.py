"""Train a lifter on 3D skeletons seen through virtual cameras, and evaluate it on held-out
participants: MPJPE, plain and after Procrustes alignment, beside a baseline of mean depths. The
held-out error is written on the lifter's card.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from tqdm import tqdm

from semiology.errors import UserError
from semiology.tracking.lift.lifter import Lifter, mean_lengths
from semiology.tracking.lift.network import (
    BONES,
    INNER,
    OUTER,
    ROOT,
    SKELETON,
    LifterNetwork,
    median_lengths,
    normalise,
    rigid_body,
)
from semiology.tracking.lift.simulation import (
    FPS,
    CameraRange,
    Cameras,
    Motion,
    TrackerNoise,
    read_motions,
)

TEST_CAMERAS = 8  # of a test, the same for all participants [our choice]
TEST_SEED = 1  # of the test's cameras and tracking errors; differs from the training's


@dataclass(frozen=True)
class Recipe:
    """Options of the training. [our choice]; see docs/lift.md for the comparisons behind them.

    Attributes:
        steps: of AdamW, one batch each; one-cycle learning rate.
        batch: clips per step.
        frames: of each clip, at 25 Hz. Many short clips gave a lower error in the same time than
            few long ones.
        width, blocks, dropout: of the network.
        learning_rate: highest.
        bones: weight of the error of the bones' lengths, beside the mean distance of the joints
            (both m).
        proportions: each bone of each clip is made longer or shorter by up to this fraction, the
            same for left and right, so that there are more bodies than the training skeletons have.
        views: positions of the cameras.
        tracker: errors of the tracks.
        seed: of all random numbers.
    """

    steps: int = 1800
    batch: int = 192
    frames: int = 15
    width: int = 128
    blocks: int = 1
    dropout: float = 0.1
    learning_rate: float = 2e-3
    bones: float = 0.3
    proportions: float = 0.15
    views: CameraRange = field(default_factory=CameraRange)
    tracker: TrackerNoise = field(default_factory=TrackerNoise)
    seed: int = 0


def train_lifter(
    motions: Sequence[Motion], recipe: Recipe | None = None, *, progress: bool = True
) -> Lifter:
    """Train on recordings of 3D skeletons.

    The skeletons are made rigid first (`body.rigid_body`: a depth sensor's bones stretch), then
    each step samples clips, mirrors half of them, varies the bodies, and projects each by its own
    camera and tracker. The loss is the mean distance of the joints from the truth, relative to the
    neck, plus `bones` times the mean error of the bones' lengths. The weights after the last step
    are used: there is no model selection.

    Raises:
        UserError: no recordings.
    """
    recipe = recipe or Recipe()
    if not motions:
        raise UserError("lift train: no recordings to train on")
    torch.manual_seed(recipe.seed)
    generator = torch.Generator().manual_seed(recipe.seed)
    bodies = [motion.joints for motion in motions]
    whole = np.nanmean([median_lengths(joints) for joints in bodies], axis=0)
    bodies = [
        rigid_body(joints, np.where(np.isfinite(own := median_lengths(joints)), own, whole))
        for joints in bodies
    ]
    lengths = mean_lengths(bodies)
    network = LifterNetwork(
        torch.tensor(lengths, dtype=torch.float32), recipe.width, recipe.blocks, recipe.dropout
    )
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, total_steps=recipe.steps
    )
    steps = tqdm(range(recipe.steps), unit="step", disable=not progress)
    for step in steps:
        true = augment(sample_clips(bodies, recipe, generator), recipe, generator)
        cameras = recipe.views.sample(recipe.batch, generator)
        turned = cameras.to_camera(true)
        tracked = recipe.tracker.track(
            cameras.pixels(turned), cameras.focal / cameras.place[:, 2], generator
        )
        scaled, seen = normalise(tracked, network.lengths)
        loss, error = _loss(network(scaled, seen), turned, seen, recipe.bones)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % 50 == 0:
            steps.set_postfix(error=f"{1000 * float(error.detach()):.0f} mm")
    card = {
        "skeleton": SKELETON.name,
        "joints": SKELETON.names,
        "origin": SKELETON.root,
        "fps": FPS,
        "network": {"width": recipe.width, "blocks": recipe.blocks, "dropout": recipe.dropout},
        "receptive_field_frames": network.receptive_field,
        "receptive_field_s": network.receptive_field / FPS,
        "mean_lengths_m": {bone: round(float(length), 4) for bone, length in zip(BONES, lengths)},
        "trained_on": {
            "recordings": len(motions),
            "participants": sorted({motion.participant_id for motion in motions}),
            "frames": sum(len(motion.joints) for motion in motions),
        },
        "recipe": asdict(recipe),
        "software": f"semiology {version('semiology')}",
    }
    return Lifter(network.eval(), card)


def sample_clips(bodies: list[np.ndarray], recipe: Recipe, generator: torch.Generator) -> Tensor:
    """(batch, frames, 11, 3) m: clips of recordings sampled with probabilities proportional to
    their lengths; NaN after the end of a shorter one.
    """
    weights = torch.tensor([len(body) for body in bodies], dtype=torch.float32)
    drawn = torch.multinomial(weights, recipe.batch, replacement=True, generator=generator).tolist()
    taken = torch.full((recipe.batch, recipe.frames, len(SKELETON.names), 3), torch.nan)
    for row, number in enumerate(drawn):
        body = bodies[number]
        first = int(torch.randint(max(1, len(body) - recipe.frames + 1), (1,), generator=generator))
        part = torch.from_numpy(body[first : first + recipe.frames].astype(np.float32))
        taken[row, : len(part)] = part
    return taken


def augment(taken: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """The same clips centred on the body's middle, half of them mirrored, each with other body
    proportions.
    """
    mirrored = taken[:, :, SKELETON.mirrored] * torch.tensor([-1.0, 1.0, 1.0])
    flip = torch.rand(len(taken), 1, 1, 1, generator=generator) < 0.5
    joints = torch.where(flip, mirrored, taken)
    draw = torch.rand(len(taken), len(BONES), generator=generator)
    for bone, name in enumerate(BONES):
        if name.startswith("right_"):
            draw[:, bone] = draw[:, BONES.index(name.replace("right_", "left_"))]
    factor = 1 + recipe.proportions * (2 * draw - 1)
    built = joints.clone()
    for bone, (outer, inner) in enumerate(SKELETON.edge_index):
        built[:, :, outer] = (
            built[:, :, inner]
            + (joints[:, :, outer] - joints[:, :, inner]) * factor[:, None, bone, None]
        )
    return built - built.nanmean(dim=(1, 2), keepdim=True)


def _loss(found: Tensor, true: Tensor, seen: Tensor, bones: float) -> tuple[Tensor, Tensor]:
    """The loss, and its first term: the mean distance over the joints whose truth is known,
    relative to the root, in frames that are not masked.
    """
    found, true = (joints - joints[:, :, ROOT : ROOT + 1] for joints in (found, true))
    known = torch.isfinite(true).all(-1) & (seen.sum(2, keepdim=True) > 0)
    true = torch.where(known[..., None], true, found.detach())
    apart = (found - true).square().sum(-1).clamp_min(1e-12).sqrt()
    error = (
        (apart * known).sum()
        / known.sum().clamp_min(1)
        * len(SKELETON.names)
        / (len(SKELETON.names) - 1)
    )  # the root's is 0
    lengths, right = (
        (joints[:, :, OUTER] - joints[:, :, INNER]).norm(dim=-1) for joints in (found, true)
    )
    return error + bones * (lengths - right).abs().mean(), error


def train_and_evaluate(
    training: Sequence[Motion],
    test: Sequence[Motion],
    recipe: Recipe | None = None,
    *,
    progress: bool = True,
) -> tuple[Lifter, pd.DataFrame]:
    """Train a lifter on some recordings and evaluate it on others: the lifter, with the errors on
    its card, and the errors as a table (see `evaluate_lifter`).
    """
    recipe = recipe or Recipe()
    lifter = train_lifter(training, recipe, progress=progress)
    table = evaluate_lifter(lifter, training, test, recipe)
    held_out = {
        "participants": sorted(table["participant_id"].unique().tolist()),
        "frames_times_cameras": int(table["frames"].sum()),
        "error_mm": {
            name: round(float(value), 1) for name, value in participant_means(table).mean().items()
        },
        "cameras": test_cameras(recipe).text(),
    }
    return replace(lifter, card={**lifter.card, "held_out": held_out}), table


def train_lifter_on_files(
    inputs: Sequence[Path],
    out: Path,
    *,
    held_out: float = 0.2,
    about: str = "",
    recipe: Recipe | None = None,
    progress: bool = True,
) -> Lifter:
    """Train a lifter on the user's own 3D skeletons, evaluate it on held-out participants, and save
    it.

    Args:
        inputs: .nc tracks with position_3d (m; x right, y down, z away), folders of them (each file
            counts as a participant), or a cohort whose clips are such tracks (clips.tsv has their
            participants).
        out: FILE.safetensors; its card is written beside it, FILE.json.
        held_out: fraction of the participants to test on, sampled by the recipe's seed; at least
            one.
        about: description of data and licence, for the card.
        recipe: how to train.

    Raises:
        UserError: as `read_motions`; a single participant; a fraction outside 0 to 1.
    """
    recipe = recipe or Recipe()
    if not 0 < held_out < 1:
        raise UserError(f"lift train: held_out must lie between 0 and 1, got {held_out}")
    motions = read_motions(inputs)
    people = sorted({motion.participant_id for motion in motions})
    if len(people) < 2:
        raise UserError(
            f"lift train: recordings of {len(people)} participant; at least two are needed, one of"
            " them to test on"
        )
    count = min(len(people) - 1, max(1, round(held_out * len(people))))
    tested = set(np.random.default_rng(recipe.seed).permutation(people)[:count].tolist())
    training = [motion for motion in motions if motion.participant_id not in tested]
    test = [motion for motion in motions if motion.participant_id in tested]
    lifter, _ = train_and_evaluate(training, test, recipe, progress=progress)
    lifter = replace(lifter, card={"about": about, **lifter.card})
    lifter.save(out)
    return lifter


@dataclass(frozen=True)
class MeanDepth:
    """The baseline: each joint at its position in the image and at its mean depth in the training
    data.

    Attributes:
        depth: (joint,) m, relative to the neck, mean over the training skeletons in the cameras'
            axes.
    """

    depth: np.ndarray

    @classmethod
    def of(cls, motions: Sequence[Motion], cameras: Cameras) -> "MeanDepth":
        """Mean depths over all frames of the training skeletons and all cameras."""
        joints = torch.tensor(
            np.concatenate([motion.joints for motion in motions]), dtype=torch.float32
        )
        joints = joints[torch.isfinite(joints).all(-1).all(-1)]
        turned = torch.einsum(
            "cij,tnj->ctni", cameras.rotation, joints - joints[:, ROOT : ROOT + 1]
        )
        return cls(turned[..., 2].mean((0, 1)).numpy())

    def lift(self, joints: np.ndarray) -> np.ndarray:
        """Joints (time, joint, 2 or 3) m with the mean depth relative to the neck."""
        flat = (joints - joints[:, ROOT : ROOT + 1])[..., :2]
        return np.concatenate(
            [flat, np.broadcast_to(self.depth[:, None], (*flat.shape[:2], 1))], axis=2
        )


def evaluate_lifter(
    lifter: Lifter, training: Sequence[Motion], test: Sequence[Motion], recipe: Recipe
) -> pd.DataFrame:
    """Errors of a lifter in mm, one row per participant and camera, beside the baseline of mean
    depths (see `evaluate`).

    The test's tracker has the jitter and drift of the recipe's but loses no joint.
    """
    depths = MeanDepth.of(
        training, recipe.views.sample(64, torch.Generator().manual_seed(TEST_SEED + 1))
    )
    return evaluate(
        lifter,
        test,
        test_cameras(recipe),
        depths,
        replace(recipe.tracker, lost=0.0, covered=0.0),
        TEST_SEED,
    )


def test_cameras(recipe: Recipe) -> Cameras:
    """The cameras of the evaluation, sampled from the recipe's ranges."""
    return recipe.views.sample(TEST_CAMERAS, torch.Generator().manual_seed(TEST_SEED))


def participant_means(table: pd.DataFrame) -> pd.DataFrame:
    """One row per participant: means of the errors over cameras."""
    return table.drop(columns=["camera", "frames"]).groupby("participant_id").mean()


def evaluate(
    lifter: Lifter,
    motions: Sequence[Motion],
    cameras: Cameras,
    baseline: MeanDepth,
    tracker: TrackerNoise,
    seed: int,
) -> pd.DataFrame:
    """Project every recording by every camera with the tracker's errors, lift it, and compare it
    with the recorded skeletons.

    Returns:
        One row per participant and camera: frames, and in mm, means over frames: mpjpe and p_mpjpe
        of the lifter, of its output before the rigid body (raw_...), of the baseline that is given
        the true x and y in metres, which no lifter has (baseline_...), and of the baseline on the
        lifter's own input (tracked_baseline_...).
    """
    pooled: dict[
        tuple[str, int], dict[str, list[np.ndarray]]
    ] = {}  # (participant, camera) -> error -> (frame,) of each recording, m
    for number, motion in enumerate(motions):
        generator = torch.Generator().manual_seed(1000 * seed + number)
        joints = torch.tensor(motion.joints, dtype=torch.float32)
        joints = joints - joints.nanmean(dim=(0, 1))
        turned = cameras.to_camera(joints.expand(len(cameras), *joints.shape))
        tracked = tracker.track(
            cameras.pixels(turned), cameras.focal / cameras.place[:, 2], generator
        ).numpy()
        for camera in range(len(cameras)):
            true, raw = turned[camera].numpy(), lifter.joints(tracked[camera])
            flat = lifter.normalised(tracked[camera])
            compared = {
                "": rigid_body(raw),
                "raw_": raw,
                "baseline_": baseline.lift(true),
                "tracked_baseline_": baseline.lift(flat),
            }
            seen = np.isfinite(flat).all(2)
            errors = pooled.setdefault((motion.participant_id, camera), {})
            for name, found in compared.items():
                plain, aligned = joint_errors(np.where(seen[:, :, None], found, np.nan), true)
                errors.setdefault(f"{name}mpjpe", []).append(plain)
                errors.setdefault(f"{name}p_mpjpe", []).append(aligned)
    rows = []
    for (participant, camera), errors in sorted(pooled.items()):
        whole = {name: np.concatenate(parts) for name, parts in errors.items()}
        means = {
            name: 1000 * float(np.nanmean(values)) if np.isfinite(values).any() else np.nan
            for name, values in whole.items()
        }
        rows.append(
            {
                "participant_id": participant,
                "camera": camera,
                "frames": int(np.isfinite(whole["mpjpe"]).sum()),
                **means,
            }
        )
    return pd.DataFrame(rows)


def joint_errors(found: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """MPJPE of each frame, relative to the neck and after Procrustes alignment; (frame,) each, in
    the unit of the joints.

    The mean Euclidean distance over the joints other than the neck (whose error is 0 by
    construction) that are present in both; after Procrustes alignment only in frames with all 11.
    NaN in other frames.
    """
    others = np.arange(true.shape[1]) != ROOT
    f, t = (joints - joints[:, ROOT : ROOT + 1] for joints in (found, true))
    apart = np.linalg.norm(f - t, axis=2)[:, others]
    count = np.isfinite(apart).sum(1)
    plain = np.where(count > 0, np.nansum(apart, axis=1) / np.maximum(count, 1), np.nan)
    whole = count == others.sum()
    aligned = np.full(len(true), np.nan)
    aligned[whole] = np.linalg.norm(procrustes(f[whole], t[whole]) - t[whole], axis=2)[
        :, others
    ].mean(1)
    return plain, aligned


def procrustes(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """`found` (frame, joint, 3) rotated, translated and scaled, frame by frame, to fit `true` by
    least squares.

    Source: Umeyama, Least-squares estimation of transformation parameters between two point
    patterns, 1991 [P]. No reflection.
    """
    found_mean, true_mean = found.mean(1, keepdims=True), true.mean(1, keepdims=True)
    a, b = found - found_mean, true - true_mean
    u, s, vt = np.linalg.svd(a.transpose(0, 2, 1) @ b)
    s[:, -1] *= (sign := np.sign(np.linalg.det(u @ vt)))
    u[:, :, -1] *= sign[:, None]
    scale = s.sum(1) / np.maximum((a**2).sum((1, 2)), 1e-12)
    return scale[:, None, None] * (a @ u @ vt) + true_mean
