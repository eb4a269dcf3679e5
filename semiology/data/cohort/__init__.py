"""Who was filmed, which clips, which signs were scored: a folder with participants.tsv, clips.tsv
and clips.json.

table.py reads a tab-separated table whatever a spreadsheet did to it, label.py the sidecar that
defines labels and scores, row.py says what a row may hold, cohort.py joins and checks them,
check.py makes the table that a paper prints. public_features.py reads the published features of
GESTURES, gestures.py makes a cohort of them.
"""

from semiology.data.cohort.check import CohortReport, check_cohort
from semiology.data.cohort.cohort import Cohort, CohortError
from semiology.data.cohort.label import Label, Score
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
]
