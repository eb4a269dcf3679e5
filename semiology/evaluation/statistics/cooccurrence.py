"""Which signs occur in the same clip more often, or more rarely, than by chance."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semiology.evaluation.statistics.comparison import holm
from semiology.evaluation.statistics.intervals import LEVEL
from semiology.evaluation.statistics.metrics import Array
from semiology.evaluation.statistics.permutation import many_permutations

PERMUTATIONS = 999  # of labels between participants [our choice]
CHANCE = (
    f"{PERMUTATIONS} permutations that give each participant the classes of another one, of one"
    " label of the pair and not of the other; p is twice the smaller tail, corrected by Holm"
    " over the pairs"
)

Codes = NDArray[np.integer]


def cooccurrence(
    signs: Sequence[tuple[str, str]],
    truth: Array,
    predicted: Array,
    participant: Codes,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """How often two signs of different labels occur in the same clip, beside what chance gives.

    Chance: one label of the pair is permuted between participants, who are the exchangeable units,
    as their clips depend on each other. Every participant keeps the other label, and receives the
    list of somebody's classes. What is left is how often the signs would meet if having the one
    were no evidence of having the other. (Independence within each participant's own rates would be
    blind where a participant has one or two clips.)

    Parameters
    ----------
    signs : sequence of (label, class)
        Of each column.
    truth : (clip, sign) ndarray
        1 present, 0 absent, NaN not scored.
    predicted : (seed, clip, sign) ndarray
        The same as predicted.
    participant : (clip,) ndarray of int
        Code of each clip's participant.
    permutations : int
        Their number.
    seed : int
        Of the permutations.

    Returns
    -------
    list of dict
        A pair each: "a" and "b" ([label, class]), "clips" (scored for both labels), "truth" and
        "predicted" (mean over seeds), each {"together", "expected", "low", "high" (95 % range by
        chance), "p" (twice the smaller tail), "p_corrected" (Holm)}; None where no clip has both
        labels.

    References
    ----------
    Gotelli 2000, Ecology 81:2606 (co-occurrence by permutation); Winkler et al. 2015, NeuroImage
    123:253 (exchangeable blocks) [P].
    """
    rng = np.random.default_rng(seed)
    clips = np.arange(len(truth))
    orders = list(many_permutations(participant, clips, permutations, rng))
    pairs = [(a, b) for a, b in combinations(range(len(signs)), 2) if signs[a][0] != signs[b][0]]
    first, second = np.array(pairs, dtype=int).reshape(-1, 2).T
    scored = np.isfinite(truth).astype(float)
    both = (scored.T @ scored)[first, second]
    found = {
        "truth": _together([truth], orders, first, second),
        "predicted": _together(list(predicted), orders, first, second),
    }
    return [
        {"a": list(signs[a]), "b": list(signs[b]), "clips": int(both[number])}
        | {what: rows[number] for what, rows in found.items()}
        for number, (a, b) in enumerate(pairs)
    ]


def _together(
    runs: Sequence[Array], orders: Sequence[Codes], first: Codes, second: Codes
) -> list[dict[str, Any] | None]:
    """How many clips have both signs of each pair, in the runs' mean, and under permutations."""
    observed, null = [], []
    for signs in runs:
        present, scored = np.nan_to_num(signs), np.isfinite(signs).astype(float)
        count, of = ((table.T @ table)[first, second] for table in (present, scored))
        observed.append(count)
        drawn = []
        for order in orders:
            met = (present.T @ present[order])[first, second]
            both = (scored.T @ scored[order])[first, second]
            drawn.append(of * np.divide(met, both, out=np.full_like(met, np.nan), where=both > 0))
        null.append(drawn)
    together, chance = np.mean(observed, axis=0), np.mean(null, axis=0)  # (pair,), (draw, pair)
    rows: list[dict[str, Any] | None] = []
    for pair, value in enumerate(together):
        known = chance[np.isfinite(chance[:, pair]), pair]
        if not of[pair] or not len(known):
            rows.append(None)
            continue
        tail = 1 + min((known >= value - 1e-9).sum(), (known <= value + 1e-9).sum())
        low, high = np.percentile(known, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
        rows.append(
            {
                "together": float(value),
                "expected": float(known.mean()),
                "low": float(low),
                "high": float(high),
                "p": min(1.0, 2 * int(tail) / (1 + len(known))),
            }
        )
    tested = [row for row in rows if row]
    for row, corrected in zip(tested, holm([row["p"] for row in tested])):
        row["p_corrected"] = corrected
    return rows
