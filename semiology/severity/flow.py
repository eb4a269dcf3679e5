"""Measures of movement without a skeleton, from optical flow by region (`semiology.tracking.flow`):
rhythm, side difference, episodes of movement, clonic rate and jerks.

Lengths are in sides of the patient's box (its longer one, some three torso lengths of a lying
body), because a hidden body has no torso to measure: what a blanket shows of a limb's path is less
than its path. Times and frequencies need no such unit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from semiology.data.cohort.table import by_cell, to_cell
from semiology.data.events import Event, write_events
from semiology.data.preprocessing import unbroken_runs
from semiology.data.store import Store, box_side, clip_of, read_flow
from semiology.errors import UserError
from semiology.files import begin_folder, write_text
from semiology.severity.jerks.detection import (
    are_jerks,
    band_limited,
    candidates,
    cutoff_at,
    noise_without_jerks,
    separate_jerks,
)
from semiology.severity.jerks.jerk import Jerk, JerkSettings
from semiology.severity.jerks.shape import measure_shapes
from semiology.severity.jerks.table import write_jerks
from semiology.severity.kinematics import rhythm
from semiology.tracking.flow import seen

# torso lengths in a box side, in which jerks are detected: a body is some three torsos long and
# wide (Drillis and Contini 1966: the torso is 0.29 of the height) [our choice]
TORSOS = 3.0
FASTEST = 8.0  # Hz, of a clonic rate; faster is a tremor [our choice]
LAG = 0.55  # of a window: the longest period that is looked for [our choice]
# of the highest peak: the first peak as high is the period, later ones are multiples; chosen on two
# phantom people [our choice]
FIRST = 0.5
KNOWN = 0.8  # fraction of a window's frames that has to be measured [our choice]
SIDES = {"arms": ("left_arm", "right_arm"), "legs": ("left_leg", "right_leg")}


@dataclass(frozen=True)
class FlowSettings:
    """Settings of the measures. All defaults are our choice.

    Attributes:
        window: s, in which a clonic rate is measured; the slowest is 1 / (0.55 windows).
        step: s from one window to the next.
        regular: autocorrelation at the period, 0 to 1, from which a movement is rhythmic.
        moving: box sides a second, root mean square over the box and over a second, from which the
            patient moves. Sensor noise makes some 0.02.
        shortest: s, of an episode of movement.
        apart: s; episodes nearer to each other are one.

    Raises:
        UserError: a value that is not positive; `regular` above 1.
    """

    window: float = 3.0
    step: float = 0.5
    regular: float = 0.2
    moving: float = 0.06
    shortest: float = 1.0
    apart: float = 1.0

    def __post_init__(self) -> None:
        for each in fields(self):
            if not getattr(self, each.name) > 0:
                raise UserError(
                    f"flow: {each.name}={getattr(self, each.name):g}; give a number above 0"
                )
        if self.regular > 1:
            raise UserError(f"flow: regular={self.regular:g}; give a number above 0, at most 1")


def grid_of(flow: xr.Dataset) -> xr.Dataset:
    """The cells of the grid alone."""
    return flow.isel(region=[name.startswith("grid_") for name in flow["region"].values])


def velocities(flow: xr.Dataset) -> NDArray:
    """(time, region, 2) mean velocity in box sides a second, NaN where nothing was measured."""
    values = flow["velocity"].transpose("time", "region", "space").values.astype(float)
    return values / box_side(flow)


def paths(flow: xr.Dataset) -> NDArray:
    """(time, region, 2) the velocity added up over time, in box sides from the start: how far the
    surface in a region has moved; NaN where it was not measured.

    Only differences over short times mean anything: errors add up too.
    """
    velocity = velocities(flow)
    path = np.cumsum(np.nan_to_num(velocity), axis=0) / float(flow.attrs["fps"])
    return np.where(np.isfinite(velocity), path, np.nan)


def flow_table(flow: xr.Dataset) -> pd.DataFrame:
    """Measures of each region, a row each. Columns:

    - region, side: its name; the patient's side, "n/a" where it has none.
    - share: fraction of the frames in which it was measured.
    - speed, speed_peak: median and 95th percentile of the root mean square speed, box sides/s.
    - frequency: Hz, maximum of the spectrum of its path, 0.5 to 12 Hz; NaN for a drift.
    - prominence: share of that range's power within 0.25 Hz of the frequency, 0 to 1.
    - amplitude: of the sine of that range's power, box sides (`kinematics.rhythm`).
    - difference: of the energies of left and right, (left - right) / (left + right), -1 to 1; the
      same in both rows of a pair, over the frames in which both were measured.
    """
    speed = np.sqrt(flow["energy"].transpose("time", "region").values) / box_side(flow)
    path, names = paths(flow), flow["region"].values.tolist()
    differences = side_differences(flow)
    rows = []
    for column, name in enumerate(names):
        known = speed[np.isfinite(speed[:, column]), column]
        beat = rhythm(path[:, column], float(flow.attrs["fps"]))
        side, _, pair = name.partition("_")
        rows.append(
            {
                "region": name,
                "side": side if side in ("left", "right") else "n/a",
                "share": len(known) / len(speed) if len(speed) else 0.0,
                "speed": float(np.median(known)) if len(known) else np.nan,
                "speed_peak": float(np.percentile(known, 95)) if len(known) else np.nan,
                "frequency": beat.frequency,
                "prominence": beat.prominence,
                "amplitude": beat.amplitude,
                "difference": differences.get(f"{pair}s", np.nan),
            }
        )
    return pd.DataFrame(rows)


def side_differences(flow: xr.Dataset) -> dict[str, float]:
    """ "arms", "legs" and "image" -> (left - right) / (left + right) of the mean energies, -1 to 1;
    NaN where one of them was never measured.

    Arms and legs are the patient's own. "image" compares the columns of the grid left and right of
    the middle of the patient's box as the image shows them: where the patient faces the camera, the
    image's left is the patient's right.
    """
    energy = flow["energy"].transpose("time", "region")
    result = {
        pair: _difference(*(energy.sel(region=name).values for name in names))
        for pair, names in SIDES.items()
    }
    cells = [name for name in flow["region"].values.tolist() if name.startswith("grid_")]
    columns = max(int(name.split("_")[2]) for name in cells)
    halves = [
        energy.sel(
            region=[name for name in cells if (int(name.split("_")[2]) <= columns / 2) == first]
        )
        .mean("region")
        .values
        for first in (True, False)
    ]
    return result | {"image": _difference(*halves)}


def _difference(left: NDArray, right: NDArray) -> float:
    both = np.isfinite(left) & np.isfinite(right)
    if not both.any() or not (total := left[both].mean() + right[both].mean()) > 0:
        return float("nan")
    return float((left[both].mean() - right[both].mean()) / total)


def movement(flow: xr.Dataset) -> NDArray:
    """(time,) how much the patient moves: root mean square speed over the grid and over a second,
    box sides/s; NaN where less than half of that second was measured.
    """
    energy = grid_of(flow)["energy"].transpose("time", "region").values.astype(float)
    known = np.isfinite(energy).any(axis=1)
    still = np.where(np.isfinite(energy), energy, 0.0)
    # a cell without texture is measured nowhere, and takes no part
    cells = max(int(np.isfinite(energy).any(axis=0).sum()), 1)
    second = np.ones(round(float(flow.attrs["fps"])) // 2 * 2 + 1)
    total = np.convolve(still.sum(axis=1) / cells, second, "same")
    count = np.convolve(known.astype(float), second, "same")
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.sqrt(total / count) / box_side(flow)
    return np.where(count >= len(second) / 2, mean, np.nan)


def episodes(flow: xr.Dataset, settings: FlowSettings | None = None) -> list[Event]:
    """Episodes of movement ("movement"), with onset and duration in s from the clip's start."""
    settings = settings or FlowSettings()
    fps = float(flow.attrs["fps"])
    with np.errstate(invalid="ignore"):
        runs = unbroken_runs(movement(flow) >= settings.moving)
    joined: list[list[int]] = []
    for run in runs:
        if joined and run.start - joined[-1][1] < settings.apart * fps:
            joined[-1][1] = run.stop
        else:
            joined.append([run.start, run.stop])
    return [
        Event(start / fps, (stop - start) / fps, "movement")
        for start, stop in joined
        if stop - start >= settings.shortest * fps
    ]


def beat(velocity: NDArray, fps: float) -> tuple[float, float]:
    """Rate (Hz) and regularity (0 to 1) of a movement that repeats itself: the first high peak of
    the autocorrelation of the velocities (time, ...), summed over all of them. Above 8 Hz the rate
    is NaN.

    The sign of a velocity is kept, so that a jerk forth and back is one beat. (NaN, 0) where
    nothing repeats. [our choice; the spectrum's maximum is a multiple of the rate where jerks are
    briefer than the pauses between them]
    """
    signal = velocity.reshape(len(velocity), -1)
    known = np.isfinite(signal).any(axis=1)
    if known.mean() < KNOWN:
        return float("nan"), 0.0
    signal = np.nan_to_num(signal - np.nanmean(signal[known], axis=0))
    frames = len(signal)
    if not (squares := (signal**2).sum(axis=1)).any():
        return float("nan"), 0.0
    power = (np.abs(np.fft.rfft(signal, 2 * frames, axis=0)) ** 2).sum(axis=1)
    first = np.cumsum(squares)[::-1]  # of the frames that have one so many frames later, by lag
    last = np.cumsum(squares[::-1])[::-1]
    together = np.fft.irfft(power)[:frames] / np.sqrt(np.maximum(first * last, 1e-12))
    lags = np.arange(2, min(int(LAG * frames), frames - 2) + 1)
    top = (together[lags] >= together[lags - 1]) & (together[lags] > together[lags + 1])
    peaks = lags[top & (together[lags] > 0)]
    if not len(peaks):
        return float("nan"), 0.0
    highest = float(together[peaks].max())
    lag = int(peaks[together[peaks] >= FIRST * highest][0])
    before, at, after = together[lag - 1 : lag + 2]
    rate = fps / (lag + (before - after) / (2 * (before - 2 * at + after)))
    return rate if rate <= FASTEST else float("nan"), highest


def clonic_rate(flow: xr.Dataset, settings: FlowSettings | None = None) -> pd.DataFrame:
    """Rate of rhythmic movement over time, by windows of the grid. Columns:

    - time: s, middle of the window.
    - rate: Hz; NaN where the movement is too small or not regular.
    - regularity: autocorrelation at the period, 0 to 1.
    - speed: root mean square over window and grid, box sides/s.
    """
    settings = settings or FlowSettings()
    grid = grid_of(flow)
    velocity, fps = velocities(grid), float(flow.attrs["fps"])
    energy = grid["energy"].transpose("time", "region").values / box_side(flow) ** 2
    frames, step = round(settings.window * fps), max(round(settings.step * fps), 1)
    rows = []
    for start in range(0, len(velocity) - frames + 1, step):
        piece = slice(start, start + frames)
        rate, regularity = beat(velocity[piece], fps)
        known = energy[piece][np.isfinite(energy[piece])]
        speed = float(np.sqrt(known.mean())) if len(known) else np.nan
        if not (regularity >= settings.regular and speed >= settings.moving / 2):
            rate = np.nan
        rows.append(
            {
                "time": (start + frames / 2) / fps,
                "rate": rate,
                "regularity": regularity,
                "speed": speed,
            }
        )
    return pd.DataFrame(rows, columns=["time", "rate", "regularity", "speed"])


def flow_jerks(
    flow: xr.Dataset, settings: JerkSettings | None = None, regions: Sequence[str] | None = None
) -> list[Jerk]:
    """Jerks of the surface in each region, by the detection of `jerks.find_jerks` on the region's
    path; `joint` is the region. Amplitudes are in thirds of a box side (`TORSOS`), and of what the
    surface shows; `jerks.synchronous` groups them into events.

    Args:
        flow: movement by region.
        settings: thresholds and filters; by default `JerkSettings()`.
        regions: by default the cells of the grid.

    Raises:
        UserError: fewer than 15 frames a second, no such region.
    """
    settings = settings or JerkSettings()
    held = flow["region"].values.tolist()
    names = list(regions) if regions else [name for name in held if name.startswith("grid_")]
    if lacking := [name for name in names if name not in held]:
        raise UserError(f"flow: no region {lacking[0]}; there are {', '.join(held)}")
    fps = float(flow.attrs["fps"])
    cutoff = cutoff_at(fps, settings.cutoff)
    positions = TORSOS * paths(flow.sel(region=names))
    brief, mean = band_limited(positions, fps, cutoff)
    _, level = noise_without_jerks(positions, brief, mean, fps, cutoff, settings)
    frames, rows = candidates(brief, mean, level, fps, settings)
    shapes = measure_shapes(positions, fps, frames, rows, settings.longest)
    genuine = are_jerks(shapes, settings)
    return separate_jerks(shapes, names, rows, (brief / level)[frames, rows], genuine)


@dataclass
class FlowSummary:
    """Result of `measure_flow`.

    Attributes:
        measured: clips that were measured.
        failed: clip_id -> reason.
        episodes: number of episodes of movement in all clips.
    """

    measured: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    episodes: int = 0

    def text(self) -> str:
        """The summary as lines for a terminal."""
        lines = [f"measured {len(self.measured)} clips: {self.episodes} episodes of movement"]
        return "\n".join([*lines, *(f"failed: {name}: {why}" for name, why in self.failed.items())])


def measure_flow(
    source: str | Path, out: str | Path, settings: FlowSettings | None = None
) -> FlowSummary:
    """Measure the movement by region of one clip, or of all clips of a store. A clip that cannot be
    measured is listed, and the others go on.

    Writes OUT/clips.tsv (how much of the body was seen by pose and by flow alone, as
    `tracking.flow.seen`, and `side_differences`), regions.tsv (`flow_table`), rates.tsv
    (`clonic_rate`), and for each clip OUT/<clip_id>_events.tsv (`episodes`) and
    OUT/<clip_id>_jerks.tsv (`flow_jerks`).

    Args:
        source: a file flow.nc, or a folder that `semiology extract --flow true` filled.
        out: folder of the tables.

    Raises:
        UserError: no such file or folder, no clip with movement by region; `out` cannot be written.
    """
    source, out, summary = Path(source), Path(out), FlowSummary()
    store = Store(source)
    clips = {clip_of(source): source} if source.is_file() else {}
    for record in sorted(source.glob("*/record.json")):
        clip_id = record.parent.name
        if store.has(clip_id, "flow"):
            clips[clip_id] = store.path(clip_id, "flow")
    if not clips:
        raise UserError(
            f"{source}: holds no movement by region; make it by semiology extract --flow true"
        )
    begin_folder(out)
    tables: dict[str, list[pd.DataFrame]] = {"clips": [], "regions": [], "rates": []}
    for clip_id, path in clips.items():
        try:
            flow = read_flow(path)
            found, jerks = episodes(flow, settings), flow_jerks(flow)
            ways = {f"seen_by_{way}": share for way, share in seen(flow).items()}
            clip = pd.DataFrame([ways | side_differences(flow)])
            measures = (clip, flow_table(flow), clonic_rate(flow, settings))
        except UserError as error:
            summary.failed[clip_id] = str(error)
            continue
        for rows, table in zip(tables.values(), measures):
            rows.append(table.assign(clip_id=clip_id)[["clip_id", *table.columns]])
        write_events(
            out / f"{clip_id}_events.tsv", found, flow.sizes["time"] / float(flow.attrs["fps"])
        )
        write_jerks(out / f"{clip_id}_jerks.tsv", jerks)
        summary.measured.append(clip_id)
        summary.episodes += len(found)
    for name, rows in tables.items():
        if rows:
            table = by_cell(pd.concat(rows, ignore_index=True), to_cell)
            write_text(
                out / f"{name}.tsv",
                table.to_csv(sep="\t", index=False, float_format="%.5g", na_rep="n/a"),
            )
    return summary
