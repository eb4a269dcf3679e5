"""A video of any length in one pass: each sign's probability over time, and when it is there.

sources.py gives the frames of a file, a growing file or a camera; patient.py says who the patient
is so far; tracking.py makes keypoints of frames; recent.py remembers the last ones; signs.py scores
windows and finds events; record.py keeps what is done; run.py does it all.
"""

from semiology.timeline.stream.options import TimelineOptions
from semiology.timeline.stream.run import timeline

__all__ = ["TimelineOptions", "timeline"]
