"""The first screen of the report (question, result, uncertainty, chance, leakage check) and the
glossary of the words that it uses.
"""

from collections.abc import Collection, Mapping
from typing import Any

from semiology.evaluation.report.inputs import STALE, Audit
from semiology.evaluation.report.rendering import listed, plain
from semiology.evaluation.statistics.intervals import too_few
from semiology.evaluation.statistics.metrics import NAMES
from semiology.evaluation.statistics.results import main_unit, model_name, show

NBSP = "\N{NO-BREAK SPACE}"  # keeps a number and its unit on one line
ALPHA = 0.05  # where a table speaks of "better than chance" [convention]
# phrase of the audit about the other tasks, where some are split by recording on purpose
NOBODY = "nobody is on both sides in"
# widths of an interval of accuracy that are called very uncertain, and precise [our choice]
WIDE, NARROW = 0.4, 0.2
TINY = 1e-9  # rounding of a computed value, which is no difference


def question(metrics: Mapping[str, Any]) -> str:
    """The question of the run in one sentence."""
    labels = listed(dict.fromkeys(found["label"] for found in metrics["tasks"].values()))
    streams = listed(
        dict.fromkeys(
            found["stream"] for found in metrics["tasks"].values() if found["stream"] != "fusion"
        )
    )
    source = f", from {streams}," if streams else ""
    unseen = {found["unseen"] for found in metrics["tasks"].values()}
    patients = {
        True: "a patient who was not in the training data",
        False: "another recording of a patient who may be in the training data",
        None: "patients of whom nobody here knows whether the models were trained on them",
    }
    whom = ", and in ".join(words for each, words in patients.items() if each in unseen)
    return f"Can {labels} be recognised{source} in {whom}?"


def short_answers(metrics: Mapping[str, Any]) -> list[dict[str, str]]:
    """For each task: accuracy, uncertainty, chance.

    Over all models together: selecting the best one afterwards would be optimistic.
    """
    return [
        {
            "task": task,
            "good": _good(found),
            "guess": _guess(found),
            "sure": _sure(found),
            "chance": _chance(found),
        }
        for task, found in metrics["tasks"].items()
    ]


def tested_metric(metrics: Mapping[str, Any]) -> str | None:
    """The metric of the permutation test that is shown: AUC if it has a null, else balanced
    accuracy, else any that has one.
    """
    tested = [
        name for name, metric in metrics.items() if (metric.get("null") or {}).get("p") is not None
    ]
    return next((name for name in ("auc", "balanced_accuracy", *tested) if name in tested), None)


def no_information(found: Mapping[str, Any], metric: str) -> float | None:
    """The most that predictions without information reach in a task: 0.5 of an AUC, else the best
    of `no_skill`; None of a metric that it does not have.
    """
    if metric == "auc":
        return 0.5
    values = [guess.get(metric) for guess in found["no_skill"].values()]
    return max((value for value in values if value is not None), default=None)


def chance_words(found: Mapping[str, Any], least: float | None = None) -> str:
    """p and its resolution in words, from a metric's `value` and `null`; and that the value does
    not exceed `least`, of `no_information`, where it does not.
    """
    words = _p_words(found)
    if least is None or found["value"] is None or found["value"] > least + TINY:
        return words
    return (
        f"{words} But {show(found['value'])} is not above {show(least)}, which needs no"
        " information: not better than chance, whatever p."
    )


def _p_words(found: Mapping[str, Any]) -> str:
    null = found["null"]
    if null.get("p") is None:
        return "No p: the metric is undefined here."
    n = null["n"]
    reached = round(null["p"] * (1 + n)) - 1
    least = 1 / (1 + n)
    count = "none" if reached == 0 else str(reached)
    words = f"{count} of {n} permutations reached the result: p = {_p(null['p'])}."
    if least > ALPHA:
        return (
            f"{words} With so few permutations p cannot be below {_p(least)}: nothing can be shown."
        )
    return f"{words} The smallest p possible with {n} permutations is {_p(least)}."


def verdict(audit: Audit | None) -> dict[str, str]:
    """The verdict of the leakage audit: a symbol that needs no colour, a word and a sentence."""
    if audit is None:
        return {
            "mark": "–",
            "word": "not run",
            "kind": "none",
            "words": "This run was not checked for data leakage: `semiology audit` does.",
        }
    if audit.verdict == STALE:
        return {
            "mark": "?",
            "word": STALE,
            "kind": "none",
            "words": "predictions.csv or null.json changed since: run `semiology audit` again.",
        }
    counts = {
        result: sum(check.result == result for check in audit.checks)
        for result in ("passed", "failed", "not possible")
    }
    passed = f"{counts['passed']} of {len(audit.checks)} checks passed"
    if audit.verdict == "passed":
        return {
            "mark": "✓",
            "word": "passed",
            "kind": "passed",
            "words": f"{passed}: no leak from held-out participants into training was found.",
        }
    if audit.verdict == "failed":
        return {
            "mark": "✗",
            "word": "failed",
            "kind": "failed",
            "words": f"{counts['failed']} of {len(audit.checks)} checks failed. {_which(audit)}",
        }
    return {
        "mark": "?",
        "word": "incomplete",
        "kind": "none",
        "words": f"{passed}; {counts['not possible']} were not possible.",
    }


def _which(audit: Audit) -> str:
    """Which results a failed audit concerns."""
    failed = [check for check in audit.checks if check.result == "failed"]
    if len(failed) == 1 and failed[0].name == "participants" and NOBODY in failed[0].found:
        return (
            "The results of the tasks that it names hold for patients in the training data, those"
            " of the others for new patients."
        )
    return "Do not rely on the results below."


def _p(value: float) -> str:
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def _good(found: Mapping[str, Any]) -> str:
    main = main_unit(found)
    values = [metrics["accuracy"]["value"] for metrics in main["metrics"].values()]
    values = [value for value in values if value is not None]
    if not values:
        return "no value"
    low, high = (f"{100 * value:.0f}" for value in (min(values), max(values)))
    span = f"{low}{NBSP}%" if low == high else f"{low} to {high}{NBSP}%"
    models = len(found["models"])
    return f"{span} of {main['n']} {main['unit']}s classified correctly" + (
        f" ({models} models)" if models > 1 else f" ({model_name(next(iter(found['models'])))})"
    )


def _guess(found: Mapping[str, Any]) -> str:
    majority = main_unit(found)["no_skill"]["majority"]
    if majority["accuracy"] is None:
        return ""
    percent = f"{100 * majority['accuracy']:.0f}{NBSP}%"
    return f"{percent} by always predicting “{plain(majority['level'])}”"


def _sure(found: Mapping[str, Any]) -> str:
    bounds = [
        (metrics["accuracy"]["low"], metrics["accuracy"]["high"])
        for metrics in main_unit(found)["metrics"].values()
    ]
    bounds = [(low, high) for low, high in bounds if low is not None]
    participants = f"{found['participants']} participants"
    if not bounds:
        few = too_few(found["participants"], 2)
        return f"unknown: {few}" if few else f"unknown, with {participants}"
    width = max(high - low for low, high in bounds)
    word = "very uncertain" if width > WIDE else "precise" if width < NARROW else "uncertain"
    low, high = min(low for low, _ in bounds), max(high for _, high in bounds)
    span = f"{100 * low:.0f} to {100 * high:.0f}{NBSP}%"
    return f"{word}: {participants}; 95{NBSP}% intervals within {span}"


def _chance(found: Mapping[str, Any]) -> str:
    by_model = {model: result["metrics"] for model, result in found["models"].items()}
    names = {model: name for model, own in by_model.items() if (name := tested_metric(own))}
    nulls = {model: by_model[model][name]["null"] for model, name in names.items()}
    if not nulls:
        return "not tested"
    tested = (
        ""
        if len(nulls) == len(found["models"])
        else f"{listed(model_name(model) for model in nulls)} (the only one tested): "
    )
    repeats, ps = max(null["n"] for null in nulls.values()), [null["p"] for null in nulls.values()]
    if 1 / (1 + repeats) > ALPHA:
        return f"{tested}cannot be tested, {repeats} permutations are too few"
    span = f"p = {_p(min(ps))}" if min(ps) == max(ps) else f"p = {_p(min(ps))} to {_p(max(ps))}"
    small = [model for model, null in nulls.items() if null["p"] <= ALPHA + 1e-9]
    below = [model for model in small if not _is_above(found, model, names[model])]
    above = [model for model in small if model not in below]
    for metric in dict.fromkeys(names[model] for model in below):
        best = max(by_model[model][metric]["value"] for model in below if names[model] == metric)
        span += (
            f"; {NAMES.get(metric, metric)} of {show(best)} is not above"
            f" {show(no_information(found, metric))}, which needs no information"
        )
    if not above:
        return f"{tested}{'no' if small else 'not shown'}, {span}"
    by = dict.fromkeys(NAMES.get(names[model], names[model]) for model in above)
    only = "" if any(_beats_majority(found, model) for model in above) else f"by {listed(by)} only"
    if len(above) == len(ps):
        return f"{tested}{only or 'yes'}, {span}"
    return f"{tested}for {len(above)} of {len(ps)} models{only and f' {only}'}, {span}"


def _is_above(found: Mapping[str, Any], model: str, metric: str) -> bool:
    least = no_information(found, metric)
    return least is None or found["models"][model]["metrics"][metric]["value"] > least + TINY


def _beats_majority(found: Mapping[str, Any], model: str) -> bool:
    """Whether the model's accuracy, which stands beside, is above that of the commonest class."""
    main = main_unit(found)
    accuracy, guess = (
        main["metrics"][model]["accuracy"]["value"],
        main["no_skill"]["majority"]["accuracy"],
    )
    return accuracy is None or guess is None or accuracy > guess + TINY


WORDS = {
    "accuracy": ("accuracy", "fraction of clips classified correctly."),
    "f1": (
        "F1",
        "2 TP / (2 TP + FP + FN): the harmonic mean of sensitivity and positive predictive value;"
        " clips correctly classified as without the sign do not count.",
    ),
    "macro": ("F1 of several classes", "the unweighted mean over the classes (macro F1)."),
    "auc": (
        "AUC",
        "area under the ROC curve: probability that a clip with the sign scores higher than one"
        " without it.",
    ),
    "balanced_accuracy": (
        "balanced accuracy",
        "accuracy averaged over the classes, so that a frequent class does not dominate.",
    ),
    "sensitivity": (
        "sensitivity",
        "true positive rate, TP / (TP + FN): fraction of the clips with the sign that were found.",
    ),
    "specificity": (
        "specificity",
        "true negative rate, TN / (TN + FP): fraction of the clips without the sign that were"
        " classified so.",
    ),
    "ppv": (
        "PPV, NPV",
        "TP / (TP + FP) and TN / (TN + FN): fraction of positive (negative) predictions that are"
        " correct.",
    ),
    "mcc": (
        "Matthews correlation",
        "correlation of true and predicted class: 1 perfect, 0 no better than chance.",
    ),
    "average_precision": (
        "average precision",
        "mean positive predictive value over all thresholds; the prevalence for a score without"
        " information.",
    ),
    "interval": (
        "95 % interval",
        "range of values compatible with these participants, for other participants of this kind.",
    ),
    "p": (
        "p",
        "probability of a result as good by chance; few permutations cannot show a small p.",
    ),
    "brier": (
        "Brier score",
        "mean squared difference of predicted probability and truth; 0 is perfect.",
    ),
    "ece": (
        "calibration error",
        "mean absolute difference of predicted probability and observed frequency.",
    ),
    "mcnemar_p": (
        "McNemar’s test",
        "compares two models by the clips that only one of them classifies correctly.",
    ),
    "attribution": ("attribution", "how much a part of the input contributed to the prediction."),
    "agcn": ("AGCN", "graph network over joints and the links between them, some of them learned."),
    "ctrgcn": ("CTR-GCN", "graph network over joints with links of their own for every channel."),
    "transformer": (
        "transformer",
        "attention among the joints of a moment, and of each joint over time; no given graph.",
    ),
    "tcn": ("TCN", "temporal convolutional network, without the graph of joints."),
    "gat": ("GAT", "graph network over joints that weights each neighbour by attention."),
    "linear": (
        "linear",
        "no network: ridge regression of each joint’s mean position, standard deviation and speed;"
        " a baseline for the networks.",
    ),
    "linear_of_table": (
        "linear",
        "ridge regression of the columns, of 1 and -1 for classes; its permutation test is exact.",
    ),
    "agcn_kd": (
        "distillation",
        "the AGCN is trained to agree with a trained TCN as well as with the labels.",
    ),
    "leak": (
        "data leakage",
        "information about held-out participants in training: the same person, part of a video or"
        " a fitted setting on both sides.",
    ),
    "fold": (
        "fold",
        "one round of cross-validation: some clips are held out, models are trained on the others"
        " and evaluated on the held-out ones.",
    ),
    "seed": (
        "seed",
        "start of the random numbers; several seeds show how much training itself varies.",
    ),
}


def glossary(used: Collection[str]) -> list[tuple[str, str]]:
    """Words of the page with their meaning, by their keys in `WORDS`, in its order."""
    return [entry for key, entry in WORDS.items() if key in used]
