"""A model of a run on a table, applied to new rows. Nothing is unpickled: a run keeps its settings
and the SHA-256 of its table, and the model is fitted again on that table, which gives the same
model with the same release of scikit-learn.
"""

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from semiology.data.cohort.table import write_table
from semiology.data.result import from_options
from semiology.errors import UserError
from semiology.evaluation.run.predictions import read_predictions
from semiology.evaluation.run.tasks import TEST_SET
from semiology.evaluation.statistics.calibration import Calibrator, fit_calibrator
from semiology.experiments.table.models import bounds_of, fit, predict
from semiology.experiments.table.reading import Rows, read_cells, read_features, read_rows
from semiology.experiments.table.settings import Table
from semiology.files import read_json


def predict_table(
    run: str,
    table: str,
    *,
    out: str,
    model: str | None = None,
    target: str | None = None,
    training: str | None = None,
) -> Path:
    """Fit a model of a run on all rows of the run's table, and predict other rows.

    Args:
        run: folder of a run on a table.
        table: the new rows: the run's features, and any other columns.
        out: file to write, .tsv: a row of the new table a line, with the probability of each class,
            or the number.
        model: of the run; its first by default.
        target: of a run with several; its first by default.
        training: where the run's table is now, if it was moved.

    Returns:
        `out`.

    Raises:
        UserError: no such run or model; the run's table is not there or has changed; scikit-learn
            is another release; a feature is missing, or text.
    """
    remedy = "name a run of `semiology table`"
    kept: dict[str, Any] = read_json(Path(run) / "table.json", remedy=remedy)
    try:
        settings = from_options(
            {**kept["settings"], **({"table": training} if training else {})}, Table, f"{run}"
        )
        models, digest, release = kept["models"], kept["sha256"], kept["scikit-learn"]
    except KeyError as error:
        raise UserError(f"{Path(run) / 'table.json'}: lacks {error}; {remedy}") from error
    of = {one.target: one for one in settings.each()}
    if target is not None and target not in of:
        raise UserError(f"target: no {target!r} in this run; there are {', '.join(of)}")
    settings = of[target or settings.target]
    name = model or models[0]
    if name not in models:
        raise UserError(f"model: no {name!r} in this run; there are {', '.join(models)}")
    if not Path(settings.table).is_file():
        raise UserError(
            f"{settings.table}: the run's table is not there; name it by --training FILE (a model"
            " is fitted again on it, as runs keep no pickled models)"
        )
    if version("scikit-learn") != release:
        raise UserError(
            f"{run}: was made with scikit-learn {release}, here is {version('scikit-learn')}, which"
            " may fit another model; install that release, or run `semiology table` again"
        )
    rows = read_rows(settings)
    if rows.digest != digest:
        raise UserError(
            f"{settings.table}: has changed since the run (another SHA-256); bring the old one, or"
            " run `semiology table` again"
        )
    everybody = np.flatnonzero(~rows.unseen)
    fitted = fit(rows, name, everybody, settings.inner, settings.seed)
    notes: list[str] = []
    cells = read_cells(Path(table), notes)
    features = read_features(cells, rows.numbers, rows.categories, Path(table))
    new = replace(rows, features=features)
    bounds = bounds_of(rows, everybody, settings.scale)
    found = predict(fitted, new, np.arange(len(features)), bounds)
    columns: dict[str, Any] = {
        column: cells[column].to_list()
        for column in (settings.id, settings.participant, settings.visit)
        if column is not None and column in cells
    }
    columns |= {"row": cells.index.to_list(), "model": name}
    if rows.task == "classes":
        columns |= {
            f"probability {level}": found[:, code] for code, level in enumerate(rows.levels)
        }
        if settings.calibrates and (calibrated := _calibrator(Path(run), rows, settings, name)):
            after, sets = calibrated.apply(found), calibrated.plausible(found)
            columns |= {
                f"calibrated {level}": after[:, code] for code, level in enumerate(rows.levels)
            }
            if sets is not None:
                columns["plausible"] = [
                    ", ".join(rows.levels[code] for code in own) or "none" for own in sets
                ]
        columns["predicted"] = [rows.levels[code] for code in found.argmax(axis=1)]
    else:
        columns["predicted"] = found
    write_table(Path(out), pd.DataFrame(columns))
    return Path(out)


def _calibrator(run: Path, rows: Rows, settings: Table, name: str) -> Calibrator | None:
    """The calibration of a model that is fitted on everybody: on the predictions of the run's
    folds; None where it had none but the unseen set.
    """
    table = read_predictions(run / "predictions.csv")
    ours = (table["model"] == name) & (table["label"] == settings.target)
    own = table[ours & ~table["task"].str.endswith(TEST_SET)]
    if own.empty:
        return None
    probabilities = np.array([list(scores.values()) for scores in own["scores"]])
    truth = np.array([rows.levels.index(level) for level in own["truth"]])
    return fit_calibrator(probabilities, truth, settings.calibration, settings.coverage)
