"""Cases of `field_files`: what the other programs wrote themselves, and ours opened by them."""

import json
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from environments import NotInstalled, answer, environment
from field_case import NotRun, Values, case, command
from field_missing import NAN, found_times, x_of
from field_people import THREE, counts, szcore_table, walks
from field_times import times_of
from PIL import Image

import semiology
from semiology.tracking.labels.io import write_labels
from semiology.tracking.labels.labels import LabelledFrame, Labels

WRITTEN = "programs wrote"
OPENED = "programs open"
PROGRAMS = {  # version, and the interpreter that it needs
    "movement": ("0.17.0", "3.13"),
    "sleap-io": ("0.9.5", "3.11"),
    "pose-format": ("0.15.0", "3.11"),
    "datumaro": ("1.13.0", "3.11"),
    "label-studio-sdk": ("2.1.0", "3.11"),
    "epilepsy2bids": ("0.0.7", "3.11"),
}
SCRIPT = Path(__file__).with_name("in_programs.py")


@cache
def python_of(program: str) -> Path | NotInstalled:
    """The Python of a program's environment, or why there is none; tried once."""
    try:
        return environment(program, *PROGRAMS[program])
    except NotInstalled as error:
        return error


def in_program(program: str, task: str, folder: Path) -> Any:
    """What a task of `in_programs` prints.

    Raises:
        NotRun: the program cannot be installed.
    """
    python = python_of(program)
    if isinstance(python, NotInstalled):
        raise NotRun(str(python))
    return answer(python, SCRIPT, task, folder)


_kept = tempfile.TemporaryDirectory()  # removed at exit


@cache
def written_by(program: str, task: str) -> Path:
    """The folder of what a program wrote, once for all cases."""
    folder = Path(_kept.name, task)
    folder.mkdir(exist_ok=True)
    in_program(program, task, folder)
    return folder


def written(program: str, name: str, **right: Any) -> Callable:
    """A case that reads what a program wrote; its function gets that folder."""
    task = f"write_{program.split('-')[0]}"

    def add(read: Callable[[Path], Values]) -> Callable[[Path], Values]:
        label = f"{program} {PROGRAMS[program][0]}: {name}"
        return case(WRITTEN, label, **right)(lambda _: read(written_by(program, task)))

    return add


# --- what they wrote ---

HAND = [NAN] * 5 + [50, 61, NAN, 80, 91]  # frames 5, 6, 8 and 9; labels of 6 and 9 are a px off
PLAIN = [NAN] * 5 + [50, 60, NAN, 80, 90]


def first_ten(tracks: xr.Dataset) -> np.ndarray:
    """x of the nose in frames 0 to 9."""
    return x_of(tracks, "nose")[:10]


@written("sleap-io", ".slp, hand labels without a track in a file with one", x=HAND)
def _(folder: Path) -> Values:
    return {"x": first_ten(semiology.read_tracks(folder / "hand.slp", fps=25))}


@written("sleap-io", "csv as DeepLabCut, no likelihoods", x=PLAIN, kept=4)
def _(folder: Path) -> Values:
    tracks = semiology.read_tracks(folder / "dlc.csv", fps=25)
    kept = semiology.preprocess(tracks, min_confidence=0.5)
    return {"x": first_ten(tracks), "kept": int(np.isfinite(x_of(kept, "nose")).sum())}


for suffix in (".h5", ".csv"):

    @written("sleap-io", f"analysis {suffix}", x=PLAIN, score=0.9, wrist=0)
    def _(folder: Path, suffix: str = suffix) -> Values:
        tracks = semiology.read_tracks(folder / f"analysis{suffix}", fps=25)
        score = tracks["confidence"].sel(keypoint="nose").values[5]
        wrist = int(np.isfinite(x_of(tracks, "left_wrist")).sum())
        return {"x": first_ten(tracks), "score": float(score), "wrist": wrist}


for suffix in (".csv", ".h5"):

    @written("movement", f"to_dlc_file without confidence, {suffix}", kept=500)
    def _(folder: Path, suffix: str = suffix) -> Values:
        tracks = semiology.read_tracks(folder / f"no_scores{suffix}", fps=25)
        kept = semiology.preprocess(tracks, min_confidence=0.5)
        return {"kept": int(np.isfinite(x_of(kept)).sum())}


@written("movement", "a cut of 10 to 20 s", first=10.0, last=19.96, rate=25.0)
def _(folder: Path) -> Values:
    return times_of(semiology.read_tracks(folder / "cut.nc"))


@written("movement", "every second frame of 50 Hz", last=9.96, count=250)
def _(folder: Path) -> Values:
    tracks = semiology.read_tracks(folder / "every_second.nc")
    return {**times_of(tracks), "count": len(found_times(tracks))}


@written("movement", "frames 100 to 499 without a rate, 25 Hz given", first=4.0, last=19.96)
def _(folder: Path) -> Values:
    return times_of(semiology.read_tracks(folder / "frames.nc", fps=25))


for suffix in (".h5", ".csv", ".nc"):

    @written("movement", f"pandas' DeepLabCut 3 with -1, -1, -1, {suffix}", x=[430, NAN, 430])
    def _(folder: Path, suffix: str = suffix) -> Values:
        rate = None if suffix == ".nc" else 25
        return {"x": x_of(semiology.read_tracks(folder / f"dlc3{suffix}", fps=rate))}


@written("datumaro", "COCO of two who pass, attributes.track_id", x=walks(1))
def _(folder: Path) -> Values:
    return {"x": x_of(semiology.read_tracks(folder / "coco.json", fps=25, individual="1"))}


@written("epilepsy2bids", "detector's mask against types", hits=3, missed=0, false=1)
def _(folder: Path) -> Values:
    reference = szcore_table(Path(_kept.name) / "reference.tsv", THREE)
    return counts(reference, folder / "detected.tsv")


@written("epilepsy2bids", "touching seizures", hits=2, missed=0, false=0)
def _(folder: Path) -> Values:
    return counts(folder / "touching.tsv", folder / "touching.tsv")


@written("epilepsy2bids", "loaded and saved again (confidence nan)", hits=3, missed=0, false=1)
def _(folder: Path) -> Values:
    return counts(folder / "saved_again.tsv", folder / "detected.tsv")


@written("epilepsy2bids", "no seizure (bckg) against three", hits=0, missed=3, false=0)
def _(folder: Path) -> Values:
    reference = szcore_table(Path(_kept.name) / "reference.tsv", THREE)
    return counts(reference, folder / "none.tsv")


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
