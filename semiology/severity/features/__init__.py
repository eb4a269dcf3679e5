"""A cohort's measures as one table, a row a clip, for `semiology table` and for streams of `loso`.

columns.py has the families of measures, what is computed of a clip and what each column is; run.py
goes through a cohort. Nothing is measured here that another part of severity/ does not measure.
"""

from semiology.severity.features.columns import FAMILIES, Column
from semiology.severity.features.run import FeatureOptions, FeatureSummary, measure_features

__all__ = ["FAMILIES", "Column", "FeatureOptions", "FeatureSummary", "measure_features"]
