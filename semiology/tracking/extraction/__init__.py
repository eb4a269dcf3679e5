"""From videos to what is stored. Resumable, clip by clip.

options.py says how, tracks.py makes one clip's tracks, run.py goes through the clips and stores
what is missing.
"""

from semiology.tracking.extraction.options import ExtractOptions, ExtractSummary
from semiology.tracking.extraction.run import extract_cohort, extract_videos
from semiology.tracking.extraction.tracks import extract_tracks, found_fraction

__all__ = [
    "ExtractOptions",
    "ExtractSummary",
    "extract_cohort",
    "extract_tracks",
    "extract_videos",
    "found_fraction",
]
