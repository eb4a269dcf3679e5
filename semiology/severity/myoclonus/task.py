"""How a functional test was performed: how smooth its movements were and how long they took."""

from typing import Annotated

import numpy as np
import xarray as xr
from pydantic import BaseModel, BeforeValidator, ConfigDict

from semiology.severity.kinematics import highest_cutoff, path_length, sparc, speed, unbroken_runs
from semiology.severity.kinematics.derivatives import CUTOFF
from semiology.severity.kinematics.segments import positions_of

STILL = 0.1  # torso lengths / s, about 5 cm/s: below it a hand is at rest [our choice]
SHARE = 0.05  # of the 95th percentile of the hand's speed, below which it pauses; 0.1 would cut off so much that SPARC tells [our choice]
FOLLOWED = 0.5  # share of the clip in which the hand has to be seen, or nothing is said of its movements [our choice]
SHORTEST = 0.4  # s of a movement; what is shorter is a jerk of a hand at rest [our choice]

Figure = Annotated[float, BeforeValidator(lambda value: np.nan if value is None else value)]  # JSON has no NaN: it is null there


class Task(BaseModel):
    """What the hand that moved more did; without figures where it was not followed. A movement that a gap cuts off is not counted.

    Attributes:
        side: that hand's, "left" or "right"; "" where neither was in view.
        seconds: from the first movement's beginning to the last one's end.
        movements: how many.
        movement_seconds: their median length, s.
        sparc: their median spectral arc length; nearer to 0 is smoother.
    """

    model_config = ConfigDict(frozen=True)

    side: str = ""
    seconds: Figure = np.nan
    movements: int = 0
    movement_seconds: Figure = np.nan
    sparc: Figure = np.nan


def perform(tracks: xr.Dataset) -> Task:
    """The movements of the hand that went the longer way. Tracks without wrists give a task without figures."""
    fps, names = float(tracks.attrs["fps"]), tracks.keypoint.values.tolist()
    positions, torso = positions_of(tracks, "torso")
    wrists = {side: positions[:, names.index(f"{side}_wrist")] / torso for side in ("left", "right") if f"{side}_wrist" in names}
    ways = {side: way for side, wrist in wrists.items() if np.isfinite(way := path_length(wrist))}
    if not ways:
        return Task()
    side = max(ways, key=lambda name: ways[name])
    fast = speed(wrists[side], fps, min(CUTOFF, highest_cutoff(1, fps)))
    known = np.isfinite(fast)
    if known.mean() < FOLLOWED:
        return Task(side=side)
    moving = fast > max(STILL, SHARE * float(np.nanpercentile(fast, 95)))
    whole = [run for run in unbroken_runs(moving) if run.start and known[run.start - 1] and known[run.stop : run.stop + 1].all()]
    runs = [run for run in whole if run.stop - run.start >= SHORTEST * fps]
    if not runs:
        return Task(side=side)
    return Task(
        side=side,
        seconds=(runs[-1].stop - runs[0].start) / fps,
        movements=len(runs),
        movement_seconds=float(np.median([run.stop - run.start for run in runs])) / fps,
        sparc=float(np.nanmedian([sparc(fast[run], fps) for run in runs])),
    )
