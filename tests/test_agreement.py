"""Agreement: published examples, other libraries, and invariance to order, raters and scales."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr, rankdata, spearmanr
from sklearn.metrics import cohen_kappa_score

from semiology.cli.main import main
from semiology.evaluation.agreement import Paired, agree, read_scores
from semiology.evaluation.agreement.change import (
    sem_agreement,
    sem_consistency,
    standardised_response_mean,
    within_subject_sd,
)
from semiology.evaluation.agreement.coefficients import (
    closed_form,
    limits_of_agreement,
    mean_ranks,
    mean_squares,
    weighted_kappa,
)
from semiology.evaluation.agreement.pairs import FIGURES

ONCE = np.ones((1, 1))
SHROUT_FLEISS = [
    [9, 2, 5, 8],
    [6, 1, 3, 2],
    [8, 4, 6, 8],
    [7, 1, 2, 6],
    [10, 5, 6, 9],
    [6, 2, 4, 7],
]
WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]


def alone(first, second):
    """Every row a participant of its own."""
    first, second = np.asarray(first, float), np.asarray(second, float)
    return Paired(first, second, np.arange(len(first)))


def written(tmp_path, columns, name="scores.tsv"):
    path = tmp_path / name
    pd.DataFrame(columns).to_csv(path, sep="\t" if name.endswith("tsv") else ",", index=False)
    return path


@pytest.fixture
def cohort():
    """Twelve participants at three visits, scored by a machine and two raters."""
    rng = np.random.default_rng(5)
    people, visits = (
        np.repeat([f"p{number:02d}" for number in range(12)], 3),
        np.tile(["first", "again", "later"], 12),
    )
    true = np.repeat(rng.gamma(3, 2, 12), 3) - 2 * (visits == "later")
    return {
        "participant_id": people,
        "visit": visits,
        "machine": (true + rng.normal(0, 0.7, 36)).round(2),
        "r1": np.maximum(0, np.round(true + rng.normal(0, 0.9, 36))).astype(int),
        "r2": np.maximum(0, np.round(true + 1 + rng.normal(0, 0.9, 36))).astype(int),
    }


# published examples


def test_shrout_and_fleiss_1979():
    squares = mean_squares(np.array(SHROUT_FLEISS, float), np.ones((1, 6)))
    assert [
        round(float(value[0]), 2)
        for value in (squares.icc_1_1(), squares.icc_2_1(), squares.icc_3_1())
    ] == [0.17, 0.29, 0.71]


def test_bland_and_altman_1986():
    pair = alone(WRIGHT, MINI)
    bias, sd = pair.observed("bias"), pair.observed("sd_of_difference")
    assert (round(bias, 1), round(sd, 1)) == (-2.1, 38.8)
    assert (round(bias - 2 * sd), round(bias + 2 * sd)) == (
        -80,
        75,
    )  # -79.7 and 75.5 in print, of the rounded bias and sd, at 2 sd
    assert pair.observed("lower_limit") == pytest.approx(bias - 1.96 * sd)


def test_weir_2005_error_of_one_score():
    trials = np.array(
        [
            [146, 140],
            [148, 152],
            [170, 152],
            [90, 99],
            [157, 145],
            [156, 153],
            [176, 167],
            [205, 218],
        ],
        float,
    )
    assert round(float(sem_consistency(mean_squares(trials, np.ones((1, 8))))[0]), 1) == 7.6


def test_weighted_kappa_as_printed_by_sas_and_irr():
    counts = np.array([[0, 4, 1], [0, 8, 0], [0, 1, 5]])
    first, second = (
        np.repeat(side.ravel(), counts.ravel()).astype(float) for side in np.indices(counts.shape)
    )
    assert round(float(weighted_kappa(first, second, np.ones((1, len(first))), 1)[0]), 4) == 0.4701


# other libraries


def test_correlations_and_kappa_are_those_of_scipy_and_scikit_learn_in_any_resample():
    rng = np.random.default_rng(1)
    for _ in range(20):
        first, second = rng.integers(0, 5, (2, 15)).astype(float)
        weights = rng.multinomial(15, np.full(15, 1 / 15), size=3).astype(float)
        pair = alone(first, second)
        for draw, times in enumerate(weights.astype(int)):
            a, b = np.repeat(first, times), np.repeat(second, times)
            if np.ptp(a) == 0 or np.ptp(b) == 0:
                continue
            expected = {
                "spearman": spearmanr(a, b).statistic,
                "pearson": pearsonr(a, b).statistic,
                "kappa_linear": cohen_kappa_score(a, b, weights="linear", labels=range(5)),
                "kappa_quadratic": cohen_kappa_score(a, b, weights="quadratic", labels=range(5)),
                "proportional_bias": (
                    np.polyfit((a + b) / 2, a - b, 1)[0] if np.ptp(a + b) else np.nan
                ),
            }
            for name, value in expected.items():
                assert pair.figure(name, weights)[draw] == pytest.approx(
                    value, abs=1e-10, nan_ok=True
                ), name


def test_ranks_of_a_resample_are_those_of_its_rows_written_out():
    values, times = np.array([3.0, 1.0, 3.0, 2.0]), np.array([2, 0, 1, 3])
    ranks = mean_ranks(values, times[None].astype(float))[0]
    assert np.repeat(ranks, times).tolist() == rankdata(np.repeat(values, times)).tolist()


def test_icc_is_that_of_pingouin():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pingouin
    scores = np.random.default_rng(2).normal(size=(9, 3)) + np.arange(9)[:, None] / 3
    long = pd.DataFrame(
        {"target": np.repeat(range(9), 3), "rater": np.tile(range(3), 9), "score": scores.ravel()}
    )
    expected = pingouin.intraclass_corr(long, "target", "rater", "score")["ICC"].tolist()[:3]
    squares = mean_squares(scores, np.ones((1, 9)))
    assert [
        float(value[0]) for value in (squares.icc_1_1(), squares.icc_2_1(), squares.icc_3_1())
    ] == pytest.approx(expected)


# by hand


def test_limits_with_repeated_measures_by_hand():
    """Differences 1, 3 of one and 5, 7, 9 of another: within (2 + 8) / 3, between 30, rows a
    participant (5 - 13 / 5) / 1.
    """
    found = limits_of_agreement(
        np.array([1.0, 3, 5, 7, 9]), np.array([0, 0, 1, 1, 1]), np.ones((1, 2))
    )
    assert found.bias[0] == 5
    assert found.sd[0] ** 2 == pytest.approx(10 / 3 + (30 - 10 / 3) / 2.4)


def test_closed_form_intervals_by_hand():
    """n = 10, sd 2, t = 2.2622: the bias's arm is 2.2622 * 2 / sqrt(10), a limit's 2.2622 * 2 *
    sqrt(1 / 10 + 1.96^2 / 18).
    """
    intervals = closed_form(0.0, 2.0, 10)
    assert intervals["bias"].high == pytest.approx(1.43072, abs=1e-4)
    assert intervals["upper_limit"].high - intervals["upper_limit"].low == pytest.approx(
        2 * 2.26216 * 2 * np.sqrt(0.1 + 3.8416 / 18), abs=1e-4
    )


def test_errors_of_one_score_by_hand():
    """1, 3 / 5, 7: all shift by two between visits, so consistent scores have no error and absolute
    ones differ by sd 1.41.
    """
    squares = mean_squares(np.array([[1.0, 3], [5, 7]]), np.ones((1, 2)))
    assert sem_consistency(squares)[0] == pytest.approx(0)
    assert sem_agreement(squares)[0] == pytest.approx(np.sqrt(2))
    assert within_subject_sd(squares)[0] == pytest.approx(np.sqrt(2))


def test_scores_that_repeat_have_an_error_of_nothing():
    """Thirds are no binary numbers: the root of their rounding, 1e-16, is not stated."""
    squares = mean_squares(np.repeat([[0.1], [1 / 3], [4.0]], 3, axis=1), np.ones((1, 3)))
    assert (
        sem_agreement(squares)[0]
        == sem_consistency(squares)[0]
        == within_subject_sd(squares)[0]
        == 0
    )


def test_standardised_response_mean_by_hand():
    assert standardised_response_mean(np.array([1.0, 2, 3]), np.ones((1, 3)))[0] == pytest.approx(
        2.0
    )
    assert standardised_response_mean(np.array([1.0, 2, 3]), np.array([[2.0, 0, 1]]))[
        0
    ] == pytest.approx((5 / 3) / np.sqrt(4 / 3))
    assert np.isnan(standardised_response_mean(np.array([2.0, 2, 2]), np.ones((1, 3)))[0])


# what must stay the same, and what must not


def test_a_column_agrees_with_itself():
    pair = alone(WRIGHT, WRIGHT)
    for name in FIGURES:
        assert pair.observed(name) == pytest.approx(
            1 if name in ("spearman", "pearson") or name[:3] in ("icc", "kap") else 0
        ), name


def test_swapping_raters_flips_the_bias_and_its_limits_only(cohort, tmp_path):
    path = written(tmp_path, cohort)
    found = {
        machine: {
            figure.figure: figure
            for figure in agree(read_scores(path, machine, [rater], visit="visit"), draws=300)[0]
        }
        for machine, rater in (("r1", "r2"), ("r2", "r1"))
    }
    one, other = found["r1"], found["r2"]
    for name in (
        "spearman",
        "pearson",
        "icc_2_1",
        "icc_3_1",
        "kappa_linear",
        "mean_absolute_error",
    ):
        assert (one[name].value, one[name].low) == pytest.approx(
            (other[name].value, other[name].low)
        ), name
    assert one["bias"].value == pytest.approx(-other["bias"].value)
    assert one["bias"].low == pytest.approx(-other["bias"].high)
    assert one["lower_limit"].value == pytest.approx(-other["upper_limit"].value)


def test_a_stricter_rater_lowers_agreement_but_not_consistency():
    strict = alone(np.array(WRIGHT) + 100.0, MINI)
    fair = alone(WRIGHT, MINI)
    for name in ("icc_3_1", "pearson", "spearman", "sd_of_difference"):
        assert strict.observed(name) == pytest.approx(fair.observed(name)), name
    assert strict.observed("icc_2_1") < fair.observed("icc_2_1") - 0.1
    assert strict.observed("bias") == pytest.approx(fair.observed("bias") + 100)


def test_the_order_of_rows_does_not_matter(cohort, tmp_path):
    table = pd.DataFrame(cohort)
    found = []
    for number, rows in enumerate((table, table.sample(frac=1, random_state=3))):
        scores = read_scores(
            written(tmp_path, rows, f"{number}.tsv"), "machine", ["r1", "r2"], visit="visit"
        )
        figures, _ = agree(scores, ["first", "again"], ["first", "later"], draws=200)
        found.append([(figure.value, figure.low, figure.high) for figure in figures])
    assert np.array(found[0], float) == pytest.approx(np.array(found[1], float), nan_ok=True)


def test_rows_of_one_participant_are_not_taken_as_independent(tmp_path):
    """Five copies of every row carry no more information: the intervals keep their width."""
    people = {"participant_id": [f"p{number}" for number in range(17)], "a": WRIGHT, "b": MINI}
    widths = []
    for times in (1, 5):
        scores = read_scores(
            written(tmp_path, pd.DataFrame(people).loc[np.repeat(range(17), times)]), "a", ["b"]
        )
        figure = next(figure for figure in agree(scores)[0] if figure.figure == "spearman")
        assert (figure.participants, figure.rows) == (17, 17 * times)
        widths.append(figure.high - figure.low)
    assert widths[1] == pytest.approx(widths[0], rel=0.02)


def test_the_machine_beside_the_raters(cohort, tmp_path):
    """A machine that is the mean of both raters is nearer to each of them than they are to each
    other.
    """
    cohort["machine"] = (cohort["r1"] + cohort["r2"]) / 2
    figures, _ = agree(
        read_scores(written(tmp_path, cohort), "machine", ["r1", "r2"], visit="visit"), draws=300
    )
    by = {(figure.figure, figure.first): figure for figure in figures if figure.kind == "beside"}
    machine, raters, apart = (
        by["mean_absolute_error", side]
        for side in ("machine and raters", "raters among themselves", "difference")
    )
    assert machine.value == pytest.approx(raters.value / 2)
    assert apart.value == pytest.approx(machine.value - raters.value) and apart.high < 0
    assert by["icc_2_1", "difference"].value > 0
    between = next(
        figure
        for figure in figures
        if (figure.kind, figure.figure) == ("inter-rater", "mean_absolute_error")
    )
    assert (between.value, between.low, between.high) == pytest.approx(
        (raters.value, raters.low, raters.high)
    )


# the verb


def test_the_verb_writes_tables_pictures_and_a_page(cohort, tmp_path, capsys):
    cohort["r2"] = ["n/a", *cohort["r2"][1:].tolist()]
    path = written(tmp_path, cohort)
    arguments = [
        "agreement",
        str(path),
        "--machine",
        "machine",
        "--raters",
        "r1",
        "r2",
        "--visit",
        "visit",
        "--draws",
        "200",
    ]
    assert (
        main(
            [
                *arguments,
                "--retest",
                "first",
                "again",
                "--change",
                "first",
                "later",
                "--out",
                str(tmp_path / "out"),
            ]
        )
        == 0
    )
    table = pd.read_csv(tmp_path / "out/agreement.tsv", sep="\t", keep_default_na=False)
    pairs = table[table["kind"].isin(["machine-rater", "inter-rater"])]
    assert pairs.groupby(["first", "second"]).size().tolist() == [len(FIGURES)] * 3
    assert pairs.loc[pairs["second"] == "r1", "rows"].unique().tolist() == [36]
    assert pairs.loc[pairs["second"] == "r2", "rows"].unique().tolist() == [35]
    assert {"mdc95_agreement", "standardised_response_mean"} <= set(table["figure"])
    kappas = table[(table["kind"] == "beside") & (table["figure"] == "kappa_quadratic")].set_index(
        "first"
    )["method"]
    assert kappas.str.startswith("machine rounded to whole points").to_dict() == {
        "machine and raters": True,
        "raters among themselves": False,
        "difference": True,
    }
    document = json.loads((tmp_path / "out/agreement.json").read_text())
    assert "change of r2: left out, without a score at visit first: p00" in document["notes"]
    page = (tmp_path / "out/report.html").read_text()
    assert (
        page.count("data:image/png;base64,") == 3
        and "<script" not in page
        and "http" not in page.replace("http-equiv", "")
    )
    assert (tmp_path / "out/bland_altman_1_machine_r1.png").is_file()
    assert "icc_2_1" in capsys.readouterr().out
