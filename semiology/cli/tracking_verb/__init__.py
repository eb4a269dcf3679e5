"""semiology tracking ACTION: labelled frames, tracking error and fine-tuning; one file an action."""

from functools import partial
from importlib import import_module

from semiology.cli import act

ACTIONS = {
    "select": "choose frames of clips or videos, and export them for labelling",
    "correct": "corrections from labels, as a layer over predicted tracks",
    "error": (
        "error of any tracks against any labels: mean, median, with and without p-cutoff, by"
        " keypoint"
    ),
    "finetune": "train the detectors (regions, joints) on labelled frames",
    "curve": "tracking error against the number of labelled frames a video, with people never seen",
    "truth": "error of a phantom cohort's extracted tracks against its truth",
}


def run(arguments: list[str]) -> int:
    return act(
        "tracking", {name: (what, partial(_run, name)) for name, what in ACTIONS.items()}, arguments
    )


def _run(action: str, arguments: list[str]) -> int:
    module = "labels" if action == "error" else f"tracking_verb.{action}"
    return import_module(f"semiology.cli.{module}").run(arguments)
