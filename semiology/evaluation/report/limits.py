"""What the figures cannot say, in plain words, from the run itself."""

from collections.abc import Mapping
from typing import Any

from semiology.evaluation.report.inputs import Audit
from semiology.evaluation.report.rendering import listed, sentence

RARE = 0.02  # share of resampled cohorts without a value that is worth a word [our choice]


def limits(
    metrics: Mapping[str, Any], *, seeds: int, synthetic: bool, audit: Audit | None, lost: int
) -> list[str]:
    """Sentences, the gravest first.

    Args:
        metrics: content of metrics.json.
        seeds: how often training was repeated.
        synthetic: the cohort is synthetic.
        audit: of the run; None if it was not audited.
        lost: clips that could not be assessed.
    """
    tasks = metrics["tasks"]
    said = ["Synthetic videos: nothing here holds for patients."] if synthetic else []
    for task, found in tasks.items():
        rarest = min(found["prevalence"].values(), key=lambda level: level["participants"])
        said.append(
            f"{task}: {found['participants']} people, the rarest level in {rarest['participants']}"
            f" of them. {_width(found)}".strip()
        )
    said += _confounds(audit)
    said.append(
        "Whatever goes along with the sign in the whole cohort (camera, room, time of day, a carer"
        " at the bed, clothing) may be what was recognised. Leaving people out does not show it;"
        " other hospitals’ videos would."
    )
    if known := [task for task, found in tasks.items() if not found["unseen"]]:
        which = "" if len(known) == len(tasks) else f"{listed(known)}: "
        said.append(
            f"{which}{'models' if which else 'Models'} had seen other clips of the people they"
            " judged: this says nothing of new people."
        )
    compared = sum(len(found["models"]) for found in tasks.values())
    if compared > 1:
        said.append(
            f"{compared} results stand side by side: the best of several looks better than it is."
            " No single p is corrected for it."
        )
    if seeds == 1:
        said.append(
            "Training was done once: how much another random start would change is unknown."
        )
    if lost:
        said.append(
            f"{lost} {'clip' if lost == 1 else 'clips'} could not be assessed: results hold for"
            " clips of which enough can be read."
        )
    rare = [
        task
        for task, found in tasks.items()
        if _degenerate(found) > RARE * metrics["method"]["draws"]
    ]
    if rare:
        said.append(
            f"{listed(rare)}: levels are so rare that many resampled cohorts lacked one; intervals"
            " leave these out."
        )
    return said


def _degenerate(found: Mapping[str, Any]) -> int:
    """The most resampled cohorts in which a metric had no value."""
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
        else "No interval can be given."
    )


def _confounds(audit: Audit | None) -> list[str]:
    checks = (
        [check for check in audit.checks if "confound" in f"{check.name} {check.question}".lower()]
        if audit
        else []
    )
    if not checks:
        return ["Not checked: whether camera, centre, length or light alone would tell the answer."]
    failed = [check for check in checks if check.result != "passed"]
    return [
        f"{sentence(check.question or check.name)} {sentence(check.found)}."
        for check in failed
        if check.found
    ]
