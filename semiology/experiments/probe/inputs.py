"""What a stream reads, summed up clip by clip: the layer below the first, against which the others are judged."""

from typing import Literal

import numpy as np
import pandas as pd

from semiology.errors import UserError
from semiology.experiments.probe.features import Features
from semiology.models.training.clips import ClipData, ClipSource
from semiology.models.training.summary import summaries

AXES = ("x", "y", "z")


def input_features(
    source: ClipSource, what: Literal["joints", "appearance"] = "joints", per: Literal["clip", "frame"] = "clip"
) -> Features:
    """Features of the raw input.

    Per clip, of each joint's coordinate (body units): `mean`, `spread` (standard deviation), `least`, `greatest` over the frames in which
    it was seen, and `speed`, the mean absolute change from frame to frame times the rate (body units / s); of each appearance feature the
    mean and the spread. NaN where it was never seen. Per frame: the coordinates, or the appearance features, themselves; of snippets a row
    at each one's start. The choice of summaries is ours.

    Args:
        source: the clips and how they are read.
        what: "joints", or "appearance" where the reading names appearance features.
        per: "clip" or "frame".

    Raises:
        UserError: appearance is asked for and the reading names none; joints of the part "frame", which has none.
    """
    if what == "joints" and source.reading.part == "frame":
        raise UserError(f"{source.cohort}: the whole picture is read, without joints; ask for appearance")
    if what == "appearance" and source.reading.appearance is None:
        raise UserError(f"{source.cohort}: the reading names no appearance features; set its `appearance`, or ask for joints")
    rows = [row for clip in source.clips for row in _rows(clip, source, what, per)]
    return Features("input", pd.DataFrame(rows), "nobody")


def _rows(clip: ClipData, source: ClipSource, what: str, per: str) -> list[dict]:
    reading, keys = source.reading, {"clip_id": clip.clip_id, "participant_id": clip.participant_id}
    if what == "joints":
        names = [f"{joint}.{axis}" for joint in reading.graph.names for axis in AXES[: clip.joints.shape[2]]]
        series = clip.joints.reshape(len(clip.joints), -1).astype(float)  # (time, joint * space)
    else:
        assert clip.appearance is not None
        names = [f"{reading.appearance}.{number}" for number in range(clip.appearance.shape[1])]
        series = clip.appearance.astype(float)
        if clip.held is not None:
            series = np.where(clip.held[:, None] >= 0, series[clip.held], np.nan)
    if per == "frame":
        frames = np.arange(len(series)) if clip.starts is None or what == "joints" else clip.starts
        return [{**keys, "window": 0, "time": frame / reading.rate, **dict(zip(names, row))} for frame, row in zip(frames.tolist(), series)]
    kinds = ("mean", "spread", "least", "greatest", "speed") if what == "joints" else ("mean", "spread")
    summed = summaries(series, reading.rate)
    return [{**keys, **{f"{name}.{kind}": value for kind in kinds for name, value in zip(names, summed[kind])}}]
