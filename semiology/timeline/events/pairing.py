"""Which found events, which timeline and which truth are of one recording; what has no counterpart
is named, never passed over.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from semiology.data.cohort.table import Fault, read_table
from semiology.data.events import Event, EventTable, read_events, read_folder, recording_of
from semiology.errors import UserError
from semiology.timeline.events.evaluate import Recording
from semiology.timeline.events.scoring import SLACK
from semiology.timeline.events.timeline import Timeline, Trace, find_timelines, read_timeline
from semiology.timeline.events.tuning import AnnotatedTrace


def pair_tables(
    reference: str | Path,
    hypothesis: str | Path,
    duration: float | None = None,
    participants: str | Path | None = None,
    names: Mapping[str, str] | None = None,
) -> tuple[list[Recording], list[str]]:
    """Recordings of two tables of events, or of two folders of them, and a line about each that has
    only one.

    Args:
        duration: s, of recordings whose tables do not say theirs.
        participants: table with the columns clip_id and participant_id, such as a cohort's
            clips.tsv; by default each recording is a participant of its own.
        names: sign as it was found -> sign in the reference.

    Raises:
        UserError: one is a file and the other a folder, no recording in both, a recording whose
            length nobody says or of which two are said, a recording that the table of participants
            lacks, as `read_events`.
    """
    true, found, missing = _both(reference, hypothesis)
    people = _people(participants, list(true))
    recordings = []
    for clip_id, table in true.items():
        events = [
            replace(event, sign=(names or {}).get(event.sign, event.sign))
            for event in found[clip_id].events
        ]
        recordings.append(
            Recording(
                clip_id,
                people[clip_id],
                _length(clip_id, table, found[clip_id], duration),
                table.events,
                events,
            )
        )
    return recordings, missing


def pair_timelines(
    timelines: str | Path,
    truth: str | Path,
    participants: str | Path | None = None,
    names: Mapping[str, str] | None = None,
) -> tuple[dict[Trace, list[AnnotatedTrace]], list[str]]:
    """(task, level) -> the recordings in which it was followed, with their truth, and a line about
    each that has only one of the two.

    A timeline's task and level belong to the true events whose sign is the task (and whose level,
    if they have one, is the level); where no true event has that sign, to those whose sign is the
    level.

    Args:
        timelines: one timeline.csv, or a folder of them.
        truth: one table of events, or a folder of them.
        participants: as in `pair_tables`.
        names: task -> sign in the truth.

    Raises:
        UserError: as `pair_tables`, `read_timeline` and `find_timelines`.
    """
    files = find_timelines(timelines)
    if Path(timelines).is_file() and Path(truth).is_file():
        tables = {next(iter(files)): read_events(truth)}
    else:
        tables = (
            {recording_of(Path(truth)): read_events(truth)}
            if Path(truth).is_file()
            else read_folder(truth)
        )
    missing = [
        f"{clip_id}: has a timeline, but no table of true events"
        for clip_id in files
        if clip_id not in tables
    ]
    missing += [
        f"{clip_id}: has a table of true events, but no timeline"
        for clip_id in tables
        if clip_id not in files
    ]
    read = {clip_id: read_timeline(path) for clip_id, path in files.items() if clip_id in tables}
    if not read:
        raise UserError(
            f"{timelines}: none of its recordings has true events in {truth}; both go by clip_id"
        )
    people = _people(participants, list(read))
    signs = {event.sign for clip_id in read for event in tables[clip_id].events}
    traces: dict[Trace, list[AnnotatedTrace]] = {}
    for clip_id, timeline in read.items():
        length = _known_length(timeline, tables[clip_id])
        for trace, windows in timeline.windows.items():
            events = true_events(tables[clip_id].events, trace, names, signs)
            traces.setdefault(trace, []).append(
                AnnotatedTrace(clip_id, people[clip_id], length, windows, events)
            )
    if not any(recording.truth for recordings in traces.values() for recording in recordings):
        those, these = (
            ", ".join(sorted(signs)) or "none",
            ", ".join(sorted({task for task, _ in traces})),
        )
        raise UserError(
            f"the timelines' tasks ({these}) are none of the true signs ({those}); say which is"
            " which by --names"
        )
    return traces, missing


def true_events(
    events: Sequence[Event], trace: Trace, names: Mapping[str, str] | None, signs: Collection[str]
) -> list[Event]:
    """Those that a timeline's task and level are judged by.

    Args:
        events: true ones of a recording.
        names: task -> sign in the truth.
        signs: all that are in the truth.
    """
    task, level = trace
    sign = (names or {}).get(task, task)
    if sign in signs:
        return [event for event in events if event.sign == sign and event.level in (None, level)]
    return [event for event in events if event.sign == level]


def _both(
    reference: str | Path, hypothesis: str | Path
) -> tuple[dict[str, EventTable], dict[str, EventTable], list[str]]:
    """The tables of the recordings that are in both, and a line about each of the others."""
    for path in (reference, hypothesis):
        if not Path(path).exists():
            raise UserError(f"{path}: no such table of events, nor a folder of them")
    if Path(reference).is_dir() != Path(hypothesis).is_dir():
        raise UserError(
            f"{reference} and {hypothesis}: give two tables of events or two folders of them"
        )
    if not Path(reference).is_dir():
        clip_id = recording_of(Path(reference))
        return {clip_id: read_events(reference)}, {clip_id: read_events(hypothesis)}, []
    true, found = read_folder(reference), read_folder(hypothesis)
    missing = [
        f"{clip_id}: is in the reference, but nothing says what was found"
        for clip_id in true
        if clip_id not in found
    ]
    missing += [
        f"{clip_id}: something was found, but it is not in the reference"
        for clip_id in found
        if clip_id not in true
    ]
    both = [clip_id for clip_id in true if clip_id in found]
    if not both:
        raise UserError(
            f"{reference} and {hypothesis}: have no recording in common; both go by clip_id"
        )
    return (
        {clip_id: true[clip_id] for clip_id in both},
        {clip_id: found[clip_id] for clip_id in both},
        missing,
    )


def _length(clip_id: str, true: EventTable, found: EventTable, given: float | None) -> float:
    said = [length for length in (found.duration, true.duration) if length is not None]
    if len(said) == 2 and abs(said[0] - said[1]) > SLACK:
        raise UserError(
            f"{clip_id}: the reference is of a recording of {said[1]:g} s, what was found of one of"
            f" {said[0]:g} s; is it the same?"
        )
    if not said and given is None:
        raise UserError(
            f"{clip_id}: nothing says how long the recording is; give --duration, or a column"
            " recordingDuration"
        )
    return said[0] if said else float(given or 0)


def _known_length(timeline: Timeline, table: EventTable) -> float:
    return max(timeline.duration, table.duration or 0.0)


def _people(path: str | Path | None, clips: list[str]) -> dict[str, str]:
    """clip_id -> participant_id."""
    if path is None:
        return {clip_id: clip_id for clip_id in clips}
    faults: list[Fault] = []
    table = read_table(Path(path), ("clip_id", "participant_id"), faults, [])
    if faults:
        raise UserError(str(Path(path).parent / str(faults[0])))
    people = {cells["clip_id"]: cells["participant_id"] for _, cells in table.rows}
    if lacking := [clip_id for clip_id in clips if not people.get(clip_id)]:
        raise UserError(f"{path}: says no participant_id of {lacking[0]} ({len(lacking)} in all)")
    return {clip_id: people[clip_id] for clip_id in clips}
