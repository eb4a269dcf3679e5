"""The side of movement in `movement_exchange`, run by an environment that has movement and not this
package.

    python in_movement.py OURS THEIRS FPS

Everything in OURS is loaded and validated, and saved to THEIRS by movement's own means. Prints one
JSON object: versions, what falls short in each file, and what movement does with points without a
score.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import xarray as xr
from movement.filtering import filter_by_confidence
from movement.io import load_poses, save_poses
from movement.kinematics import compute_velocity
from movement.validators.datasets import ValidPosesInputs


def main(ours: Path, theirs: Path, fps: float) -> dict:
    report: dict = {
        "movement": version("movement"),
        "numpy": version("numpy"),
        "xarray": version("xarray"),
        "faults": {},
    }
    for path in sorted(ours.iterdir()):
        try:
            data = load(path, fps)
            report["faults"][path.name] = faults(data, path)
            data.to_netcdf(theirs / f"{path.name}.nc")
            if path.suffix == ".nc":
                save_poses.to_dlc_file(data, theirs / f"{path.name}.csv", split_individuals=False)
                individual_wise(data).to_netcdf(theirs / f"{path.name}.individual.nc")
                for name, cut in cuts(data).items():
                    cut.to_netcdf(theirs / f"{path.name}.{name}.nc")
        except Exception as error:  # whatever it is, it is what a user of movement would meet
            report["faults"][path.name] = [f"{type(error).__name__}: {error}"]
    report["without a score"] = without_a_score()
    return report


def load(path: Path, fps: float) -> xr.Dataset:
    if path.suffix == ".nc":
        return xr.load_dataset(path)  # how movement's documentation loads its netCDF files
    return (load_poses.from_sleap_file if path.suffix == ".slp" else load_poses.from_dlc_file)(
        path, fps=fps
    )


def faults(data: xr.Dataset, path: Path) -> list[str]:
    """What keeps a dataset from being one that movement could have made itself."""
    ValidPosesInputs.validate(data)
    made = ValidPosesInputs(
        position_array=data.position.values,
        confidence_array=data.confidence.values,
        individual_names=data.individual.values.tolist(),
        keypoint_names=data.keypoint.values.tolist(),
        fps=float(data.attrs["fps"]),
        source_software=data.attrs["source_software"],
    ).to_dataset()
    short = [
        f"attribute {name}" for name, value in made.attrs.items() if data.attrs.get(name) != value
    ]
    short += [] if made.equals(data) else ["not equal to what movement makes of the same arrays"]
    short += (
        [] if data.position.dims == made.position.dims else [f"dimensions {data.position.dims}"]
    )
    speed = compute_velocity(data.position)
    short += [] if speed.sizes == data.position.sizes else ["no velocity"]
    return short


def individual_wise(data: xr.Dataset) -> xr.Dataset:
    """The same poses with one score for an individual in a frame, which movement takes since
    0.17.0.
    """
    score = np.linspace(0.1, 1, data.sizes["time"])[:, None]
    ValidPosesInputs(position_array=data.position.values, confidence_array=score)
    return data.assign(confidence=(("time", "individual"), score))


def cuts(data: xr.Dataset) -> dict[str, xr.Dataset]:
    """Parts of a dataset, as movement's users take them: their times stay those of the whole."""
    middle = data.time.values[data.sizes["time"] // 2]
    frames = data.assign_coords(time=np.arange(data.sizes["time"]))
    frames.attrs = {**data.attrs, "time_unit": "frames"}
    del frames.attrs["fps"]
    return {
        "late": data.sel(time=slice(middle, None)),
        "second": data.isel(time=slice(None, None, 2)),
        "frames": frames.isel(time=slice(3, None)),
    }


def without_a_score() -> str:
    data = ValidPosesInputs(position_array=np.ones((2, 2, 1, 1)), fps=25.0).to_dataset()
    kept = filter_by_confidence(data.position, data.confidence, threshold=0.6, print_report=False)
    return "kept" if np.isfinite(kept).all() else "dropped by filter_by_confidence"


if __name__ == "__main__":
    json.dump(main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])), sys.stdout)
