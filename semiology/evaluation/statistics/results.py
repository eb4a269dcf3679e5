"""The evaluation of a run: every metric of every model with its interval, beside what guessing
would give. The content of metrics.json.

The null of a run (null.json): that it has the form that `evaluate` reads, and what it stands for,
in words.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from semiology.errors import UserError
from semiology.evaluation.run.predictions import levels_of
from semiology.evaluation.statistics.calibration import BINS, abstention, calibration
from semiology.evaluation.statistics.comparison import (
    difference,
    holm,
    number,
    paired_difference,
    pairs_to_compare,
    state,
)
from semiology.evaluation.statistics.intervals import AT_BOUND, LEVEL, METHOD, draw_participants
from semiology.evaluation.statistics.metrics import (
    LOWER_IS_BETTER,
    Array,
    from_confusion,
    metric_names,
)
from semiology.evaluation.statistics.out_of_fold import OutOfFold
from semiology.evaluation.statistics.permutation import against_null, resolution_in_words, together
from semiology.evaluation.statistics.tables import (
    in_order,
    main_level,
    model_name,
    show,
    table_columns,
    table_text,
)
from semiology.evaluation.statistics.units import UNITS, combine, judge_jointly, split_differences

Null = Mapping[str, Mapping[str, Mapping[str, Sequence[float | None]]]]
UNTESTED = "no permutation null was run: compare with the guesses"


def check_null(null: Any) -> None:
    """See that it is {task: {model: {metric: [number or None, one a permutation]}}}.

    Raises:
        UserError: it is not; the line names the task, the model, the metric and the value's place.
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
                for place, value in enumerate(values, 1):
                    if value is not None and not _is_number(value):
                        raise UserError(
                            f"{where}, value {place}: {value!r:.40} is neither a finite number nor"
                            " null; run `semiology loso` again"
                        )


def in_words(tasks: Mapping[str, Any], null: Null) -> dict[str, str]:
    """{"chance", "permutations"}: which models were held against a null, what a null of one seed
    means for p, and what so many can show.

    Args:
        tasks: task -> {"models": {model: {"metrics": ...}}}, where what was tested has a "null".
        null: as `check_null` wants it.
    """
    models = [(task, model) for task, judged in tasks.items() for model in judged["models"]]
    found = {(task, model): tasks[task]["models"][model]["metrics"] for task, model in models}
    tested = [key for key in models if any(_tested(metric) for metric in found[key].values())]
    if not tested:
        return {"chance": UNTESTED, "permutations": "none"}
    words = ["permutation of labels"]
    if untested := [key for key in models if key not in tested]:
        words[0] += f", of {_names(tested, models)} only"
        words.append(f"{_names(untested, models)}: {UNTESTED}")
    means: dict[int, list[tuple[str, str]]] = {}
    for key in tested:
        if any(_tested(metric) and len(set(metric["seeds"])) > 1 for metric in found[key].values()):
            means.setdefault(
                max(len(metric["seeds"]) for metric in found[key].values()), []
            ).append(key)
    for seeds, keys in means.items():
        mean = (
            f"the result is a mean over {seeds} seeds, each value of the null one seed's: p is"
            " conservative or not exact"
        )
        words.append(f"{_names(keys, models)}: {mean}")
    lengths = {
        len(values) for task, model in tested for values in null[task][model].values() if values
    }
    return {
        "chance": "; ".join(words),
        "permutations": "; ".join(map(resolution_in_words, sorted(lengths))),
    }


def _names(chosen: Iterable[tuple[str, str]], everything: Sequence[tuple[str, str]]) -> str:
    """The models by name; with their tasks where a model is meant in some tasks only."""
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


def _tested(metric: Mapping[str, Any]) -> bool:
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
    "main_level",
    "model_name",
    "no_skill",
    "paired_difference",
    "show",
    "table_columns",
    "table_text",
    "values",
]

DIFFERENCES = (
    "every model with the first of its task, and a distilled one with its own; p: two-sided, the"
    " two models exchanged within participants, exchanges without a value left out; p_corrected:"
    " Holm over the comparisons of the run, metric by metric; mcnemar_p: exact, takes clips as"
    " independent, which those of one participant are not"
)
JUDGED_TOGETHER = (  # the metric by which all models of a run are held against their nulls at once
    "auc"
)


def evaluate(
    predictions: pd.DataFrame,
    *,
    draws: int = 2000,
    seed: int = 0,
    null: Null | None = None,
    coverage: float | None = None,
    closed_form: bool = False,
    pairs: Sequence[tuple[str, str]] = (),
) -> dict[str, Any]:
    """Judge out-of-fold predictions: the content of metrics.json, JSON-safe (what has no value is
    None, with a `reason`).

    Clips are pooled over folds. With several seeds a value is the mean over seeds, `seeds` lists
    each, and the interval resamples participants for all seeds together: it speaks of other
    participants, not of other seeds. All models of a task are judged in the same resampled cohorts.
    docs/evaluation.md lists what the result holds.

    Args:
        predictions: table of `read_predictions`.
        draws: resampled cohorts, and exchanges in the comparison of models.
        seed: of the resampling.
        null: {task: {model: {metric: values under permuted labels, of one seed}}}, by the same
            pipeline on the same clips. Given, every metric in it gets p = (1 + b) / (1 + n), b of n
            values reaching the observed one, and the null's median and 95 % range. Chance is judged
            by this and not by 0.5, since pooled leave-one-subject-out scores of a useless model lie
            below it.
        coverage: what was asked of the conformal prediction sets, to be stated beside what they
            reached.
        closed_form: Wilson and DeLong instead of the bootstrap, where they hold (see `state`).
        pairs: tasks that differ in nothing but their split, to be compared by `split_differences`.

    Raises:
        UserError: the null is not of that form (`check_null`).
    """
    null = {} if null is None else null
    check_null(null)
    tasks = {
        str(task): _judge_task(rows, draws, seed, null.get(str(task), {}), coverage, closed_form)
        for task, rows in _by_task(predictions)
    }
    _correct([found for judged in tasks.values() for found in judged["differences"]])
    return {
        "method": {
            "unit": "clip, pooled over folds",
            "interval": f"{LEVEL} % {METHOD}",
            "at_bound": AT_BOUND,
            "draws": draws,
            "seed": seed,
            **in_words(tasks, null),
            "differences": DIFFERENCES,
            "calibration": (
                f"{BINS} bins of equal width; ece_if_right is what the error would be if every"
                " probability were right"
            ),
        },
        "tasks": tasks,
        "splits": split_differences(predictions, pairs, draws=draws, seed=seed),
        "joint": judge_jointly(predictions, draws, seed),
        "together": _together(tasks, null),
    }


def values(predictions: pd.DataFrame) -> dict[str, dict[str, dict[str, float | None]]]:
    """task -> model -> metric -> value, nothing else: for one of the many runs of a permutation
    null.
    """
    return {
        str(task): {
            str(model): {
                name: number(judged.observed(name).mean()) for name in metric_names(judged.levels)
            }
            for model, judged in _models(rows, levels_of(rows)).items()
        }
        for task, rows in _by_task(predictions)
    }


def no_skill(confusion: Array, levels: list[str]) -> dict[str, dict[str, Any]]:
    """F1 and accuracy of guesses that never look at the video, from the (truth, predicted) counts
    of any model.

    `majority` always names the commonest level (given as `level`), `always_positive` (two levels)
    always sees the sign, `prevalence` names levels at random as often as they occur (expected
    counts). They know the cohort's prevalence, which no fold does: kind to guessing.
    """
    clips = confusion.sum(-1)
    shares = {"majority": np.eye(len(clips))[clips.argmax()], "prevalence": clips / clips.sum()}
    if len(clips) == 2:
        shares["always_positive"] = np.array([0.0, 1.0])
    guesses: dict[str, dict[str, Any]] = {
        guess: {
            name: number(from_confusion(name, clips[:, None] * share))
            for name in ("f1", "accuracy", "balanced_accuracy")
        }
        for guess, share in shares.items()
    }
    guesses["majority"]["level"] = levels[int(clips.argmax())]
    return guesses


def _by_task(predictions: pd.DataFrame) -> Any:
    return predictions.groupby("task", sort=False)


def _models(rows: pd.DataFrame, levels: list[str]) -> dict[str, OutOfFold]:
    return {
        str(model): OutOfFold.of(rows[rows["model"] == model], levels)
        for model in in_order(rows["model"].unique())
    }


def _judge_task(
    rows: pd.DataFrame,
    draws: int,
    seed: int,
    null: Mapping[str, Any],
    coverage: float | None,
    closed_form: bool,
) -> dict[str, Any]:
    levels = levels_of(rows)
    models = _models(rows, levels)
    clips = rows.drop_duplicates("clip_id")
    weights = draw_participants(clips["participant_id"].nunique(), draws, seed)
    units = {unit: _judge_unit(rows, levels, unit, weights, closed_form) for unit in UNITS}
    judged = {}
    for model, own in models.items():
        mine = rows[rows["model"] == model]
        judged[model] = {
            "seeds": list(own.seeds),
            "metrics": _judge_metrics(own, weights, closed_form, null.get(model, {})),
            "confusion": own.confusion.sum(1).mean(0).tolist(),
            "by": {
                unit: found | {"metrics": found["metrics"].get(model, {})}
                for unit, found in units.items()
            },
            "calibration": calibration(mine, levels),
            "abstention": abstention(mine, coverage),
        }
    return {
        "label": str(rows["label"].iloc[0]),
        "stream": str(rows["stream"].iloc[0]),
        "levels": levels,
        "clips": len(clips),
        "participants": clips["participant_id"].nunique(),
        "folds": int(rows["fold"].nunique()),
        "unseen": bool(
            (rows.groupby(["seed", "participant_id"])["fold"].nunique() == 1).all()
        ),  # nobody on both sides of a fold
        "one_participant_a_fold": bool(
            (rows.groupby("fold")["participant_id"].nunique() == 1).all()
        ),
        "prevalence": {
            level: {
                "clips": int((clips["truth"] == level).sum()),
                "share": float((clips["truth"] == level).mean()),
                "participants": int(clips.loc[clips["truth"] == level, "participant_id"].nunique()),
            }
            for level in levels
        },
        "no_skill": no_skill(next(iter(models.values())).confusion[0].sum(0), levels),
        "models": judged,
        "differences": [
            {"a": a, "b": b, "metric": name} | difference(models[a], models[b], name, weights, seed)
            for a, b in pairs_to_compare(list(models))
            for name in metric_names(len(levels))
        ],
    }


def _judge_unit(
    rows: pd.DataFrame, levels: list[str], unit: str, weights: Array, closed_form: bool
) -> dict[str, Any]:
    """{"n", "rule", "no_skill", "metrics": {model: metrics}}; with a reason instead of these where
    clips cannot be combined.
    """
    units = rows[UNITS[unit] if UNITS[unit] in rows else "clip_id"].nunique()
    try:
        combined, rule = combine(rows, levels, unit)
    except UserError as error:
        return {"n": units, "rule": "", "metrics": {}, "reason": str(error)}
    models = _models(combined, levels)
    found = {model: _judge_metrics(own, weights, closed_form, {}) for model, own in models.items()}
    return {
        "n": units,
        "rule": rule,
        "no_skill": no_skill(next(iter(models.values())).confusion[0].sum(0), levels),
        "metrics": found,
    }


def _judge_metrics(
    model: OutOfFold, weights: Array, closed_form: bool, null: Mapping[str, Sequence[float | None]]
) -> dict[str, Any]:
    metrics = {
        name: state(model, name, weights, closed_form) for name in metric_names(model.levels)
    }
    for name in set(metrics) & set(null):
        metrics[name]["null"] = against_null(
            metrics[name]["value"], null[name], name in LOWER_IS_BETTER
        )
    return metrics


def _correct(differences: list[dict[str, Any]]) -> None:
    """Add `p_corrected` (Holm) and the number of `comparisons` it is for: those of the run in the
    same metric.
    """
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
    """The models of the run against their nulls at once (`together`); None where fewer than two can
    be.

    One permutation has to be one exchange of labels for all of them: where models have different
    numbers of permutations, those that share theirs with most others are judged.
    """
    groups: dict[int, dict[str, tuple[float, list[float]]]] = {}
    for task, judged in tasks.items():
        for model, found in judged["models"].items():
            value, values = (
                found["metrics"][JUDGED_TOGETHER]["value"],
                null.get(task, {}).get(model, {}).get(JUDGED_TOGETHER, []),
            )
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
    return {"metric": JUDGED_TOGETHER, "models": len(most)} | together(observed, nulls)
