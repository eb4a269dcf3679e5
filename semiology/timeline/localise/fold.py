"""One fold: both networks trained without one participant, and their predictions for that
participant's recordings; its record is a small JSON file.
"""

import hashlib
import json
import time
import zlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from semiology.errors import UserError
from semiology.experiments.training import untrained
from semiology.files import read_json, write_json
from semiology.models.networks import Network
from semiology.models.training.datamodule import ClipDataModule
from semiology.models.training.modules import StreamModule
from semiology.models.training.saved import SavedModel
from semiology.models.training.trainer import fit
from semiology.parallel import Workers
from semiology.timeline.localise.network import (
    WindowsBLSTM,
    embed_recording,
    predict_single_windows,
    predict_windows,
    timeline_network,
    train_sequence,
)
from semiology.timeline.localise.recordings import Recording, digest, participants, windows_source
from semiology.timeline.localise.settings import Localisation

Trained = tuple[StreamModule, WindowsBLSTM, Network, ClipDataModule]

SCHEMA = 2  # raise when the same settings would give other predictions
MODELS = ("windows", "timeline")  # single windows; the BLSTM over them
NOT_LEARNED = {
    "cohort",
    "out",
    "store",
    "hysteresis",
    "keep",
    "final",
    *Workers.__dataclass_fields__,
}  # no prediction depends on these


def fold_key(settings: Localisation, recordings: Sequence[Recording], held_out: str | None) -> str:
    """Hash of everything on which a fold's predictions depend; `held_out` None: trained on all
    participants.
    """
    chosen = {name: value for name, value in asdict(settings).items() if name not in NOT_LEARNED}
    content = [SCHEMA, digest(recordings, settings.reading), chosen, held_out]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def train(settings: Localisation, recordings: Sequence[Recording], held_out: str | None) -> Trained:
    """Train both networks: first the encoder on single windows, then the BLSTM on the sequence of
    its vectors, on the same training participants.

    Returns:
        The encoder with its own head, the BLSTM around it, the options that build it, and the data
        module, which notes the recordings on which each part was fitted.
    """
    training = [recording for recording in recordings if recording.participant_id != held_out]
    number = zlib.crc32(f"{settings.seed}/{held_out}".encode()) % 2**31
    data = ClipDataModule(
        windows_source(training, settings),
        None,
        0.0,
        settings.batch_size,
        augmentation=settings.augmentation,
        seed=settings.seed,
    )
    module = fit(untrained(settings.windows), data, settings.windows.schedule, number)
    encoder = module.network.cpu().eval()
    network, options = timeline_network(encoder, data.shape, settings)
    rng = np.random.default_rng(number)
    embedded = [embed_recording(encoder, recording, settings, rng) for recording in training]
    train_sequence(network, embedded, module.class_weights.cpu(), settings, number)
    data.note("sequence", data.training)
    return module, network, options, data


def run_fold(
    settings: Localisation,
    recordings: Sequence[Recording],
    held_out: str,
    path: Path,
    kept: Path | None = None,
) -> None:
    """Train without one participant, predict that participant's recordings, write the record to
    `path` and, where given, the networks to `kept`.
    """
    began = time.monotonic()
    trained = train(settings, recordings, held_out)
    module, network, _, data = trained
    if kept:
        save(settings, recordings, trained, held_out, kept)
    predictions = {}
    for recording in recordings:
        if recording.participant_id == held_out:
            embedded = embed_recording(network.encoder, recording, settings)
            found = (
                predict_single_windows(network.encoder, embedded),
                predict_windows(network, embedded),
            )
            predictions[recording.clip_id] = {
                name: rounded(rows) for name, rows in zip(MODELS, found)
            }
    record = {
        "key": fold_key(settings, recordings, held_out),
        "held_out": held_out,
        "levels": settings.levels,
        "recordings": {recording.clip_id: recording.participant_id for recording in recordings},
        "seen": {
            what: sorted({window.rpartition("#")[0] for window in windows})
            for what, windows in data.seen.items()
        },
        "epochs": {
            "windows": int(module.trainer.current_epoch),
            "timeline": settings.sequence.epochs,
        },
        "answers": predictions,
        "seconds": round(time.monotonic() - began, 2),
    }
    write_json(path, record, indent=None, checksummed=True)


def rounded(rows: np.ndarray) -> list[list[float] | None]:
    """Probabilities (window, level) for JSON: None for a window that is not assessable."""
    return [row.round(6).tolist() if np.isfinite(row).all() else None for row in rows]


def read_record(path: Path, key: str) -> dict[str, Any] | None:
    """The record of a fold with this key; None where there is none, and the fold has to be
    trained.
    """
    try:
        record = read_json(path)
        return record if record["key"] == key else None
    except (UserError, KeyError):
        return None


def predictions_of(record: dict[str, Any], model: str, clip_id: str) -> np.ndarray:
    """Predicted probabilities (window, level) of a model for a recording; NaN where not
    assessable.
    """
    missing = [np.nan] * len(record["levels"])
    return np.array(
        [missing if row is None else row for row in record["answers"][clip_id][model]], dtype=float
    )


def train_final(settings: Localisation, recordings: Sequence[Recording], folder: Path) -> None:
    """Train on all participants and save both networks, `folder`/windows and `folder`/timeline;
    they are not evaluated.
    """
    save(settings, recordings, train(settings, recordings, None), None, folder)


def save(
    settings: Localisation,
    recordings: Sequence[Recording],
    trained: Trained,
    held_out: str | None,
    folder: Path,
) -> None:
    """Save both networks, `folder`/windows and `folder`/timeline, with the metadata that their use
    needs.
    """
    module, network, options, data = trained
    about = {
        "task": "sign",
        "label": "sign",
        "key": fold_key(settings, recordings, held_out),
        "training": [person for person in participants(recordings) if person != held_out],
        "validation": [],
        "seed": settings.seed,
        "seconds": settings.reading.window / settings.reading.rate,
        "step_s": settings.step_frames / settings.reading.rate,
        "hysteresis": asdict(settings.hysteresis),
        "trackers": sorted({recording.tracker for recording in recordings} - {""}),
    }
    for name, saved, how in (
        (MODELS[0], module.network, settings.windows.network),
        (MODELS[1], network, options),
    ):
        SavedModel(saved, how, settings.reading, settings.levels, data.shape, about).save(
            folder / name
        )
