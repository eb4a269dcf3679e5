"""Unbroken runs: the stretches of a recording within which something may be computed."""

import numpy as np
from numpy.typing import NDArray


def usable(values: NDArray) -> NDArray:
    """(time,) of bool: every value of that frame is finite. `values` is (time, ...)."""
    values = np.asarray(values, float)
    return np.isfinite(values.reshape(len(values), int(np.prod(values.shape[1:])))).all(axis=1)


def unbroken_runs(flags: NDArray) -> list[slice]:
    """The stretches of True in (time,) flags, in their order."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(flags, np.int8), [0]])))
    return [slice(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def longest_run(values: NDArray) -> NDArray:
    """The longest stretch of (time, ...) values that holds no NaN, the first of equal ones; no frames where all are missing."""
    runs = unbroken_runs(usable(values))
    return np.asarray(values, float)[max(runs, key=lambda run: run.stop - run.start, default=slice(0))]
