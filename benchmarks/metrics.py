"""Every metric against scikit-learn on random tables, and what is published with numbers: DeLong,
Wilson, McNemar.

Published values:
- DeLong: the patients with ovarian cancer of DeLong, DeLong & Clarke-Pearson 1988 (49, of whom 43
  have all tests), as printed in SAS/STAT User's Guide, The LOGISTIC Procedure, "Comparing Receiver
  Operating Characteristic Curves": areas, errors, limits, test of both contrasts.
- Wilson: Newcombe 1998, Statistics in Medicine 17:857-872, Table I, method 3.
- McNemar: Fay, "Exact McNemar's Test and Matching Confidence Intervals" (vignette of the R package
  exact2x2), 2 and 9 discordant pairs.
"""

import sys
import warnings

import numpy as np
import sklearn.metrics as oracle
from record import record
from scipy.stats import chi2
from sklearn.calibration import calibration_curve

from semiology.evaluation.statistics.calibration import BINS, reliability
from semiology.evaluation.statistics.comparison import mcnemar
from semiology.evaluation.statistics.intervals import delong, wilson
from semiology.evaluation.statistics.metrics import metric_names
from semiology.evaluation.statistics.out_of_fold import OutOfFold

TABLES = 1000
SEED = 2026
# by patient: albumin, total protein, K-G score (low is good: ten minus it is the test), outcome
OVARIAN = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0
1.6 5.6 5 1  3.8 5.7 5 1  3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1
4.3 7.0 4 1  3.6 6.7 4 0  2.3 4.4 6 1  4.2 7.6 4 0  4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1
3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1  3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1
3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0  3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1
3.5 6.2 5 1  2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1  3.3 5.7 6 1  3.7 6.9 5 1
3.6 6.6 5 1
"""
AREAS = {  # area, standard error, limits
    "albumin": (0.7366, 0.0927, 0.5549, 0.9182),
    "total protein": (0.6478, 0.1000, 0.4518, 0.8439),
    "K-G score": (0.7258, 0.1028, 0.5243, 0.9273),
}
CONTRASTS = (
    2.5340,
    0.2817,
)  # chi-square with two degrees of freedom of both differences from the K-G score, p
NEWCOMBE = (
    (81, 263, 0.2553, 0.3662),
    (15, 148, 0.0624, 0.1605),
    (0, 20, 0.0000, 0.1611),
    (1, 29, 0.0061, 0.1718),
)
FAY = (2, 9, 0.06543)


def main() -> int:
    rng = np.random.default_rng(SEED)
    differences: dict[str, list[float]] = {}
    for number in range(TABLES):
        for name, difference in against_sklearn(
            rng, levels=2 if number % 2 else int(rng.integers(3, 6))
        ).items():
            differences.setdefault(name, []).append(difference)
    apart = {
        name: float(np.max(found)) for name, found in differences.items()
    }  # NaN, were one of both without a value
    for name, found in differences.items():
        print(
            f"{name:<36} largest difference from scikit-learn in {len(found)} tables"
            f" {apart[name]:.1e}"
        )
    published = {
        "DeLong": delong_as_published(),
        "Wilson": wilson_as_published(),
        "McNemar": abs(mcnemar(*FAY[:2]) - FAY[2]),
    }
    for name, difference in published.items():
        print(f"{name:<36} largest difference from the published values {difference:.1e}")
    worst = float(np.max(list(apart.values())))
    return record(
        "metrics",
        {"sklearn": apart, "published": published, "tables": TABLES},
        "scikit-learn within 1e-9, published values within their last digit",
        worst < 1e-9
        and published["DeLong"] < 5.1e-5
        and published["Wilson"] < 5.1e-5
        and published["McNemar"] < 5.1e-6,
        headline=(
            f"{len(apart)} metrics within {worst:.0e} of scikit-learn, published values within"
            f" {max(published.values()):.0e}"
        ),
        seed=SEED,
    )


def against_sklearn(rng: np.random.Generator, levels: int) -> dict[str, float]:
    """metric -> distance between ours and scikit-learn's, in a cohort of random size, in which
    participants count 0 to 3 times.
    """
    people = int(rng.integers(4, 25))
    participant = np.repeat(np.arange(people), rng.integers(1, 5, people))
    truth = rng.integers(0, levels, len(participant))
    probability = rng.dirichlet(np.ones(levels), len(truth)).round(
        int(rng.integers(1, 4))
    )  # rounding makes ties
    probability[:, 0] = 1 - probability[:, 1:].sum(1)
    predicted = probability.argmax(1)
    model = OutOfFold(
        tuple(f"{who:02d}" for who in range(people)),
        (0,),
        participant,
        truth,
        predicted[None],
        probability[None],
    )
    weights = rng.integers(0, 4, people).astype(float)
    clip = weights[participant]
    if len(set(truth[clip > 0])) < levels or len(set(predicted[clip > 0])) < levels:
        return {}
    given = {"sample_weight": clip}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = _sklearn(truth, predicted, probability, given, levels)
    kind = "two levels" if levels == 2 else "more levels"
    found = {
        f"{name}, {kind}": abs(model.metric(name, weights[None])[0, 0] - expected[name])
        for name in metric_names(levels)
    }
    if levels == 2:
        share, mean = calibration_curve(truth, probability[:, 1], n_bins=BINS)
        bins = reliability(truth, probability)["bins"]
        found["reliability bins"] = max(
            max(abs(ours["share"] - s), abs(ours["mean_probability"] - m))
            for ours, s, m in zip(bins, share, mean, strict=True)
        )
    return found


def _sklearn(
    truth: np.ndarray, predicted: np.ndarray, probability: np.ndarray, given: dict, levels: int
) -> dict[str, float]:
    two = levels == 2
    by_level = [
        oracle.roc_auc_score(truth == level, probability[:, level], **given)
        for level in ([1] if two else range(levels))
    ]
    expected = {
        "f1": oracle.f1_score(truth, predicted, average="binary" if two else "macro", **given),
        "accuracy": oracle.accuracy_score(truth, predicted, **given),
        "auc": float(np.mean(by_level)),
        "balanced_accuracy": oracle.balanced_accuracy_score(truth, predicted, **given),
        "mcc": oracle.matthews_corrcoef(truth, predicted, **given),
    }
    squares = ((probability - np.eye(levels)[truth]) ** 2).sum(1)
    weights = given["sample_weight"]
    expected["brier"] = (
        oracle.brier_score_loss(truth, probability[:, 1], **given)
        if two
        else np.average(squares, weights=weights)
    )
    if two:
        expected |= {
            "sensitivity": oracle.recall_score(truth, predicted, **given),
            "specificity": oracle.recall_score(truth, predicted, pos_label=0, **given),
            "ppv": oracle.precision_score(truth, predicted, **given),
            "npv": oracle.precision_score(truth, predicted, pos_label=0, **given),
            "average_precision": oracle.average_precision_score(truth, probability[:, 1], **given),
        }
    return expected


def delong_as_published() -> float:
    """Largest distance from the printed areas, standard errors, limits, chi-square and p."""
    data = np.array(OVARIAN.split(), dtype=float).reshape(-1, 4)
    found = delong(data[:, 3], np.stack([data[:, 0], data[:, 1], 10 - data[:, 2]]))
    ours = np.column_stack([found.areas, found.errors, found.limits()])
    contrast = np.array([[1, 0, -1], [0, 1, -1]])
    difference = contrast @ found.areas
    statistic = difference @ np.linalg.solve(contrast @ found.covariance @ contrast.T, difference)
    tested = np.abs(np.array([statistic, chi2.sf(statistic, 2)]) - CONTRASTS)
    return float(max(np.abs(ours - np.array(list(AREAS.values()))).max(), tested.max()))


def wilson_as_published() -> float:
    """Largest distance from Newcombe's table."""
    return max(
        abs(ours - printed)
        for hits, n, *limits in NEWCOMBE
        for ours, printed in zip(wilson(hits, n), limits)
    )


if __name__ == "__main__":
    sys.exit(main())
