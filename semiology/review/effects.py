"""What pointing at the patient, stretches out of view and corrections need to know of a cohort's
files and its store's, and what they change there.
"""

from contextlib import nullcontext
from dataclasses import asdict
from typing import Any

from semiology.data.cohort.out_of_view import Stretch, added, without
from semiology.errors import UserError
from semiology.review.actions import (
    Away,
    Back,
    Carry,
    Conflict,
    Correct,
    PointAtPatient,
    Swap,
    decimal,
)
from semiology.review.clips import ClipFiles
from semiology.review.corrections import check_correction, correct
from semiology.review.journal import Entry, locked


def check_on_files(
    files: ClipFiles,
    clip_id: str,
    action: PointAtPatient | Away | Back | Correct | Swap | Carry,
    length: float | None,
) -> dict[str, Any]:
    """The context of an action; see `Entry`.

    Args:
        files: of the cohort's clips.
        clip_id: of the clip.
        action: to be done.
        length: of the clip, s, where it is known.

    Raises:
        UserError: it cannot be done.
    """
    match action:
        case PointAtPatient():
            body = files.tracked(clip_id, "body")
            if files.clip(clip_id).tracks:
                raise UserError(
                    f"clip {clip_id}: has tracks of its own and is not tracked; there is no"
                    " patient to point at"
                )
            if length is not None and action.time > length:
                raise UserError(
                    f"time: the clip lasts {length:g} s; {action.time:g} s is after its end"
                )
            if body is not None:
                body.check_place(action.x, action.y)
            files.check_cell(clip_id)
            return {"before": files.cell(clip_id)}
        case Away() | Back():
            if length is not None and round(action.onset, 3) >= length:
                raise UserError(
                    f"onset: the clip lasts {length:g} s; {action.onset:g} s is after its end"
                )
            return {"before": [asdict(one) for one in files.away(clip_id)]}
        case Correct() | Swap() | Carry():
            tracked = files.tracked(clip_id, action.part)
            if tracked is None:
                raise UserError(
                    f"part: clip {clip_id} has no tracks of {action.part!r}; extract it"
                )
            rows = files.corrections(clip_id, action.part)
            context = check_correction(action, tracked, rows)
            if files.clip(clip_id).tracks:
                return context
            files.store.corrections(clip_id, action.part)  # not of another video
            return context | {"video": files.store.video_digits(clip_id)}


def check_unchanged(files: ClipFiles, target: Entry) -> None:
    """Refuse to take back what somebody changed again since.

    Raises:
        Conflict: it was.
    """
    clip_id = target.clip_id
    if target.action["do"] == "patient" and files.cell(clip_id) != _cell_of(target):
        raise Conflict("the patient was pointed at again since; take that back first")
    if target.action["do"] in ("away", "back") and files.away(clip_id) != _away_after(target):
        raise Conflict("the stretches were changed again since; take that back first")


def carry_out_on_files(files: ClipFiles, entry: Entry, target: Entry) -> None:
    """Write the files that an entry changes; to do it twice changes nothing more.

    Args:
        files: of the cohort's clips.
        entry: the action, or the one that takes it back.
        target: the action.
    """
    clip_id, undone = entry.clip_id, target is not entry
    match target.action["do"]:
        case "patient":
            value = target.context["before"] if undone else _cell_of(target)
            files.set_cell(clip_id, value)
        case "away" | "back":
            now = files.away(clip_id)
            new = (
                [Stretch(**one) for one in target.context["before"]]
                if undone
                else _away_after(target, now)
            )
            if new != now:
                files.set_away(clip_id, new)
        case "correct" | "swap" | "carry":
            path = files.corrections_file(clip_id, target.action["part"])
            folders = [folder.resolve() for folder in (files.store.folder, files.cohort.folder)]
            apart = folders[0] != folders[1] and folders[0].is_dir()
            with locked(files.store.folder) if apart else nullcontext():
                correct(path, entry, target)


def _cell_of(entry: Entry) -> str:
    """What pointing at the patient writes into clips.tsv."""
    action = entry.action
    return ",".join(decimal(action[name]) for name in ("time", "x", "y"))


def _away_after(entry: Entry, now: list[Stretch] | None = None) -> list[Stretch]:
    """The clip's stretches after an entry; by default on what it found."""
    action = entry.action
    found = [Stretch(**one) for one in entry.context["before"]] if now is None else now
    onset, duration = round(action["onset"], 3), round(action["duration"], 3)
    if action["do"] == "back":
        rows = without(found, onset, onset + duration)
    else:
        new = Stretch(entry.clip_id, onset, duration, entry.rater, entry.when)
        rows = added(found, new)
    # as the table writes them
    return [
        Stretch(one.clip_id, round(one.onset, 3), round(one.duration, 3), one.rater, one.when)
        for one in rows
    ]
