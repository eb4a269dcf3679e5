"""semiology predict VIDEO --model RUN [--out DIR]"""

from pathlib import Path
from typing import Any

from semiology.cli import options, parser
from semiology.timeline.predict import predict


def run(arguments: list[str]) -> int:
    made = parser("predict", predict)
    made.add_argument("video", type=Path, help="the video")
    made.add_function_arguments(predict, skip={"video"})
    parsed = made.instantiate_classes(made.parse_args(arguments))
    result = predict(**options(parsed))
    for task, sign in result["signs"].items():
        print(f"{task}: {said(sign)}")
    print(f"{parsed.out or Path(parsed.video.stem + '_prediction')}: prediction.json, overlay.mp4")
    return 0


def said(sign: dict[str, Any]) -> str:
    """What a person reads of one sign: probabilities, and whether the model abstains."""
    if sign["probability"] is None:
        return f"not assessable ({sign['not_assessable']})"
    shown = ", ".join(f"{level} {value:.2f}" for level, value in sign["probability"].items())
    if sign["plausible"] is None or len(sign["plausible"]) == 1:
        return shown
    return f"{shown}; abstains: {' and '.join(sign['plausible']) or 'neither level'} plausible"
