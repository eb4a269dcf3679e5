"""Cases of `field_files`: what was not found, and what has no score."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from field_case import Values, case, command

import semiology

NAN = float("nan")
NOT_FOUND = "not found"
NO_SCORE = "no score"


def dlc_csv(path: Path, points: Sequence[str], rows: Sequence[str]) -> Path:
    """DeepLabCut's csv of one animal: three lines of head, then a row a frame."""
    heads = [["scorer"], ["bodyparts"], ["coords"]]
    for point in points:
        heads[0] += ["net"] * 3
        heads[1] += [point] * 3
        heads[2] += ["x", "y", "likelihood"]
    path.write_text("\n".join([*(",".join(head) for head in heads), *rows]) + "\n")
    return path


def labels_csv(path: Path, point: str, marks: dict[str, tuple[float, float]]) -> Path:
    """DeepLabCut's CollectedData: image -> position of one point."""
    head = f"scorer,me,me\nbodyparts,{point},{point}\ncoords,x,y\n"
    path.write_text(head + "".join(f"{image},{x},{y}\n" for image, (x, y) in marks.items()))
    return path


def x_of(tracks: xr.Dataset, point: str | None = None) -> np.ndarray:
    """(time,) x of a keypoint in px, of the only one by default."""
    chosen = tracks["position"].sel(space="x")
    return (chosen.isel(keypoint=0) if point is None else chosen.sel(keypoint=point)).values


def found_times(tracks: xr.Dataset) -> np.ndarray:
    """Times in s of the rows whose first keypoint has a position."""
    return tracks["time"].values[np.isfinite(x_of(tracks))]


def movement_file(
    folder: Path, time: np.ndarray, x: Sequence[float], lost: Sequence[int] = (), **attributes: Any
) -> Path:
    """A netCDF of movement 0.17: one individual, one keypoint."""
    position = np.stack([np.asarray(x, float), np.full(len(x), 350.0)], axis=1)[:, :, None, None]
    confidence = np.full((len(x), 1, 1), 0.9)
    for row in lost:
        position[row], confidence[row] = 0, 0
    data = xr.Dataset(
        {
            "position": (("time", "space", "keypoint", "individual"), position),
            "confidence": (("time", "keypoint", "individual"), confidence),
        },
        coords={"time": time, "space": ["x", "y"], "keypoint": ["nose"], "individual": ["id_0"]},
        attrs={"ds_type": "poses", "source_software": "DeepLabCut"} | attributes,
    )
    path = folder / "movement.nc"
    data.to_netcdf(path)
    return path


def cohort_of_tracks(folder: Path, name: str = "a.nc", people: Sequence[str] = ("p1",)) -> Path:
    """A cohort of one clip a participant, each with the same tracks: 10 s at 25 Hz."""
    position = np.full((250, 1, 2), 350.0)
    made = semiology.make_tracks(position, ["left_wrist"], 25.0, width=1000, height=600)
    semiology.write_tracks(made, folder / name)
    (folder / "participants.tsv").write_text(
        "\n".join(["participant_id\tsex\tage", *(f"{p}\tF\t30" for p in people)])
    )
    (folder / "clips.tsv").write_text(
        "\n".join(
            [
                "clip_id\tparticipant_id\ttracks\tstart\tend",
                *(f"c{p}\t{p}\t{name}\t0\tn/a" for p in people),
            ]
        ),
        encoding="utf-8",
    )
    (folder / "clips.json").write_text("{}")
    return folder


# --- not found is not a place ---

for mark, how in (("-1,-1,-1", "-1, -1, -1, as DeepLabCut 3"), ("0,0,0", "0, 0 with likelihood 0")):

    @case(NOT_FOUND, f"DeepLabCut csv: {how}", x=[430, NAN, 430])
    def _(folder: Path, mark: str = mark) -> Values:
        path = dlc_csv(folder / "a.csv", ["nose"], ["0,430,350,.95", f"1,{mark}", "2,430,350,.95"])
        return {"x": x_of(semiology.read_tracks(path, fps=25))}

    @case(NOT_FOUND, f"still patient, 10 of 200 frames {how}", peak=0.0)
    def _(folder: Path, mark: str = mark) -> Values:
        rows = [f"{n},{mark if n % 20 == 9 else '430,350,.95'}" for n in range(200)]
        path = dlc_csv(folder / "a.csv", ["left_wrist"], rows)
        moved = semiology.kinematics(
            semiology.read_tracks(path, fps=25), unit="px", joints=["left_wrist"]
        )
        joints = moved.table[moved.table["level"] == "joint"]
        return {"peak": float(joints["speed_peak"].iloc[0])}

    @case(NOT_FOUND, f"tracking error, half of the frames {how}", mean=0.0, predicted=0.5)
    def _(folder: Path, mark: str = mark) -> Values:
        rows = [f"{n},{mark if n % 2 else '430,350,.95'}" for n in range(8)]
        path = dlc_csv(folder / "a.csv", ["nose"], rows)
        marks = {f"labeled-data/a/img{n:03d}.png": (430.0, 350.0) for n in range(8)}
        labels = labels_csv(folder / "CollectedData_me.csv", "nose", marks)
        out = folder / "error.json"
        command("tracking", "error", path, labels, "--fps", 25, "--pictures", "false", "--out", out)
        overall = json.loads(out.read_text())["overall"]
        return {"mean": overall["mean_px"]["value"], "predicted": overall["predicted"]["value"]}


@case(
    NOT_FOUND, "network's input: wrist moves 0.05 torso lengths a frame, one not found", step=0.05
)
def _(folder: Path) -> Values:
    names = [
        "left_ear",
        "right_ear",
        "left_shoulder",
        "right_shoulder",
        "left_elbow",
        "right_elbow",
    ]
    names += ["left_wrist", "right_wrist", "left_hip", "right_hip"]
    places = dict.fromkeys(names, (400, 100))
    places |= {"left_shoulder": (440, 200), "right_shoulder": (360, 200)}  # their middle: 400, 200
    places |= {"left_hip": (430, 400), "right_hip": (370, 400)}  # 400, 400: torso of 200 px
    rows = []
    for frame in range(20):
        cells = {name: f"{x},{y},.95" for name, (x, y) in places.items()}
        cells["left_wrist"] = "-1,-1,-1" if frame == 7 else f"{500 + 10 * frame},300,.95"
        rows.append(f"{frame},{','.join(cells[name] for name in names)}")
    tracks = semiology.read_tracks(dlc_csv(folder / "a.csv", names, rows), fps=25)
    ready = semiology.preprocess(tracks, skeleton="upper_body_11", longest_gap=0.2, normalise=True)
    return {"step": float(np.nanmax(np.abs(np.diff(x_of(ready, "left_wrist")))))}


@case(NOT_FOUND, "a point in the image's corner with likelihood 0.9 is a place", x=[0, 0])
def _(folder: Path) -> Values:
    path = dlc_csv(folder / "a.csv", ["nose"], ["0,0,0,.9", "1,0,0,.9"])
    return {"x": x_of(semiology.read_tracks(path, fps=25))}


@case(NOT_FOUND, "own array: 0, 0 with confidence 0", x=[430, NAN])
def _(folder: Path) -> Values:
    made = semiology.make_tracks(
        [[[430, 350]], [[0, 0]]], ["nose"], 25.0, confidence=[[0.9], [0.0]]
    )
    return {"x": x_of(made)}


@case(NOT_FOUND, "own long csv: 0, 0 with confidence 0", x=[430, NAN, 430])
def _(folder: Path) -> Values:
    path = folder / "a.csv"
    rows = ["0.00,nose,430,350,.9", "0.04,nose,0,0,0", "0.08,nose,430,350,.9"]
    path.write_text("\n".join(["time,keypoint,x,y,confidence", *rows]))
    return {"x": x_of(semiology.read_tracks(path))}


@case(NOT_FOUND, "movement's netCDF: 0, 0 with confidence 0", x=[430, NAN, 430])
def _(folder: Path) -> Values:
    path = movement_file(folder, np.arange(3) / 25, [430, 0, 430], fps=25.0, lost=[1])
    return {"x": x_of(semiology.read_tracks(path))}


@case(NOT_FOUND, "COCO results: -1, -1 with score -1, and 0, 0 with score 0", x=[430, NAN, NAN])
def _(folder: Path) -> Values:
    path = folder / "results.json"
    values = ([430, 350, 0.9], [-1, -1, -1], [0, 0, 0])
    entries: list[dict] = []
    for frame, triple in enumerate(values):
        rest = [400, 300, 0.8] * 16
        entries.append({"image_id": frame, "category_id": 1, "keypoints": triple + rest})
    path.write_text(json.dumps(entries))
    return {"x": x_of(semiology.read_tracks(path, fps=25), "nose")}


@case(NOT_FOUND, "MediaPipe's array: 0, 0 with visibility 0", x=[430, NAN])
def _(folder: Path) -> Values:
    path = folder / "a.npz"
    landmarks = np.full((2, 33, 4), 0.5, np.float32)
    landmarks[0, 0], landmarks[1, 0] = (0.43, 0.35, 0, 0.9), (0, 0, 0, 0)
    np.save(path.with_suffix(".npy"), landmarks)
    tracks = semiology.read_tracks(path.with_suffix(".npy"), fps=25, width=1000, height=1000)
    return {"x": x_of(tracks, "nose")}


# --- no score is not score 0 ---


@case(NO_SCORE, "DeepLabCut csv with empty likelihoods", kept=3, found="100.0 %")
def _(folder: Path) -> Values:
    path = dlc_csv(folder / "a.csv", ["nose"], ["0,430,350,", "1,431,350,", "2,432,350,"])
    kept = semiology.preprocess(semiology.read_tracks(path, fps=25), min_confidence=0.5)
    printed = command("tracks", "import", path, "--out", folder / "a.nc", "--fps", 25)
    share = next((word for word in printed.split() if word.replace(".", "").isdigit()), "")
    found = "100.0 %" if "100" in printed else share or printed
    return {"kept": int(np.isfinite(x_of(kept)).sum()), "found": found}


@case(NO_SCORE, "own array: NaN beside a position", kept=2, scores=[NAN, 0.9])
def _(folder: Path) -> Values:
    made = semiology.make_tracks(
        [[[430, 350]], [[431, 350]]], ["nose"], 25.0, confidence=[[NAN], [0.9]]
    )
    kept = semiology.preprocess(made, min_confidence=0.5)
    return {"kept": int(np.isfinite(x_of(kept)).sum()), "scores": made["confidence"].values[:, 0]}


@case(NO_SCORE, "confidence of 95 in an own array", refused="confidence 95.*outside of 0 to 1")
def _(folder: Path) -> Values:
    made = semiology.make_tracks([[[430, 350]]], ["nose"], 25.0, confidence=[[95.0]])
    return {"confidence": made["confidence"].values}


@case(NO_SCORE, "confidence of 95 in a long csv", refused="(95|confidence).*outside of 0 to 1")
def _(folder: Path) -> Values:
    path = folder / "a.csv"
    path.write_text("time,keypoint,x,y,confidence\n0,nose,430,350,95\n0.04,nose,430,350,95\n")
    return {"confidence": semiology.read_tracks(path)["confidence"].values}
