"""Cases of `field_files`: what we wrote, opened by the other programs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from field_case import Values, case, command
from field_missing import NAN
from field_programs import in_program
from PIL import Image

import semiology
from semiology.tracking.labels.io import write_labels
from semiology.tracking.labels.labels import LabelledFrame, Labels

OPENED = "programs open"

# --- what we wrote: x of joint k in frame n is 100 k + 10 n; frame 4 is lost, in 6 the wrist ---

JOINTS = ("nose", "left_wrist", "right_hip", "left_hip", "left_knee")
LOST = 4


def ours(lost: bool = True) -> xr.Dataset:
    """Ten frames of five joints at 25 Hz."""
    position = np.full((10, 5, 2), 350.0)
    position[..., 0] = 100 * np.arange(1, 6) + 10 * np.arange(10)[:, None]
    if lost:
        position[LOST], position[6, 1] = np.nan, np.nan
    return semiology.make_tracks(position, JOINTS, 25.0, width=1000, height=600)


def x_right(joint: str) -> list[float]:
    """The right x of one joint in ten frames."""
    values = 100.0 * (JOINTS.index(joint) + 1) + 10 * np.arange(10)
    values[LOST] = NAN
    if joint == "left_wrist":
        values[6] = NAN
    return values.tolist()


def opened(program: str, task: str, folder: Path) -> Values:
    """What a program sees in a folder; null is NaN."""

    def finite(entry: Any) -> Any:
        if isinstance(entry, dict):
            return {name: finite(value) for name, value in entry.items()}
        if isinstance(entry, list):
            return [NAN if value is None else value for value in entry]
        return entry

    return finite(in_program(program, task, folder))


@case(
    OPENED,
    "pose-format 0.15.0: OpenPose JSON",
    points=25,
    LWrist=x_right("left_wrist"),
    RHip=x_right("right_hip"),
    LHip=x_right("left_hip"),
    LKnee=x_right("left_knee"),
)
def _(folder: Path) -> Values:
    semiology.write_tracks(ours(), folder / "ours", format="openpose")
    return opened("pose-format", "open_pose_format", folder)


@case(
    OPENED,
    "sleap-io 0.9.5: .slp",
    names=list(JOINTS),
    x=x_right("left_wrist"),
    y=[NAN if np.isnan(x) else 350 for x in x_right("left_wrist")],
)
def _(folder: Path) -> Values:
    semiology.write_tracks(ours(), folder / "ours.slp", format="sleap")
    return opened("sleap-io", "open_sleap", folder)


WITH_TIMES = [*x_right("left_wrist"), 0.0, 0.36]


@case(
    OPENED,
    "movement 0.17.0: netCDF, .slp, DeepLabCut csv and h5",
    **dict.fromkeys(("ours.nc", "ours.slp", "ours.csv", "ours.h5"), WITH_TIMES),
)
def _(folder: Path) -> Values:
    for suffix, form in (
        (".nc", "movement"),
        (".slp", "sleap"),
        (".csv", "deeplabcut"),
        (".h5", "deeplabcut"),
    ):
        semiology.write_tracks(ours(), folder / f"ours{suffix}", format=form)
    return opened("movement", "open_movement", folder)


def ours_labelled(folder: Path) -> Labels:
    """Frames 12, 34 and 56, the wrist at 10 times the frame, the nose at 7.25, a box."""
    frames = []
    for frame in (12, 34, 56):
        image = folder / f"img{frame:05d}.png"
        Image.new("RGB", (1000, 600)).save(image)
        box = {"patient": (10.0, 20.0, 900.0, 500.0)}
        frames.append(LabelledFrame(f"a/{image.name}", image, "a", "p1", frame, 1000, 600, box))
    position = np.full((3, 2, 2), 300.0)
    position[:, 0, 0] = [120, 340, 560]
    position[:, 1, 0] = 7.25
    return Labels(["left_wrist", "nose"], frames, position, np.full((3, 2), 2))


@case(
    OPENED,
    "datumaro 1.13.0: COCO of labels and of tracks",
    labels=[120, 340, 560],
    tracks=[200, 210, 220, 230, 250, -1, 270, 280, 290],
)
def _(folder: Path) -> Values:
    write_labels(ours_labelled(folder), folder / "ours", "coco")
    (folder / "ours/labels.json").rename(folder / "labels.json")
    semiology.write_tracks(ours(), folder / "tracks.json", format="coco")
    return opened("datumaro", "open_datumaro", folder)


@case(
    OPENED,
    "label-studio-sdk 2.1.0: tasks and interface, to its COCO",
    images=3,
    names=["left_wrist", "nose"],
    x=[[120, 7], [340, 7], [560, 7]],
)
def _(folder: Path) -> Values:
    write_labels(ours_labelled(folder), folder / "ours", "label-studio")
    return opened("label-studio-sdk", "open_label_studio", folder)


@case(OPENED, "label-studio-sdk 2.1.0: its COCO of our tasks comes back", within=0.5, mean=0.0)
def _(folder: Path) -> Values:
    write_labels(ours_labelled(folder), folder / "ours", "label-studio")
    opened("label-studio-sdk", "open_label_studio", folder)
    content = json.loads((folder / "coco/result.json").read_text())
    (folder / "labels.json").write_text(json.dumps(content))
    position = np.full((57, 2, 2), 300.0)
    position[:, 0, 0], position[:, 1, 0] = 10 * np.arange(57), 7.25
    tracks = semiology.make_tracks(position, ["left_wrist", "nose"], 25.0, width=1000, height=600)
    semiology.write_tracks(tracks, folder / "tracks.nc")
    out = folder / "error.json"
    given = ["--pictures", "false", "--out", out]
    command("tracking", "error", folder / "tracks.nc", folder / "labels.json", *given)
    return {"mean": json.loads(out.read_text())["overall"]["mean_px"]["value"]}
