"""Myoclonic jerks in tracks: brief, small, abrupt displacements, told from the tracker's jitter and
from voluntary movement.

seen.py says what of the tracks is believed, limbs.py and head.py what bones say of it, noise.py how
loud their noise is, detection.py where acceleration stands out of it, shape.py what displacement
that was; synchrony.py joins jerks of one moment, matching.py compares with true ones, table.py
keeps them.
"""

from semiology.severity.jerks.detection import Found, find_jerks
from semiology.severity.jerks.events import (
    Matched,
    MyoclonicEvent,
    by_part,
    jerk_table,
    match_jerks,
    read_jerks,
    synchronous,
    write_jerks,
)
from semiology.severity.jerks.jerk import Jerk, JerkSettings

__all__ = [
    "Found",
    "Jerk",
    "JerkSettings",
    "Matched",
    "MyoclonicEvent",
    "by_part",
    "find_jerks",
    "jerk_table",
    "match_jerks",
    "read_jerks",
    "synchronous",
    "write_jerks",
]
