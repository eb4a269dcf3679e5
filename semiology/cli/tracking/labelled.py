"""The arguments of the actions that train on labelled frames, and the labels that they name."""

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from semiology.data.skeleton import load_skeleton
from semiology.tracking.labels.io import read_labels
from semiology.tracking.labels.labels import Labels, concatenate_labels

LABELLED = ("labels", "participants", "images", "skeleton")  # what `add_labels` adds


def add_labels(made: ArgumentParser) -> None:
    made.add_argument(
        "labels",
        nargs="+",
        type=Path,
        help="DeepLabCut projects, COCO keypoints JSON, exports of Label Studio or CVAT",
    )
    made.add_argument(
        "--participants",
        type=Path | None,
        default=None,
        help="table with the columns video and participant_id",
    )
    made.add_argument(
        "--images",
        type=Path | None,
        default=None,
        help="the folder that holds the pictures, if they moved",
    )
    made.add_argument(
        "--skeleton",
        type=str | None,
        default=None,
        help="the labels must be of this skeleton's joints: upper_body_11, ...",
    )


def labels_of(parsed: Namespace) -> Labels:
    labels = concatenate_labels(
        [read_labels(path, parsed.participants, images=parsed.images) for path in parsed.labels]
    )
    return labels if parsed.skeleton is None else labels.match(load_skeleton(parsed.skeleton))
