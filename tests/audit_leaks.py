"""Runs with a leak planted in the training code, one of each kind, and the check that has to find
it; for the tests and the benchmark.

Each leak replaces a function by one that really fits on somebody who is held out. Nothing of the
audit is touched.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
from PIL import Image

from semiology import load_skeleton, make_tracks
from semiology.data.cohort import Cohort
from semiology.data.store import Store
from semiology.data.tracks import save_tracks
from semiology.evaluation.run.settings import Model, Protocol, Split, Task
from semiology.evaluation.statistics.calibration import Calibration
from semiology.experiments import fold, training
from semiology.experiments.loso import run_loso
from semiology.models.networks import Network
from semiology.models.training import trainer as fitting
from semiology.models.training.datamodule import ClipDataModule
from semiology.models.training.reading import Reading, Schedule
from semiology.video import write_video

TASK = "swing (pose)"
DETECTOR = "d" * 64  # SHA-256 of a detector of the clinic's own
JOINTS = load_skeleton("upper_body_11").names
QUICK = Schedule(epochs=1, patience=1, device="cpu")
AGCN = Network("agcn", {"widths": [8]})
TCN = Network("tcn", {"width": 8, "blocks": 2})


def add_features(cohort: Path, folder: Path) -> Path:
    """A store with made-up appearance features for a cohort of tracks, for streams that standardise
    them.
    """
    store = Store(folder)
    for number, clip in enumerate(Cohort.read(cohort).clips):
        features = np.random.default_rng(number).normal(size=(8, 6)).astype(np.float32)
        store.write(clip.clip_id, "body_vgg", "0" * 16, (features, np.arange(8) / 5))
        store.note(clip.clip_id, {}, {"body_vgg": {"key": "0" * 16, "depends": {}}})
    return store.folder


def protocol(cohort: Path, folder: Path, **changes: Any) -> Protocol:
    """Everything that can be fitted is fitted: a teacher, standardisation, early stopping,
    calibration with a threshold, a selection.
    """
    models = {"tcn": Model(TCN, schedule=QUICK), "agcn": Model(AGCN, teacher="tcn", schedule=QUICK)}
    usual: dict[str, Any] = {
        "cohort": str(cohort),
        "store": str(folder / "store"),
        "out": str(folder / "run"),
        "tasks": {TASK: Task(Reading("swing", window=16, appearance="body_vgg"))},
        "models": models,
        "validation": 0.34,
        "calibration": Calibration("temperature", folds=2, coverage=0.7),
        "selections": {"best": ("agcn", "tcn")},
        "final": False,
    }
    return Protocol(**{**usual, **changes})


@contextmanager
def with_everybody(data: ClipDataModule) -> Iterator[None]:
    """Held-out clips among the training clips, for a moment."""
    own = data.training
    data.training = data.source.clips
    yield
    data.training = own


def _teach_everybody() -> Any:
    honest = ClipDataModule.train_dataloader

    def leaking(data: ClipDataModule) -> Any:
        with with_everybody(data):
            return honest(data)

    return patch.object(ClipDataModule, "train_dataloader", leaking)


def _teacher_knows_everybody() -> Any:
    honest = training.fit

    def leaking(module: Any, data: ClipDataModule, *rest: Any) -> Any:
        if module.make_network.stream == "tcn":
            with with_everybody(data):
                return honest(module, data, *rest)
        return honest(module, data, *rest)

    return patch.object(training, "fit", leaking)


def _fitted_on_everybody(method: str) -> Callable[[], Any]:
    def plant() -> Any:
        honest = getattr(ClipDataModule, method)

        def leaking(data: ClipDataModule) -> Any:
            with with_everybody(data):
                return honest(data)

        return patch.object(ClipDataModule, method, leaking)

    return plant


def _norms_of_everybody() -> Any:
    honest = fitting.settle_norms

    def leaking(module: Any, data: ClipDataModule) -> None:
        with with_everybody(data):
            honest(module, data)

    return patch.object(fitting, "settle_norms", leaking)


def _stopped_by_those_held_out() -> Any:
    honest = ClipDataModule.val_dataloader

    def leaking(data: ClipDataModule) -> Any:
        data.validation = data.held_out
        return honest(data)

    return patch.object(ClipDataModule, "val_dataloader", leaking)


def _inner_folds_of_everybody() -> Any:
    honest = fold.inner_rows

    def leaking(settings: Protocol, task: str, training: Any) -> Any:
        everybody = replace(training, source=fold.task_source(settings, task), held_out=())
        return honest(settings, task, everybody)

    return patch.object(fold, "inner_rows", leaking)


def _also_given_those_held_out(name: str, leaking: Callable[..., Any]) -> Callable[[], Any]:
    """Replace `fold.<name>` by a function that also gets the held-out clips' predictions."""

    def plant() -> Any:
        train, honest = fold.train_models, getattr(fold, name)
        trained: dict[str, Any] = {}

        def training_models(*arguments: Any) -> Any:
            trained.clear()
            trained.update(train(*arguments))
            return dict(trained)

        def replaced(settings: Protocol, task: str, inner: Any) -> Any:
            return leaking(honest, settings, task, inner, fold.scored(trained))

        return patch.multiple(fold, train_models=training_models, **{name: replaced})

    return plant


def _on_both(honest: Any, settings: Protocol, task: str, inner: Any, held_out: Any) -> Any:
    return honest(settings, task, inner + held_out)


def _on_those_held_out(
    honest: Any, settings: Protocol, task: str, inner: Any, held_out: Any
) -> Any:
    return honest(settings, task, held_out)


@dataclass(frozen=True)
class Leak:
    """What is planted, how, and the checks that all have to fail."""

    what: str
    plant: Callable[[], Any]
    caught_by: tuple[str, ...]
    several_folds: bool = False  # in one fold alone the choice may come out the same


LEAKS = [
    Leak("weights trained on held-out participants", _teach_everybody, ("participants", "weights")),
    Leak("the teacher trained on held-out participants", _teacher_knows_everybody, ("teacher",)),
    Leak(
        "class weights from held-out participants",
        _fitted_on_everybody("class_weights"),
        ("class weights",),
    ),
    Leak(
        "features standardised with held-out participants",
        _fitted_on_everybody("appearance_statistics"),
        ("standardisation",),
    ),
    Leak("batch norm estimated on held-out participants", _norms_of_everybody, ("batch norm",)),
    Leak(
        "early stopping on held-out participants", _stopped_by_those_held_out, ("early stopping",)
    ),
    Leak(
        "calibration on inner folds of all participants",
        _inner_folds_of_everybody,
        ("threshold and choice",),
    ),
    Leak(
        "threshold fitted with held-out participants",
        _also_given_those_held_out("calibrators", _on_both),
        ("threshold and choice",),
    ),
    Leak(
        "models selected on held-out participants",
        _also_given_those_held_out("selected", _on_those_held_out),
        ("threshold and choice",),
        True,
    ),
]


def moving_cohort(folder: Path, people: int = 12, seconds: float = 10.0) -> Path:
    """A cohort of tracks, one clip a participant; every joint moves randomly, labels are random."""
    rows = []
    for person in range(people):
        save_tracks(
            make_tracks(wandering(person, seconds), JOINTS, 25.0), folder / f"tracks/c{person}.nc"
        )
        rows.append(
            [
                f"c{person}",
                f"p{person}",
                f"tracks/c{person}.nc",
                "0",
                "n/a",
                ("absent", "present")[person % 2],
                "ward",
                ("wide", "narrow", "narrow")[person % 3],
            ]
        )
    table = pd.DataFrame(
        rows,
        columns=["clip_id", "participant_id", "tracks", "start", "end", "swing", "centre", "lens"],
    )
    write_clips(folder, table)
    described = {"Role": "label", "Levels": {"absent": "", "present": ""}}
    (folder / "clips.json").write_text(
        json.dumps({"swing": described, "lens": {"Role": "covariate"}})
    )
    return folder


def wandering(seed: int, seconds: float) -> np.ndarray:
    """(time, joint, 2) px: joints that drift by some tens of pixels a second, and a tracker's
    jitter of one pixel.
    """
    rng = np.random.default_rng([99, seed])
    knots = rng.normal(0, 15, (int(seconds * 2) + 2, len(JOINTS), 2)).cumsum(axis=0)
    time = np.arange(int(seconds * 25)) / 12.5
    before = time.astype(int)
    share = (time - before)[:, None, None]
    home = np.random.default_rng(1).normal(300, 60, (len(JOINTS), 2))
    return (
        home
        + knots[before] * (1 - share)
        + knots[before + 1] * share
        + rng.normal(0, 1, (len(time), len(JOINTS), 2))
    )


def write_clips(folder: Path, table: pd.DataFrame) -> None:
    table.to_csv(folder / "clips.tsv", sep="\t", index=False)
    (folder / "participants.tsv").write_text(
        "participant_id\n" + "\n".join(sorted(set(table["participant_id"]))) + "\n"
    )


def read_clips(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "clips.tsv", sep="\t", dtype=str, keep_default_na=False)


def add_clip(folder: Path, source: str, **changes: str) -> None:
    """Another row like that of clip `source`."""
    table = read_clips(folder)
    row = {**table.set_index("clip_id", drop=False).loc[source].to_dict(), **changes}
    write_clips(folder, pd.concat([table, pd.DataFrame([row])], ignore_index=True))


def filmed(
    cohort: Path, *, trained_on: list[str] | None, again: tuple[int, int] | None = None
) -> Path:
    """Turn a cohort of tracks into one of videos, extracted into a store; returns the store.

    The same ward is in all videos, and one body wanders in each. `again`: two persons' numbers; the
    second's video is that of the first, later, smaller, brighter and in another codec, and its
    tracks are its own, so that only the frames give it away. `trained_on` is what the store's
    records say of the detector.
    """
    table, store = read_clips(cohort), Store(cohort / "store")
    for number, row in enumerate(table.itertuples()):
        copied = again is not None and number == again[1]
        shown = wandering(again[0] if again and copied else number, 8.0)
        images = [_picture(position) for position in shown[33 if copied else 0 : 180]]
        if copied:
            images = [np.asarray(Image.fromarray(image).resize((132, 108))) for image in images]
            images = [np.clip(image * 1.1 + 12, 0, 255).astype(np.uint8) for image in images]
        name = f"videos/{row.clip_id}{'.avi' if copied else '.mp4'}"
        write_video(cohort / name, images, 25, bit_rate=300_000)
        table.loc[number, "tracks"] = name
        store.write(
            str(row.clip_id),
            "body",
            "0" * 16,
            make_tracks(wandering(50 + number, 8.0), JOINTS, 25.0, width=176, height=144),
        )
        entry: dict[str, Any] = {
            "key": "0" * 16,
            "depends": {"pose": {"name": "keypoint-rcnn", "weights": {"joints": DETECTOR}}},
        }
        training_record = {} if trained_on is None else {"trained_on": {DETECTOR: trained_on}}
        store.note(str(row.clip_id), {}, {"body": {**entry, "found": 1.0, **training_record}})
    write_clips(cohort, table.rename(columns={"tracks": "video"}))
    return store.folder


def _picture(position: np.ndarray) -> np.ndarray:
    """A bright body at the first joint (joint, 2), before the ward; (144, 176, 3) uint8."""
    x, y = np.clip(position[0] * 0.5 - 80, 20, 120).astype(int)
    image = np.random.default_rng(0).integers(40, 90, (144, 176, 3)).astype(np.uint8)
    image[y : y + 40, x : x + 25] = 190
    return image


def quick_run(cohort: Path, out: Path, **changes: Any) -> Path:
    """A run with one small model, trained for one epoch; what is planted lies in the cohort."""
    settings: dict[str, Any] = {
        "split": Split("grouped", folds=3),
        "store": None,
        "out": str(out),
        "tasks": {TASK: Task(Reading("swing", window=16))},
        "models": {"agcn": Model(AGCN, schedule=Schedule(epochs=1, patience=None, device="cpu"))},
        "validation": 0.0,
        "calibration": Calibration(),
        "selections": {},
    }
    run_loso(protocol(cohort, out, **{**settings, **changes}))
    return out
