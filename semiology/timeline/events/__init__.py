"""Events: onset and offset of a sign, detected in a probability over time, evaluated against
annotated events, with tuned thresholds and figures.
"""

from semiology.data.events import Event, EventTable, read_events, read_folder, write_events
from semiology.timeline.events.evaluate import Recording, evaluate_events
from semiology.timeline.events.hysteresis import EventDetector, Hysteresis, find_events
from semiology.timeline.events.scoring import SZCORE, Score, Tolerances, score_events

__all__ = [
    "SZCORE",
    "Event",
    "EventDetector",
    "EventTable",
    "Hysteresis",
    "Recording",
    "Score",
    "Tolerances",
    "evaluate_events",
    "find_events",
    "read_events",
    "read_folder",
    "score_events",
    "write_events",
]
