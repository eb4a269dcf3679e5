"""Tune thresholds on recordings with annotated events, and estimate their performance on other
participants by leave-one-participant-out cross-validation.

The timelines have to be out-of-fold, of participants that the model was not trained on: a model is
more confident on its training participants, and thresholds tuned on them are too high for others.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from semiology.data.events import Event
from semiology.errors import UserError
from semiology.evaluation.statistics.comparison import number
from semiology.evaluation.statistics.intervals import draw_participants
from semiology.evaluation.statistics.tables import show
from semiology.files import read_json, write_json
from semiology.timeline.events.evaluate import evaluate_counts
from semiology.timeline.events.hysteresis import EPSILON, Hysteresis, find_events
from semiology.timeline.events.scoring import Counts, Tolerances, figures, score_events
from semiology.timeline.events.timeline import Trace

STEPS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
RULE = (
    "highest F1 by event over all participants; of those fewest false alarms, then highest F1 by"
    " second, then thresholds nearest to 0.5; expected: each participant evaluated with thresholds"
    " tuned on the others"
)


@dataclass(frozen=True)
class Grid:
    """The search grid of the tuning [our choice].

    Attributes:
        on: thresholds; each is combined with every `off` that is not above it.
        off: thresholds.
        shortest: s.
    """

    on: tuple[float, ...] = STEPS
    off: tuple[float, ...] = STEPS
    shortest: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)

    def cells(self, base: Hysteresis) -> list[Hysteresis]:
        """Every combination, thresholds nearest to 0.5 first, so that they win ties; `merge` and
        `unseen` are those of `base`.
        """
        pairs = [(on, off) for on in self.on for off in self.off if off <= on]
        if not pairs or not self.shortest:
            raise UserError(
                f"grid: no combination of on={self.on}, off={self.off}, shortest={self.shortest};"
                " give at least one `on`, one `off` that is not above it and one `shortest`"
            )
        pairs.sort(key=lambda pair: abs(pair[0] - 0.5) + abs(pair[1] - 0.5))
        return [
            replace(base, on=on, off=off, shortest=shortest)
            for on, off in pairs
            for shortest in sorted(self.shortest)
        ]


@dataclass(frozen=True)
class AnnotatedTrace:
    """The probabilities of one sign in one recording, with its annotated events.

    Attributes:
        clip_id, participant_id: of the recording.
        duration: s.
        windows: (window, 3) start s, end s, probability, NaN where not assessable.
        truth: the annotated events of the sign.
        types: a type of each of these, "" where unknown; or one of the recording. None: not asked
            for.
    """

    clip_id: str
    participant_id: str
    duration: float
    windows: np.ndarray
    truth: list[Event]
    types: list[str] | str | None = None


def tune(
    traces: Mapping[Trace, Sequence[AnnotatedTrace]],
    grid: Grid | None = None,
    base: Hysteresis | None = None,
    tolerances: Tolerances | None = None,
    draws: int = 2000,
    seed: int = 0,
) -> dict[str, Any]:
    """Tune the thresholds of each sign; returns the content of thresholds.json.

    The F1 on the tuning participants is optimistic; it is given as `apparent_f1`. The performance
    on new participants is estimated by cross-validation: each participant is evaluated with
    thresholds tuned on the others.

    Args:
        traces: (task, level) -> its recordings.
        grid: combinations of thresholds.
        base: `merge` and `unseen`, which are not tuned.
        tolerances: when an event counts as detected.
        draws: bootstrap samples for the intervals of the expected performance.
        seed: of the bootstrap.

    Raises:
        UserError: a negative number of draws, no annotated event at all, as `find_events` and
            `score_events`.
    """
    base, tolerances = base or Hysteresis(), tolerances or Tolerances()
    cells = (grid or Grid()).cells(base)
    if draws < 0:
        raise UserError(f"draws={draws}; give the number of bootstrap samples, 0 for no intervals")
    if not any(recording.truth for recordings in traces.values() for recording in recordings):
        raise UserError("no annotated event in any recording; there is nothing to tune on")
    untuned: list[str] = []
    signs: dict[str, dict[str, Any]] = {}
    expected = {}
    for (task, level), recordings in traces.items():
        name = f"{task} {level}"
        if not any(recording.truth for recording in recordings):
            untuned.append(name)
            continue
        participants = sorted({recording.participant_id for recording in recordings})
        counts = _cell_counts(recordings, participants, cells, tolerances)
        best = choose(counts.sum(1))
        signs.setdefault(task, {})[level] = asdict(cells[best])
        expected[name] = {
            "apparent_f1": number(figures(counts[best].sum(0))["event_f1"]),
            **_expected(counts, participants, cells, draws, seed),
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
    """Thresholds and their expected performance, for the terminal."""
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
                    f"  F1 by event {show(expected['apparent_f1'])} on the tuning participants;"
                    f" {expected['reason']}"
                )
                continue
            f1, alarms = (
                expected["figures"]["event_f1"],
                expected["figures"]["false_alarms_per_hour"],
            )
            limits = "" if f1["low"] is None else f" [{show(f1['low'])}, {show(f1['high'])}]"
            apparent = f"(on the tuning participants {show(expected['apparent_f1'])})"
            lines.append(
                f"  F1 by event on new participants {show(f1['value'])}{limits} {apparent},"
                f" {show(alarms['value'])} false alarms per hour"
            )
    return "\n".join(
        [*lines, *(f"{name}: no annotated event, not tuned" for name in tuned["untuned"])]
    )


def choose(counts: np.ndarray) -> int:
    """Index of the best combination from its counts (cell, count), by `RULE`."""
    found = figures(counts)
    f1, by_second = (
        np.nan_to_num(found[name], nan=-1.0).round(9) for name in ("event_f1", "second_f1")
    )
    false = counts[:, [field.name for field in fields(Counts)].index("false_alarms")]
    return int(np.lexsort((np.arange(len(counts)), -by_second, false, -f1))[0])


def read_thresholds(path: str | Path) -> dict[str, dict[str, Hysteresis]]:
    """Read task -> level -> thresholds from a file of `semiology events tune`.

    Raises:
        UserError: no such file, not a file of thresholds, invalid thresholds.
    """
    remedy = "write it again with `semiology events tune`"
    stored = read_json(path, what="a file of thresholds", remedy=remedy)
    try:
        return {
            task: {level: Hysteresis(**values) for level, values in levels.items()}
            for task, levels in stored["signs"].items()
        }
    except UserError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not a file of thresholds ({error}); {remedy}") from error


def write_thresholds(path: str | Path, tuned: dict[str, Any]) -> None:
    """Write the result of `tune` as JSON.

    Raises:
        UserError: as `files.atomic_path`.
    """
    write_json(path, tuned)


def _cell_counts(
    recordings: Sequence[AnnotatedTrace],
    participants: list[str],
    cells: list[Hysteresis],
    tolerances: Tolerances,
) -> np.ndarray:
    """(cell, participant, count) of every combination of thresholds, summed over recordings."""
    counts = np.zeros((len(cells), len(participants), len(fields(Counts))))
    for recording in recordings:
        windows = [tuple(row) for row in recording.windows.tolist()]
        participant = participants.index(recording.participant_id)
        # one detection for all values of `shortest`, which applies last
        found: dict[tuple[float, float], list[Event]] = {}
        for place, cell in enumerate(cells):
            pair = cell.on, cell.off
            if pair not in found:
                found[pair] = find_events(windows, replace(cell, shortest=0.0), "sign")
            events = [event for event in found[pair] if event.length >= cell.shortest - EPSILON]
            counts[place, participant] += score_events(
                recording.truth, events, recording.duration, tolerances
            ).counts.array()
    return counts


def evaluate_on_others(
    counts: np.ndarray,
    rule: Callable[[np.ndarray], int],
    participants: list[str],
    weights: np.ndarray,
) -> tuple[list[int], dict[str, Any]]:
    """Each participant evaluated with the combination that `rule` chooses from the counts of the
    others.

    Args:
        counts: (cell, participant, count) of every combination of thresholds.
        rule: (cell, count) -> index of a cell.
        participants: their names, two or more.
        weights: (draw, participant) bootstrap weights.

    Returns:
        The cell of each participant, and the result of `evaluate_counts`. Its intervals take the
        choice as given: it is not repeated in each resampled cohort.
    """
    total = counts.sum(1)
    chosen = [rule(total - counts[:, one]) for one in range(len(participants))]
    own = np.stack([counts[cell, one] for one, cell in enumerate(chosen)])
    return chosen, evaluate_counts(own, weights, participants)


def _expected(
    counts: np.ndarray, participants: list[str], cells: list[Hysteresis], draws: int, seed: int
) -> dict[str, Any]:
    """Out-of-fold performance from (cell, participant, count), by `choose`."""
    number_of = len(participants)
    if number_of < 2:
        return {"reason": "one participant only: no estimate for new participants"}
    weights = draw_participants(number_of, draws, seed)
    chosen, evaluated = evaluate_on_others(counts, choose, participants, weights)
    for participant, cell in zip(participants, chosen):
        evaluated["participants"][participant] |= {
            name: getattr(cells[cell], name) for name in ("on", "off", "shortest")
        }
    return evaluated
