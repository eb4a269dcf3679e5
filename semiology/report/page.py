"""The report of a run: one HTML file that needs nothing else, made from predictions.csv and what lies beside it."""

import json
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
from sklearn.metrics import roc_curve

from semiology.errors import UserError
from semiology.files import write_text
from semiology.predictions import levels_of, read_predictions
from semiology.report import figures
from semiology.statistics.metrics import NAMES
from semiology.statistics.results import evaluate, model_name, show, table_columns

# [P] Hou et al. 2022, Table 1: F1 / accuracy
PUBLISHED = {
    ("dystonia", "pose"): {"agcn": "0.78 / 0.76", "tcn": "0.76 / 0.73", "agcn_kd": "0.83 / 0.81"},
    ("emotion", "face"): {"agcn": "0.74 / 0.71", "tcn": "0.84 / 0.80", "agcn_kd": "0.80 / 0.78"},
}
WORTH_DRAWING = 0.05  # of the mean bone: a weaker link is what training leaves of its random start [our choice]
PACKAGES = ("semiology", "torch", "lightning", "numpy", "pandas", "scikit-learn")


def write_report(run: Path) -> Path:
    """Write `metrics.json` and `report.html` of a run, from its `predictions.csv` and what else is there; returns the report's path.

    Read where present: notes.json (list of sentences; those that start with "Synthetic" become the banner), null.json (see `evaluate`),
    cohort.json and tracking.json (JSON objects, printed as tables), config.yaml, adjacency/<task>-<model>.npz (see `read_links`).

    Raises:
        UserError: the predictions or one of these files cannot be read, or the folder cannot be written.
    """
    run = Path(run)
    predictions = read_predictions(run / "predictions.csv")
    metrics = evaluate(predictions, null=_read_json(run / "null.json")) | {"versions": _versions()}
    write_text(run / "metrics.json", json.dumps(metrics, indent=1, allow_nan=False) + "\n")
    write_text(run / "report.html", _render(run, predictions, metrics))
    return run / "report.html"


def _render(run: Path, predictions: pd.DataFrame, metrics: dict[str, Any]) -> str:
    notes = [str(note) for note in _read_json(run / "notes.json") or []]
    tasks = {str(task): rows for task, rows in predictions.groupby("task", sort=False)}
    judged = metrics["tasks"]
    published = {task: PUBLISHED.get((found["label"].lower(), found["stream"].lower()), {}) for task, found in judged.items()}
    tested = {
        task: [model for model, result in found["models"].items() if any("null" in metric for metric in result["metrics"].values())]
        for task, found in judged.items()
    }
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "show": show,
        "plain": lambda name: name.replace("_", " "),
        "model": model_name,
        "counts": lambda value: f"{value:.1f}".removesuffix(".0"),
    }
    return environment.get_template("report.html.jinja").render(
        metrics=metrics,
        names=NAMES,
        columns=table_columns(metrics),
        published=published,
        published_shown=any(set(published[task]) & set(found["models"]) for task, found in judged.items()),
        question=_question(metrics),
        clips=predictions["clip_id"].nunique(),
        people=predictions["participant_id"].nunique(),
        seeds=sorted(predictions["seed"].unique()),
        banner=[note for note in notes if note.lower().startswith("synthetic")],
        notes=[note for note in notes if not note.lower().startswith("synthetic")],
        tested=tested,
        untested=[
            f"{task} ({', '.join(model_name(model) for model in found['models'] if model not in tested[task])})"
            for task, found in judged.items()
            if len(tested[task]) < len(found["models"])
        ],
        roc={task: _roc(task, rows, list(judged[task]["models"])) for task, rows in tasks.items() if len(judged[task]["levels"]) == 2},
        strips={task: _strip(rows, list(judged[task]["models"])) for task, rows in tasks.items()},
        links=[
            drawn | {"task": task, "model": model}
            for task in judged
            for model in judged[task]["models"]
            if (drawn := read_links(run / "adjacency" / f"{task}-{model}.npz"))
        ],
        tracking=_tables(_read_json(run / "tracking.json") or {}),
        cohort=_tables(_read_json(run / "cohort.json") or {}),
        config=_without_folders((run / "config.yaml").read_text(encoding="utf-8")) if (run / "config.yaml").exists() else "",
        chance_figure=figures.chance_figure,
        line_key=figures.line_key,
    )


def read_links(path: Path) -> dict[str, Any]:
    """The learned adjacency of one model, drawn: the figure, and its strongest links off the skeleton by joint names.

    The file holds `A` (fixed) and `B` (learned), (subset, joint, joint); `joints` (joint,) names; `edges` (bone, 2) joint indices;
    `layout` (joint, 2), x to the right, y down. An absent file gives an empty dictionary.

    Raises:
        UserError: the file is there, but is not such an archive.
    """
    if not path.exists():
        return {}
    try:
        with np.load(path, allow_pickle=False) as archive:
            fixed, learned, joints, edges, layout = (archive[name] for name in ("A", "B", "joints", "edges", "layout"))
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path}: not an adjacency archive ({error}); delete it, or write it anew with `semiology loso`") from error
    strength = figures.link_strength(fixed, learned)
    links = [link for link in figures.strongest_links(strength, edges) if link[2] >= WORTH_DRAWING]
    names = [str(joint).replace("_", " ") for joint in joints]
    left, right = ([x for x, joint in zip(layout[:, 0], joints) if str(joint).startswith(side)] for side in ("left_", "right_"))
    return {
        "figure": figures.skeleton_figure("learned links on the skeleton", strength, edges, layout, links),
        "pairs": [(names[a], names[b], round(100 * share)) for a, b, share in links],
        "facing": bool(left and right and np.mean(left) > np.mean(right)),
    }


def _question(metrics: dict[str, Any]) -> str:
    labels = _listed(dict.fromkeys(found["label"] for found in metrics["tasks"].values()))
    streams = _listed(dict.fromkeys(found["stream"] for found in metrics["tasks"].values() if found["stream"] != "fusion"))
    source = f", from {streams}," if streams else ""
    return f"Can {labels} be recognised{source} in somebody whom the model has never seen?"


def _listed(words: Any) -> str:
    *first, last = [str(word).replace("_", " ") for word in words] or [""]
    return f"{', '.join(first)} and {last}" if first else last


def _roc(task: str, rows: pd.DataFrame, models: list[str]) -> Any:
    """ROC figure of a binary task, each model's curve the mean over its seeds; None where the clips have one level only."""
    positive = levels_of(rows)[1]
    if rows["truth"].nunique() < 2:
        return None
    grid = np.linspace(0, 1, 401)
    curves = []
    for model in models:
        seeds = [roc_curve(run["truth"] == positive, run["score"])[:2] for _, run in rows[rows["model"] == model].groupby("seed")]
        found = np.mean([np.interp(grid, false_alarms, found) for false_alarms, found in seeds], axis=0)
        curves.append((np.r_[0, grid], np.r_[0, found]))
    return figures.roc_figure(f"ROC curves: {task}", curves)


def _strip(rows: pd.DataFrame, models: list[str]) -> list[dict[str, Any]]:
    """Participants in rows, sorted by truth: for each model one mark a clip, "right" or "wrong" in every seed, or "mixed"."""
    rows = rows.assign(right=rows["truth"] == rows["predicted"])
    strip = []
    for participant, own in rows.groupby("participant_id"):
        marks = {}
        for model in models:
            shares = own[own["model"] == model].groupby("clip_id")["right"].mean()
            marks[model] = [(clip, "right" if share == 1 else "wrong" if share == 0 else "mixed") for clip, share in shares.items()]
        levels = [level for level in levels_of(rows) if level in set(own["truth"])]
        truth = ", ".join(levels) if len(levels) <= 3 else f"{len(levels)} levels"
        strip.append({"participant": participant, "truth": truth, "marks": marks, "order": (levels_of(rows)[1] not in levels, participant)})
    return sorted(strip, key=lambda entry: entry["order"] if len(levels_of(rows)) == 2 else entry["participant"])


def _tables(data: Any) -> list[dict[str, Any]]:
    """A JSON object as tables: its plain values in one, every object within it in one of its own (objects within that become rows)."""
    if not isinstance(data, dict):
        raise UserError("cohort.json and tracking.json hold one JSON object each; write them anew with `semiology loso`")
    plain = {name: value for name, value in data.items() if not isinstance(value, dict)}
    tables = [{"title": "", "columns": [], "rows": [(name, [_cell(value)]) for name, value in plain.items()]}] if plain else []
    nested = {name: value for name, value in data.items() if isinstance(value, dict) and value}
    if not plain and all(not isinstance(entry, dict) for value in nested.values() for entry in value.values()):
        return [_table("", nested)] if nested else []  # rows of one table: {"body": {...}, "face": {...}}
    return tables + [_table(name, value) for name, value in nested.items()]


def _table(title: str, data: dict[str, Any]) -> dict[str, Any]:
    rows = {name: value if isinstance(value, dict) else {"": value} for name, value in data.items()}
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    cells = [(name, [_cell(row.get(column, "")) for column in columns]) for name, row in rows.items()]
    return {"title": title.replace("_", " "), "columns": [] if columns == [""] else columns, "rows": cells}


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list):
        return ", ".join(_cell(entry) for entry in value)
    return "–" if value is None else str(value)


def _without_folders(text: str) -> str:
    """The configuration with absolute paths cut to their last part: folders on a hospital's disk may bear names."""
    return re.sub(r"""(?<=[\s'"\[])(?:~|[A-Za-z]:)?[/\\][^'",\n\]}]*[/\\]""", "…/", text)


def _read_json(path: Path) -> Any:
    if not path.exists():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not JSON ({error}); delete it, or write it anew with `semiology loso`") from error


def _versions() -> dict[str, str]:
    """Versions of what made the report, read from package records: nothing is imported for it."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
