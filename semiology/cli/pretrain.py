"""semiology pretrain expression|posture IMAGES --out FILE, and semiology pretrain action CLIPS
--out FILE
"""

from functools import partial
from pathlib import Path

from semiology.cli import act, options, parser

ACTIONS = {
    "expression": "IMAGES --out FILE: the VGG-19 that reads faces, at 48 px in the FER form",
    "posture": "IMAGES --out FILE: the VGG-19 that reads body crops, in torchvision's form",
    "action": "CLIPS --out FILE: a small R(2+1)D that reads snippets of video",
}


def run(arguments: list[str]) -> int:
    return act(
        "pretrain", {kind: (what, partial(_run, kind)) for kind, what in ACTIONS.items()}, arguments
    )


def _run(kind: str, arguments: list[str]) -> int:
    from semiology.models.pretraining import pretrain, pretrain_action

    if kind == "action":
        made = parser("pretrain action", pretrain_action)
        made.add_argument(
            "clips",
            type=Path,
            help=(
                "a folder of class folders of videos, or of train/ and test/ with class folders in"
                " them"
            ),
        )
        made.add_function_arguments(pretrain_action, skip={"clips"})
        done = pretrain_action(**options(made.parse_args(arguments)))
    else:
        made = parser(f"pretrain {kind}", pretrain)
        made.add_argument(
            "images", type=Path, help="a folder of class folders, or a CSV in FER-2013's form"
        )
        made.add_function_arguments(pretrain, skip={"kind", "images"})
        done = pretrain(kind, **options(made.parse_args(arguments)))
    print(done.text())
    return 1 if done.failed else 0
