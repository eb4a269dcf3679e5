"""How a machine's scores and the clinicians' agree, how repeatable they are, and whether they follow a change. Imports statistics only."""

from semiology.agreement.paired import Paired
from semiology.agreement.run import agree, write_agreement
from semiology.agreement.scores import Scores, read_scores

__all__ = ["Paired", "Scores", "agree", "read_scores", "write_agreement"]
