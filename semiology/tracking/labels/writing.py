"""Labelled frames to the programs in which people label: one folder for each, with the pictures in it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from semiology.errors import UserError
from semiology.tracking.labels.coco import write_coco
from semiology.tracking.labels.cvat import write_cvat
from semiology.tracking.labels.deeplabcut import write_project
from semiology.tracking.labels.label_studio import write_label_studio
from semiology.tracking.labels.labels import Labels, copy_picture

OPENED = {"deeplabcut": "config.yaml", "coco": "labels.json", "label-studio": "tasks.json", "cvat": "annotations.xml"}  # program -> file


def write_labels(labels: Labels, folder: str | Path, program: str, edges: Sequence[tuple[str, str]] = ()) -> Path:
    """Write labels and copies of their pictures for "deeplabcut", "coco", "label-studio" or "cvat"; returns the file to open there.

    Args:
        edges: pairs of keypoints that DeepLabCut draws connected.

    Raises:
        UserError: another program, labels that are there already, a picture that is not there.
    """
    folder = Path(folder)
    pictures = free_folder(folder, program)
    if program == "deeplabcut":
        write_project(labels, folder, edges=edges)
    elif program == "label-studio":
        write_label_studio(labels, folder)
    elif program == "cvat":
        write_cvat(labels, folder)
    else:
        copies = [replace(frame, image=pictures / frame.video / frame.image.name) for frame in labels.frames]
        for frame, copy in zip(labels.frames, copies):
            copy_picture(frame, copy.image)
        write_coco(Labels(labels.keypoints, copies, labels.position, labels.visibility), folder / OPENED[program])
    return folder / OPENED[program]


def free_folder(folder: Path, program: str) -> Path:
    """Where the pictures of an export go: <this>/<video>/<picture>.

    Raises:
        UserError: another program, labels that are there already: a person may have worked on them.
    """
    if program not in OPENED:
        raise UserError(f"no export for {program!r}; there is {', '.join(OPENED)}")
    if (folder / OPENED[program]).exists():
        raise UserError(f"{folder}: {OPENED[program]} is there already; choose another folder, so that no labels are overwritten")
    return folder / ("labeled-data" if program == "deeplabcut" else "images")
