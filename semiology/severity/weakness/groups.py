"""Comparison of patients with controls in each measure: medians, Mann-Whitney test, an effect size
with its interval, and the false discovery rate.

One value per participant, because clips of one participant are not independent. The myasthenia
study compares expression scores per emotion between its groups [P]; its test and its correction for
multiple comparisons are not known to us: Mann-Whitney, the rank-biserial correlation and
Benjamini-Hochberg are our choice.
"""

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, mannwhitneyu

from semiology.evaluation.statistics.intervals import (
    Interval,
    at_bound,
    bca_interval,
    draw_participants,
    leave_one_out,
)
from semiology.evaluation.statistics.metrics import Array, auc, concordant_pairs

FEWEST = 3  # participants in each group that a comparison needs [our choice]
DRAWS = 2000
MEASURE = ["family", "measure", "side", "panel"]  # identify one comparison
SPREAD = ["n", "median", "q25", "q75"]
COLUMNS = [
    *MEASURE,
    "group",
    *SPREAD,
    *(f"{name}_control" for name in SPREAD),
    "u",
    "p",
    "q",
    "effect",
    "effect_low",
    "effect_high",
    "note",
]


def compare_groups(
    values: pd.DataFrame, control: str = "control", *, draws: int = DRAWS, seed: int = 0
) -> pd.DataFrame:
    """Compare every group with the controls in every measure.

    Args:
        values: one row per participant and measure: `participant_id`, `group`, `family` (q-values
            are computed over one family of measures, such as all emotions), `measure`, `side`,
            `panel`, `value`; NaN where there is none.
        control: the name of the control group.
        draws: bootstrap samples behind each interval.
        seed: of the bootstrap.

    Returns:
        One row per measure and group, in the order of `values`: `family`, `measure`, `side`,
        `panel`, `group`; `n`, `median`, `q25`, `q75` of the group and, with the suffix `_control`,
        of the controls; `u` of the group, `p` (two-sided), `q`, `effect` with `effect_low` and
        `effect_high`; `note`: the reason for a missing value.
    """
    rows: list[dict[str, Any]] = []
    for names, one in values.groupby(MEASURE, sort=False):
        controls = one.loc[one["group"] == control, "value"].to_numpy(float)
        for group in dict.fromkeys(values.loc[~values["group"].isin([control, ""]), "group"]):
            others = one.loc[one["group"] == group, "value"].to_numpy(float)
            rows.append(
                dict(zip(MEASURE, names))
                | {"group": group}
                | compare(others, controls, draws=draws, seed=seed)
            )
    table = pd.DataFrame(rows, columns=COLUMNS)
    table["q"] = table.groupby(["family", "group"], sort=False)["p"].transform(benjamini_hochberg)
    return table


def compare(
    group: np.ndarray, controls: np.ndarray, *, draws: int = DRAWS, seed: int = 0
) -> dict[str, Any]:
    """Compare one measure between a group (participant,) and controls (participant,); NaN is left
    out.

    `effect` is the rank-biserial correlation 2 U / (n n_control) - 1 (Wendt 1972, Kerby 2014): -1
    where the whole group lies below every control, 0 without a difference in ranks, 1 where it lies
    above. Its interval is BCa over participants of both groups; at -1 and 1, where resamples do not
    vary, Wilson's of the smaller group. p is scipy's: exact for 8 or fewer in a group without ties,
    else by the normal approximation, corrected for ties.
    """
    group, controls = (
        values[np.isfinite(values)]
        for values in (np.asarray(group, float), np.asarray(controls, float))
    )
    found: dict[str, Any] = {**_spread(group, ""), **_spread(controls, "_control")}
    found |= dict.fromkeys(("u", "p", "effect", "effect_low", "effect_high"), np.nan) | {"note": ""}
    fewest = min(len(group), len(controls))
    if fewest < FEWEST:
        which = "group" if len(group) == fewest else "controls"
        return found | {"note": f"{fewest} values in the {which}; {FEWEST} are needed"}
    pooled = np.concatenate([group, controls])
    if np.ptp(pooled) == 0:
        return found | {"note": "all values are equal"}
    test = mannwhitneyu(group, controls, alternative="two-sided")
    effect, limits = _effect(pooled, len(group), draws, seed)
    found |= {"u": float(test.statistic), "p": float(test.pvalue)}
    return found | {
        "effect": effect,
        "effect_low": limits.low,
        "effect_high": limits.high,
        "note": limits.reason,
    }


def _effect(pooled: np.ndarray, group: int, draws: int, seed: int) -> tuple[float, Interval]:
    """Rank-biserial correlation of the first `group` values with the others, and its interval."""
    count = len(pooled)
    is_group: Array = np.where(np.arange(count) < group, 1.0, 0.0)
    won = concordant_pairs(is_group, pooled, np.arange(count), count)

    def effect(weights: np.ndarray) -> np.ndarray:
        return 2 * auc(won, is_group, 1.0 - is_group, weights) - 1

    value = float(effect(np.ones((1, count)))[0])
    if perfect := at_bound(value, -1.0, min(group, count - group)):
        return value, perfect
    return value, bca_interval(
        value, effect(draw_participants(count, draws, seed)), effect(leave_one_out(count)), count
    )


def benjamini_hochberg(p: pd.Series) -> pd.Series:
    """q-values of p-values, ignoring NaN (Benjamini and Hochberg 1995)."""
    q = pd.Series(np.nan, p.index)
    known = p.notna()
    if known.any():
        q[known] = false_discovery_control(p[known].to_numpy())
    return q


def _spread(values: np.ndarray, which: str) -> dict[str, float]:
    """Number, median and quartiles of the values, their names ending in `which`."""
    low, middle, high = np.percentile(values, [25, 50, 75]) if len(values) else (np.nan,) * 3
    return dict(
        zip(
            [f"{name}{which}" for name in SPREAD],
            (len(values), float(middle), float(low), float(high)),
        )
    )
