"""Leave-one-subject-out on a tiny cohort of tracks, from the command line to the report."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.linear_model import Ridge

import semiology
from semiology import UserError, read_tracks
from semiology.cli.main import main
from semiology.data.tracks import save_tracks
from semiology.evaluation.run.files import run_data
from semiology.evaluation.run.predictions import read_predictions
from semiology.evaluation.run.settings import Fusion, Model, Protocol, Split, Task
from semiology.experiments.baseline import clip_features, linear_fold
from semiology.experiments.clips import begin_run, open_source
from semiology.experiments.loso import run_loso
from semiology.experiments.outputs import fuse
from semiology.files import slug
from semiology.models.networks import Network
from semiology.models.training.clips import ClipSource
from semiology.models.training.reading import Reading, Schedule
from semiology.timeline.predict import predict

QUICK = Schedule(epochs=2, patience=None, device="cpu")
AGCN = Network("agcn", {"widths": [8, 8]})


def protocol(cohort, **changes) -> Protocol:
    tasks = {"swing (pose)": Task(Reading("swing", window=32))}
    models = {
        "agcn": Model(AGCN, schedule=QUICK),
        "agcn_bone": Model(AGCN, channels=("bone",), schedule=QUICK),
    }
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


def test_a_run_holds_every_clip_once_a_model_and_writes_what_it_promises(cohort):
    fusions = [Fusion("swing (pose)", "both", ("swing (pose)/agcn", "swing (pose)/agcn_bone"))]
    result = run_loso(protocol(cohort, fusions=fusions))
    table = pd.read_csv(cohort / "run/predictions.csv")
    assert table.groupby("model")["clip_id"].nunique().to_dict() == {
        "agcn": 11,
        "agcn_bone": 11,
        "both": 11,
    }
    assert (table["fold"] == table["participant_id"]).all()
    score = table.set_index(["model", "clip_id"])["score"]
    assert score["both", "p1_0"] == pytest.approx(
        (score["agcn", "p1_0"] + score["agcn_bone", "p1_0"]) / 2, abs=1e-5
    )
    for name in (
        "metrics.json",
        "report.html",
        "config.yaml",
        "notes.json",
        "cohort.json",
        "adjacency/swing-pose-agcn.npz",
    ):
        assert (cohort / "run" / name).is_file(), name
    assert json.loads((cohort / "run/notes.json").read_text()) == [
        "swing (pose): left out p5_1: swing not scored"
    ]
    assert result.refused == {} and result.failed == {}


def test_records_show_that_the_held_out_participant_taught_nothing(cohort):
    run_loso(protocol(cohort, validation=0.34, final=False))
    records = [json.loads(path.read_text()) for path in (cohort / "run/folds").rglob("*.json")]
    assert sorted(record["held_out"] for record in records) == [[f"p{n}"] for n in range(6)]
    for record in records:
        assert {row["clip_id"][:2] for row in record["predictions"]} == set(record["held_out"])
        for model in record["models"].values():
            seen = model["seen"]
            assert sorted(seen) == [
                "batch_norm",
                "class_weights",
                "weights",
            ]  # no early stopping: QUICK has no patience
            for clips in seen.values():
                assert len(clips) >= 6 and not set(clips) & set(record["held_out_clips"])


def test_a_model_is_not_given_another_trackers_tracks(cohort):
    for path in (cohort / "tracks").glob("*.nc"):
        save_tracks(read_tracks(path).assign_attrs(backend="keypoint-rcnn"), path)
    run_loso(protocol(cohort))
    with pytest.raises(UserError, match="trained on tracks by keypoint-rcnn, not by blazepose"):
        predict(cohort / "no_video.mp4", cohort / "run")


def test_a_second_run_trains_nothing_and_a_changed_setting_trains_again(cohort):
    run_loso(protocol(cohort))
    records = sorted((cohort / "run/folds").rglob("*.json"))
    stamps = [path.stat().st_mtime_ns for path in records]
    run_loso(protocol(cohort))
    assert [path.stat().st_mtime_ns for path in records] == stamps
    records[0].write_text('{"key": "half')  # as an interrupted disk might leave it
    run_loso(protocol(cohort))
    again = [path.stat().st_mtime_ns for path in records]
    assert again[0] != stamps[0] and again[1:] == stamps[1:]
    run_loso(protocol(cohort, batch_size=4))
    assert all(
        now != then for now, then in zip([path.stat().st_mtime_ns for path in records], again)
    )


def test_a_run_that_was_moved_with_its_cohort_goes_on_from_its_own_config(cohort, tmp_path_factory):
    request = protocol(
        cohort, models={"agcn": Model(AGCN, schedule=QUICK)}, split=Split("grouped", 2), final=False
    )
    run_loso(request)
    text = (cohort / "run/config.yaml").read_text()
    assert text.startswith("jobs: 1") and "\ncohort: ..\nout: .\n" in text
    assert str(cohort) not in text
    moved = Path(shutil.move(cohort, tmp_path_factory.mktemp("elsewhere") / "data"))
    assert run_data(moved / "run") == (str(moved), None)
    stamps = {path: path.stat().st_mtime_ns for path in (moved / "run/folds").rglob("*.json")}
    assert len(stamps) == 2
    assert main(["loso", "--config", str(moved / "run/config.yaml")]) == 0
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    semiology.loso(moved / "run/config.yaml")
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps


def test_a_folder_that_cannot_be_written_is_refused_before_the_first_fold(cohort, monkeypatch):
    def train(*_):
        raise AssertionError("a fold was trained")

    monkeypatch.setattr("semiology.experiments.loso.run_fold", train)
    (cohort / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        run_loso(protocol(cohort, out=str(cohort / "file" / "run")))


def test_a_cohort_edited_between_two_runs_is_read_again(cohort):
    request = protocol(
        cohort, models={"agcn": Model(AGCN, schedule=QUICK)}, split=Split("grouped", 2), final=False
    )
    keys = []
    for _ in range(2):
        assert run_loso(request).failed == {}
        keys.append(
            [
                json.loads(path.read_text())["key"]
                for path in sorted((cohort / "run/folds").rglob("*.json"))
            ]
        )
        path = cohort / "tracks/p0_0.nc"
        tracks = read_tracks(path)
        save_tracks(tracks.assign(position=tracks["position"].roll(time=7)), path)
    assert len(keys[0]) == len(keys[1]) == 2 and not set(keys[0]) & set(keys[1])


def test_a_process_reads_once_a_run(cohort):
    """Joblib's and Dask's processes are still there at the next run, with what they read for this
    one.
    """

    def read():
        return open_source(str(cohort), None, Reading("swing", window=32))

    begin_run("this run")
    first = read()
    begin_run("this run")
    assert read() is first
    begin_run("the next")
    assert read() is not first


def test_the_same_protocol_gives_the_same_predictions(cohort, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    run_loso(protocol(cohort, final=False))
    run_loso(protocol(cohort, final=False, out=str(other)))
    assert (cohort / "run/predictions.csv").read_bytes() == (other / "predictions.csv").read_bytes()


def test_a_label_with_one_level_in_training_is_refused_and_the_others_go_on(cohort):
    clips = pd.read_csv(cohort / "clips.tsv", sep="\t", dtype=str, keep_default_na=False)
    clips["side"] = np.where(
        clips["participant_id"] == "p1", "left", "none"
    )  # without p1 nobody shows "left"
    clips.to_csv(cohort / "clips.tsv", sep="\t", index=False)
    tasks = {
        "swing (pose)": Task(Reading("swing", window=32)),
        "side (pose)": Task(Reading("side", window=32)),
    }
    config = {
        "cohort": str(cohort),
        "out": str(cohort / "run"),
        "tasks": {
            name: {"reading": {"label": task.reading.label, "window": 32}}
            for name, task in tasks.items()
        },
        "models": {
            "agcn": {
                "network": {"stream": AGCN.stream, "options": AGCN.options},
                "schedule": {"epochs": 1, "patience": None},
            }
        },
        "validation": 0.0,
        "final": False,
    }
    (cohort / "loso.yaml").write_text(yaml.safe_dump(config))
    assert main(["loso", "--config", str(cohort / "loso.yaml")]) == 1
    assert set(pd.read_csv(cohort / "run/predictions.csv")["task"]) == {"swing (pose)"}
    notes = json.loads((cohort / "run/notes.json").read_text())
    assert any("side (pose): not evaluated" in note and "one level only" in note for note in notes)


def test_permutations_give_a_null_for_every_model_and_metric(cohort):
    run_loso(protocol(cohort, permutations=2, final=False))
    null = json.loads((cohort / "run/null.json").read_text())
    assert {len(values) for values in null["swing (pose)"]["agcn"].values()} == {2}
    metrics = json.loads((cohort / "run/metrics.json").read_text())
    assert metrics["method"]["chance"].startswith("permutation")


def test_a_fusion_joins_on_the_clip_not_on_the_row():
    rows = []
    for task, order in (("a", ["c1", "c2"]), ("b", ["c2", "c1"])):
        for clip_id in order:
            level = (
                {"c1": 0.2, "c2": 0.8}[clip_id] if task == "a" else {"c1": 0.4, "c2": 0.6}[clip_id]
            )
            scores = {"no": 1 - level, "yes": level}
            rows.append(
                {
                    "task": task,
                    "label": "x",
                    "stream": task,
                    "model": "m",
                    "seed": 0,
                    "fold": clip_id,
                    "clip_id": clip_id,
                    "scores": scores,
                }
            )
    fused = fuse(pd.DataFrame(rows), Fusion("both", "fused", ("a/m", "b/m")))
    assert {row.clip_id: row.scores["yes"] for row in fused.itertuples()} == pytest.approx(
        {"c1": 0.3, "c2": 0.7}
    )
    assert set(fused["stream"]) == {"fusion"}


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"tasks": {"t": Task(Reading("swing"), ("lstm",))}}, r"no model \['lstm'\]"),
        ({"models": {"kd": Model(AGCN, teacher="tcn")}}, "its teacher 'tcn' must be another model"),
        ({"fusions": [Fusion("f", "m", ("nothing/agcn",))]}, "no 'nothing/agcn'"),
        ({"tasks": {"t": Task(Reading("tremor"))}}, "defines no label 'tremor'"),
    ],
)
def test_a_config_that_names_what_is_not_there_is_refused(cohort, changes, message):
    with pytest.raises(UserError, match=message):
        run_loso(protocol(cohort, **changes))


def test_an_unknown_key_in_a_config_is_an_error(cohort, capsys):
    (cohort / "wrong.yaml").write_text("cohort: x\nout: y\ntasks: {}\nmodels: {}\nepoch: 3\n")
    with pytest.raises(SystemExit) as stopped:
        main(["loso", "--config", str(cohort / "wrong.yaml")])
    assert stopped.value.code == 2 and "epoch" in capsys.readouterr().err


def test_an_interrupted_run_goes_on_where_it_was(cohort):
    config = {
        "cohort": str(cohort),
        "out": str(cohort / "run"),
        "tasks": {"swing": {"reading": {"label": "swing", "window": 32}}},
        "models": {
            "agcn": {
                "network": {"stream": AGCN.stream, "options": AGCN.options},
                "schedule": {"epochs": 30, "patience": None},
            }
        },
        "validation": 0.0,
        "final": False,
        "jobs": 1,
    }
    (cohort / "loso.yaml").write_text(yaml.safe_dump(config))
    command = [
        sys.executable,
        "-m",
        "semiology.cli.main",
        "loso",
        "--config",
        str(cohort / "loso.yaml"),
    ]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.SIG_DFL
        ),  # where the tests run in the background, Ctrl-C is ignored
    )
    folds = cohort / "run/folds/swing/seed-0"
    for _ in range(1800):
        if folds.is_dir() and len(list(folds.glob("p*.json"))) >= 2:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, output = process.communicate(timeout=60)
    done = {path: path.stat().st_mtime_ns for path in folds.glob("p*.json")}
    assert (
        process.returncode == 130
        and "the same command continues from there" in output
        and "Traceback" not in output
    )
    assert 2 <= len(done) < 6 and not list(folds.glob(".part-*"))
    assert main(["loso", "--config", str(cohort / "loso.yaml")]) == 0
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in done.items())
    assert len(list(folds.glob("p*.json"))) == 6


def test_task_names_become_folder_names():
    assert slug("dystonia (pose)") == "dystonia-pose"


def test_the_linear_model_stands_beside_the_others_with_a_null_of_its_own(cohort):
    run_loso(protocol(cohort, baseline=True, final=False))
    table = read_predictions(cohort / "run/predictions.csv")
    linear = table[table["model"] == "linear"].set_index("clip_id")
    swings, score = linear["truth"] == "present", linear["score"]
    metrics = json.loads((cohort / "run/metrics.json").read_text())["tasks"]["swing (pose)"][
        "models"
    ]["linear"]["metrics"]
    pairs = [float(a > b) for a in score[swings] for b in score[~swings]]
    assert len(pairs) == 5 * 6 and metrics["auc"]["value"] == pytest.approx(np.mean(pairs))
    null = json.loads((cohort / "run/null.json").read_text())["swing (pose)"]["linear"]
    assert len(null["auc"]) == 1999
    assert (
        np.mean(null["auc"]) < 0.5
    )  # pooled leave-one-subject-out scores of exchanged labels are biased downwards
    reached = sum(value >= np.mean(pairs) - 1e-9 for value in null["auc"])
    assert metrics["auc"]["null"]["p"] == pytest.approx((1 + reached) / 2000)
    for path in (cohort / "run/folds").rglob("*.json"):
        record = json.loads(path.read_text())
        assert record["models"]["linear"]["seen"]["weights"] == sorted(
            set(record["clips"]) - set(record["held_out_clips"])
        )


def test_the_linear_model_is_trained_without_the_held_out_participant(cohort):
    source = ClipSource(str(cohort), Reading("swing", window=32))
    clips = source.clips
    own = [number for number, clip in enumerate(clips) if clip.participant_id == "p1"]
    features, targets = clip_features(source), np.array([clip.target for clip in clips])
    rest = np.array([number for number in range(len(clips)) if number not in own])
    mean, spread = features[rest].mean(0), features[rest].std(0)
    by_library = Ridge(alpha=features.shape[1]).fit(
        (features[rest] - mean) / spread, 2 * targets[rest] - 1
    )
    score = by_library.predict((features[own] - mean) / spread)
    rows, _ = linear_fold(source, [clips[number].clip_id for number in own])
    assert [row["probabilities"][1] for row in rows] == pytest.approx(
        1 / (1 + np.exp(-4 * score)), abs=1e-5
    )
