"""Hanley and McNeil's interval beside published figures; thresholds by hand."""

import numpy as np
import pytest

from semiology.evaluation.statistics.calibration import youden
from semiology.evaluation.statistics.intervals import delong, hanley_mcneil, standard_error


def test_hanley_and_mcneils_own_example():
    """Their 109 CT images rated 1 to 5 by one reader, 58 normal and 51 abnormal: W = 0.893 with a
    standard error of 0.032.

    They take the two moments from the ratings there, which is done here too; from the area alone,
    as in the function, the error comes out 2 % larger: on the safe side, as they say.
    """
    normal, abnormal = np.array([33, 6, 6, 11, 2.0]), np.array([3, 2, 2, 11, 33.0])
    truth, ratings = (
        np.repeat([0, 1], [58, 51]),
        np.repeat([*range(5), *range(5)], np.r_[normal, abnormal].astype(int)),
    )
    area = float(delong(truth, ratings).areas[0])
    above, below = np.cumsum(abnormal[::-1])[::-1] - abnormal, np.cumsum(normal) - normal
    two_abnormal = (normal * (above**2 + above * abnormal + abnormal**2 / 3)).sum() / (58 * 51**2)
    two_normal = (abnormal * (below**2 + below * normal + normal**2 / 3)).sum() / (51 * 58**2)
    printed = (
        (area * (1 - area) + 50 * (two_abnormal - area**2) + 57 * (two_normal - area**2))
        / (51 * 58)
    ) ** 0.5
    assert (round(area, 3), round(printed, 3)) == (0.893, 0.032)
    assert printed < standard_error(area, 51, 58) < 1.02 * printed
    found = hanley_mcneil(area, 51, 58)
    assert (found.low, found.high) == pytest.approx(
        (0.8295, 0.9568), abs=1e-4
    )  # 0.8932 -+ 1.96 * 0.03249


@pytest.mark.parametrize(
    ("positive", "negative", "printed"),
    [(20, 200, 0.06498283), (110, 110, 0.03282048), (20, 20, 0.07789072)],
)
def test_standard_errors_as_the_r_package_auctestr_prints_them(positive, negative, printed):
    assert standard_error(0.75, positive, negative) == pytest.approx(printed, abs=1e-8)


def test_a_standard_error_by_hand():
    # area 0.5, 2 and 3: both chances are 1/3; (0.25 + 1 / 12 + 2 / 12) / 6 = 1 / 12, the variance
    # of Wilcoxon's statistic
    assert standard_error(0.5, 2, 3) == pytest.approx((1 / 12) ** 0.5)


def test_limits_stay_between_0_and_1_and_what_is_no_area_is_refused():
    assert hanley_mcneil(0.98, 5, 5).high == 1.0 and hanley_mcneil(1.0, 5, 5).low == 1.0
    for wrong in ((1.2, 5, 5), (0.7, 0, 5)):
        with pytest.raises(ValueError, match="no standard error"):
            standard_error(*wrong)


def test_youdens_threshold_by_hand():
    # above 0.525 two of three positives and no negative: 2/3 + 1; above 0.25 all positives and two
    # of four negatives: 1 + 1/2
    found = youden([0, 0, 0, 0, 1, 1, 1], [0.1, 0.2, 0.4, 0.45, 0.3, 0.6, 0.9])
    assert (found.value, found.sensitivity, found.specificity) == pytest.approx((0.525, 2 / 3, 1.0))


def test_of_equal_thresholds_the_balanced_one_then_the_lowest():
    # at 0.25 (1, 1/2), at 0.45 (1/2, 1/2), at 0.7 (1/2, 1): the outer two both come to 3/2, equally
    # out of balance
    assert youden([0, 1, 0, 1], [0.2, 0.3, 0.6, 0.8]).value == pytest.approx(0.25)
    # 4 and 4: (1, 1/2), (3/4, 3/4), (1/2, 1) all come to 3/2
    truth, score = [0, 0, 1, 0, 1, 0, 1, 1], [1, 2, 3, 4, 5, 6, 7, 8]
    found = youden(truth, score)
    assert (found.value, found.sensitivity, found.specificity) == (4.5, 0.75, 0.75)


def test_an_uninformative_score_calls_everybody_positive():
    found = youden([0, 1, 1], [0.4, 0.4, 0.4])
    assert (found.value, found.sensitivity, found.specificity) == (0.4, 1.0, 0.0)
    with pytest.raises(ValueError, match="both classes"):
        youden([1, 1], [0.2, 0.3])
