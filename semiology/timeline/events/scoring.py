"""Detected events of one recording against its annotated ones, counted as in seizure detection
(SzCORE: Dan et al. 2025 [P]).

By event: an annotated event is a hit (true positive) where any detected one overlaps it; a detected
event that overlaps no hit is a false alarm. One alarm over two seizures hits both, two alarms in
one seizure are one hit. By second: time in which both, or only one of them, has the sign.

The definitions are those of the package `timescoring`, with which the tests compare. It is not used
for the computation: it works on grids of 0.1 and 1 s, on which a sign of less than half of that
disappears (one of 0.8 s that is detected to the millisecond may have no seconds at all), and it
does not return which events belong together, which the onset error needs. Here times are exact.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from semiology.data.cohort.row import LONGEST
from semiology.data.events import Event
from semiology.errors import UserError
from semiology.timeline.events.hysteresis import EPSILON

SLACK = 1.0  # s, by which two programs may differ on the duration of a recording
Spans = np.ndarray  # (event, 2) onset and offset, s, ascending


@dataclass(frozen=True)
class Tolerances:
    """When an annotated event counts as detected. The defaults have no tolerance: for signs that
    last seconds [our choice].

    Attributes:
        before: s; a detection up to this long before an annotated onset belongs to the event.
        after: s; the same after its offset.
        overlap: fraction of the annotated event, extended by `before` and `after`, that has to be
            detected; 0: any overlap.
        longest: s; longer events are split into several of this length; None: never.
        apart: s; events of one table nearer than this are merged.

    Raises:
        UserError: a negative time, a fraction that is not below 1.
    """

    before: float = 0.0
    after: float = 0.0
    overlap: float = 0.0
    longest: float | None = None
    apart: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise UserError(f"tolerances: {field.name}={value:g}; give 0 or more")
        if self.overlap >= 1 or self.longest == 0:
            raise UserError(
                f"tolerances: overlap={self.overlap:g}, longest={self.longest}; overlap is a"
                " fraction below 1, longest is above 0 s or null"
            )


# [P], for seizures in EEG
SZCORE = Tolerances(before=30.0, after=60.0, overlap=0.0, longest=300.0, apart=90.0)


@dataclass(frozen=True)
class Counts:
    """Counts of one recording; those of several recordings and participants add up.

    Attributes:
        duration: s of recording.
        events: annotated events, TP + FN.
        hits: annotated events that were detected, TP.
        false_alarms: detected events that belong to no hit, FP.
        true_seconds: s with the annotated sign.
        right_seconds: s of these in which it was detected.
        false_seconds: s in which it was detected and is not annotated.
    """

    duration: float = 0.0
    events: float = 0.0
    hits: float = 0.0
    false_alarms: float = 0.0
    true_seconds: float = 0.0
    right_seconds: float = 0.0
    false_seconds: float = 0.0

    def array(self) -> np.ndarray:
        """(count,) in the order above."""
        return np.array([getattr(self, field.name) for field in fields(self)])


@dataclass(frozen=True)
class Score:
    """Counts of a recording, and the onset error (detected minus annotated, s) of each hit that an
    alarm of its own detected.
    """

    counts: Counts
    onset_errors: tuple[float, ...]


def score_events(
    reference: Sequence[Event],
    hypothesis: Sequence[Event],
    duration: float,
    tolerances: Tolerances | None = None,
) -> Score:
    """Compare the detected events of one sign in one recording with the annotated ones.

    Args:
        reference: annotated events, in any order.
        hypothesis: detected events, in any order.
        duration: s, of the recording; events are cut at its start and end.
        tolerances: by default any overlap counts.

    Raises:
        UserError: a duration that is not positive, an event that begins after the recording's end.
    """
    if not 0 < duration <= LONGEST:
        raise UserError(f"a recording of {duration:g} s cannot be scored; give its duration in s")
    tolerances = tolerances or Tolerances()
    true = spans_of(reference, duration, "the annotated").clip(0, duration)
    found = spans_of(hypothesis, duration, "the detected").clip(0, duration)
    whole, alarms = merged(true, tolerances.apart), merged(found, tolerances.apart)
    hit, false = _matched(
        _split(whole, tolerances.longest), _split(alarms, tolerances.longest), tolerances, duration
    )
    true_seconds, detected, both = (
        seconds_of(true),
        seconds_of(found),
        shared_seconds(merged(true), merged(found)),
    )
    counts = Counts(
        duration,
        len(hit),
        int(hit.sum()),
        int(false.sum()),
        true_seconds,
        both,
        max(detected - both, 0.0),
    )
    return Score(counts, _onset_errors(whole, alarms, tolerances, duration))


def figures(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Measures from counts (..., count), each (...); NaN where the denominator is 0.

    Sensitivity (true positive rate) is TP / (TP + FN) = hits / events, precision TP / (TP + FP) =
    hits / (hits + false alarms), with hits counted in annotated events [P]. F1 is 0 where there are
    false alarms and no annotated event.
    """
    duration, events, hits, false, true_seconds, right, wrong = np.moveaxis(
        np.asarray(counts, float), -1, 0
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "event_sensitivity": hits / events,
            "event_precision": hits / (hits + false),
            "event_f1": 2 * hits / (hits + false + events),
            "false_alarms_per_hour": false / (duration / 3600),
            "false_alarms_per_24h": false / (duration / 86400),
            "second_sensitivity": right / true_seconds,
            "second_precision": right / (right + wrong),
            "second_f1": 2 * right / (right + wrong + true_seconds),
        }


def spans_of(events: Sequence[Event], duration: float, source: str) -> Spans:
    """(event, 2) by onset, not cut at the recording's ends; an event that ended before its start is
    dropped.

    Raises:
        UserError: an event begins after the recording's end (`source` is whose it is), or has no
            end.
    """
    for event in events:
        if event.onset > duration + SLACK:
            raise UserError(
                f"{source} {event.sign!r} at {event.onset:g} s begins after the recording's end"
                f" at {duration:g} s; correct one of them"
            )
    return np.array(
        sorted((event.onset, event.offset) for event in events if event.offset >= 0), float
    ).reshape(-1, 2)


def merged(spans: Spans, apart: float = 0.0) -> Spans:
    """Spans merged where they overlap or are less than `apart` s from each other."""
    joined: list[list[float]] = []
    for start, end in spans:
        if joined and start - joined[-1][1] < apart - EPSILON:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([start, end])
    return np.array(joined, float).reshape(-1, 2)


def _split(spans: Spans, longest: float | None) -> Spans:
    """Spans longer than `longest` s split into pieces of that length; the last one may be
    shorter.
    """
    if longest is None:
        return spans
    parts = []
    for start, end in spans:
        cuts = np.arange(start, max(end - EPSILON, start + EPSILON), longest)
        parts += list(zip(cuts, [*cuts[1:], end]))
    return np.array(parts, float).reshape(-1, 2)


def overlapping(true: Spans, found: Spans) -> np.ndarray:
    """(true, found) of bool: which have time in common; touching spans have none, an instant within
    the other has.
    """
    return (found[None, :, 0] < true[:, None, 1] - EPSILON) & (
        true[:, None, 0] < found[None, :, 1] - EPSILON
    )


def _widened(true: Spans, tolerances: Tolerances, duration: float) -> Spans:
    return (true + np.array([-tolerances.before, tolerances.after])).clip(0, duration)


def _matched(
    true: Spans, found: Spans, tolerances: Tolerances, duration: float
) -> tuple[np.ndarray, np.ndarray]:
    """(true,) of bool: hits, and (found,) of bool: false alarms."""
    wide = _widened(true, tolerances, duration)
    overlaps = overlapping(wide, found)
    hit = np.any(overlaps, axis=1)
    if tolerances.overlap > 0:
        common = np.minimum(wide[:, None, 1], found[None, :, 1]) - np.maximum(
            wide[:, None, 0], found[None, :, 0]
        )
        hit &= (
            np.where(overlaps, common, 0).sum(axis=1)
            > tolerances.overlap * (wide[:, 1] - wide[:, 0]) + EPSILON
        )
    return hit, ~np.any(overlaps & hit[:, None], axis=0)


def _onset_errors(
    true: Spans, found: Spans, tolerances: Tolerances, duration: float
) -> tuple[float, ...]:
    """Onset errors of hits, by `assigned`. Events are not split."""
    hit, _ = _matched(true, found, tolerances, duration)
    overlaps = overlapping(_widened(true, tolerances, duration), found) & hit[:, None]
    return tuple(float(found[other, 0] - true[one, 0]) for one, other in assigned(overlaps))


def assigned(overlaps: np.ndarray) -> list[tuple[int, int]]:
    """Pairs (true, found) from (true, found) of bool: each found event belongs to at most one true
    one, the first that it overlaps and that no earlier one belongs to.
    """
    used, pairs = -1, []
    for number, row in enumerate(overlaps):
        if len(free := np.flatnonzero(row[used + 1 :])):
            used += 1 + int(free[0])
            pairs.append((number, used))
    return pairs


def seconds_of(spans: Spans) -> float:
    joined = merged(spans)
    return float((joined[:, 1] - joined[:, 0]).sum())


def shared_seconds(one: Spans, other: Spans) -> float:
    """Time in s that two sets of spans share; the spans within each set do not overlap."""
    common = np.minimum(one[:, None, 1], other[None, :, 1]) - np.maximum(
        one[:, None, 0], other[None, :, 0]
    )
    return float(common.clip(0).sum())
