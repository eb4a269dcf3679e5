"""One task's signs over the video: sliding windows, their probabilities, and the events."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from semiology.models.training.saved import SavedModel
from semiology.timeline.events import Event, EventDetector, Hysteresis
from semiology.timeline.predict import Windows

# first frame and end of a window -> class -> probability; None: not assessable
ScoreWindow = Callable[[int, int], dict[str, float] | None]


@dataclass(frozen=True)
class Row:
    """One row of timeline.csv: a window's probability of one class (level) of a label; None where
    not assessable.
    """

    task: str
    level: str
    start: float
    end: float
    probability: float | None


class Sign:
    """The windows of one model, scored as soon as they are complete.

    The first class (level) of a label is its neutral one ("absent"): every other class is a sign of
    its own, so a label with two classes gives one sign, its second class. [our choice]

    Args:
        task: the name of the sign's task in the run.
        saved: the model.
        windows: their length and step, s. The k-th begins k steps after the video's first frame;
            when the video ends, one more ends with it, and a video shorter than a window is one
            window.
        fps: of the frames, Hz.
        thresholds: level -> when an event begins and ends.
    """

    def __init__(
        self,
        task: str,
        saved: SavedModel,
        windows: Windows,
        fps: float,
        thresholds: dict[str, Hysteresis],
    ):
        self.task, self.saved, self.windows, self.fps = task, saved, windows, fps
        self.levels = saved.levels[1:]
        self.detectors = {
            level: EventDetector(thresholds[level], task, level) for level in self.levels
        }
        self.length = max(round(windows.length * fps), 1)  # frames
        self._number = 0  # of the next window
        self._scored = 0  # frame at which the last one ended

    def advance(self, frames: int, score: ScoreWindow) -> Iterator[tuple[list[Row], list[Event]]]:
        """Rows and events of the windows that are complete at `frames` frames; `score(first, end)`
        scores a window.
        """
        while (first := round(self._number * self.windows.step * self.fps)) + self.length <= frames:
            yield self._score(first, first + self.length, score)
            self._number += 1

    def finish(self, frames: int, score: ScoreWindow) -> tuple[list[Row], list[Event]]:
        """End of the video after `frames` frames: the window that ends with it, unless it was
        scored already, and the open events.
        """
        rows: list[Row] = []
        events: list[Event] = []
        if frames > self._scored:
            rows, events = self._score(max(frames - self.length, 0), frames, score)
        return rows, events + [
            event for detector in self.detectors.values() for event in detector.finish()
        ]

    def _score(self, first: int, end: int, score: ScoreWindow) -> tuple[list[Row], list[Event]]:
        scored, self._scored = score(first, end), end
        rows, events = [], []
        for level, detector in self.detectors.items():
            probability = None if scored is None else scored[level]
            rows.append(Row(self.task, level, first / self.fps, end / self.fps, probability))
            events += detector.push(first / self.fps, end / self.fps, probability)
        return rows, events

    def state(self) -> dict[str, Any]:
        """The state as JSON, for `restore`."""
        detectors = {level: detector.state() for level, detector in self.detectors.items()}
        return {"number": self._number, "scored": self._scored, "detectors": detectors}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what `state` gave."""
        self._number, self._scored = state["number"], state["scored"]
        for level, detector in self.detectors.items():
            detector.restore(state["detectors"][level])
