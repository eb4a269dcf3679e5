"""The first screen: what was asked, how good, how sure, better than chance, to be trusted? In words
and few numbers.

The words a clinician may not know, each in one line; only those that a page uses.
"""

from collections.abc import Collection, Mapping
from typing import Any

from semiology.evaluation.report.inputs import STALE, Audit
from semiology.evaluation.report.rendering import listed, plain
from semiology.evaluation.statistics.results import main_unit, model_name

NBSP = "\N{NO-BREAK SPACE}"  # keeps a number and its unit on one line
ALPHA = 0.05  # where a table speaks of "better than chance" [convention]
# as the audit says it of the other tasks, where some were dealt by recording on purpose
NOBODY = "nobody is on both sides in"
WIDE, NARROW = (
    0.4,
    0.2,
)  # widths of an interval that are called very uncertain, and fairly sure [our choice]


def question(metrics: Mapping[str, Any]) -> str:
    """What was asked, in one sentence."""
    labels = listed(dict.fromkeys(found["label"] for found in metrics["tasks"].values()))
    streams = listed(
        dict.fromkeys(
            found["stream"] for found in metrics["tasks"].values() if found["stream"] != "fusion"
        )
    )
    source = f", from {streams}," if streams else ""
    unseen = {found["unseen"] for found in metrics["tasks"].values()}
    whose = {
        True: "somebody whom the model has never seen",
        False: "another recording of somebody whom the model may know",
    }
    whom = ", and in ".join(whose[each] for each in sorted(unseen, reverse=True))
    return f"Can {labels} be recognised{source} in {whom}?"


def short_answers(metrics: Mapping[str, Any]) -> list[dict[str, str]]:
    """For each task: how good, how sure, better than chance. All models together: to pick the best
    one afterwards would flatter.
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
    """The measure by which chance is shown: AUC where it has a null (no threshold), else balanced
    accuracy, else any that has one.
    """
    tested = [
        name for name, metric in metrics.items() if (metric.get("null") or {}).get("p") is not None
    ]
    return next((name for name in ("auc", "balanced_accuracy", *tested) if name in tested), None)


def chance_words(found: Mapping[str, Any]) -> str:
    """p and its resolution in words, from a metric's `value` and `null`."""
    null = found["null"]
    if null.get("p") is None:
        return "No p: the measure has no value here."
    n = null["n"]
    reached = round(null["p"] * (1 + n)) - 1
    least = 1 / (1 + n)
    did = "none" if reached == 0 else str(reached)
    words = f"{did} of {n} repeats did as well: p = {_p(null['p'])}."
    if least > ALPHA:
        return (
            f"{words} With so few repeats p cannot fall below {_p(least)}, so nothing can be shown."
        )
    return f"{words} The smallest that {n} repeats can show is {_p(least)}."


def verdict(audit: Audit | None) -> dict[str, str]:
    """The leakage audit's verdict as a sign that needs no colour, a word and a sentence."""
    if audit is None:
        return {
            "mark": "–",
            "word": "not run",
            "kind": "none",
            "words": "Nobody has checked this run for leaks: `semiology audit` does.",
        }
    if audit.verdict == STALE:
        return {
            "mark": "?",
            "word": STALE,
            "kind": "none",
            "words": "Predictions or null have changed since: run `semiology audit` again.",
        }
    counts = {
        result: sum(check.result == result for check in audit.checks)
        for result in ("passed", "failed", "not possible")
    }
    told = f"{counts['passed']} of {len(audit.checks)} checks passed"
    if audit.verdict == "passed":
        return {
            "mark": "✓",
            "word": "passed",
            "kind": "passed",
            "words": f"{told}: no way was found by which a model could have known the answer.",
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
        "words": f"{told}; {counts['not possible']} could not be made.",
    }


def _which(audit: Audit) -> str:
    """Which figures a failed audit speaks of."""
    failed = [check for check in audit.checks if check.result == "failed"]
    if len(failed) == 1 and failed[0].name == "participants" and NOBODY in failed[0].found:
        return (
            "The figures of the tasks that it names hold for people whom the model knows, those of"
            " the others for new people."
        )
    return "Do not rely on the figures below."


def _p(value: float) -> str:
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def _good(found: Mapping[str, Any]) -> str:
    level = main_unit(found)
    values = [metrics["accuracy"]["value"] for metrics in level["metrics"].values()]
    values = [value for value in values if value is not None]
    if not values:
        return "no value"
    low, high = (f"{100 * value:.0f}" for value in (min(values), max(values)))
    span = f"{low}{NBSP}%" if low == high else f"{low} to {high}{NBSP}%"
    models = len(found["models"])
    return f"{span} of {level['n']} {level['unit']}s named rightly" + (
        f" ({models} models)" if models > 1 else f" ({model_name(next(iter(found['models'])))})"
    )


def _guess(found: Mapping[str, Any]) -> str:
    guess = main_unit(found)["no_skill"]["majority"]
    return (
        ""
        if guess["accuracy"] is None
        else f"{100 * guess['accuracy']:.0f}{NBSP}% by always saying “{plain(guess['level'])}”"
    )


def _sure(found: Mapping[str, Any]) -> str:
    bounds = [
        (metrics["accuracy"]["low"], metrics["accuracy"]["high"])
        for metrics in main_unit(found)["metrics"].values()
    ]
    bounds = [(low, high) for low, high in bounds if low is not None]
    people = f"{found['participants']} people"
    if not bounds:
        return f"cannot be said from {people}"
    width = max(high - low for low, high in bounds)
    word = "very uncertain" if width > WIDE else "fairly sure" if width < NARROW else "uncertain"
    low, high = min(low for low, _ in bounds), max(high for _, high in bounds)
    return f"{word}: {people}; other people could give {100 * low:.0f} to {100 * high:.0f}{NBSP}%"


def _chance(found: Mapping[str, Any]) -> str:
    by_model = {model: judged["metrics"] for model, judged in found["models"].items()}
    nulls = {
        model: metrics[name]["null"]
        for model, metrics in by_model.items()
        if (name := tested_metric(metrics))
    }
    if not nulls:
        return "not tested"
    whose = (
        ""
        if len(nulls) == len(found["models"])
        else f"{listed(model_name(model) for model in nulls)} (the only tested): "
    )
    repeats, ps = max(null["n"] for null in nulls.values()), [null["p"] for null in nulls.values()]
    if 1 / (1 + repeats) > ALPHA:
        return f"{whose}cannot be told, {repeats} repeats are too few"
    span = f"p = {_p(min(ps))}" if min(ps) == max(ps) else f"p = {_p(min(ps))} to {_p(max(ps))}"
    better = sum(p <= ALPHA + 1e-9 for p in ps)
    if better in (0, len(ps)):
        return f"{whose}{'yes' if better else 'not shown'}, {span}"
    return f"{whose}for {better} of {len(ps)} models, {span}"


WORDS = {
    "accuracy": ("accuracy", "share of clips named rightly."),
    "f1": (
        "F1",
        (
            "balance of finding the sign where it is and not seeing it where it is not; blind to"
            " rightly named clips without the sign."
        ),
    ),
    "macro": ("F1 of several levels", "the plain mean over levels."),
    "auc": ("AUC", "chance that a clip with the sign scores higher than a clip without it."),
    "balanced_accuracy": (
        "balanced accuracy",
        "share named rightly, averaged over levels, so that a common level does not decide.",
    ),
    "sensitivity": ("sensitivity", "of the clips with the sign, the share in which it was seen."),
    "specificity": ("specificity", "of the clips without the sign, the share that was left alone."),
    "ppv": ("PPV, NPV", "of the clips called positive (negative), the share that is."),
    "mcc": (
        "MCC",
        "correlation of what was said with what is so: 1 faultless, 0 no better than guessing.",
    ),
    "average_precision": (
        "average precision",
        "how purely the highest scores belong to clips with the sign, over all thresholds.",
    ),
    "interval": (
        "95 % interval",
        "where the value of other people of this kind would lie, as far as these people can tell.",
    ),
    "p": (
        "p",
        "how often chance alone does as well; small is good, and few repeats cannot make it small.",
    ),
    "brier": (
        "Brier score",
        "mean squared distance between probability and truth; 0 is faultless.",
    ),
    "ece": (
        "calibration error",
        "how far, on average, probabilities lie from how often the sign was there.",
    ),
    "mcnemar_p": (
        "McNemar’s test",
        "compares two models by the clips that only one of them names rightly.",
    ),
    "attribution": ("attribution", "how much a part of the input weighed in the model’s answer."),
    "agcn": ("AGCN", "network over joints and the links between them, which it partly learns."),
    "tcn": ("TCN", "network over time alone, without the graph of joints."),
    "gat": ("GAT", "network over joints that weighs each neighbour by attention."),
    "linear": (
        "linear",
        (
            "no network: a weighted sum of each joint’s mean place, spread and speed; the yardstick"
            " for the networks."
        ),
    ),
    "agcn_kd": (
        "distillation",
        "the AGCN learns to agree with a trained TCN as well as with the labels.",
    ),
    "leak": (
        "leak check",
        (
            "whether a model could have known the answer: the same person, stretch of video or"
            " setting on both sides."
        ),
    ),
    "fold": (
        "fold",
        (
            "one round: some clips are held out, models are trained on the others and judge the"
            " held-out ones."
        ),
    ),
    "seed": (
        "seed",
        "start of the random numbers; several seeds show how far training itself varies.",
    ),
}


def glossary(used: Collection[str]) -> list[tuple[str, str]]:
    """(word, meaning) of the words used, by their keys in `WORDS`, in its order."""
    return [entry for key, entry in WORDS.items() if key in used]
