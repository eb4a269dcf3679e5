"""Events: when a sign begins and ends, found in a probability over time, kept in tables, scored against another's, tuned, drawn."""

from semiology.events.event import Event
from semiology.events.hysteresis import EventDetector, Hysteresis, find_events
from semiology.events.judging import Recording, judge
from semiology.events.scoring import SZCORE, Score, Tolerances, score_events
from semiology.events.table import EventTable, read_events, read_folder, write_events

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
