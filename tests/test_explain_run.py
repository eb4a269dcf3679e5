"""`semiology explain` on a small run: who is explained by which model, what is written, and what is refused in one line."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file

from semiology import UserError
from semiology.cli import main
from semiology.evaluation.loso import run_loso
from semiology.evaluation.protocol import Model, Protocol, Task
from semiology.explain import explain
from semiology.explain.models import explained
from semiology.learning.clips import Reading
from semiology.learning.fitting import Schedule
from semiology.streams import TCN, Network, StreamShape


@pytest.fixture(scope="module")
def made(shared_cohort, tmp_path_factory) -> Path:
    """A run with kept folds of an AGCN and a GAT, on the wrist that swings in half of the clips."""
    reading = Reading("swing", channels=("joint", "motion"), window=16, whole=True, rate=12.5)
    schedule = Schedule(epochs=8, patience=None, accelerator="cpu")
    agcn = Model(Network("semiology.streams.AGCN", {"widths": [8, 8]}), learning_rate=0.01, schedule=schedule)
    gat = Model(Network("semiology.streams.GAT", {"width": 8, "blocks": 1}), learning_rate=0.01, schedule=schedule)
    run = tmp_path_factory.mktemp("run")
    tasks, models = {"swing (pose)": Task(reading)}, {"agcn": agcn, "gat": gat}
    run_loso(Protocol(cohort=str(shared_cohort), out=str(run), tasks=tasks, models=models, validation=0.0, keep=True, final=False))
    return run


def test_each_clip_is_explained_by_the_model_that_never_saw_the_person(made):
    for one in explained(made, "swing-pose", "agcn"):
        assert one.kept and one.clip_ids
        assert not {clip.split("_")[0] for clip in one.clip_ids} & set(one.saved.about["training"])


def test_a_run_is_explained_and_not_twice(made, capsys):
    assert main(["explain", str(made), "--model", "agcn"]) == 0
    path = made / "explanation" / "swing-pose-agcn.json"
    told = json.loads(path.read_text())
    printed = capsys.readouterr().out
    assert "never saw the person" in printed and "random weights: rank correlation" in printed and "deletion:" in printed
    assert len(told["clips"]) == 11, "one of twelve is not scored"
    assert sum(told["joints"].values()) == pytest.approx(1, abs=1e-3)
    assert sum(edge["share"] for edge in told["edges"]) == pytest.approx(1, abs=1e-3)
    assert sum(told["time"]) == pytest.approx(1, abs=1e-3)
    assert max(told["joints"], key=told["joints"].get) == "left_wrist"
    assert told["held_out"] and told["truth"] is None and told["layout"].keys() == told["joints"].keys()
    assert told["completeness"]["relative_gap"] < 0.05
    arrays = np.load(path.with_suffix(".npz"), allow_pickle=False)
    assert arrays["map/p1_0"].shape == (16, 11) and arrays["C/p1_0"].shape == (2, 3, 11, 11)
    assert arrays["B"].shape == arrays["A"].shape == (2, 3, 11, 11)
    before = path.stat().st_mtime_ns
    explain(made, model="agcn")
    assert path.stat().st_mtime_ns == before


def test_single_clips_and_the_other_method(made):
    (path,) = explain(made, task="swing (pose)", model="gat", clips=["p1_0"], method="occlusion")
    told = json.loads(path.read_text())
    assert path.name == "swing-pose-gat-occlusion.json"
    assert [row["clip_id"] for row in told["clips"]] == ["p1_0"] and told["completeness"] is None
    assert told["graph"]["algorithm"] == "GNNExplainer" and len(told["graph"]["edges"]) == 10


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"task": "smile"}, "no models for the task 'smile'; tasks are swing-pose"),
        ({"model": "tcn"}, "swing-pose has no model 'tcn'; it has agcn, gat"),
        ({"clips": ["p9_0"]}, "no clip 'p9_0' among those that the run's models were tested on"),
        ({"method": "lime"}, "method 'lime': there are integrated_gradients, occlusion"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(made, options, said):
    with pytest.raises(UserError, match=said) as caught:
        explain(made, **options)
    assert "\n" not in str(caught.value)


def test_runs_without_models_and_models_of_appearance_are_refused(made, tmp_path, capsys):
    assert main(["explain", str(tmp_path)]) == 2
    assert "holds no trained models; run `semiology loso` with keep: true" in capsys.readouterr().err
    folder = next((made / "kept" / "swing-pose" / "seed-0").iterdir()) / "agcn"
    copy = tmp_path / "models" / "swing-pose" / "tcn"
    copy.mkdir(parents=True)
    told = json.loads((folder / "model.json").read_text())
    told["network"] = {"stream": "semiology.streams.TCN", "options": {"width": 8, "blocks": 1}}
    told["shape"]["appearance_channels"] = 5
    (copy / "model.json").write_text(json.dumps(told))
    shape = StreamShape(2, explained_skeleton(made), told["shape"]["keypoint_channels"], 5)
    save_file(TCN(shape, width=8, blocks=1).state_dict(), copy / "weights.safetensors")
    with pytest.raises(UserError, match="reads appearance features"):
        explain(tmp_path, model="tcn")
    with pytest.raises(UserError, match="no model of swing-pose reads keypoints only; there are tcn"):
        explain(tmp_path)


def explained_skeleton(run: Path):
    return next(explained(run, "swing-pose", "agcn")).saved.shape.skeleton


def test_models_trained_on_everybody_are_said_to_be_that(made, tmp_path, capsys):
    fold = next((made / "kept" / "swing-pose" / "seed-0").iterdir())
    target = tmp_path / "models" / "swing-pose" / "agcn"
    target.mkdir(parents=True)
    for name in ("model.json", "weights.safetensors"):
        (target / name).write_bytes((fold / "agcn" / name).read_bytes())
    (tmp_path / "config.yaml").write_bytes((made / "config.yaml").read_bytes())
    assert main(["explain", str(tmp_path), "--clips", "[p1_0]"]) == 0
    assert "TRAINED ON THESE CLIPS" in capsys.readouterr().out
    assert not json.loads((tmp_path / "explanation" / "swing-pose-agcn.json").read_text())["held_out"]
