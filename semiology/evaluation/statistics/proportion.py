"""Wilson's interval for a single proportion."""

import math

from scipy.stats import norm

LEVEL = 95  # per cent, of every interval in the project


def wilson(hits: float, n: float) -> tuple[float, float]:
    """95 % score interval (Wilson 1927) of a proportion, `hits` of `n` independent trials; without continuity correction.

    For independent trials only: for one clip a participant, not for several clips of one.

    Raises:
        ValueError: no trials, or more hits than trials.
    """
    if not 0 <= hits <= n or n <= 0:
        raise ValueError(f"{hits} hits in {n} trials are no proportion")
    z = float(norm.ppf(0.5 + LEVEL / 200))
    share = hits / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return (0.0 if hits == 0 else centre - half), (1.0 if hits == n else centre + half)
