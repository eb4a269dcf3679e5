"""Train on these, test on those: a run without folds, sets named by a column, and the linear model
with grouped folds and on the unseen set.
"""

import json

import numpy as np
import pandas as pd
import pytest
from audit_leaks import TASK, moving_cohort, quick_run, read_clips, write_clips
from sklearn.linear_model import Ridge

from semiology import UserError
from semiology.evaluation.audit import audit, verdict
from semiology.evaluation.run.predictions import read_predictions
from semiology.evaluation.run.settings import (
    Fusion,
    Model,
    Protocol,
    Split,
    Task,
    linear_permutations,
)
from semiology.evaluation.run.tasks import TEST_SET
from semiology.evaluation.statistics.calibration import Calibration
from semiology.experiments.baseline import clip_features, linear_null
from semiology.experiments.clips import forget_sources
from semiology.experiments.loso import with_test_people
from semiology.experiments.splits import split_clips, with_people
from semiology.files import read_json
from semiology.models.networks import Network
from semiology.models.training.clips import ClipSource
from semiology.models.training.reading import Reading

TESTED = ["p1", "p4", "p7", "p10"]
NONE = Split("none", test=TESTED)


@pytest.fixture(scope="module")
def moving(tmp_path_factory):
    folder = moving_cohort(tmp_path_factory.mktemp("sets"))
    table = read_clips(folder)
    table["set"] = ["unseen" if own in TESTED else "seen" for own in table["participant_id"]]
    write_clips(folder, table)
    described = json.loads((folder / "clips.json").read_text())
    (folder / "clips.json").write_text(json.dumps(described | {"set": {"Role": "covariate"}}))
    return folder


@pytest.fixture(scope="module")
def run(moving, tmp_path_factory):
    out = tmp_path_factory.mktemp("none") / "run"
    return quick_run(
        moving, out, split=Split("none", test=["unseen"], set="set"), baseline=True, final=True
    )


def test_without_folds_the_test_set_is_scored_once_and_nothing_else(run):
    table = read_predictions(run / "predictions.csv")
    assert set(table["task"]) == {TASK + TEST_SET}
    assert {model: set(own["participant_id"]) for model, own in table.groupby("model")} == {
        "agcn": set(TESTED),
        "linear": set(TESTED),
    }
    [path] = (run / "folds").rglob("*.json")
    record = read_json(path)
    trained = {record["clips"][clip] for clip in record["models"]["agcn"]["seen"]["weights"]}
    assert path.name == "test.json" and trained == {f"p{n}" for n in range(12)} - set(TESTED)
    assert verdict(audit(run)) == "passed"
    page = (run / "report.html").read_text()
    assert "No cross-validation. 4 participants were an unseen test set" in page


def test_the_linear_model_of_the_test_set_is_a_ridge_regression_of_all_others(run, moving):
    source = ClipSource(str(moving), Reading("swing", window=16))
    features = clip_features(source)
    targets = np.array([clip.target for clip in source.clips])
    test = np.array([clip.participant_id in TESTED for clip in source.clips])
    mean, spread = features[~test].mean(0), features[~test].std(0)
    fitted = Ridge(alpha=features.shape[1]).fit(
        (features[~test] - mean) / spread, 2 * targets[~test] - 1
    )
    expected = 1 / (1 + np.exp(-4 * fitted.predict((features[test] - mean) / spread)))
    table = read_predictions(run / "predictions.csv")
    own = table[table["model"] == "linear"].set_index("clip_id")["score"]
    names = [clip.clip_id for clip, aside in zip(source.clips, test) if aside]
    assert own[names].tolist() == pytest.approx(expected.tolist(), abs=1e-5)
    null = read_json(run / "null.json")
    assert list(null) == [TASK + TEST_SET] and len(null[TASK + TEST_SET]["linear"]["auc"]) == 1999


def test_the_null_of_the_test_set_is_that_of_training_again_under_each_labelling(moving):
    """Four clips, two with the sign: under every labelling the values are those of a loop."""
    source = ClipSource(str(moving), Reading("swing", window=16))
    null = linear_null(source, NONE, str(moving))
    assert list(null) == [TEST_SET]
    values = np.array(null[TEST_SET]["auc"])
    assert set(np.round(4 * values).astype(int)) == set(range(5))  # of 2 x 2 pairs of clips
    assert abs(values.mean() - 0.5) < 0.05  # nobody is left out, so that nothing is turned round


@pytest.mark.parametrize("by", ["grouped", "recording", "centre"])
def test_the_linear_model_stands_beside_the_others_in_other_folds(moving, tmp_path, by):
    cohort = moving
    split = Split(by, folds=3, column="lens", test=["p1", "p4"])
    run = quick_run(cohort, tmp_path / "run", split=split, baseline=True)
    table = read_predictions(run / "predictions.csv")
    counts = table.groupby(["task", "model"])["clip_id"].nunique().to_dict()
    assert counts == {
        (task, model): count
        for task, count in ((TASK, 10), (TASK + TEST_SET, 2))
        for model in ("agcn", "linear")
    }
    folds = table.groupby("model")["fold"].apply(list)
    assert folds["agcn"] == folds["linear"]
    null = read_json(run / "null.json")
    lengths = {task: len(own["linear"]["accuracy"]) for task, own in null.items()}
    assert lengths == {TASK: 1999 if by == "centre" else 199, TASK + TEST_SET: 1999}
    results = {check.name: check.result for check in audit(run)}
    assert results["chance"] == "passed" and results["weights"] == "passed"
    null[TASK]["linear"]["accuracy"].pop()
    (run / "null.json").write_text(json.dumps(null))
    assert {check.name: check.result for check in audit(run)}["chance"] == "failed"


def test_the_null_of_grouped_folds_splits_again_for_each_labelling(moving, monkeypatch):
    from semiology.experiments import baseline

    source = ClipSource(str(moving), Reading("swing", window=16))
    seen = []

    def counted(split, clips, cohort, seed):
        seen.append(tuple(clip.target for clip in clips))
        return split_clips(split, clips, cohort, seed)

    monkeypatch.setattr(baseline, "split_clips", counted)
    linear_null(source, Split("grouped", folds=3), str(moving))
    assert len(seen) == 1 + linear_permutations("grouped", "") and len(set(seen)) > 100
    seen.clear()
    linear_null(source, Split("participant"), str(moving))
    assert len(seen) == 1  # the folds do not depend on the labels


def test_sets_are_named_by_a_column_of_clips_or_participants(moving):
    split = with_people(Split("grouped", 2, test=["unseen"], set="set"), str(moving))
    assert split == Split("grouped", 2, test=sorted(TESTED))
    with pytest.raises(UserError, match=r"nobody has 'test' in column 'set' .* has seen, unseen"):
        with_people(Split("none", test=["test"], set="set"), str(moving))
    with pytest.raises(UserError, match=r"nobody has 'unseen' in column 'sets' .* no entries"):
        with_people(Split("none", test=["unseen"], set="sets"), str(moving))


def test_somebody_in_two_sets_is_refused(moving, tmp_path):
    table = read_clips(moving)
    table.loc[table["clip_id"] == "c1", "participant_id"] = "p4"
    table.loc[table["clip_id"] == "c1", "set"] = "seen"
    table.to_csv(tmp_path / "clips.tsv", sep="\t", index=False)
    (tmp_path / "clips.json").write_bytes((moving / "clips.json").read_bytes())
    pd.DataFrame({"participant_id": sorted(set(table["participant_id"]))}).to_csv(
        tmp_path / "participants.tsv", sep="\t", index=False
    )
    with pytest.raises(UserError, match=r"participant p4 has two values of 'set' \(seen, unseen\)"):
        with_people(Split("none", test=["unseen"], set="set"), str(tmp_path))


@pytest.mark.parametrize("split", [{"by": "none"}, {"set": "set"}, {"by": "none", "test": []}])
def test_a_split_without_folds_or_with_a_column_of_sets_needs_a_test_set(split):
    with pytest.raises(UserError, match="without a test set"):
        Split(**split)


def test_too_few_to_train_on_are_refused(moving):
    clips = ClipSource(str(moving), Reading("swing", window=16)).clips
    most = [f"p{number}" for number in range(10)]
    with pytest.raises(UserError, match="2 participants beside the test set; training on them"):
        split_clips(Split("none", test=most), clips, str(moving), 0)


def test_a_config_of_a_finished_run_names_the_people_and_makes_the_same_folds(run, moving):
    written = (run / "config.yaml").read_text()
    assert "set: null" in written and "- p10" in written
    given = Protocol(
        cohort=str(moving),
        out="x",
        tasks={TASK: Task(Reading("swing"))},
        models={"agcn": Model(Network("agcn"))},
        split=Split("none", test=["unseen"], set="set"),
    )
    assert with_test_people(given).split == Split("none", test=sorted(TESTED))


def test_calibration_permutations_and_fusion_work_without_folds(moving, tmp_path):
    run = quick_run(
        moving,
        tmp_path / "run",
        split=NONE,
        permutations=2,
        calibration=Calibration("temperature", folds=2),
        final=True,
        fusions=[Fusion("both", "mean", (f"{TASK}/agcn", f"{TASK}/agcn"))],
    )
    forget_sources()
    table = read_predictions(run / "predictions.csv")
    assert set(table["task"]) == {TASK + TEST_SET, "both" + TEST_SET}
    assert verdict(audit(run)) == "passed"
    assert (run / "report.html").is_file()
