"""semiology predict VIDEO --model RUN [--out DIR]"""

from pathlib import Path

from semiology.predict import predict
from semiology.verbs import options, parser


def run(arguments: list[str]) -> int:
    made = parser("predict", predict)
    made.add_argument("video", type=Path, help="the video")
    made.add_function_arguments(predict, skip={"video"})
    parsed = made.instantiate_classes(made.parse_args(arguments))
    result = predict(**options(parsed))
    for task, sign in result["signs"].items():
        shown = sign["probability"]
        print(f"{task}: " + ("not assessable" if shown is None else ", ".join(f"{level} {value:.2f}" for level, value in shown.items())))
    print(f"{parsed.out or Path(parsed.video.stem + '_prediction')}: prediction.json, overlay.mp4")
    return 0
