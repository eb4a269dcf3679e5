"""semiology tracking finetune LABELS... --out FOLDER"""

from pathlib import Path

from semiology.skeleton import load_skeleton
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
    made.add_argument("--images", type=Path | None, default=None, help="the folder that holds the pictures, if they moved")
    made.add_argument("--skeleton", type=str | None, default=None, help="the labels must be of this skeleton's joints: upper_body_11, ...")
    made.add_class_arguments(FinetuneOptions, None)
    parsed = made.instantiate_classes(made.parse_args(arguments))
    labels = joined([read_labels(path, parsed.participants, images=parsed.images) for path in parsed.labels])
    labels = labels if parsed.skeleton is None else labels.match(load_skeleton(parsed.skeleton))
    people = len(set(labels.participants))
    print(f"{len(labels)} labelled frames of {people} participants, {len(labels.keypoints)} joints: {', '.join(labels.keypoints)}")
    detectors = finetune(labels, parsed.out, FinetuneOptions(**options(parsed, "labels", "out", "participants", "images", "skeleton")))
    held_out = detectors.about.get("held out")
    if held_out is None:
        print("nobody was held out: how good the detectors are is not known")
    else:
        error = held_out["error"]
        mean, median, kept = (error["overall"][name]["value"] for name in ("mean_px", "median_px", "kept"))
        print(f"on {error['frames']} frames of {error['participants']} participants held out: mean error {mean} px, median {median} px;")
        print(f"{kept:.0%} of points above the cutoff {error['cutoff']:g}")
        for name, region in held_out["regions"].items():
            print(f"{name}: {region['found']:.0%} of {region['marked']} boxes found, mean overlap {region['overlap']:.2f}")
    print(f"semiology extract COHORT --store DIR --pose keypoint-rcnn --keypoint_rcnn.weights {parsed.out}")
    return 0
