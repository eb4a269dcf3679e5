"""Found against true events of a cohort: sums over recordings, figures with intervals over
participants, and each participant's own.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from semiology.data.events import Event
from semiology.errors import UserError
from semiology.evaluation.statistics.comparison import estimate_json, number
from semiology.evaluation.statistics.intervals import (
    LEVEL,
    METHOD,
    Interval,
    at_bound,
    bca_interval,
    draw_participants,
    leave_one_out,
)
from semiology.evaluation.statistics.tables import show
from semiology.timeline.events.scoring import Counts, Score, Tolerances, figures, score_events

RATES = ("false_alarms_per_hour", "false_alarms_per_24h")
NONE_HEARD = "Poisson, as there was no false alarm"
WORDS = {
    "event_sensitivity": "sensitivity, by event",
    "event_precision": "precision, by event",
    "event_f1": "F1, by event",
    "false_alarms_per_hour": "false alarms an hour",
    "false_alarms_per_24h": "false alarms in 24 h",
    "second_sensitivity": "sensitivity, by second",
    "second_precision": "precision, by second",
    "second_f1": "F1, by second",
}


@dataclass(frozen=True)
class Recording:
    """What is true and what was found in one recording.

    Attributes:
        clip_id, participant_id: whose it is.
        duration: s.
        reference, hypothesis: true and found events, of any signs; either may be empty.
    """

    clip_id: str
    participant_id: str
    duration: float
    reference: list[Event]
    hypothesis: list[Event]


def judge(
    recordings: Sequence[Recording],
    tolerances: Tolerances | None = None,
    draws: int = 2000,
    seed: int = 0,
) -> dict[str, Any]:
    """Score every sign over all recordings; JSON-safe, what has no value is None.

    Recordings without events count: their hours, and their false alarms. Counts are summed before
    anything is divided. A found event's level counts where the truth of that sign has levels. Of
    the onset error, found minus true in s, there are the signed median, and the median and 95th
    percentile of its size, over the hits whose onset was found by an alarm of their own.

    Args:
        tolerances: what counts as found, as stated in the result.
        draws: resampled cohorts, for the intervals; below 2: none.
        seed: of the resampling.

    Raises:
        UserError: a negative number of draws, no recording, no event anywhere, not one sign that is
            both in the truth and among what was found, as `score_events`.
    """
    tolerances = tolerances or Tolerances()
    if draws < 0:
        raise UserError(f"draws={draws}; give the number of resampled cohorts, 0 for no intervals")
    signs = _signs(recordings)
    people = sorted({recording.participant_id for recording in recordings})
    weights = draw_participants(len(people), draws, seed)
    judged = {}
    for name, kinds in signs.items():
        scores = {
            recording.clip_id: _score(recording, *kinds, tolerances) for recording in recordings
        }
        counts = np.zeros((len(people), len(fields(Counts))))
        for recording in recordings:
            counts[people.index(recording.participant_id)] += scores[
                recording.clip_id
            ].counts.array()
        judged[name] = judged_counts(counts, weights, people) | {
            "onset_error_s": _onset_error(
                [error for score in scores.values() for error in score.onset_errors]
            ),
            "recordings": {
                clip_id: _rounded(asdict(score.counts)) for clip_id, score in scores.items()
            },
        }
    return {
        "definitions": "SzCORE (Dan et al. 2025), on exact times",
        "tolerances": asdict(tolerances),
        "recordings": len(recordings),
        "participants": len(people),
        "hours": round(sum(recording.duration for recording in recordings) / 3600, 4),
        "interval": (
            f"{LEVEL} % {METHOD}; of a rate of zero, Poisson"
            if len(people) > 1 and draws > 1
            else "none"
        ),
        "draws": draws,
        "seed": seed,
        "signs": judged,
    }


def judged_counts(counts: np.ndarray, weights: np.ndarray, people: list[str]) -> dict[str, Any]:
    """Counts, figures with intervals, and participants of one sign.

    Args:
        counts: (participant, count) in the order of `Counts`.
        weights: (draw, participant) resampled cohorts; fewer than two: no intervals.
        people: names of the participants.
    """
    total, own = figures(counts.sum(0)), figures(counts)
    drawn, left_out = figures(weights @ counts), figures(leave_one_out(len(people)) @ counts)
    found = {}
    for name, value in total.items():
        behind = int(np.isfinite(own[name]).sum())
        if len(people) < 2:
            limits = Interval(np.nan, np.nan, 0, "one participant only")
        elif len(weights) < 2:
            limits = Interval(np.nan, np.nan, 0, "no resampled cohorts were asked for")
        elif name in RATES and value == 0:
            hours = counts[:, 0].sum() / 3600
            most = -math.log((100 - LEVEL) / 200) / hours * (1 if name == RATES[0] else 24)
            limits = Interval(0.0, most, 0, method=NONE_HEARD)
        else:
            perfect = None if name in RATES else at_bound(float(value), 0.0, behind)
            limits = perfect or bca_interval(float(value), drawn[name], left_out[name], len(people))
        found[name] = estimate_json(float(value), limits)
    rows = {
        person: _rounded(asdict(Counts(*row))) | {name: number(own[name][place]) for name in total}
        for place, (person, row) in enumerate(zip(people, counts.tolist()))
    }
    return {
        "counts": _rounded(asdict(Counts(*counts.sum(0).tolist()))),
        "figures": found,
        "participants": rows,
    }


def text(judged: dict[str, Any]) -> str:
    """The tables for the terminal."""
    size = (
        f"{judged['recordings']} recordings of {judged['participants']} participants,"
        f" {judged['hours']:.2f} h"
    )
    lines = [f"{size}; {_in_words(judged['tolerances'])}"]
    for sign, found in judged["signs"].items():
        counts, error = found["counts"], found["onset_error_s"]
        lines += [
            "",
            (
                f"{sign}: {counts['hits']} of {counts['events']} events found,"
                f" {counts['false_alarms']} false alarms"
            ),
        ]
        for name, words in WORDS.items():
            value = found["figures"][name]
            limits = (
                "" if value["low"] is None else f"  [{show(value['low'])}, {show(value['high'])}]"
            )
            lines.append(f"  {words:<24}{show(value['value']):>8}{limits}")
        if error["n"]:
            sizes = (
                f"its size {error['absolute_median']:.2f} s, 95 % at most"
                f" {error['absolute_95']:.2f} s"
            )
            lines.append(
                f"  onset error: median {error['median']:+.2f} s, {sizes}, of {error['n']} hits"
            )
    return "\n".join([*lines, "", f"Intervals: {judged['interval']}."])


def _signs(recordings: Sequence[Recording]) -> dict[str, tuple[str, str | None]]:
    """Name -> sign and level, of all that is true or was found. The level is None where the truth
    of a sign has none.
    """
    if not recordings:
        raise UserError("no recording to score")
    true = {event.kind for recording in recordings for event in recording.reference}
    found = {event.kind for recording in recordings for event in recording.hypothesis}
    levelled = {sign for sign, level in true if level is not None}
    shared = {sign for sign, _ in true} & {sign for sign, _ in found}
    if true and found and not shared:
        these, those = (", ".join(sorted({sign for sign, _ in kinds})) for kinds in (found, true))
        raise UserError(
            f"what was found ({these}) is none of the signs in the reference ({those}); say which"
            " is which by --names"
        )
    kinds = {(sign, level if sign in levelled else None) for sign, level in true | found}
    if not kinds:
        raise UserError(
            "neither reference nor hypothesis holds an event; there is no sign to score"
        )
    return {
        " ".join(part for part in kind if part): kind
        for kind in sorted(kinds, key=lambda kind: (kind[0], kind[1] or ""))
    }


def _score(recording: Recording, sign: str, level: str | None, tolerances: Tolerances) -> Score:
    def chosen(events: list[Event]) -> list[Event]:
        return [
            event
            for event in events
            if event.sign == sign and (level is None or event.level == level)
        ]

    try:
        return score_events(
            chosen(recording.reference),
            chosen(recording.hypothesis),
            recording.duration,
            tolerances,
        )
    except UserError as error:
        raise UserError(f"{recording.clip_id}: {error}") from error


def _onset_error(errors: list[float]) -> dict[str, Any]:
    if not errors:
        return {"n": 0, "median": None, "absolute_median": None, "absolute_95": None}
    sizes = np.abs(errors)
    return {
        "n": len(errors),
        "median": round(float(np.median(errors)), 3),
        "absolute_median": round(float(np.median(sizes)), 3),
        "absolute_95": round(float(np.percentile(sizes, 95)), 3),
    }


def _rounded(counts: dict[str, float]) -> dict[str, Any]:
    """Numbers of events whole, seconds to the millisecond."""
    return {
        name: int(value) if name in ("events", "hits", "false_alarms") else round(value, 3)
        for name, value in counts.items()
    }


def _in_words(tolerances: dict[str, Any]) -> str:
    if tolerances == asdict(Tolerances()):
        return "any overlap counts, no tolerance"
    return "tolerances " + ", ".join(
        f"{name} {'none' if value is None else f'{value:g}'}" for name, value in tolerances.items()
    )
