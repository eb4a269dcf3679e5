"""Whose joints a tracker finds where a caregiver holds, lifts and bends over the patient: the
phantom of people in contact, rendered and extracted, against the truth of both.

    make bench NAME=contact [ARGS="--pose mediapipe --subjects 4"]

A joint is on the wrong person where it is nearer to one of the caregiver's joints of its kind (a
left wrist to either wrist) than to the patient's, and further than a third of the torso from the
patient's; joints count in frames that show the caregiver. Cohort and raw tracks are kept in
runs/contact/.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from record import record

from semiology.data.cohort import Cohort
from semiology.data.preprocessing import select
from semiology.data.skeleton import load_skeleton
from semiology.data.tracks import read_tracks, save_tracks
from semiology.phantom import make_contact
from semiology.tracking.extraction import ExtractOptions, extract_tracks
from semiology.tracking.tracking_error import clip_scale, distance

RUN = Path("runs/contact")
WRONG = 0.01  # share of found joints on the wrong person
APART = 1 / 3  # torso lengths: nearer to the patient's own joint is the patient's
FAR = 0.5  # torso lengths: an error that no use of the tracks forgives
SKELETON = load_skeleton("upper_body_11")
KINDS = [name.removeprefix("left_").removeprefix("right_") for name in SKELETON.names]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pose", default="mediapipe", help="backend, as of semiology extract")
    parser.add_argument("--subjects", type=int, default=4, help="participants, six clips each")
    arguments = parser.parse_args()
    folder = make_contact(RUN / "cohort", subjects=arguments.subjects)
    clips = {clip.clip_id: clip for clip in Cohort.read(folder).clips}
    counts = {}
    for clip_id, clip in clips.items():
        kept = RUN / "tracks" / f"{clip_id}_{arguments.pose}.nc"
        if not kept.is_file():
            options = ExtractOptions(pose=arguments.pose)
            save_tracks(extract_tracks(folder / clip.video, options=options)["body"], kept)
        truth, other = (
            read_tracks(folder / "truth" / f"{clip_id}{who}.nc") for who in ("", "_caregiver")
        )
        counts[clip_id] = whose(read_tracks(kept), truth, other)
    figures = {"options": vars(arguments), "all": shares(list(counts.values()))}
    for act in dict.fromkeys(clip.labels.get("act", "") for clip in clips.values()) or ():
        figures[str(act)] = shares([counts[name] for name in counts if f"_{act}_" in name])
    for light in ("day", "night"):
        figures[light] = shares([counts[name] for name in counts if name.endswith(light)])
    print(f"{'':<8}{'found':>8}{'wrong person':>14}{'far':>8}{'median error':>14}")
    for name, row in figures.items():
        if name != "options":
            print(
                f"{name:<8}{row['found']:>8.3f}{row['wrong']:>14.4f}{row['far']:>8.4f}"
                f"{row['median']:>14.3f}"
            )
    wrong = figures["all"]["wrong"]
    return record(
        "contact",
        figures,
        f"under {WRONG:.0%} of found joints on the wrong person",
        wrong < WRONG,
        headline=f"{wrong:.2%} of found joints on the wrong person",
        seed=0,
    )


def whose(tracks, truth, other) -> dict[str, np.ndarray]:
    """Of frames that show the caregiver, (frame, joint) each: `found`, `seen` (in the truth),
    `wrong` (on the caregiver) and `error`, torso lengths.
    """
    own, found, theirs = (select(each, SKELETON) for each in (truth, tracks, other))
    with_both = (other["confidence"].values > 0).any(1)
    unit = clip_scale(truth, SKELETON)
    place, mine, others = (
        each["position"].transpose("time", "keypoint", "space").values
        for each in (found, own, theirs)
    )
    error = distance(place, mine) / unit

    def to_kind(joints: np.ndarray) -> np.ndarray:
        apart = distance(place[:, :, None], joints[:, None]) / unit  # (frame, joint, joint)
        same = np.array([[one == two for two in KINDS] for one in KINDS])
        return np.where(same, apart, np.inf).min(-1)

    to_mine, to_theirs = to_kind(mine), to_kind(others)
    return {
        "found": np.isfinite(error)[with_both],
        "seen": (own["confidence"].values > 0)[with_both],
        "wrong": ((to_theirs < to_mine) & (to_mine > APART))[with_both],
        "error": error[with_both],
    }


def shares(counts: list[dict[str, np.ndarray]]) -> dict[str, float]:
    """Shares over clips: found of what is in view, and of what was found, in view or not, that on
    the wrong person and that further than FAR from the truth; median error, torso lengths.
    """
    pooled = {name: np.concatenate([each[name] for each in counts]) for name in counts[0]}
    found = pooled["found"]
    return {
        "joints": int(found.sum()),
        "found": float(found[pooled["seen"]].mean()),
        "wrong": float(pooled["wrong"][found].mean()),
        "far": float((pooled["error"] > FAR)[found].mean()),
        "median": float(np.median(pooled["error"][found & pooled["seen"]])),
    }


if __name__ == "__main__":
    sys.exit(main())
