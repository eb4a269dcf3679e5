"""How severe somebody's myoclonus is, from found jerks to a number a visit: frequency x amplitude
by body part, multiplied as in the UMRS.

scale.py holds the classes and their cut-offs, measures.py what is measured in one clip, task.py how
a functional test was performed, score.py the formula, clinicians.py the cohort's own scores,
features.py and fit.py a regression to these, changes.py the difference between visits, tables.py,
figures.py and page.py what is shown, overlay.py the videos with jerks ringed, and run.py goes
through a cohort.
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
