"""A clip summed up in numbers, without learning: what the cheapest model reads, and the layer below the first in probing."""

import warnings

import numpy as np


def summaries(series: np.ndarray, rate: float) -> dict[str, np.ndarray]:
    """mean, spread, least, greatest and speed (per second) over time of series (time, channel) -> (channel,) each; NaN is missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a channel that was never seen is NaN, and that is said by NaN
        return {
            "mean": np.nanmean(series, axis=0),
            "spread": np.nanstd(series, axis=0),
            "least": np.nanmin(series, axis=0),
            "greatest": np.nanmax(series, axis=0),
            "speed": np.nanmean(np.abs(np.diff(series, axis=0)), axis=0) * rate,
        }
