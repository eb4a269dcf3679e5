"""report.md of a run: settings, the table with intervals, results by participant and by sign, and a
figure of each recording with its annotations above the predictions of each model.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from semiology.evaluation.report.plots import new_figure, save_figure
from semiology.evaluation.report.rendering import markdown
from semiology.evaluation.statistics.tables import show
from semiology.files import write_text
from semiology.timeline.localise.evaluate import Predictions
from semiology.timeline.localise.recordings import LEFT_OUT, Recording
from semiology.timeline.localise.settings import Localisation


def draw_strips(
    path: str | Path,
    bands: Mapping[str, np.ndarray],
    levels: list[str],
    rate: float,
    title: str = "",
) -> None:
    """Draw coloured bands over time: white is the first class ("none"), grey is `LEFT_OUT`, each
    other class has its colour.

    Args:
        path: of the figure (.png, .svg, .pdf).
        bands: name -> (time,) index of a class (level).
        levels: names of the classes.
        rate: frames per second, Hz.
        title: above the figure.
    """
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    colormap: Any = colormaps["tab20" if len(levels) > 11 else "tab10"]
    colours = [(1.0, 1.0, 1.0), *colormap.colors[: len(levels) - 1]]
    palette = np.array([*colours, (0.75, 0.75, 0.75)])  # LEFT_OUT is -1: the last
    assert LEFT_OUT == -1
    figure, [axes] = new_figure(11, 1.3 + 0.35 * len(bands))
    axes.spines[:].set_visible(True)
    for row, band in enumerate(bands.values()):
        extent = (0, len(band) / rate, row + 0.45, row - 0.45)
        axes.imshow(palette[band][None], aspect="auto", extent=extent, interpolation="nearest")
    axes.set(
        xlim=(0, max(map(len, bands.values())) / rate),
        ylim=(len(bands) - 0.5, -0.5),
        xlabel="time, s",
        title=title,
    )
    axes.set_yticks(range(len(bands)), list(bands))
    handles = [
        Rectangle((0, 0), 1, 1, facecolor=colour, edgecolor="grey", linewidth=0.5)
        for colour in colours
    ]
    figure.legend(
        handles,
        levels,
        loc="outside lower center",
        ncols=min(len(levels), 11),
        frameon=False,
        fontsize=8,
    )
    save_figure(figure, path, dpi=110)


NAMES = {"windows": "single windows", "timeline": "windows + BLSTM"}


def write_report(
    settings: Localisation,
    recordings: list[Recording],
    models: Mapping[str, Predictions],
    metrics: dict[str, Any],
) -> Path:
    """Write report.md and one timelines/<clip_id>/timeline.png per recording; returns the path of
    the report.
    """
    run = Path(settings.out)
    for recording in recordings:
        bands = {"annotated": recording.truth}
        bands |= {
            NAMES.get(name, name): predicted_levels(predictions[recording.clip_id])
            for name, predictions in models.items()
        }
        path = run / "timelines" / recording.clip_id / "timeline.png"
        draw_strips(path, bands, settings.levels, settings.reading.rate, recording.clip_id)
    figures = [f"![{one.clip_id}](timelines/{one.clip_id}/timeline.png)" for one in recordings]
    lines = [
        "# Localisation of signs in time",
        "",
        *_summary(settings, metrics),
        "",
        table_text(metrics),
        "",
        *_by_participant(metrics),
        "",
        *_by_level(metrics),
    ]
    lines += [
        "",
        "## Every recording",
        "",
        "White: none. Grey: excluded or not assessable.",
        "",
        *figures,
    ]
    write_text(run / "report.md", "\n".join(lines) + "\n")
    return run / "report.md"


def predicted_levels(probabilities: np.ndarray) -> np.ndarray:
    """(time,) index of the most probable class of probabilities (time, level); `LEFT_OUT` where not
    assessable.
    """
    known = np.isfinite(probabilities).all(axis=1)
    return np.where(known, np.nan_to_num(probabilities).argmax(axis=1), LEFT_OUT)


def table_text(metrics: dict[str, Any]) -> str:
    """The table in Markdown: models and differences, each value with its 95 % interval."""
    first = next(iter(metrics["models"].values()))
    columns = {"accuracy": "accuracy by frame", "f1": "macro F1 by frame"} | {
        label: f"event {label.upper()}" for label in first["events"]
    }
    lines = ["| | " + " | ".join(columns.values()) + " |", "|---" * (1 + len(columns)) + "|"]
    for name, found in metrics["models"].items():
        cells = [_cell(value) for value in (*found["frames"].values(), *found["events"].values())]
        lines.append(f"| {NAMES.get(name, name)} | " + " | ".join(cells) + " |")
    for pair in metrics["differences"]:
        cells = [
            _cell(pair["accuracy"], "+"),
            "",
            *(_cell(value, "+") for value in pair["events"].values()),
        ]
        lines.append(
            f"| {NAMES.get(pair['a'], pair['a'])} - {NAMES.get(pair['b'], pair['b'])} | "
            + " | ".join(cells)
            + " |"
        )
    return "\n".join(lines)


def _cell(found: dict[str, Any], sign: str = "") -> str:
    value = "–" if found["value"] is None else f"{found['value']:{sign}.3f}"
    return (
        value
        if found["low"] is None
        else f"{value} ({found['low']:{sign}.3f} to {found['high']:{sign}.3f})"
    )


def _summary(settings: Localisation, metrics: dict[str, Any]) -> list[str]:
    frames, reading = metrics["frames"], settings.reading
    none = 100 * frames["share_by_level"][settings.levels[0]]
    return [
        (
            f"{metrics['recordings']} recordings of {len(metrics['participants'])} participants,"
            f" {metrics['events']} annotated events of {markdown(', '.join(settings.signs))}."
            " Leave-one-participant-out cross-validation; all predictions are out-of-fold."
        ),
        "",
        (
            f"Windows of {reading.window / reading.rate:.1f} s every"
            f" {settings.step_frames / reading.rate:.1f} s. {frames['judged']} of {frames['all']}"
            f" frames are evaluated ({frames['not_judgeable']} are excluded by the annotation, the"
            f" others are not assessable). {none:.0f} % of the evaluated frames show no sign: the"
            f" no-information baseline has an accuracy of {none / 100:.2f}."
        ),
        "",
        (
            "Intervals are 95 %, over participants. Event F1 at an overlap: intersection over union"
            " with an annotated event of the same sign."
        ),
    ]


def _by_participant(metrics: dict[str, Any]) -> list[str]:
    models = metrics["models"]
    head = " | ".join(f"{NAMES.get(name, name)}: accuracy | event F1@0.5" for name in models)
    lines = ["## Each participant", "", f"| | {head} |", "|---" * (1 + 2 * len(models)) + "|"]
    for person in metrics["participants"]:
        own = [found["by_participant"][person] for found in models.values()]
        lines.append(
            f"| {person} | "
            + " | ".join(f"{show(one['accuracy'])} | {show(one['f1@0.5'])}" for one in own)
            + " |"
        )
    return lines


def _by_level(metrics: dict[str, Any]) -> list[str]:
    models = metrics["models"]
    head = " | ".join(f"{NAMES.get(name, name)}: recall | F1" for name in models)
    lines = [
        "## Each sign, by frame",
        "",
        f"| | fraction of frames | {head} |",
        "|---" * (2 + 2 * len(models)) + "|",
    ]
    for level, share in metrics["frames"]["share_by_level"].items():
        own = [found["by_level"][level] for found in models.values()]
        lines.append(
            f"| {markdown(level)} | {share:.3f} | "
            + " | ".join(f"{show(one['recall'])} | {show(one['f1'])}" for one in own)
            + " |"
        )
    return lines
