"""semiology tracking ACTION: labelled frames, tracking error and fine-tuning; one file an action."""

from collections.abc import Callable
from importlib import import_module

from semiology.errors import UserError

ACTIONS = {
    "select": "choose frames of clips or videos, and export them for labelling",
    "correct": "corrections from labels, as a layer over predicted tracks",
    "error": "error of any tracks against any labels: mean, median, with and without p-cutoff, by keypoint",
    "finetune": "train the detectors (regions, joints) on labelled frames",
    "curve": "tracking error against the number of labelled frames a video, with people never seen",
    "truth": "error of a phantom cohort's extracted tracks against its truth",
}


def run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        width = max(map(len, ACTIONS)) + 2
        print("usage: semiology tracking ACTION [options]     (semiology tracking ACTION --help for its options)\n")
        print("\n".join(f"  {name:<{width}}{what}" for name, what in ACTIONS.items()))
        return 0
    if arguments[0] not in ACTIONS:
        raise UserError(f"no action {arguments[0]!r}; actions are {', '.join(ACTIONS)}")
    act: Callable[[list[str]], int] = import_module(f"semiology.verbs.tracking.{arguments[0].replace('-', '_')}").run
    return act(arguments[1:])
