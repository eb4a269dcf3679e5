"""semiology tracking curve LABELS... --out FOLDER"""

from pathlib import Path

from semiology.cli import options, parser
from semiology.cli.tracking_verb.labelled import LABELLED, add_labels, labels_of
from semiology.tracking.finetune.curve import CurveOptions, label_count_curve


def run(arguments: list[str]) -> int:
    made = parser("tracking curve", label_count_curve)
    add_labels(made)
    made.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder for the detectors of each count, curve.json, curve.csv, curve.png",
    )
    made.add_class_arguments(CurveOptions, None)
    parsed = made.instantiate_classes(made.parse_args(arguments))
    curve = label_count_curve(
        labels_of(parsed), parsed.out, CurveOptions(**options(parsed, "out", *LABELLED))
    )
    print(curve.text())
    print(f"figure: {parsed.out / 'curve.png'}")
    return 0
