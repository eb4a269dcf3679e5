"""The examples in the networks' docstrings print what stands below them."""

import doctest
from importlib import import_module

import pytest

MODULES = [
    "networks.agcn",
    "networks.ctrgcn",
    "networks.transformer",
    "networks.patches",
    "networks.tcn",
    "networks.gat",
    "networks.segments",
    "features.vgg",
    "features.r2plus1d",
]


@pytest.mark.parametrize("module", MODULES)
def test_examples_of_the_networks(module):
    found = doctest.testmod(import_module(f"semiology.models.{module}"))
    assert found.attempted >= 3 and found.failed == 0
