"""The null of a run: which models were tested, how it was computed, and a damaged null.json."""

import pandas as pd
import pytest
from test_metrics import predictions

from semiology.errors import UserError
from semiology.evaluation.statistics.results import UNTESTED, evaluate, table_text

TASK = "dystonia (pose)"
OTHER = "emotion (face)"
NULL = {"accuracy": [0.25, 0.5, 0.75]}


def table(model: str, task: str = TASK, seed: int = 0, first: float = 0.1) -> pd.DataFrame:
    return predictions(
        [0, 0, 1, 1],
        [first, 0.9, 0.8, 0.9],
        ["P1", "P2", "P3", "P4"],
        model=model,
        task=task,
        seed=seed,
    )


def method(tables: list[pd.DataFrame], null: dict | None) -> dict[str, str]:
    return evaluate(pd.concat(tables), draws=20, null=null)["method"]


def with_p(tables: list[pd.DataFrame], null: dict | None) -> set[tuple[str, str]]:
    """(task, model) of each model with a p."""
    return {
        (task, model)
        for task, found in evaluate(pd.concat(tables), draws=20, null=null)["tasks"].items()
        for model, one in found["models"].items()
        if any(metric.get("null", {}).get("p") is not None for metric in one["metrics"].values())
    }


def test_models_without_a_null_are_named_beside_those_with_one():
    both = [table("agcn"), table("linear")]
    all_of_them = {TASK: {"agcn": NULL, "linear": NULL}}
    assert with_p(both, all_of_them) == {(TASK, "agcn"), (TASK, "linear")}
    assert UNTESTED not in method(both, all_of_them)["chance"]
    assert with_p(both, {TASK: {"linear": NULL}}) == {(TASK, "linear")}
    assert f"AGCN: {UNTESTED}" in method(both, {TASK: {"linear": NULL}})["chance"]
    for none in (
        None,
        {},
        {TASK: {}},
        {TASK: {"tcn": NULL}},
        {TASK: {"agcn": {"accuracy": [None, None]}}},
    ):
        found = method(both, none)
        assert with_p(both, none) == set()
        assert found["chance"] == UNTESTED and found["permutations"] == "none"
    evaluated = evaluate(pd.concat(both), draws=20, null={TASK: {"linear": NULL}})
    assert f"Chance: permutation of labels, of linear only; AGCN: {UNTESTED}" in table_text(
        evaluated
    )


def test_a_model_that_was_tested_in_one_task_is_named_with_it():
    both = [table("agcn"), table("agcn", OTHER).assign(label="emotion"), table("linear")]
    null = {TASK: {"agcn": NULL, "linear": NULL}}
    assert with_p(both, null) == {(TASK, "agcn"), (TASK, "linear")}
    assert f"{OTHER} / AGCN: {UNTESTED}" in method(both, null)["chance"]


def test_a_mean_over_seeds_against_single_seeds_is_stated():
    # agcn: accuracy 3/4 with seed 0 and 2/4 with seed 1; linear is the same with both, so that its
    # mean is that of one seed
    seeds = [
        table("agcn"),
        table("agcn", seed=1, first=0.9),
        table("linear"),
        table("linear", seed=1),
    ]
    stated = method(seeds, {TASK: {"agcn": NULL, "linear": NULL}})["chance"]
    assert stated.count("mean over 2 seeds") == 1 and "AGCN" in stated and "linear" not in stated
    assert "mean over" not in method(seeds, {TASK: {"linear": NULL}})["chance"]
    assert "mean over" not in method(seeds[:1], {TASK: {"agcn": NULL}})["chance"]


@pytest.mark.parametrize(
    ("null", "message"),
    [
        ([1, 2], "the null: tasks by name were expected"),
        ({TASK: [0.5]}, f"the null of task '{TASK}': models by name"),
        ({TASK: {"agcn": [0.5]}}, f"the null of task '{TASK}', model 'agcn': metrics by name"),
        ({TASK: {"agcn": None}}, f"the null of task '{TASK}', model 'agcn': metrics by name"),
        ({TASK: {"agcn": {"auc": 0.5}}}, f"task '{TASK}', model 'agcn', metric 'auc': a list"),
        ({TASK: {"agcn": {"auc": "0.5"}}}, f"task '{TASK}', model 'agcn', metric 'auc': a list"),
        (
            {TASK: {"agcn": {"auc": [0.5, "0.4"]}}},
            f"task '{TASK}', model 'agcn', metric 'auc', value 2: '0.4' is neither",
        ),
        ({TASK: {"agcn": {"auc": [[0.5]]}}}, f"task '{TASK}', model 'agcn', metric 'auc', value 1"),
        (
            {TASK: {"agcn": {"auc": [True]}}},
            f"task '{TASK}', model 'agcn', metric 'auc', value 1: True is neither",
        ),
        (
            {TASK: {"agcn": {"auc": [float("nan")]}}},
            f"task '{TASK}', model 'agcn', metric 'auc', value 1: nan is neither",
        ),
    ],
)
def test_a_null_of_another_form_is_named_in_one_line(null, message):
    with pytest.raises(UserError) as caught:
        evaluate(table("agcn"), draws=20, null=null)
    assert message in str(caught.value) and "\n" not in str(caught.value)
