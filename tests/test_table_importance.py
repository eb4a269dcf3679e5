"""Importance and partial dependence of groups of features: held-out people, by hand for the linear
model, whose prediction moves by weight times change.
"""

import numpy as np
import pandas as pd
import pytest

from semiology.errors import UserError
from semiology.experiments.table.folds import split_rows
from semiology.experiments.table.importance import POINTS, _donors, feature_groups
from semiology.experiments.table.models import fit
from semiology.experiments.table.reading import read_rows
from semiology.experiments.table.run import run_table
from semiology.experiments.table.settings import Table
from semiology.files import read_json


@pytest.fixture
def settings(tmp_path):
    """Twelve people, two rows each: y follows slow and little else; fast falls as slow rises."""
    rng = np.random.default_rng(0)
    slow = rng.normal(size=24)
    data = pd.DataFrame({"person": [f"P{number // 2:02}" for number in range(24)]})
    data["slow"], data["fast"] = slow, -slow + rng.normal(0, 0.1, 24)
    data["blink_1"], data["blink_2"] = rng.normal(size=(2, 24))
    data["site"] = list("kl") * 12
    data["y"] = 10 * slow + rng.normal(0, 0.5, 24)
    data.to_csv(tmp_path / "table.csv", index=False)
    return Table(
        table=str(tmp_path / "table.csv"),
        participant="person",
        target="y",
        out=str(tmp_path / "run"),
        categories=["site"],
        task="number",
        by="grouped",
        folds=3,
        models=["linear"],
        permutations=0,
        importance=2,
        groups=["speed=slow,fast", "blink_*", "site"],
    )


def changed(settings, **given):
    return Table(**{**vars(settings), **given})


def test_rise_of_the_error_and_curve_of_the_linear_model_are_weight_times_change(settings):
    run = run_table(settings)
    rows = read_rows(settings)
    found = read_json(run.run / "importance.json")
    part = found["tasks"]["y (table)"]
    assert found["figure"] == "rise of the mean absolute error" and part["participants"] == 12
    rise, curve = np.zeros(24), np.zeros((len(POINTS), 24))
    for fold in split_rows(settings, rows):
        model = fit(rows, "linear", fold.training, 3, 0)
        pipeline = model.best_estimator_
        scale = pipeline.named_steps["before"].named_transformers_["numbers"].named_steps["scale"]
        slope = pipeline.named_steps["model"].coef_[:2] / scale.scale_[:2]
        x = rows.features[["slow", "fast"]].to_numpy()
        before, truth = model.predict(rows.features.iloc[fold.held]), rows.target[fold.held]
        for donors in _donors(rows, fold, settings):
            assert not (rows.participants[donors] == rows.participants[fold.held]).any()
            after = before + (x[donors] - x[fold.held]) @ slope
            rise[fold.held] += (np.abs(after - truth) - np.abs(before - truth)) / 2
        for number, point in enumerate(POINTS):
            at = (
                np.quantile(x[fold.training, 0], point),
                np.quantile(x[fold.training, 1], 1 - point),
            )
            curve[number, fold.held] = before + (np.array(at) - x[fold.held]) @ slope
    own = part["models"]["linear"]["speed"]
    assert own["value"] == pytest.approx(rise.mean(), abs=1e-5)
    assert own["low"] < own["value"] < own["high"]
    values = [point["value"] for point in own["curves"][""]]
    assert values == pytest.approx(curve.mean(axis=1), abs=1e-5)
    assert own["value"] > 5 > 0.5 > abs(part["models"]["linear"]["blink_*"]["value"])
    site = part["models"]["linear"]["site"]["curves"][""]
    assert [point["at"] for point in site] == ["k", "l"]


def test_groups_by_name_prefix_and_correlation(settings):
    rows = read_rows(settings)
    assert feature_groups(settings, rows) == {
        "speed": ["slow", "fast"],
        "blink_*": ["blink_1", "blink_2"],
        "site": ["site"],
    }
    assert feature_groups(changed(settings, groups=["speed=slow"]), rows)["the others"] == [
        "fast",
        "blink_1",
        "blink_2",
        "site",
    ]
    assert feature_groups(changed(settings, groups=["prefix"]), rows)["blink"] == [
        "blink_1",
        "blink_2",
    ]
    alike = feature_groups(changed(settings, groups=["correlation"]), rows)
    assert alike == {
        "slow and 1 like it": ["slow", "fast"],
        "blink_1": ["blink_1"],
        "blink_2": ["blink_2"],
        "site": ["site"],
    }
    with pytest.raises(UserError, match=r'"slow" is in .a=slow. and in .b=s\*.; a column'):
        feature_groups(changed(settings, groups=["a=slow", "b=s*"]), rows)
    with pytest.raises(UserError, match=r"groups: no column is called 'au\*'"):
        run_table(changed(settings, groups=["au*"]))


def test_a_column_of_one_value_and_gaps_is_a_group_of_its_own(settings):
    """As jerks of a leg that one clip shows: of more than 20 features, grouped by correlation."""
    table = pd.read_csv(settings.table)
    table["blink_1"], table["blink_2"] = [0.0] * 23 + [np.nan], [0.2] + [np.nan] * 23
    for number in range(20):
        table[f"more_{number}"] = table["slow"] + number
    table.to_csv(settings.table, index=False)
    own = changed(settings, features=["slow", "blink_*", "more_*"], groups=None)
    assert feature_groups(own, read_rows(own)) == {
        "slow and 20 like it": ["slow", *(f"more_{number}" for number in range(20))],
        "blink_1": ["blink_1"],
        "blink_2": ["blink_2"],
        "site": ["site"],
    }


def test_one_participant_a_fold_takes_values_of_others_and_the_run_goes_on(settings):
    """Leaving one out there is nobody else in the fold; asked again with other groups, folds whose
    part is there are not trained again, and without importance nothing of it is left.
    """
    settings = changed(settings, by="participant", groups=None)
    run = run_table(settings).run
    assert len(list((run / "importance/y-table").glob("*.json"))) == 12
    models = read_json(run / "importance.json")["tasks"]["y (table)"]["models"]
    assert list(models["linear"]) == ["slow", "fast", "blink_1", "blink_2", "site"]
    part = run / "importance/y-table/P03.json"
    part.unlink()
    before = {path: path.stat().st_mtime_ns for path in part.parent.glob("*.json")}
    run_table(settings)
    assert part.is_file() and all(path.stat().st_mtime_ns == at for path, at in before.items())
    page = (run / "report.html").read_text(encoding="utf-8")
    assert (
        "Which features the models rely on" in page and "What a model relies on is no cause" in page
    )
    run_table(changed(settings, importance=0))
    assert not (run / "importance.json").exists() and not list(part.parent.iterdir())
