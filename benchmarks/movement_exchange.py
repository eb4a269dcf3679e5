"""What we export is loaded and validated by movement 0.17.0, and what movement saves comes back
equal.

    python benchmarks/movement_exchange.py [--python 3.13]

movement 0.17.0 needs Python 3.12 or later and numpy 2, so it gets an environment of its own, made
once by uv in the user's cache (about 1 GB). Exported are real keypoints of the test data and tracks
made by hand with what is rare: missing points and frames, points without a score, an odd frame
rate, names beyond ASCII. Equal are positions and confidences (as float32, NaN where NaN was),
times, names and frame rate. Parts that movement cuts out of them (from a time on, every second
frame, in frames) are read with each row at its own time.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import xarray as xr
from environments import Failed, NotInstalled, answer, environment
from record import TESTDATA, record

from semiology import UserError, make_tracks
from semiology.data import formats

TESTDATA = TESTDATA
MOVEMENT = "0.17.0"
FPS = 29.97
REAL = {  # file -> individual
    "keypoints/sleap/tracks/clip.predictions.slp": "male",
    "keypoints/sleap/tracks/clip.slp": "female",
    "keypoints/sleap/madlc_testdata.csv": "Animal2",
    "keypoints/sleap/dlc_testdata.csv": None,
    "keypoints/dlc/reaching/labeled-data/reachingvideo1/CollectedData_Mackenzie.csv": None,
    "keypoints/news/001.csv": None,
    "faces/OpenFace_Test.csv": None,
}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--python",
        default="3.13",
        help="interpreter of movement's environment, as uv takes it: a version or a path",
    )
    interpreter = parser.parse_args().python
    if not (TESTDATA / "keypoints").is_dir():
        print(
            f"movement-exchange: no test data at {TESTDATA}; set SEMIOLOGY_TESTDATA",
            file=sys.stderr,
        )
        return 2
    try:
        python = environment("movement", MOVEMENT, interpreter)
    except NotInstalled as error:
        print(f"movement-exchange: {error}", file=sys.stderr)
        return 2
    made = {"by_hand": by_hand()}
    for number, (file, individual) in enumerate(REAL.items()):
        made[f"{number}_{Path(file).stem}"] = formats.read(
            TESTDATA / file, fps=FPS, individual=individual
        ).isel(time=slice(0, 500))
    short: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder, "ours"), Path(folder, "theirs")
        ours.mkdir()
        theirs.mkdir()
        exported = {}
        for name, tracks in made.items():
            for format, suffix in (
                ("movement", ".nc"),
                ("sleap", ".slp"),
                ("deeplabcut", ".csv"),
                ("deeplabcut", ".h5"),
            ):
                file = ours / f"{name}.{format}{suffix}"
                formats.write(tracks, file, format)
                exported[file.name] = tracks
        script = Path(__file__).with_name("in_movement.py")
        try:
            report = answer(python, script, ours, theirs, FPS)
        except Failed as error:
            print(f"movement-exchange: {error}", file=sys.stderr)
            return 2
        for name, tracks in exported.items():
            faults = [f"movement: {fault}" for fault in report["faults"][name]]
            if name.endswith(".nc"):
                faults += [
                    fault
                    for cut in ("late", "second", "frames")
                    for fault in shifted(tracks, theirs / f"{name}.{cut}.nc")
                ]
            backs = [f"{name}.nc"] + (
                [f"{name}.csv", f"{name}.individual.nc"] if name.endswith(".nc") else []
            )
            short[name] = faults + [
                fault for back in backs for fault in differences(tracks, theirs / back)
            ]
    for name, faults in short.items():
        print(f"{name:<45}{'; '.join(faults) or 'validated, and equal when it comes back'}")
    failed = sum(bool(faults) for faults in short.values())
    figures = {
        **report,
        "short": {name: faults for name, faults in short.items() if faults},
        "files": len(short),
    }
    headline = (
        f"{len(short)} files of {len(made)} tracks through movement {report['movement']}, {failed}"
        " short of it"
    )
    return record(
        "movement-exchange",
        figures,
        "all validated, all equal when they come back",
        not failed,
        headline=headline,
    )


def by_hand() -> xr.Dataset:
    draw = np.random.default_rng(0)
    position = draw.uniform(0, 1000, (200, 4, 2))
    position[10:20, 1] = np.nan  # a point that was lost
    position[50:60] = np.nan  # frames in which nobody was found
    position[-5:] = np.nan  # the last ones too
    confidence = draw.uniform(0, 1, (200, 4))
    confidence[:, 2] = np.nan  # a keypoint without scores
    confidence[100:120] = np.nan  # frames without scores
    return make_tracks(
        position, ["nose", "left_wrist", "Händchen", "right wrist"], FPS, confidence=confidence
    )


def differences(tracks: xr.Dataset, back: Path) -> list[str]:
    try:
        again = formats.read(back, fps=FPS if back.suffix == ".csv" else None)
    except UserError as error:
        return [str(error)]
    confidence = tracks["confidence"].values
    if back.name.endswith(".individual.nc"):
        found = np.isfinite(tracks["position"].transpose("time", "keypoint", "space").values).all(
            axis=2
        )
        confidence = np.where(found, np.linspace(0.1, 1, len(confidence))[:, None], 0).astype(
            np.float32
        )
    names = [str(name) for name in tracks["keypoint"].values]
    if [str(name) for name in again["keypoint"].values] != names or again.sizes[
        "time"
    ] != tracks.sizes["time"]:
        return [f"{back.name}: other names or another length"]
    pairs = {
        "position": (
            tracks["position"].transpose("time", "space", "keypoint").values,
            again["position"].values,
        ),
        "confidence": (confidence, again["confidence"].values),
        "time": (tracks["time"].values, again["time"].values),
        "fps": (tracks.attrs["fps"], again.attrs["fps"]),
    }
    return [
        f"{back.name}: {what} differs"
        for what, (one, other) in pairs.items()
        if not np.array_equal(one, other, equal_nan=True)
    ]


def shifted(tracks: xr.Dataset, back: Path) -> list[str]:
    """What is wrong with the part of the tracks that movement cut out: every row that it has must
    stand at its own time, and those that it has not must be missing.
    """
    fps, cut = tracks.attrs["fps"], back.name.split(".")[-2]
    part = formats.read(back, fps=fps if cut == "frames" else None)
    rows = {
        "late": np.arange(tracks.sizes["time"] // 2, tracks.sizes["time"]),
        "second": np.arange(0, tracks.sizes["time"], 2),
        "frames": np.arange(3, tracks.sizes["time"]),
    }[cut]
    places = np.flatnonzero(part["source_index"].values >= 0)
    whole = tracks["position"].transpose("time", "space", "keypoint").values
    equal = (
        np.array_equal(part["source_index"].values[places], rows)
        and np.allclose(part["time"].values[places], rows / fps, rtol=0, atol=1e-6)
        and np.array_equal(part["position"].values[places], whole[rows], equal_nan=True)
        and not np.isfinite(np.delete(part["position"].values, places, axis=0)).any()
    )
    return [] if equal else [f"{back.name}: its rows are not at their times"]


if __name__ == "__main__":
    sys.exit(main())
