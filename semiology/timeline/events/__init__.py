"""Events: when a sign begins and ends, found in a probability over time, kept in tables, scored
against another's, tuned, drawn.
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
    "find_events",
    "judge",
    "read_events",
    "read_folder",
    "score_events",
    "write_events",
]
