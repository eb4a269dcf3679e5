"""The null of a run (null.json): that it has the form that `evaluate` reads, and what it stands for, in words."""

import math
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

from semiology.errors import UserError
from semiology.evaluation.statistics.permutation import resolution_in_words
from semiology.evaluation.statistics.tables import model_name

Null = Mapping[str, Mapping[str, Mapping[str, Sequence[float | None]]]]
UNTESTED = "no permutation null was run: compare with the guesses"


def check_null(null: Any) -> None:
    """See that it is {task: {model: {metric: [number or None, one a permutation]}}}.

    Raises:
        UserError: it is not; the line names the task, the model, the metric and the value's place.
    """
    for task, models in _entries(null, "the null", "tasks"):
        for model, metrics in _entries(models, f"the null of task {task!r}", "models"):
            for metric, values in _entries(metrics, f"the null of task {task!r}, model {model!r}", "metrics"):
                where = f"the null of task {task!r}, model {model!r}, metric {metric!r}"
                if not isinstance(values, list | tuple):
                    raise UserError(f"{where}: a list of values was expected, not {values!r:.40}; run `semiology loso` again")
                for place, value in enumerate(values, 1):
                    if value is not None and not _is_number(value):
                        raise UserError(
                            f"{where}, value {place}: {value!r:.40} is neither a finite number nor null; run `semiology loso` again"
                        )


def in_words(tasks: Mapping[str, Any], null: Null) -> dict[str, str]:
    """{"chance", "permutations"}: which models were held against a null, what a null of one seed means for p, and what so many can show.

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
            means.setdefault(max(len(metric["seeds"]) for metric in found[key].values()), []).append(key)
    for seeds, keys in means.items():
        mean = f"the result is a mean over {seeds} seeds, each value of the null one seed's: p is conservative or not exact"
        words.append(f"{_names(keys, models)}: {mean}")
    lengths = {len(values) for task, model in tested for values in null[task][model].values() if values}
    return {"chance": "; ".join(words), "permutations": "; ".join(map(resolution_in_words, sorted(lengths)))}


def _names(chosen: Iterable[tuple[str, str]], everything: Sequence[tuple[str, str]]) -> str:
    """The models by name; with their tasks where a model is meant in some tasks only."""
    chosen = list(chosen)
    whole = {model for _, model in chosen if all((task, name) in chosen for task, name in everything if name == model)}
    return ", ".join(dict.fromkeys(model_name(model) if model in whole else f"{task} / {model_name(model)}" for task, model in chosen))


def _tested(metric: Mapping[str, Any]) -> bool:
    return metric.get("null", {}).get("p") is not None


def _entries(content: Any, where: str, what: str) -> Iterable[tuple[str, Any]]:
    if not isinstance(content, Mapping):
        raise UserError(f"{where}: {what} by name were expected, not {content!r:.40}; run `semiology loso` again")
    return content.items()


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
