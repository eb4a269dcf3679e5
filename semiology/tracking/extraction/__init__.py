"""Extraction: from videos to tracks and features in a store. Resumable, clip by clip.

options.py has the options and the summary, tracks.py makes one clip's tracks, run.py goes through
the clips and stores what is missing, progress.py shows how far it is.
"""

from semiology.tracking.extraction.options import ExtractOptions
from semiology.tracking.extraction.run import extract_cohort, extract_videos
from semiology.tracking.extraction.summary import ExtractSummary
from semiology.tracking.extraction.tracks import extract_tracks, found_fraction

__all__ = [
    "ExtractOptions",
    "ExtractSummary",
    "extract_cohort",
    "extract_tracks",
    "extract_videos",
    "found_fraction",
]
