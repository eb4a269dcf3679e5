"""Onset and offset of events from a probability over time, by two thresholds (hysteresis), window
by window, so that a stream of any length needs constant memory.

A window's probability applies to the time around its centre, up to midway to the centres of the
neighbouring windows: centre -/+ half a step where windows are evenly spaced, and never beyond the
window's own ends. There are no events before the first and after the last of these times.
"""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from semiology.data.events import Event
from semiology.errors import UserError

# start and end, s; probability, None where not assessable
Window = tuple[float, float, float | None]
EPSILON = 1e-6  # s; times that differ by less are equal: 3 x 0.1 is 0.3


@dataclass(frozen=True)
class Hysteresis:
    """Thresholds and durations by which a probability becomes events.

    The defaults are round numbers for signs that last seconds [our choice]; `semiology events tune`
    tunes them on annotated recordings.

    Attributes:
        on: an event begins where the probability reaches this.
        off: it ends where the probability falls below this; at most `on`.
        shortest: s; after merging, shorter events are dropped.
        merge: s; events no further apart than this are merged.
        unseen: s; an event continues across a gap without probabilities no longer than this if the
            probability is at or above `off` after it; otherwise it ends where the gap begins.

    Raises:
        UserError: thresholds that are not 0 < off <= on <= 1, a time that is negative.
    """

    on: float = 0.6
    off: float = 0.4
    shortest: float = 1.0
    merge: float = 2.0
    unseen: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.off <= self.on <= 1:
            raise UserError(
                f"hysteresis: on={self.on:g}, off={self.off:g}; thresholds are above 0, at most 1,"
                " and off is at most on"
            )
        for name in ("shortest", "merge", "unseen"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise UserError(
                    f"hysteresis: {name}={getattr(self, name):g}; give seconds, 0 or more"
                )


@dataclass
class _Stretch:
    """A time in which the sign is on, with the sums that give its confidence."""

    onset: float
    offset: float
    weight: float = 0.0  # integral of the probability over the assessed time, s
    seen: float = 0.0  # assessed time, s

    def add(self, end: float, probability: float, seconds: float) -> None:
        self.offset = end
        self.weight += probability * seconds
        self.seen += seconds


class EventDetector:
    """Detect the events of one sign in windows that arrive one by one; events that `push` returns
    are final. The confidence of an event is the mean probability over its time.

    Args:
        hysteresis: thresholds and durations.
        sign, level: names of the events.
    """

    def __init__(self, hysteresis: Hysteresis, sign: str, level: str | None = None) -> None:
        self.hysteresis, self.sign, self.level = hysteresis, sign, level
        self._window: Window | None = None  # the last one; the next one determines its end
        self._start = math.nan  # s, where its time begins; NaN for the first window
        self._open: _Stretch | None = None  # the sign is on
        self._closed: _Stretch | None = None  # it was on, and may be merged with the next event

    def push(self, start: float, end: float, probability: float | None) -> list[Event]:
        """Add the next window, from `start` to `end` s; probability None or NaN: not assessable.

        Returns:
            Events that are final, in order: no later window changes them.

        Raises:
            UserError: windows that do not go forward in time, a probability outside of 0 to 1.
        """
        window = (start, end, _checked(start, end, probability))
        if self._window is None:
            self._window = window
            return []
        before, here = _centre(self._window), _centre(window)
        if not here > before:
            raise UserError(
                f"{self.sign}: a window around {here:g} s comes after the one around {before:g} s;"
                " windows go forward in time"
            )
        middle = (before + here) / 2
        if math.isnan(self._start):
            self._start = max(before - (middle - before), self._window[0])
        until, since = min(middle, self._window[1]), max(middle, start)
        events = self._take(self._start, until, self._window[2])
        if since > until:  # windows that do not touch leave a hole
            events += self._take(until, since, None)
        self._window, self._start = window, since
        return events

    def finish(self) -> list[Event]:
        """End of the recording: the last window's time is symmetric around its centre, and an event
        that is on ends there.
        """
        if self._window is None:
            return []
        start, end, probability = self._window
        if math.isnan(self._start):  # a single window: it applies to all of its time
            self._start = start
            events = self._take(start, end, probability)
        else:
            centre = _centre(self._window)
            events = self._take(self._start, min(centre + (centre - self._start), end), probability)
        self._window = None
        return events + self._end()

    def state(self) -> dict[str, Any]:
        """The detector's state as JSON; after `restore` it returns the same events."""
        return {
            "window": None if self._window is None else list(self._window),
            "start": None if math.isnan(self._start) else self._start,
            "open": None if self._open is None else asdict(self._open),
            "closed": None if self._closed is None else asdict(self._closed),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a `state()`.

        Raises:
            UserError: not the state of a detector.
        """
        try:
            window = state["window"]
            self._window = (
                None if window is None else (float(window[0]), float(window[1]), window[2])
            )
            self._start = math.nan if state["start"] is None else float(state["start"])
            self._open, self._closed = (
                None if state[name] is None else _Stretch(**state[name])
                for name in ("open", "closed")
            )
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise UserError(
                f"{self.sign}: not the state of an event detector ({error}); start again"
            ) from error

    def _take(self, start: float, end: float, probability: float | None) -> list[Event]:
        """Process the time of one window."""
        if probability is None:
            if self._open and end - self._open.offset > self.hysteresis.unseen + EPSILON:
                self._close()
        elif self._open and probability >= self.hysteresis.off:
            self._open.add(end, probability, end - start)
        else:
            self._close()
            if probability >= self.hysteresis.on:
                events = self._settle(start)
                self._open, self._closed = self._closed or _Stretch(start, end), None
                self._open.add(end, probability, end - start)
                return events
        return self._settle(end)

    def _settle(self, now: float) -> list[Event]:
        """Emit the closed event if one that begins at `now` is too late to be merged with it."""
        if self._closed and now - self._closed.offset > self.hysteresis.merge + EPSILON:
            return self._emit()
        return []

    def _close(self) -> None:
        """The sign is off since the end of the last time in which it was on."""
        if self._open:
            self._open, self._closed = None, self._open

    def _end(self) -> list[Event]:
        """The last event, where the recording ends."""
        self._close()
        return self._emit()

    def _emit(self) -> list[Event]:
        """The closed time as an event, if it is long enough."""
        stretch, self._closed = self._closed, None
        if stretch is None or stretch.offset - stretch.onset < self.hysteresis.shortest - EPSILON:
            return []
        confidence = stretch.weight / stretch.seen
        return [
            Event(
                stretch.onset,
                stretch.offset - stretch.onset,
                self.sign,
                self.level,
                min(max(confidence, 0.0), 1.0),
            )
        ]


def find_events(
    windows: Iterable[Window], hysteresis: Hysteresis, sign: str, level: str | None = None
) -> list[Event]:
    """All events in a sequence of windows (start s, end s, probability or None), by
    `EventDetector`.

    Raises:
        UserError: as `EventDetector.push`.
    """
    detector = EventDetector(hysteresis, sign, level)
    events = [event for window in windows for event in detector.push(*window)]
    return events + detector.finish()


def own_times(windows: np.ndarray) -> np.ndarray:
    """The time that each window's probability applies to, by the definition above, of all windows
    at once.

    Args:
        windows: (window, 3) start s, end s, probability, NaN where not assessable; in order of
            time.

    Returns:
        (part, 3) the same, each part from where the one before it ends; between windows that do not
        touch lies one without probability.
    """
    if len(windows) < 2:
        return windows
    starts, ends, probability = windows.T
    centre = (starts + ends) / 2
    middle = (centre[1:] + centre[:-1]) / 2
    since = np.concatenate([[max(2 * centre[0] - middle[0], starts[0])], starts[1:]])
    since[1:] = np.maximum(since[1:], middle)
    until = np.concatenate([np.minimum(middle, ends[:-1]), ends[-1:]])
    until[-1] = min(2 * centre[-1] - since[-1], ends[-1])
    parts = np.stack([since, until, probability], axis=1)
    hole = np.flatnonzero(since[1:] > until[:-1])
    holes = np.stack([until[hole], since[hole + 1], np.full(len(hole), np.nan)], axis=1)
    return np.insert(parts, hole + 1, holes, axis=0)


def find_spans(parts: np.ndarray, hysteresis: Hysteresis, sign: str) -> list[Event]:
    """The events of `find_events`, without their confidence, for many thresholds one after the
    other: `EventDetector` gets neighbouring parts on one side of both thresholds as one, so that a
    night takes as many steps as its probability crosses them.

    Args:
        parts: (part, 3) of `own_times`.
        hysteresis: thresholds and durations.
        sign: name of the events.
    """
    probability = parts[:, 2]
    side = (probability >= hysteresis.off).astype(int) + (probability >= hysteresis.on)
    side[np.isnan(probability)] = -1
    first = np.flatnonzero(np.concatenate([[True], side[1:] != side[:-1]]))
    last = np.concatenate([first[1:], [len(parts)]]) - 1
    detector, events = EventDetector(hysteresis, sign), []
    for start, end, value in zip(
        parts[first, 0].tolist(), parts[last, 1].tolist(), probability[first].tolist()
    ):
        events += detector._take(start, end, None if math.isnan(value) else value)
    return [Event(event.onset, event.duration, sign) for event in events + detector._end()]


def _centre(window: Window) -> float:
    return (window[0] + window[1]) / 2


def _checked(start: float, end: float, probability: float | None) -> float | None:
    if not (math.isfinite(start) and math.isfinite(end) and end > start):
        raise UserError(f"a window from {start:g} to {end:g} s; its end comes after its start")
    if probability is None or math.isnan(probability):
        return None
    if not 0 <= probability <= 1:
        raise UserError(
            f"the window from {start:g} to {end:g} s has a probability of {probability:g}; it is 0"
            " to 1"
        )
    return float(probability)
