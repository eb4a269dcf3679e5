"""Leakage audit: what a run's own records prove of who taught what, and what they do not.

records.py reads a run; folds.py, fitting.py, inner.py, tables.py, copies.py, confounds.py and
outside.py hold a question each; run.py asks them all and gives a verdict. sources.py and
fingerprint.py write, while the cohort is at hand, what the audit later needs of each clip.
"""

from semiology.evaluation.audit.check import Check, verdict
from semiology.evaluation.audit.run import audit
from semiology.evaluation.audit.sources import write_sources

__all__ = ["Check", "audit", "verdict", "write_sources"]
