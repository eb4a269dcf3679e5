"""Where features mean nothing, are p-values of the permutation null uniform? And how far below 0.5
are pooled AUCs of useless models?

200 cohorts of 19 participants with two clips each, 9 participants with the sign; features are
noise, part of it common to a participant's clips. The model is `LosoRidge`, leaving one participant
out; its null comes from 999 exchanges of the participants' labels, and for some cohorts from all
92,378 assignments. Writes docs/images/null_uniform.png.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from record import record
from scipy.stats import kstest

from semiology.evaluation.statistics.permutation import LosoRidge
from semiology.files import atomic_path

COHORTS, PEOPLE, WITH_SIGN, CLIPS, FEATURES = 200, 19, 9, 2, 10
PERMUTATIONS = 999
EXACT = 5  # cohorts whose null is enumerated as well
SEED = 2026
FIGURE = Path("docs/images/null_uniform.png")
BLUE, GREY = "#0072b2", "#767676"


def main() -> int:
    rng = np.random.default_rng(SEED)
    participants = np.repeat(np.arange(PEOPLE), CLIPS)
    p, observed, chance, exact = [], [], [], []
    for number in range(COHORTS):
        common = rng.normal(size=(PEOPLE, FEATURES))[participants]
        model = LosoRidge(common + rng.normal(size=(PEOPLE * CLIPS, FEATURES)), participants)
        labels = (rng.permutation(PEOPLE) < WITH_SIGN).astype(int)[participants]
        found = model.permutation_test(labels, "auc", PERMUTATIONS, seed=number)
        p.append(found.p)
        observed.append(found.value)
        chance.append(found.null.mean())
        if number < EXACT:
            exact.append(model.permutation_test(labels, "auc").p)
    test = kstest(p, "uniform")
    below = float(np.mean(np.array(p) <= 0.05))
    apart = float(np.abs(np.array(p[:EXACT]) - exact).max())
    print(
        f"{COHORTS} cohorts: p <= 0.05 in {100 * below:.1f} % of them; Kolmogorov-Smirnov"
        f" {test.statistic:.3f}, p = {test.pvalue:.2f}"
    )
    print(
        f"pooled AUC: mean {np.mean(observed):.3f}, sd {np.std(observed, ddof=1):.3f}; mean of the"
        f" nulls {np.mean(chance):.3f}"
    )
    print(
        f"all 92,378 assignments for {EXACT} cohorts: p differs from that of {PERMUTATIONS}"
        f" exchanges by {apart:.3f} at most"
    )
    draw(np.array(p), np.array(observed), float(test.pvalue))
    return record(
        "null-uniform",
        {
            "ks": float(test.statistic),
            "ks_p": float(test.pvalue),
            "share_below_0.05": below,
            "auc_mean": float(np.mean(observed)),
            "auc_sd": float(np.std(observed, ddof=1)),
            "null_auc_mean": float(np.mean(chance)),
            "exact_apart": apart,
            "permutations": PERMUTATIONS,
        },
        "p-values of 200 null cohorts uniform: Kolmogorov-Smirnov p above 0.05 [our choice]",
        test.pvalue > 0.05,
        headline=(
            f"Kolmogorov-Smirnov p = {test.pvalue:.2f}; mean pooled AUC of a useless model"
            f" {np.mean(observed):.3f}"
        ),
        seed=SEED,
    )


def draw(p: np.ndarray, observed: np.ndarray, ks_p: float) -> None:
    """Left the p-values in order beside the diagonal, right the pooled AUCs."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 2.9), constrained_layout=True)
    left.plot([0, 1], [0, 1], color=GREY, lw=1, ls="--")
    left.step(np.sort(p), np.arange(1, len(p) + 1) / len(p), color=BLUE, lw=1.8, where="post")
    left.set(
        xlabel="p of the permutation null", ylabel="share of cohorts", xlim=(0, 1), ylim=(0, 1)
    )
    left.set_title(f"p-values of {len(p)} null cohorts (KS p = {ks_p:.2f})", fontsize=10)
    right.hist(observed, bins=np.linspace(0, 1, 26), color=BLUE, alpha=0.75)
    right.set_ylim(top=1.2 * right.get_ylim()[1])
    right.axvline(0.5, color=GREY, lw=1, ls="--")
    right.axvline(observed.mean(), color="black", lw=1.5)
    right.text(
        observed.mean() - 0.02,
        right.get_ylim()[1] * 0.97,
        f"mean {observed.mean():.2f}",
        ha="right",
        va="top",
    )
    right.text(0.52, right.get_ylim()[1] * 0.97, "0.5", color=GREY, va="top")
    right.set(xlabel="pooled AUC of a useless model", ylabel="cohorts", xlim=(0, 1))
    right.set_title("useless models lie below one half", fontsize=10)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    with atomic_path(FIGURE) as temporary:
        figure.savefig(temporary, dpi=110, format="png")


if __name__ == "__main__":
    sys.exit(main())
