"""Measures of a face and its asymmetry, from the landmarks of any tracker.

landmarks.py maps three schemes of points to anatomical locations, head_pose.py estimates and
removes the head's pose, lids.py computes blinks, ptosis and the drift of a measure over a held
task, measures.py measures every frame and summarises a clip in one row.
"""

from semiology.severity.face.lids import Blink, Ptosis, Slope, blinks, fatigue_slope, ptosis
from semiology.severity.face.measures import (
    MEASURES,
    PAIRED,
    asymmetry,
    face_measures,
    face_summary,
    summarise,
)

__all__ = [
    "MEASURES",
    "PAIRED",
    "Blink",
    "Ptosis",
    "Slope",
    "asymmetry",
    "blinks",
    "face_measures",
    "face_summary",
    "fatigue_slope",
    "ptosis",
    "summarise",
]
