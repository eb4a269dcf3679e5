"""How a machine's scores and the clinicians' agree, how repeatable they are, and whether they
follow a change.

scores.py reads the table. correlation.py, icc.py, kappa.py and bland_altman.py hold the formulas
for many resampled cohorts at once, paired.py gives them for two raters, stated.py adds the interval
or the reason why there is none. judging.py goes through all pairs, beside.py sets the machine
beside the raters, change.py compares visits. run.py writes it down, with picture.py and page.py.
"""

from semiology.evaluation.agreement.pairs import Paired
from semiology.evaluation.agreement.run import agree, write_agreement
from semiology.evaluation.agreement.scores import Scores, read_scores

__all__ = ["Paired", "Scores", "agree", "read_scores", "write_agreement"]
