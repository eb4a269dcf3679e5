"""Verbs of events: score, tune, curve, find, agree, order, import, export."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from semiology.cli import act, options, parser, print_terms
from semiology.errors import UserError
from semiology.files import write_json

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

    from semiology.data.marks.convert import Converted
    from semiology.timeline.events.raters import Raters
    from semiology.timeline.events.scoring import Tolerances


def run_events(arguments: list[str]) -> int:
    """Score detected events against a reference, tune thresholds, detect events in a timeline,
    compare raters, and exchange marks with other programs.
    """
    return act("events", run_events, EVENTS_ACTIONS, arguments)


def run_events_score(arguments: list[str]) -> int:
    """Score detected events against reference events, tables or folders of them."""
    from semiology.timeline.events.evaluate import evaluate_events, text
    from semiology.timeline.events.pairing import pair_tables

    score_parser = parser("events score", run_events_score)
    score_parser.add_argument(
        "reference",
        type=Path,
        help="reference events: an events.tsv (BIDS, SzCORE), or a folder of <clip_id>_events.tsv",
    )
    score_parser.add_argument("hypothesis", type=Path, help="detected events, in the same form")
    score_parser.add_argument(
        "--duration",
        type=float | None,
        default=None,
        help="s, of recordings whose tables lack their length",
    )
    _add_shared_options(score_parser)
    score_parser.add_argument(
        "--out", type=Path | None, default=None, help="also write everything here, as JSON"
    )
    parsed = score_parser.instantiate_classes(score_parser.parse_args(arguments))
    recordings, missing = pair_tables(
        parsed.reference, parsed.hypothesis, parsed.duration, parsed.participants, parsed.names
    )
    result = evaluate_events(recordings, _tolerances(parsed), parsed.draws, parsed.seed) | {
        "missing": missing,
        "people": _participants_note(parsed),
    }
    if parsed.out:
        write_json(parsed.out, result)
    print(f"{text(result)}\n{result['people']}")
    return _report_missing(missing)


def run_events_tune(arguments: list[str]) -> int:
    """Tune thresholds on timelines, and estimate how they do on participants that they were not
    tuned on.
    """
    from semiology.timeline.events.hysteresis import Hysteresis
    from semiology.timeline.events.pairing import pair_timelines
    from semiology.timeline.events.tuning import Grid, text, tune, write_thresholds

    tune_parser = parser("events tune", run_events_tune)
    tune_parser.add_argument(
        "timelines",
        type=Path,
        help="timeline.csv, or a folder with <clip_id>/timeline.csv, of held-out participants",
    )
    tune_parser.add_argument(
        "--truth",
        type=Path,
        required=True,
        help="reference events: an events.tsv, or a folder of <clip_id>_events.tsv",
    )
    tune_parser.add_argument("--out", type=Path, required=True, help="thresholds.json")
    _add_shared_options(tune_parser)
    tune_parser.add_class_arguments(Grid, "grid")
    tune_parser.add_argument(
        "--merge",
        type=float,
        default=Hysteresis.merge,
        help="s; events no further apart than this are one",
    )
    tune_parser.add_argument(
        "--unseen",
        type=float,
        default=Hysteresis.unseen,
        help="s without a probability over which an event continues",
    )
    parsed = tune_parser.instantiate_classes(tune_parser.parse_args(arguments))
    traces, missing = pair_timelines(
        parsed.timelines, parsed.truth, parsed.participants, parsed.names
    )
    base = Hysteresis(merge=parsed.merge, unseen=parsed.unseen)
    tuned = tune(traces, parsed.grid, base, _tolerances(parsed), parsed.draws, parsed.seed) | {
        "missing": missing,
        "people": _participants_note(parsed),
    }
    write_thresholds(parsed.out, tuned)
    print(f"{text(tuned)}\n{tuned['people']}")
    return _report_missing(missing)


def run_events_curve(arguments: list[str]) -> int:
    """Draw sensitivity against false alarms over all thresholds of timelines, and choose the
    threshold for a wanted rate, such as one a night, on other participants than it is scored on.
    """
    from semiology.timeline.events.agreement import refuse_existing
    from semiology.timeline.events.curve import (
        WRITTEN,
        CurveOptions,
        alarm_curves,
        text,
        write_curves,
    )
    from semiology.timeline.events.pairing import pair_timelines

    curve_parser = parser("events curve", run_events_curve)
    curve_parser.add_argument(
        "timelines",
        type=Path,
        help="timeline.csv, or a folder with <clip_id>/timeline.csv, of held-out participants",
    )
    curve_parser.add_argument(
        "--truth",
        type=Path,
        required=True,
        help="reference events: an events.tsv, or a folder of <clip_id>_events.tsv; an empty table"
        " is a recording without events",
    )
    curve_parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder of curve.tsv, chosen.tsv, people.tsv, curve.json, curve.png, thresholds.json",
    )
    curve_parser.add_class_arguments(CurveOptions, None)
    curve_parser.add_argument(
        "--types",
        type=str | None,
        default=None,
        help="column with the type of each event or recording: of the reference events, of the"
        " table of --participants or of participants.tsv beside it",
    )
    curve_parser.add_argument(
        "--any_level",
        type=bool,
        default=False,
        help="true: reference events of a sign count whatever their level; so they do with --types"
        " level",
    )
    _add_shared_options(curve_parser)
    parsed = curve_parser.instantiate_classes(curve_parser.parse_args(arguments))
    refuse_existing([parsed.out / name for name in WRITTEN])
    chosen = CurveOptions(**{name: getattr(parsed, name) for name in vars(CurveOptions())})
    traces, missing = pair_timelines(
        parsed.timelines,
        parsed.truth,
        parsed.participants,
        parsed.names,
        parsed.types,
        parsed.any_level,
        without_events=True,
    )
    found = alarm_curves(traces, chosen, _tolerances(parsed), parsed.draws, parsed.seed) | {
        "missing": missing,
        "people": _participants_note(parsed),
    }
    write_curves(parsed.out, found)
    print(f"{text(found)}\n{found['people']}")
    return _report_missing(missing)


def run_events_find(arguments: list[str]) -> int:
    """Detect events in an existing timeline by other thresholds, and write a table and a figure."""
    from semiology.data.events import read_events
    from semiology.timeline.events.find import find_in_timeline
    from semiology.timeline.events.timeline import read_timeline
    from semiology.timeline.events.tuning import read_thresholds

    find_parser = parser("events find", run_events_find)
    find_parser.add_argument("timeline", type=Path, help="timeline.csv")
    find_parser.add_argument(
        "--out", type=Path, required=True, help="folder of events.tsv, events.json and timeline.png"
    )
    find_parser.add_argument(
        "--thresholds",
        type=Path | None,
        default=None,
        help="file from `semiology events tune`; by default untuned ones",
    )
    find_parser.add_argument(
        "--truth",
        type=Path | None,
        default=None,
        help="reference events, drawn into the figure: an events.tsv",
    )
    find_parser.add_argument(
        "--names", type=dict[str, str] | None, default=None, help="{task: sign in the reference}"
    )
    parsed = find_parser.parse_args(arguments)
    thresholds = parsed.thresholds and read_thresholds(parsed.thresholds)
    truth = parsed.truth and read_events(parsed.truth)
    events = find_in_timeline(
        read_timeline(parsed.timeline), parsed.out, thresholds, truth, parsed.names
    )
    for event in events:
        print(
            f"{event.sign} {event.level}: {event.onset:.1f} to {event.offset:.1f} s, confidence"
            f" {event.confidence:.2f}"
        )
    print(
        f"{parsed.out}: {len(events)} events, by {'tuned' if thresholds else 'untuned'} thresholds"
    )
    return 0


def run_events_agree(arguments: list[str]) -> int:
    """Compare what several raters, persons or models, marked: kappa over time, matched events,
    differences of onset and offset. Intervals are by participant.
    """
    from semiology.timeline.events.agreement import TOLERANCE, agree_events, text, write_agreement

    agree_parser = parser("events agree", run_events_agree)
    _add_raters(agree_parser)
    agree_parser.add_argument(
        "--tolerance",
        type=float,
        default=TOLERANCE,
        help="s; events that overlap or are nearer to each other than this match",
    )
    agree_parser.add_argument(
        "--out",
        type=Path | None,
        default=None,
        help="folder of agreement.tsv and agreement.json; by default they are not written",
    )
    parsed = agree_parser.parse_args(arguments)
    how = {"tolerance": parsed.tolerance, "draws": parsed.draws, "seed": parsed.seed}
    raters = _read_raters(parsed)
    if parsed.out is None:
        print(text(agree_events(raters, **how)[1]))
        return 0
    print(text(write_agreement(raters, parsed.out, **how)))
    print(f"{parsed.out / 'agreement.json'}: all figures, and agreement.tsv beside it")
    return 0


def run_events_order(arguments: list[str]) -> int:
    """Which of two signs comes first and whether they overlap, for each rater, with a permutation
    test over participants.
    """
    from semiology.timeline.events.order import PERMUTATIONS, order_of_signs, text, write_order

    order_parser = parser("events order", run_events_order)
    _add_raters(order_parser)
    order_parser.add_argument(
        "--within",
        type=str | None,
        default=None,
        help="the sign whose events are the seizures; by default each recording is one",
    )
    order_parser.add_argument(
        "--together",
        type=float,
        default=0.0,
        help="s; signs whose onsets are no further apart than this came together",
    )
    order_parser.add_argument(
        "--permutations",
        type=int,
        default=PERMUTATIONS,
        help="of the test; where they are enough for all exchanges it is exact",
    )
    order_parser.add_argument(
        "--out",
        type=Path | None,
        default=None,
        help="folder of order.tsv and order.json; by default they are not written",
    )
    parsed = order_parser.parse_args(arguments)
    names = ("within", "together", "permutations", "draws", "seed")
    how = {name: getattr(parsed, name) for name in names}
    raters = _read_raters(parsed)
    if parsed.out is None:
        print(text(order_of_signs(raters, **how)))
        return 0
    print(text(write_order(raters, parsed.out, **how)))
    print(f"{parsed.out / 'order.json'}: all pairs, and order.tsv beside it")
    return 0


def run_events_import(arguments: list[str]) -> int:
    """Make tables of events of marks in files of other programs, one a recording and rater. Files
    that cannot be read are listed, and the others are imported.
    """
    from semiology.data.marks.convert import import_marks

    import_parser = parser("events import", run_events_import)
    import_parser.add_argument("marks", type=Path, nargs="+", help="files of marks")
    import_parser.add_argument(
        "--out", type=Path, required=True, help="folder of <rater>/<clip_id>_events.tsv"
    )
    import_parser.add_argument(
        "--terms", type=Path | None, default=None, help="YAML, a centre's words -> signs"
    )
    import_parser.add_argument(
        "--rater",
        type=str | None,
        default=None,
        help="whose marks these are; by default whom the files name",
    )
    import_parser.add_argument(
        "--videos",
        type=Path | None,
        default=None,
        help="folder of the videos: no mark may reach beyond the end of its video",
    )
    import_parser.add_argument(
        "--start",
        type=str | None,
        default=None,
        help="2026-10-24T22:00:00: the recording's start, where marks are times of day",
    )
    import_parser.add_argument(
        "--zone",
        type=str | None,
        default=None,
        help="Europe/Berlin: of that clock, where it changes the hour",
    )
    import_parser.add_argument(
        "--frame_rate",
        type=float | None,
        default=None,
        help="frames a second, where marks are numbers of frames; by default the video's",
    )
    chosen = options(import_parser.parse_args(arguments))
    return _report_converted("events import", import_marks(chosen.pop("marks"), **chosen))


def run_events_export(arguments: list[str]) -> int:
    """Write tables of events as files of another program, and say what these cannot hold."""
    from semiology.data.marks import FORMATS
    from semiology.data.marks.convert import export_events

    export_parser = parser("events export", run_events_export)
    export_parser.add_argument(
        "events", type=Path, help="an events.tsv, or a folder of <clip_id>_events.tsv"
    )
    export_parser.add_argument("--to", choices=list(FORMATS), required=True, help="the format")
    export_parser.add_argument(
        "--out", type=Path, required=True, help="the file; for a folder of tables the folder"
    )
    export_parser.add_argument(
        "--videos",
        type=Path | None,
        default=None,
        help="folder of the videos, whose names the files get; for edf of the EEGs, whose start",
    )
    chosen = options(export_parser.parse_args(arguments))
    return _report_converted("events export", export_events(chosen.pop("events"), **chosen))


def _report_converted(verb: str, result: "Converted") -> int:
    """Print what was written, notes, unknown terms; failures last. Returns the exit status."""
    for path, count in result.written.items():
        print(f"{path}: {count} events")
    for path, notes in result.notes.items():
        print("\n".join(f"note: {path}: {note}" for note in notes))
    print_terms(result.unknown, result.unused, result.sides)
    for remark in result.remarks:
        print(f"note: {remark}")
    for path, why in result.failed.items():
        print(f"semiology {verb}: {path}: {why}", file=sys.stderr)
    return 1 if result.failed else 0


EVENTS_ACTIONS = {
    "score": run_events_score,
    "tune": run_events_tune,
    "curve": run_events_curve,
    "find": run_events_find,
    "agree": run_events_agree,
    "order": run_events_order,
    "import": run_events_import,
    "export": run_events_export,
}


def _add_shared_options(events_parser: "ArgumentParser") -> None:
    from semiology.timeline.events.scoring import Tolerances

    events_parser.add_argument(
        "--participants",
        type=Path | None,
        default=None,
        help="table with clip_id and participant_id: a cohort's clips.tsv",
    )
    events_parser.add_argument(
        "--names",
        type=dict[str, str] | None,
        default=None,
        help="{detected sign or task: sign in the reference}",
    )
    events_parser.add_class_arguments(Tolerances, "tolerances")
    events_parser.add_argument(
        "--szcore",
        type=bool,
        default=False,
        help="true: SzCORE's tolerances, which are for seizures in EEG",
    )
    events_parser.add_argument(
        "--draws", type=int, default=2000, help="bootstrap resamples, for the intervals"
    )
    events_parser.add_argument("--seed", type=int, default=0, help="of the bootstrap")


def _add_raters(events_parser: "ArgumentParser") -> None:
    events_parser.add_argument(
        "tables",
        type=Path,
        nargs="+",
        help="a folder of raters' folders, or the folders or tables of each rater, who is called as"
        " the folder or in the column rater",
    )
    events_parser.add_argument(
        "--participants",
        type=Path | None,
        default=None,
        help="table with clip_id and participant_id, a cohort's clips.tsv; by default sub- in the"
        " recordings' names",
    )
    events_parser.add_argument(
        "--names",
        type=dict[str, str] | None,
        default=None,
        help="{sign in the tables: sign that it is}",
    )
    events_parser.add_argument(
        "--apart",
        nargs="+",
        type=str,
        default=[],
        help="columns by which signs are apart: side, level, body_part",
    )
    events_parser.add_argument(
        "--duration",
        type=float | None,
        default=None,
        help="s, of recordings whose tables lack their length",
    )
    events_parser.add_argument(
        "--draws", type=int, default=2000, help="bootstrap resamples, for the intervals"
    )
    events_parser.add_argument("--seed", type=int, default=0, help="of resamples and permutations")


def _read_raters(parsed: "Namespace") -> "Raters":
    from semiology.timeline.events.raters import read_raters

    return read_raters(
        parsed.tables,
        participants=parsed.participants,
        names=parsed.names,
        apart=parsed.apart,
        duration=parsed.duration,
    )


def _tolerances(parsed: "Namespace") -> "Tolerances":
    from semiology.timeline.events.scoring import SZCORE, Tolerances

    if parsed.szcore and parsed.tolerances != Tolerances():
        raise UserError(
            "--szcore true has tolerances of its own; give it or --tolerances, not both"
        )
    return SZCORE if parsed.szcore else parsed.tolerances


def _participants_note(parsed: "Namespace") -> str:
    if parsed.participants is None:
        return (
            "Participants: each recording counts as its own participant; where a participant has"
            " several, give --participants."
        )
    return f"Participants: from {parsed.participants.name}."


def _report_missing(missing: list[str]) -> int:
    """Print what could not be done to standard error; the exit status."""
    for line in missing:
        print(line, file=sys.stderr)
    return 1 if missing else 0
