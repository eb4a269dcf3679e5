"""The frames of a recording in which something may be computed, and the longest stretch of them."""

import numpy as np
from numpy.typing import NDArray

from semiology.data.preprocessing import unbroken_runs


def usable(values: NDArray) -> NDArray:
    """(time,) of bool: every value of that frame is finite. `values` is (time, ...)."""
    values = np.asarray(values, float)
    return np.isfinite(values.reshape(len(values), int(np.prod(values.shape[1:])))).all(axis=1)


def longest_run(values: NDArray) -> NDArray:
    """The longest stretch of (time, ...) values that holds no NaN, the first of equal ones; no frames where all are missing."""
    runs = unbroken_runs(usable(values))
    return np.asarray(values, float)[max(runs, key=lambda run: run.stop - run.start, default=slice(0))]
