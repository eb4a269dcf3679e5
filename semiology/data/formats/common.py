"""Shared by the formats: tracks from rows with frame numbers, choosing one individual, CSV cells
and JSON with errors by row and column, and linking people over time.

Float32 numbers are written as the shortest text that reads back the same.

Formats that number the people of every frame independently need linking: poses are linked over time
by distance (`link`). Where no frame shows more than one person, it is one person. Else the patient
is by default the person in the most frames; another is chosen by number, in order of presence. [our
choice]
"""

import csv
import io
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.optimize import linear_sum_assignment

from semiology.data.rows import LONGEST, NO_NUMBER, beyond_0_to_1, check_size, separator
from semiology.data.tracks import make_tracks, with_step
from semiology.errors import UserError
from semiology.files import write_text

FURTHEST = 1e7  # px; larger positions are invalid [our choice]
DECIMAL_COMMA = re.compile(r"^([-+]?\d*),(\d+(?:[eE][-+]?\d+)?)$")
PADDING = -1  # as x, y and confidence of what DeepLabCut 3 did not find
# largest movement of a person between two frames with a pose, in longer sides of the pose's box
# [our
# choice]
REACH = 0.5
Named = tuple[np.ndarray, str | None]  # a pose (keypoint, 2) px and whose it is


def tracks_from_rows(
    path: Path,
    frames: Sequence[int] | np.ndarray,
    keypoints: Sequence[str],
    position: np.ndarray,
    *,
    fps: float | None,
    confidence: np.ndarray | None = None,
    peaks: bool = False,
    position_3d: np.ndarray | None = None,
    source_index: np.ndarray | None = None,
    source_time: np.ndarray | None = None,
    width: int = 0,
    height: int = 0,
    backend: str = "",
) -> xr.Dataset:
    """Tracks from rows that carry frame numbers (from 0). Frames without a row are missing: NaN,
    `source_index` -1.

    A point with confidence 0 or below was not found, whatever its position; the step `not_found`
    records how many of them had one. So was one that DeepLabCut 3 pads with -1, -1, -1, through
    whatever program it came. But where every point has a confidence of exactly 0, at places other
    than (0, 0), the file has no scores (0 is sleap-io's default, and movement passes it on): they
    are there, without a score, and the step `no_scores` says so. [our choice]

    Args:
        path: of the file, for messages.
        frames: (row,) number of each row's frame, in any order.
        keypoints: names.
        position: (row, keypoint, 2) px.
        fps: Hz; None where neither the file nor the user gives it.
        confidence: (row, keypoint) 0 to 1, by default 1 where the position is finite; NaN where a
            point has no score.
        peaks: confidences may be the height of a peak in a network's heatmap, which can lie a
            little outside of 0 to 1: such values are clipped, and the step `cut_confidence` records
            their number and the largest excess.
        position_3d: (row, keypoint, 3) m.
        source_index: (row,) number of each row's frame in its video, where that is not `frames`.
        source_time: (row,) s, where that is not the grid's.
        width, height: of the frame, px; 0 where unknown.
        backend: name of the tracker.

    Raises:
        UserError: no frame rate, no rows, two rows for one frame, a frame number that is none or
            too large, a position beyond any image, a confidence outside of 0 to 1 that is no peak.
    """
    if fps is None:
        raise UserError(
            f"{path}: this format has no frame rate; give the video's, frames per second (fps)"
        )
    if not len(frames):
        raise UserError(f"{path}: holds no frames")
    strange = [frame for frame in frames if not 0 <= frame < LONGEST or frame != int(frame)]
    if strange:
        raise UserError(f"{path}: {strange[0]} is not the number of a frame, counted from 0")
    number = np.asarray(frames, dtype=np.int64)
    last = int(number.max())
    check_size(f"{path}: the frame {last}", last, len(keypoints), len(number))
    if len(np.unique(number)) != len(number):
        values, counts = np.unique(number, return_counts=True)
        raise UserError(
            f"{path}: frame {values[counts > 1][0]} is there twice; give one row a frame"
        )
    if (
        beyond := np.argwhere(
            np.abs(np.nan_to_num(position, posinf=2 * FURTHEST, neginf=2 * FURTHEST)) > FURTHEST
        )
    ).size:
        row, keypoint, _ = beyond[0]
        raise UserError(
            f"{path}: frame {number[row]}, {keypoints[keypoint]}: {position[row, keypoint]} is no"
            " position in px"
        )

    cut: dict = {}
    unseen = scoreless = 0
    if confidence is not None:
        padding = (position == PADDING).all(axis=2) & (confidence == PADDING)
        position = np.where(padding[..., None], np.nan, position)
        there = np.isfinite(position).all(axis=2) & (position != 0).any(axis=2)
        if (confidence[there] == 0).all():
            scoreless = int(there.sum())
            confidence = np.where(there, np.nan, confidence)
        outside = beyond_0_to_1(confidence) & np.isfinite(position).all(axis=2)
        if outside.any() and not peaks:
            row, keypoint = np.argwhere(outside)[0]
            where = f"frame {number[row]}, {keypoints[keypoint]}"
            raise UserError(
                f"{path}: {where}: confidence {confidence[row, keypoint]:g} is outside of 0 to 1;"
                " correct the file"
            )
        if outside.any():
            cut = {
                "points": int(outside.sum()),
                "lowest": float(confidence[outside].min()),
                "highest": float(confidence[outside].max()),
            }
        unseen = int((padding | (np.isfinite(position).all(axis=2) & (confidence <= 0))).sum())
        confidence = np.clip(confidence, 0, 1)

    def on_grid(array: np.ndarray | None, fill: float) -> np.ndarray | None:
        if array is None:
            return None
        grid = np.full((last + 1, *array.shape[1:]), fill, np.float32)
        grid[number] = array
        return grid

    index, time = np.full(last + 1, -1), np.full(last + 1, np.nan)
    index[number] = number if source_index is None else source_index
    time[number] = number / fps if source_time is None else source_time
    tracks = make_tracks(
        on_grid(position, np.nan),
        list(keypoints),
        fps,
        confidence=on_grid(confidence, 0),
        position_3d=on_grid(position_3d, np.nan),
        source_time=time,
        source_index=index,
        width=width,
        height=height,
        backend=backend,
    )
    tracks = with_step(tracks, "cut_confidence", **cut) if cut else tracks
    tracks = with_step(tracks, "no_scores", points=scoreless) if scoreless else tracks
    return with_step(tracks, "not_found", points=unseen) if unseen else tracks


def pixels(tracks: xr.Dataset, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Position (time, keypoint, 2) px and confidence (time, keypoint) to write, float32; NaN is a
    point without a score.

    Raises:
        UserError: the tracks have metres only.
    """
    if "position" not in tracks:
        raise UserError(
            f"{path}: this format holds positions in px, and the tracks have metres only; write .nc"
            " or the long .csv"
        )
    return (
        tracks["position"].transpose("time", "keypoint", "space").values,
        tracks["confidence"].transpose("time", "keypoint").values,
    )


def names_of(tracks: xr.Dataset) -> list[str]:
    """Names of the keypoints, in order."""
    return [str(name) for name in tracks["keypoint"].values]


def only_names(tracks: xr.Dataset, allowed: Sequence[str], path: Path) -> list[int]:
    """For each keypoint its index among the names that a format can store.

    Raises:
        UserError: a keypoint that it cannot store.
    """
    if missing := [name for name in names_of(tracks) if name not in allowed]:
        raise UserError(
            f"{path}: this format has no place for keypoint {missing[0]!r}; its points are"
            f" {_some(allowed)}"
        )
    return [list(allowed).index(name) for name in names_of(tracks)]


def frame_numbers(names: Sequence[str], path: Path) -> list[int]:
    """The frame that each image of a video shows, by the numbers in the images' names.

    With one number in each name, it is the frame's ("img0012.png" -> 12). With several, the names
    must be built alike and differ in one number only, which is the frame's: `img00012_cam2.png`
    beside `img00024_cam2.png`. The copy's code that Roboflow adds (`img00012_png.rf.CODE.jpg`) is
    no part of a name; the code that Label Studio puts before it (`1f3a9c02-img00012.png`) neither,
    where names are not readable with it. [our choice]

    Args:
        names: of all images of one video.
        path: of the file, for messages.

    Raises:
        UserError: a name without a number; several numbers of which none, or more than one, varies;
            two images of one frame.
    """
    whole = [_bare(name) for name in names]
    own = [UPLOADED.sub("", name) for name in whole]
    uploaded = own != whole and any(re.match(r"\d*[a-f]", name) for name in whole)
    try:
        numbers = _varying(whole, names, path)
    except UserError:
        if not uploaded:
            raise
        numbers = _varying(own, names, path)
    check_frames(numbers, names, path)
    return numbers


def check_frames(numbers: Sequence[int], names: Sequence[str], path: Path) -> None:
    """Check that every image of a video shows a frame of its own.

    Raises:
        UserError: two images of one frame, with both names.
    """
    first: dict[int, int] = {}
    for place, number in enumerate(numbers):
        if (other := first.setdefault(number, place)) != place:
            raise UserError(
                f"{path}: {Path(names[other]).name} and {Path(names[place]).name} are both frame"
                f" {number}; keep one image of a frame, and the images of one video in a file"
            )


# what programs add to the names of images: Roboflow behind, Label Studio (on upload) before
EXPORTED = re.compile(r"\.rf\.[0-9A-Za-z]+$")
UPLOADED = re.compile(r"^[0-9a-f]{8}-(?=.*\d)")
DIGITS = 18  # of a number in a name at most; longer ones are no counts [our choice]
CAMERA = re.compile(r"(?i)(cam|camera|view)[-_ ]?$")  # text before a camera's number
RENAME = "name images by their frame alone (img0012.png), or give frame_index in a COCO file"


def _bare(name: str) -> str:
    """The name without folder and suffix, and without what Roboflow adds."""
    bare = re.sub(r"\.[0-9]*[A-Za-z][0-9A-Za-z]*$", "", Path(name).name)
    return EXPORTED.sub("", bare)


def _varying(bare: Sequence[str], names: Sequence[str], path: Path) -> list[int]:
    """The number of each name that varies over the names."""
    parts = [re.split(r"(\d+)", name) for name in bare]
    first = Path(names[0]).name if names else ""
    if without := [
        name
        for name, part in zip(names, parts, strict=True)
        if len(part) == 1 or max(map(len, part[1::2])) > DIGITS
    ]:
        raise UserError(
            f"{path}: {Path(without[0]).name!r} names no frame; images of a video have their"
            " frame's number in their names (img0012.png)"
        )
    if all(len(part) == 3 for part in parts):
        return [int(part[1]) for part in parts]
    if len(parts) == 1:
        raise UserError(
            f"{path}: {first!r} has several numbers, and one name alone does not tell which is the"
            f" frame's; {RENAME}"
        )
    if other := [
        name for name, part in zip(names, parts, strict=True) if part[::2] != parts[0][::2]
    ]:
        raise UserError(
            f"{path}: {first!r} and {Path(other[0]).name!r} have several numbers and are not built"
            f" alike, so that it is not known which one is the frame's; {RENAME}"
        )
    columns = {
        tuple(int(part[place]) for part in parts): parts[0][place - 1]
        for place in range(1, len(parts[0]), 2)
    }  # the numbers, and the text before them
    varying = [numbers for numbers in columns if len(set(numbers)) > 1]
    if len(varying) != 1 or CAMERA.search(columns[varying[0]]):
        what = {0: "none varies", 1: "only the camera's varies"}.get(len(varying), "several vary")
        raise UserError(
            f"{path}: {first!r}, {Path(names[1]).name!r}, ...: of the numbers in these names"
            f" {what}, so that it is not known which one is the frame's; {RENAME}"
        )
    return list(varying[0])


def choose_individual(path: Path, individual: str | None, names: Sequence[str]) -> int:
    """Index of the individual to read from a file: the one that is named, or the only one.

    Raises:
        UserError: several of which none was named, or a name that is not there.
    """
    if individual is None and len(names) == 1:
        return 0
    if individual is None:
        raise UserError(
            f"{path}: holds {len(names)} individuals; say which one is the patient (individual):"
            f" {_some(names)}"
        )
    if individual not in names:
        named = (
            _some([name for name in names if name]) or "one without a name: leave individual out"
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
    for row in np.flatnonzero(found):
        if names[row] == name:
            if rows[place[row]] >= 0:
                raise UserError(
                    f"{path}: row {row + 2}: a second row for the same frame; give one row a frame"
                )
            rows[place[row]] = row
    return grid, rows


def _some(names: Sequence[str]) -> str:
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


def read_cells(path: Path, keep: str = "") -> list[list[str]]:
    """All rows of a csv as text, spaces around cells removed; empty lines at the end are dropped.

    Between semicolons, a comma in a number is the decimal sign.

    Args:
        path: of the file.
        keep: pattern of the first cell of the columns to read; by default all are read.

    Raises:
        UserError: no such file, not text, or a row that is shorter or longer than the first one.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            rows: list[list[str]] = []
            columns, width = [], 0
            between = separator(stream.readline())
            stream.seek(0)
            for row in csv.reader(stream, delimiter=between):
                if not rows:
                    columns, width = (
                        [
                            number
                            for number, cell in enumerate(row)
                            if re.search(keep, cell.strip())
                        ],
                        len(row),
                    )
                if not columns:
                    raise UserError(
                        f"{path}: none of its columns is one that this format has; its first are"
                        f" {', '.join(row[:5])}"
                    )
                if row and len(row) != width:
                    raise UserError(
                        f"{path}: row {len(rows) + 1} has {len(row)} cells, the first row has"
                        f" {width}; is the file whole?"
                    )
                cells = [row[number].strip() for number in columns] if row else []
                if between == ";":
                    cells = [DECIMAL_COMMA.sub(r"\1.\2", cell) for cell in cells]
                rows.append(cells)
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a readable csv ({error}); export it again") from error
    while rows and not any(rows[-1]):
        rows.pop()
    if not rows:
        raise UserError(f"{path}: is empty; export it again")
    if [] in rows:
        raise UserError(f"{path}: row {rows.index([]) + 1} is empty; is the file whole?")
    return rows


def numbers(
    path: Path, rows: Sequence[Sequence[str]], columns: Sequence[str], first_row: int
) -> np.ndarray:
    """(row, column) float64 of text cells; empty cells, and those for "not a number", are NaN.

    Args:
        path: for messages.
        rows: one sequence of cells a row.
        columns: names, for messages.
        first_row: number of `rows[0]` in the file, counted from 1.

    Raises:
        UserError: a cell that is not a number, or not a finite one.
    """
    text = np.array([[cell or "nan" for cell in row] for row in rows], dtype=str).reshape(
        len(rows), len(columns)
    )
    try:
        values = text.astype(float)
    except ValueError:
        values = np.array([[_number(cell) for cell in row] for row in text]).reshape(text.shape)
    if (bad := np.isinf(values)).any():
        row, column = np.argwhere(bad)[0]
        raise UserError(
            f'{path}: row {row + first_row}, column "{columns[column]}": {str(text[row, column])!r}'
            " is not a number"
        )
    return values


def _number(cell: str) -> float:
    """The number in a cell; infinity where it is other text."""
    try:
        return float(cell)
    except ValueError:
        return np.nan if cell in NO_NUMBER else np.inf


def take_columns(path: Path, cells: Sequence[Sequence[str]], columns: Sequence[str]) -> np.ndarray:
    """(row, column) of some columns of a table whose first row names them.

    Raises:
        UserError: a column that is not there, or as `numbers`.
    """
    if missing := [name for name in columns if name not in cells[0]]:
        raise UserError(f"{path}: has no column {missing[0]!r}")
    places = [cells[0].index(name) for name in columns]
    return numbers(path, [[row[place] for place in places] for row in cells[1:]], columns, 2)


def number_texts(values: np.ndarray) -> list[list[str]]:
    """Numbers (row, column) as the shortest texts that read back the same; NaN is an empty cell."""
    return [["" if cell == "nan" else cell for cell in row] for row in values.astype(str).tolist()]


def write_cells(path: Path, rows: Iterable[Sequence[str]]) -> None:
    """Write a csv, whole or not at all.

    Raises:
        UserError: as `files.atomic_path`.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_text(path, text.getvalue())


def triples(path: Path, where: str, flat: object) -> np.ndarray:
    """(keypoint, 3) x, y and a third number from the flat list [x, y, c, x, y, c, ...]; empty where
    there is none.

    Raises:
        UserError: not a list of numbers, or not in threes.
    """
    try:
        values = np.array(flat if flat is not None else [], dtype=float)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{path}: {where}: keypoints hold something that is not a number ({error})"
        ) from error
    if values.ndim != 1 or len(values) % 3 or not np.isfinite(values).all():
        raise UserError(
            f"{path}: {where}: keypoints are {values.shape} numbers, expected x, y, confidence for"
            " each point"
        )
    return values.reshape(-1, 3)


def flat_triples(position: np.ndarray, third: np.ndarray) -> list[float]:
    """[x, y, c, ...] of one frame; a missing point is 0, 0, 0. Position (keypoint, 2) and third
    (keypoint,) are float32.

    The third number of a point without a score (NaN) is 1: these formats have 0 for points that
    were not found, and nothing for this.
    """
    found = np.isfinite(position).all(axis=1)
    certain = np.where(np.isnan(third), np.float32(1), third)
    joined = np.where(
        found[:, None], np.concatenate([position, certain[:, None]], axis=1), np.float32(0)
    )
    return joined.ravel().astype(str).astype(float).tolist()
