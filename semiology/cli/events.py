"""semiology events score REFERENCE HYPOTHESIS, tune TIMELINES --truth REFERENCE --out FILE, find
TIMELINE --out DIR
"""

import json
import sys
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from semiology.cli import act, parser
from semiology.data.events import read_events
from semiology.errors import UserError
from semiology.files import write_text
from semiology.timeline.events import evaluate as judging
from semiology.timeline.events import tuning
from semiology.timeline.events.find import find_in_timeline
from semiology.timeline.events.hysteresis import Hysteresis
from semiology.timeline.events.pairing import pair_tables, pair_timelines
from semiology.timeline.events.scoring import SZCORE, Tolerances
from semiology.timeline.events.timeline import read_timeline


def run(arguments: list[str]) -> int:
    actions = {
        "score": (
            "REFERENCE HYPOTHESIS: found events against true ones, tables or folders of them",
            _score,
        ),
        "tune": (
            (
                "TIMELINES --truth REFERENCE --out FILE: thresholds, and what they give on people"
                " they were not found on"
            ),
            _tune,
        ),
        "find": (
            (
                "TIMELINE --out DIR: events and picture of a timeline that is there, by other"
                " thresholds"
            ),
            _find,
        ),
    }
    return act("events", actions, arguments)


def _score(arguments: list[str]) -> int:
    made = parser("events score", judging.evaluate_events)
    made.add_argument(
        "reference",
        type=Path,
        help="true events: an events.tsv (BIDS or SzCORE), or a folder of <clip_id>_events.tsv",
    )
    made.add_argument("hypothesis", type=Path, help="found events, in the same way")
    made.add_argument(
        "--duration",
        type=float | None,
        default=None,
        help="s, of recordings whose tables do not say their length",
    )
    _add_shared(made)
    made.add_argument(
        "--out", type=Path | None, default=None, help="also write everything here, as JSON"
    )
    asked = made.instantiate_classes(made.parse_args(arguments))
    recordings, missing = pair_tables(
        asked.reference, asked.hypothesis, asked.duration, asked.participants, asked.names
    )
    judged = judging.evaluate_events(recordings, _tolerances(asked), asked.draws, asked.seed) | {
        "missing": missing,
        "people": _people(asked),
    }
    if asked.out:
        write_text(asked.out, json.dumps(judged, indent=1) + "\n")
    print(f"{judging.text(judged)}\n{judged['people']}")
    return _told(missing)


def _tune(arguments: list[str]) -> int:
    made = parser("events tune", tuning.tune)
    made.add_argument(
        "timelines",
        type=Path,
        help=(
            "timeline.csv, or a folder with <clip_id>/timeline.csv, of people the model had not"
            " seen"
        ),
    )
    made.add_argument(
        "--truth",
        type=Path,
        required=True,
        help="true events: an events.tsv, or a folder of <clip_id>_events.tsv",
    )
    made.add_argument("--out", type=Path, required=True, help="thresholds.json")
    _add_shared(made)
    made.add_class_arguments(tuning.Grid, "grid")
    made.add_argument(
        "--merge",
        type=float,
        default=Hysteresis.merge,
        help="s; events no further apart than this are one",
    )
    made.add_argument(
        "--unseen",
        type=float,
        default=Hysteresis.unseen,
        help="s, without a probability, that an event goes on through",
    )
    asked = made.instantiate_classes(made.parse_args(arguments))
    traces, missing = pair_timelines(asked.timelines, asked.truth, asked.participants, asked.names)
    base = Hysteresis(merge=asked.merge, unseen=asked.unseen)
    tuned = tuning.tune(traces, asked.grid, base, _tolerances(asked), asked.draws, asked.seed) | {
        "missing": missing,
        "people": _people(asked),
    }
    tuning.write_thresholds(asked.out, tuned)
    print(f"{tuning.text(tuned)}\n{tuned['people']}")
    return _told(missing)


def _find(arguments: list[str]) -> int:
    made = parser("events find", find_in_timeline)
    made.add_argument("timeline", type=Path, help="timeline.csv")
    made.add_argument(
        "--out", type=Path, required=True, help="folder of events.tsv, events.json and timeline.png"
    )
    made.add_argument(
        "--thresholds",
        type=Path | None,
        default=None,
        help="file from `semiology events tune`; by default untuned ones",
    )
    made.add_argument(
        "--truth",
        type=Path | None,
        default=None,
        help="true events, which are drawn too: an events.tsv",
    )
    made.add_argument(
        "--names", type=dict[str, str] | None, default=None, help="{task: sign in the truth}"
    )
    asked = made.parse_args(arguments)
    thresholds = asked.thresholds and tuning.read_thresholds(asked.thresholds)
    truth = asked.truth and read_events(asked.truth)
    events = find_in_timeline(
        read_timeline(asked.timeline), asked.out, thresholds, truth, asked.names
    )
    for event in events:
        print(
            f"{event.sign} {event.level}: {event.onset:.1f} to {event.offset:.1f} s, confidence"
            f" {event.confidence:.2f}"
        )
    print(
        f"{asked.out}: {len(events)} events, by {'tuned' if thresholds else 'untuned'} thresholds"
    )
    return 0


def _add_shared(made: ArgumentParser) -> None:
    made.add_argument(
        "--participants",
        type=Path | None,
        default=None,
        help="table with clip_id and participant_id: a cohort's clips.tsv",
    )
    made.add_argument(
        "--names",
        type=dict[str, str] | None,
        default=None,
        help="{sign as found or task: sign in the reference}",
    )
    made.add_class_arguments(Tolerances, "tolerances")
    made.add_argument(
        "--szcore",
        type=bool,
        default=False,
        help="true: SzCORE's tolerances, which are for seizures in EEG",
    )
    made.add_argument(
        "--draws", type=int, default=2000, help="resampled cohorts, for the intervals"
    )
    made.add_argument("--seed", type=int, default=0, help="of the resampling")


def _tolerances(asked: Namespace) -> Tolerances:
    if asked.szcore and asked.tolerances != Tolerances():
        raise UserError(
            "--szcore true has tolerances of its own; give it or --tolerances, not both"
        )
    return SZCORE if asked.szcore else asked.tolerances


def _people(asked: Namespace) -> str:
    if asked.participants is None:
        return (
            "Participants: each recording is taken for one of its own; where a person has several,"
            " give --participants."
        )
    return f"Participants: as {asked.participants.name} has them."


def _told(missing: list[str]) -> int:
    """What could not be done, to standard error; 1 where there is any."""
    for line in missing:
        print(line, file=sys.stderr)
    return 1 if missing else 0
