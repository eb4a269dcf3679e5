"""Leakage audit: do a run's records prove that no held-out participant was used in training?

records.py reads a run; folds.py, predictions.py, copies.py, confounds.py and sources.py hold the
checks; run.py makes them all and gives a verdict. sources.py and fingerprint.py write, while the
cohort is at hand, what the audit later needs to know of each clip.
"""

from semiology.evaluation.audit.check import Check, Finding, verdict
from semiology.evaluation.audit.run import audit
from semiology.evaluation.audit.sources import write_sources

__all__ = ["Check", "Finding", "audit", "verdict", "write_sources"]
