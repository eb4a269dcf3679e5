"""DeepLabCut projects to labelled frames, and back: config.yaml, and in labeled-data/<video>/ the
images and CollectedData_<scorer>.

DeepLabCut knows neither boxes nor hidden points: a labelled point counts as visible. Source of the
layout: [C] DeepLabCut's example projects and its `create_project`.
"""

import csv
import io
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from semiology.data.formats.deeplabcut import read_table
from semiology.data.formats.pandas_h5 import write_frame
from semiology.errors import UserError
from semiology.files import read_yaml, write_text
from semiology.tracking.labels.labels import (
    UNLABELLED,
    VISIBLE,
    LabelledFrame,
    Labels,
    concatenate_labels,
    copy_image,
)

LEVELS = ("scorer", "bodyparts", "coords")


def read_project(folder: Path) -> Labels:
    """All labelled frames of a project, the keypoints in the order of its config.yaml; those that a
    video's table lacks are not labelled.

    Raises:
        UserError: no config.yaml, a damaged one, no tables, a bodypart that config.yaml does not
            name, a project of several animals.
    """
    config = folder / "config.yaml"
    if not config.is_file():
        raise UserError(
            f"{folder}: no config.yaml in it; give the folder of a DeepLabCut project, or a file of"
            " labels"
        )
    about = read_yaml(config, object, what="valid YAML")
    if not isinstance(about, dict) or not {"scorer", "bodyparts"} <= set(about):
        raise UserError(f"{config}: not DeepLabCut's: it names no scorer or no bodyparts")
    several = about.get("multianimalproject") and about.get("multianimalbodyparts")
    keypoints = [str(name) for name in several or about["bodyparts"]]
    stems = {
        table.with_suffix("")
        for table in folder.glob(f"labeled-data/*/CollectedData_{about['scorer']}.*")
    }
    if not stems:
        raise UserError(
            f"{folder}: no labeled-data/*/CollectedData_{about['scorer']}.csv or .h5 in it; label"
            " some frames and save them"
        )
    parts = []
    for stem in sorted(stems):
        table = next(
            (path for path in (Path(f"{stem}.csv"), Path(f"{stem}.h5")) if path.is_file()),
            Path(f"{stem}.csv"),
        )
        part = read_table_of_labels(table)
        if unknown := sorted(set(part.keypoints) - set(keypoints)):
            raise UserError(
                f"{table}: bodypart {unknown[0]!r} is not in config.yaml, which names"
                f" {', '.join(keypoints)}; add it there"
            )
        parts.append(_widened(part, keypoints))
    return concatenate_labels(parts)


def read_table_of_labels(path: Path) -> Labels:
    """The frames of one CollectedData table (csv or h5); the images lie beside it. Image sizes are
    0 here: they are unknown until the images are read.

    Raises:
        UserError: damaged, several animals, a table of tracks.
    """
    table = read_table(path)
    if len(table.individuals) > 1:
        raise UserError(
            f"{path}: labels of {len(table.individuals)} individuals; leave one, the patient"
        )
    if table.values.shape[3] != 2 or any(isinstance(row, int) for row in table.rows):
        raise UserError(f"{path}: holds tracks, not labels; import it by `semiology tracks import`")
    position = table.values[:, 0]
    labelled = np.isfinite(position)
    if (half := labelled.any(axis=2) & ~labelled.all(axis=2)).any():
        row, column = np.argwhere(half)[0]
        raise UserError(
            f"{path}: {table.rows[row]}: {table.keypoints[column]} has x or y only; give both or"
            " neither"
        )
    frames = []
    for name in table.rows:
        file = Path(str(name))
        video = file.parent.name or path.parent.name
        frames.append(
            LabelledFrame(f"{video}/{file.name}", path.parent / file.name, video, video, None, 0, 0)
        )
    return Labels(
        table.keypoints, frames, position, np.where(labelled.all(axis=2), VISIBLE, UNLABELLED)
    )


def write_project(
    labels: Labels,
    folder: str | Path,
    scorer: str = "semiology",
    edges: Sequence[tuple[str, str]] = (),
) -> Path:
    """Write labels as a project that DeepLabCut opens: config.yaml, tables (csv and h5) and copies
    of the images.

    config.yaml names videos `videos/<video>.mp4`, which are not there: labelling and training need
    none.

    Args:
        edges: pairs of keypoints that are drawn connected.

    Raises:
        UserError: two images of a video have one name, an image is not there.
    """
    folder = Path(folder)
    columns = [(scorer, name, axis) for name in labels.keypoints for axis in ("x", "y")]
    header = [
        [level, *(column[number] for column in columns)] for number, level in enumerate(LEVELS)
    ]
    for video in dict.fromkeys(labels.videos.tolist()):
        part = labels.take(
            sorted(
                np.flatnonzero(labels.videos == video),
                key=lambda row: labels.frames[row].image.name,
            )
        )
        names = [f"labeled-data/{video}/{frame.image.name}" for frame in part.frames]
        if len(set(names)) < len(names):
            raise UserError(f"{folder}: two images of {video!r} have one name; rename one")
        for frame, name in zip(part.frames, names):
            copy_image(frame, folder / name)
        values = part.position.reshape(len(part), -1)
        text = io.StringIO()
        cells = [
            [name, *("" if np.isnan(number) else repr(number) for number in row)]
            for name, row in zip(names, values.tolist())
        ]
        csv.writer(text, lineterminator="\n").writerows(header + cells)
        table = folder / "labeled-data" / video / f"CollectedData_{scorer}.csv"
        write_text(table, text.getvalue())
        write_frame(table.with_suffix(".h5"), "df_with_missing", LEVELS, columns, values, names)
    write_text(
        folder / "config.yaml",
        yaml.safe_dump(_config(labels, folder, scorer, edges), sort_keys=False),
    )
    return folder


def _widened(labels: Labels, keypoints: list[str]) -> Labels:
    """The same frames with these keypoints, in this order; new ones are not labelled."""
    position = np.full((len(labels), len(keypoints), 2), np.nan)
    visibility = np.full((len(labels), len(keypoints)), UNLABELLED)
    columns = [keypoints.index(name) for name in labels.keypoints]
    position[:, columns], visibility[:, columns] = labels.position, labels.visibility
    return Labels(keypoints, labels.frames, position, visibility)


def _config(
    labels: Labels, folder: Path, scorer: str, edges: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    """A project's config.yaml as DeepLabCut's `create_new_project` writes it; numbers are its
    defaults [C].
    """
    sizes = {frame.video: (frame.width, frame.height) for frame in labels.frames}
    root = folder.resolve()
    return {
        "Task": folder.name,
        "scorer": scorer,
        "date": date.today().strftime("%b%d"),
        "multianimalproject": False,
        "identity": None,
        "project_path": str(root),
        "engine": "pytorch",
        "video_sets": {
            str(root / "videos" / f"{video}.mp4"): {"crop": f"0, {w}, 0, {h}"}
            for video, (w, h) in sizes.items()
        },
        "bodyparts": list(labels.keypoints),
        "start": 0,
        "stop": 1,
        "numframes2pick": 20,
        "skeleton": [list(pair) for pair in edges],
        "skeleton_color": "black",
        "pcutoff": 0.6,
        "dotsize": 12,
        "alphavalue": 0.7,
        "colormap": "jet",
        "TrainingFraction": [0.95],
        "iteration": 0,
        "default_net_type": "resnet_50",
        "default_augmenter": "default",
        "snapshotindex": -1,
        "batch_size": 8,
        "cropping": False,
        "x1": 0,
        "x2": 640,
        "y1": 277,
        "y2": 624,
        "corner2move2": [50, 50],
        "move2corner": True,
    }
