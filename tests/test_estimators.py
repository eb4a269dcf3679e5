"""Streams that are fitted at once, in the folds of `loso`: against a loop written by hand, kept and
read again, and what is refused.
"""

import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler
from test_loso import AGCN, QUICK, protocol

from semiology import UserError
from semiology.data.result import allowing
from semiology.evaluation.audit import audit
from semiology.evaluation.audit.folds import SOLVED
from semiology.evaluation.run.settings import Model
from semiology.experiments.clips import task_source
from semiology.experiments.estimators import enough_folds, solve
from semiology.experiments.loso import run_loso
from semiology.experiments.rockets import filled, ridge_classifier
from semiology.files import read_json
from semiology.models.networks import NETWORKS, Network
from semiology.models.training.clips import summaries
from semiology.models.training.datamodule import ClipDataModule
from semiology.models.training.modules import StreamModule
from semiology.models.training.saved import SavedModel, load_model
from semiology.models.training.trainer import score
from semiology.timeline.predict import probabilities

TASK = "swing (pose)"
SMALL = {"kernels": 84, "length": 32, "inner": 2}


def model(stream: str = "estimator", **options) -> Model:
    return Model(Network(stream, options), channels=("joint",))


def scored(cohort, name: str) -> pd.DataFrame:
    table = pd.read_csv(cohort / "run/predictions.csv")
    return table[table["model"] == name].set_index("clip_id")


def test_ridge_scores_are_those_of_scikit_learn_and_keep_their_order():
    """The dual form with weights, centring and a heavier last feature, against `Ridge` on the same
    features; the factor changes no class.
    """
    rng = np.random.default_rng(0)
    x, targets = rng.standard_normal((30, 200)), np.arange(30) % 3
    x[:, -1] += targets
    weights, people = 1.0 + targets, np.arange(30) // 3
    coefficients, constant = ridge_classifier(x, targets, people, weights, 3, 5)
    signs = np.where(targets[:, None] == np.arange(3), 1.0, -1.0)
    ours, found = x @ coefficients + constant, []
    for share in (0.0, 0.1, 0.3):
        heavy = np.column_stack([x[:, :-1], x[:, -1] * np.sqrt(share * 199)])
        for alpha in 10.0 ** np.arange(-1, 6):
            fitted = Ridge(alpha).fit(heavy, signs, sample_weight=weights).predict(heavy)
            factor = (ours * fitted).sum() / (fitted**2).sum()
            found.append(np.abs(ours - factor * fitted).max() / np.abs(ours).max())
    assert min(found) < 1e-8  # one of the penalties and shares that are tried


def test_of_one_participant_nothing_is_chosen():
    x, targets = np.random.default_rng(0).standard_normal((6, 20)), np.arange(6) % 2
    coefficients, _ = ridge_classifier(x, targets, np.zeros(6), np.ones(6), 2, 5)
    assert np.isfinite(coefficients).all() and not coefficients[-1].any()


def test_missing_keypoints_lie_on_straight_lines_and_unseen_ones_at_zero():
    keypoints = torch.zeros(1, 1, 5, 2)  # (clip, channel, time, joint)
    keypoints[0, 0, :, 0] = torch.tensor([1.0, 0, 0, 4, 0])
    mask = torch.zeros(1, 5, 2)
    mask[0, [0, 3], 0] = 1
    assert filled(keypoints, mask).tolist() == [[[1, 2, 3, 4, 4], [0] * 5]]


@pytest.fixture(scope="module")
def run(shared_cohort, tmp_path_factory):
    """A run of a network and of an estimator of the user's own, kept and trained on everybody."""
    models = {
        "agcn": Model(AGCN, schedule=QUICK),
        "own": model(model="sklearn.linear_model:LogisticRegression", length=40, inner=2),
    }
    out = tmp_path_factory.mktemp("run")
    with allowing(["sklearn.linear_model"]):
        result = run_loso(protocol(shared_cohort, models=models, out=str(out), keep=True))
    assert (result.refused, result.failed) == ({}, {})
    return out


def test_both_score_the_same_rows_and_the_record_says_what_was_seen(run):
    table = pd.read_csv(run / "predictions.csv")
    rows = {
        name: own.drop(columns=["model", "scores", "score", "predicted"])
        for name, own in table.groupby("model")
    }
    pd.testing.assert_frame_equal(*(own.reset_index(drop=True) for own in rows.values()))
    record = read_json(run / "folds/swing-pose/seed-0/p0.json", checksummed=True)
    seen = record["models"]["own"]["seen"]
    others = {clip for clip, person in record["clips"].items() if person != "p0"}
    for what in ("weights", "class_weights", "standardisation", "selection"):
        assert set(seen[what]) == others, what
    checks = {check.name: check for check in audit(run)}
    assert checks["batch norm"].result == "passed"
    assert checks["standardisation"].found == "on training participants alone, in 6 fits"


def test_the_estimator_gives_what_a_loop_by_hand_gives(run, shared_cohort):
    """Mean, spread, least, greatest and speed of every coordinate, and the duration; scaled, and
    given to scikit-learn. Kept models, read again, give the same.
    """
    source = task_source(protocol(shared_cohort), TASK)
    x = np.array(
        [
            [
                *np.concatenate(
                    list(
                        summaries(clip.joints.transpose(0, 2, 1).reshape(40, -1), 39 / 1.6).values()
                    )
                ),
                1.6,
            ]
            for clip in source.clips
        ]
    )
    targets = np.array([clip.target for clip in source.clips])
    people = np.array([clip.participant_id for clip in source.clips])
    table = pd.read_csv(run / "predictions.csv").set_index(["model", "clip_id"])
    for person in ("p0", "p3"):
        own = people == person
        scaled = StandardScaler().fit(x[~own])
        classifier = LogisticRegression().fit(scaled.transform(x[~own]), targets[~own])
        expected = classifier.predict_proba(scaled.transform(x[own]))[:, 1]
        clips = [clip for clip in source.clips if clip.participant_id == person]
        found = [table.loc[("own", clip.clip_id), "score"] for clip in clips]
        np.testing.assert_allclose(found, expected, atol=2e-5)
        with allowing(["sklearn.linear_model"]):
            saved = load_model(run / f"kept/swing-pose/seed-0/{person}/own")
            again = [probabilities(saved, clip.joints)["present"] for clip in clips]
        np.testing.assert_allclose(again, found, atol=6e-5)


def test_a_kept_estimator_of_another_release_is_refused(run):
    with allowing(["sklearn.linear_model"]):
        saved = load_model(run / "kept/swing-pose/seed-0/p0/own")
    saved.network.release.fill_(0)
    joints = np.zeros((40, 11, 2))
    with pytest.raises(UserError, match="fitted by scikit-learn 0"):
        probabilities(saved, joints)


def test_without_aeon_the_extra_is_named(shared_cohort, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "aeon", None)
    monkeypatch.setitem(sys.modules, "aeon.transformations.collection", None)
    with pytest.raises(UserError, match=r"pip install 'semiology\[rocket\]'"):
        run_loso(protocol(shared_cohort, models={"m": model("minirocket")}, out=str(tmp_path)))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"model": "oak"}, "no 'oak' for classes"),
        ({"model": "sklearn.svm:SVC"}, "--allow sklearn.svm"),
        ({"length": 8}, "9 frames"),
        ({"inner": 1}, "two or more"),
        ({"table": "nowhere.tsv"}, "nowhere.tsv"),
    ],
)
def test_what_an_estimator_cannot_do_is_refused_before_anything_is_trained(
    shared_cohort, tmp_path, options, message
):
    with pytest.raises(UserError, match=message):
        run_loso(protocol(shared_cohort, models={"m": model(**options)}, out=str(tmp_path / "run")))
    assert not (tmp_path / "run").exists()


def test_estimators_take_no_teacher_and_are_not_trained_in_epochs(shared_cohort):
    models = {"agcn": Model(AGCN, schedule=QUICK), "m": replace(model(), teacher="agcn")}
    with pytest.raises(UserError, match="no teacher"):
        protocol(shared_cohort, models=models)
    source = task_source(protocol(shared_cohort), TASK)
    data = ClipDataModule(source, ["p0"])
    with pytest.raises(UserError, match="semiology loso"):
        StreamModule(Network("estimator")).build(data, fitting=True)


def test_streams_fitted_at_once_are_those_that_the_audit_knows():
    places = {name for name, path in NETWORKS.items() if path.startswith("semiology.experiments.")}
    assert places == set(SOLVED)


def test_inner_folds_grow_until_every_training_part_has_two_classes():
    people, targets = np.arange(5), np.array([1, 0, 1, 0, 1])
    assert enough_folds(targets, people, 2) == 3  # halves by turns would have one class each
    assert enough_folds(np.array([1, 0, 0, 0, 0]), people, 2) == 0
    assert enough_folds(targets[:1], people[:1], 2) == 0


@pytest.fixture(params=["minirocket", "multirocket"])
def rocket(request, shared_cohort):
    """A stream of random convolutions that was fitted on all but p0 and p1, and its data. Numpy's
    random numbers go on as before, and torch computes with as many threads.
    """
    pytest.importorskip("aeon", reason="the extra `rocket` is not installed")
    source = task_source(protocol(shared_cohort), TASK)
    own = model(request.param, **SMALL)
    own_source = source.with_clips(source.clips, own.read(source.reading))
    data = ClipDataModule(own_source, ["p0", "p1"], validation=0.0)
    np.random.seed(3)
    expected = np.random.rand()
    np.random.seed(3)
    threads = torch.get_num_threads()
    module = solve(StreamModule(own.network), data, 0)
    assert np.random.rand() == expected
    assert torch.get_num_threads() == threads
    return own.network, module, data


def test_random_convolutions_see_what_swings_and_are_read_again_as_they_were(rocket, tmp_path):
    network, module, data = rocket
    _, found = score(module, data)
    truth = np.array([clip.target for clip in data.held_out])
    assert (found.argmax(axis=1) == truth).all() and found.min() > 0
    again = solve(StreamModule(network), data, 0)
    np.testing.assert_array_equal(score(again, data)[1], found)
    saved = SavedModel(
        module.network, network, data.source.reading, data.source.levels, data.shape, {}
    )
    read = load_model(saved.save(tmp_path))
    batch = next(iter(data.loader(data.held_out)))
    with torch.inference_mode():
        logits = [
            each.eval()(*(batch[name] for name in each.reads))
            for each in (module.network, read.network)
        ]
    torch.testing.assert_close(*logits)


def test_random_convolutions_take_gaps_and_absent_joints(rocket):
    """A clip without its left hand, and one with a hole in it, have probabilities."""
    _, module, data = rocket
    clip = data.held_out[0]
    joints = np.stack([clip.joints] * 2)
    joints[0, :, 3], joints[1, 5:20] = np.nan, np.nan
    holes = [replace(clip, joints=own) for own in joints]
    assert np.isfinite(score(module, data, holes)[1]).all()


def test_the_duration_alone_can_tell_classes_apart():
    """Clips of noise, of which one class lasts longer: the convolutions of resampled clips see
    nothing of it.
    """
    rng = np.random.default_rng(0)
    x, targets = rng.standard_normal((60, 500)), np.arange(60) % 2
    x[:, -1] = 2.0 * targets - 1
    people = np.arange(60) // 4
    coefficients, constant = ridge_classifier(x, targets, people, np.ones(60), 2, 5)
    new = rng.standard_normal((40, 500))
    new[:, -1] = np.where(np.arange(40) < 20, -1, 1)
    assert ((new @ coefficients + constant).argmax(axis=1) == (np.arange(40) >= 20)).mean() > 0.9
