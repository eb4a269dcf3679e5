"""Stretches of clips in which the patient is out of view: out_of_view.tsv of a cohort, optional.

    clip_id  onset  duration  rater  when

Times are s from the clip's start. `extract` gives no place to what is tracked in these stretches:
it is somebody else.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from semiology.data.cohort.row import Clip, finite
from semiology.data.cohort.table import Fault, read_table, to_cell
from semiology.files import write_text

TABLE = "out_of_view.tsv"
COLUMNS = ("clip_id", "onset", "duration", "rater", "when")
SHORTEST = 0.0005  # s; what is left of a stretch and would be written as 0


@dataclass(frozen=True)
class Stretch:
    """A stretch of a clip: s from the clip's start; who marked it, and when."""

    clip_id: str
    onset: float
    duration: float
    rater: str = ""
    when: str = ""

    @property
    def offset(self) -> float:
        """Its end, s from the clip's start."""
        return self.onset + self.duration


def clip_lengths(clips: Iterable[Clip]) -> dict[str, float | None]:
    """clip_id -> length as clips.tsv states it, s; None where a clip lasts to its video's end."""
    return {clip.clip_id: None if clip.end is None else clip.end - clip.start for clip in clips}


def read_out_of_view(
    folder: Path, lasts: Mapping[str, float | None], faults: list[Fault], notes: list[str]
) -> list[Stretch]:
    """The stretches of a cohort, none where it has no such table; faults are appended to `faults`.

    Args:
        folder: of the cohort.
        lasts: clip_id -> length (s), which bounds the stretches where it is known; see
            `clip_lengths`.
        faults, notes: see `read_table`.
    """
    if not (folder / TABLE).is_file():
        return []
    table = read_table(folder / TABLE, COLUMNS[:3], faults, notes)
    if not set(COLUMNS[:3]) <= set(table.columns):
        return []
    stretches = []
    for row, cells in table.rows:
        if cells["clip_id"] not in lasts:
            what = f"clip {cells['clip_id']!r} is not in clips.tsv; correct it or delete the row"
            faults.append(Fault(TABLE, what, row, "clip_id"))
            continue
        number, last = {}, lasts[cells["clip_id"]]
        for column in ("onset", "duration"):
            try:
                number[column] = finite(cells[column], "seconds")
                if number[column] < 0 or (column == "duration" and number[column] == 0):
                    raise ValueError(f"{cells[column]!r} is not possible; write seconds above 0")
            except ValueError as error:
                faults.append(Fault(TABLE, str(error), row, column))
        if len(number) == 2:
            if last is not None and number["onset"] >= last:
                what = f"the clip lasts {last:g} s; onset counts from the clip's start"
                faults.append(Fault(TABLE, what, row, "onset"))
            rater, when = (cells.get(column, "") for column in COLUMNS[3:])
            stretches.append(
                Stretch(cells["clip_id"], number["onset"], number["duration"], rater, when)
            )
    return stretches


def write_out_of_view(folder: Path, stretches: Iterable[Stretch]) -> None:
    """Write the table of a cohort, whole; raises as `files.atomic_path`."""
    lines = ["\t".join(COLUMNS)]
    for one in stretches:
        texts = [to_cell(text) or "n/a" for text in (one.rater, one.when)]
        lines.append("\t".join([one.clip_id, f"{one.onset:.3f}", f"{one.duration:.3f}", *texts]))
    write_text(folder / TABLE, "\n".join(lines) + "\n")


def without(stretches: Iterable[Stretch], onset: float, offset: float) -> list[Stretch]:
    """The stretches of a clip without what lies from `onset` to `offset` (s); one around it becomes
    two.
    """
    left = []
    for one in stretches:
        if one.offset <= onset or one.onset >= offset:
            left.append(one)
            continue
        for start, end in ((one.onset, onset), (offset, one.offset)):
            if end - start > SHORTEST:
                left.append(replace(one, onset=start, duration=end - start))
    return left


def added(stretches: Sequence[Stretch], new: Stretch) -> list[Stretch]:
    """The stretches of a clip with what `new` adds to them, in order."""
    rest = [new]
    for one in stretches:
        rest = without(rest, one.onset, one.offset)
    return sorted([*stretches, *rest], key=lambda one: one.onset)
