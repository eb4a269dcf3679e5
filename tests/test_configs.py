"""Every YAML in configs/ is read as its verb reads it and run small."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from semiology.cli.experiments import read_protocol
from semiology.cli.main import main
from semiology.data.store import Store
from semiology.data.tracks import make_tracks, save_tracks
from semiology.evaluation.run.settings import Protocol
from semiology.evaluation.run.tasks import TEST_SET
from semiology.experiments.loso import run_loso
from semiology.models.training.reading import Reading

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
LOSO = [
    "demo",
    "distillation",
    "expression",
    "hou2022",
    "hou2022_small",
    "msr",
    "null",
    "signs",
    "table1",
    "utkinect",
]
PHANTOMS = ["demo_phantom", "distillation_phantom", "null_phantom", "table1_phantom"]
TRAININGS = ["train_agcn", "train_distillation", "train_segments"]
PRETRAININGS = ["demo_body_vgg", "demo_face_vgg", "distillation_face_vgg"]
EXTRACTIONS = ["demo_extract"]  # read in test_demo.py
TIMELINES = ["utkinect_timeline"]  # run small in test_localise.py
REPRODUCED = ["myasthenia"]  # run small in test_reproduce_myasthenia.py
PUBLIC_FEATURES = [
    "gestures",
    "gestures_table",
    "seizure_type",
]  # run small in test_public_features.py and test_reproduce_gestures.py


def test_no_config_is_forgotten_here():
    assert {path.stem for path in CONFIGS.glob("*.yaml")} == {
        *LOSO,
        *PHANTOMS,
        *TRAININGS,
        *PRETRAININGS,
        *EXTRACTIONS,
        *TIMELINES,
        *PUBLIC_FEATURES,
        *REPRODUCED,
    }


def tiny_cohort(folder: Path, readings: list[Reading], people: int = 6) -> None:
    """Some people, one clip of 24 frames each: random tracks of what the readings ask for, random
    features, two levels a label.
    """
    rng = np.random.default_rng(0)
    names = sorted(
        {
            source
            for reading in readings
            for sources in reading.graph.joints.values()
            for source in sources
        }
    )
    labels = sorted({label for reading in readings for label in reading.labels})
    rows = []
    for person in range(people):
        clip_id = f"p{person}_1"
        tracks = make_tracks(
            rng.normal(200, 40, (24, len(names), 2)),
            names,
            25.0,
            position_3d=rng.normal(0, 0.3, (24, len(names), 3)),
            backend="random",
        )
        save_tracks(tracks, folder / f"tracks/{clip_id}.nc")
        store = Store(folder / "store")
        for stage in ("body_vgg", "face_vgg", "blendshapes", "fer"):
            store.write(clip_id, stage, "0" * 16, (rng.normal(size=(5, 8)), np.arange(5) / 5))
            store.note(clip_id, {}, {stage: {"key": "0" * 16}})
        rows.append(
            [
                clip_id,
                f"p{person}",
                f"tracks/{clip_id}.nc",
                0,
                "n/a",
                *[("a", "b")[person % 2] for _ in labels],
            ]
        )
    columns = ["clip_id", "participant_id", "tracks", "start", "end", *labels]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "clips.tsv", sep="\t", index=False)
    everybody = "".join(f"p{person}\n" for person in range(people))
    (folder / "participants.tsv").write_text(f"participant_id\n{everybody}")
    sidecar = {label: {"Role": "label", "Levels": {"a": "", "b": ""}} for label in labels}
    (folder / "clips.json").write_text(json.dumps(sidecar))


def shortened(protocol: Protocol, folder: Path) -> Protocol:
    tasks = {
        name: replace(
            task,
            reading=replace(
                task.reading,
                rate=min(task.reading.rate, 25.0),
                window=min(task.reading.window, 16),
                windows=min(task.reading.windows, 2),
            ),
        )
        for name, task in protocol.tasks.items()
    }
    models = {
        name: replace(model, schedule=replace(model.schedule, epochs=1, device="cpu"))
        for name, model in protocol.models.items()
    }
    where = {"cohort": str(folder), "store": str(folder / "store"), "out": str(folder / "run")}
    return replace(
        protocol,
        split=replace(protocol.split, test=["p0", "p1"] if protocol.split.test else None),
        tasks=tasks,
        models=models,
        seeds=(0,),
        permutations=0,
        jobs=1,
        final=False,
        repeats=1,
        **where,
    )


@pytest.mark.parametrize("name", LOSO)
def test_a_loso_config_runs_every_model_of_every_task(name, tmp_path):
    protocol = read_protocol(["--config", str(CONFIGS / f"{name}.yaml")])
    people = 8 if protocol.split.test else 6
    tiny_cohort(tmp_path, [task.reading for task in protocol.tasks.values()], people)
    result = run_loso(shortened(protocol, tmp_path))
    assert (result.refused, result.failed) == ({}, {})
    table = pd.read_csv(tmp_path / "run/predictions.csv")
    tasks = [name for task in protocol.tasks for name in protocol.label_tasks(task)]
    expected = {(task, model) for task in tasks for model in protocol.models_of(task)}
    expected |= {(fusion.task, fusion.model) for fusion in protocol.fusions}
    expected |= {(task, "linear") for task in tasks if protocol.baseline}
    if protocol.split.test:
        unseen = {(f"{task}{TEST_SET}", model) for task, model in expected}
        expected = unseen if protocol.split.by == "none" else expected | unseen
    assert set(zip(table["task"], table["model"])) == expected


def test_the_papers_protocol_names_the_published_network():
    protocol = read_protocol(["--config", str(CONFIGS / "hou2022.yaml")])
    assert protocol.models["agcn"].network.options["widths"] == [64] * 4 + [128] * 3 + [256] * 3
    assert (
        protocol.models["agcn_kd"].teacher == "tcn"
        and protocol.models["agcn_kd"].distillation.teacher_weight == 0.5
    )
    assert [task.reading.skeleton for task in protocol.tasks.values()] == [
        "upper_body_11",
        "face_23",
    ]


@pytest.mark.parametrize("name", PHANTOMS)
def test_a_phantom_config_renders(name, tmp_path):
    small = [
        "--subjects",
        "1",
        "--clips_per_subject",
        "1",
        "--seconds",
        "[2,2]",
        "--stills",
        "0",
        "--jobs",
        "1",
    ]
    assert (
        main(
            ["phantom", str(tmp_path / "cohort"), "--config", str(CONFIGS / f"{name}.yaml"), *small]
        )
        == 0
    )
    assert main(["cohort", "check", str(tmp_path / "cohort")]) == 0


@pytest.mark.parametrize("name", PRETRAININGS)
def test_a_pretraining_config_trains(name, tmp_path):
    rng = np.random.default_rng(0)
    for kind in ("calm", "fear"):
        (tmp_path / "images" / kind).mkdir(parents=True)
        for number in range(4):
            Image.fromarray(rng.integers(0, 255, (48, 48, 3), dtype=np.uint8)).save(
                tmp_path / "images" / kind / f"{number}.png"
            )
    kind = "posture" if "body" in name else "expression"
    where = [str(tmp_path / "images"), "--out", str(tmp_path / "vgg.safetensors")]
    assert (
        main(["pretrain", kind, *where, "--config", str(CONFIGS / f"{name}.yaml"), "--epochs", "1"])
        == 0
    )
    assert (tmp_path / "vgg.safetensors").stat().st_size > 0


def test_training_by_the_lightning_command_line_and_its_model_as_a_teacher(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    raw = yaml.safe_load((CONFIGS / "train_distillation.yaml").read_text())
    readings = [
        Reading(
            **{
                **raw["data"]["source"]["reading"],
                "channels": tuple(raw["data"]["source"]["reading"]["channels"]),
            }
        )
    ]
    tiny_cohort(tmp_path, readings)
    where = [
        "--data.source.cohort",
        str(tmp_path),
        "--data.source.store",
        str(tmp_path / "store"),
        "--data.validation",
        "0",
    ]
    short = [
        "--trainer.max_epochs",
        "1",
        "--trainer.accelerator",
        "cpu",
        "--trainer.enable_progress_bar",
        "false",
    ]
    first = [
        "--config",
        str(CONFIGS / "train_agcn.yaml"),
        *where,
        *short,
        "--data.held_out",
        "[p0]",
    ]
    assert main(["train", "fit", *first]) == 0
    teacher = next(Path("runs/train").rglob("model.json")).parent
    second = ["--config", str(CONFIGS / "train_distillation.yaml"), *where, *short]
    assert main(["train", "fit", *second, "--model.init_args.teacher", str(teacher)]) == 0
    third = [
        "--config",
        str(CONFIGS / "train_segments.yaml"),
        *where,
        *short,
        "--data.held_out",
        "[p0]",
    ]
    assert main(["train", "fit", *third]) == 0 == main(["train", "predict", *third])
    readings = [
        json.loads(path.read_text())["reading"] for path in Path("runs/train").rglob("model.json")
    ]
    assert sorted(reading["segments"] for reading in readings) == [0, 0, 8]
