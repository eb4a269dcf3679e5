"""Who is who in the files of other programs: choosing one individual, and linking people over time.

Formats that number the people of every frame independently need linking: poses are linked over time
by distance (`link`). Where no frame shows more than one person, it is one person. Else the patient
is by default the person in the most frames; another is chosen by number, in order of presence. [our
choice]
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.optimize import linear_sum_assignment

from semiology.data.tracks import with_step
from semiology.errors import UserError

# largest movement of a person between two frames with a pose, in longer sides of the pose's box
# [our choice]
REACH = 0.5
Named = tuple[np.ndarray, str | None]  # a pose (keypoint, 2) px and whose it is


def choose_individual(path: Path, individual: str | None, names: Sequence[str]) -> int:
    """Index of the individual to read from a file: the one that is named, or the only one.

    Raises:
        UserError: several of which none was named, or a name that is not there or there twice.
    """
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise UserError(
            f"{path}: two individuals are called {twice[0]!r}, so that it is not known who is who;"
            " rename one"
        )
    if individual is None and len(names) == 1:
        return 0
    if individual is None:
        raise UserError(
            f"{path}: holds {len(names)} individuals; say which one is the patient (individual):"
            f" {listed(names)}"
        )
    if individual not in names:
        named = (
            listed([name for name in names if name]) or "one without a name: leave individual out"
        )
        raise UserError(f"{path}: no individual {individual!r}; there is {named}")
    return list(names).index(individual)


def rows_of_individual(
    path: Path, frames: np.ndarray, found: np.ndarray, names: Sequence[str], individual: str | None
) -> tuple[np.ndarray, np.ndarray]:
    """Of a table with a row for each face of a frame, the rows that show one individual. Rows
    without a face are nobody's, whatever name they have.

    Args:
        path: for messages.
        frames: (row,) number or time of the frame.
        found: (row,) whether there is a face.
        names: (row,) of the individual, empty where the table has none.
        individual: the one to read; needed where several were found.

    Returns:
        The frames of the table, sorted; and for each the row that shows the individual, -1 where
        none does.

    Raises:
        UserError: several individuals and none chosen, or none of that name; two rows of the
            individual for one frame.
    """
    there = list(dict.fromkeys(name for name, seen in zip(names, found, strict=True) if seen))
    name = there[choose_individual(path, individual, there)] if there else None
    grid, place = np.unique(frames, return_inverse=True)
    rows = np.full(len(grid), -1)
    for row in np.flatnonzero(found).tolist():
        if names[row] == name:
            if rows[place[row]] >= 0:
                raise UserError(
                    f"{path}: row {row + 2}: a second row for the same frame; give one row a frame"
                )
            rows[place[row]] = row
    return grid, rows


def listed(names: Sequence[str]) -> str:
    """The first dozen of some names, and how many more there are."""
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def choose_person(
    path: Path, poses: Mapping[int, np.ndarray], individual: str | None
) -> tuple[dict[int, int], dict]:
    """Choose the patient among the people of each frame.

    Args:
        path: of the file, for messages.
        poses: frame number -> (person, keypoint, 2) px, NaN where a joint was not found.
        individual: "person_0" (in the most frames), "person_1", ...; None takes the first.

    Returns:
        frame number -> index among that frame's people, for frames with the patient; and the entry
        for the tracks' steps.

    Raises:
        UserError: no such person.
    """
    people = link(poses)
    names = [f"person_{number}" for number in range(len(people))]
    chosen = people[choose_individual(path, individual or names[0], names)] if people else {}
    how = (
        "in the most frames of the people linked by distance" if individual is None else individual
    )
    return chosen, {"people": len(people), "chosen": how, "frames": len(chosen)}


def choose_named(
    path: Path, people: Mapping[int, Sequence[Named]], individual: str | None, what: str
) -> tuple[dict[int, int], dict]:
    """Choose the patient by the names that the file's program gave people (`name_unnamed` for those
    without one). Where it named nobody, or everybody alike (which is how some write that they did
    not track), as `choose_person`.

    Args:
        path: of the file, for messages.
        people: frame number -> the people of that frame.
        individual: name of the patient, needed where there are several.
        what: the format's word for the name, such as track_id.

    Returns:
        As `choose_person`; the entry has the number of poses that stayed without a name.

    Raises:
        UserError: one name twice in a frame, several people and none chosen, no such person.
    """
    names = list(dict.fromkeys(who for there in people.values() for _, who in there if who))
    twice = {
        frame: who
        for frame, there in people.items()
        for who, count in Counter(name for _, name in there if name).items()
        if count > 1
    }
    if twice and len(names) > 1:
        frame, who = min(twice.items())
        raise UserError(
            f"{path}: frame {frame} has {what} {who} twice, so that it is not known who is who;"
            f" correct it, or take {what} out of the file"
        )
    if not names or twice:
        poses = {frame: np.array([pose for pose, _ in there]) for frame, there in people.items()}
        return choose_person(path, poses, individual)
    identity = names[choose_individual(path, individual, names)]
    placed = name_unnamed(people)
    chosen = {frame: there.index(identity) for frame, there in placed.items() if identity in there}
    unnamed = sum(
        name is None and bool(np.isfinite(pose).any())
        for frame, there in placed.items()
        for name, (pose, _) in zip(there, people[frame], strict=True)
    )
    note = {
        "people": len(names) + bool(unnamed),
        "chosen": f"{what} {identity}",
        "frames": len(chosen),
    }
    return chosen, note | ({"unnamed": unnamed} if unnamed else {})


def note_person(tracks: xr.Dataset, note: dict) -> xr.Dataset:
    """The tracks with the choice of the person in their steps, where there were several people."""
    return with_step(tracks, "choose_person", **note) if note["people"] > 1 else tracks


def link(poses: Mapping[int, np.ndarray]) -> list[dict[int, int]]:
    """Link poses over frames into people, by the smallest mean distance over the joints that both
    poses have (Hungarian method).

    A pose further than `REACH` from a person's last pose is a new person.

    Returns:
        The people, most frames first, each as frame number -> index among that frame's poses.
    """
    found_in = {
        frame: [
            place for place, pose in enumerate(poses[frame]) if np.isfinite(pose).all(axis=1).any()
        ]
        for frame in sorted(poses)
    }
    if all(len(found) <= 1 for found in found_in.values()):
        alone = {frame: found[0] for frame, found in found_in.items() if found}
        return [alone] if alone else []
    people: list[dict[int, int]] = []
    last: list[np.ndarray] = []
    for frame, found in found_in.items():
        cost = np.array(
            [[_distance(seen, poses[frame][place]) for place in found] for seen in last]
        ).reshape(len(last), len(found))
        taken = set()
        for person, column in zip(
            *linear_sum_assignment(np.where(np.isfinite(cost), cost, 1e6)), strict=True
        ):
            if np.isfinite(cost[person, column]):
                people[person][frame] = found[column]
                last[person] = poses[frame][found[column]]
                taken.add(found[column])
        for place in found:
            if place not in taken:
                people.append({frame: place})
                last.append(poses[frame][place])
    return sorted(people, key=lambda person: (-len(person), min(person)))


def name_unnamed(
    people: Mapping[int, Sequence[Named]], known: Iterable[tuple[int, Named]] = ()
) -> dict[int, list[str | None]]:
    """Name poses that carry no name beside others that do, such as a hand label without a track:
    each takes the name of the nearest pose in time that lies within `REACH`, among the names that
    its frame does not have; the closest first. Where none lies there, it keeps no name.

    Args:
        people: frame number -> the people of that frame.
        known: further named poses and their frames, by which others are named.

    Returns:
        frame number -> name of each of its people.
    """
    placed = {frame: [name for _, name in there] for frame, there in people.items()}
    seen: dict[str, dict[int, np.ndarray]] = {}
    own = ((frame, named) for frame, there in people.items() for named in there)
    for frame, (pose, name) in (*known, *own):
        if name is not None:
            seen.setdefault(name, {})[frame] = pose
    times = {name: sorted(poses) for name, poses in seen.items()}
    for frame, names in placed.items():
        costs = {
            (place, name): _distance(poses[_nearest(times[name], frame)], pose)
            for place, (pose, own_name) in enumerate(people[frame])
            if own_name is None
            for name, poses in seen.items()
            if name not in names
        }
        for place, name in sorted(costs, key=costs.__getitem__):
            if names[place] is None and name not in names and costs[place, name] < np.inf:
                names[place] = name
    return placed


def _nearest(frames: Sequence[int], frame: int) -> int:
    """Of sorted frame numbers the one that is nearest, of two the earlier."""
    after = bisect_left(frames, frame)
    return min(frames[max(after - 1, 0) : after + 1], key=lambda other: abs(other - frame))


def _distance(seen: np.ndarray, pose: np.ndarray) -> float:
    """Mean distance of the joints that both poses have, in longer sides of the last pose's box;
    infinite beyond `REACH`.
    """
    both = np.isfinite(seen).all(axis=1) & np.isfinite(pose).all(axis=1)
    if not both.any():
        return np.inf
    size = float(np.nanmax(np.nanmax(seen, axis=0) - np.nanmin(seen, axis=0)))
    distance = float(np.linalg.norm(seen[both] - pose[both], axis=1).mean())
    return distance / size if size > 0 and distance <= REACH * size else np.inf
