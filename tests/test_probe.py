"""Linear probes, control tasks and CKA on features whose content is known."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from semiology import UserError
from semiology.evaluation.report.measures import probed
from semiology.evaluation.statistics.permutation import permute_labels
from semiology.experiments.probe import (
    Features,
    cka,
    identity_probe,
    linear_probe,
    random_labels,
    read_features,
    similarity,
)
from semiology.experiments.probe.features import summaries
from semiology.experiments.probe.linear import Split, make_splits, ridge
from semiology.experiments.probe.run import _alike

PEOPLE, CLIPS = 8, 4
OWNERS = np.repeat([f"p{number}" for number in range(PEOPLE)], CLIPS)
IDS = [f"{owner}_{number}" for number, owner in enumerate(OWNERS)]


def features(values, layer="features", seen="nobody") -> Features:
    keys = pd.DataFrame({"clip_id": IDS, "participant_id": OWNERS})
    columns = [f"f{number}" for number in range(values.shape[1])]
    return Features(layer, pd.concat([keys, pd.DataFrame(values, columns=columns)], axis=1), seen)


def noise(seed=0, width=5) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(len(IDS), width))


def target(values, name="sign") -> pd.Series:
    return pd.Series(values, index=IDS, name=name)


SIGN = target(np.where(np.arange(len(IDS)) % 2, "present", "absent"))


@pytest.mark.parametrize("model", ["ridge", "logistic"])
def test_a_planted_direction_is_found_and_p_is_the_least_that_the_permutations_allow(model):
    values = noise()
    values[:, 2] += 6 * (SIGN == "present")
    permutations = 19 if model == "ridge" else 0
    result = linear_probe(features(values), SIGN, model, permutations=permutations)
    assert result.metric == "balanced_accuracy" and result.score > 0.95
    assert result.scores["auc"].value > 0.99
    assert (result.predictions["truth"] == result.predictions["predicted"]).mean() > 0.95
    if permutations:
        assert result.p == pytest.approx(1 / 20) and "p = 0.05 (19 permutations" in str(result)


def test_noise_is_not_decoded():
    p = [
        linear_probe(features(noise(seed)), SIGN, permutations=39, draws=50).p for seed in range(3)
    ]
    assert np.median(p) > 0.1


def test_a_label_that_follows_the_person_is_read_off_within_but_not_across_people():
    own = np.eye(PEOPLE)[
        np.repeat(np.arange(PEOPLE), CLIPS)
    ]  # the layer knows who it is and nothing else
    sex = target(np.where(np.repeat(np.arange(PEOPLE), CLIPS) % 2, "F", "M"), "sex")
    layer = features(own + 0.01 * noise(width=PEOPLE))
    assert linear_probe(layer, sex, by="clip", permutations=0).score == 1
    assert linear_probe(layer, sex, permutations=39).p > 0.2
    assert identity_probe(layer, permutations=0).scores["accuracy"].value == 1
    assert (
        random_labels(layer, sex, to="participant").mean == 1
    )  # any label that is assigned to people can be memorised
    assert random_labels(layer, sex, to="clip").mean < 0.6


def test_identity_of_noise_is_at_its_chance():
    result = identity_probe(features(noise()), permutations=39)
    assert result.levels == sorted(set(OWNERS)) and result.by == "clip"
    assert result.scores["accuracy"].value < 0.3 and result.scores["accuracy"].p > 0.05


def test_who_was_not_met_stands_out_and_is_not_taken_for_being_known():
    """In each fold's layer nothing but the person held out differs: novelty, not identity."""
    folds = []
    for number, person in enumerate(f"p{number}" for number in range(PEOPLE)):
        keys = pd.DataFrame(
            {"fold": person, "held_out": person == OWNERS, "clip_id": IDS, "participant_id": OWNERS}
        )
        values = (
            pd.DataFrame(0.01 * noise(number)).add_prefix("f") + 5.0 * (person == OWNERS)[:, None]
        )
        folds.append(pd.concat([keys, values], axis=1))
    layer = Features("features", pd.concat(folds, ignore_index=True), "others")
    unmet = identity_probe(layer, permutations=0)
    assert unmet.scores["accuracy"].value == 1 and unmet.guessing == 1 / PEOPLE
    trained = identity_probe(layer, among="trained on", permutations=19)
    assert len(trained.predictions) == PEOPLE * (
        PEOPLE - 1
    ) * CLIPS and trained.guessing == pytest.approx(1 / (PEOPLE - 1))
    assert trained.scores["accuracy"].value < 0.25 and trained.scores["accuracy"].p > 0.05


def test_people_that_the_model_trained_on_and_that_the_layer_knows_are_named():
    own = np.eye(PEOPLE)[np.repeat(np.arange(PEOPLE), CLIPS)]
    keys = [
        pd.DataFrame(
            {"fold": who, "held_out": who == OWNERS, "clip_id": IDS, "participant_id": OWNERS}
        )
        for who in ("p0", "p1")
    ]
    table = pd.concat(
        [pd.concat([part, pd.DataFrame(own).add_prefix("f")], axis=1) for part in keys],
        ignore_index=True,
    )
    known = identity_probe(
        Features("features", table, "others"), among="trained on", permutations=0
    )
    assert (
        known.scores["accuracy"].value == 1 and len(known.predictions) == 2 * (PEOPLE - 1) * CLIPS
    )


def test_a_perfect_score_hangs_on_the_people_with_the_rarest_level():
    rare = target(np.where(np.isin(OWNERS, ["p0", "p1"]), "present", "absent"))
    scores = linear_probe(
        features((rare == "present").to_numpy(float)[:, None]), rare, permutations=0
    ).scores
    assert all(score.value == 1 for score in scores.values())
    # Wilson of n of n reaches down to n / (n + 1.96 ** 2): of 2 people 0.342, of 8 people 0.676
    assert scores["accuracy"].interval.low == pytest.approx(0.676, abs=1e-3)
    assert [
        scores[name].interval.low for name in ("balanced_accuracy", "f1", "auc")
    ] == pytest.approx([0.342] * 3, abs=1e-3)


def test_a_perfect_rank_correlation_is_a_share_of_the_way_from_minus_one():
    age = target(np.arange(len(IDS)) ** 1.05, "age")
    scores = linear_probe(features(age.to_numpy()[:, None]), age, permutations=0).scores
    assert scores["spearman"].value == pytest.approx(1)
    assert scores["spearman"].interval.low == pytest.approx(-1 + 2 * 0.676, abs=2e-3)
    assert "Wilson" not in scores["r2"].interval.method and scores["r2"].interval.low > 0.9


def test_layers_of_three_clips_have_no_similarity_and_it_is_reported_why():
    layer = Features("features", features(noise()).table.iloc[:3], "nobody")
    alike, why = _alike({"features": layer})
    assert alike is None and "3 clips; needs four" in why


def test_the_report_warns_of_a_table_whose_model_had_seen_the_people():
    row = {
        "layer": "features",
        "score": 0.9,
        "p": np.nan,
        "clips": 11,
        "participants": 6,
        "probe": "ridge",
        "permutations": 0,
    }
    honest = probed("sex", pd.DataFrame([{**row, "seen": "never saw the participant"}]))
    assert (
        not honest["had_seen"]
        and honest["rests_on"] == "11 clips of 6 participants; ridge; no permutation test"
    )
    assert honest["rows"] == [["features", "0.90", "–"]]
    assert probed("sex", pd.DataFrame([{**row, "seen": "had seen the participant"}]))["had_seen"]
    assert not probed("sex", pd.DataFrame([{"layer": "features", "score": 0.9}]))["had_seen"]


def test_a_number_is_read_off_by_ridge_with_r2_and_spearman():
    values = noise()
    age = target(40 + 5 * values[:, 0] - 3 * values[:, 1], "age")
    result = linear_probe(features(values), age, permutations=19)
    assert (
        result.scores["r2"].value > 0.98
        and result.scores["spearman"].value > 0.98
        and result.p == 0.05
    )
    unrelated = linear_probe(features(noise(1)), age, permutations=19)
    assert unrelated.scores["r2"].value < 0.2


def test_a_rare_level_is_weighed_as_much_as_a_frequent_one():
    rare = target(np.where(np.arange(len(IDS)) % 4 == 3, "present", "absent"))  # one clip in four
    values = (rare == "present").to_numpy(float)[:, None] + 0.3 * noise(width=1)
    confused = pd.crosstab(
        *(
            linear_probe(features(values), rare, permutations=0).predictions[name]
            for name in ("truth", "predicted")
        )
    )
    assert (
        confused.loc["present", "present"] >= 7
    )  # of 8: with the threshold at one half a ridge would call fewer


def test_many_targets_at_once_give_what_one_scikit_learn_pipeline_gives():
    values, targets = noise(3), np.stack([noise(4)[:, :2], noise(5)[:, :2]])
    train, test = np.arange(24), np.arange(24, 32)
    halves = [(np.arange(12), np.arange(12, 24)), (np.arange(12, 24), np.arange(12))]
    found, alphas = ridge(Split(values, train, test, halves), targets)
    for draw in range(2):
        alone = make_pipeline(StandardScaler(), Ridge(alphas[draw])).fit(
            values[train], targets[draw][train]
        )
        assert np.allclose(found[draw], alone.predict(values[test]))


def test_nobody_is_on_both_sides_of_a_fold_nor_of_an_inner_fold():
    splits = make_splits(features(noise()), IDS, OWNERS, "participant", None, 0)
    assert [set(OWNERS[split.test]) for split in splits] == [
        {f"p{number}"} for number in range(PEOPLE)
    ]
    for split in splits:
        assert (
            not set(OWNERS[split.train]) & set(OWNERS[split.test])
            and len(split.train) == (PEOPLE - 1) * CLIPS
        )
        for fitted, tested in split.inner:
            assert not set(OWNERS[split.train][fitted]) & set(OWNERS[split.train][tested])
    groups = make_splits(features(noise()), IDS, OWNERS, "participant", 4, 0)
    assert [len(set(OWNERS[split.test])) for split in groups] == [2] * 4


def test_permuted_labels_stay_in_lists_and_lists_that_are_the_same_are_shuffled():
    rng = np.random.default_rng(0)
    constant = np.repeat(np.arange(PEOPLE) % 2, CLIPS)
    given = permute_labels(OWNERS, constant, rng).reshape(PEOPLE, CLIPS)
    assert (given == given[:, :1]).all() and given[:, 0].sum() == PEOPLE // 2
    same = np.tile(np.arange(CLIPS), PEOPLE)  # everybody did the same four things in the same order
    given = permute_labels(OWNERS, same, rng).reshape(PEOPLE, CLIPS)
    assert (np.sort(given, axis=1) == np.arange(CLIPS)).all() and (given != np.arange(CLIPS)).any(
        axis=1
    ).sum() > 4


def test_cka_of_one_feature_each_is_the_squared_correlation():
    x, y = noise(width=1), noise(1, width=1)
    assert cka(x, y, debiased=False) == pytest.approx(np.corrcoef(x[:, 0], y[:, 0])[0, 1] ** 2)


@pytest.mark.parametrize("debiased", [True, False])
def test_cka_is_one_with_itself_turned_scaled_and_moved(debiased):
    x = noise(width=6)
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(6, 6)))[0]
    assert cka(x, x, debiased) == pytest.approx(1)
    assert cka(x, -3 * x @ turn + 5, debiased) == pytest.approx(1)
    assert (
        cka(x, x * [1, 10, 1, 1, 1, 1], debiased) < 0.9
    )  # not invariant to stretching one direction
    assert np.isnan(cka(x, np.ones((len(x), 2)), debiased))


def test_unrelated_features_are_alike_by_plain_cka_and_not_by_the_debiased_form():
    draws = np.random.default_rng(0)
    pairs = [(draws.normal(size=(20, 200)), draws.normal(size=(20, 200))) for _ in range(20)]
    assert np.mean([cka(x, y, debiased=False) for x, y in pairs]) > 0.8
    assert abs(np.mean([cka(x, y) for x, y in pairs])) < 0.03


def test_similarity_is_a_matrix_named_by_layer_and_compares_the_clips_that_all_have():
    x = features(noise(), "blocks.0")
    fewer = Features("logits", x.table.iloc[:20], "nobody")
    matrix = similarity([x, fewer])
    assert list(matrix.index) == list(matrix.columns) == ["blocks.0", "logits"] and np.allclose(
        matrix, 1
    )
    assert similarity({"a": x, "b": features(noise(8))}).loc["a", "b"] == pytest.approx(
        cka(noise(), noise(8))
    )


def test_features_are_a_plain_table_that_comes_back_the_same(tmp_path):
    values = noise()
    values[3, 1] = np.nan
    layer = features(values, "blocks.1", "everybody")
    back = read_features(layer.to_csv(tmp_path / "features.csv"))
    assert (back.layer, back.seen) == ("blocks.1", "everybody")
    pd.testing.assert_frame_equal(back.table, layer.table, check_dtype=False)
    array = layer.to_xarray()
    assert (
        array.dims == ("row", "feature")
        and array.sel(feature="f2")[4] == values[4, 2]
        and array.clip_id[4] == IDS[4]
    )


def test_summaries_of_a_ramp_by_hand():
    ramp = np.array([[0.0, 5.0], [1.0, np.nan], [2.0, 5.0], [3.0, 5.0]])
    found = summaries(ramp, rate=10.0)
    assert [found[kind][0] for kind in ("mean", "least", "greatest", "speed")] == [1.5, 0, 3, 10]
    assert (
        found["spread"][0] == pytest.approx(np.sqrt(1.25))
        and found["speed"][1] == 0
        and found["mean"][1] == 5
    )


def few(values):
    return pd.Series(values, index=IDS[: len(values)], name="sign")


@pytest.mark.parametrize(
    ("probing", "message"),
    [
        (
            lambda: linear_probe(features(noise()), few(["yes"] * 12 + ["no"] * 4)),
            "'no': only participant p3",
        ),
        (lambda: linear_probe(features(noise()), few(["yes", "no"] * 4)), "2 participants"),
        (
            lambda: linear_probe(features(noise()), target(["yes"] * len(IDS))),
            "nothing to tell apart",
        ),
        (
            lambda: linear_probe(
                features(noise()), pd.Series(["a"], index=["elsewhere"], name="sign")
            ),
            "not one of its clips",
        ),
        (
            lambda: linear_probe(features(noise()), target(noise()[:, 0], "age"), "logistic"),
            "age: is numeric",
        ),
        (lambda: linear_probe(features(noise()), SIGN, permutations=-1), "permutations: -1"),
        (lambda: identity_probe(features(noise()), permutations=-1), "permutations: -1"),
        (lambda: identity_probe(features(noise()), IDS[:5]), "participants with a single clip: p1"),
        (lambda: identity_probe(features(noise()), IDS[:4]), "one participant only"),
        (lambda: cka(noise()[:3], noise()[:3]), "four or more"),
        (lambda: cka(noise(), noise()[:9]), "same clips"),
    ],
)
def test_what_cannot_be_probed_is_reported_in_one_line(probing, message):
    with pytest.raises(UserError, match=message) as raised:
        probing()
    assert "\n" not in str(raised.value)


def test_a_table_that_is_no_table_of_features_is_named(tmp_path):
    with pytest.raises(UserError, match="not found"):
        read_features(tmp_path / "absent.csv")
    (tmp_path / "other.csv").write_text("clip_id,x\nc1,2\n")
    with pytest.raises(UserError, match="column layer, seen, participant_id missing"):
        read_features(tmp_path / "other.csv")


def test_a_layer_that_knows_only_the_action_does_not_know_the_person_less_than_by_chance():
    """Everybody shows each of four actions twice; a part that lacks one action of one person alone
    would tell who it is not.
    """
    owners, actions = (
        np.repeat([f"p{n}" for n in range(6)], 8),
        np.tile(np.repeat(np.arange(4), 2), 6),
    )
    ids = [f"c{number}" for number in range(len(owners))]
    values = np.eye(4)[actions] + 0.01 * np.random.default_rng(0).normal(size=(len(ids), 4))
    table = pd.DataFrame({"clip_id": ids, "participant_id": owners})
    layer = Features(
        "features", pd.concat([table, pd.DataFrame(values).add_prefix("f")], axis=1), "nobody"
    )
    action = pd.Series(actions.astype(str), index=ids)
    balanced = identity_probe(layer, balance=action, permutations=39).scores["accuracy"]
    assert identity_probe(layer, permutations=0).scores["accuracy"].value < 0.05 < balanced.value
    assert balanced.p > 0.05 and abs(balanced.value - 1 / 6) < 0.15
