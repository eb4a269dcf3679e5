"""Match detected events, timelines and annotations by recording; every recording without a
counterpart is reported.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from semiology.data.cohort.table import Fault, Table, read_table
from semiology.data.events import (
    Event,
    EventTable,
    find_tables,
    is_a,
    read_column,
    read_events,
    read_folder,
    recording_of,
)
from semiology.errors import UserError
from semiology.timeline.events.evaluate import Recording
from semiology.timeline.events.scoring import SLACK
from semiology.timeline.events.timeline import Trace, find_timelines, read_timeline
from semiology.timeline.events.tuning import AnnotatedTrace

SUBJECT = re.compile(r"sub-[0-9A-Za-z+]+(?=_|$)")  # BIDS' entity of the participant


def pair_tables(
    reference: str | Path,
    hypothesis: str | Path,
    duration: float | None = None,
    participants: str | Path | None = None,
    names: Mapping[str, str] | None = None,
) -> tuple[list[Recording], list[str]]:
    """Recordings of two tables of events, or of two folders of them, and a message for each
    recording in only one of them.

    Args:
        reference: annotated events.
        hypothesis: detected events.
        duration: s, of recordings whose tables do not state their duration.
        participants: table with the columns clip_id and participant_id, such as a cohort's
            clips.tsv; by default each recording is a participant of its own.
        names: sign as detected -> sign in the reference.

    Raises:
        UserError: one is a file and the other a folder, no recording in both, a recording with no
            stated duration or with two different ones, a recording that is not in the table of
            participants, as `read_events`.
    """
    annotated, detected, missing = _shared_recordings(reference, hypothesis)
    participant_of = _participants(participants, list(annotated))
    recordings = []
    for clip_id, table in annotated.items():
        events = [
            replace(event, sign=(names or {}).get(event.sign, event.sign))
            for event in detected[clip_id].events
        ]
        recordings.append(
            Recording(
                clip_id,
                participant_of[clip_id],
                _duration(clip_id, table, detected[clip_id], duration),
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
    types: str | None = None,
    any_level: bool = False,
    without_events: bool = False,
) -> tuple[dict[Trace, list[AnnotatedTrace]], list[str]]:
    """(task, level) -> the recordings with its probabilities and annotations, and a message for
    each recording with only one of the two.

    A timeline's task and level are matched with the annotated events whose sign is the task, or a
    type of seizure that the task is (and whose level, if they have one, is the level); if no
    annotated event has that sign, with those whose sign is the level.

    Args:
        timelines: one timeline.csv, or a folder of them.
        truth: one table of annotated events, or a folder of them.
        participants: as in `pair_tables`.
        names: task -> sign in the annotations.
        types: a column that gives the type of each annotated event, or of each recording: of the
            tables of events, else of `participants`, else of participants.tsv beside that.
        any_level: annotated events of the task's sign count whatever their level; so they do where
            `types` is "level".
        without_events: recordings none of which has an annotated event are no error.

    Raises:
        UserError: as `pair_tables`, `read_timeline` and `find_timelines`; no such column.
    """
    files = find_timelines(timelines)
    if Path(truth).is_file():
        own = next(iter(files)) if Path(timelines).is_file() else recording_of(Path(truth))
        paths = {own: Path(truth)}
    else:
        paths = find_tables(truth)
    tables = {clip_id: read_events(path) for clip_id, path in paths.items()}
    missing = [
        f"{clip_id}: has a timeline, but no table of annotated events"
        for clip_id in files
        if clip_id not in tables
    ]
    missing += [
        f"{clip_id}: has a table of annotated events, but no timeline"
        for clip_id in tables
        if clip_id not in files
    ]
    read = {clip_id: read_timeline(path) for clip_id, path in files.items() if clip_id in tables}
    if not read:
        raise UserError(
            f"{timelines}: none of its recordings has annotated events in {truth}; recordings are"
            " matched by clip_id"
        )
    participant_of = _participants(participants, list(read))
    signs = {event.sign for clip_id in read for event in tables[clip_id].events}
    type_of = _types({clip_id: paths[clip_id] for clip_id in read}, participants, types)
    traces: dict[Trace, list[AnnotatedTrace]] = {}
    for clip_id, timeline in read.items():
        length = max(timeline.duration, tables[clip_id].duration or 0.0)
        for trace, windows in timeline.windows.items():
            events = true_events(
                tables[clip_id].events, trace, names, signs, any_level=any_level or types == "level"
            )
            known = type_of.get(clip_id)
            if isinstance(known, dict):
                kinds: list[str] | str | None = [
                    known.get((event.onset, *event.kind), "") for event in events
                ]
            else:
                kinds = known
            traces.setdefault(trace, []).append(
                AnnotatedTrace(clip_id, participant_of[clip_id], length, windows, events, kinds)
            )
    found = any(recording.truth for recordings in traces.values() for recording in recordings)
    if not found and (signs or not without_events):
        raise UserError(_unmatched(traces, signs, names))
    return traces, missing


def true_events(
    events: Sequence[Event],
    trace: Trace,
    names: Mapping[str, str] | None,
    signs: Collection[str],
    any_level: bool = False,
) -> list[Event]:
    """The annotated events of a timeline's task and level.

    Args:
        events: annotated events of a recording.
        trace: task and level.
        names: task -> sign in the annotations.
        signs: all annotated signs.
        any_level: events of the task's sign are taken whatever their level.
    """
    task, level = trace
    sign = (names or {}).get(task, task)
    if any(is_a(other, sign) for other in signs):
        return [
            event
            for event in events
            if is_a(event.sign, sign) and (any_level or event.level in (None, level))
        ]
    return [event for event in events if event.sign == level]


def _unmatched(
    traces: Collection[Trace], signs: Collection[str], names: Mapping[str, str] | None
) -> str:
    """Why no annotated event is one of the timelines'."""
    tasks = sorted({task for task, _ in traces})
    these, those = ", ".join(tasks), ", ".join(sorted(signs)) or "none"
    if any(is_a(sign, (names or {}).get(task, task)) for sign in signs for task in tasks):
        levels = ", ".join(sorted({level for _, level in traces}))
        return (
            f"the annotated events of {those} have other levels than the timelines ({levels});"
            " write n/a where a level is none of these; `events curve` has --any_level true"
        )
    return (
        f"the timelines' tasks ({these}) are none of the annotated signs ({those}); map them by"
        " --names"
    )


def _shared_recordings(
    reference: str | Path, hypothesis: str | Path
) -> tuple[dict[str, EventTable], dict[str, EventTable], list[str]]:
    """The tables of the recordings in both, and a message for each of the others."""
    for path in (reference, hypothesis):
        if not Path(path).exists():
            raise UserError(f"{path}: no such table of events or folder of tables")
    if Path(reference).is_dir() != Path(hypothesis).is_dir():
        raise UserError(
            f"{reference} and {hypothesis}: give two tables of events or two folders of them"
        )
    if not Path(reference).is_dir():
        clip_id = recording_of(Path(reference))
        return {clip_id: read_events(reference)}, {clip_id: read_events(hypothesis)}, []
    annotated, detected = read_folder(reference), read_folder(hypothesis)
    missing = [
        f"{clip_id}: is in the reference, but not in the hypothesis"
        for clip_id in annotated
        if clip_id not in detected
    ]
    missing += [
        f"{clip_id}: is in the hypothesis, but not in the reference"
        for clip_id in detected
        if clip_id not in annotated
    ]
    both = [clip_id for clip_id in annotated if clip_id in detected]
    if not both:
        raise UserError(
            f"{reference} and {hypothesis}: have no recording in common; recordings are matched by"
            " clip_id"
        )
    return (
        {clip_id: annotated[clip_id] for clip_id in both},
        {clip_id: detected[clip_id] for clip_id in both},
        missing,
    )


def _duration(clip_id: str, true: EventTable, found: EventTable, given: float | None) -> float:
    """Duration (s) of a recording: as the tables state it, else `given`."""
    stated = [duration for duration in (found.duration, true.duration) if duration is not None]
    if len(stated) == 2 and abs(stated[0] - stated[1]) > SLACK:
        raise UserError(
            f"{clip_id}: the recording lasts {stated[1]:g} s in the reference and {stated[0]:g} s"
            " in the hypothesis; check that it is the same"
        )
    if not stated and given is None:
        raise UserError(
            f"{clip_id}: the duration of the recording is unknown; give --duration, or a column"
            " recordingDuration"
        )
    return stated[0] if stated else float(given or 0)


def people_of(path: str | Path | None, clips: list[str]) -> tuple[dict[str, str], str]:
    """clip_id -> participant_id, and by what: a table with clip_id and participant_id; without one
    the BIDS entity `sub-` that all names begin with; else each recording is a participant itself.

    Raises:
        UserError: a table that cannot be read, or that lacks a recording.
    """
    if path is not None:
        return _participants(path, clips), f"from {Path(path).name}"
    found = {clip_id: SUBJECT.match(clip_id) for clip_id in clips}
    entities = {clip_id: entity[0] for clip_id, entity in found.items() if entity}
    if clips and len(entities) == len(clips):
        return entities, "by sub- in the recordings' names"
    return _participants(None, clips), (
        "each recording is a participant of its own, as no --participants were given and not all"
        " names begin with sub-: intervals are too narrow where a participant has several"
    )


def _participants(path: str | Path | None, clips: list[str]) -> dict[str, str]:
    """clip_id -> participant_id, from a table; without one each clip is a participant itself."""
    if path is None:
        return {clip_id: clip_id for clip_id in clips}
    participant_of = {cells["clip_id"]: cells["participant_id"] for _, cells in _clips(path).rows}
    if lacking := [clip_id for clip_id in clips if not participant_of.get(clip_id)]:
        raise UserError(f"{path}: has no participant_id for {lacking[0]} ({len(lacking)} in all)")
    return {clip_id: participant_of[clip_id] for clip_id in clips}


def _clips(path: str | Path) -> Table:
    faults: list[Fault] = []
    table = read_table(Path(path), ("clip_id", "participant_id"), faults, [])
    if faults:
        raise UserError(str(Path(path).parent / str(faults[0])))
    return table


def _types(
    paths: Mapping[str, Path], participants: str | Path | None, column: str | None
) -> dict[str, dict[tuple[float, str, str | None], str] | str]:
    """clip_id -> type of each of its events, or of the recording, from the first table that has the
    column; {} if none is asked for.
    """
    if column is None:
        return {}
    own = {clip_id: read_column(path, column) for clip_id, path in paths.items()}
    if any(cell for cells in own.values() for cell in (cells or {}).values()):
        return {clip_id: cells or {} for clip_id, cells in own.items()}
    if participants is not None:
        clips = _clips(participants)
        people = Path(participants).with_name("participants.tsv")
        if column in clips.columns:
            return {cells["clip_id"]: cells[column] for _, cells in clips.rows}
        about = read_table(people, (), [], []) if people.is_file() else None
        if about is not None and {column, "participant_id"} <= set(about.columns):
            type_of = {cells["participant_id"]: cells[column] for _, cells in about.rows}
            return {
                cells["clip_id"]: type_of.get(cells["participant_id"], "")
                for _, cells in clips.rows
            }
    raise UserError(
        f"--types {column}: no table of reference events has a value in such a column, and neither"
        " the table of --participants nor participants.tsv beside it has the column; name one of"
        " theirs"
    )
