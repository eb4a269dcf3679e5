"""The phantom's jerks of one amplitude at a time, as three kinds of tracks: the truth, truth with a
tracker's errors, rendered and tracked.

Used by the benchmark of myoclonus; every folder is made once, under runs/myoclonus/.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from semiology.data.cohort import Cohort
from semiology.data.store import Store
from semiology.data.tracks import read_tracks
from semiology.phantom import make_myoclonus
from semiology.severity.jerks import Jerk, read_jerks
from semiology.severity.kinematics import segment_of
from semiology.tracking.extraction import ExtractOptions, extract_cohort

RUN = Path("runs/myoclonus")
AMPLITUDES = (0.005, 0.01, 0.02, 0.03, 0.05, 0.10)  # torso lengths
RENDERED = (0.01, 0.02, 0.05, 0.10)
RATE = 30.0  # jerks a minute
# px; the default backend's tracks of the phantom without jerks are as rough: docs/phantom.md.
# Torsos are about 100 px long
NOISE = 0.2
SEED = 600
KINDS = ("truth", "noise", "rendered")
PEOPLE = {"truth": 12, "noise": 12, "rendered": 4}
SECONDS = {
    "truth": 40.0,
    "noise": 40.0,
    "rendered": 20.0,
}  # of a clip; each person is seen at rest and in action


@dataclass(frozen=True)
class Input:
    """A clip's tracks and the truth: the jerks as they were drawn, and every joint that they carry
    off.
    """

    panel: str
    tracks: xr.Dataset
    named: set[tuple[str, float]]  # part of the body and peak (s)
    carried: list[Jerk]
    minutes: float


def inputs(kind: str, amplitude: float | None) -> list[Input]:
    """Clips of people whose jerks all have one amplitude (torso lengths), or of the same people
    without any (None).
    """
    folder = RUN / kind / ("none" if amplitude is None else f"{amplitude:g}")
    jerks = (
        {"controls": 1.0}
        if amplitude is None
        else {"controls": 0.0, "amplitude": amplitude, "rate": RATE}
    )
    how = {
        "render": kind == "rendered",
        "noise": NOISE if kind == "noise" else 0.0,
        "progress": False,
    }
    out = make_myoclonus(
        folder / "cohort",
        subjects=PEOPLE[kind],
        visits=1,
        seconds=SECONDS[kind],
        seed=SEED,
        **jerks,
        **how,
    )
    cohort = Cohort.read(out)
    if kind == "rendered":
        extract_cohort(cohort, folder / "store", options=ExtractOptions())
    found = []
    for clip in cohort.clips:
        tracks = (
            Store(folder / "store").tracks(clip.clip_id, "body")
            if kind == "rendered"
            else read_tracks(out / clip.tracks)
        )
        recipe = json.loads((out / f"truth/{clip.clip_id}.json").read_text())
        named = {(segment_of(jerk["joint"]), round(jerk["peak"], 4)) for jerk in recipe["jerks"]}
        carried = read_jerks(out / f"truth/{clip.clip_id}_jerks.tsv")
        found.append(
            Input(
                clip.covariates["panel"],
                tracks,
                named,
                carried,
                recipe["frames"] / recipe["fps"] / 60,
            )
        )
    return found
