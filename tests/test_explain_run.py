"""`semiology explain` on a small run: who is explained by which model, what is written, and what is
refused in one line.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from semiology import UserError
from semiology.cli.main import main
from semiology.evaluation.report.explanations import explained as shown_by_the_report
from semiology.evaluation.report.inputs import read_explanations
from semiology.evaluation.run.files import run_data
from semiology.evaluation.run.settings import Model, Protocol, Split, Task
from semiology.experiments.explain import explain
from semiology.experiments.explain.models import explained
from semiology.experiments.loso import run_loso
from semiology.files import read_json, write_json
from semiology.models.networks import TCN, Network, StreamShape
from semiology.models.training.reading import Reading, Schedule
from semiology.models.training.saved import save_state


@pytest.fixture(scope="module")
def made(shared_cohort, tmp_path_factory) -> Path:
    """A run with kept folds of an AGCN and a GAT, on the wrist that swings in half of the clips."""
    reading = Reading("swing", channels=("joint", "motion"), window=16, whole=True, rate=12.5)
    schedule = Schedule(epochs=8, patience=None, device="cpu")
    agcn = Model(Network("agcn", {"widths": [8, 8]}), learning_rate=0.01, schedule=schedule)
    gat = Model(Network("gat", {"width": 8, "blocks": 1}), learning_rate=0.01, schedule=schedule)
    run = tmp_path_factory.mktemp("run")
    tasks, models = {"swing (pose)": Task(reading)}, {"agcn": agcn, "gat": gat}
    run_loso(
        Protocol(
            cohort=str(shared_cohort),
            out=str(run),
            tasks=tasks,
            models=models,
            validation=0.0,
            keep=True,
            final=False,
        )
    )
    return run


def test_each_clip_is_explained_by_the_model_that_never_saw_the_person(made):
    for one in explained(made, "swing-pose", "agcn"):
        assert one.kept and one.clip_ids
        assert not {clip.split("_")[0] for clip in one.clip_ids} & set(one.saved.about["training"])


def test_a_run_is_explained_and_not_twice(made, capsys):
    assert main(["explain", str(made), "--model", "agcn"]) == 0
    path = made / "explanation" / "swing-pose-agcn.json"
    document = json.loads(path.read_text())
    printed = capsys.readouterr().out
    assert (
        "by a model that was not trained on its participant" in printed
        and "random weights: rank correlation" in printed
        and "deletion:" in printed
    )
    assert len(document["clips"]) == 11, "one of twelve is not scored"
    assert sum(document["joints"].values()) == pytest.approx(1, abs=1e-3)
    assert sum(edge["share"] for edge in document["edges"]) == pytest.approx(1, abs=1e-3)
    assert sum(document["time"]) == pytest.approx(1, abs=1e-3)
    assert max(document["joints"], key=document["joints"].get) == "left_wrist"
    assert (
        document["held_out"]
        and document["truth"] is None
        and document["layout"].keys() == document["joints"].keys()
    )
    assert document["completeness"]["relative_gap"] < 0.05
    arrays = np.load(path.with_suffix(".npz"), allow_pickle=False)
    assert arrays["map/p1_0"].shape == (16, 11) and arrays["C/p1_0"].shape == (2, 3, 11, 11)
    assert arrays["B"].shape == arrays["A"].shape == (2, 3, 11, 11)
    before = path.stat().st_mtime_ns
    explain(made, model="agcn")
    assert path.stat().st_mtime_ns == before


def test_single_clips_and_the_other_method(made):
    (path,) = explain(made, task="swing (pose)", model="gat", clips=["p1_0"], method="occlusion")
    document = json.loads(path.read_text())
    assert path == made / "explanation" / "clips" / "swing-pose-gat-occlusion.json"
    assert [row["clip_id"] for row in document["clips"]] == ["p1_0"] and document[
        "completeness"
    ] is None
    assert (
        document["graph"]["algorithm"] == "GNNExplainer" and len(document["graph"]["edges"]) == 10
    )


def test_single_clips_do_not_touch_the_explanation_of_the_run(made):
    (whole,) = explain(made, model="agcn")
    before = whole.read_bytes()
    assert main(["explain", str(made), "--model", "agcn", "--clips", "p1_0"]) == 0
    assert whole.read_bytes() == before
    document = json.loads((made / "explanation" / "clips" / whole.name).read_text())
    assert [row["clip_id"] for row in document["clips"]] == ["p1_0"] and document["left_out"] == []


def on_the_page(run: Path) -> str:
    """Of which clips the report states that its figure is the mean."""
    (one,) = read_explanations(run)
    return shown_by_the_report(one)["what"]


def copy_of(made: Path, folder: Path) -> Path:
    """The run alone in another place, so that its config needs to say where the cohort is."""
    copied = Path(shutil.copytree(made, folder, ignore=shutil.ignore_patterns("explanation")))
    config = yaml.safe_load((made / "config.yaml").read_text())
    config["cohort"], config["store"] = run_data(made)
    (copied / "config.yaml").write_text(yaml.safe_dump(config))
    return copied


def test_what_was_not_kept_or_left_the_cohort_is_reported(made, tmp_path, capsys):
    run = copy_of(made, tmp_path / "run")
    shutil.rmtree(run / "kept" / "swing-pose" / "seed-0" / "p3")
    assert main(["explain", str(run), "--model", "agcn"]) == 0
    assert "2 of 11 scored clips are left out: p3_0, p3_1 (" in capsys.readouterr().out
    document = json.loads((run / "explanation" / "swing-pose-agcn.json").read_text())
    assert (
        document["left_out"] == ["p3_0", "p3_1"]
        and document["shown"]["left_out"] == 2
        and document["shown"]["scored"] == 11
    )
    assert len(document["clips"]) == 9
    assert on_the_page(run).endswith(
        ", of held-out participants; 2 of 11 labelled clips are left out"
    )
    cohort = Path(shutil.copytree(run_data(made)[0], tmp_path / "cohort"))
    lines = (cohort / "clips.tsv").read_text().splitlines()
    (cohort / "clips.tsv").write_text(
        "\n".join(line for line in lines if not line.startswith("p0_1")) + "\n"
    )
    (run / "config.yaml").write_text(f"cohort: {cohort}\n")
    (path,) = explain(run, model="agcn", clips=["p1_0"])
    assert json.loads(path.read_text())["left_out"] == ["p0_1", "p3_0", "p3_1"]


def test_leftovers_of_another_protocol_are_not_explained(made, tmp_path):
    run = copy_of(made, tmp_path / "run")
    kept = run / "kept" / "swing-pose" / "seed-0"
    shutil.copytree(kept / "p0", kept / "fold-1")
    shutil.copy(
        run / "folds/swing-pose/seed-0/p0.json", run / "folds/swing-pose/seed-0/fold-1.json"
    )
    clips = [clip for one in explained(run, "swing-pose", "agcn") for clip in one.clip_ids]
    assert len(clips) == len(set(clips)) == 11


def test_folds_by_recording_know_the_person_and_that_is_reported(shared_cohort, tmp_path, capsys):
    reading = Reading("swing", channels=("joint",), window=16, whole=True, rate=12.5)
    schedule = Schedule(epochs=1, patience=None, device="cpu")
    models = {"agcn": Model(Network("agcn", {"widths": [4]}), schedule=schedule)}
    split, tasks = Split(by="recording", folds=2), {"swing (pose)": Task(reading)}
    arguments = {
        "tasks": tasks,
        "models": models,
        "validation": 0.0,
        "keep": True,
        "final": False,
        "split": split,
    }
    run_loso(Protocol(cohort=str(shared_cohort), out=str(tmp_path), **arguments))
    found = list(explained(tmp_path, "swing-pose", "agcn"))
    known = {
        clip
        for one in found
        for clip in one.clip_ids
        if clip.split("_")[0] in one.saved.about["training"]
    }
    assert known and frozenset().union(*(one.known for one in found)) == known
    assert main(["explain", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "not trained on its participant" not in printed
    assert "each clip by a model trained on other clips of" in printed
    document = json.loads((tmp_path / "explanation" / "swing-pose-agcn.json").read_text())
    assert document["held_out"] and document["shown"]["people"] == (
        "known" if len(known) == 11 else "some known"
    )
    assert ", held out, " in on_the_page(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": "smile"}, "no models for the task 'smile'; tasks are swing-pose"),
        ({"model": "tcn"}, "swing-pose has no model 'tcn'; it has agcn, gat"),
        ({"clips": ["p9_0"]}, "no clip 'p9_0' among those that the run's models were tested on"),
        ({"clips": []}, "clips: none is named"),
        ({"method": "lime"}, "method 'lime': there are integrated_gradients, occlusion"),
    ],
)
def test_what_is_not_there_is_reported_in_one_line(made, options, message):
    with pytest.raises(UserError, match=message) as caught:
        explain(made, **options)
    assert "\n" not in str(caught.value)


def test_runs_without_models_and_models_of_appearance_are_refused(made, tmp_path, capsys):
    assert main(["explain", str(tmp_path)]) == 2
    assert (
        "holds no trained models; run `semiology loso` with keep: true" in capsys.readouterr().err
    )
    copy = tmp_path / "models" / "swing-pose" / "tcn"
    copy.mkdir(parents=True)
    appearance_model(made, copy)
    with pytest.raises(UserError, match="reads appearance features"):
        explain(tmp_path, model="tcn")
    with pytest.raises(
        UserError, match="no model of swing-pose reads keypoints only; there are tcn"
    ):
        explain(tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.yaml", "a: [", "config.yaml: not YAML"),
        ("config.yaml", "out: x", "config.yaml: names no cohort"),
        (
            "folds/swing-pose/seed-0/p0.json",
            "[]",
            "p0.json: the fold's record is missing or damaged",
        ),
    ],
)
def test_damaged_files_of_a_run_are_named_in_one_line(made, tmp_path, file, content, message):
    run = copy_of(made, tmp_path / "run")
    (run / file).write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        explain(run, model="agcn")
    assert "\n" not in str(caught.value)


def test_a_task_without_a_model_of_keypoints_does_not_stop_the_others(made, tmp_path, capsys):
    run = copy_of(made, tmp_path / "run")
    (run / "models" / "voice" / "tcn").mkdir(parents=True)
    appearance_model(run, run / "models" / "voice" / "tcn")
    (path,) = explain(run)
    assert path.name == "swing-pose-agcn.json"
    assert (
        "left out: " in (message := capsys.readouterr().err)
        and "no model of voice reads keypoints only; there are tcn" in message
    )


def explained_skeleton(run: Path):
    return next(explained(run, "swing-pose", "agcn")).saved.shape.skeleton


def test_models_trained_on_everybody_are_reported_to_be_that(made, tmp_path, capsys):
    fold = next((made / "kept" / "swing-pose" / "seed-0").iterdir())
    target = tmp_path / "models" / "swing-pose" / "agcn"
    target.mkdir(parents=True)
    for name in ("model.json", "weights.safetensors"):
        (target / name).write_bytes((fold / "agcn" / name).read_bytes())
    (tmp_path / "config.yaml").write_bytes((made / "config.yaml").read_bytes())
    assert main(["explain", str(tmp_path), "--clips", "[p1_0]"]) == 0
    assert "TRAINED ON THESE CLIPS" in capsys.readouterr().out
    document = json.loads((tmp_path / "explanation" / "clips" / "swing-pose-agcn.json").read_text())
    assert not document["held_out"] and document["shown"]["people"] == "trained on"


def appearance_model(made: Path, folder: Path) -> None:
    """A TCN with the description of one of the run's AGCNs."""
    document = read_json(made / "kept/swing-pose/seed-0/p0/agcn/model.json")
    document["network"] = {"stream": "tcn", "options": {"width": 8, "blocks": 1}}
    document["shape"]["appearance_channels"] = 5
    write_json(folder / "model.json", document, checksummed=True)
    shape = StreamShape(2, explained_skeleton(made), document["shape"]["keypoint_channels"], 5)
    save_state(folder / "weights.safetensors", TCN(shape, width=8, blocks=1))
