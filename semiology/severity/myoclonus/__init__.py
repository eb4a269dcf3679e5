"""Severity of myoclonus, from detected jerks to one score per visit: frequency x amplitude by body
part, as in the Unified Myoclonus Rating Scale (UMRS).

measures.py measures one clip, umrs.py holds the formula with its classes and cut-offs,
regression.py predicts clinicians' scores, changes.py compares visits, tables.py and
page.py write the results, and run.py processes a cohort and marks jerks in the videos.
"""

from semiology.severity.myoclonus.changes import Change, changes
from semiology.severity.myoclonus.measures import ClipMeasures, PartMeasure, Settings, measure_clip
from semiology.severity.myoclonus.regression import Fit, fit_score
from semiology.severity.myoclonus.run import Summary, score_cohort
from semiology.severity.myoclonus.umrs import (
    ItemScore,
    PartScore,
    Visit,
    amplitude_class,
    frequency_class,
    score_item,
    score_visits,
)

__all__ = [
    "Change",
    "ClipMeasures",
    "Fit",
    "ItemScore",
    "PartMeasure",
    "PartScore",
    "Settings",
    "Summary",
    "Visit",
    "amplitude_class",
    "changes",
    "fit_score",
    "frequency_class",
    "measure_clip",
    "score_cohort",
    "score_item",
    "score_visits",
]
