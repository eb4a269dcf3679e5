"""semiology tracking finetune LABELS... --out FOLDER"""

from pathlib import Path

from semiology.tracking.finetune import finetune
from semiology.tracking.labels import joined
from semiology.tracking.reading import read_labels
from semiology.tracking.training import FinetuneOptions
from semiology.verbs import options, parser


def run(arguments: list[str]) -> int:
    made = parser("tracking finetune", finetune)
    made.add_argument("labels", nargs="+", type=Path, help="DeepLabCut projects, COCO keypoints JSON, exports of Label Studio or CVAT")
    made.add_argument("--out", type=Path, required=True, help="folder for the detectors: `extract --keypoint_rcnn.weights` reads it")
    made.add_argument("--participants", type=Path | None, default=None, help="table with the columns video and participant_id")
    made.add_class_arguments(FinetuneOptions, None)
    parsed = made.instantiate_classes(made.parse_args(arguments))
    labels = joined([read_labels(path, parsed.participants) for path in parsed.labels])
    people = len(set(labels.participants))
    print(f"{len(labels)} labelled frames of {people} participants, {len(labels.keypoints)} joints: {', '.join(labels.keypoints)}")
    detectors = finetune(labels, parsed.out, FinetuneOptions(**options(parsed, "labels", "out", "participants")))
    error = detectors.about.get("held out")
    if error is None:
        print("nobody was held out: how good the detectors are is not known")
    else:
        mean, median, kept = (error["overall"][name]["value"] for name in ("mean_px", "median_px", "kept"))
        print(
            f"on {error['frames']} frames of {len(error['participants'])} participants held out: mean error {mean} px, median {median} px;"
        )
        print(f"{kept:.0%} of points above the cutoff {error['cutoff']:g}")
        for name, region in error["regions"].items():
            print(f"{name}: {region['found']:.0%} of {region['marked']} boxes found, mean overlap {region['overlap']:.2f}")
    print(f"semiology extract COHORT --store DIR --pose keypoint-rcnn --keypoint_rcnn.weights {parsed.out}")
    return 0
