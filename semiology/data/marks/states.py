"""States and instants as programs that log behaviours keep them: rows of START, STOP and POINT."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from semiology.data.marks.mark import Mark, Marks
from semiology.errors import UserError

EMPTY = ("", "None", "NA", "No focal subject")  # BORIS and Observer write them where nothing is


class Row(NamedTuple):
    """One row of a log.

    Attributes:
        time: s from the recording's start.
        subject: whom it is of.
        behavior: what.
        modifiers: more about it, by name.
        status: START, STOP, POINT, or "" where START and STOP take turns.
        comment: "" where there is none.
    """

    time: float
    subject: str
    behavior: str
    modifiers: tuple[tuple[str, str], ...]
    status: str
    comment: str


def paired(
    where: str, rows: Iterable[Row], rater: str | None, program: str, *, by_modifiers: bool = True
) -> list[Mark]:
    """Marks of one observation: a state lasts from its START to its STOP, of one subject, behavior
    and, with `by_modifiers`, modifiers; one without a STOP has no end.

    Args:
        where: the observation, for errors.
        rows: in any order; those of one time stay in theirs.
        rater: of the marks.
        program: in which to correct what is wrong.
        by_modifiers: whether states of other modifiers are other states.

    Raises:
        UserError: a STOP without a START, or a START in a state that has not stopped.
    """
    marks: list[Mark] = []
    begun: dict[tuple, int] = {}
    for time, subject, code, modifiers, status, comment in sorted(rows, key=lambda row: row.time):
        key = subject, code, modifiers if by_modifiers else ()
        if key in begun and status in ("", "STOP"):
            place = begun.pop(key)
            fields = dict(marks[place].fields)
            if comment:
                fields["comment"] = "; ".join(filter(None, [fields.get("comment"), comment]))
            lasts = round(time - marks[place].onset, 6)
            marks[place] = replace(marks[place], duration=lasts, fields=fields)
            continue
        if status == "STOP":
            raise UserError(
                f"{where}: {code!r} stops at {time:g} s and has not begun; correct it in {program}"
            )
        if key in begun:
            raise UserError(
                f"{where}: {code!r} starts at {time:g} s and has not stopped; correct it in"
                f" {program}"
            )
        fields = {name: value for name, value in modifiers if value not in EMPTY}
        fields |= {"comment": comment} if comment else {}
        fields |= {"subject": subject} if subject not in EMPTY else {}
        if status != "POINT":
            begun[key] = len(marks)
        marks.append(Mark(time, 0.0 if status == "POINT" else None, code, None, rater, fields))
    return marks


def raters_apart(found: Sequence[tuple[Marks, str]]) -> list[Marks]:
    """The marks of observations; where several are of one recording and name no rater, each is a
    rater of its own, called as the observation.
    """
    recordings = [marks.clip_id for marks, _ in found]
    result = []
    for marks, observation in found:
        if recordings.count(marks.clip_id) > 1 and not any(mark.rater for mark in marks.marks):
            note = (
                f"several observations of {marks.clip_id} name no rater: each is taken for a rater"
            )
            own = [replace(mark, rater=observation) for mark in marks.marks]
            marks = replace(marks, marks=own, notes=(*marks.notes, note))
        result.append(marks)
    return result
