"""semiology tracking finetune LABELS... --out FOLDER"""

from pathlib import Path

from semiology.cli import options, parser
from semiology.cli.tracking_verb.labelled import LABELLED, add_labels, labels_of
from semiology.tracking.finetune.finetune import finetune
from semiology.tracking.finetune.training import FinetuneOptions


def run(arguments: list[str]) -> int:
    made = parser("tracking finetune", finetune)
    add_labels(made)
    made.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder for the detectors: `extract --keypoint_rcnn.weights` reads it",
    )
    made.add_class_arguments(FinetuneOptions, None)
    parsed = made.instantiate_classes(made.parse_args(arguments))
    labels = labels_of(parsed)
    people = len(set(labels.participants))
    print(
        f"{len(labels)} labelled frames of {people} participants, {len(labels.keypoints)} joints:"
        f" {', '.join(labels.keypoints)}"
    )
    detectors = finetune(labels, parsed.out, FinetuneOptions(**options(parsed, "out", *LABELLED)))
    held_out = detectors.about.get("held out")
    if held_out is None:
        print("nobody was held out: how good the detectors are is not known")
    else:
        error = held_out["error"]
        mean, median, kept = (
            error["overall"][name]["value"] for name in ("mean_px", "median_px", "kept")
        )
        print(
            f"on {error['frames']} frames of {error['participants']} participants held out: mean"
            f" error {mean} px, median {median} px;"
        )
        print(f"{kept:.0%} of points above the cutoff {error['cutoff']:g}")
        for name, region in held_out["regions"].items():
            print(
                f"{name}: {region['found']:.0%} of {region['marked']} boxes found, mean overlap"
                f" {region['overlap']:.2f}"
            )
    print(
        "semiology extract COHORT --store DIR --pose keypoint-rcnn --keypoint_rcnn.weights"
        f" {parsed.out}"
    )
    return 0
