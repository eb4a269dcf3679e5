"""Leakage audit: do a run's records prove that no held-out participant was used in training?

records.py reads a run; folds.py, predictions.py, copies.py, confounds.py and sources.py hold the
checks; `audit` makes them all. outside.py has those of predictions that an outsider gave as a
table. sources.py and fingerprint.py write, while the cohort is at hand,
what the audit later needs to know of each clip.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from semiology.errors import UserError
from semiology.evaluation.audit.check import Check, Finding, verdict
from semiology.evaluation.audit.confounds import check_confounds
from semiology.evaluation.audit.copies import check_copies, check_stretches
from semiology.evaluation.audit.folds import (
    check_fitted,
    check_once,
    check_refitted,
    check_sides,
    check_teachers,
)
from semiology.evaluation.audit.outside import check_outsider
from semiology.evaluation.audit.predictions import check_chance, check_table
from semiology.evaluation.audit.records import Run, read_run
from semiology.evaluation.audit.sources import check_outside, write_sources
from semiology.evaluation.run.files import digests
from semiology.evaluation.run.judged import judged_of
from semiology.files import write_json

__all__ = ["Check", "Finding", "audit", "verdict", "write_sources"]


def audit(run: str | Path, *, elsewhere: Sequence[str] | str = ()) -> list[Check]:
    """Check a finished run for data leakage from held-out participants into training.

    It needs the run's folder alone and trains nothing. Each check is passed, failed, or not
    possible where the run does not hold what it needs: then the audit is incomplete and says what
    is missing. Writes RUN/audit.json, with the SHA-256 of the predictions and the null that were
    audited. Of a run of `semiology judge` the checks are those that a table allows.

    Args:
        run: folder that `semiology loso` wrote.
        elsewhere: first digits (eight or more) of the SHA-256 of weights, or a list of them, that,
            as you state, were not trained on participants of this cohort; the answer says that it
            was stated.

    Returns:
        The checks, in the order of docs/audit.md.

    Raises:
        UserError: the folder is not a run, or its predictions cannot be read; something stated in
            `elsewhere` that is no start of a SHA-256.
    """
    elsewhere = [elsewhere] if isinstance(elsewhere, str) else elsewhere
    for start in elsewhere:
        if not re.fullmatch("[0-9a-fA-F]{8,64}", start):
            raise UserError(f"elsewhere: {start!r}: give the first digits of a SHA-256, 8 or more")
    read = read_run(run)
    checks = _checks(read, elsewhere)
    document = {
        "verdict": verdict(checks),
        "of": digests(run),
        "checks": [check.as_json() for check in checks],
    }
    write_json(Path(run) / "audit.json", document)
    return checks


def _checks(read: Run, elsewhere: Sequence[str]) -> list[Check]:
    if judged := judged_of(read.config):
        return check_outsider(read, judged)
    return [
        check_sides(read),
        *check_fitted(read),
        check_teachers(read),
        check_refitted(read),
        check_once(read),
        check_table(read),
        check_chance(read),
        check_stretches(read),
        check_copies(read),
        check_outside(read, elsewhere),
        check_confounds(read),
    ]
