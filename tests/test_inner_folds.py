"""What is fitted on inner folds of training participants: calibration, abstention, the choice
between models.
"""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from semiology import UserError, read_tracks
from semiology.data.tracks import save_tracks
from semiology.evaluation.audit import audit
from semiology.evaluation.run.fusions import fit_weights, lowest_log_loss
from semiology.evaluation.run.predictions import read_predictions
from semiology.evaluation.run.settings import Fusion, Model, Protocol, Split, Task
from semiology.evaluation.statistics.calibration import Calibration, Calibrator, fit_calibrator
from semiology.experiments.loso import run_loso
from semiology.models.networks import Network
from semiology.models.training.clips import prepare
from semiology.models.training.reading import Reading, Schedule
from semiology.models.training.saved import load_model
from semiology.timeline.predict import probabilities


def two_levels(positive) -> np.ndarray:
    positive = np.asarray(positive, dtype=float)
    return np.stack([1 - positive, positive], axis=1)


def test_temperature_two_halves_the_logits():
    calibrated = Calibrator(temperature=2.0).apply(two_levels([0.9]))
    logit = np.log(0.9 / 0.1) / 2
    assert calibrated[0, 1] == pytest.approx(1 / (1 + np.exp(-logit)))


def test_the_temperature_that_made_probabilities_too_sure_is_found():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, 4000)
    truth = (rng.random(4000) < 1 / (1 + np.exp(-logits))).astype(int)
    too_sure = two_levels(1 / (1 + np.exp(-3 * logits)))
    found = fit_calibrator(too_sure, truth, "temperature", None)
    assert found.temperature == pytest.approx(3, rel=0.1)
    assert found.clips == 4000


def test_scores_that_know_nothing_are_softened_to_one_half():
    rng = np.random.default_rng(1)
    found = fit_calibrator(
        two_levels(rng.random(400)), rng.integers(0, 2, 400), "temperature", None
    )
    assert np.abs(found.apply(two_levels([0.01, 0.99]))[:, 1] - 0.5).max() < 0.1


def test_isotonic_gives_the_share_that_was_right():
    probabilities = two_levels([0.2] * 4 + [0.8] * 4)
    truth = np.array([0, 0, 0, 1, 0, 1, 1, 1])
    calibrated = fit_calibrator(probabilities, truth, "isotonic", None).apply(
        two_levels([0.2, 0.8])
    )
    assert calibrated[:, 1] == pytest.approx([0.25, 0.75], abs=1e-3)


def test_the_plausible_levels_follow_the_conformal_rank():
    # the true level got 0.9, 0.8, ..., 0.1: with coverage 0.7 of nine clips the ceil(10 * 0.7) =
    # 7th largest, 0.3, is the threshold
    given = np.arange(9, 0, -1) / 10
    found = fit_calibrator(two_levels(given), np.ones(9, dtype=int), "none", 0.7)
    assert found.threshold == pytest.approx(0.3)
    assert found.plausible(two_levels([0.25, 0.5, 0.75])) == [[0], [0, 1], [1]]
    assert (
        fit_calibrator(two_levels(given), np.ones(9, dtype=int), "none", 0.95).threshold == 0.0
    )  # too few clips to rule anything out


def test_plausible_levels_hold_the_truth_as_often_as_requested():
    rng = np.random.default_rng(2)

    def draw(count):
        positive = rng.random(count)
        return two_levels(positive), (rng.random(count) < positive).astype(int)

    covered = []
    for _ in range(200):
        found = fit_calibrator(*draw(40), "none", 0.8)
        probabilities, truth = draw(100)
        covered += [level in levels for level, levels in zip(truth, found.plausible(probabilities))]
    assert 0.79 < np.mean(covered) < 0.84  # split conformal: between 0.8 and 0.8 + 1/41


SWING = Task(Reading("swing", window=32))
QUICK = Schedule(epochs=2, patience=None, device="cpu")


def protocol(cohort, **changes) -> Protocol:
    models = {
        "small": Model(Network("agcn", {"widths": [4]}), schedule=QUICK),
        "large": Model(Network("agcn", {"widths": [8, 8]}), schedule=QUICK),
    }
    tasks = {"swing (pose)": SWING}
    return Protocol(
        **{
            "cohort": str(cohort),
            "out": str(cohort / "run"),
            "tasks": tasks,
            "models": models,
            "validation": 0.0,
            **changes,
        }
    )


def records(cohort) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted((cohort / "run/folds").rglob("*.json"))]


def test_inner_folds_never_hold_the_participant_that_is_held_out(cohort):
    run_loso(
        protocol(
            cohort,
            calibration=Calibration("temperature", 2, 0.8),
            selections={"chosen": ("small", "large")},
            final=False,
        )
    )
    for record in records(cohort):
        held = set(record["held_out_clips"])
        everybody_else = set(record["clips"]) - held
        for name in ("small", "large"):
            rows = [row for row in record["inner"] if row["model"] == name]
            assert {row["clip_id"] for row in rows} == everybody_else and len(rows) == len(
                everybody_else
            )
            assert record["models"][name]["seen"]["calibration"] == sorted(everybody_else)
            assert record["models"][name]["seen"]["selection"] == sorted(everybody_else)
            assert record["models"][name]["calibration"]["clips"] == len(everybody_else)
            by_fold = [
                {row["clip_id"][:2] for row in rows if row["fold"] == fold} for fold in ("01", "02")
            ]
            assert not by_fold[0] & by_fold[1]  # whole participants
        losses = {
            name: np.mean(
                [
                    -np.log(max(row["probabilities"][row["truth"]], 1e-4))
                    for row in record["inner"]
                    if row["model"] == name
                ]
            )
            for name in ("small", "large")
        }
        assert record["selected"] == {"chosen": min(losses, key=losses.get)}


def test_the_chosen_model_speaks_in_the_column_of_the_selection(cohort):
    run_loso(protocol(cohort, selections={"chosen": ("small", "large")}, final=False))
    table = read_predictions(cohort / "run/predictions.csv").set_index(["model", "clip_id"])[
        "score"
    ]
    for record in records(cohort):
        for clip_id in record["held_out_clips"]:
            assert table["chosen", clip_id] == table[record["selected"]["chosen"], clip_id]


def test_the_table_holds_what_calibration_made_of_each_score(cohort):
    run_loso(
        protocol(cohort, calibration=Calibration("temperature", 2, 0.8, ("small",)), final=False)
    )
    table = read_predictions(cohort / "run/predictions.csv")
    assert table.loc[table["model"] == "large", "calibrated"].isna().all()
    for record in records(cohort):
        calibrator = Calibrator(**record["models"]["small"]["calibration"])
        for row in table[
            (table["model"] == "small") & (table["fold"] == record["fold"])
        ].itertuples():
            scores = np.array([list(row.scores.values())])
            assert list(row.calibrated.values()) == pytest.approx(
                calibrator.apply(scores)[0].tolist(), abs=1e-5
            )
            assert row.plausible == [
                ["absent", "present"][level] for level in calibrator.plausible(scores)[0]
            ]


def test_kept_models_are_those_that_made_the_predictions(cohort):
    run_loso(protocol(cohort, keep=True, final=False))
    folders = sorted((cohort / "run/kept/swing-pose/seed-0").glob("*/small"))
    assert [folder.parent.name for folder in folders] == [f"p{n}" for n in range(6)]
    for folder in folders:
        assert folder.parent.name not in load_model(folder).about["training"]
    stamp = folders[0].joinpath("model.json").stat().st_mtime_ns
    run_loso(protocol(cohort, keep=True, final=False))
    assert folders[0].joinpath("model.json").stat().st_mtime_ns == stamp
    folders[0].joinpath("weights.safetensors").unlink()
    run_loso(protocol(cohort, keep=True, final=False))
    assert load_model(folders[0]).about["task"] == "swing (pose)"


def test_kept_models_of_another_protocol_go(cohort):
    run_loso(protocol(cohort, keep=True, final=False))
    run_loso(protocol(cohort, keep=True, final=False, split=Split(by="grouped", folds=2)))
    assert sorted(path.name for path in (cohort / "run/kept/swing-pose/seed-0").iterdir()) == [
        "01",
        "02",
    ]


def test_models_of_another_protocol_in_the_same_folder_go(cohort):
    run_loso(protocol(cohort))
    models = protocol(cohort).models
    faster = replace(models["small"], learning_rate=0.01)
    run_loso(protocol(cohort, models={"small": faster}))
    (left,) = (cohort / "run/models/swing-pose").iterdir()
    assert left.name == "small" and [
        path.name for path in (cohort / "run/adjacency").iterdir()
    ] == ["swing-pose-small.npz"]


def test_renamed_levels_and_recordings_are_read_again(cohort):
    run_loso(protocol(cohort, final=False))
    for name in ("clips.tsv", "clips.json"):
        text = (cohort / name).read_text().replace("absent", "no").replace("present", "yes")
        (cohort / name).write_text(text)
    run_loso(protocol(cohort, final=False))
    assert set(read_predictions(cohort / "run/predictions.csv")["truth"]) == {"no", "yes"}


def test_permutations_that_cannot_be_trained_are_left_out_and_counted(cohort):
    clips = pd.read_csv(cohort / "clips.tsv", sep="\t", dtype=str, keep_default_na=False)
    rare = clips["participant_id"].isin(["p1", "p3"])
    clips["swing"] = np.where(rare, "present", "absent")
    clips.to_csv(cohort / "clips.tsv", sep="\t", index=False)
    people = pd.DataFrame(
        {"participant_id": [f"p{n}" for n in range(6)], "centre": ["a", "a", "b", "b", "c", "c"]}
    )
    people.to_csv(cohort / "participants.tsv", sep="\t", index=False)
    result = run_loso(
        protocol(
            cohort,
            split=Split(by="centre"),
            permutations=8,
            final=False,
            models={"small": protocol(cohort).models["small"]},
        )
    )
    assert result.failed == {} and result.refused == {}
    null = json.loads((cohort / "run/null.json").read_text())["swing (pose)"]["small"]["auc"]
    (note,) = [
        note
        for note in json.loads((cohort / "run/notes.json").read_text())
        if "permutations left out" in note
    ]
    assert 0 < len(null) < 8 and f"{8 - len(null)} of 8 permutations left out" in note


def test_weights_of_a_mixture_are_those_of_the_highest_likelihood():
    # 2 log(0.2 + 0.6 w) + log(0.8 - 0.6 w) is highest at w = 7/9
    of_truth = np.array([[0.8, 0.8, 0.2], [0.2, 0.2, 0.8]])
    assert lowest_log_loss(of_truth) == pytest.approx([7 / 9, 2 / 9], abs=1e-6)
    assert lowest_log_loss(np.array([[0.9, 0.8], [0.3, 0.4]])) == pytest.approx([1, 0], abs=1e-6)


def test_weights_that_do_not_help_another_inner_fold_stay_equal():
    of_truth = np.array([[0.8, 0.8, 0.2], [0.2, 0.2, 0.8]])
    folds = np.array(["01"] * 3 + ["02"] * 3)
    weights, learned = fit_weights(np.concatenate([of_truth, of_truth], axis=1), folds)
    assert learned and weights == pytest.approx([7 / 9, 2 / 9], abs=1e-6)
    # what is best in one fold is worst in the other
    weights, learned = fit_weights(np.concatenate([of_truth, of_truth[::-1]], axis=1), folds)
    assert not learned and weights.tolist() == [0.5, 0.5]
    weights, learned = fit_weights(of_truth, np.array(["01"] * 3))
    assert not learned and weights.tolist() == [0.5, 0.5]


def test_a_fusion_weighs_a_selection_by_inner_folds_of_training_participants(cohort):
    task, chosen = "swing (pose)", ("small", "large")
    members = (f"{task}/small", f"{task}/chosen")
    run_loso(
        protocol(
            cohort,
            calibration=Calibration(folds=2),
            selections={"chosen": chosen},
            fusions=[Fusion(task, "both", members, "inner")],
            permutations=1,
            final=False,
        )
    )
    run = cohort / "run"
    entries = {entry["fold"]: entry for entry in json.loads((run / "fusions.json").read_text())}
    table = read_predictions(run / "predictions.csv")
    for record in [record for record in records(cohort) if record["permutation"] is None]:
        everybody_else = sorted(set(record["clips"]) - set(record["held_out_clips"]))
        for name in chosen:
            assert record["models"][name]["seen"]["fusion"] == everybody_else
        weights = entries[record["fold"]]["weights"]
        assert sum(weights.values()) == pytest.approx(1, abs=2e-6)
        own = table[table["fold"] == record["fold"]].set_index(["model", "clip_id"])["scores"]
        for clip_id in record["held_out_clips"]:
            mean = sum(
                weights[member] * own[member.rpartition("/")[2], clip_id]["present"]
                for member in members
            )
            assert own["both", clip_id]["present"] == pytest.approx(mean, abs=2e-6)
    checks = {check.name: check for check in audit(run)}
    for name in ("fusion weights", "threshold and choice", "table", "chance"):
        assert checks[name].result == "passed", (name, checks[name].found)
    report = (run / "report.html").read_text()
    assert "weights fitted in each fold on inner folds of the training participants" in report
    first = next(iter(entries.values()))
    first["weights"] = dict(zip(members, (0.9, 0.1)))
    (run / "fusions.json").write_text(json.dumps(list(entries.values())))
    (fault,) = {check.name: check for check in audit(run)}["threshold and choice"].findings
    assert fault.code == "weights-differ" and fault.about == (task, "both", first["fold"])
    (run / "fusions.json").write_text("[]")
    check = {check.name: check for check in audit(run)}["threshold and choice"]
    assert check.result == "not possible" and check.findings[0].code == "weights-unrecorded"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"selections": {"chosen": ("small", "huge")}},
            "'chosen': no model huge in this config; there are small, large",
        ),
        ({"selections": {"small": ("small", "large")}}, "needs a name that no model has"),
        ({"calibration": Calibration("temperature", 1)}, "inner folds are two or more"),
        ({"calibration": Calibration(coverage=90)}, "a share between 0 and 1"),
        ({"models": {}}, "name one or more of each"),
        ({"validation": 2.0}, "a share of the training participants"),
        ({"batch_size": 0}, "batch_size: 0; 1 or more"),
        ({"jobs": 0}, "jobs: 0"),
        ({"fusions": [Fusion("all", "both", ("swing (pose)/small",))]}, "name two members or more"),
        (
            {
                "fusions": [
                    Fusion("swing (pose)", "small", ("swing (pose)/small", "swing (pose)/large"))
                ]
            },
            "is there already",
        ),
        (
            {"tasks": {"swing (pose)": SWING, "swing pose": SWING}},
            "would share the folder swing-pose",
        ),
        ({"seeds": ()}, "name one or more, each once"),
        ({"seeds": (0, 0)}, "name one or more, each once"),
    ],
)
def test_what_cannot_be_fitted_is_refused(cohort, changes, message):
    with pytest.raises(UserError, match=message):
        protocol(cohort, **changes)


def test_clips_with_too_little_tracking_are_reported_as_not_assessable(cohort):
    tracks = read_tracks(cohort / "tracks/p1_0.nc")
    tracks["position"].values[:38] = np.nan  # 2 of 40 frames are left
    save_tracks(tracks, cohort / "tracks/p1_0.nc")
    run_loso(protocol(cohort, final=False))
    (entry,) = json.loads((cohort / "run/not_assessable.json").read_text())["swing (pose)"]
    assert entry == {
        "clip_id": "p1_0",
        "participant_id": "p1",
        "truth": "present",
        "reason": "body followed in 5% of the frames; 10% are required",
    }
    assert "p1_0" not in set(pd.read_csv(cohort / "run/predictions.csv")["clip_id"])


def test_final_models_are_calibrated_by_the_folds_predictions(cohort):
    run_loso(protocol(cohort, calibration=Calibration("temperature", 2, 0.6)))
    saved = load_model(cohort / "run/models/swing-pose/small")
    table = read_predictions(cohort / "run/predictions.csv")
    own = table[table["model"] == "small"]
    expected = fit_calibrator(
        np.array([list(scores.values()) for scores in own["scores"]]),
        (own["truth"] == "present").astype(int).to_numpy(),
        "temperature",
        0.6,
    )
    assert saved.about["calibration"]["temperature"] == pytest.approx(
        expected.temperature, rel=1e-3
    )
    assert saved.about["calibration"]["clips"] == 11

    joints = prepare(read_tracks(cohort / "tracks/p1_0.nc"), saved.reading)
    calibrated = probabilities(saved, joints)
    saved.about.pop("calibration")
    raw = probabilities(saved, joints)
    assert list(calibrated.values()) == pytest.approx(
        expected.apply(np.array([list(raw.values())]))[0].tolist(), abs=2e-3
    )
    assert probabilities(saved, np.full_like(joints, np.nan)) is None
