"""Myoclonic jerks in tracks: brief, small, abrupt displacements, separated from tracker jitter and
from voluntary movement.

artefacts.py removes positions that are tracking errors and isolated movements of one point of the
head, detection.py estimates the noise and finds acceleration above it, shape.py measures onset,
peak, end and amplitude of a displacement, events.py groups synchronous jerks into events and
matches detected with reference jerks, table.py reads and writes them.
"""

from semiology.severity.jerks.detection import DetectedJerks, find_jerks
from semiology.severity.jerks.events import (
    MatchedJerks,
    MyoclonicEvent,
    by_part,
    match_jerks,
    synchronous,
)
from semiology.severity.jerks.jerk import Jerk, JerkSettings
from semiology.severity.jerks.table import jerk_table, read_jerks, write_jerks

__all__ = [
    "DetectedJerks",
    "Jerk",
    "JerkSettings",
    "MatchedJerks",
    "MyoclonicEvent",
    "by_part",
    "find_jerks",
    "jerk_table",
    "match_jerks",
    "read_jerks",
    "synchronous",
    "write_jerks",
]
