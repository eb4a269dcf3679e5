"""Cases of `field_files`: tables and JSON of trackers with cells and columns of their own."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from field_case import Values, case
from field_missing import NAN, dlc_csv, x_of
from field_times import times_of

import semiology
from semiology.data.keypoint_names import BODY_25

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from weak_faces import write_weak_cohort

MESH = "mesh points"
CELLS = "odd cells"
OTHERS = "other programs"
EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")

# --- Py-Feat 2.1.5: columns as its detectors write them ---


def pyfeat_file(
    path: Path, frames: Sequence[int], lost: Sequence[int] = (), points: int = 68, prefix: str = ""
) -> Path:
    """Py-Feat's table: x of point p in frame n is 100 + p + 10 n. Rows of `lost` are blank as
    Detectorv1 leaves them: only the frame's number and size.
    """
    names = [
        f"{prefix}{axis}_{n}" for axis in "xyz"[: 3 if points == 478 else 2] for n in range(points)
    ]
    head = ["FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", "FaceScore", *names]
    head += ["Pitch", "Roll", "Yaw", "AU12", *EMOTIONS, "Identity", "frame"]
    head += ["FrameHeight", "FrameWidth", "input"]
    rows = []
    for frame in frames:
        cells = dict.fromkeys(head, "0.1") | {"FaceScore": "0.99", "Identity": "Person_0"}
        for number in range(points):
            cells[f"{prefix}x_{number}"] = str(100.0 + number + 10 * frame)
            cells[f"{prefix}y_{number}"] = str(200.0 + number)
        if frame in lost:
            cells = dict.fromkeys(head, "")
        cells |= {"frame": str(frame), "FrameHeight": "600.0", "FrameWidth": "1000.0"}
        rows.append(",".join((cells | {"input": "video.mp4"})[name] for name in head))
    path.write_text("\n".join([",".join(head), *rows]) + "\n")
    return path


for prefix, detector in (("", "MPDetector, x_0 to x_477"), ("mesh_", "Detectorv2, mesh_x_0 ...")):

    @case(
        MESH,
        f"Py-Feat 2.1.5, {detector}",
        refused="mesh",
        names=478,
        first="mesh_000",
        x=[115, 125],
    )
    def _(folder: Path, prefix: str = prefix) -> Values:
        path = pyfeat_file(folder / "a.csv", range(2), points=478, prefix=prefix)
        tracks = semiology.read_tracks(path, fps=25)
        names = tracks["keypoint"].values.tolist()
        return {"names": len(names), "first": names[0], "x": x_of(tracks, names[15])}


@case(CELLS, "Py-Feat, two rows without a face", x=[100, NAN, NAN, 130, 140])
def _(folder: Path) -> Values:
    path = pyfeat_file(folder / "a.csv", range(5), lost=(1, 2))
    return {"x": x_of(semiology.read_tracks(path, fps=25), "landmark_00")}


@case(CELLS, "the same with pandas' nan in Identity", x=[100, NAN, NAN, 130, 140])
def _(folder: Path) -> Values:
    path = pyfeat_file(folder / "a.csv", range(5), lost=(1, 2))
    path.write_text(
        path.read_text().replace(",,1,600", ",nan,1,600").replace(",,2,600", ",nan,2,600")
    )
    return {"x": x_of(semiology.read_tracks(path, fps=25), "landmark_00")}


@case(CELLS, "weakness with a Py-Feat table, 6 of 60 rows without a face", failed=0, score=0.1)
def _(folder: Path) -> Values:
    cohort = write_weak_cohort(folder / "cohort", {"c1": ("control", 1, 1)}, panels=("rest",))
    tables = folder / "tables"
    tables.mkdir()
    pyfeat_file(tables / "c1_baseline_rest.csv", range(60), lost=range(10, 16))
    given = {"expression_tables": tables, "table_fps": 25.0, "draws": 20}
    weak = semiology.weakness(cohort, out=folder / "out", progress=False, **given)
    return {"failed": len(weak.failed), "score": float(weak.expressions["score"].iloc[0])}


# --- OpenFace ---


@case(CELLS, "OpenFace, a row of -nan(ind), Windows' NaN", x=[100, NAN, 102], rate=25.0)
def _(folder: Path) -> Values:
    path = folder / "a.csv"
    points = [f"{axis}_{number}" for axis in "xy" for number in range(68)]
    rows = []
    for frame in (1, 2, 3):
        values = ["-nan(ind)"] * 136 if frame == 2 else [str(99 + frame)] * 136
        rows.append([str(frame), "0", f"{(frame - 1) / 25:.3f}", "0.98", "1", *values])
    head = ["frame", "face_id", "timestamp", "confidence", "success", *points]
    path.write_text("\n".join(", ".join(row) for row in [head, *rows]))
    tracks = semiology.read_tracks(path)
    return {"x": x_of(tracks, "landmark_00"), "rate": tracks.attrs["fps"]}


# --- DeepLabCut's csv of other programs ---


def more_columns(path: Path, coords: Mapping[str, str], last: Sequence[str] = ()) -> Path:
    """A csv with DeepLabCut's three lines of head and more columns: two points, two frames."""
    heads = [["scorer"], ["bodyparts"], ["coords"]]
    rows = [["0"], ["1"]]
    for number, point in enumerate(("nose", "left_wrist")):
        for coord, text in coords.items():
            heads[0].append("model")
            heads[1].append(point)
            heads[2].append(coord)
            for frame, row in enumerate(rows):
                x = {"x": str(100 + 50 * number + frame), "y": "350"}
                row.append(x.get(coord, text))
    if last:
        for head, cell in zip(heads, ("set", "", ""), strict=True):
            head.append(cell)
        for row, cell in zip(rows, last, strict=True):
            row.append(cell)
    path.write_text("\n".join(",".join(row) for row in heads + rows) + "\n")
    return path


PLAIN = {"x": "", "y": "", "likelihood": "0.9"}
EKS = {"x_ens_median": "7", "y_ens_median": "8", "x_ens_var": "2", "y_ens_var": "2"}
EKS |= {"x_posterior_var": "1", "y_posterior_var": "1"}


@case(CELLS, "LightningPose, a last column set", nose=[100, 101], wrist=[150, 151], score=0.9)
def _(folder: Path) -> Values:
    return two_points(more_columns(folder / "a.csv", PLAIN, ["train", "validation"]))


def two_points(path: Path) -> Values:
    """x of both points, and the first score."""
    tracks = semiology.read_tracks(path, fps=25)
    score = float(tracks["confidence"].values[0, 0])
    return {"nose": x_of(tracks, "nose"), "wrist": x_of(tracks, "left_wrist"), "score": score}


@case(
    CELLS, "LightningPose, coordinates x, y, likelihood, visible", nose=[100, 101], wrist=[150, 151]
)
def _(folder: Path) -> Values:
    return two_points(more_columns(folder / "a.csv", PLAIN | {"visible": "1"}))


@case(CELLS, "EKS, ensemble's medians and variances", nose=[100, 101], wrist=[150, 151], score=0.9)
def _(folder: Path) -> Values:
    return two_points(more_columns(folder / "a.csv", PLAIN | EKS))


@case(CELLS, "DeepLabCut csv saved with semicolons", refused="semicolon", nose=[430, 431])
def _(folder: Path) -> Values:
    path = dlc_csv(folder / "a.csv", ["nose"], ["0,430,350,.9", "1,431,350,.9"])
    path.write_text(path.read_text().replace(",", ";"))
    return {"nose": x_of(semiology.read_tracks(path, fps=25), "nose")}


@case(
    CELLS, "long csv with semicolons and decimal commas", refused="semicolon", nose=[430.5, 431.5]
)
def _(folder: Path) -> Values:
    path = folder / "a.csv"
    path.write_text("time;keypoint;x;y\n0;nose;430,5;350\n0,04;nose;431,5;350\n")
    return {"nose": x_of(semiology.read_tracks(path), "nose")}


# --- OpenPose, MMPose ---


def openpose_folder(folder: Path, count: int = 3, old: bool = False) -> Path:
    """OpenPose's JSON: x of point p in frame n is 100 + p + 10 n; keys of 1.0 where `old`."""
    key = "pose_keypoints" if old else "pose_keypoints_2d"
    for frame in range(count):
        flat = [v for n in range(len(BODY_25)) for v in (100 + n + 10 * frame, 350, 0.9)]
        flat = flat[: 18 * 3] if old else flat
        content = {"version": 1.0 if old else 1.3, "people": [{key: flat}]}
        (folder / f"a_{frame:012d}_keypoints.json").write_text(json.dumps(content))
    return folder


@case(
    OTHERS,
    "OpenPose 1.0, key pose_keypoints",
    x=[100, 110, 120],
    refused="pose_keypoints.*1\\.0|1\\.0.*pose_keypoints",
)
def _(folder: Path) -> Values:
    return {"x": x_of(semiology.read_tracks(openpose_folder(folder, old=True), fps=25), "nose")}


@case(OTHERS, "OpenPose's folder with ._ files of a Mac", x=[100, 110, 120])
def _(folder: Path) -> Values:
    openpose_folder(folder)
    for frame in range(3):
        place = folder / f"._a_{frame:012d}_keypoints.json"
        place.write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        " + bytes(50))
    return {"x": x_of(semiology.read_tracks(folder, fps=25), "nose")}


def mmpose(frames: Sequence[int], wrapped: bool) -> object:
    """Results of MMPose 1's inferencer for one person with 17 points."""
    entries = []
    for frame in frames:
        points = [[100.0 + n + 10 * frame, 350.0] for n in range(17)]
        person = {"keypoints": points, "keypoint_scores": [0.9] * 17, "bbox_score": 0.9}
        entries.append({"frame_id": frame, "instances": [person] if frame != 2 else []})
    return {"meta_info": {"dataset_name": "coco"}, "instance_info": entries} if wrapped else entries


for wrapped in (False, True):
    shape = "with meta_info" if wrapped else "a list of frames"

    @case(OTHERS, f"MMPose's results, {shape}", refused="MMPose", x=[100, 110, NAN, 130])
    def _(folder: Path, wrapped: bool = wrapped) -> Values:
        path = folder / "results_a.json"
        path.write_text(json.dumps(mmpose(range(4), wrapped)))
        return {"x": x_of(semiology.read_tracks(path, fps=25), "nose")}


# --- SLEAP's analysis, by hand (matlab order, as SLEAP itself) ---


@case(OTHERS, "SLEAP's analysis .h5 of two tracks", x=[110, NAN, 112], score=0.8)
def _(folder: Path) -> Values:
    return analysis_values(sleap_analysis(folder / "a.analysis.h5"), "patient")


@case(OTHERS, "the same, nobody chosen", refused="2 individuals.*(carer|patient)")
def _(folder: Path) -> Values:
    return analysis_values(sleap_analysis(folder / "a.analysis.h5"), None)


def sleap_analysis(path: Path) -> Path:
    """Tracks (track, 2, node, frame): a carer at 500 and the patient at 110 + frame, who is not
    found in frame 1.
    """
    import h5py

    tracks = np.full((2, 2, 2, 3), 350.0)
    tracks[0, 0], tracks[1, 0] = 500, 110 + np.arange(3)
    tracks[1, :, :, 1] = np.nan
    with h5py.File(path, "w") as file:
        file["tracks"] = tracks
        file["track_names"] = np.array([b"carer", b"patient"])
        file["node_names"] = np.array([b"nose", b"left_wrist"])
        file["edge_names"] = np.array([[b"nose", b"left_wrist"]])
        file["edge_inds"] = np.array([[0, 1]])
        file["track_occupancy"] = np.array([[1, 1], [1, 0], [1, 1]], np.uint8)
        file["point_scores"] = np.full((2, 2, 3), 0.8)
        file["instance_scores"] = np.full((2, 3), 0.9)
        file["tracking_scores"] = np.full((2, 3), 0.7)
        file["labels_path"], file["video_path"] = "a.slp", "a.mp4"
        file["video_ind"], file["provenance"] = 0, "{}"
    return path


def analysis_values(path: Path, individual: str | None) -> Values:
    """x of the nose and its score in frame 0."""
    tracks = semiology.read_tracks(path, fps=25, individual=individual)
    return {"x": x_of(tracks, "nose"), "score": float(tracks["confidence"].values[0, 0])}


@case(OTHERS, "SLEAP's analysis .csv of two tracks", x=[110, NAN, 112], score=0.8)
def _(folder: Path) -> Values:
    path = folder / "a.analysis.csv"
    head = "track,frame_idx,instance.score,nose.x,nose.y,nose.score"
    rows = ["carer,0,0.9,500,350,0.8", "patient,0,0.9,110,350,0.8", "carer,1,0.9,500,350,0.8"]
    rows += ["carer,2,0.9,500,350,0.8", "patient,2,0.9,112,350,0.8"]
    path.write_text("\n".join([head, *rows]))
    return analysis_values(path, "patient")


@case(CELLS, "DeepLabCut csv whose rows begin at frame 500", first=20.0, last=20.08)
def _(folder: Path) -> Values:
    rows = [f"{n},430,350,.9" for n in (500, 501, 502)]
    return times_of(semiology.read_tracks(dlc_csv(folder / "a.csv", ["nose"], rows), fps=25))
