"""Agreement statistics against published worked examples, and whether intervals over participants
hold the truth.

Published, to the printed digits:
- ICC: Shrout & Fleiss 1979, Psychological Bulletin 86:420, Tables 2 and 4 (6 targets, 4 judges).
- Limits of agreement: Bland & Altman 1986, Lancet i:307 (PEFR of 17 people; limits of the rounded
  bias and sd at 2 sd, as printed); 1999, Stat Methods Med Res 8:135, section 2.2 (from the printed
  bias, sd and n = 85); with repeated measures 2007, J Biopharm Stat 17:571, section 3 (60 pairs of
  12 people, the table of 1999). That paper goes on with rounded mean squares and prints 0.99062408
  and -1.3394565 where the exact values are 0.99062411 and -1.3394566, so six decimals are compared.
- Error of one score: Weir 2005, J Strength Cond Res 19:231, data set A (8 people, two trials), p.
  236.
- Weighted kappa: what SAS PROC FREQ and R's irr print (its data `anxiety`, raters 2 and 3, levels
  by rank), as statsmodels keeps it.
- Pearson and Spearman: Le 2003, Introductory Biostatistics, Examples 2.8 and 2.10; Spearman without
  ties: Wikipedia, "Spearman's rank correlation coefficient" (IQ and hours of television).
- Standardised response mean: Bodger et al. 2014, Gut 63:1092, Table 6, from changes made to have
  the printed mean and sd: all it hangs on.

Simulated: cohorts of 20 participants at 4 visits, whose scores by machine and rater share a
participant's and a visit's part. The truth is that of 50,000 participants. Beside the intervals by
participant stand the same intervals with every row taken as a participant. Told besides, not
tested: cohorts of 10 and of 5, the fewest for which there is an interval.
"""

import argparse
import sys

import numpy as np
import pandas as pd
from pingouin import intraclass_corr
from record import record
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import cohen_kappa_score

from semiology.evaluation.agreement import Paired
from semiology.evaluation.agreement.change import sem_consistency, standardised_response_mean
from semiology.evaluation.agreement.coefficients import closed_form, mean_squares
from semiology.evaluation.agreement.pairs import FEWEST, estimate
from semiology.evaluation.statistics.intervals import draw_participants

LOW, HIGH = (
    0.92,
    0.98,
)  # of 95 %, in 300 cohorts whose share has a standard error of 1.3 %; our choice, before the run
DRAWS = 1000
PEOPLE, VISITS = 20, 4
FEWER = (10, FEWEST)
COVERED = (
    "spearman",
    "pearson",
    "icc_2_1",
    "kappa_quadratic",
    "mean_absolute_error",
    "bias",
    "upper_limit",
)
JUDGES = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]
CARDIAC = """
1 7.83 6.57  1 7.42 5.62  1 7.89 6.90  1 7.12 6.57  1 7.88 6.35  2 6.16 4.06
2 7.26 4.29  2 6.71 4.26  2 6.54 4.09  3 4.75 4.71  3 5.24 5.50  3 4.86 5.08
3 4.78 5.02  3 6.05 6.01  3 5.42 5.67  4 4.21 4.14  4 3.61 4.20  4 3.72 4.61
4 3.87 4.68  4 3.92 5.04  5 3.13 3.03  5 2.98 2.86  5 2.85 2.77  5 3.17 2.46
5 3.09 2.32  5 3.12 2.43  6 5.92 5.90  6 6.42 5.81  6 5.92 5.70  6 6.27 5.76
7 7.13 5.09  7 6.62 4.63  7 6.58 4.61  7 6.93 5.09  8 4.54 4.72  8 4.81 4.61
8 5.11 4.36  8 5.29 4.20  8 5.39 4.36  8 5.57 4.20  9 4.48 3.17  9 4.92 3.12
9 3.97 2.96  10 4.22 4.35  10 4.65 4.62  10 4.74 3.16  10 4.44 3.53  10 4.50 3.53
11 6.78 7.20  11 6.07 6.09  11 6.52 7.00  11 6.42 7.10  11 6.41 7.40  11 5.76 6.80
12 5.06 4.50  12 4.72 4.20  12 4.90 3.80  12 4.80 3.80  12 4.90 4.20  12 5.10 4.50
"""
TRIALS = [
    [146, 140],
    [148, 152],
    [170, 152],
    [90, 99],
    [157, 145],
    [156, 153],
    [176, 167],
    [205, 218],
]
SAS = [[0, 4, 1], [0, 8, 0], [0, 1, 5]]
ANXIETY = [
    [3, 6, 4, 6, 2, 4, 2, 4, 3, 3, 2, 3, 3, 3, 2, 2, 1, 3, 3, 4],
    [2, 1, 4, 4, 3, 2, 1, 6, 1, 1, 1, 2, 3, 3, 1, 1, 3, 3, 2, 2],
]
BIRTH = [
    [112, 111, 107, 119, 92, 80, 81, 84, 118, 106, 103, 94],
    [63, 66, 72, 52, 75, 118, 120, 114, 42, 72, 90, 91],
]
TELEVISION = [
    [106, 86, 100, 101, 99, 103, 97, 113, 112, 110],
    [7, 0, 27, 50, 28, 29, 20, 12, 6, 17],
]
RESPONSES = {
    "IBD-Control-8, improved": (5.50, 4.69, 1.17),
    "IBD-Control-VAS, improved": (28.21, 31.33, 0.90),
}  # mean, sd, printed


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--cohorts", type=int, default=300)
    arguments = parser.parse_args()
    examples = published()
    for name, (ours, printed) in examples.items():
        print(
            f"{name:<62} printed {printed:>12}  ours"
            f" {ours:.8g}{'' if as_printed(ours, printed) else '   DIFFERS'}"
        )
    apart = against_libraries(np.random.default_rng([arguments.seed, 1]))
    print(
        "largest difference from libraries: "
        + ", ".join(f"{name} {value:.0e}" for name, value in apart.items())
    )
    print(
        f"\nintervals that hold the truth, % of {arguments.cohorts} cohorts of {PEOPLE}"
        f" participants at {VISITS} visits"
    )
    coverage = covered(arguments.cohorts, np.random.default_rng(arguments.seed))
    for name, (by_participant, by_row) in coverage.items():
        print(
            f"{name:<24} by participant {100 * by_participant:5.1f}   by row, naive"
            f" {100 * by_row:5.1f}",
            flush=True,
        )
    right = sum(as_printed(*example) for example in examples.values())
    spearman = coverage["spearman"]
    smaller = {}
    for people in FEWER:
        smaller[people] = {
            name: ours
            for name, (ours, _) in covered(
                arguments.cohorts, np.random.default_rng([arguments.seed, people]), people
            ).items()
        }
        print(
            f"{people} participants: "
            + ", ".join(f"{name} {100 * share:.1f}" for name, share in smaller[people].items()),
            flush=True,
        )
    return record(
        "agreement",
        {
            "published": {
                name: {"ours": ours, "printed": printed}
                for name, (ours, printed) in examples.items()
            },
            "libraries": apart,
            "coverage": {
                name: {"by participant": ours, "by row": rows}
                for name, (ours, rows) in coverage.items()
            },
            "coverage of fewer participants": smaller,
        },
        "all published figures, libraries within 1e-9, Spearman's intervals hold the truth in"
        f" {100 * LOW:.0f} to {100 * HIGH:.0f} % of {arguments.cohorts} cohorts",
        right == len(examples) and LOW <= spearman[0] <= HIGH and max(apart.values()) < 1e-9,
        headline=(
            f"{right} of {len(examples)} published figures to the printed digit, Spearman"
            f" {100 * spearman[0]:.1f} % by participant (naive {100 * spearman[1]:.1f} %)"
        ),
        seed=arguments.seed,
    )


def published() -> dict[str, tuple[float, str]]:
    """name -> ours, as printed."""
    found: dict[str, tuple[float, str]] = {}
    judges = mean_squares(np.array(JUDGES, float), np.ones((1, 6)))
    for name, value, printed in (
        ("1,1", judges.icc_1_1(), "0.17"),
        ("2,1", judges.icc_2_1(), "0.29"),
        ("3,1", judges.icc_3_1(), "0.71"),
    ):
        found[f"ICC({name}), Shrout & Fleiss 1979"] = float(value[0]), printed
    flow = alone(WRIGHT, MINI)
    bias, sd = flow.observed("bias"), flow.observed("sd_of_difference")
    found |= {
        "bias, l/min, Bland & Altman 1986": (bias, "-2.1"),
        "sd, l/min, Bland & Altman 1986": (sd, "38.8"),
    }
    found |= {
        "lower limit, bias - 2 sd rounded, Bland & Altman 1986": (
            round(bias, 1) - 2 * round(sd, 1),
            "-79.7",
        ),
        "upper limit, bias + 2 sd rounded, Bland & Altman 1986": (
            round(bias, 1) + 2 * round(sd, 1),
            "75.5",
        ),
    }
    pressure = closed_form(-16.29, 19.61, 85)
    found["bias, lower end, mmHg, Bland & Altman 1999"] = pressure["bias"].low, "-20.5"
    found["bias, upper end, mmHg, Bland & Altman 1999"] = pressure["bias"].high, "-12.1"
    who, first, second = np.array(CARDIAC.split(), float).reshape(-1, 3).T
    output = Paired(first, second, who.astype(int) - 1)
    for name, printed in (
        ("bias", "0.6021667"),
        ("sd_of_difference", "0.990624"),
        ("lower_limit", "-1.339457"),
        ("upper_limit", "2.543790"),
    ):
        found[f"{name}, repeated, Bland & Altman 2007"] = output.observed(name), printed
    found["SEM, Weir 2005"] = (
        float(sem_consistency(mean_squares(np.array(TRIALS, float), np.ones((1, 8))))[0]),
        "7.6",
    )
    table = alone(*(np.repeat(side.ravel(), np.ravel(SAS)) for side in np.indices((3, 3))))
    ranks = alone(*(np.searchsorted(np.unique(ANXIETY), scores) for scores in ANXIETY))
    found["kappa, linear, SAS"] = table.observed("kappa_linear"), "0.4701"
    found["kappa, linear, irr"] = ranks.observed("kappa_linear"), "0.1459075"
    found["kappa, quadratic, irr"] = ranks.observed("kappa_quadratic"), "0.2520325"
    found["Pearson, birth weight and growth, Le 2003"] = alone(*BIRTH).observed("pearson"), "-0.946"
    found["Spearman, birth weight and growth, Le 2003"] = (
        alone(*BIRTH).observed("spearman"),
        "-0.96",
    )
    found["Spearman, IQ and television"] = alone(*TELEVISION).observed("spearman"), "-0.175757576"
    for name, (mean, spread, printed) in RESPONSES.items():
        change = mean + spread * np.array([-1.0, 0, 1])
        found[f"response, {name}, Bodger 2014"] = (
            float(standardised_response_mean(change, np.ones((1, 3)))[0]),
            f"{printed:.2f}",
        )
    return found


def as_printed(ours: float, printed: str) -> bool:
    """Whether ours is the printed number, rounded to as many digits."""
    digits = len(printed.partition(".")[2])
    return f"{ours:.{digits}f}" == printed


def against_libraries(rng: np.random.Generator) -> dict[str, float]:
    """figure -> largest difference from scipy and scikit-learn in 300 resampled tables with ties,
    from pingouin in 20 of them.
    """
    apart: dict[str, float] = {}
    for number in range(300):
        first, second = rng.integers(0, 6, (2, 25))
        times = rng.multinomial(25, np.full(25, 1 / 25))
        a, b = np.repeat(first, times), np.repeat(second, times)
        expected = {
            "spearman": spearmanr(a, b).statistic,
            "pearson": pearsonr(a, b).statistic,
            "kappa_linear": cohen_kappa_score(a, b, weights="linear", labels=range(6)),
            "kappa_quadratic": cohen_kappa_score(a, b, weights="quadratic", labels=range(6)),
        }
        if number < 20:
            long = pd.DataFrame(
                {
                    "row": np.repeat(range(25), 2),
                    "rater": np.tile(["a", "b"], 25),
                    "score": np.stack([a, b], axis=1).ravel(),
                }
            )
            found = intraclass_corr(long, "row", "rater", "score")["ICC"].tolist()
            expected |= {"icc_2_1": found[1], "icc_3_1": found[2]}
        pair = alone(first, second)
        for name, value in expected.items():
            ours = float(pair.figure(name, times[None].astype(float))[0])
            apart[name] = max(apart.get(name, 0.0), abs(ours - value))
    return apart


def covered(
    cohorts: int, rng: np.random.Generator, people: int = PEOPLE
) -> dict[str, tuple[float, float]]:
    """figure -> shares of cohorts whose interval holds the truth: by participant, and with every
    row taken as a participant.
    """
    large = drawn(50_000, rng)
    true = {name: large.observed(name) for name in COVERED}
    hits: dict[str, list[tuple[bool, bool]]] = {name: [] for name in COVERED}
    for _ in range(cohorts):
        pair = drawn(people, rng)
        naive = alone(pair.first, pair.second)
        for name in COVERED:
            inside = []
            for pairing in (pair, naive):
                weights = draw_participants(pairing.participants, DRAWS, int(rng.integers(2**31)))
                figure = estimate(
                    ("", "", "", name),
                    lambda draws, pairing=pairing, name=name: pairing.figure(name, draws),
                    weights,
                    len(pair.first),
                )
                inside.append(figure.low is not None and figure.low <= true[name] <= figure.high)
            hits[name].append((inside[0], inside[1]))
    return {
        name: (
            float(np.mean([ours for ours, _ in found])),
            float(np.mean([rows for _, rows in found])),
        )
        for name, found in hits.items()
    }


def drawn(people: int, rng: np.random.Generator) -> Paired:
    """Severities of people (sd 2) and visits (sd 0.7), as a machine and a rater see them who
    misjudge people (sd 1) and visits (sd 0.5).
    """
    who = np.repeat(np.arange(people), VISITS)
    severity = 5 + 2 * rng.normal(size=people)[who] + 0.7 * rng.normal(size=len(who))
    machine, rater = (
        severity + rng.normal(size=people)[who] + 0.5 * rng.normal(size=len(who)) for _ in range(2)
    )
    return Paired(np.round(machine), np.round(rater + 0.5), who)


def alone(first: object, second: object) -> Paired:
    """Every row a participant of its own."""
    one, other = np.asarray(first, float), np.asarray(second, float)
    return Paired(one, other, np.arange(len(one)))


if __name__ == "__main__":
    sys.exit(main())
