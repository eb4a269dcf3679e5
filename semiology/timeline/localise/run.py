"""A run: leave-one-participant-out cross-validation, resumable, with timelines, events,
metrics.json and a report.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from tqdm import tqdm

from semiology.data.cohort.table import by_cell, to_cell
from semiology.errors import UserError
from semiology.files import atomic_path, begin_folder, write_json
from semiology.models.training.saved import is_saved
from semiology.parallel import run_parallel
from semiology.timeline.events import write_events
from semiology.timeline.localise.evaluate import Predictions, evaluate_predictions, events_of
from semiology.timeline.localise.fold import (
    MODELS,
    fold_key,
    predictions_of,
    read_record,
    run_fold,
    train_final,
)
from semiology.timeline.localise.recordings import (
    Recording,
    by_frame,
    participants,
    read_recordings,
)
from semiology.timeline.localise.report import write_report
from semiology.timeline.localise.settings import Localisation

PRESENT = "present"  # the level of every annotated sign in timeline.csv


@dataclass
class LocaliseResult:
    """The result of a run.

    Attributes:
        run: its folder.
        metrics: the content of metrics.json.
        failed: participant -> reason why the fold failed.
    """

    run: Path
    metrics: dict[str, Any] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def localise(settings: Localisation) -> LocaliseResult:
    """Localise signs in recordings with annotated events: train and evaluate by
    leave-one-participant-out cross-validation.

    Writes into `settings.out`: folds/<participant>.json (a record per fold; those of the same data
    and settings are reused), timelines/<clip_id>/timeline.csv, events.tsv and timeline.png,
    metrics.json, report.md; with `keep` and `final` also kept/<participant> and models/.

    Raises:
        UserError: the recordings cannot be read (see `read_recordings`); they are of fewer than two
            participants.
    """
    recordings, run = read_recordings(settings), Path(settings.out)
    people, result = participants(recordings), LocaliseResult(run)
    if len(people) < 2:
        raise UserError(
            f"{settings.cohort}: recordings of {people[0]} only; cross-validation needs two"
            " participants or more"
        )
    begin_folder(run)
    keys = {person: fold_key(settings, recordings, person) for person in people}
    todo = [person for person in people if not _is_done(settings, person, keys[person])]
    calls = [joblib.delayed(_try)(settings, recordings, person) for person in todo]
    with tqdm(total=len(people), initial=len(people) - len(todo), desc="folds", unit="fold") as bar:
        for person, why in run_parallel(
            calls, settings, lost=lambda number, why: (todo[number], why)
        ):
            if why:
                result.failed[person] = why
            bar.update()
    if result.failed:
        return result
    models = out_of_fold(settings, recordings)
    for recording in recordings:
        write_timeline(settings, recording, models[MODELS[-1]][recording.clip_id])
    if settings.final and not is_saved(
        run / "models", MODELS, fold_key(settings, recordings, None)
    ):
        train_final(settings, recordings, run / "models")
    result.metrics = evaluate_predictions(
        recordings,
        models,
        settings.levels,
        settings.reading.rate,
        settings.hysteresis,
        settings.seed,
    )
    result.metrics["settings"] = asdict(settings)
    write_json(run / "metrics.json", result.metrics)
    write_report(settings, recordings, models, result.metrics)
    return result


def out_of_fold(settings: Localisation, recordings: list[Recording]) -> dict[str, Predictions]:
    """Model -> its out-of-fold predictions for each recording, by frame.

    Raises:
        UserError: a fold is missing, or is of other data or settings.
    """
    found: dict[str, dict[str, np.ndarray]] = {model: {} for model in MODELS}
    for person in participants(recordings):
        record = read_record(
            fold_path(settings.out, person), fold_key(settings, recordings, person)
        )
        if record is None:
            raise UserError(
                f"{fold_path(settings.out, person)}: no record of these data and settings; run"
                " `semiology localise` again"
            )
        for recording in recordings:
            if recording.participant_id == person:
                for model in MODELS:
                    predictions = predictions_of(record, model, recording.clip_id)
                    found[model][recording.clip_id] = by_frame(
                        predictions, len(recording.truth), settings.step_frames
                    )
    return dict(found)


def write_timeline(settings: Localisation, recording: Recording, probabilities: np.ndarray) -> None:
    """Write timeline.csv (one row per sign and window, empty where not assessable) and events.tsv
    from probabilities (time, level).
    """
    folder, rate, step = (
        Path(settings.out) / "timelines" / recording.clip_id,
        settings.reading.rate,
        settings.step_frames,
    )
    starts = np.arange(0, len(probabilities), step)
    ends = np.minimum(starts + step, len(probabilities))
    windows = {"start": starts / rate, "end": ends / rate}
    columns = {sign: probabilities[starts, place] for place, sign in enumerate(settings.signs, 1)}
    table = pd.concat(
        pd.DataFrame({"task": sign, "level": PRESENT, **windows, "probability": own})
        for sign, own in columns.items()
    )
    with atomic_path(folder / "timeline.csv") as temporary:
        by_cell(table.round({"start": 4, "end": 4}), to_cell).to_csv(temporary, index=False)
    events = events_of(probabilities, settings.levels, rate, settings.hysteresis)
    write_events(folder / "events.tsv", events, len(probabilities) / rate)


def fold_path(run: str | Path, person: str) -> Path:
    """Path of the record of a participant's fold."""
    return Path(run) / "folds" / f"{person}.json"


def kept_path(run: str | Path, person: str) -> Path:
    """Folder of the saved networks of a participant's fold."""
    return Path(run) / "kept" / person


def _is_done(settings: Localisation, person: str, key: str) -> bool:
    kept = not settings.keep or is_saved(kept_path(settings.out, person), MODELS, key)
    return kept and read_record(fold_path(settings.out, person), key) is not None


def _try(
    settings: Localisation, recordings: list[Recording], person: str
) -> tuple[str, str | None]:
    kept = kept_path(settings.out, person) if settings.keep else None
    try:
        run_fold(settings, recordings, person, fold_path(settings.out, person), kept)
    except UserError as error:
        return person, str(error)
    return person, None
