"""A cohort: participants, clips and their labels, in a folder with participants.tsv, clips.tsv and
clips.json.

table.py reads a tab-separated table as spreadsheets write it, label.py the sidecar that defines
labels and scores, row.py validates a row, recordings.py reads which files are one recording,
cohort.py joins and checks them, check.py makes the summary table of a paper.
"""

from semiology.data.cohort.check import CohortReport, check_cohort
from semiology.data.cohort.cohort import Cohort, CohortError
from semiology.data.cohort.label import Label, Score
from semiology.data.cohort.recordings import clip_source, read_recordings, video_source
from semiology.data.cohort.row import Clip, Participant

__all__ = [
    "Clip",
    "Cohort",
    "CohortError",
    "CohortReport",
    "Label",
    "Participant",
    "Score",
    "check_cohort",
    "clip_source",
    "read_recordings",
    "video_source",
]
