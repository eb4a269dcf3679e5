"""How raters and models agree on the events of a sign: over time, by event, on onset and offset.

Over time, every moment of the recordings that both raters watched is one that each of them marked
or did not mark. Cohen's kappa (1960, Educational and Psychological Measurement 20:37 [P]) is
computed of the durations themselves, which is the limit of ever shorter bins. Its chance agreement
is that of two raters who mark as much time each as they did, over all recordings together, but at
times that have nothing to do with each other. Of more than two raters it is Fleiss' kappa (1971
[P]). Neighbouring moments are no independent observations: intervals are by participant alone.

By event, two events match where they overlap or are nearer to each other than a tolerance, as in
`score_events` with this tolerance before and after. The positive agreement is the share of all
events of both that match. Differences of onset and offset are those of events assigned to each
other, one to one.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semiology.data.events import Event
from semiology.errors import UserError
from semiology.evaluation.agreement.coefficients import (
    REPEATED,
    fleiss_kappa,
    gwet_ac1,
    weighted_kappa,
)
from semiology.evaluation.agreement.comparisons import with_closed_form
from semiology.evaluation.agreement.pairs import (
    COLUMNS,
    LIMITS,
    Estimate,
    Paired,
    estimate,
    formatted,
    undefined,
)
from semiology.evaluation.agreement.run import write_rows
from semiology.evaluation.statistics.intervals import METHOD, draw_participants, resampled_median
from semiology.evaluation.statistics.metrics import Array
from semiology.evaluation.statistics.tables import show
from semiology.files import refuse_existing, write_json
from semiology.timeline.events.raters import Raters, of_sign, pairs_of
from semiology.timeline.events.scoring import (
    Spans,
    assigned,
    merged,
    overlapping,
    seconds_of,
    shared_seconds,
    spans_of,
)

# s; marks that persons make while watching are good to some tenths of a second [our choice]
TOLERANCE = 0.5
FIRST, SECOND = np.array([1.0, 1, 0, 0]), np.array([1.0, 0, 1, 0])  # who marked the four cells
NUMBER = np.array(
    [[0, 0, 1], [0, 1, 0], [0, 1, 0], [1, 0, 0.0]]
)  # cell -> how many marked: 0, 1, 2
EVERYBODY = ("all", "raters")  # as in `evaluation.agreement`
TIME = ("time_kappa", "time_ac1", "time_positive_agreement")
FIGURE_NAMES = {
    "time_kappa": "kappa over time",
    "time_ac1": "Gwet's AC1 over time",
    "time_positive_agreement": "positive agreement, time",
    "event_agreement": "positive agreement, events",
}


@dataclass(frozen=True)
class Marked:
    """What one rater marked of one sign in one recording.

    Attributes:
        spans: (event, 2) onset and offset, s, ascending; those that overlap are one. An event
            without an end ends at its onset.
        ended: (event,) of bool: which have a known end.
        joined: how many events were joined to another.
    """

    spans: Spans
    ended: NDArray[np.bool_]
    joined: int

    @property
    def lasts(self) -> NDArray[np.bool_]:
        """(event,) which have a known end after their onset."""
        return self.spans[:, 1] > self.spans[:, 0]

    @classmethod
    def of(cls, events: Sequence[Event], length: float | None, who: str) -> "Marked":
        """From events of one sign; raises as `spans_of`."""
        end = math.inf if length is None else length
        known = [event for event in events if event.duration is not None]
        closed = merged(spans_of(known, end, who))
        onsets = [event.onset for event in events if event.duration is None]
        opened = np.array([[onset, onset] for onset in onsets], float).reshape(-1, 2)
        spans = np.concatenate([closed, opened])
        order = np.argsort(spans[:, 0], kind="stable")
        ended = np.arange(len(spans)) < len(closed)
        return cls(spans[order], ended[order], len(known) - len(closed))


@dataclass(frozen=True)
class Compared:
    """Two raters' marks of one sign, summed by participant.

    Attributes:
        seconds: (participant, 4) s that both, the first alone, the second alone, neither marked.
        events: (participant, 4) events of the first and of the second, and how many of these match.
        ends: "onset" and "offset" -> (pair, 3): of the second, of the first, code of the
            participant.
        recordings: number of them, of which `timed` have figures over time.
        counts: events that are special, by name.
    """

    seconds: Array
    events: Array
    ends: dict[str, Array]
    recordings: int
    timed: int
    counts: dict[str, int]


def compare(
    raters: Raters, pair: Sequence[str], sign: str, tolerance: float, clips: Sequence[str]
) -> Compared:
    """Two raters' marks of one sign in some recordings that both watched."""
    names = sorted({raters.participants[clip_id] for clip_id in clips})
    people = {name: code for code, name in enumerate(names)}
    seconds, events = np.zeros((len(people), 4)), np.zeros((len(people), 4))
    ends: dict[str, list[tuple[float, float, int]]] = {"onset": [], "offset": []}
    counts = dict.fromkeys(("instants", "without_end", "joined", "without_time"), 0)
    for clip_id in clips:
        who, length = people[raters.participants[clip_id]], raters.lengths[clip_id]
        one, other = (_marked(raters, rater, clip_id, sign) for rater in pair)
        for marked in (one, other):
            counts["instants"] += int((marked.ended & ~marked.lasts).sum())
            counts["without_end"] += int((~marked.ended).sum())
            counts["joined"] += marked.joined
        if (cells := _cells(one, other, length)) is None:
            counts["without_time"] += 1
        else:
            seconds[who] += cells
        near = overlapping(one.spans + np.array([-tolerance, tolerance]), other.spans)
        events[who] += [*near.shape, near.any(axis=1).sum(), near.any(axis=0).sum()]
        for mine, theirs in assigned(near):
            ends["onset"].append((other.spans[theirs, 0], one.spans[mine, 0], who))
            if one.lasts[mine] and other.lasts[theirs]:
                ends["offset"].append((other.spans[theirs, 1], one.spans[mine, 1], who))
    return Compared(
        seconds,
        events,
        {end: np.array(rows, float).reshape(-1, 3) for end, rows in ends.items()},
        len(clips),
        len(clips) - counts["without_time"],
        counts,
    )


def _marked(raters: Raters, rater: str, clip_id: str, sign: str) -> Marked:
    own = of_sign(raters.events[rater][clip_id], sign)
    return Marked.of(own, raters.lengths[clip_id], f"{clip_id}: {rater}'s")


def _cells(one: Marked, other: Marked, length: float | None) -> list[float] | None:
    """s that both, the first alone, the second alone, and neither marked; None of a recording of
    unknown length, or with a mark of unknown length.
    """
    if length is None or not (one.ended.all() and other.ended.all()):
        return None
    first, second = one.spans.clip(0, length), other.spans.clip(0, length)
    both = shared_seconds(first, second)
    alone = [max(seconds_of(spans) - both, 0.0) for spans in (first, second)]
    return [both, *alone, max(length - both - sum(alone), 0.0)]


def by_number(spans: Sequence[Spans], length: float) -> Array:
    """(rater + 1,) s in which 0, 1, ... all of the raters have a mark.

    Args:
        spans: of each rater, which do not overlap among themselves.
        length: s, of the recording.
    """
    steps = np.concatenate(
        [[[0.0, 0], [length, 0]]]
        + [
            np.stack([one.clip(0, length)[:, end], np.full(len(one), 1 - 2 * end)], 1)
            for one in spans
            for end in (0, 1)
        ]
    )
    steps = steps[np.argsort(steps[:, 0], kind="stable")]
    number = np.cumsum(steps[:, 1])[:-1].astype(int)
    return np.bincount(number, np.diff(steps[:, 0]), len(spans) + 1).astype(float)


def agree_events(
    raters: Raters, tolerance: float = TOLERANCE, draws: int = 2000, seed: int = 0
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Agreement of all pairs of raters on every sign that one of the two marked, and of all raters
    where there are more than two.

    Args:
        raters: of `read_raters`.
        tolerance: s; events nearer to each other than this match.
        draws: bootstrap samples of participants for the intervals; below 2: no intervals.
        seed: of the bootstrap.

    Returns:
        Figures, a row a sign, pair and figure; and the content of agreement.json.

    Raises:
        UserError: a tolerance, draws or seed below 0, one rater only, no recording that two
            watched, no mark at all, a mark that begins after its recording's end.
    """
    if not (math.isfinite(tolerance) and tolerance >= 0) or draws < 0 or seed < 0:
        raise UserError(
            f"tolerance={tolerance:g}, draws={draws}, seed={seed}: none may be negative"
        )
    groups = pairs_of(raters)
    if not raters.signs(raters.events):
        raise UserError("no rater marked anything; there is no sign to compare")
    rows: list[dict[str, Any]] = []
    counted: list[dict[str, Any]] = []
    notes = [*raters.notes, *_not_watched(raters, groups)]
    for group in groups:
        clips = raters.watched(group)
        for sign in raters.signs(group):
            pairs = {
                pair: compare(raters, pair, sign, tolerance, clips)
                for pair in combinations(group, 2)
            }
            if len(group) == 2:
                found, counts = _of_pair(group, pairs[group], draws, seed)
                notes += _remarks(group, sign, counts)
            else:
                found, counts = _of_all(
                    raters, group, sign, list(pairs.values()), clips, draws, seed
                )
            rows += [{"sign": sign, **asdict(one)} for one in found]
            counted.append({"sign": sign, **counts})
    return rows, {
        "raters": {rater: len(own) for rater, own in raters.events.items()},
        "participants": raters.people,
        "tolerance_s": tolerance,
        "difference": "second minus first, s: positive where the second marked later",
        "interval": f"95 % {METHOD}, unless the figure's own method says otherwise",
        "draws": draws,
        "seed": seed,
        "counts": counted,
        "figures": rows,
        "notes": notes,
    }


def _cohen(cells: Array) -> Array:
    """Cohen's kappa from (draw, 4) both, the first alone, the second alone, neither."""
    return weighted_kappa(FIRST, SECOND, cells, 1)


def _positive(cells: Array) -> Array:
    """2 x both over all that each marked, from (draw, 3) both, and alone."""
    return 2 * cells[:, 0] / (2 * cells[:, 0] + cells[:, 1] + cells[:, 2])


def _matched(events: Array) -> Array:
    """Matched events of both over all events of both, from (draw, 4)."""
    return events[:, 2:].sum(1) / events[:, :2].sum(1)


@dataclass(frozen=True)
class Measure:
    """A figure of sums over participants.

    Attributes:
        figure: (draw, sum) -> (draw,) values.
        sums: (participant, sum) s or events.
        behind: participants in whom somebody marked the sign.
        rows: number of recordings, or of events.
        lowest: the least value.
        how: what it is, for the method.
    """

    figure: Callable[[Array], Array]
    sums: Array
    behind: int
    rows: int
    lowest: float = -1.0
    how: str = ""

    def __call__(self, weights: Array) -> Array:
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.figure(weights @ self.sums)


def _estimates(
    names: tuple[str, str], measures: Mapping[str, "Measure"], draws: int, seed: int, no_time: str
) -> list[Estimate]:
    """Estimates of measures of the same participants, by name. Those over time may have none, with
    a reason.
    """
    found = []
    weights = draw_participants(len(next(iter(measures.values())).sums), draws, seed)
    for name, measure in measures.items():
        about = ("inter-rater", *names, name)
        if no_time and name in TIME:
            found.append(undefined(about, len(measure.sums), measure.rows, no_time))
            continue
        why = "nobody marked it" if name == "event_agreement" else "all marked all of the time"
        found.append(
            estimate(
                about,
                measure,
                weights,
                measure.rows,
                coefficient=True,
                lowest=measure.lowest,
                behind=measure.behind,
                how=measure.how,
                why=why,
            )
        )
    return found


def _of_pair(
    names: tuple[str, str], compared: Compared, draws: int, seed: int
) -> tuple[list[Estimate], dict[str, Any]]:
    """Figures and counts of two raters and one sign."""
    seconds, events = compared.seconds, compared.events
    no_time = _why_no_time(compared.timed, seconds[:, :3].sum())
    timed, behind = compared.timed, int(events[:, :2].any(axis=1).sum())
    measures = {
        "time_kappa": Measure(_cohen, seconds, behind, timed, how="Cohen's kappa of durations"),
        "time_ac1": Measure(
            lambda cells: gwet_ac1(cells @ NUMBER), seconds, behind, timed, how="AC1 of durations"
        ),
        "time_positive_agreement": Measure(_positive, seconds, behind, timed, 0.0, "of durations"),
        "event_agreement": Measure(_matched, events, behind, int(events[:, :2].sum()), 0.0),
    }
    found = _estimates(names, measures, draws, seed, no_time)
    for end, rows in compared.ends.items():
        found += _differences(names, end, rows, draws, seed)
    both, first, second, neither = seconds.sum(0)
    total = events.sum(0).astype(int)
    return found, {
        "first": names[0],
        "second": names[1],
        "recordings": compared.recordings,
        "recordings_with_time": compared.timed,
        "participants": len(seconds),
        "seconds": {
            "both": round(both, 3),
            "first_alone": round(first, 3),
            "second_alone": round(second, 3),
            "neither": round(neither, 3),
        },
        "events": dict(zip(("first", "second", "first_matched", "second_matched"), total.tolist())),
        **compared.counts,
    }


def _why_no_time(timed: int, seconds: float) -> str:
    if not timed:
        return "no recording with a known length, in which all marks have an end"
    return "" if seconds > 0 else "there are instants only, which have no time, or no marks"


def _differences(
    names: tuple[str, str], end: str, rows: Array, draws: int, seed: int
) -> list[Estimate]:
    """Median, mean and limits of agreement of an end of matched events, second minus first."""
    wanted = ("median", *LIMITS)
    about = {name: ("inter-rater", *names, f"{end}_{name}") for name in wanted}
    if not len(rows):
        reason = f"no matched events{'' if end == 'onset' else ' with a duration'}"
        return [undefined(about[name], 0, 0, reason) for name in wanted]
    _, codes = np.unique(rows[:, 2], return_inverse=True)
    later, earlier = np.round(rows[:, :2], 6).T  # s; what differs by less is equal
    pair = Paired(later, earlier, codes)
    weights = draw_participants(pair.participants, draws, seed)
    measures = {"median": partial(resampled_median, pair.difference, codes)} | {
        name: partial(pair.figure, name) for name in LIMITS
    }
    found = {
        name: estimate(
            about[name],
            measure,
            weights,
            len(rows),
            how=REPEATED if pair.repeated and name not in ("median", "bias") else "",
            why="one participant only",
        )
        for name, measure in measures.items()
    }
    return list(with_closed_form(found, pair).values())


def _of_all(
    raters: Raters,
    group: Sequence[str],
    sign: str,
    pairs: Sequence[Compared],
    clips: Sequence[str],
    draws: int,
    seed: int,
) -> tuple[list[Estimate], dict[str, Any]]:
    """Figures and counts of all raters and one sign, in the recordings that all watched."""
    people = sorted({raters.participants[clip_id] for clip_id in clips})
    number, timed = np.zeros((len(people), len(group) + 1)), 0
    for clip_id in clips:
        marked = [_marked(raters, rater, clip_id, sign) for rater in group]
        length = raters.lengths[clip_id]
        if length is not None and all(one.ended.all() for one in marked):
            spans = [one.spans for one in marked]
            number[people.index(raters.participants[clip_id])] += by_number(spans, length)
            timed += 1
    events = np.sum([pair.events for pair in pairs], axis=0)
    # of two raters drawn from all: both marked a moment, or only one of them did
    found_by = np.arange(len(group) + 1)
    pairwise = np.stack(
        [found_by * (found_by - 1) / 2, found_by * (len(group) - found_by), 0.0 * found_by], axis=1
    )
    no_time = _why_no_time(timed, number[:, 1:].sum())
    behind = int(events[:, :2].any(axis=1).sum())
    measures = {
        "time_kappa": Measure(
            fleiss_kappa, number, behind, timed, how="Fleiss' kappa of durations"
        ),
        "time_ac1": Measure(gwet_ac1, number, behind, timed, how="AC1 of durations"),
        "time_positive_agreement": Measure(
            lambda sums: _positive(sums @ pairwise),
            number,
            behind,
            timed,
            0.0,
            "of durations, over all pairs",
        ),
        "event_agreement": Measure(
            _matched, events, behind, int(events[:, :2].sum()), 0.0, "over all pairs"
        ),
    }
    found = _estimates(EVERYBODY, measures, draws, seed, no_time)
    return found, {
        "first": EVERYBODY[0],
        "second": EVERYBODY[1],
        "recordings": len(clips),
        "recordings_with_time": timed,
        "participants": len(people),
        "seconds_by_number_of_raters": [round(value, 3) for value in number.sum(0).tolist()],
    }


def _not_watched(raters: Raters, groups: Sequence[Sequence[str]]) -> list[str]:
    everything = len(raters.lengths)
    notes = [
        f"{' and '.join(group)}: {everything - both} of {everything} recordings are without a table"
        " of one of them, and left out"
        for group in groups
        if (both := len(raters.watched(group))) < everything
    ]
    if unknown := sum(length is None for length in raters.lengths.values()):
        notes.append(
            f"{unknown} of {everything} recordings have no stated length, and no figures over time;"
            " give --duration, or import with --videos"
        )
    return notes


def _remarks(group: Sequence[str], sign: str, counts: Mapping[str, Any]) -> list[str]:
    """What a reader has to know of a pair and a sign."""
    what = f"{sign}, {group[0]} and {group[1]}:"
    notes = [
        f"{what} {rater} never marked it: if it was not to be marked, leave it out"
        for rater, own in zip(group, ("first", "second"))
        if not counts["events"][own]
    ]
    if counts["instants"]:
        notes.append(
            f"{what} {counts['instants']} instants: they match by the tolerance, and have no time"
            " and no offset"
        )
    if counts["without_end"]:
        notes.append(
            f"{what} {counts['without_end']} events without an end, which count by their onset;"
            " their recordings have no figures over time"
        )
    if counts["joined"]:
        notes.append(
            f"{what} {counts['joined']} events overlap another by the same rater, and are joined"
            " to it"
        )
    return notes


def write_agreement(
    raters: Raters, out: str | Path, tolerance: float = TOLERANCE, draws: int = 2000, seed: int = 0
) -> dict[str, Any]:
    """`agree_events`, and write agreement.tsv and agreement.json into a folder.

    Raises:
        UserError: one of the two is there already; as `agree_events`.
    """
    paths = [Path(out) / f"agreement.{suffix}" for suffix in ("tsv", "json")]
    refuse_existing(paths)
    rows, document = agree_events(raters, tolerance, draws, seed)
    write_rows(paths[0], rows, ("sign", *COLUMNS))
    write_json(paths[1], document)
    return document


def text(document: Mapping[str, Any]) -> str:
    """The content of agreement.json as tables for the terminal."""
    lines = [
        ", ".join(
            f"{rater} watched {count} recordings" for rater, count in document["raters"].items()
        )
    ]
    for counts in document["counts"]:
        of = counts["sign"], counts["first"], counts["second"]
        sizes = f"{counts['recordings']} recordings of {counts['participants']} participants"
        if "events" in counts:
            found = counts["events"]
            sizes += (
                f"; {found['first_matched']} of {found['first']} events of {of[1]} and"
                f" {found['second_matched']} of {found['second']} of {of[2]} match"
            )
        names = "all raters" if of[1:] == EVERYBODY else f"{of[1]} and {of[2]}"
        rows = {
            row["figure"]: Estimate(**{name: row[name] for name in COLUMNS})
            for row in document["figures"]
            if (row["sign"], row["first"], row["second"]) == of
        }
        lines += ["", f"{of[0]}, {names}: {sizes}", *_figure_lines(rows)]
    return "\n".join(
        [
            *lines,
            "",
            f"Differences are {document['difference']}. Events that overlap or are nearer than"
            f" {document['tolerance_s']:g} s match.",
            f"Participants: {document['participants']}.",
            *(f"note: {note}" for note in document["notes"]),
        ]
    )


def _figure_lines(rows: Mapping[str, Estimate]) -> list[str]:
    """The figures of one sign and pair; what has no value for one reason is one line."""
    names = dict(FIGURE_NAMES)
    if rows["time_kappa"].value is None and rows["time_ac1"].value is None:
        names = {"time_kappa": "over time", "event_agreement": names["event_agreement"]}
    lines = [f"  {words:<28}{formatted(rows[name])}" for name, words in names.items()]
    for end in ("onset", "offset"):
        if f"{end}_median" not in rows or not rows[f"{end}_median"].rows:
            continue
        median = formatted(rows[f"{end}_median"])
        lines.append(f"  {end}, median difference".ljust(30) + f"{median} s")
        bias, low, high = (rows[f"{end}_{name}"] for name in LIMITS)
        limits = f"{show(low.value)} to {show(high.value)} s" if low.value is not None else "none"
        lines.append(
            f"  {end}, mean difference".ljust(30)
            + f"{show(bias.value)} s, limits of agreement {limits}"
        )
    return lines
