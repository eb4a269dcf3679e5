"""semiology pretrain expression|posture IMAGES --out FILE"""

from pathlib import Path

from semiology.pretrain import pretrain
from semiology.verbs import options, parser


def run(arguments: list[str]) -> int:
    made = parser("pretrain", pretrain)
    made.add_argument("kind", choices=["expression", "posture"], help="faces at 48 px in the FER form, or body crops in torchvision's form")
    made.add_argument("images", type=Path, help="a folder of class folders, or a CSV in FER-2013's form")
    made.add_function_arguments(pretrain, skip={"kind", "images"})
    print(pretrain(**options(made.parse_args(arguments))).text())
    return 0
