"""The evaluation of a run, the content of metrics.json: every metric of every model with its
interval, compared with chance (null.json) and with predictions that read nothing of a clip.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from semiology.errors import UserError
from semiology.evaluation.run.predictions import levels_of
from semiology.evaluation.run.unanswered import HOW, Unanswered, answered_by_all
from semiology.evaluation.statistics.calibration import BINS, abstention, calibration
from semiology.evaluation.statistics.comparison import (
    difference,
    estimate,
    estimate_json,
    holm,
    number,
    paired_difference,
    pairs_to_compare,
)
from semiology.evaluation.statistics.intervals import (
    AT_BOUND,
    LEVEL,
    METHOD,
    at_bound,
    bca_interval,
    draw_participants,
    leave_one_out,
)
from semiology.evaluation.statistics.metrics import (
    LOWER_IS_BETTER,
    Array,
    from_confusion,
    metric_names,
)
from semiology.evaluation.statistics.multilabel import evaluate_jointly
from semiology.evaluation.statistics.out_of_fold import OutOfFold
from semiology.evaluation.statistics.permutation import (
    compare_with_null,
    describe_resolution,
    westfall_young,
)
from semiology.evaluation.statistics.tables import (
    in_order,
    main_unit,
    model_name,
    show,
    table_columns,
    table_text,
)
from semiology.evaluation.statistics.units import UNITS, combine, split_differences

Null = Mapping[str, Mapping[str, Mapping[str, Sequence[float | None]]]]
UNTESTED = "no permutation test was run: compare with the no-information baseline"


def check_null(null: Any) -> None:
    """Check the form of a null: {task: {model: {metric: [number or None, ...]}}}.

    Parameters
    ----------
    null : any
        Content of null.json.

    Raises
    ------
    UserError
        It has another form; the message names task, model, metric and the value's position.
    """
    for task, models in _entries(null, "the null", "tasks"):
        for model, metrics in _entries(models, f"the null of task {task!r}", "models"):
            for metric, values in _entries(
                metrics, f"the null of task {task!r}, model {model!r}", "metrics"
            ):
                where = f"the null of task {task!r}, model {model!r}, metric {metric!r}"
                if not isinstance(values, list | tuple):
                    raise UserError(
                        f"{where}: a list of values was expected, not {values!r:.40}; run"
                        " `semiology loso` again"
                    )
                for position, value in enumerate(values, 1):
                    if value is not None and not _is_number(value):
                        raise UserError(
                            f"{where}, value {position}: {value!r:.40} is neither a finite number"
                            " nor null; run `semiology loso` again"
                        )


def describe_null(tasks: Mapping[str, Any], null: Null) -> dict[str, str]:
    """Which models were compared with a null, and what it can show, in words.

    Parameters
    ----------
    tasks : mapping
        Tasks of metrics.json, where a metric that was tested has a "null".
    null : mapping
        Content of null.json (`check_null`).

    Returns
    -------
    dict
        "chance": the models that were tested, and whether p is exact. "permutations": the smallest
        p-value that their number allows.
    """
    models = [(task, model) for task, result in tasks.items() for model in result["models"]]
    found = {(task, model): tasks[task]["models"][model]["metrics"] for task, model in models}
    tested = [key for key in models if any(_has_p(metric) for metric in found[key].values())]
    if not tested:
        return {"chance": UNTESTED, "permutations": "none"}
    words = ["permutation of labels"]
    if untested := [key for key in models if key not in tested]:
        words[0] += f", of {_names(tested, models)} only"
        words.append(f"{_names(untested, models)}: {UNTESTED}")
    means: dict[int, list[tuple[str, str]]] = {}
    for key in tested:
        if any(_has_p(metric) and len(set(metric["seeds"])) > 1 for metric in found[key].values()):
            means.setdefault(
                max(len(metric["seeds"]) for metric in found[key].values()), []
            ).append(key)
    for seeds, keys in means.items():
        mean = (
            f"the result is a mean over {seeds} seeds, each value of the null is of one seed: p is"
            " conservative or not exact"
        )
        words.append(f"{_names(keys, models)}: {mean}")
    lengths = {
        len(values) for task, model in tested for values in null[task][model].values() if values
    }
    return {
        "chance": "; ".join(words),
        "permutations": "; ".join(map(describe_resolution, sorted(lengths))),
    }


def _names(chosen: Iterable[tuple[str, str]], everything: Sequence[tuple[str, str]]) -> str:
    """Names of models; with the task for a model that was chosen in some of its tasks only."""
    chosen = list(chosen)
    whole = {
        model
        for _, model in chosen
        if all((task, name) in chosen for task, name in everything if name == model)
    }
    return ", ".join(
        dict.fromkeys(
            model_name(model) if model in whole else f"{task} / {model_name(model)}"
            for task, model in chosen
        )
    )


def _has_p(metric: Mapping[str, Any]) -> bool:
    return metric.get("null", {}).get("p") is not None


def _entries(content: Any, where: str, what: str) -> Iterable[tuple[str, Any]]:
    if not isinstance(content, Mapping):
        raise UserError(
            f"{where}: {what} by name were expected, not {content!r:.40}; run `semiology loso`"
            " again"
        )
    return content.items()


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


__all__ = [
    "evaluate",
    "main_unit",
    "model_name",
    "no_skill",
    "paired_difference",
    "show",
    "table_columns",
    "table_text",
    "values",
]

DIFFERENCES = (
    "every model with the first of its task, and a distilled one with the same network without"
    " distillation; p: two-sided, permutation test that exchanges the two models within"
    " participants, permutations without a value left out; p_corrected: Holm over the comparisons"
    " of the run, metric by metric; mcnemar_p: exact, takes clips as independent, which those of"
    " one participant are not"
)
MAXIMUM_OF = "auc"  # the metric of the test over all models of a run at once


def evaluate(
    predictions: pd.DataFrame,
    *,
    draws: int = 2000,
    seed: int = 0,
    null: Null | None = None,
    coverage: float | None = None,
    closed_form: bool = False,
    pairs: Sequence[tuple[str, str]] = (),
    unanswered: Unanswered = "wrong",
) -> dict[str, Any]:
    """Evaluate out-of-fold predictions: the content of metrics.json.

    Clips are pooled over folds. With several seeds a value is the mean over seeds, `seeds` lists
    each, and the interval resamples participants for all seeds together: it is about other
    participants, not about other seeds. All models of a task are evaluated in the same resampled
    cohorts. Chance is estimated from permuted labels and not taken as 0.5, because the pooled
    leave-one-subject-out scores of a useless model lie below it.

    Parameters
    ----------
    predictions : DataFrame
        Table of `read_predictions`.
    draws : int
        Number of resampled cohorts, and of permutations in the comparison of models.
    seed : int
        Of the resampling.
    null : mapping, optional
        {task: {model: {metric: values}}}: values of the same pipeline on the same clips with
        permuted labels, of one seed. Every metric in it gets p = (1 + b) / (1 + n), b of n values
        reaching the observed one, and median and 95 % range of the null.
    coverage : float, optional
        The coverage that the prediction sets were fitted for, to be reported beside the coverage
        that was reached.
    closed_form : bool
        Wilson's and DeLong's intervals instead of the bootstrap, where they hold (`estimate`).
    pairs : sequence of (str, str)
        Tasks that differ in their split alone, for `split_differences`.
    unanswered : str
        How clips without an answer are scored: "wrong", or left "out"
        (`semiology.evaluation.run.unanswered`).

    Returns
    -------
    dict
        JSON-safe; docs/evaluation.md lists what it holds. An undefined value is None, with a
        `reason`.

    Raises
    ------
    UserError
        The null has another form (`check_null`).
    """
    null = {} if null is None else null
    check_null(null)
    shares = _unanswered(predictions, draws, seed)
    if shares and unanswered == "out":
        predictions = answered_by_all(predictions)
    tasks = {
        str(task): _evaluate_task(rows, draws, seed, null.get(str(task), {}), coverage, closed_form)
        for task, rows in _by_task(predictions)
    }
    _correct([found for result in tasks.values() for found in result["differences"]])
    return {
        "method": {
            "unit": "clip, pooled over folds",
            "interval": f"{LEVEL} % {METHOD}",
            "at_bound": AT_BOUND,
            "draws": draws,
            "seed": seed,
            **describe_null(tasks, null),
            "differences": DIFFERENCES,
            "calibration": (
                f"{BINS} bins of equal width; ece_if_right is the expected error if every"
                " probability were right"
            ),
            **({"unanswered": HOW[unanswered]} if shares else {}),
        },
        "tasks": tasks,
        "splits": split_differences(predictions, pairs, draws=draws, seed=seed),
        "joint": evaluate_jointly(predictions, draws, seed),
        "together": _together(tasks, null),
        **({"unanswered": shares} if shares else {}),
    }


def _unanswered(predictions: pd.DataFrame, draws: int, seed: int) -> list[dict[str, Any]]:
    """For each task and model the share of predictions without an answer, with its interval by
    participant; empty where all are answered.
    """
    if "answered" not in predictions or predictions["answered"].all():
        return []
    found = []
    for (task, model), rows in predictions.groupby(["task", "model"], sort=False):
        people, owner = np.unique(rows["participant_id"], return_inverse=True)
        lost, all_rows = (
            np.bincount(owner, weights, len(people)) for weights in (~rows["answered"], None)
        )
        share, count = lost.sum() / len(rows), len(people)
        limits = at_bound(share, 0.0, count) if count > 1 else None
        if limits is None:
            drawn, left = (
                (weights @ lost) / np.maximum(weights @ all_rows, 1)
                for weights in (draw_participants(count, draws, seed), leave_one_out(count))
            )
            limits = bca_interval(share, drawn, left, count)
        about = {"task": task, "model": model, "n": int(lost.sum()), "of": len(rows)}
        found.append(about | estimate_json(share, limits))
    return found


def values(predictions: pd.DataFrame) -> dict[str, dict[str, dict[str, float | None]]]:
    """All metrics without intervals: for one of the many runs of a permutation test.

    Parameters
    ----------
    predictions : DataFrame
        Table of `read_predictions`.

    Returns
    -------
    dict
        task -> model -> metric -> value (None where undefined), the mean over seeds.
    """
    return {
        str(task): {
            str(model): {
                name: number(own.observed(name).mean()) for name in metric_names(own.classes)
            }
            for model, own in _models(rows, levels_of(rows)).items()
        }
        for task, rows in _by_task(predictions)
    }


def no_skill(confusion: Array, classes: list[str]) -> dict[str, dict[str, Any]]:
    """F1, accuracy and balanced accuracy of the no-information baseline, which reads nothing.

    They know the cohort's prevalence, which no fold does, and are therefore a slightly optimistic
    no-information baseline.

    Parameters
    ----------
    confusion : (class, class) ndarray
        Counts of any model, truth in rows.
    classes : list of str
        Names of the classes in the label's order.

    Returns
    -------
    dict
        "majority": always the most frequent class (named in "level"); "always_positive" (two
        classes); "prevalence": classes at random, as often as they occur (expected counts). Each
        with "f1", "accuracy" and "balanced_accuracy".

    Examples
    --------
    >>> found = no_skill(np.array([[4.0, 2.0], [1.0, 3.0]]), ["absent", "present"])
    >>> found["majority"]["level"], found["majority"]["accuracy"]
    ('absent', 0.6)
    """
    clips = confusion.sum(-1)
    fractions = {"majority": np.eye(len(clips))[clips.argmax()], "prevalence": clips / clips.sum()}
    if len(clips) == 2:
        fractions["always_positive"] = np.array([0.0, 1.0])
    baselines: dict[str, dict[str, Any]] = {
        baseline: {
            name: number(from_confusion(name, clips[:, None] * predicted))
            for name in ("f1", "accuracy", "balanced_accuracy")
        }
        for baseline, predicted in fractions.items()
    }
    baselines["majority"]["level"] = classes[int(clips.argmax())]
    return baselines


def _by_task(predictions: pd.DataFrame) -> Any:
    return predictions.groupby("task", sort=False)


def _models(rows: pd.DataFrame, classes: list[str]) -> dict[str, OutOfFold]:
    return {
        str(model): OutOfFold.of(rows[rows["model"] == model], classes)
        for model in in_order(rows["model"].unique())
    }


def _evaluate_task(
    rows: pd.DataFrame,
    draws: int,
    seed: int,
    null: Mapping[str, Any],
    coverage: float | None,
    closed_form: bool,
) -> dict[str, Any]:
    classes = levels_of(rows)
    models = _models(rows, classes)
    clips = rows.drop_duplicates("clip_id")
    weights = draw_participants(clips["participant_id"].nunique(), draws, seed)
    units = {unit: _evaluate_unit(rows, classes, unit, weights, closed_form) for unit in UNITS}
    results = {}
    for model, own in models.items():
        mine = rows[rows["model"] == model]
        results[model] = {
            "seeds": list(own.seeds),
            "metrics": _evaluate_metrics(own, weights, closed_form, null.get(model, {})),
            "confusion": own.confusion.sum(1).mean(0).tolist(),
            "by": {
                unit: found | {"metrics": found["metrics"].get(model, {})}
                for unit, found in units.items()
            },
            "calibration": calibration(mine, classes),
            "abstention": abstention(mine, coverage),
        }
    return {
        "label": str(rows["label"].iloc[0]),
        "stream": str(rows["stream"].iloc[0]),
        "levels": classes,
        "clips": len(clips),
        "participants": clips["participant_id"].nunique(),
        "folds": int(rows["fold"].nunique()),
        # no participant on both sides of a fold
        "unseen": bool((rows.groupby(["seed", "participant_id"])["fold"].nunique() == 1).all()),
        "one_participant_a_fold": bool(
            (rows.groupby("fold")["participant_id"].nunique() == 1).all()
        ),
        "prevalence": {
            name: {
                "clips": int((clips["truth"] == name).sum()),
                "share": float((clips["truth"] == name).mean()),
                "participants": int(clips.loc[clips["truth"] == name, "participant_id"].nunique()),
            }
            for name in classes
        },
        "no_skill": no_skill(next(iter(models.values())).confusion[0].sum(0), classes),
        "models": results,
        "differences": [
            {"a": a, "b": b, "metric": name} | difference(models[a], models[b], name, weights, seed)
            for a, b in pairs_to_compare(list(models))
            for name in metric_names(len(classes))
        ],
    }


def _evaluate_unit(
    rows: pd.DataFrame, classes: list[str], unit: str, weights: Array, closed_form: bool
) -> dict[str, Any]:
    """Results by recording or participant: {"n", "rule", "no_skill", "metrics": {model: metrics}}.

    With a "reason" where clips cannot be combined.
    """
    units = rows[UNITS[unit] if UNITS[unit] in rows else "clip_id"].nunique()
    try:
        combined, rule = combine(rows, classes, unit)
    except UserError as error:
        return {"n": units, "rule": "", "metrics": {}, "reason": str(error)}
    models = _models(combined, classes)
    found = {
        model: _evaluate_metrics(own, weights, closed_form, {}) for model, own in models.items()
    }
    return {
        "n": units,
        "rule": rule,
        "no_skill": no_skill(next(iter(models.values())).confusion[0].sum(0), classes),
        "metrics": found,
    }


def _evaluate_metrics(
    model: OutOfFold, weights: Array, closed_form: bool, null: Mapping[str, Sequence[float | None]]
) -> dict[str, Any]:
    metrics = {
        name: estimate(model, name, weights, closed_form) for name in metric_names(model.classes)
    }
    for name in set(metrics) & set(null):
        metrics[name]["null"] = compare_with_null(
            metrics[name]["value"], null[name], name in LOWER_IS_BETTER
        )
    return metrics


def _correct(differences: list[dict[str, Any]]) -> None:
    """Add `p_corrected` (Holm over the run's comparisons in the same metric) and their number."""
    for metric in dict.fromkeys(found["metric"] for found in differences):
        family = [
            found for found in differences if found["metric"] == metric and found["p"] is not None
        ]
        for found, corrected in zip(family, holm([found["p"] for found in family])):
            found |= {"p_corrected": corrected, "comparisons": len(family)}
    for found in differences:
        found.setdefault("p_corrected", None)
        found.setdefault("comparisons", 0)


def _together(tasks: Mapping[str, Any], null: Null) -> dict[str, Any] | None:
    """`westfall_young` over the models of the run; None where fewer than two can be tested.

    A permutation has to be the same for all models: where models have different numbers of
    permutations, the largest group with the same number is tested.
    """
    groups: dict[int, dict[str, tuple[float, list[float]]]] = {}
    for task, result in tasks.items():
        for model, found in result["models"].items():
            value = found["metrics"][MAXIMUM_OF]["value"]
            values = null.get(task, {}).get(model, {}).get(MAXIMUM_OF, [])
            known = [float(entry) for entry in values if entry is not None]
            if value is not None and 1 < len(known) == len(values):
                groups.setdefault(len(known), {})[f"{task} / {model}"] = (value, known)
    most = max(groups.values(), key=len, default={})
    if len(most) < 2:
        return None
    observed, nulls = (
        {name: value for name, (value, _) in most.items()},
        {name: known for name, (_, known) in most.items()},
    )
    return {"metric": MAXIMUM_OF, "models": len(most)} | westfall_young(observed, nulls)
