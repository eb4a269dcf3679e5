"""A phantom cohort of the paper's size, without rendering: 19 people, two clips of 30 to 90 s each,
the true joints and landmarks with a tracker's errors, and made features in a store.

    python benchmarks/paper_phantom.py FOLDER [--people N] [--seconds SHORTEST LONGEST]

In the place of VGG features, which need pixels, stand made ones: what a frame's joints (or
landmarks) look like through random weights, with an offset of each person's own and noise. They
have as many channels as the demo's VGGs, a vector for every fifth frame (5 Hz).
"""

import argparse
import json
import sys
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from semiology.data.store import Store, make_key
from semiology.data.tracks import make_tracks, save_tracks
from semiology.phantom.drawing.clip import perform
from semiology.phantom.dystonia_emotion.recipe import (
    DYSTONIA_EMOTION_JSON,
    DystoniaEmotionRecipe,
    clip_row,
    plan_clip,
)
from semiology.phantom.shared.tracker_noise import as_tracked, wander
from semiology.phantom.shared.truth import body_truth, face_truth

PEOPLE, CLIPS, SECONDS = 19, 2, (30.0, 90.0)  # [P], but for the number of clips
LABELS = ("dystonia", "emotion")
PIXELS, METRES = 0.5, 0.01  # standard deviation of the tracker's jitter [our choice]
GUESSED = 0.3  # confidence of what is hidden [our choice]
CHANNELS = {"body": 512, "face": 128}  # those of configs/demo_body_vgg.yaml, demo_face_vgg.yaml
EVERY = 5  # frames from vector to vector
SEED = 0


def make_paper_cohort(
    folder: Path, people: int = PEOPLE, seconds: tuple[float, float] = SECONDS
) -> None:
    """Write the cohort to FOLDER and its store to FOLDER/store; nothing where it is there."""
    if (folder / "clips.tsv").is_file():
        return
    recipe = DystoniaEmotionRecipe(CLIPS, seconds, SEED)
    rows = []
    for subject in range(people):
        for clip in range(CLIPS):
            plan, scored = plan_clip(recipe, subject, clip)
            performance = perform(plan)
            row = clip_row(recipe, subject, clip, plan, scored, performance)
            clip_id, rng = row["clip_id"], np.random.default_rng([SEED, subject, clip])
            parts = {
                "body": tracked(body_truth(plan, performance), rng),
                "face": tracked(face_truth(plan, performance), rng),
            }
            tracks = f"tracks/{clip_id}.nc"
            save_tracks(joined(parts), folder / tracks)
            write_features(Store(folder / "store"), clip_id, row["participant_id"], parts)
            rows.append(
                {key: row[key] for key in ("clip_id", "participant_id", *LABELS)}
                | {"tracks": tracks, "start": "0", "end": "n/a"}
            )
    table = pd.DataFrame(rows)
    table[["participant_id"]].drop_duplicates().to_csv(
        folder / "participants.tsv", sep="\t", index=False
    )
    (folder / "clips.json").write_text(
        json.dumps({label: DYSTONIA_EMOTION_JSON[label] for label in LABELS}), encoding="utf-8"
    )
    table.to_csv(folder / "clips.tsv", sep="\t", index=False)  # last: whole where it is there


def tracked(truth: xr.Dataset, rng: np.random.Generator) -> xr.Dataset:
    """The truth with a tracker's errors in px and in metres; what is hidden is guessed, as trackers
    do, with a low confidence, and what is lost is missing.
    """
    noisy = as_tracked(truth, PIXELS, rng)
    lost = np.isnan(noisy.position.transpose("time", "keypoint", "space").values).any(axis=2)
    space = truth.position_3d.values.astype(float)
    space += METRES * (
        rng.normal(size=space.shape) + wander(rng, space.shape, 1.0, float(truth.attrs["fps"]))
    )
    space[np.broadcast_to(lost[:, None], space.shape)] = np.nan
    noisy["position_3d"] = (truth.position_3d.dims, space.astype(np.float32))
    guessed = np.maximum(truth.confidence.transpose("time", "keypoint").values, GUESSED)
    noisy["confidence"] = (("time", "keypoint"), np.where(lost, 0, guessed).astype(np.float32))
    return noisy


def joined(parts: dict[str, xr.Dataset]) -> xr.Dataset:
    """Joints and landmarks as the keypoints of one tracks file."""
    body, face = parts.values()

    def both(name: str, *axes: str) -> np.ndarray:
        return np.concatenate(
            [tracks[name].transpose("time", "keypoint", *axes).values for tracks in (body, face)],
            axis=1,
        )

    return make_tracks(
        both("position", "space"),
        [*body.keypoint.values.tolist(), *face.keypoint.values.tolist()],
        float(body.attrs["fps"]),
        confidence=both("confidence"),
        position_3d=both("position_3d", "space_3d"),
        backend="phantom with a tracker's errors",
    )


def write_features(
    store: Store, clip_id: str, participant_id: str, parts: dict[str, xr.Dataset]
) -> None:
    """Made features of body and face in the place of a VGG's."""
    for part, tracks in parts.items():
        stage, channels = f"{part}_vgg", CHANNELS[part]
        positions = tracks.position.transpose("time", "keypoint", "space").values[::EVERY]
        centre = np.nanmean(positions, axis=(0, 1), keepdims=True)
        spread = np.nanstd(positions, axis=(0, 1), keepdims=True)
        seen = np.nan_to_num((positions - centre) / spread).reshape(len(positions), -1)
        shared = np.random.default_rng([SEED, channels])
        own = np.random.default_rng([SEED, channels, zlib.crc32(participant_id.encode())])
        clip = np.random.default_rng([SEED, channels, zlib.crc32(clip_id.encode())])
        weights = shared.normal(size=(seen.shape[1], channels)) / np.sqrt(seen.shape[1])
        vectors = seen @ weights + own.normal(size=channels)
        vectors = np.maximum(vectors + 0.5 * clip.normal(size=vectors.shape), 0)
        key = make_key({"stage": stage, "made": SEED})
        time = np.arange(len(vectors)) * EVERY / float(tracks.attrs["fps"])
        store.write(clip_id, stage, key, (vectors, time))
        store.note(clip_id, {}, {stage: {"key": key, "depends": {}}})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--seconds", type=float, nargs=2, default=SECONDS)
    arguments = parser.parse_args()
    make_paper_cohort(arguments.folder, arguments.people, tuple(arguments.seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
