"""A face measured with its sides, from landmarks of any tracker.

landmarks.py names the places of a face in three schemes of points, head.py takes the head's pose
out, measures.py measures what is left frame by frame, blinks.py and lids.py read the eyes,
fatigue.py says how a measure drifts, summary.py puts a clip into one row.
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
