"""Who is who, in formats that number the people of every frame anew: poses are linked over time by how near they lie.

Where no frame shows more than one person, it is one person. Else the patient is by default the person who is there in the most frames;
another is chosen by number, in order of presence. [our choice]
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.optimize import linear_sum_assignment

from semiology.data.formats.common import choose
from semiology.data.tracks import with_step

REACH = 0.5  # a person moves at most this share of the larger side of the pose's box between two sightings [our choice]


def choose_person(path: Path, poses: Mapping[int, np.ndarray], individual: str | None) -> tuple[dict[int, int], dict]:
    """The patient's place among the people of each frame.

    Args:
        path: of the file, for messages.
        poses: frame number -> (person, keypoint, 2) px, NaN where a joint was not found.
        individual: "person_0" (in the most frames), "person_1", ...; None takes the first.

    Returns:
        frame number -> place among that frame's people, for frames with the patient; and what to note in the tracks' steps.

    Raises:
        UserError: no such person.
    """
    people = link(poses)
    names = [f"person_{number}" for number in range(len(people))]
    chosen = people[choose(path, individual or names[0], names)] if people else {}
    how = "in the most frames of the people linked by distance" if individual is None else individual
    return chosen, {"people": len(people), "chosen": how, "frames": len(chosen)}


def note_person(tracks: xr.Dataset, note: dict) -> xr.Dataset:
    """The tracks with the choice of the person among their steps, where there was one."""
    return with_step(tracks, "choose_person", **note) if note["people"] > 1 else tracks


def link(poses: Mapping[int, np.ndarray]) -> list[dict[int, int]]:
    """Link poses over frames into people: pairs of least mean distance over the joints that both have (Hungarian method).

    A pose further than `REACH` from where a person was seen last is somebody new. Returns the people, most frames first, each as frame
    number -> place among that frame's poses.
    """
    found_in = {frame: [place for place, pose in enumerate(poses[frame]) if np.isfinite(pose).all(axis=1).any()] for frame in sorted(poses)}
    if all(len(found) <= 1 for found in found_in.values()):
        alone = {frame: found[0] for frame, found in found_in.items() if found}
        return [alone] if alone else []
    people: list[dict[int, int]] = []
    last: list[np.ndarray] = []
    for frame, found in found_in.items():
        cost = np.array([[_distance(seen, poses[frame][place]) for place in found] for seen in last]).reshape(len(last), len(found))
        taken = set()
        for person, column in zip(*linear_sum_assignment(np.where(np.isfinite(cost), cost, 1e6)), strict=True):
            if np.isfinite(cost[person, column]):
                people[person][frame] = found[column]
                last[person] = poses[frame][found[column]]
                taken.add(found[column])
        for place in found:
            if place not in taken:
                people.append({frame: place})
                last.append(poses[frame][place])
    return sorted(people, key=lambda person: (-len(person), min(person)))


def _distance(seen: np.ndarray, pose: np.ndarray) -> float:
    """Mean distance of the joints that both have, in larger sides of the box of the pose seen last; infinite where out of reach."""
    both = np.isfinite(seen).all(axis=1) & np.isfinite(pose).all(axis=1)
    if not both.any():
        return np.inf
    size = float(np.nanmax(np.nanmax(seen, axis=0) - np.nanmin(seen, axis=0)))
    distance = float(np.linalg.norm(seen[both] - pose[both], axis=1).mean())
    return distance / size if size > 0 and distance <= REACH * size else np.inf
