"""Tracking error against the number of labelled frames per video: a learning curve.

The method is that of the dyskinetic cerebral palsy study [P]: participants split 80/20, n frames
labelled in each video of the training participants, detectors trained on them; error on the
training frames, on other frames of the same participants, and on held-out participants, with and
without a p-cutoff. `CurveOptions` states the differences.
"""

import csv
import io
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from semiology.errors import UserError
from semiology.evaluation.report.plots import new_figure, save_figure
from semiology.files import write_json, write_text
from semiology.tracking.finetune.finetune import (
    finetune,
    initial_detectors,
    measure,
    split_by_participant,
)
from semiology.tracking.finetune.training import FinetuneOptions
from semiology.tracking.labels.labels import Labels
from semiology.tracking.tracking_error import CUTOFF, ErrorTable

SETS = ("train", "test", "unseen")


@dataclass(frozen=True)
class CurveOptions:
    """Options of the learning curve.

    Attributes:
        counts: numbers of training frames per video. 0 is the network before any training. [P: 0,
            1, 2, 6, 10, 15, 20]
        unseen: fraction of the participants held out from all training; 0 for labels of one
            participant. [P: 0.2, sampled once]
        test: fraction of each training video's labelled frames held out as test frames, the same
            for every count. [our choice; the study takes 5 % of the frames labelled at each count,
            so that with one frame a video a handful of frames is its test]
        cutoff: p-cutoff. [P: 0.8]
        cm_per_px: the scale, printed with the table. [P: 0.4 there]
        seed: of all sampling.
        finetune: options of the training; the same number of steps at every count. Its `held_out`
            is replaced by `unseen`.
    """

    counts: tuple[int, ...] = (0, 1, 2, 6, 10, 15, 20)
    unseen: float = 0.2
    test: float = 0.2
    cutoff: float = CUTOFF
    cm_per_px: float | None = None
    seed: int = 0
    finetune: FinetuneOptions = field(default_factory=FinetuneOptions)

    def __post_init__(self) -> None:
        if not self.counts or min(self.counts) < 0 or list(self.counts) != sorted(set(self.counts)):
            raise UserError(
                f"curve: counts {list(self.counts)}; give numbers of frames from few to many, e.g."
                " [0,1,2,6]"
            )
        if not (0 < self.test < 1 and 0 <= self.unseen < 1 and 0 <= self.cutoff <= 1):
            raise UserError(
                "curve: test is a fraction between 0 and 1, unseen 0 or more and below 1, cutoff 0"
                " to 1"
            )
        if self.cm_per_px is not None and not self.cm_per_px > 0:
            raise UserError(
                f"curve: cm_per_px={self.cm_per_px:g}; give the cm that one px stands for"
            )


@dataclass(frozen=True)
class Curve:
    """The points of the learning curve.

    Attributes:
        errors: count -> "train" (training frames), "test" (test frames), "unseen" (held-out
            participants) -> error table; absent where there are no such frames.
        options: of the curve.
        frames: count -> number of training frames.
    """

    errors: dict[int, dict[str, ErrorTable]]
    options: CurveOptions
    frames: dict[int, int]

    def rows(self, unit: str = "px", statistic: str = "mean") -> list[dict[str, str]]:
        """The study's table, a row per count: mean (or median) error of each set, that of the
        points above the cutoff, and their fraction.
        """
        rows = []
        for count, tables in self.errors.items():
            row = {"labelled": str(count), "frames": str(self.frames[count])}
            for name in SETS:
                row |= {
                    f"{name}{title}": value
                    for title, value in self._cells(tables.get(name), unit, statistic).items()
                }
            rows.append(row)
        return rows

    def joints(self, unit: str = "px") -> list[dict[str, str]]:
        """Mean error of each joint at the largest count, a row per joint."""
        tables = self.errors[max(self.errors)]
        names = next(iter(tables.values())).keypoints
        factor = self._factor(unit)
        return [
            {
                "joint": joint,
                **{name: tables[name].keypoints[joint].mean.text(".2f", factor) for name in tables},
            }
            for joint in names
        ]

    def text(self) -> str:
        """The tables for the terminal, in px and, where the scale is given, in cm."""
        scale = (
            "no scale given"
            if self.options.cm_per_px is None
            else f"scale {self.options.cm_per_px:g} cm a px"
        )
        parts = []
        for unit in ["px"] + (["cm"] if self.options.cm_per_px is not None else []):
            for statistic in ("mean", "median"):
                parts.append(
                    f"{statistic} error in {unit} ({scale}), with intervals over participants where"
                    " there are two or more"
                )
                parts.append(_columns(self.rows(unit, statistic)))
            parts.append(
                f"mean error of each joint in {unit}, {max(self.errors)} labelled frames a video"
            )
            parts.append(_columns(self.joints(unit)))
        return "\n".join(parts)

    def _factor(self, unit: str) -> float:
        return 1.0 if unit == "px" else self.options.cm_per_px or np.nan

    def _cells(self, table: ErrorTable | None, unit: str, statistic: str) -> dict[str, str]:
        kept = f", p > {self.options.cutoff:g}"
        if table is None:
            return {"": "-", kept: "-", f"{kept}, share": "-"}
        every, sure = getattr(table.overall, statistic), getattr(table.overall, f"{statistic}_kept")
        shown = {
            "": every.text(".2f", self._factor(unit)),
            kept: sure.text(".2f", self._factor(unit)),
        }
        return {**shown, f"{kept}, share": table.overall.kept.text(".0%")}

    def save(self, folder: str | Path) -> Path:
        """Write curve.json (all errors, joint by joint), curve.csv (the table of means in px) and
        curve.png into a folder.
        """
        folder = Path(folder)
        points = {
            str(count): {name: table.to_dict() for name, table in tables.items()}
            for count, tables in self.errors.items()
        }
        content = {"options": asdict(self.options), "frames": self.frames, "errors": points}
        write_json(folder / "curve.json", content, default=str)
        stream = io.StringIO()
        rows = self.rows()
        table = csv.DictWriter(stream, rows[0], lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
        write_text(folder / "curve.csv", stream.getvalue())
        draw_curve(self, folder / "curve.png")
        return folder


def label_count_curve(
    labels: Labels,
    out: str | Path,
    options: CurveOptions | None = None,
    *,
    report: Callable[[str], None] = print,
    progress: bool = True,
) -> Curve:
    """Tracking error against the number of labelled frames per video: for each count, detectors are
    trained and evaluated.

    Detectors are saved in OUT/labelled-N; an interrupted run resumes when it is called again. The
    frames of a smaller count are among those of a larger one.

    Args:
        labels: of the frames.
        out: folder of detectors and tables.
        options: of the curve.
        report: receives a line per count.
        progress: show a progress bar.

    Raises:
        UserError: a video with fewer labelled frames than the largest count needs, too few
            participants, as `finetune`.
    """
    options, out = options or CurveOptions(), Path(out)
    seen, unseen = split_by_participant(labels, options.unseen, options.seed)
    pool, test = split_frames(seen, options.test, max(options.counts), options.seed)
    errors: dict[int, dict[str, ErrorTable]] = {}
    frames: dict[int, int] = {}
    for count in options.counts:
        chosen = seen.take(sorted(row for rows in pool.values() for row in rows[:count]))
        how = replace(options.finetune, held_out=0.0)
        if count == 0:
            detectors = initial_detectors(seen, how).to("cpu")
        else:
            detectors = finetune(chosen, out / f"labelled-{count:02d}", how, progress=progress)
        sets = {"train": chosen, "test": seen.take(test), "unseen": unseen}
        errors[count] = {
            name: measure(
                detectors,
                part,
                cutoff=options.cutoff,
                cm_per_px=options.cm_per_px,
                seed=options.seed,
            )
            for name, part in sets.items()
            if len(part)
        }
        frames[count] = len(chosen)
        parts = ", ".join(
            f"{name} {table.overall.mean.value:.1f} px" for name, table in errors[count].items()
        )
        report(f"{count} labelled frames a video, {len(chosen)} in all: {parts}")
    curve = Curve(errors, options, frames)
    curve.save(out)
    return curve


def split_frames(
    labels: Labels, fraction: float, most: int, seed: int
) -> tuple[dict[str, list[int]], list[int]]:
    """Split each video's frames into a training pool and test frames.

    Args:
        labels: of the frames.
        fraction: of each video's frames that are test frames.
        most: training frames that every video must provide.
        seed: of the permutations.

    Returns:
        Video -> its rows in the order in which they are used for training; and the test rows.

    Raises:
        UserError: a video has too few labelled frames for `most` training frames and a test.
    """
    rng = np.random.default_rng(seed)
    pool: dict[str, list[int]] = {}
    test: list[int] = []
    for video in sorted(set(labels.videos)):
        rows = rng.permutation(np.flatnonzero(labels.videos == video)).tolist()
        held_out = max(1, round(fraction * len(rows)))
        if len(rows) - held_out < most:
            raise UserError(
                f"curve: video {video!r} has {len(rows)} labelled frames; {most} to train on and"
                f" {held_out} to test are {most + held_out}. Label more, or give smaller --counts"
            )
        test += rows[:held_out]
        pool[video] = rows[held_out:]
    return pool, sorted(test)


def draw_curve(curve: Curve, path: str | Path) -> None:
    """Save the figure: mean error against labelled frames with its interval over participants, and,
    dotted, the error of the points above the cutoff.
    """
    figure, (axes,) = new_figure(6.4, 4.0)
    places = np.arange(len(curve.errors))
    for colour, name in zip(("#8a8a8a", "#0072b2", "#d55e00"), SETS):
        drawn = [
            (place, tables[name].overall)
            for place, tables in zip(places, curve.errors.values())
            if name in tables
        ]
        if not drawn:
            continue
        at, rows = [place for place, _ in drawn], [row for _, row in drawn]
        axes.plot(at, [row.mean.value for row in rows], "o-", color=colour, label=name)
        axes.plot(
            at, [row.mean_kept.value for row in rows], "o:", color=colour, alpha=0.7, markersize=3
        )
        axes.fill_between(
            at,
            [row.mean.low for row in rows],
            [row.mean.high for row in rows],
            color=colour,
            alpha=0.12,
            linewidth=0,
        )
    axes.plot([], [], "k:", label=f"points with p > {curve.options.cutoff:g}")
    axes.set(xlabel="labelled frames a video", ylabel="mean error, px", yscale="log", xticks=places)
    axes.set_xticklabels([str(count) for count in curve.errors])
    axes.legend(frameon=False)
    save_figure(figure, path, dpi=150)


def _columns(rows: list[dict[str, str]]) -> str:
    table = [list(rows[0]), *(list(row.values()) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in table
    )
