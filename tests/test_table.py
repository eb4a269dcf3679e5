"""`semiology table`: its folds are a literal loop's, nothing of a held-out row is in a fit, and
what cannot be used is refused.
"""

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import GroupKFold
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, TargetEncoder

from semiology.cli.main import main
from semiology.data.result import allowing
from semiology.errors import UserError
from semiology.evaluation.audit import audit
from semiology.evaluation.run.predictions import read_predictions
from semiology.evaluation.statistics.metrics import auc_of_rows
from semiology.evaluation.statistics.permutation import all_permutations, permute_labels
from semiology.experiments.table import linear, models
from semiology.experiments.table.folds import split_rows
from semiology.experiments.table.leaks import near_copies
from semiology.experiments.table.models import OrdinalLogit, fit
from semiology.experiments.table.predict import predict_table
from semiology.experiments.table.reading import read_rows
from semiology.experiments.table.run import run_table
from semiology.experiments.table.settings import Table
from semiology.files import read_json, write_json


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Few trees and penalties."""
    monkeypatch.setattr(models, "TREES", 10)
    for module in (models, linear):
        monkeypatch.setattr(module, "ALPHAS", (1.0, 100.0, 10000.0))


@pytest.fixture
def tumours(tmp_path):
    """Breast cancer, 66 rows of 22 participants, with a hole."""
    data = load_breast_cancer(as_frame=True).frame.iloc[20:86, [0, 1, 4, 7, 30]]
    data.columns = ["radius", "texture", "smooth", "concave", "diagnosis"]
    data["diagnosis"] = data["diagnosis"].map({0: "malignant", 1: "benign"})
    data.insert(0, "person", [f"P{number // 3:02}" for number in range(len(data))])
    data.iloc[5, 2] = np.nan
    data.to_csv(tmp_path / "tumours.csv", index=False)
    return tmp_path / "tumours.csv"


@pytest.fixture
def diabetes(tmp_path):
    """Diabetes, 60 rows of 20 participants; progression, and a grade of it from 0 to 4."""
    data = load_diabetes(as_frame=True, scaled=False).frame.iloc[:60, [0, 2, 3, 8, 10]]
    data["grade"] = pd.qcut(data["target"], 5, labels=False)
    data["other"] = np.roll(data["grade"], 1)
    data.insert(0, "person", [f"P{number // 3:02}" for number in range(len(data))])
    data.to_csv(tmp_path / "diabetes.csv", index=False)
    return tmp_path / "diabetes.csv"


def options(table, tmp_path, **given):
    """Options of a small run."""
    own = {"participant": "person", "out": str(tmp_path / "run"), "by": "grouped", "folds": 4}
    return Table(table=str(table), **{**own, "permutations": 20, "importance": 0, **given})


def literal(x, y, groups, training, held, make, grid, score):
    """Nested choice of a parameter and prediction as one writes them by hand."""
    splits = list(GroupKFold(3).split(training, groups=groups[training]))
    best, chosen = -np.inf, None
    for value in grid:
        values = []
        for inner, out in splits:
            model = make(value).fit(x.iloc[training[inner]], y[training[inner]])
            values.append(score(model, x.iloc[training[out]], y[training[out]]))
        if np.mean(values) > best:
            best, chosen = np.mean(values), value
    return make(chosen).fit(x.iloc[training], y[training])


def prepared(model):
    return make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), model)


def likelihood(model, x, y):
    clipped = np.maximum(model.predict_proba(x), 1e-4)
    return np.log(clipped[np.arange(len(y)), y]).mean()


def signs(model, x, y):
    return -((model.decision_function(x) - (2 * y - 1)) ** 2).mean()


def squared(model, x, y):
    return -((model.predict(x) - y) ** 2).mean()


CLASSIFIERS = {
    "linear": (lambda a: prepared(RidgeClassifier(a)), (1.0, 100.0, 10000.0), signs),
    "logistic": (
        lambda c: prepared(LogisticRegression(C=c, max_iter=2000)),
        models.STRENGTHS,
        likelihood,
    ),
    "forest": (
        lambda n: prepared(RandomForestClassifier(10, min_samples_leaf=n, random_state=0)),
        (1, 5),
        likelihood,
    ),
    "boosting": (
        lambda n: HistGradientBoostingClassifier(
            max_leaf_nodes=n, min_samples_leaf=5, early_stopping=False, random_state=0
        ),
        (3, 8, 20),
        likelihood,
    ),
    "neighbours": (lambda k: prepared(KNeighborsClassifier(k)), (3, 7, 15), likelihood),
}
REGRESSORS = {
    "linear": (lambda a: prepared(Ridge(a)), (1.0, 100.0, 10000.0), squared),
    "forest": (
        lambda n: prepared(RandomForestRegressor(10, min_samples_leaf=n, random_state=0)),
        (1, 5),
        squared,
    ),
    "boosting": (
        lambda n: HistGradientBoostingRegressor(
            max_leaf_nodes=n, min_samples_leaf=5, early_stopping=False, random_state=0
        ),
        (3, 8, 20),
        squared,
    ),
    "neighbours": (lambda k: prepared(KNeighborsRegressor(k)), (3, 7, 15), squared),
}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classes_are_predicted_as_by_a_literal_loop(name, tumours, tmp_path):
    run_table(options(tumours, tmp_path, target="diagnosis", models=[name], permutations=0))
    table = read_predictions(tmp_path / "run/predictions.csv")
    data = pd.read_csv(tumours)
    x, groups = data.iloc[:, 1:5], data["person"].to_numpy()
    y = (data["diagnosis"] == "malignant").to_numpy().astype(int)
    compared = 0
    for _, rows in table.groupby("fold"):
        held = np.array([int(clip.removeprefix("row-")) - 2 for clip in rows["clip_id"]])
        training = np.setdiff1d(np.arange(len(y)), held)
        assert not set(groups[held]) & set(groups[training])
        model = literal(x, y, groups, training, held, *CLASSIFIERS[name])
        if name == "linear":
            expected = 1 / (1 + np.exp(-2 * model.decision_function(x.iloc[held])))
        else:
            expected = model.predict_proba(x.iloc[held])[:, 1]
        assert rows["score"].tolist() == expected.round(6).tolist()
        compared += len(held)
    assert compared == 66


@pytest.mark.parametrize("name", REGRESSORS)
def test_numbers_are_predicted_as_by_a_literal_loop(name, diabetes, tmp_path):
    without = ["grade", "other"]
    run_table(
        options(diabetes, tmp_path, target="target", models=[name], without=without, others=0)
    )
    table = pd.read_csv(tmp_path / "run/scores.tsv", sep="\t", float_precision="round_trip")
    data = pd.read_csv(diabetes)
    x, y = data[["age", "bmi", "bp", "s5"]], data["target"].to_numpy()
    groups = data["person"].to_numpy()
    for _, rows in table.groupby("fold"):
        held = np.array([int(row.removeprefix("row-")) - 2 for row in rows["row"]])
        training = np.setdiff1d(np.arange(len(y)), held)
        model = literal(x, y, groups, training, held, *REGRESSORS[name])
        assert rows[name].tolist() == model.predict(x.iloc[held]).tolist()
        assert set(rows["median"]) == {np.median(y[training])}
    assert len(table) == 60


def test_a_held_out_row_changes_no_fit_and_scaling_is_that_of_the_training_rows(tmp_path):
    """Participants a to d with 0, 2, 4 and a value of d that is anything: mean 2, SD 1.633."""
    path = tmp_path / "table.csv"
    found = []
    for value in (7, 7e6):
        path.write_text(f"person,x,site,y\na,0,one,1\nb,2,one,2\nc,4,two,4\nd,{value},three,3\n")
        rows = read_rows(
            options(path, tmp_path, target="y", task="number", categories=["site"], folds=2)
        )
        fitted = fit(rows, "linear", np.array([0, 1, 2]), 3, 0).best_estimator_
        before = fitted.named_steps["before"]
        scale = before.named_transformers_["numbers"].named_steps["scale"]
        assert scale.mean_.tolist() == [2.0] and scale.var_.tolist() == [8 / 3]
        assert before.named_transformers_["names"].categories_[0].tolist() == ["one", "two"]
        found.append(fitted.named_steps["model"].coef_.tolist())
    assert found[0] == found[1]


def test_the_null_of_the_linear_model_is_the_whole_procedure_under_every_labelling(tmp_path):
    """Six participants, three of each class: all 20 labellings, folds fitted one by one."""
    path = tmp_path / "table.csv"
    x = np.random.default_rng(1).normal(size=(6, 2))
    lines = [
        f"{person},{a:.3f},{b:.3f},{sign}" for person, (a, b), sign in zip("abcdef", x, "001101")
    ]
    path.write_text("\n".join(["person,a,b,y", *lines]))
    settings = options(path, tmp_path, target="y", folds=3)
    rows = read_rows(settings)
    folds = [(fold.training, fold.held) for fold in split_rows(settings, rows)]
    labellings = all_permutations(rows.participants, rows.target)
    assert len(labellings) == 20
    at_once = linear.linear_predictions(rows, folds, (2.0 * labellings.T - 1)[:, None], 2)[:, 0]
    one_by_one = np.zeros((6, 20))
    for number, labels in enumerate(labellings):
        own = rows.with_target(labels)
        for training, held in folds:
            model = fit(own, "linear", training, 2, 0)
            one_by_one[held, number] = model.decision_function(own.features.iloc[held])[:, 1]
    np.testing.assert_allclose(at_once, one_by_one, atol=1e-12)
    areas = auc_of_rows(labellings, at_once.T.round(12))
    true = np.flatnonzero((labellings == rows.target).all(axis=1))[0]
    by_hand = []
    for labels, scores in zip(labellings, one_by_one.T.round(12)):
        pairs = list(itertools.product(scores[labels == 1], scores[labels == 0]))
        by_hand.append(sum((p > n) + (p == n) / 2 for p, n in pairs) / 9)
    assert areas.tolist() == pytest.approx(by_hand)
    assert (areas >= areas[true]).mean() == (np.array(by_hand) >= by_hand[true] - 1e-12).mean()


def test_three_classes_have_the_null_of_one_fit_a_labelling(diabetes, tmp_path):
    data = pd.read_csv(diabetes)
    data["third"] = pd.qcut(data["target"], 3, labels=["low", "middle", "high"])
    data.drop(columns=["grade", "other", "target"]).to_csv(tmp_path / "three.csv", index=False)
    settings = options(tmp_path / "three.csv", tmp_path, target="third")
    rows = read_rows(settings)
    assert rows.levels == ("high", "low", "middle")
    (fold, *_) = split_rows(settings, rows)
    labels = np.random.default_rng(0).permutation(rows.target)
    signs = np.stack([np.where(labels == code, 1.0, -1.0) for code in range(3)], axis=1)
    at_once = linear.linear_predictions(rows, [(fold.training, fold.held)], signs[..., None], 3)
    model = fit(rows.with_target(labels), "linear", fold.training, 3, 0)
    np.testing.assert_allclose(
        at_once[fold.held, :, 0], model.decision_function(rows.features.iloc[fold.held])
    )


def test_cumulative_logit_is_that_of_statsmodels():
    from statsmodels.miscmodels.ordinal_model import OrderedModel

    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    y = np.digitize(x @ [1.0, -0.5] + rng.logistic(size=200), [-1.0, 0.5, 2.0]).astype(float)
    own = OrdinalLogit(alpha=0.0).fit(x, y)
    theirs = OrderedModel(y, x, distr="logit").fit(method="bfgs", disp=0, maxiter=500)
    assert own.coef_ == pytest.approx(theirs.params[:2], abs=1e-3)
    np.testing.assert_allclose(own.predict_proba(x), theirs.predict(), atol=1e-3)


def test_a_rating_stays_within_its_scale_and_is_beside_the_raters(diabetes, tmp_path):
    found = run_table(
        options(
            diabetes,
            tmp_path,
            target="grade",
            raters=["other"],
            without=["target"],
            models=["linear", "ordinal"],
            others=2,
        )
    )
    table = pd.read_csv(tmp_path / "run/scores.tsv", sep="\t")
    assert found.audit == "passed" and table[["linear", "ordinal"]].stack().between(0, 4).all()
    metrics = read_json(tmp_path / "run/metrics.json")["tasks"]["grade (table)"]
    own = metrics["models"]["linear"]["metrics"]
    error = (table["linear"] - table["grade"]).abs().mean()
    assert own["mean_absolute_error"]["value"] == pytest.approx(error)
    assert own["mean_absolute_error"]["null"]["n"] == 20
    assert metrics["models"]["ordinal"]["metrics"]["spearman"]["null"]["n"] == 2
    raters = {one["figure"]: one["value"] for one in metrics["between_raters"]}
    between = (table["grade"] - table["other"]).abs().mean()
    assert raters["mean_absolute_error"] == pytest.approx(between)
    page = (tmp_path / "run/report.html").read_text(encoding="utf-8")
    assert "Raters among themselves" in page and "<script" not in page


def test_a_run_is_audited_goes_on_where_it_was_and_has_a_null(tumours, tmp_path):
    settings = options(tumours, tmp_path, target="diagnosis", models=["linear", "neighbours"])
    settings = Table(**{**vars(settings), "others": 2})
    assert run_table(settings).audit == "passed"
    folds = sorted((tmp_path / "run/folds").rglob("*.json"))
    written = [path.stat().st_mtime_ns for path in folds]
    assert len(folds) == 12
    first = (tmp_path / "run/predictions.csv").read_bytes()
    assert run_table(settings).audit == "passed"
    assert [path.stat().st_mtime_ns for path in folds] == written
    assert (tmp_path / "run/predictions.csv").read_bytes() == first
    metrics = read_json(tmp_path / "run/metrics.json")["tasks"]["diagnosis (table)"]["models"]
    assert metrics["linear"]["metrics"]["auc"]["null"]["n"] == 20
    assert metrics["neighbours"]["metrics"]["auc"]["null"]["n"] == 2
    record = read_json(folds[-1])
    assert record["permutation"] is None and record["fold"] == "04"
    record["models"]["linear"]["seen"]["standardisation"] += record["held_out_clips"]
    write_json(folds[-1], record, indent=None, checksummed=True)
    checks = {check.name: check.result for check in audit(tmp_path / "run")}
    assert checks["standardisation"] == "failed" and checks["weights"] == "passed"


def test_an_unseen_set_is_scored_once_with_and_without_folds(tumours, tmp_path):
    data = pd.read_csv(tumours)
    data["set"] = np.where(data["person"] < "P15", "train", "test")
    data.to_csv(tumours, index=False)
    given = {"target": "diagnosis", "set": "set", "models": ["linear"]}
    assert run_table(options(tumours, tmp_path, **given)).audit == "passed"
    both = read_predictions(tmp_path / "run/predictions.csv")
    test = both[both["task"] == "diagnosis (table) in the unseen test set"]
    assert sorted(both["task"].value_counts()) == [21, 45]
    assert set(test["participant_id"]) == {f"P{number}" for number in range(15, 22)}
    given["by"], given["out"] = "none", str(tmp_path / "alone")
    assert run_table(options(tumours, tmp_path, **given)).audit == "passed"
    alone = read_predictions(tmp_path / "alone/predictions.csv")
    assert alone["score"].tolist() == test["score"].tolist()
    assert "unseen test set" in (tmp_path / "alone/report.html").read_text(encoding="utf-8")


def test_one_row_copied_to_another_participant_is_found(tumours, tmp_path):
    lines = tumours.read_text().splitlines()
    lines[40] = ",".join([lines[40].split(",")[0], *lines[10].split(",")[1:]])
    tumours.write_text("\n".join(lines))
    settings = options(tumours, tmp_path, target="diagnosis", models=["linear"])
    assert run_table(settings).audit == "failed"
    checks = {check.name: check for check in audit(tmp_path / "run")}
    assert checks["copies"].result == "failed" and "same numbers" in checks["copies"].found


def test_new_rows_are_predicted_by_the_same_model_fitted_again(tumours, tmp_path):
    settings = options(tumours, tmp_path, target="diagnosis", models=["linear", "forest"])
    run_table(settings)
    new = tmp_path / "new.csv"
    new.write_text("person,radius,texture,smooth,concave\nX,14,20,0.1,0.05\nY,20,,0.1,0.12\n")
    out = predict_table(
        str(tmp_path / "run"), str(new), out=str(tmp_path / "p.tsv"), model="forest"
    )
    found = pd.read_csv(out, sep="\t")
    rows = read_rows(settings)
    model = fit(rows, "forest", np.arange(66), 3, 0)
    values = pd.read_csv(new)[["radius", "texture", "smooth", "concave"]]
    assert found["probability malignant"].tolist() == pytest.approx(
        model.predict_proba(values)[:, 1], rel=1e-5
    )
    assert found["person"].tolist() == ["X", "Y"]
    with open(tumours, "a") as stream:
        stream.write("P99,1,2,3,4,benign\n")
    with pytest.raises(UserError, match="has changed since the run"):
        predict_table(str(tmp_path / "run"), str(new), out=str(tmp_path / "p.tsv"))


def test_an_estimator_of_ones_own_needs_to_be_allowed(tumours, tmp_path):
    settings = options(
        tumours, tmp_path, target="diagnosis", models=["sklearn.naive_bayes:GaussianNB"]
    )
    with pytest.raises(UserError, match=r"state it with --allow sklearn\.naive_bayes"):
        run_table(settings)
    with allowing(["sklearn.naive_bayes"]):
        assert run_table(settings).audit == "passed"


BAD = {
    "one value": ("person,x,y\na,1,2\nb,2,2\nc,3,2\n", {}, "has one value, '2', in all 3 rows"),
    "text": ("person,x,y\na,1,0\nb,?,1\nc,3,0\n", {}, 'row 3, column "x": .* is not a number'),
    "no participants": (
        "name,x,y\na,1,0\nb,2,1\nc,3,0\n",
        {},
        'no column "person"; there are name, x, y; without participants, rows of one person',
    ),
    "empty participant": (
        "person,x,y\na,1,0\n,2,1\nc,3,0\n",
        {},
        'row 3, column "person": is empty',
    ),
    "two sets": (
        "person,x,y,set\na,1,0,train\na,2,1,test\nb,3,0,train\nc,3,1,train\n",
        {"set": "set"},
        "row 3: participant a is in 'train' and in 'test'",
    ),
    "copy": (
        "person,x,y,z\na,1,0,5\nb,2,1,6\nc,4,0,5\nd,3,1,6\n",
        {},
        'column "z" copies the target "y": leave it out with --without "z"',
    ),
    "copy with a missing cell": (
        "person,x,y,z\na,1,0,5\nb,2,1,6\nc,4,0,5\nd,3,1,6\ne,3,1,\n",
        {},
        'column "z" copies the target "y"',
    ),
    "copy in words with a missing cell": (
        "person,x,y,z\na,1,0,no\nb,2,1,yes\nc,4,0,no\nd,3,1,yes\ne,3,0,n/a\n",
        {"categories": ["z"]},
        'column "z" copies the target "y"',
    ),
    "participants as the target": (
        "person,x,y\na,1,0\nb,2,1\nc,3,0\n",
        {"target": "person"},
        "target: 'person' is named for another purpose too",
    ),
    "rating outside its scale": (
        "person,x,y\na,1,0\nb,2,1\nc,3,5\nd,3,0\n",
        {"scale": (0, 4)},
        'row 4, column "y": 5 is outside the scale, 0 to 4',
    ),
    "scale of classes": (
        "person,x,y\na,1,0\nb,2,1\nc,3,1\n",
        {"scale": (0, 4)},
        "scale: of ratings, and y is of classes",
    ),
    "decimal commas": (
        'person,x,y\na,"1,25",0\nb,"2,5",1\nc,3,0\n',
        {},
        "row 2, column \"x\": '1,25' is not a number; write 1.25",
    ),
    "decimal commas of the target": (
        'person,x,y\na,1,"0,5"\nb,2,"1,5"\nc,4,"2,0"\n',
        {},
        "row 2, column \"y\": '0,5' is not a number; write 0.5",
    ),
    "line of the target": (
        "person,x,y,z\na,1,0,1\nb,2,1,3\nc,4,2,5\nd,3,3,7\ne,3,3,\n",
        {},
        'column "z" copies the target',
    ),
    "mean of the target by centre": (
        "person,x,y,site,z\na,1,0,k,0.5\nb,2,1,k,0.5\nc,4,1,l,1\nd,3,1,l,1\n",
        {"task": "classes"},
        'column "z" is the mean of the target "y" by site, over all rows .a target encoding',
    ),
    "two people": ("person,x,y\na,1,0\nb,2,1\nb,3,0\n", {}, "2 participants with a y; three"),
    "no feature": ("person,x,y\na,u,0\nb,v,1\nc,w,0\n", {}, "no column of numbers is left"),
    "no such model": ("person,x,y\na,1,0\nb,2,1\nc,3,0\n", {"models": ["net"]}, "no 'net' for"),
    "many folds": ("person,x,y\na,1,0\nb,2,1\nc,3,0\n", {"folds": 9}, "there are 3 participants"),
    "no such feature": ("person,x,y\na,1,0\nb,2,1\nc,3,0\n", {"features": ["au*"]}, "'au\\*'"),
}


@pytest.mark.parametrize("fault", BAD)
def test_what_cannot_be_used_is_refused_and_nothing_is_written(fault, tmp_path):
    text, given, message = BAD[fault]
    (tmp_path / "table.csv").write_text(text)
    settings = options(tmp_path / "table.csv", tmp_path, **{"target": "y", "folds": 3, **given})
    with pytest.raises(UserError, match=message):
        run_table(settings)
    assert not (tmp_path / "run").exists()


def test_a_target_encoding_of_all_rows_is_refused(tmp_path):
    """By hand: centre k has 3 of 4 with the sign, l 1 of 4; the whole cohort 1/2. Drawn by 2 rows
    towards it: (3 + 1) / 6 and (1 + 1) / 6. scikit-learn's own, and a column like them, too.
    """
    signs, sites = [1, 1, 1, 0, 0, 0, 1, 0], list("kkkkllll")
    data = pd.DataFrame({"person": list("abcdefgh"), "x": np.arange(8) ** 2, "y": signs})
    data["site"] = sites
    own = TargetEncoder(target_type="binary").fit(data[["site"]], signs)
    columns = {
        "plain": [0.75] * 4 + [0.25] * 4,
        "drawn": [2 / 3] * 4 + [1 / 3] * 4,
        "sklearn": own.transform(data[["site"]])[:, 0],
        "sex": [0, 1] * 4,
        "other": [0.7] * 4 + [0.25] * 4,
    }
    for name, column in columns.items():
        data.assign(z=column).to_csv(tmp_path / "table.csv", index=False)
        settings = options(tmp_path / "table.csv", tmp_path, target="y")
        if name in ("sex", "other"):
            assert read_rows(settings).numbers == ("x", "z")
            continue
        with pytest.raises(UserError, match="by site, over all rows"):
            read_rows(settings)


def test_a_feature_that_nearly_gives_the_target_is_named():
    """AUC by hand: of 2 x 3 pairs of classes `marker` orders 6, `weak` 5: 2 AUC - 1 is 2/3."""
    features = pd.DataFrame({"marker": [3.0, 1, 4, 0, 2], "weak": [3.0, 1, 2, 0, 2.5]})
    target = np.array([1, 0, 1, 0, 0])
    [note] = near_copies(features, target, "classes")
    assert note.startswith("1 of 2 features alone")
    assert '"marker" (1.00);' in note and "weak" not in note
    rating, rank = np.arange(20.0), np.r_[np.arange(18.0), 19, 18]  # 1 - 6 x 2 / (20 x 399)
    [note] = near_copies(pd.DataFrame({"other": rank, "half": rank % 10}), rating, "rating")
    assert '"other" (1.00)' in note and "half" not in note
    assert near_copies(features, np.arange(5) % 3, "classes") == []


def test_ten_thousand_columns_are_refused_with_the_way_out(tmp_path):
    values = np.random.default_rng(0).normal(size=(6, 10_000)).round(3)
    data = pd.DataFrame(values, columns=[f"c{number}" for number in range(10_000)])
    data.insert(0, "person", list("abcdef"))
    data["y"] = [0, 1, 0, 1, 0, 1]
    data.to_csv(tmp_path / "wide.csv", index=False)
    with pytest.raises(UserError, match="10000 features are more than 2000, of 6 rows; name"):
        read_rows(options(tmp_path / "wide.csv", tmp_path, target="y"))
    rows = read_rows(options(tmp_path / "wide.csv", tmp_path, target="y", features=["c99?"]))
    assert rows.numbers == tuple(f"c99{number}" for number in range(10))


def test_a_workbook_needs_its_package(tmp_path, monkeypatch):
    def absent(path):
        raise ImportError("Missing optional dependency 'openpyxl'")

    monkeypatch.setattr(pd, "read_excel", absent)
    (tmp_path / "table.xlsx").write_bytes(b"PK")
    with pytest.raises(UserError, match=r"needs the package openpyxl: pip install openpyxl"):
        read_rows(options(tmp_path / "table.xlsx", tmp_path, target="y"))
    table = pd.DataFrame({"person": [1.0, 2.0, 3.0], "x": [0.5, np.nan, 1.0], "y": list("uvu")})
    monkeypatch.setattr(pd, "read_excel", lambda path: table)
    rows = read_rows(options(tmp_path / "table.xlsx", tmp_path, target="y"))
    assert rows.participants.tolist() == ["1", "2", "3"] and rows.levels == ("u", "v")
    assert np.isnan(rows.features["x"][1])


def test_the_verb_takes_several_values_and_prints_the_table(diabetes, tmp_path, capsys):
    arguments = ["--participant", "person", "--target", "grade", "--without", "target", "other"]
    out = ["--models", "linear", "--by", "grouped", "--folds", "3", "--scale", "0", "4"]
    where = ["--out", str(tmp_path / "run"), "--permutations", "10"]
    assert main(["table", str(diabetes), *arguments, *out, *where]) == 0
    said = capsys.readouterr().out
    assert "grade was taken as rating" in said and "mean absolute error" in said
    new = ["table", "predict", str(tmp_path / "run"), str(diabetes)]
    assert main([*new, "--out", str(tmp_path / "new.tsv")]) == 0
    table = pd.read_csv(tmp_path / "new.tsv", sep="\t")
    assert len(table) == 60 and table["predicted"].between(0, 4).all()
    assert json.loads((tmp_path / "run/table.json").read_text())["task"] == "rating"


def test_labels_are_permuted_as_by_a_loop_over_participants():
    """Single clips are exchanged at once, and the same random numbers are drawn."""
    for seed in range(50):
        rng = np.random.default_rng(seed)
        people, labels = rng.integers(0, 12, 15), rng.integers(0, 4, 15)
        loop, ours = np.random.default_rng(seed), np.random.default_rng(seed)
        clips = [np.flatnonzero(people == who) for who in np.unique(people)]
        expected = np.empty_like(labels)
        for own, other in zip(clips, loop.permutation(len(clips))):
            received = loop.permutation(labels[clips[other]])
            expected[own] = loop.permutation(received.take(range(len(own)), mode="wrap"))
        assert permute_labels(people, labels, ours).tolist() == expected.tolist()
        assert loop.integers(1 << 60) == ours.integers(1 << 60)
