"""Leakage audit: what a run's own records prove of who taught what, and what they do not.

records.py reads a run; folds.py, fitting.py, tables.py, copies.py, confounds.py and outside.py hold a question each; audit.py asks them all and
gives a verdict. sources.py and fingerprint.py write, while the cohort is at hand, what the audit later needs to know of each clip.
"""

from semiology.audit.sources import write_sources

__all__ = ["write_sources"]
