"""Figures: a timeline, with the probability of each sign over time, detected and annotated events,
and the time that is not assessable; and alarm curves.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from semiology.data.events import Event
from semiology.errors import UserError
from semiology.evaluation.report.plots import line_options, new_figure, save_figure
from semiology.timeline.events.hysteresis import Hysteresis

COLUMNS = 1500  # that the probabilities of long recordings are thinned to: about one a pixel
# of Okabe and Ito: distinct in the usual colour-vision deficiencies
BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#d9d9d9"
ROWS = 40  # signs at most
STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800)  # s, between ticks
HOURS = (3600, 7200, 4 * 3600, 12 * 3600, 86400)


def draw_timeline(
    path: str | Path,
    windows: Mapping[str, np.ndarray],
    events: Mapping[str, Sequence[Event]],
    duration: float,
    truth: Mapping[str, Sequence[Event]] | None = None,
    thresholds: Mapping[str, Hysteresis] | None = None,
    title: str = "",
) -> None:
    """Draw one row per sign: its probability, grey where it is not assessable, and bars for
    detected and annotated events.

    A recording of more windows than the figure has columns is thinned: each column is a band from
    the lowest to the highest probability in it, so that short peaks stay visible.

    Args:
        path: of the figure (.png, .svg, .pdf).
        windows: name of a sign -> (window, 3) start s, end s, probability, NaN where not
            assessable.
        events: name -> detected events.
        duration: s, of the recording.
        truth: name -> annotated events; a sign that is missing has none. None: not annotated.
        thresholds: name -> thresholds, drawn as lines.
        title: above the figure.

    Raises:
        UserError: no sign, or too many for one figure; a duration that is not positive.
    """
    from matplotlib.patches import Rectangle
    from matplotlib.ticker import FuncFormatter

    if not windows or len(windows) > ROWS:
        raise UserError(f"{len(windows)} signs cannot be drawn as one timeline; give 1 to {ROWS}")
    if not duration > 0:
        raise UserError(f"a timeline of {duration:g} s cannot be drawn")
    figure, rows = new_figure(11, 1.1 + 1.25 * len(windows), len(windows))
    below = -0.22 if truth is None else -0.4  # room for the bars
    for axes, (name, values) in zip(rows, windows.items()):
        _probability(axes, np.asarray(values, float), duration)
        for threshold in (
            []
            if thresholds is None or name not in thresholds
            else [thresholds[name].on, thresholds[name].off]
        ):
            axes.axhline(threshold, color="black", linewidth=0.6, linestyle=(0, (4, 4)), alpha=0.5)
        _bars(axes, events.get(name, ()), -0.2, ORANGE, duration)
        if truth is not None:
            _bars(axes, truth.get(name, ()), -0.38, GREEN, duration)
        axes.set(xlim=(0, duration), ylim=(below, 1.05), yticks=[0, 0.5, 1])
        axes.set_ylabel(_two_lines(name), rotation=0, ha="right", va="center")
    last = rows[-1]
    last.set_xticks(_ticks(duration))
    last.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: clock(seconds, duration)))
    last.set_xlabel(
        "time, s" if duration < 120 else "time, min:s" if duration < 3600 else "time, h:min:s"
    )
    keys = {"probability": BLUE, "not assessable": GREY, "found": ORANGE} | (
        {} if truth is None else {"true": GREEN}
    )
    handles = [Rectangle((0, 0), 1, 1, color=colour) for colour in keys.values()]
    figure.legend(
        handles, list(keys), loc="outside upper right", ncols=len(keys), frameon=False, fontsize=9
    )
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    save_figure(figure, path)


def draw_curves(path: str | Path, found: Mapping[str, Any]) -> None:
    """Draw one row per sign: sensitivity over false alarms, of all events and of each type, with
    95 % intervals of the sensitivity, and the wanted rate with what was achieved on participants
    whom the threshold was not chosen on. Without any annotated event: false alarms over thresholds.

    Thresholds at which false alarms last longer than `most_on` are left out: there the curve runs
    back, as alarms flow together. The axis of false alarms is linear up to the wanted rate, and
    logarithmic above it.

    Args:
        path: of the figure (.png, .svg, .pdf).
        found: of `alarm_curves`.

    Raises:
        UserError: no sign, or too many for one figure.
    """
    from matplotlib.ticker import FuncFormatter

    signs, at = found["signs"], found["at"]
    if not signs or len(signs) > ROWS:
        raise UserError(f"{len(signs)} signs cannot be drawn as alarm curves; give 1 to {ROWS}")
    figure, rows = new_figure(7, 0.6 + 3.2 * len(signs), len(signs))
    annotated = any(own["events"] for own in signs.values())
    for axes, (name, own) in zip(rows, signs.items()):
        if not annotated:
            on, rate = _columns(own["curve"], "on", "per_hour")
            axes.plot(on, rate * at["hours"], drawstyle="steps-post", **line_options(0))
            axes.set(title=name, xlim=(0, 1), xlabel="threshold")
            axes.set_ylabel(f"false alarms a {at['unit']}")
            continue
        all_rates, on = _columns(own["curve"], "per_hour", "in_false_alarm")
        all_rates *= at["hours"]
        drawn = on <= found["most_on"] if (on <= found["most_on"]).any() else on <= 1
        curves = {"all": own["curve"]} | {
            kind: own["types"][kind]["curve"] for kind in own["types"]
        }
        for number, (kind, curve) in enumerate(curves.items()):
            rates, sensitivity, low, high = (
                column[drawn]
                for column in _columns(
                    curve, "per_hour", "sensitivity", "sensitivity_low", "sensitivity_high"
                )
            )
            rates = all_rates[drawn] if np.isnan(rates).all() else rates * at["hours"]
            axes.plot(rates, sensitivity, label=kind, clip_on=False, **line_options(number))
            if number == 0:
                axes.fill_between(rates, low, high, color=BLUE, alpha=0.15, linewidth=0)
        axes.axvline(at["number"], color="black", linewidth=0.6, linestyle=(0, (4, 4)))
        if own["chosen"]:
            _achieved(axes, own["chosen"], at["hours"])
        axes.set_xscale("symlog", linthresh=at["number"])
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set(xlim=(0, max(float(all_rates[drawn].max()), 2 * at["number"])), ylim=(0, 1.03))
        axes.set(title=name, ylabel="sensitivity, by event")
        axes.legend(frameon=False, fontsize=9, loc="lower right")
    if annotated:
        rows[-1].set_xlabel(f"false alarms a {at['unit']}")
    save_figure(figure, path)


def _achieved(axes, chosen: Mapping[str, Any], hours: float) -> None:
    """The wanted rate as achieved on people left out, with both intervals."""
    errors = []
    for name, times in (("per_hour", hours), ("sensitivity", 1.0)):
        value = chosen[name]
        ends = (chosen[f"{name}_low"], chosen[f"{name}_high"])
        errors.append(
            [[0.0], [0.0]]
            if None in (value, *ends)
            else [[max(times * (value - ends[0]), 0)], [max(times * (ends[1] - value), 0)]]
        )
    axes.errorbar(
        [chosen["per_hour"] * hours],
        [chosen["sensitivity"]],
        xerr=errors[0],
        yerr=errors[1],
        fmt="o",
        color="black",
        capsize=3,
        label="threshold chosen on others",
    )


def _columns(rows: Sequence[Mapping[str, Any]], *names: str) -> list[np.ndarray]:
    return [np.array([row[name] for row in rows], float) for name in names]


def thinned(
    windows: np.ndarray, duration: float, columns: int = COLUMNS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Time (s), lowest and highest probability (column,) of windows (window, 3), each at its
    centre; NaN where not assessable.

    Up to `columns` windows stay as they are. With more, each column holds the extremes of the
    windows in it; a column without an assessable window is NaN, one without a window is left out.
    """
    centre, value = windows[:, :2].mean(axis=1), windows[:, 2]
    if len(windows) <= columns:
        return centre, value, value
    column = np.minimum((centre / duration * columns).astype(int), columns - 1)
    present = np.unique(column)
    lowest, highest = np.full(columns, np.inf), np.full(columns, -np.inf)
    known = np.isfinite(value)
    np.minimum.at(lowest, column[known], value[known])
    np.maximum.at(highest, column[known], value[known])
    empty = ~np.isfinite(lowest)
    lowest[empty], highest[empty] = np.nan, np.nan
    return (present + 0.5) * duration / columns, lowest[present], highest[present]


def clock(seconds: float, duration: float) -> str:
    """A time as a label of the axis, depending on the recording's duration: 75, 1:15 or 0:01:15."""
    if duration < 120:
        return f"{seconds:g}"
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return (
        f"{whole // 60}:{whole % 60:02d}"
        if duration < 3600
        else f"{hours}:{minutes:02d}:{whole % 60:02d}"
    )


def _probability(axes, windows: np.ndarray, duration: float) -> None:
    axes.broken_barh(
        [(start, end - start) for start, end in not_assessable(windows)],
        (0, 1.05),
        color=GREY,
        linewidth=0,
    )
    time, lowest, highest = thinned(windows, duration)
    axes.plot(
        time,
        (lowest + highest) / 2,
        color=BLUE,
        linewidth=1.0,
        marker="." if len(time) < 60 else None,
        markersize=4,
    )
    if len(windows) > COLUMNS:
        axes.fill_between(time, lowest, highest, color=BLUE, alpha=0.45, linewidth=0)


def not_assessable(windows: np.ndarray) -> list[tuple[float, float]]:
    """(start, end) in s of the time whose windows (window, 3) have no probability; a window reaches
    midway to its neighbours' centres.
    """
    if not len(windows):
        return []
    centre, missing = windows[:, :2].mean(axis=1), np.isnan(windows[:, 2])
    middle = (centre[1:] + centre[:-1]) / 2
    edges = np.concatenate([windows[:1, 0], middle, windows[-1:, 1]])
    changes = np.flatnonzero(np.diff(np.concatenate([[False], missing, [False]]).astype(int)))
    return [(float(edges[first]), float(edges[end])) for first, end in changes.reshape(-1, 2)]


def _bars(axes, events: Sequence[Event], bottom: float, colour: str, duration: float) -> None:
    """Draw events as bars with a visible minimum width."""
    least = duration / 800
    axes.broken_barh(
        [(event.onset, max(event.length, least)) for event in events],
        (bottom, 0.13),
        color=colour,
        linewidth=0,
    )


def _ticks(duration: float) -> np.ndarray:
    """Ticks (s) at round times, 5 to 12 of them."""
    steps = (*STEPS, *HOURS)
    step = next((step for step in steps if duration / step <= 12), steps[-1])
    return np.arange(0, duration + step / 100, step)


def _two_lines(name: str) -> str:
    """A long name broken into two lines."""
    if len(name) < 18 or " " not in name:
        return name
    middle = min(
        (place for place, letter in enumerate(name) if letter == " "),
        key=lambda place: abs(place - len(name) / 2),
    )
    return f"{name[:middle]}\n{name[middle + 1 :]}"
