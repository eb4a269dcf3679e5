"""Kinematics of tracked bodies: pure functions on positions with units, and a table of a clip by
joint, segment and side.

Time is the first axis of every array. Missing values are NaN, and nothing is computed across them.
Lengths are in the unit of the input (px, m, or torso lengths after division by `torso_length`);
time is in seconds, frequency in Hz.
"""

from semiology.data.preprocessing import unbroken_runs
from semiology.severity.kinematics.derivatives import (
    Filter,
    acceleration,
    derivative,
    highest_cutoff,
    jerk,
    savitzky_golay,
    speed,
)
from semiology.severity.kinematics.segments import (
    SEGMENTS,
    Segment,
    segment_of,
    side_of,
    torso_length,
)
from semiology.severity.kinematics.smoothness import (
    BANDS,
    Rhythm,
    excursion,
    log_dimensionless_jerk,
    longest_run,
    path_length,
    path_length_ratio,
    rhythm,
    sparc,
    speed_peaks,
)
from semiology.severity.kinematics.table import kinematic_table

__all__ = [
    "BANDS",
    "SEGMENTS",
    "Filter",
    "Rhythm",
    "Segment",
    "acceleration",
    "derivative",
    "excursion",
    "highest_cutoff",
    "jerk",
    "kinematic_table",
    "log_dimensionless_jerk",
    "longest_run",
    "path_length",
    "path_length_ratio",
    "rhythm",
    "savitzky_golay",
    "segment_of",
    "side_of",
    "sparc",
    "speed",
    "speed_peaks",
    "torso_length",
    "unbroken_runs",
]
