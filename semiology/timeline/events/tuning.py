"""Thresholds found on people whose events are known, and what they give on people they were not
found on.

The timelines have to be of people that the model had not seen (out of fold): a model is surer of
those it learned from, and thresholds tuned on them are too high for anybody else.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from semiology.data.events import Event
from semiology.errors import UserError
from semiology.evaluation.statistics.comparison import number
from semiology.evaluation.statistics.intervals import draw_participants
from semiology.evaluation.statistics.tables import show
from semiology.files import write_text
from semiology.timeline.events.evaluate import evaluate_counts
from semiology.timeline.events.hysteresis import EPSILON, Hysteresis, find_events
from semiology.timeline.events.scoring import Counts, Tolerances, figures, score_events
from semiology.timeline.events.timeline import Trace

STEPS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
RULE = (
    "highest F1 by event over all participants; of those fewest false alarms, then highest F1 by"
    " second, then thresholds nearest to 0.5; expected: each participant judged by the thresholds"
    " of the others"
)


@dataclass(frozen=True)
class Grid:
    """What is tried [our choice].

    Attributes:
        on: thresholds; each is tried with every `off` that is not above it.
        off: thresholds.
        shortest: s.
    """

    on: tuple[float, ...] = STEPS
    off: tuple[float, ...] = STEPS
    shortest: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)

    def cells(self, base: Hysteresis) -> list[Hysteresis]:
        """Every combination, those nearest to 0.5 first, so that a tie goes to them; `merge` and
        `unseen` are those of `base`.
        """
        pairs = [(on, off) for on in self.on for off in self.off if off <= on]
        if not pairs or not self.shortest:
            raise UserError(
                "grid: nothing to try; give one `on`, one `off` that is not above it and one"
                " `shortest` at least"
            )
        pairs.sort(key=lambda pair: abs(pair[0] - 0.5) + abs(pair[1] - 0.5))
        return [
            replace(base, on=on, off=off, shortest=shortest)
            for on, off in pairs
            for shortest in sorted(self.shortest)
        ]


@dataclass(frozen=True)
class AnnotatedTrace:
    """One sign's probabilities in one recording, with the truth.

    Attributes:
        clip_id, participant_id: whose.
        duration: s.
        windows: (window, 3) start s, end s, probability, NaN where not assessable.
        truth: the sign's true events.
    """

    clip_id: str
    participant_id: str
    duration: float
    windows: np.ndarray
    truth: list[Event]


def tune(
    traces: Mapping[Trace, Sequence[AnnotatedTrace]],
    grid: Grid | None = None,
    base: Hysteresis | None = None,
    tolerances: Tolerances | None = None,
    draws: int = 2000,
    seed: int = 0,
) -> dict[str, Any]:
    """Find each sign's thresholds: the content of thresholds.json.

    The F1 on the people that were tuned on flatters; it is given as `apparent_f1`. What to expect
    of new people is estimated by leaving one participant out: thresholds of the others, judged on
    the one.

    Args:
        traces: (task, level) -> its recordings.
        grid: what is tried.
        base: `merge` and `unseen`, which are not tuned.
        tolerances: what counts as found.
        draws: resampled cohorts, for the intervals of what to expect.
        seed: of the resampling.

    Raises:
        UserError: a negative number of draws, no true event at all, as `find_events` and
            `score_events`.
    """
    base, tolerances = base or Hysteresis(), tolerances or Tolerances()
    cells = (grid or Grid()).cells(base)
    if draws < 0:
        raise UserError(f"draws={draws}; give the number of resampled cohorts, 0 for no intervals")
    if not any(recording.truth for recordings in traces.values() for recording in recordings):
        raise UserError("no true event in any recording; there is nothing to tune on")
    untuned: list[str] = []
    signs: dict[str, dict[str, Any]] = {}
    expected = {}
    for (task, level), recordings in traces.items():
        name = f"{task} {level}"
        if not any(recording.truth for recording in recordings):
            untuned.append(name)
            continue
        people = sorted({recording.participant_id for recording in recordings})
        counts = _counted(recordings, people, cells, tolerances)
        best = choose(counts.sum(1))
        signs.setdefault(task, {})[level] = asdict(cells[best])
        expected[name] = {
            "apparent_f1": number(figures(counts[best].sum(0))["event_f1"]),
            **_expected(counts, people, cells, draws, seed),
        }
    everything = {
        recording.clip_id: recording for recordings in traces.values() for recording in recordings
    }.values()
    return {
        "signs": signs,
        "tuned_on": {
            "participants": len({recording.participant_id for recording in everything}),
            "recordings": len(everything),
            "hours": round(sum(recording.duration for recording in everything) / 3600, 4),
        },
        "expected": expected,
        "untuned": untuned,
        "rule": RULE,
        "tolerances": asdict(tolerances),
    }


def text(tuned: dict[str, Any]) -> str:
    """Thresholds and what to expect of them, for the terminal."""
    known = tuned["tuned_on"]
    lines = [
        f"tuned on {known['recordings']} recordings of {known['participants']} participants,"
        f" {known['hours']:.2f} h"
    ]
    for task, levels in tuned["signs"].items():
        for level, values in levels.items():
            lines.append(
                f"{task} {level}: on {values['on']:g}, off {values['off']:g}, shortest"
                f" {values['shortest']:g} s"
            )
            expected = tuned["expected"][f"{task} {level}"]
            if "reason" in expected:
                lines.append(
                    f"  F1 by event {show(expected['apparent_f1'])} on those it was tuned on;"
                    f" {expected['reason']}"
                )
                continue
            f1, alarms = (
                expected["figures"]["event_f1"],
                expected["figures"]["false_alarms_per_hour"],
            )
            limits = "" if f1["low"] is None else f" [{show(f1['low'])}, {show(f1['high'])}]"
            flattered = f"(on those it was tuned on {show(expected['apparent_f1'])})"
            lines.append(
                f"  F1 by event on new people {show(f1['value'])}{limits} {flattered},"
                f" {show(alarms['value'])} false alarms an hour"
            )
    return "\n".join(
        [*lines, *(f"{name}: no true event, nothing to tune on" for name in tuned["untuned"])]
    )


def choose(counts: np.ndarray) -> int:
    """The best of (cell, count), by RULE."""
    found = figures(counts)
    f1, by_second = (
        np.nan_to_num(found[name], nan=-1.0).round(9) for name in ("event_f1", "second_f1")
    )
    false = counts[:, [field.name for field in fields(Counts)].index("false_alarms")]
    return int(np.lexsort((np.arange(len(counts)), -by_second, false, -f1))[0])


def read_thresholds(path: str | Path) -> dict[str, dict[str, Hysteresis]]:
    """task -> level -> thresholds, from what `semiology events tune` wrote.

    Raises:
        UserError: no such file, not such a file, thresholds that cannot be.
    """
    try:
        stored = json.loads(Path(path).read_text(encoding="utf-8"))["signs"]
        return {
            task: {level: Hysteresis(**values) for level, values in levels.items()}
            for task, levels in stored.items()
        }
    except FileNotFoundError as error:
        raise UserError(
            f"{path}: no such file of thresholds; `semiology events tune` writes it"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path}: not a file of thresholds ({error}); write it anew with `semiology events"
            " tune`"
        ) from error


def write_thresholds(path: str | Path, tuned: dict[str, Any]) -> None:
    """Write what `tune` found, as JSON; raises as `files.atomic_path`."""
    write_text(path, json.dumps(tuned, indent=1) + "\n")


def _counted(
    recordings: Sequence[AnnotatedTrace], people: list[str], cells: list[Hysteresis], tolerances: Tolerances
) -> np.ndarray:
    """(cell, participant, count) of every cell on every recording."""
    counts = np.zeros((len(cells), len(people), len(fields(Counts))))
    for recording in recordings:
        person, windows = (
            people.index(recording.participant_id),
            [tuple(row) for row in recording.windows.tolist()],
        )
        found: dict[tuple[float, float], list[Event]] = {}
        for place, cell in enumerate(cells):
            if (
                cell.on,
                cell.off,
            ) not in found:  # the shortest is asked last: one search serves them all
                found[cell.on, cell.off] = find_events(windows, replace(cell, shortest=0.0), "sign")
            events = [
                event
                for event in found[cell.on, cell.off]
                if event.duration >= cell.shortest - EPSILON
            ]
            counts[place, person] += score_events(
                recording.truth, events, recording.duration, tolerances
            ).counts.array()
    return counts


def _expected(
    counts: np.ndarray, people: list[str], cells: list[Hysteresis], draws: int, seed: int
) -> dict[str, Any]:
    """What thresholds of the others give on each participant, summed; from (cell, participant,
    count).
    """
    if len(people) < 2:
        return {"reason": "one participant only: nothing is known of others"}
    others = [choose(counts.sum(1) - counts[:, person]) for person in range(len(people))]
    own = np.stack([counts[cell, person] for person, cell in enumerate(others)])
    judged = evaluate_counts(own, draw_participants(len(people), draws, seed), people)
    for person, cell in zip(people, others):
        judged["participants"][person] |= {
            name: getattr(cells[cell], name) for name in ("on", "off", "shortest")
        }
    return judged
