"""Train a lifter on 3D skeletons seen through virtual cameras."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from semiology.errors import UserError
from semiology.tracking.lift.body import BONES, INNER, OUTER, ROOT, SKELETON, median_lengths, one_body
from semiology.tracking.lift.lifter import Lifter, mean_lengths
from semiology.tracking.lift.motions import FPS, Motion
from semiology.tracking.lift.network import LifterNetwork
from semiology.tracking.lift.normalise import normalise
from semiology.tracking.lift.simulation import Views
from semiology.tracking.lift.tracker import Tracker


@dataclass(frozen=True)
class Recipe:
    """How a lifter is trained. All are our choice; see docs/lift.md for what was compared, on whom.

    Attributes:
        steps: of AdamW, one batch each; one-cycle learning rate.
        batch: clips a step.
        frames: of each clip, at 25 Hz. Many short clips taught more in the same time than few long ones.
        width, blocks, dropout: of the network.
        learning_rate: highest.
        bones: weight of the error of the bones' lengths, beside the mean distance of the joints (both m).
        proportions: each bone of each clip is made longer or shorter by up to this share, left and right alike, so that the lifter meets
            more bodies than the training skeletons have.
        views: where the cameras stand.
        tracker: what is wrong with the tracks.
        seed: of everything random.
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
    views: Views = field(default_factory=Views)
    tracker: Tracker = field(default_factory=Tracker)
    seed: int = 0


def train_lifter(motions: Sequence[Motion], recipe: Recipe | None = None, *, progress: bool = True) -> Lifter:
    """Train on recordings of 3D skeletons.

    The skeletons are made rigid first (`body.one_body`: a depth sensor's bones stretch), then each step draws clips, mirrors half of them,
    varies the bodies, and films each through its own camera and tracker. The loss is the mean distance of the joints from the truth,
    relative to the neck, plus `bones` times the mean error of the bones' lengths. The last state is kept: nothing is chosen.

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
    bodies = [one_body(joints, np.where(np.isfinite(own := median_lengths(joints)), own, whole)) for joints in bodies]
    lengths = mean_lengths(bodies)
    network = LifterNetwork(torch.tensor(lengths, dtype=torch.float32), recipe.width, recipe.blocks, recipe.dropout)
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.learning_rate, total_steps=recipe.steps)
    steps = tqdm(range(recipe.steps), unit="step", disable=not progress)
    for step in steps:
        true = film_ready(clips(bodies, recipe, generator), recipe, generator)
        cameras = recipe.views.draw(recipe.batch, generator)
        turned = cameras.turned(true)
        tracked = recipe.tracker.track(cameras.pixels(turned), cameras.focal / cameras.place[:, 2], generator)
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


def clips(bodies: list[np.ndarray], recipe: Recipe, generator: torch.Generator) -> Tensor:
    """(batch, frames, 11, 3) m: clips from recordings drawn by their length; NaN after the end of a shorter one."""
    weights = torch.tensor([len(body) for body in bodies], dtype=torch.float32)
    drawn = torch.multinomial(weights, recipe.batch, replacement=True, generator=generator).tolist()
    taken = torch.full((recipe.batch, recipe.frames, len(SKELETON.names), 3), torch.nan)
    for row, number in enumerate(drawn):
        body = bodies[number]
        first = int(torch.randint(max(1, len(body) - recipe.frames + 1), (1,), generator=generator))
        part = torch.from_numpy(body[first : first + recipe.frames].astype(np.float32))
        taken[row, : len(part)] = part
    return taken


def film_ready(taken: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """The same clips about the body's middle, half of them mirrored, each by a body of other proportions."""
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
        built[:, :, outer] = built[:, :, inner] + (joints[:, :, outer] - joints[:, :, inner]) * factor[:, None, bone, None]
    return built - built.nanmean(dim=(1, 2), keepdim=True)


def _loss(found: Tensor, true: Tensor, seen: Tensor, bones: float) -> tuple[Tensor, Tensor]:
    """The loss, and the mean distance in it: over joints whose truth is known, relative to the root, in frames where something was seen."""
    found, true = (joints - joints[:, :, ROOT : ROOT + 1] for joints in (found, true))
    known = torch.isfinite(true).all(-1) & (seen.sum(2, keepdim=True) > 0)
    true = torch.where(known[..., None], true, found.detach())
    apart = (found - true).square().sum(-1).clamp_min(1e-12).sqrt()
    error = (apart * known).sum() / known.sum().clamp_min(1) * len(SKELETON.names) / (len(SKELETON.names) - 1)  # the root's is 0
    lengths, right = ((joints[:, :, OUTER] - joints[:, :, INNER]).norm(dim=-1) for joints in (found, true))
    return error + bones * (lengths - right).abs().mean(), error
