"""Detected against annotated events of a cohort: counts summed over recordings, measures with
intervals over participants, and the measures of each participant.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from semiology.data.events import Event, is_a
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
    without_width,
)
from semiology.evaluation.statistics.tables import show
from semiology.timeline.events.scoring import Counts, Score, Tolerances, figures, score_events

RATES = ("false_alarms_per_hour", "false_alarms_per_24h")
POISSON = "Poisson, as there was no false alarm"
# 3.69: none in T h leaves a rate of up to 3.69 / T an hour
UPPER_OF_NONE = -math.log((100 - LEVEL) / 200)
FIGURE_NAMES = {
    "event_sensitivity": "sensitivity, by event",
    "event_precision": "precision, by event",
    "event_f1": "F1, by event",
    "false_alarms_per_hour": "false alarms per hour",
    "false_alarms_per_24h": "false alarms per 24 h",
    "second_sensitivity": "sensitivity, by second",
    "second_precision": "precision, by second",
    "second_f1": "F1, by second",
}


@dataclass(frozen=True)
class Recording:
    """The annotated and the detected events of one recording.

    Attributes:
        clip_id, participant_id: of the recording.
        duration: s.
        reference, hypothesis: annotated and detected events, of any signs; either may be empty.
    """

    clip_id: str
    participant_id: str
    duration: float
    reference: list[Event]
    hypothesis: list[Event]


def evaluate_events(
    recordings: Sequence[Recording],
    tolerances: Tolerances | None = None,
    draws: int = 2000,
    seed: int = 0,
) -> dict[str, Any]:
    """Evaluate every sign over all recordings; JSON-safe, None for a missing value.

    Recordings without events count with their hours and their false alarms. Counts are summed
    before they are divided. A type of seizure counts for what it is a type of (SzCORE's names): a
    detected `sz` is scored against every `sz_*`, which then are no signs of their own. The level of
    a detected event matters where the annotations of that sign have levels. The onset error,
    detected minus annotated in s, is summarised by its median and by the median and 95th percentile
    of its absolute value, over the hits whose onset was detected by an alarm of their own.

    Args:
        recordings: of all participants.
        tolerances: when an event counts as detected; part of the result.
        draws: bootstrap samples of participants for the intervals; below 2: no intervals.
        seed: of the bootstrap.

    Raises:
        UserError: a negative number of draws, no recording, no event at all, no sign that is both
            annotated and detected, as `score_events`.
    """
    tolerances = tolerances or Tolerances()
    if draws < 0:
        raise UserError(f"draws={draws}; give the number of bootstrap samples, 0 for no intervals")
    signs = _signs(recordings)
    participants = sorted({recording.participant_id for recording in recordings})
    weights = draw_participants(len(participants), draws, seed)
    evaluated = {}
    for name, kinds in signs.items():
        scores = {
            recording.clip_id: _score(recording, *kinds, tolerances) for recording in recordings
        }
        counts = np.zeros((len(participants), len(fields(Counts))))
        for recording in recordings:
            counts[participants.index(recording.participant_id)] += scores[
                recording.clip_id
            ].counts.array()
        evaluated[name] = evaluate_counts(counts, weights, participants) | {
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
        "participants": len(participants),
        "hours": round(sum(recording.duration for recording in recordings) / 3600, 4),
        "interval": (
            f"{LEVEL} % {METHOD}; of a rate of zero, Poisson"
            if len(participants) > 1 and draws > 1
            else "none"
        ),
        "draws": draws,
        "seed": seed,
        "signs": evaluated,
    }


def evaluate_counts(
    counts: np.ndarray, weights: np.ndarray, participants: list[str]
) -> dict[str, Any]:
    """Total counts, measures with intervals, and measures by participant of one sign.

    Args:
        counts: (participant, count) in the order of `Counts`.
        weights: (draw, participant) bootstrap weights; fewer than two draws: no intervals.
        participants: their names.
    """
    total, own = figures(counts.sum(0)), figures(counts)
    resampled = figures(weights @ counts)
    left_out = figures(leave_one_out(len(participants)) @ counts)
    found = {}
    for name, value in total.items():
        behind = int(np.isfinite(own[name]).sum())
        if len(participants) < 2:
            limits = Interval(np.nan, np.nan, 0, "one participant only")
        elif len(weights) < 2:
            limits = Interval(np.nan, np.nan, 0, "no bootstrap samples requested")
        elif name in RATES and value == 0:
            most = UPPER_OF_NONE / (counts[:, 0].sum() / 3600) * (1 if name == RATES[0] else 24)
            limits = Interval(0.0, most, 0, method=POISSON)
        else:
            perfect = None if name in RATES else at_bound(float(value), 0.0, behind)
            limits = (
                perfect
                or without_width(float(value), resampled[name])
                or bca_interval(float(value), resampled[name], left_out[name], len(participants))
            )
        found[name] = estimate_json(float(value), limits)
    rows = {
        participant: _rounded(asdict(Counts(*row)))
        | {name: number(own[name][place]) for name in total}
        for place, (participant, row) in enumerate(zip(participants, counts.tolist()))
    }
    return {
        "counts": _rounded(asdict(Counts(*counts.sum(0).tolist()))),
        "figures": found,
        "participants": rows,
    }


def text(evaluated: dict[str, Any]) -> str:
    """The result of `evaluate_events` as tables for the terminal."""
    size = (
        f"{evaluated['recordings']} recordings of {evaluated['participants']} participants,"
        f" {evaluated['hours']:.2f} h"
    )
    lines = [f"{size}; {tolerances_text(evaluated['tolerances'])}"]
    for sign, found in evaluated["signs"].items():
        counts, error = found["counts"], found["onset_error_s"]
        lines += [
            "",
            (
                f"{sign}: {counts['hits']} of {counts['events']} events detected,"
                f" {counts['false_alarms']} false alarms"
            ),
        ]
        for name, words in FIGURE_NAMES.items():
            value = found["figures"][name]
            limits = (
                "" if value["low"] is None else f"  [{show(value['low'])}, {show(value['high'])}]"
            )
            lines.append(f"  {words:<24}{show(value['value']):>8}{limits}")
        if error["n"]:
            sizes = (
                f"absolute {error['absolute_median']:.2f} s, 95th percentile"
                f" {error['absolute_95']:.2f} s"
            )
            lines.append(
                f"  onset error: median {error['median']:+.2f} s, {sizes}, of {error['n']} hits"
            )
    return "\n".join([*lines, "", f"Intervals: {evaluated['interval']}."])


def _signs(recordings: Sequence[Recording]) -> dict[str, tuple[str, str | None]]:
    """Name -> (sign, level) of all annotated and detected events; the level is None where the
    annotations of the sign have none. A type of seizure that the other side has more generally is
    not scored by itself.
    """
    if not recordings:
        raise UserError("no recording to score")
    annotated = {event.kind for recording in recordings for event in recording.reference}
    detected = {event.kind for recording in recordings for event in recording.hypothesis}
    levelled = {sign for sign, level in annotated if level is not None}
    these, those = ({sign for sign, _ in kinds} for kinds in (annotated, detected))
    shared = [sign for sign in these if any(is_a(sign, other) for other in those)]
    shared += [sign for sign in those if any(is_a(sign, other) for other in these)]
    special = {
        sign
        for own, others in ((these, those), (those, these))
        for sign in own
        if any(other != sign and is_a(sign, other) for other in others)
    }
    if annotated and detected and not shared:
        raise UserError(
            f"the detected signs ({', '.join(sorted(those))}) are none of the signs in the"
            f" reference ({', '.join(sorted(these))}); map them by --names"
        )
    kinds = {
        (sign, level if sign in levelled else None)
        for sign, level in annotated | detected
        if sign not in special
    }
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
            if is_a(event.sign, sign) and (level is None or event.level == level)
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
    """Counts of events as integers, seconds rounded to milliseconds."""
    return {
        name: int(value) if name in ("events", "hits", "false_alarms") else round(value, 3)
        for name, value in counts.items()
    }


def tolerances_text(tolerances: dict[str, Any]) -> str:
    """The tolerances in words."""
    if tolerances == asdict(Tolerances()):
        return "any overlap counts, no tolerance"
    return "tolerances " + ", ".join(
        f"{name} {'none' if value is None else f'{value:g}'}" for name, value in tolerances.items()
    )
