"""A video of any length in one pass: the probability of each sign over time, and its events.

sources.py reads the frames of a file, a growing file or a camera; patient.py identifies the patient
online; tracking.py computes keypoints; buffers.py holds the last frames; signs.py scores windows
and detects events; record.py writes the results block by block; options.py holds the options, and
run.py connects all of these.
"""

from semiology.timeline.stream.options import TimelineOptions
from semiology.timeline.stream.run import timeline

__all__ = ["TimelineOptions", "timeline"]
