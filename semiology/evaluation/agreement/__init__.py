"""Agreement of scores with clinical raters: agreement, test-retest reliability, responsiveness.

scores.py reads the table, readings.py the raters' work in a review; coefficients.py holds the
formulas, for many resampled cohorts at once; pairs.py two raters and one estimate with its
interval; comparisons.py all pairs, and the machine compared with the raters; change.py compares
visits; run.py and page.py write the results.
"""

from semiology.evaluation.agreement.pairs import Estimate, Paired
from semiology.evaluation.agreement.readings import read_review
from semiology.evaluation.agreement.run import agree, write_agreement
from semiology.evaluation.agreement.scores import Scores, read_scores

__all__ = ["Estimate", "Paired", "Scores", "agree", "read_review", "read_scores", "write_agreement"]
