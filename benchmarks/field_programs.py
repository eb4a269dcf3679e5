"""Cases of `field_files`: what the other programs wrote themselves."""

import json
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from environments import NotInstalled, answer, environment
from field_case import NotRun, Values, case
from field_missing import NAN, cohort_of_tracks, found_times, x_of
from field_people import THREE, counts, szcore_table, walks
from field_times import times_of

import semiology

WRITTEN = "programs wrote"
PROGRAMS = {  # version, and the interpreter that it needs
    "movement": ("0.17.0", "3.13"),
    "sleap-io": ("0.9.5", "3.11"),
    "pose-format": ("0.15.0", "3.11"),
    "datumaro": ("1.13.0", "3.11"),
    "label-studio-sdk": ("2.1.0", "3.11"),
    "epilepsy2bids": ("0.0.7", "3.11"),
    "hedtools": ("1.3.0", "3.11"),
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


TWO = ("two.slp", "two.h5", "two_dlc.csv", "two_sleap.csv", "two_instances.csv", "two_frames.csv")
for name in TWO:

    @written("sleap-io", f"two who pass, {name}", x=walks(1), refused="inst0|instances")
    def _(folder: Path, name: str = name) -> Values:
        given = {"fps": 25, "individual": "patient"}
        return {"x": x_of(semiology.read_tracks(folder / name, **given))}

    @written(
        "sleap-io", f"two who pass, nobody chosen, {name}", refused="2 individuals.*carer|inst0"
    )
    def _(folder: Path, name: str = name) -> Values:
        return {"x": x_of(semiology.read_tracks(folder / name, fps=25))}


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


@written(
    "hedtools",
    "all tags of semiology of HED-SCORE 1.1.0, read as 2.1.0",
    invalid=[],
    some=["Semiology-tonic", "Semiology-dystonic", "Semiology-hypermotor", "Postictal-paresis"],
)
def _(folder: Path) -> Values:
    tags = json.loads((folder / "tags.json").read_text())
    assert len(tags) > 70
    cohort = cohort_of_tracks(folder)
    clips = (folder / "clips.tsv").read_text().splitlines()
    (folder / "clips.tsv").write_text(f"{clips[0]}\tsign\n{clips[1]}\t{tags[0]}\n")
    levels = {"Levels": {tag: "seen" for tag in tags}, "HED": {tag: tag for tag in tags}}
    label = {"Role": "label", "Description": "Sign", **levels}
    (folder / "clips.json").write_text(json.dumps({"sign": label}))
    hed = semiology.Cohort.read(cohort).labels["sign"].hed
    read = folder / "read"
    read.mkdir(exist_ok=True)
    (read / "tags.json").write_text(json.dumps([hed[tag] for tag in tags]))
    old = [f"Semiology-motor-{kind}" for kind in ("tonic", "dystonic", "automatisms-hypermotor")]
    some = [hed[tag] for tag in [*old, "Postictal-semiology-paresis"]]
    return {"some": some, **in_program("hedtools", "open_hedtools", read)}
