"""Public functions on results, free of torch: `evaluate`, `report`, `audit`, `agreement`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semiology.data.api import as_path
from semiology.data.result import Result, run_folder
from semiology.errors import UserError
from semiology.files import read_json

if TYPE_CHECKING:
    import pandas as pd


def evaluate(predictions: str | Path | pd.DataFrame, *, draws: int = 2000, seed: int = 0) -> Result:
    """Metrics of out-of-fold predictions of any model, with intervals that resample participants.

    Parameters
    ----------
    predictions : path or DataFrame
        A row a task, model, seed and clip, with the columns task, label, stream, model, seed,
        fold, clip_id, participant_id, truth, predicted, score and scores (docs/evaluation.md).
    draws : int
        Number of resampled cohorts behind each interval.
    seed : int
        Of the resampling.

    Returns
    -------
    Result
        metrics : DataFrame with task, model, metric, value, low and high (95 % interval) and p
        (permutation test, where the run had one); everything : dict, the content of metrics.json.

    Raises
    ------
    UserError
        No such file, or a table that is not one of predictions; the row and column are named.

    References
    ----------
    Intervals: Efron 1987 (BCa), DeLong et al. 1988 for the AUC; by participant, our choice
    (docs/evaluation.md).

    Examples
    --------
    >>> semiology.evaluate("my_run/predictions.csv", draws=100).metrics.columns.tolist()
    ['task', 'model', 'metric', 'value', 'low', 'high', 'p']
    """
    from semiology.evaluation.run.predictions import COLUMNS, read_predictions
    from semiology.evaluation.statistics import results

    if isinstance(predictions, str | Path):
        predictions = read_predictions(Path(predictions))
    elif not hasattr(predictions, "columns"):
        raise UserError(
            "predictions: expected the path of predictions.csv or its DataFrame, got"
            f" {type(predictions).__name__}"
        )
    elif missing := [column for column in COLUMNS if column not in predictions]:
        raise UserError(
            f"predictions: no column {missing[0]!r}; a table of predictions has"
            f" {', '.join(COLUMNS)}"
        )
    content = results.evaluate(predictions, draws=draws, seed=seed)
    return Result("Evaluation", metrics=metrics_table(content), everything=content)


def report(run: str | Path | Result) -> Result:
    """Write metrics.json, report.html and the model cards of a run from its predictions.

    Parameters
    ----------
    run : path or Result
        A run's folder, or what `loso` returned.

    Returns
    -------
    Result
        folder : path; metrics, predictions : DataFrame, as `loso` returns them; report : path of
        the HTML page.

    Raises
    ------
    UserError
        No such run, or one without predictions.

    Examples
    --------
    >>> semiology.report(run).report.name
    'report.html'
    """
    from semiology.evaluation.report import write_cards, write_report

    page = write_report(run_folder(run))
    write_cards(run_folder(run))
    return run_result("Report", run_folder(run), report=page)


def audit(run: str | Path | Result) -> Result:
    """Check from a run's own records that participants held out took no part in training.

    Parameters
    ----------
    run : path or Result
        A run's folder, or what `loso` returned.

    Returns
    -------
    Result
        verdict : "passed", "failed" or "incomplete"; checks : DataFrame with name, result, found
        and question (docs/audit.md states what each can and cannot prove).

    Raises
    ------
    UserError
        No such run.

    Examples
    --------
    >>> semiology.audit(run).verdict
    'passed'
    """
    import pandas as pd

    from semiology.evaluation.audit import audit as audit_run
    from semiology.evaluation.audit import verdict

    checks = audit_run(run_folder(run))
    columns = ("name", "result", "found", "question")
    table = pd.DataFrame([{name: getattr(check, name) for name in columns} for check in checks])
    return Result("Leakage audit", verdict=verdict(checks), checks=table)


def agreement(
    table: str | Path,
    *,
    machine: str,
    raters: Sequence[str],
    out: str | Path | None = None,
    participant: str = "participant_id",
    visit: str | None = None,
    retest: Sequence[str] = (),
    change: Sequence[str] = (),
    draws: int = 2000,
    seed: int = 0,
) -> Result:
    """How well an automated score agrees with clinicians, and they with each other: Spearman,
    Pearson, ICC, kappa, limits of agreement, detectable change; intervals by participant.

    Parameters
    ----------
    table : path
        .tsv or .csv, a row a participant (and visit).
    machine : str
        Column of the automated scores.
    raters : sequence of str
        Columns of the clinicians' scores.
    out : path, optional
        Also write agreement.tsv, agreement.json, figures and report.html here.
    participant, visit : str
        Columns that name the participant and, where there are several, the visit.
    retest : sequence of str
        Visits between which the patient did not change: test-retest reliability.
    change : sequence of str
        Two visits, before and after: responsiveness.
    draws, seed : int
        Number of resampled cohorts, and the seed of the resampling.

    Returns
    -------
    Result
        figures : DataFrame, a row a pair of scores and coefficient, with its value and 95 %
        interval; notes : list of what could not be computed, and why.

    Raises
    ------
    UserError
        A column that is not there, a cell that is not a number; the row is named.

    References
    ----------
    Shrout and Fleiss 1979; Bland and Altman 1986, 1999; Cohen 1968.

    Examples
    --------
    >>> agreed = semiology.agreement("scores.tsv", machine="score", raters=["rater_1", "rater_2"])
    >>> "icc_2_1" in agreed.figures["figure"].tolist()
    True
    """
    import pandas as pd

    from semiology.evaluation.agreement.run import agree, write_agreement
    from semiology.evaluation.agreement.scores import read_scores

    if isinstance(raters, str):
        raise UserError(f"agreement: raters must be a list of columns; write [{raters!r}]")
    if not raters:
        raise UserError(
            "agreement: raters is empty; give at least one column of a clinician's scores"
        )
    if not isinstance(machine, str):
        raise UserError(f"agreement: machine must be the name of a column, got {machine!r}")
    scores = read_scores(
        as_path("agreement: table", table), machine, list(raters), participant, visit
    )
    how = {"draws": draws, "seed": seed}
    if out is None:
        figures, document = agree(scores, retest, change, **how)
    else:
        figures, document = write_agreement(scores, Path(out), retest, change, **how)
    rows = pd.DataFrame([asdict(figure) for figure in figures])
    return Result("Agreement", figures=rows, notes=document["notes"])


def run_result(title: str, run: Path, **values: Any) -> Result:
    """Predictions and metrics of a run as tables."""
    import pandas as pd

    from semiology.evaluation.run.files import read_config
    from semiology.evaluation.run.predictions import read_predictions
    from semiology.evaluation.run.scores import has_numbers, read_numbers

    metrics = pd.DataFrame()
    predictions = pd.DataFrame()
    if (run / "predictions.csv").is_file():
        predictions = read_predictions(run / "predictions.csv")
    elif has_numbers(run):
        predictions = read_numbers(run, read_config(run / "config.yaml")[0]).table
    if (run / "metrics.json").is_file():
        metrics = metrics_table(read_json(run / "metrics.json"))
    return Result(title, folder=run, metrics=metrics, predictions=predictions, **values)


def metrics_table(content: Mapping[str, Any]) -> pd.DataFrame:
    """A row a task, model and metric of metrics.json: value, low, high, p."""
    import pandas as pd

    columns = ("value", "low", "high", "p")
    rows = [
        {"task": task, "model": model, "metric": metric}
        | {column: entry.get(column) for column in columns}
        for task, models in content["tasks"].items()
        for model, result in models["models"].items()
        for metric, entry in result["metrics"].items()
    ]
    return pd.DataFrame(rows)
