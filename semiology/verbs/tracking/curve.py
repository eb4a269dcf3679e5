"""semiology tracking curve LABELS... --out FOLDER"""

from pathlib import Path

from semiology.tracking.curve import CurveOptions, label_count_curve
from semiology.tracking.labels import joined
from semiology.tracking.reading import read_labels
from semiology.verbs import options, parser


def run(arguments: list[str]) -> int:
    made = parser("tracking curve", label_count_curve)
    made.add_argument("labels", nargs="+", type=Path, help="DeepLabCut projects, COCO keypoints JSON, exports of Label Studio or CVAT")
    made.add_argument("--out", type=Path, required=True, help="folder for the detectors of each count, curve.json, curve.csv, curve.png")
    made.add_argument("--participants", type=Path | None, default=None, help="table with the columns video and participant_id")
    made.add_class_arguments(CurveOptions, None)
    parsed = made.instantiate_classes(made.parse_args(arguments))
    labels = joined([read_labels(path, parsed.participants) for path in parsed.labels])
    curve = label_count_curve(labels, parsed.out, CurveOptions(**options(parsed, "labels", "out", "participants")))
    print(curve.text())
    print(f"figure: {parsed.out / 'curve.png'}")
    return 0
