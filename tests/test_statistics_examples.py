"""The examples in the docstrings of statistics and agreement print what is written below them."""

import doctest
from importlib import import_module

import pytest

EXAMPLES = {  # module -> least number of statements in its examples
    "semiology.evaluation.statistics.metrics": 20,
    "semiology.evaluation.statistics.intervals": 15,
    "semiology.evaluation.statistics.permutation": 12,
    "semiology.evaluation.statistics.comparison": 6,
    "semiology.evaluation.statistics.calibration": 6,
    "semiology.evaluation.statistics.out_of_fold": 2,
    "semiology.evaluation.statistics.multilabel": 3,
    "semiology.evaluation.statistics.results": 2,
    "semiology.evaluation.agreement.coefficients": 12,
    "semiology.evaluation.agreement.pairs": 2,
    "semiology.evaluation.agreement.run": 5,
}


@pytest.mark.parametrize(("module", "least"), EXAMPLES.items())
def test_examples_of_the_docstrings_are_true(module, least):
    result = doctest.testmod(import_module(module))
    assert result.failed == 0 and result.attempted >= least
