"""The report of a run: one self-contained HTML file, from predictions.csv and files beside it, with
the limits of the results in plain words.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from semiology.evaluation.published import HOU_2022_TABLE_1
from semiology.evaluation.report import figures, inputs
from semiology.evaluation.report.explanations import explained, read_links
from semiology.evaluation.report.importance import relied_on
from semiology.evaluation.report.inputs import Audit, read_config, versions
from semiology.evaluation.report.measures import (
    abstentions,
    calibration,
    chance,
    compared,
    marks_used,
    measures,
    missing,
    probed,
    roc,
    splits,
    strip,
    untested,
)
from semiology.evaluation.report.protocol import fitted, sentences
from semiology.evaluation.report.rendering import listed, render, sentence, tables_of
from semiology.evaluation.report.scored import write_scored
from semiology.evaluation.report.summary import glossary, question, short_answers, verdict
from semiology.evaluation.report.tripod import checklist
from semiology.evaluation.run.files import read_null, split_pairs
from semiology.evaluation.run.fusions import read_weights
from semiology.evaluation.run.judged import UNKNOWABLE, judged_of
from semiology.evaluation.run.predictions import read_predictions
from semiology.evaluation.run.scores import has_numbers
from semiology.evaluation.run.unanswered import Unanswered, answered_by_all
from semiology.evaluation.statistics.fixed import null_of_fixed
from semiology.evaluation.statistics.metrics import NAMES
from semiology.evaluation.statistics.results import evaluate, main_unit, table_columns
from semiology.evaluation.statistics.tables import unanswered_sentences
from semiology.files import slug, write_json, write_text

DRAWS = 2000  # resampled cohorts behind each interval [our choice]


def evaluate_run(
    run: Path, unanswered: Unanswered = "wrong"
) -> tuple[pd.DataFrame, dict[str, Any], dict[str, Any]]:
    """Evaluate a run's predictions and write metrics.json.

    The requested coverage of prediction sets, and which tasks differ in their split alone, are read
    from config.yaml.

    Returns:
        Predictions, metrics, and the content of null.json (empty without one).

    Raises:
        UserError: predictions.csv or null.json cannot be read, or the folder cannot be written.
    """
    predictions = read_predictions(run / "predictions.csv")
    null = read_null(run / "null.json")
    config, _ = read_config(run)
    coverage = (config.get("calibration") or {}).get("coverage")
    judged = judged_of(config)
    if judged and judged.unanswered != unanswered:  # null.json is of the other way
        null = null_of_fixed(
            answered_by_all(predictions) if unanswered == "out" else predictions,
            judged.permutations,
            judged.seed,
        )
    metrics = evaluate(
        predictions,
        null=null or None,
        coverage=coverage,
        pairs=split_pairs(config),
        unanswered=unanswered,
        draws=judged.draws if judged else DRAWS,
        seed=judged.seed if judged else 0,
    ) | {"versions": versions()}
    if judged:
        judged.drop_unknowable(metrics)
    write_json(run / "metrics.json", metrics, allow_nan=False)
    if "unanswered" in metrics and unanswered == "out":
        predictions = answered_by_all(predictions)
    return predictions, metrics, null


def write_report(run: Path, unanswered: Unanswered = "wrong") -> Path:
    """Write metrics.json and report.html of a run; returns the report's path.

    A run of ratings or numbers, which has scores.tsv, is reported by `write_scored`.

    Read where present: notes.json (list of sentences; those that start with "Synthetic" become the
    banner), null.json (see `evaluate`), cohort.json and tracking.json (JSON objects, printed as
    tables), config.yaml, folds/, audit.json, not_assessable.json, explanation/, probe/,
    reproduction.json, adjacency/<task>-<model>.npz (see `read_links`).

    Args:
        run: folder of the run.
        unanswered: how clips without an answer are scored: as "wrong", or left "out" for all models
            of their task. The share of them is stated.

    Raises:
        UserError: the predictions or one of these files cannot be read, or the folder cannot be
            written.
    """
    run = Path(run)
    if has_numbers(run):
        return write_scored(run)
    write_text(
        run / "report.html",
        render("page.html.jinja", **contents(run, *evaluate_run(run, unanswered))),
    )
    return run / "report.html"


def contents(
    run: Path, predictions: pd.DataFrame, metrics: dict[str, Any], null: dict[str, Any]
) -> dict[str, Any]:
    """Values for the page's template. Raises as `write_report`."""
    notes = [str(note) for note in inputs.run_json(run / "notes.json", "loso", list)]
    banner = [note for note in notes if note.lower().startswith("synthetic")]
    notes = [note for note in notes if note not in banner]
    notes = unanswered_sentences(metrics) + notes
    config, config_text = inputs.read_config(run)
    audit = inputs.read_audit(run)
    lost = inputs.read_not_assessable(run)
    reproduction = inputs.read_reproduction(run)
    results = metrics["tasks"]
    rows = {str(task): rows for task, rows in predictions.groupby("task", sort=False)}
    seeds = sorted(int(seed) for seed in predictions["seed"].unique())
    clips_lost = len({clip.clip_id for clips in lost.values() for clip in clips})
    protocol = sentences(config, metrics, seeds, read_weights(run))
    limited = limits(
        metrics, seeds=len(seeds), synthetic=bool(banner), audit=audit, lost=clips_lost
    )
    strips = {
        task: strip(own, list(results[task]["models"]), lost.get(task, ()))
        for task, own in rows.items()
    }
    explanations = [explained(explanation) for explanation in inputs.read_explanations(run)]
    graphed = {(one["task"], one["model"]) for one in explanations if one["graphs"]}
    tested, calibrated = chance(metrics, null), calibration(metrics)
    judged = judged_of(config)

    def sure(task: str) -> list[str]:
        """Models whose answers have no score: their ROC curve is one point."""
        return judged.of_kind(task, "answers") if judged else []

    return {
        "metrics": metrics,
        "outside": judged is not None,
        "tasks": results,
        "names": NAMES,
        "columns": table_columns(metrics),
        "question": question(metrics),
        "answers": short_answers(metrics),
        "verdict": verdict(audit),
        "audit": audit,
        "banner": banner,
        "notes": notes,
        "clips": predictions["clip_id"].nunique(),
        "participants": predictions["participant_id"].nunique(),
        "seeds": seeds,
        "protocol": protocol,
        "fitted": fitted(run, predictions),
        "published": {task: _published(found) for task, found in results.items()},
        "measures": {task: measures(found) for task, found in results.items()},
        "main": {task: main_unit(found) for task, found in results.items()},
        "splits": splits(metrics),
        "compared": compared(metrics),
        "missing": missing(metrics, NAMES),
        "tested": tested,
        "untested": untested(metrics, tested),
        "calibrated_models": calibrated,
        "any_calibrated": any(one["calibrated"] for one in calibrated),
        "abstentions": abstentions(metrics),
        "roc": {
            task: roc(task, own, models)
            for task, own in rows.items()
            if len(results[task]["levels"]) == 2
            and (models := [name for name in results[task]["models"] if name not in sure(task)])
        },
        "strips": strips,
        "marks": marks_used(list(strips.values())),
        "lost": {task: clips for task, clips in lost.items() if clips},
        "links": [
            drawn | {"task": task, "model": model}
            for task in results
            for model in results[task]["models"]
            if (task, model) not in graphed
            and (drawn := read_links(run / "adjacency" / f"{slug(task)}-{model}.npz"))
        ],
        "explanations": explanations,
        "relied": relied_on(run),
        "probes": [probed(title, table) for title, table in inputs.read_probes(run)],
        "reproduction": reproduction,
        "cohort": tables_of("cohort.json", inputs.run_json(run / "cohort.json", "loso")),
        "tracking": tables_of(
            "tracking.json", inputs.run_json(run / "tracking.json", "tracking truth")
        ),
        "limits": limited,
        "rules": [
            (name, rule)
            for name, rule in metrics["method"].items()
            if name not in ("interval", "draws", "seed")
        ],
        "glossary": glossary(_words(metrics, explanations)),
        "tripod": checklist(
            metrics,
            config,
            protocol,
            limited,
            notes,
            clips_lost,
            len(seeds),
            bool(banner),
            _line(metrics["versions"]),
        ),
        "config": config_text,
        "review": inputs.review_command(config),
        "figures": figures,
    }


def _published(found: dict[str, Any]) -> dict[str, str]:
    """Published values of these models, for the paper's labels in leave-one-subject-out."""
    values = (
        HOU_2022_TABLE_1.get((found["label"].lower(), found["stream"].lower()), {})
        if found["one_participant_a_fold"]
        else {}
    )
    return {
        model: f"{value.f1:.2f} / {value.accuracy:.2f}"
        for model, value in values.items()
        if model in found["models"]
    }


def _words(metrics: dict[str, Any], explanations: list[Any]) -> set[str]:
    """Keys of the glossary words that the page uses."""
    tasks = metrics["tasks"].values()
    models = [results for found in tasks for results in found["models"].values()]
    used = {"interval", "p", "leak", "fold", "seed"} | {
        f"{name}_of_table" if (name, found["stream"]) == ("linear", "table") else name
        for found in tasks
        for name in found["models"]
    }
    used |= {
        name
        for results in models
        for name in (*results["metrics"], *(results.get("calibration") or {}))
    }
    used |= {
        key for found in tasks for difference in found.get("differences", []) for key in difference
    }
    return (
        used
        | ({"macro"} if any(len(found["levels"]) > 2 for found in tasks) else set())
        | ({"attribution"} if explanations else set())
    )


def _line(versions: dict[str, str]) -> str:
    return ", ".join(f"{package} {number}" for package, number in versions.items())


RARE = 0.02  # fraction of resampled cohorts without a value from which it is stated [our choice]


def limits(
    metrics: Mapping[str, Any], *, seeds: int, synthetic: bool, audit: Audit | None, lost: int
) -> list[str]:
    """The limits of the results, a sentence each, the most serious first.

    Args:
        metrics: content of metrics.json.
        seeds: how often training was repeated.
        synthetic: the cohort is synthetic.
        audit: of the run; None if it was not audited.
        lost: clips that could not be assessed.
    """
    tasks = metrics["tasks"]
    text = ["Synthetic videos: nothing here holds for patients."] if synthetic else []
    for task, found in tasks.items():
        rarest = min(found["prevalence"].values(), key=lambda level: level["participants"])
        text.append(
            f"{task}: {found['participants']} participants, the rarest class in"
            f" {rarest['participants']} of them. {_width(found)}".strip()
        )
    text += _confounds(audit)
    outside = [task for task, found in tasks.items() if found["unseen"] is None]
    text.append(
        "Anything that is correlated with the sign in the whole cohort (camera, room, time of day,"
        " a carer at the bed, clothing) may be what the model recognises. "
        + ("These clips do" if outside else "Cross-validation does")
        + " not detect this; videos of other hospitals would."
    )
    if outside:
        text.append(f"{UNKNOWABLE[0].upper()}{UNKNOWABLE[1:]}.")
    if known := [task for task, found in tasks.items() if found["unseen"] is False]:
        which = "" if len(known) == len(tasks) else f"{listed(known)}: "
        text.append(
            f"{which}{'models' if which else 'Models'} were trained on other clips of the same"
            " participants: the results do not hold for new patients."
        )
    compared = sum(len(found["models"]) for found in tasks.values())
    if compared > 1:
        text.append(
            f"{compared} results are compared: the best of several is optimistic. The single p are"
            " not corrected for this."
        )
    if seeds == 1 and not outside:
        text.append("Training was run with one seed: the variation between seeds is unknown.")
    if lost:
        text.append(
            f"{lost} {'clip was' if lost == 1 else 'clips were'} not assessable: the results hold"
            " for clips that can be tracked well enough."
        )
    rare = [
        task
        for task, found in tasks.items()
        if _degenerate(found) > RARE * metrics["method"]["draws"]
    ]
    if rare:
        text.append(
            f"{listed(rare)}: classes are so rare that many resampled cohorts lack one; the"
            " intervals leave these cohorts out."
        )
    return text


def _degenerate(found: Mapping[str, Any]) -> int:
    """Largest number of resampled cohorts in which a metric is undefined."""
    return max(
        metric.get("degenerate", 0)
        for model in found["models"].values()
        for metric in model["metrics"].values()
    )


def _width(found: Mapping[str, Any]) -> str:
    widths = [
        metric["high"] - metric["low"]
        for model in found["models"].values()
        if (metric := model["metrics"]["accuracy"])["low"] is not None
        and metric["high"] is not None
    ]
    return (
        f"The interval of accuracy is up to {100 * max(widths):.0f} points wide."
        if widths
        else "There is no interval."
    )


def _confounds(audit: Audit | None) -> list[str]:
    checks = (
        [check for check in audit.checks if "confound" in f"{check.name} {check.question}".lower()]
        if audit
        else []
    )
    if not checks:
        return ["Not checked: whether camera, centre, duration or light alone predict the label."]
    failed = [check for check in checks if check.result != "passed"]
    return [
        f"{sentence(check.question or check.name)} {sentence(check.found)}."
        for check in failed
        if check.found
    ]
