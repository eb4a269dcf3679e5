"""Limits of the results in plain words, from the run itself."""

from collections.abc import Mapping
from typing import Any

from semiology.evaluation.report.inputs import Audit
from semiology.evaluation.report.rendering import listed, sentence

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
    text.append(
        "Anything that is correlated with the sign in the whole cohort (camera, room, time of day,"
        " a carer at the bed, clothing) may be what the model recognises. Cross-validation does not"
        " detect this; videos of other hospitals would."
    )
    if known := [task for task, found in tasks.items() if not found["unseen"]]:
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
    if seeds == 1:
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
