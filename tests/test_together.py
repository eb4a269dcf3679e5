"""Many modules trained at once learn what each learns alone, up to the order of sums."""

import json
import logging
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from audit_leaks import add_features

from semiology import load_skeleton, make_tracks, save_tracks
from semiology.evaluation.statistics.calibration import Calibration
from semiology.experiments.loso import run_loso
from semiology.experiments.protocol import Model, Protocol, Task
from semiology.experiments.splits import Split
from semiology.models.networks import Network
from semiology.models.training.batched_folds import fit_together
from semiology.models.training.clips import ClipSource
from semiology.models.training.datamodule import ClipDataModule
from semiology.models.training.modules import DistillationModule, StreamModule
from semiology.models.training.reading import Reading, Schedule
from semiology.models.training.trainer import fit, score

PEOPLE = [
    "p0",
    "p1",
    "p4",
    "p5",
]  # p5 has one scored clip: its fold has one more to train on, and another last batch
CLOSE = 2e-3  # of probabilities: a difference in the last bit grows from step to step
QUICK = Schedule(epochs=2, patience=1, accelerator="cpu")
AGCN = Network("semiology.models.networks.AGCN", {"widths": [4, 8]})
DROPPING = Network("semiology.models.networks.AGCN", {"widths": [4, 8], "dropout": 0.3})


@pytest.fixture(scope="module")
def source(shared_cohort) -> ClipSource:
    return ClipSource(str(shared_cohort), Reading("swing", window=16, whole=True))


def folds(source, validation=0.0) -> list[ClipDataModule]:
    return [
        ClipDataModule(source, [person], validation, batch_size=4, seed=number)
        for number, person in enumerate(PEOPLE)
    ]


def both_ways(source, make, epochs, patience=None, validation=0.0):
    """Modules trained one after the other, and at once, each with the data of its fold."""
    schedule, seeds = Schedule(epochs, patience, accelerator="cpu"), range(7, 11)
    alone, together = folds(source, validation), folds(source, validation)
    one_by_one = [
        fit(make(number), data, schedule, seed)
        for number, (data, seed) in enumerate(zip(alone, seeds))
    ]
    at_once = fit_together([make(number) for number in range(4)], together, schedule, seeds)
    return list(zip(one_by_one, alone)), list(zip(at_once, together))


def assert_alike(one_by_one, at_once, source):
    for (alone, data), (together, same) in zip(one_by_one, at_once):
        assert alone.epochs == together.epochs
        assert data.seen == same.seen
        assert not together.training
        expected, found = (
            score(alone, data, source.clips)[1],
            score(together, same, source.clips)[1],
        )
        np.testing.assert_allclose(found, expected, atol=CLOSE)
    probabilities = [score(module, data, source.clips)[1] for module, data in at_once]
    assert (
        min(np.abs(one - other).max() for one, other in pairwise(probabilities)) > 5 * CLOSE
    )  # each is its own


def plain(network):
    return lambda _: StreamModule(network, learning_rate=0.005)


def test_folds_of_different_sizes(source):
    assert [len(data.training) for data in folds(source)] == [
        9,
        9,
        9,
        10,
    ]  # 2 steps an epoch in three folds, 3 in the last
    assert_alike(*both_ways(source, plain(AGCN), epochs=5), source)


def test_dropout_draws_what_it_would_draw_alone(source):
    assert_alike(*both_ways(source, plain(DROPPING), epochs=5), source)


def test_each_fold_stops_early_by_itself_and_keeps_its_best_weights(source):
    one_by_one, at_once = both_ways(source, plain(DROPPING), epochs=12, patience=2, validation=0.4)
    assert_alike(one_by_one, at_once, source)
    assert len({module.epochs for module, _ in at_once}) > 1


def test_students_hear_their_own_teachers(source):
    teachers, _ = both_ways(source, plain(AGCN), epochs=1)

    def student(number):
        return DistillationModule(
            DROPPING, teachers[number][0].network, 2.0, feature_weight=0.1, learning_rate=0.005
        )

    before = [
        {name: value.clone() for name, value in module.network.state_dict().items()}
        for module, _ in teachers
    ]
    assert_alike(*both_ways(source, student, epochs=4), source)
    for state, (module, _) in zip(before, teachers):
        assert all(
            torch.equal(state[name], value) for name, value in module.network.state_dict().items()
        )


def test_graph_attention_of_torch_geometric(source):
    assert_alike(
        *both_ways(
            source,
            plain(Network("semiology.models.networks.GAT", {"width": 8, "blocks": 1})),
            epochs=2,
        ),
        source,
    )


def test_what_cannot_be_stacked_is_trained_one_at_a_time_and_the_log_says_so(shared_cohort, caplog):
    source = ClipSource(str(shared_cohort), Reading("swing", window=16, segments=2))
    encoder = {"stream": "semiology.models.networks.AGCN", "options": {"widths": [4]}}
    with caplog.at_level(logging.WARNING, "semiology.models.training.batched_folds"):
        one_by_one, at_once = both_ways(
            source,
            plain(
                Network("semiology.models.networks.Segments", {"encoder": encoder, "kind": "blstm"})
            ),
            epochs=1,
        )
    assert (
        len(caplog.messages) == 1
        and "semiology.models.networks.Segments" in caplog.text
        and "one at a time" in caplog.text
    )
    for (alone, _), (together, _) in zip(one_by_one, at_once):
        assert all(
            torch.equal(value, together.state_dict()[name])
            for name, value in alone.state_dict().items()
        )


def test_a_run_of_bundles_gives_the_predictions_of_a_run_fold_by_fold(cohort, tmp_path):
    """Teachers, inner folds and permutations in bundles; the records of each fold under the same
    keys, in the same places.
    """
    models = {
        "tcn": Model(
            Network("semiology.models.networks.TCN", {"width": 4, "blocks": 1, "dropout": 0.2}),
            schedule=QUICK,
        ),
        "agcn": Model(DROPPING, teacher="tcn", schedule=QUICK),
    }
    add_features(cohort, tmp_path / "store")
    common = {
        "cohort": str(cohort),
        "store": str(tmp_path / "store"),
        "models": models,
        "permutations": 1,
        "final": False,
    }
    tasks = {"swing (pose)": Task(Reading("swing", window=16, whole=True, appearance="body_vgg"))}
    inner = Calibration("temperature", 2, None, models=("agcn",))
    folders = {}
    for together in (1, 4):
        folders[together] = tmp_path / f"together-{together}"
        asked = Protocol(
            **common,
            tasks=tasks,
            split=Split("grouped", folds=3),
            calibration=inner,
            out=str(folders[together]),
            together=together,
            validation=0.34,
            keep=True,
        )
        assert not run_loso(asked).failed
    paths = sorted(path.relative_to(folders[1]) for path in (folders[1] / "folds").rglob("*.json"))
    assert len(paths) == 2 * 3  # true and permuted labels, three folds
    assert paths == sorted(
        path.relative_to(folders[4]) for path in (folders[4] / "folds").rglob("*.json")
    )
    for path in paths:
        alone, bundled = (json.loads((folder / path).read_text()) for folder in folders.values())
        same = ("key", "seed", "permutation", "held_out_clips", "levels", "split")
        assert {name: alone[name] for name in same} == {name: bundled[name] for name in same}
        assert [(model["seen"], model["epochs"]) for model in alone["models"].values()] == [
            (model["seen"], model["epochs"]) for model in bundled["models"].values()
        ]
        for rows in ("predictions", "inner"):
            assert [row["clip_id"] for row in alone[rows]] == [
                row["clip_id"] for row in bundled[rows]
            ]
            expected, found = (
                [row["probabilities"] for row in record[rows]] for record in (alone, bundled)
            )
            np.testing.assert_allclose(found, expected, atol=CLOSE)
    before = {path: (folders[4] / path).stat().st_mtime_ns for path in paths}
    (folders[4] / paths[3]).unlink()
    run_loso(replace(asked, together=1))  # of what was done in bundles nothing is done again
    assert [path for path in paths if (folders[4] / path).stat().st_mtime_ns != before[path]] == [
        paths[3]
    ]


@pytest.mark.realdata
def test_actions_of_real_people(testdata, tmp_path):
    recordings, names = (
        np.load(testdata / "skeletons" / "utkinect" / "joints.npz"),
        load_skeleton("kinect_20").names,
    )
    rows = []
    for number, name in enumerate(
        sorted(recordings.files)[:12]
    ):  # both recordings of six people; the label: is it the second
        joints = recordings[name][:200:4, 1:].reshape(-1, 20, 3)
        save_tracks(
            make_tracks(None, names, 7.5, position_3d=joints, backend="kinect"),
            tmp_path / f"tracks/{name}.nc",
        )
        rows.append(
            [name, name[:3], f"tracks/{name}.nc", "0", "n/a", ("first", "second")[number % 2]]
        )
    table = pd.DataFrame(
        rows, columns=["clip_id", "participant_id", "tracks", "start", "end", "recording"]
    )
    table.to_csv(tmp_path / "clips.tsv", sep="\t", index=False)
    (tmp_path / "participants.tsv").write_text(
        "participant_id\n" + "\n".join(sorted(set(table["participant_id"]))) + "\n"
    )
    (tmp_path / "clips.json").write_text(
        '{"recording": {"Role": "label", "Levels": {"first": "", "second": ""}}}'
    )
    reading = Reading(
        "recording", skeleton="kinect_20", dimensions=3, rate=7.5, window=16, whole=True
    )
    real = ClipSource(str(tmp_path), reading)
    schedule, people = Schedule(5, None, accelerator="cpu"), real.participants[:3]
    ways = []
    for train in (
        lambda *folds: [fit(*fold[:2], schedule, fold[2]) for fold in zip(*folds)],
        lambda *f: fit_together(*f[:2], schedule, f[2]),
    ):
        datas = [ClipDataModule(real, [person], 0.0, batch_size=4) for person in people]
        modules = train([StreamModule(DROPPING, 0.005) for _ in people], datas, range(3))
        ways.append([score(module, data, real.clips)[1] for module, data in zip(modules, datas)])
    np.testing.assert_allclose(ways[1], ways[0], atol=CLOSE)
