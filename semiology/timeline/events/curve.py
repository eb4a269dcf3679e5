"""Alarm curves: sensitivity against false alarms over thresholds, and the threshold that keeps to a
wanted rate of false alarms, chosen on other participants.

An alarm is an event of `EventDetector`, a hit or a false alarm as in `score_events` (SzCORE, Dan et
al. 2025 [P]); rates are pooled: false alarms of all participants by their hours [P]. Along the
curve `on` rises and `off` is a fixed share of it, so that what a higher threshold calls on lies
within what a lower one does: sensitivity never rises with the threshold. The number of false alarms
may: an alarm that lasts all night is one, and falls apart into many at a higher threshold. Hence
the rule of choice (`choose_threshold`) [our choice].
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from semiology.data.cohort.table import write_table
from semiology.data.events import Event
from semiology.errors import UserError
from semiology.evaluation.statistics.intervals import draw_participants
from semiology.evaluation.statistics.tables import show
from semiology.files import begin_folder, refuse_existing, write_json
from semiology.timeline.events.evaluate import UPPER_OF_NONE, evaluate_counts, tolerances_text
from semiology.timeline.events.hysteresis import Hysteresis, find_spans, own_times
from semiology.timeline.events.plot import draw_curves
from semiology.timeline.events.scoring import Counts, Tolerances, figures, score_events
from semiology.timeline.events.timeline import Trace
from semiology.timeline.events.tuning import AnnotatedTrace, evaluate_on_others, write_thresholds

WRITTEN = (
    *("curve.tsv", "chosen.tsv", "people.tsv", "curve.json"),
    *("curve.png", "curve.svg", "thresholds.json"),
)
COUNTS = tuple(field.name for field in fields(Counts))
# Evenly spaced in the logit, because rare false alarms are decided where probabilities are near 1:
# one window of a night's 28,800 is its highest 0.003 %. From 0.0001 to 0.9999 and 1, as
# timeline.csv holds four decimals. Set before any data are seen [our choice].
THRESHOLDS = tuple(
    np.unique([*np.round(1 / (1 + np.exp(-np.arange(-9.2, 9.21, 0.16))), 4), 1.0]).tolist()
)
TIMES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # the wanted rate, of the table of other rates
RULE = (
    "the lowest threshold at which, and above which, the others' pooled rate of false alarms is at"
    " most the wanted one and false alarms last at most `most_on` of their time; a participant for"
    " whose others there is none is evaluated without alarms"
)
MEASURES = {
    "sensitivity": "event_sensitivity",
    "precision": "event_precision",
    "per_hour": "false_alarms_per_hour",
    "per_day": "false_alarms_per_24h",
}


@dataclass(frozen=True)
class Rate:
    """A rate of false alarms as a person writes it: "1/night", "1/day", "0.1/h".

    Attributes:
        text: as given.
        number: of false alarms.
        unit: h, night, day or week.
        hours: of the unit.
    """

    text: str
    number: float
    unit: str
    hours: float

    @property
    def per_hour(self) -> float:
        return self.number / self.hours

    @classmethod
    def read(cls, text: str, night: float = 8.0) -> "Rate":
        """Read a rate; a night has `night` hours, 8 by default [our choice: usual time in bed].

        Raises:
            UserError: not a rate, a number that is not above 0, a night not of 0 to 24 h.
        """
        if not 0 < night <= 24:
            raise UserError(f"--night {night:g}: give the hours of a night, above 0 and at most 24")
        hours = {"h": 1.0, "hour": 1.0, "night": night, "day": 24.0, "24h": 24.0, "week": 168.0}
        found = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*(?:/|per|a)\s*(\w+)\s*", text)
        if not found or found[2] not in hours or not float(found[1]) > 0:
            raise UserError(
                f"--at {text!r} is not a rate of false alarms; write a number above 0 and one of"
                f" {', '.join(hours)}, as 1/night or 0.1/h"
            )
        unit = {"hour": "h", "24h": "day"}.get(found[2], found[2])
        return cls(text.strip(), float(found[1]), unit, hours[found[2]])


@dataclass(frozen=True)
class CurveOptions:
    """The curve and the choice of a threshold on it.

    Attributes:
        at: false alarms at most, in a unit: 1/night, 1/day, 0.1/h, 2/week.
        night: hours of a night.
        on: thresholds of the curve.
        off: share of `on` below which an event ends; by default that of the untuned thresholds.
        shortest: s; after merging, shorter events are dropped.
        merge: s; events no further apart than this are one.
        unseen: s without a probability over which an event continues.
        most_on: share of the time that false alarms may last at a threshold that is chosen. An
            alarm that is always on misses nothing and is one false alarm, or none. [our choice]
    """

    at: str = "1/night"
    night: float = 8.0
    on: tuple[float, ...] = THRESHOLDS
    off: float = round(Hysteresis.off / Hysteresis.on, 4)
    shortest: float = Hysteresis.shortest
    merge: float = Hysteresis.merge
    unseen: float = Hysteresis.unseen
    most_on: float = 0.05

    def __post_init__(self) -> None:
        if not (self.on and 0 < self.off <= 1 and 0 < self.most_on <= 1):
            raise UserError(
                f"{len(self.on)} thresholds, off={self.off:g}, most_on={self.most_on:g}; give at"
                " least one threshold, and shares above 0 and at most 1"
            )

    def cells(self) -> list[Hysteresis]:
        """The thresholds and durations along the curve, from the lowest threshold."""
        times = {name: getattr(self, name) for name in ("shortest", "merge", "unseen")}
        return [Hysteresis(on, on * self.off, **times) for on in sorted(set(self.on))]


def alarm_curves(
    traces: Mapping[Trace, Sequence[AnnotatedTrace]],
    options: CurveOptions | None = None,
    tolerances: Tolerances | None = None,
    draws: int = 2000,
    seed: int = 0,
) -> dict[str, Any]:
    """The curve of every sign over all thresholds; the threshold for the wanted rate, chosen for
    each participant on the others, and what it achieves on those whom it was not chosen on; the
    same by type. JSON-safe.

    Args:
        traces: (task, level) -> its recordings; `types` of them divide events or recordings.
        options: thresholds, and the wanted rate.
        tolerances: when an event counts as detected.
        draws: bootstrap samples of participants for the intervals.
        seed: of the bootstrap.

    Raises:
        UserError: options that are not possible, as `find_events` and `score_events`.
    """
    options, tolerances = options or CurveOptions(), tolerances or Tolerances()
    rate, cells = Rate.read(options.at, options.night), options.cells()
    if draws < 0:
        raise UserError(f"draws={draws}; give the number of bootstrap samples, 0 for no intervals")
    everything = {one.clip_id: one for recordings in traces.values() for one in recordings}
    annotated = any(one.truth for recordings in traces.values() for one in recordings)
    signs, left_out = {}, []
    for (task, level), recordings in traces.items():
        if annotated and not any(one.truth for one in recordings):
            left_out.append(f"{task} {level}")
            continue
        signs[f"{task} {level}"] = {"task": task, "level": level} | _sign(
            recordings, cells, rate, options, tolerances, draws, seed
        )
    return {
        "at": asdict(rate) | {"per_hour": rate.per_hour},
        "night_hours": options.night,
        "rule": RULE,
        "most_on": options.most_on,
        "tolerances": asdict(tolerances),
        "recordings": len(everything),
        "participants": len({one.participant_id for one in everything.values()}),
        "hours": sum(one.duration for one in everything.values()) / 3600,
        "draws": draws,
        "seed": seed,
        "signs": signs,
        "without_events": left_out,
    }


def count_alarms(
    recording: AnnotatedTrace, cells: Sequence[Hysteresis], tolerances: Tolerances
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Counts of one recording at every threshold, (cell + 1, count), the last of them without any
    alarm; and the same of each type of its annotated events, whose hits alone have a meaning: a
    false alarm has no type.
    """
    parts = own_times(recording.windows)
    types: dict[str, list[Event]] = {}
    if not isinstance(recording.types, str):
        for event, kind in zip(recording.truth, recording.types or []):
            types.setdefault(kind, []).append(event)
    truths = [recording.truth, *types.values()]
    counts = np.zeros((len(truths), len(cells) + 1, len(COUNTS)))
    before: list[Event] | None = None
    for place, cell in enumerate([*cells, None]):
        alarms = find_spans(parts, cell, "alarm") if cell else []
        for row, truth in enumerate(truths):
            counts[row, place] = (
                counts[row, place - 1]
                if alarms == before
                else score_events(truth, alarms, recording.duration, tolerances).counts.array()
            )
        before = alarms
    return counts[0], dict(zip(types, counts[1:]))


def choose_threshold(counts: np.ndarray, per_hour: float, most_on: float) -> int:
    """Index of the threshold for a wanted rate, from counts (cell, count) by ascending threshold,
    the last without alarms.

    It is the lowest one at which, *and above which*, the rate is at most the wanted one and false
    alarms last at most `most_on` of the time. As sensitivity never rises with the threshold, no
    other of these has a higher one. The second condition is there because few false alarms at a low
    threshold are long ones.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        share = counts[:, COUNTS.index("false_seconds")] / counts[:, 0]
    rate = figures(counts)["false_alarms_per_hour"]
    above = np.flatnonzero((rate > per_hour * (1 + 1e-9)) | (share > most_on + 1e-9))
    return int(above[-1]) + 1 if len(above) else 0


def _sign(
    recordings: Sequence[AnnotatedTrace],
    cells: list[Hysteresis],
    rate: Rate,
    options: CurveOptions,
    tolerances: Tolerances,
    draws: int,
    seed: int,
) -> dict[str, Any]:
    """Curve, choice and types of one sign."""
    counted = [count_alarms(recording, cells, tolerances) for recording in recordings]
    counts = np.stack([whole for whole, _ in counted], axis=1)  # (cell, recording, count)
    people = np.array([recording.participant_id for recording in recordings])
    cohort = _Cohort(people, draws, seed, options.night)
    true = np.array([bool(recording.truth) for recording in recordings])
    hours = counts[0, :, 0] / 3600
    found: dict[str, Any] = {
        "recordings": len(recordings),
        "participants": len(cohort.names),
        "participants_with_events": len(set(people[true])),
        "events": int(counts[0, :, 1].sum()),
        "hours": hours.sum(),
        "hours_with_events": hours[true].sum(),
        "hours_without_events": hours[~true].sum(),
        "hours_assessable": sum(
            float(np.diff(parts[np.isfinite(parts[:, 2]), :2], axis=1).sum())
            for parts in (own_times(recording.windows) for recording in recordings)
        )
        / 3600,
        "curve": cohort.curve(counts, cells, true),
        "other_rates": [],
        "chosen": None,
        "people": [],
    }
    chosen: list[int] | None = None
    if found["events"] and len(cohort.names) > 1:
        by_person = cohort.member @ counts
        for times in TIMES:
            most = times * rate.per_hour
            chosen_on = partial(choose_threshold, per_hour=most, most_on=options.most_on)
            these, evaluated = evaluate_on_others(
                by_person, chosen_on, cohort.names, cohort.weights
            )
            row = cohort.flat(evaluated) | _range(cells, these)
            wanted = {"wanted": times * rate.number, "unit": rate.unit}
            found["other_rates"].append(wanted | row)
            if times == 1:
                chosen = these
                everyone = choose_threshold(by_person.sum(1), most, options.most_on)
                own = cohort.at(counts, chosen)
                found["people"] = cohort.people_rows(own, cells, chosen)
                found["evaluated"] = evaluated
                found["chosen"] = (
                    row
                    | cohort.split(own, true)
                    | {
                        "by_participant": _by_participant(found["people"]),
                        "thresholds": asdict(cells[everyone]) if everyone < len(cells) else None,
                    }
                )
    found["types"] = {}
    for kind, (which, typed) in _types(recordings, [own for _, own in counted], counts).items():
        part = _Cohort(people[which], draws, seed, options.night)
        hits_only = typed is not counts
        found["types"][kind] = {
            "of": "events" if hits_only else "recordings",
            "curve": part.curve(typed[:, which], cells, true[which], hits_only),
            "chosen": None
            if chosen is None
            else part.row(cohort.at(typed, chosen)[which], hits_only),
        }
    return found


class _Cohort:
    """Sums counts of recordings by participant, and gives figures with intervals."""

    def __init__(self, people: np.ndarray, draws: int, seed: int, night: float) -> None:
        self.people, self.night = people, night
        self.names: list[str] = sorted(set(people.tolist()))
        self.weights = draw_participants(len(self.names), draws, seed)
        self.member = (np.array(self.names)[:, None] == people).astype(float)

    def row(self, counts: np.ndarray, hits_only: bool = False) -> dict[str, Any]:
        """Counts (recording, count) as a row of a table; `hits_only` where those of false alarms
        have no meaning.
        """
        evaluated = evaluate_counts(self.member @ counts, self.weights, self.names)
        return self.flat(evaluated, hits_only)

    def flat(self, evaluated: Mapping[str, Any], hits_only: bool = False) -> dict[str, Any]:
        """What `evaluate_counts` returns as a row of a table."""
        counts = evaluated["counts"]
        row = {
            "events": counts["events"],
            "hits": counts["hits"],
            "hours": counts["duration"] / 3600,
            "false_alarms": None if hits_only else counts["false_alarms"],
            "in_false_alarm": None if hits_only else counts["false_seconds"] / counts["duration"],
        }
        for name, figure in MEASURES.items():
            for end in ("value", "low", "high"):
                value = evaluated["figures"][figure][end]
                left_out = hits_only and name != "sensitivity"
                row[name if end == "value" else f"{name}_{end}"] = None if left_out else value
        for end in ("", "_low", "_high"):
            hourly = row[f"per_hour{end}"]
            row[f"per_night{end}"] = None if hourly is None else hourly * self.night
        return row

    def split(self, counts: np.ndarray, true: np.ndarray) -> dict[str, Any]:
        """False alarms an hour in recordings with and in those without annotated events."""
        rates = {}
        for name, which in (("with_events", true), ("without_events", ~true)):
            hours = counts[which, 0].sum() / 3600
            false = counts[which, COUNTS.index("false_alarms")].sum()
            rates[f"per_hour_{name}"] = float(false / hours) if hours else None
        return rates

    def curve(
        self,
        counts: np.ndarray,
        cells: Sequence[Hysteresis],
        true: np.ndarray,
        hits_only: bool = False,
    ) -> list[dict[str, Any]]:
        """One row a threshold, from (cell, recording, count)."""
        rows: list[dict[str, Any]] = []
        for place, cell in enumerate(cells):
            row = {"on": cell.on, "off": cell.off}
            if place and np.array_equal(counts[place], counts[place - 1]):
                row = rows[-1] | row
            else:
                row |= self.row(counts[place], hits_only)
                row |= {} if hits_only else self.split(counts[place], true)
            rows.append(row)
        return rows

    def at(self, counts: np.ndarray, chosen: Sequence[int]) -> np.ndarray:
        """(recording, count) from (cell, recording, count), at the cell of each participant."""
        cell = dict(zip(self.names, chosen))
        return np.stack(
            [counts[cell[person], place] for place, person in enumerate(self.people.tolist())]
        )

    def people_rows(
        self, own: np.ndarray, cells: Sequence[Hysteresis], chosen: Sequence[int]
    ) -> list[dict[str, Any]]:
        """One row a participant, with the recording that has most false alarms: the worst night."""
        rows = []
        for name, cell in zip(self.names, chosen):
            counts = own[self.people == name]
            total, false = counts.sum(0), counts[:, COUNTS.index("false_alarms")]
            worst = counts[int(np.lexsort((counts[:, 0], -false))[0])]
            per_hour = float(figures(total)["false_alarms_per_hour"])
            rows.append(
                {
                    "participant_id": name,
                    "on": cells[cell].on if cell < len(cells) else None,
                    "recordings": len(counts),
                    "hours": total[0] / 3600,
                    "events": int(total[1]),
                    "hits": int(total[2]),
                    "false_alarms": int(total[3]),
                    "per_hour": per_hour,
                    "per_day": 24 * per_hour,
                    "per_night": self.night * per_hour,
                    "worst_false_alarms": int(worst[3]),
                    "worst_hours": worst[0] / 3600,
                }
            )
        return rows


def _range(cells: Sequence[Hysteresis], chosen: Sequence[int]) -> dict[str, Any]:
    """The lowest and highest threshold that was chosen, and for how many there was none."""
    on = [cells[cell].on for cell in chosen if cell < len(cells)]
    return {
        "on_lowest": min(on, default=None),
        "on_highest": max(on, default=None),
        "never": len(chosen) - len(on),
    }


def _by_participant(people: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Figures that are averaged over participants rather than pooled, as SzCORE gives them."""
    rates = [row["per_hour"] for row in people]
    return {
        "sensitivity_mean": float(
            np.mean([row["hits"] / row["events"] for row in people if row["events"]])
        ),
        "per_hour_mean": float(np.mean(rates)),
        "per_hour_median": float(np.median(rates)),
    }


def _types(
    recordings: Sequence[AnnotatedTrace],
    typed: Sequence[Mapping[str, np.ndarray]],
    counts: np.ndarray,
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Type -> the recordings (recording,) of bool that it is about, and their counts (cell,
    recording, count): of its events, or `counts` where the recordings have types.
    """
    found = {}
    none = np.zeros_like(counts[:, 0])
    for kind in sorted({kind for own in typed for kind in own} - {""}):
        which = np.array([kind in own for own in typed])
        found[kind] = which, np.stack([own.get(kind, none) for own in typed], axis=1)
    groups = [one.types if isinstance(one.types, str) else "" for one in recordings]
    for kind in sorted(set(groups) - {""}):
        found[kind] = np.array([group == kind for group in groups]), counts
    return found


def write_curves(out: str | Path, found: Mapping[str, Any]) -> None:
    """Write the result of `alarm_curves`: curve.json, curve.tsv (one row a threshold), chosen.tsv
    (one row a wanted rate), people.tsv, curve.png, curve.svg, and thresholds.json if thresholds
    were chosen.

    Raises:
        UserError: one of these is there already, as `files.atomic_path`.
    """
    out = Path(out)
    refuse_existing([out / name for name in WRITTEN])
    begin_folder(out, below=False)
    tables: dict[str, list[dict[str, Any]]] = {"curve": [], "chosen": [], "people": []}
    for own in found["signs"].values():
        named = {"sign": own["task"], "level": own["level"]}
        tables["curve"] += [named | {"type": "all"} | row for row in own["curve"]]
        tables["chosen"] += [named | row for row in own["other_rates"]]
        tables["people"] += [named | row for row in own["people"]]
        for kind, about in own["types"].items():
            tables["curve"] += [named | {"type": kind} | row for row in about["curve"]]
    for name, rows in tables.items():
        if rows:
            write_table(out / f"{name}.tsv", pd.DataFrame(rows))
    write_json(out / "curve.json", found)
    for ending in ("png", "svg"):
        draw_curves(out / f"curve.{ending}", found)
    if tuned := _thresholds(found):
        write_thresholds(out / "thresholds.json", tuned)


def _thresholds(found: Mapping[str, Any]) -> dict[str, Any] | None:
    """The content of thresholds.json, as `tune` returns it; None if no threshold was chosen."""
    signs: dict[str, dict[str, Any]] = {}
    expected = {}
    for name, own in found["signs"].items():
        if own["chosen"] and own["chosen"]["thresholds"]:
            signs.setdefault(own["task"], {})[own["level"]] = own["chosen"]["thresholds"]
            expected[name] = own["evaluated"]
    if not signs:
        return None
    about = {name: found[name] for name in ("recordings", "participants", "hours")}
    kept = {name: found[name] for name in ("at", "rule", "most_on", "tolerances")}
    return {"signs": signs, "tuned_on": about, "expected": expected} | kept


def text(found: Mapping[str, Any]) -> str:
    """Tables and sentences for the terminal."""
    at = found["at"]
    lines = [
        (
            f"{found['recordings']} recordings of {found['participants']} participants,"
            f" {found['hours']:.2f} h; {tolerances_text(found['tolerances'])}; a night is"
            f" {found['night_hours']:g} h"
        )
    ]
    for name, own in found["signs"].items():
        lines += ["", f"{name}: {own['events']} events of {own['participants_with_events']} people"]
        if own["other_rates"]:
            head = (f"wanted a {at['unit']}", f"false alarms a {at['unit']}", "sensitivity", "on")
            lines.append("  {:<16}{:<24}{:<22}{}".format(*head))
        for row in own["other_rates"]:
            cells = f"at most {row['wanted']:g}", _rate(row, at), _value(row, "sensitivity")
            lines.append("  {:<16}{:<24}{:<22}".format(*cells) + _chosen_on(row))
        lines += [f"  {sentence}" for sentence in [*_achieved(own, at), *_cannot(own, at)]]
    lines += [f"{name}: no annotated event, no curve" for name in found["without_events"]]
    return "\n".join(lines)


def _value(row: Mapping[str, Any], name: str, times: float = 1.0) -> str:
    """A measure and its interval, as "0.85 [0.60, 0.95]"."""
    value, low, high = (
        None if row[f"{name}{end}"] is None else times * row[f"{name}{end}"]
        for end in ("", "_low", "_high")
    )
    return show(value) + ("" if low is None else f" [{show(low)}, {show(high)}]")


def _rate(row: Mapping[str, Any], at: Mapping[str, Any]) -> str:
    return _value(row, "per_hour", at["hours"])


def _chosen_on(row: Mapping[str, Any]) -> str:
    low, high = row["on_lowest"], row["on_highest"]
    if low is None:
        return "none"
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _achieved(own: Mapping[str, Any], at: Mapping[str, Any]) -> list[str]:
    """What the threshold for the wanted rate does, in sentences."""
    chosen, unit = own["chosen"], at["unit"]
    if chosen is None:
        return []
    rate, high = (
        None if chosen[name] is None else at["hours"] * chosen[name]
        for name in ("per_hour", "per_hour_high")
    )
    kept = "more than wanted" if rate > at["number"] * (1 + 1e-9) else "as wanted"
    if kept == "as wanted" and high is not None and high > at["number"]:
        kept += ", though by its interval other people may have more"
    lines = [
        f"Wanted: at most {at['text']}. Each participant is scored with the threshold that was"
        " chosen on the others:",
        f"{chosen['hits']} of {chosen['events']} events found, sensitivity"
        f" {_value(chosen, 'sensitivity')}; {_rate(chosen, at)} false alarms a {unit}: {kept}.",
    ]
    split = [
        f"{at['hours'] * chosen[f'per_hour_{key}']:.2f} in recordings {key.replace('_', ' ')}"
        for key in ("with_events", "without_events")
        if chosen[f"per_hour_{key}"] is not None
    ]
    lines.append(
        f"False alarms a {unit}: {', '.join(split)}; they last"
        f" {100 * chosen['in_false_alarm']:.2g} % of the time."
    )
    people = own["people"]
    mean = chosen["by_participant"]
    lines.append(
        f"By participant: mean sensitivity {show(mean['sensitivity_mean'])}, mean"
        f" {show(at['hours'] * mean['per_hour_mean'])} and median"
        f" {show(at['hours'] * mean['per_hour_median'])} false alarms a {unit}."
    )
    within = sum(row["per_hour"] <= at["per_hour"] * (1 + 1e-9) for row in people)
    worst = max(people, key=lambda row: row["per_hour"])
    night = max(people, key=lambda row: row["worst_false_alarms"])
    lines.append(
        f"{within} of {len(people)} participants have at most {at['text']}; the one with most has"
        f" {at['hours'] * worst['per_hour']:.2f} a {unit}; the worst recording has"
        f" {night['worst_false_alarms']} in {night['worst_hours']:.2f} h."
    )
    for kind, about in own["types"].items():
        row = about["chosen"]
        alarms = "" if about["of"] == "events" else f"; {_rate(row, at)} false alarms a {unit}"
        lines.append(
            f"{kind}: {row['hits']} of {row['events']} events found, sensitivity"
            f" {_value(row, 'sensitivity')}{alarms}"
        )
    if chosen["never"]:
        lines.append(
            f"For {chosen['never']} of {len(people)} participants no threshold keeps the others at"
            " the wanted rate; they are scored without any alarm."
        )
    lines.append(
        f"thresholds.json: on {chosen['thresholds']['on']:g}, chosen in the same way on all."
        if chosen["thresholds"]
        else "No threshold keeps all participants together at the wanted rate: none is written."
    )
    return lines


def _cannot(own: Mapping[str, Any], at: Mapping[str, Any]) -> list[str]:
    """What these recordings cannot show, in sentences."""
    lines = []
    if not own["events"]:
        lines.append(
            "No annotated event: sensitivity cannot be given and no threshold is chosen; the curve"
            " holds false alarms only."
        )
    elif own["participants"] > 1 and own["participants_with_events"] == 1:
        lines.append("All events are of one participant: the sensitivity is this person's.")
    if own["participants"] == 1:
        lines.append(
            "One participant: there are no others to choose a threshold on, and no intervals; no"
            " threshold is chosen. The curve is this person's."
        )
    if own["events"] and not own["hours_without_events"]:
        lines.append(
            "Every recording has an event: false alarms in nights without seizures cannot be given."
        )
    if own["chosen"] and (
        reason := own["evaluated"]["figures"]["false_alarms_per_hour"].get("reason")
    ):
        lines.append(f"The rate of false alarms has no interval: {reason}.")
    if own["hours"] < UPPER_OF_NONE / at["per_hour"]:
        lines.append(
            f"{own['hours']:.2f} h are too few for {at['text']}: without any false alarm the rate"
            f" could still be {at['hours'] * UPPER_OF_NONE / own['hours']:.2f} a {at['unit']};"
            f" {UPPER_OF_NONE / at['per_hour']:.0f} h are needed to show it."
        )
    missing = own["hours"] - own["hours_assessable"]
    if missing > 0.01 * own["hours"]:
        lines.append(
            f"{missing:.2f} of {own['hours']:.2f} h have no probability; they count as time without"
            " alarms, and events in them as missed."
        )
    return lines
