"""Corrections of keypoints by actions: what an action needs to know before it is journalled, and
the rows that it becomes in the table beside the tracks.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from semiology.data.corrections import (
    CARRIED,
    SWAPPED,
    UNDONE,
    Correction,
    effective,
    holding,
    read_corrections,
    write_corrections,
)
from semiology.errors import UserError
from semiology.review.actions import Carry, Correct, Swap
from semiology.review.clips import Tracked
from semiology.review.journal import Entry

PLACED = "review"  # begins the origin of other rows


def check_correction(
    action: Correct | Swap | Carry, tracked: Tracked, corrections: list[Correction]
) -> dict[str, Any]:
    """The context of an action that corrects.

    Args:
        action: to be done.
        tracked: the part's tracks.
        corrections: of the part so far.

    Returns:
        "pairs" of a swap; "ends" of what is carried, x, y and visibility of each.

    Raises:
        UserError: a frame that the tracks do not show, a keypoint that they lack, a place outside
            of the frame, pairs that are no left and right, an end that nobody placed.
    """
    frames = (
        [point.frame for point in action.points]
        if isinstance(action, Correct)
        else [action.first, action.last]
    )
    for frame in frames:
        if frame not in tracked.frames:
            raise UserError(
                f"frame: the tracks do not show frame {frame}; they show"
                f" {tracked.frames[0]} to {tracked.frames[-1]}"
            )
    match action:
        case Correct():
            names = [point.keypoint for point in action.points]
            for point in action.points:
                if point.visibility and point.x is not None and point.y is not None:
                    tracked.check_place(point.x, point.y)
            places = [(point.frame, point.keypoint) for point in action.points]
            if len(set(places)) < len(places):
                raise UserError("points: a keypoint has two places in one frame; give one")
            context: dict[str, Any] = {}
        case Swap():
            known = tracked.pairs
            chosen = [pair for pair in known if pair[0] < pair[1]]
            pairs = [list(pair) for pair in (chosen if action.pairs is None else action.pairs)]
            if wrong := [pair for pair in pairs if tuple(pair) not in known]:
                raise UserError(f"pairs: {wrong[0]} are not left and right of one point")
            if not pairs:
                raise UserError(f"part: the keypoints of {action.part} have no sides to swap")
            names, context = [name for pair in pairs for name in pair], {"pairs": pairs}
        case Carry():
            names = [action.keypoint]
            there = holding(effective(corrections))
            ends = [there.get((frame, action.keypoint)) for frame in frames]
            for frame, end in zip(frames, ends):
                if end is None or not end.visibility:
                    raise UserError(
                        f"{action.keypoint} was not placed by a person in frame {frame};"
                        " correct it there first"
                    )
            context = {"ends": [[end.x, end.y, end.visibility] for end in ends if end]}
    for name in names:
        if name not in tracked.keypoints:
            raise UserError(f"keypoint: {name!r} is not tracked; choose one that is")
    return context


def correct(path: Path, entry: Entry, target: Entry) -> None:
    """Add an action's rows to a table of corrections, or the row that takes them back; nothing
    where they are there.

    Args:
        path: of the table.
        entry: the action, or the one that takes it back.
        target: the action.
    """
    rows = read_corrections(path)
    origin = _origin(target)
    new = _rows(target, origin)
    if target is not entry:
        new = [_row(entry, origin, new[0].source_index, "", kind=UNDONE)]
    if any((row.who, row.origin, row.kind) == (entry.rater, origin, new[0].kind) for row in rows):
        return
    # the latest holds, also where clocks differ
    latest = max([row.when for row in rows] + [new[0].when])
    write_corrections([*rows, *(replace(row, when=latest) for row in new)], path)


def _origin(entry: Entry) -> str:
    """By which rows of corrections are known as those of an action."""
    return f"{CARRIED if entry.action['do'] == 'carry' else PLACED} {entry.id}"


def _rows(entry: Entry, origin: str) -> list[Correction]:
    """The rows of an action that corrects."""
    action = entry.action
    match action["do"]:
        case "correct":
            return [
                _row(
                    *(entry, origin, point["frame"], point["keypoint"]),
                    x=point["x"] if point["visibility"] else np.nan,
                    y=point["y"] if point["visibility"] else np.nan,
                    visibility=point["visibility"],
                )
                for point in action["points"]
            ]
        case "swap":
            return [
                _row(
                    entry,
                    origin,
                    action["first"],
                    left,
                    kind=SWAPPED,
                    last=action["last"],
                    other=right,
                )
                for left, right in entry.context["pairs"]
            ]
    first, last = action["first"], action["last"]
    (x0, y0, seen0), (x1, y1, seen1) = entry.context["ends"]
    return [
        _row(
            *(entry, origin, frame, action["keypoint"]),
            x=x0 + (x1 - x0) * (frame - first) / (last - first),
            y=y0 + (y1 - y0) * (frame - first) / (last - first),
            visibility=min(seen0, seen1),
        )
        for frame in range(first + 1, last)
    ]


def _row(
    entry: Entry,
    origin: str,
    frame: int,
    keypoint: str,
    *,
    x: float = np.nan,
    y: float = np.nan,
    visibility: int = 0,
    kind: str = "",
    last: int = -1,
    other: str = "",
) -> Correction:
    video = entry.context.get("video", "")
    return Correction(
        *(frame, keypoint, (), x, y, visibility, entry.rater, entry.when, origin, video),
        *(kind, last, other),
    )
