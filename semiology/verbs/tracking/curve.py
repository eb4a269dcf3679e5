"""semiology tracking curve LABELS... --out FOLDER"""

from pathlib import Path

from semiology.skeleton import load_skeleton
from semiology.tracking.curve import CurveOptions, label_count_curve
from semiology.tracking.labels import joined
from semiology.tracking.reading import read_labels
from semiology.verbs import options, parser


def run(arguments: list[str]) -> int:
    made = parser("tracking curve", label_count_curve)
    made.add_argument("labels", nargs="+", type=Path, help="DeepLabCut projects, COCO keypoints JSON, exports of Label Studio or CVAT")
    made.add_argument("--out", type=Path, required=True, help="folder for the detectors of each count, curve.json, curve.csv, curve.png")
    made.add_argument("--participants", type=Path | None, default=None, help="table with the columns video and participant_id")
    made.add_argument("--images", type=Path | None, default=None, help="the folder that holds the pictures, if they moved")
    made.add_argument("--skeleton", type=str | None, default=None, help="the labels must be of this skeleton's joints: upper_body_11, ...")
    made.add_class_arguments(CurveOptions, None)
    parsed = made.instantiate_classes(made.parse_args(arguments))
    labels = joined([read_labels(path, parsed.participants, images=parsed.images) for path in parsed.labels])
    labels = labels if parsed.skeleton is None else labels.match(load_skeleton(parsed.skeleton))
    curve = label_count_curve(labels, parsed.out, CurveOptions(**options(parsed, "labels", "out", "participants", "images", "skeleton")))
    print(curve.text())
    print(f"figure: {parsed.out / 'curve.png'}")
    return 0
