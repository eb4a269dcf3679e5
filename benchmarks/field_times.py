"""Cases of `field_files`: times, and numbers and files without bounds."""

import json
from pathlib import Path

import numpy as np
import xarray as xr
from field_case import Values, case
from field_missing import cohort_of_tracks, dlc_csv, found_times, movement_file, x_of

import semiology

TIME = "time"
BOUNDS = "bounds"
HUGE = r"4000000000|4e\+09"

# --- nothing closed up, stretched or shifted ---


@case(TIME, "movement: a cut of 10 to 20 s", first=10.0, last=19.96, rate=25.0)
def _(folder: Path) -> Values:
    time = 10 + np.arange(250) / 25
    path = movement_file(folder, time, range(250), fps=25.0, time_unit="seconds")
    return times_of(semiology.read_tracks(path))


def times_of(tracks: xr.Dataset) -> Values:
    """First and last time of a position in s, and the rate in Hz."""
    time = found_times(tracks)
    return {"first": float(time[0]), "last": float(time[-1]), "rate": tracks.attrs["fps"]}


@case(TIME, "movement: every second frame of 50 Hz", first=0.0, last=9.96, count=250)
def _(folder: Path) -> Values:
    time = np.arange(250) / 25
    path = movement_file(folder, time, range(250), fps=50.0, time_unit="seconds")
    tracks = semiology.read_tracks(path)
    return {**times_of(tracks), "count": len(found_times(tracks))}


@case(TIME, "movement: the same, movement of 1 Hz", hertz=1.0)
def _(folder: Path) -> Values:
    time = np.arange(250) / 25
    path = movement_file(folder, time, 430 + 50 * np.sin(2 * np.pi * time), fps=50.0)
    tracks = semiology.preprocess(semiology.read_tracks(path), longest_gap=0.2)
    x, seconds = x_of(tracks) - 430, tracks["time"].values
    rises = seconds[1:][(x[:-1] < 0) & (x[1:] >= 0)]
    return {"hertz": 1 / float(np.median(np.diff(rises)))}


@case(TIME, "movement: frames 500 to 999, 25 Hz given", first=20.0, last=39.96, rate=25.0)
def _(folder: Path) -> Values:
    path = movement_file(folder, np.arange(500, 1000), range(500), time_unit="frames")
    return times_of(semiology.read_tracks(path, fps=25))


@case(TIME, "movement: 25 Hz given against 50 in the file", refused=r"25.*50|50.*25")
def _(folder: Path) -> Values:
    path = movement_file(folder, np.arange(500) / 50, range(500), fps=50.0, time_unit="seconds")
    return times_of(semiology.read_tracks(path, fps=25))


@case(TIME, "movement: seconds without an attribute fps", first=0.0, last=9.9667, rate=30.0)
def _(folder: Path) -> Values:
    path = movement_file(folder, np.arange(300) / 30, range(300), time_unit="seconds")
    return times_of(semiology.read_tracks(path))


@case(TIME, "movement: a gap of 2 s in its times", first=0.0, last=7.96, row=150)
def _(folder: Path) -> Values:
    time = np.concatenate([np.arange(75), np.arange(125, 200)]) / 25
    path = movement_file(folder, time, range(150), fps=25.0, time_unit="seconds")
    tracks = semiology.read_tracks(path)
    return {**times_of(tracks), "row": int(np.flatnonzero(x_of(tracks) == 100)[0])}


for rate in (30.0, 30000 / 1001, 60.0, 24000 / 1001, 25.0, 50.0):

    @case(TIME, f"long csv, {rate:.5g} Hz, times in whole ms", rate=rate, last=299 / rate)
    def _(folder: Path, rate: float = rate) -> Values:
        path = folder / "a.csv"
        rows = [f"{round(n / rate, 3):.3f},nose,{400 + n},350,.9" for n in range(300)]
        path.write_text("\n".join(["time,keypoint,x,y,confidence", *rows]))
        read = times_of(semiology.read_tracks(path))
        # from first to last: each may be half a ms off
        off = abs(read["rate"] - rate) <= rate * 0.001 / (299 / rate)
        return {"rate": rate if off else read["rate"], "last": round(read["last"], 3)}


@case(TIME, "long csv with Unix time stamps", refused="row 2.*(start|unix|epoch|begin)")
def _(folder: Path) -> Values:
    path = folder / "a.csv"
    rows = [f"{1_700_000_000 + n / 25:.2f},nose,430,350,.9" for n in range(100)]
    path.write_text("\n".join(["time,keypoint,x,y,confidence", *rows]))
    return times_of(semiology.read_tracks(path))


# --- bounds ---


@case(
    BOUNDS, "long csv: one frame number of 4,000,000,000", refused=r"row 3\D.*(4000000000|4e\+09)"
)
def _(folder: Path) -> Values:
    path = folder / "a.csv"
    path.write_text("frame,keypoint,x,y\n0,nose,430,350\n4000000000,nose,430,350\n")
    return {"frames": semiology.read_tracks(path, fps=25).sizes["time"]}


@case(BOUNDS, "DeepLabCut csv: one frame number of 4,000,000,000", refused=HUGE)
def _(folder: Path) -> Values:
    path = dlc_csv(folder / "a.csv", ["nose"], ["0,430,350,.9", "4000000000,430,350,.9"])
    return {"frames": semiology.read_tracks(path, fps=25).sizes["time"]}


@case(BOUNDS, "COCO: an image named 4000000000.png", refused=HUGE)
def _(folder: Path) -> Values:
    path = folder / "a.json"
    images = [{"id": n, "file_name": f"{name}.png"} for n, name in enumerate(("1", "4000000000"))]
    marks = [{"image_id": n, "category_id": 1, "keypoints": [430, 350, 2]} for n in range(2)]
    people = [{"id": 1, "name": "person", "keypoints": ["nose"]}]
    path.write_text(json.dumps({"images": images, "annotations": marks, "categories": people}))
    return {"frames": semiology.read_tracks(path, fps=25).sizes["time"]}


for form in ("coco", "openpose"):

    @case(BOUNDS, f"JSON 200,000 brackets deep, as {form}", refused="json")
    def _(folder: Path, form: str = form) -> Values:
        path = folder / ("a.json" if form == "coco" else "a_000000000000_keypoints.json")
        path.write_text("[" * 200_000 + "]" * 200_000)
        source = path if form == "coco" else folder
        return {"frames": semiology.read_tracks(source, format=form, fps=25).sizes["time"]}


@case(BOUNDS, "names in YAML 100,000 brackets deep", refused="yaml|names")
def _(folder: Path) -> Values:
    path = dlc_csv(folder / "a.csv", ["nose"], ["0,430,350,.9"])
    names = folder / "names.yaml"
    names.write_text("nose: " + "[" * 100_000 + "]" * 100_000)
    return {"frames": semiology.read_tracks(path, fps=25, names=names).sizes["time"]}


@case(BOUNDS, "YAML whose aliases multiply to 10 to the 9", refused="alias")
def _(folder: Path) -> Values:
    path = dlc_csv(folder / "a.csv", ["nose"], ["0,430,350,.9"])
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    for one, other in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{other}: &{other} [{', '.join([f'*{one}'] * 10)}]")
    names = folder / "names.yaml"
    names.write_text("\n".join(lines))
    return {"frames": semiology.read_tracks(path, fps=25, names=names).sizes["time"]}


@case(BOUNDS, "events find: a window that ends at 1e300 s", refused=r"row 3\D.*1e\+300")
def _(folder: Path) -> Values:
    path = folder / "timeline.csv"
    rows = ["dystonia,present,0,1,0.9", "dystonia,present,1,1e300,0.9"]
    path.write_text("\n".join(["task,level,start,end,probability", *rows]))
    return {"events": len(semiology.find_events(path, out=folder / "out").events)}


for fault in ("frame rate NaN", "time reversed"):

    @case(BOUNDS, f"cohort check of tracks: {fault}", ok=False, refused="fps|frame rate|time")
    def _(folder: Path, fault: str = fault) -> Values:
        path = cohort_of_tracks(folder) / "a.nc"
        tracks = xr.load_dataset(path)
        if fault == "frame rate NaN":
            tracks.attrs["fps"] = float("nan")
        else:
            tracks = tracks.assign_coords(time=tracks["time"].values[::-1])
        tracks.to_netcdf(path)
        return {"ok": semiology.check_cohort(folder).ok}
