"""Which of two signs comes first in a seizure, and whether they overlap.

Each recording is a seizure, or each event of a sign that is named. A sign's onset is its first one
there. By participant, the score is the mean over seizures with both signs of 1 where the first sign
came first, -1 where the second did and 0 where they came together. Null hypothesis: in each
participant, which of the two came first could as well be the other way round, in all of the
participant's seizures at once; then every participant's score has either sign with equal
probability, independently of the others', and p is the two-sided share of all such exchanges in
which the mean score is as far from zero as found (`sign_flip_test`). It is corrected by Holm over
the pairs of one rater. The two sides of a sign are a pair, too.

Several raters are kept apart: their marks are of the same seizures.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from semiology.data.events import Event, is_a
from semiology.errors import UserError
from semiology.evaluation.agreement.pairs import Estimate, estimate, formatted, undefined
from semiology.evaluation.agreement.run import write_rows
from semiology.evaluation.statistics.comparison import holm
from semiology.evaluation.statistics.intervals import METHOD, draw_participants, resampled_median
from semiology.evaluation.statistics.metrics import Array
from semiology.evaluation.statistics.permutation import sign_flip_test
from semiology.files import refuse_existing, write_json
from semiology.timeline.events.agreement import Marked, Measure
from semiology.timeline.events.raters import PAIR, Raters, of_sign, side_of, unknown_sides
from semiology.timeline.events.scoring import overlapping, shared_seconds

PERMUTATIONS = 9999  # all exchanges of 13 participants are computed
NULL = (
    "in each participant, which of the two signs came first is exchanged in all seizures at once;"
    " two-sided p of the mean score over participants, Holm over the pairs of a rater"
)
COLUMNS = (
    *("rater", "first", "second", "participants", "participants_first", "participants_second"),
    *("participants_neither", "seizures", "seizures_first", "seizures_second", "together"),
    *("only_first", "only_second", "score", "p", "p_corrected", "least_p", "exact"),
    *("lag", "lag_low", "lag_high", "overlapping", "overlap_known", "overlap", "overlap_low"),
    *("overlap_high", "overlap_seconds"),
)


@dataclass(frozen=True)
class Seizure:
    """What one rater marked in one seizure.

    Attributes:
        participant: whose seizure it is.
        whose: recording and rater, for messages.
        events: of all signs.
        length: s, of the recording; None where unknown.
    """

    participant: str
    whose: str
    events: list[Event]
    length: float | None


@dataclass(frozen=True)
class Kind:
    """A sign, or one side of it."""

    sign: str
    side: str | None = None

    @property
    def name(self) -> str:
        """As in tables: "clonic", "clonic left"."""
        return " ".join(filter(None, (self.sign, self.side)))

    def of(self, events: Sequence[Event]) -> list[Event]:
        """The events of this kind."""
        own = of_sign(events, self.sign)
        return own if self.side is None else [event for event in own if side_of(event) == self.side]


def order_of_signs(
    raters: Raters,
    *,
    within: str | None = None,
    together: float = 0.0,
    draws: int = 2000,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> dict[str, Any]:
    """Order and overlap of every two signs that one rater marked in one seizure at least, and of
    the two sides of a sign: the content of order.json.

    Args:
        raters: of `read_raters`; one is enough.
        within: a sign whose events are the seizures; a sign belongs to the one in which it begins.
            By default each recording is a seizure.
        together: s; onsets no further apart than this came together.
        draws: bootstrap samples of participants for the intervals; below 2: no intervals.
        permutations: of the test; exact where they are enough for all.
        seed: of both.

    Raises:
        UserError: a number that is negative, an event of `within` without an end, nobody who marked
            two signs in one seizure.
    """
    if not (math.isfinite(together) and together >= 0) or min(draws, permutations, seed) < 0:
        raise UserError(
            f"together={together:g}, draws={draws}, permutations={permutations}, seed={seed}: none"
            " may be negative"
        )
    notes, rows = list(raters.notes), []
    marked = [
        event for own in raters.events.values() for events in own.values() for event in events
    ]
    notes += [note for note in unknown_sides(marked) if note not in notes]
    by_participant: list[dict[str, Any]] = []
    for rater in raters.events:
        seizures, outside = _seizures(raters, rater, within)
        if within is not None and not seizures:
            notes.append(f"{rater}: marked no {within}, and is left out")
        elif outside:
            notes.append(
                f"{rater}: {outside} events begin outside of any {within}, and are left out"
            )
        own, people = [], []
        for pair in _pairs(seizures):
            found, shares = _compare(seizures, pair, together, draws, permutations, seed)
            own.append({"rater": rater, **found})
            people += [{"rater": rater, **share} for share in shares]
        for row, corrected in zip(own, holm([row["p"] for row in own])):
            row["p_corrected"] = corrected
        rows += own
        by_participant += people
        if own and (few := min(row["least_p"] for row in own)) > 0.05:
            ties = all(row["participants_neither"] == row["participants"] for row in own)
            notes.append(
                f"{rater}: all participants with two signs are ties, in whom neither came first"
                " more often: p is 1; read the counts"
                if ties
                else f"{rater}: too few participants have two signs, one of which came first more"
                f" often, for any p below {few:.3g}; read the counts"
            )
    if not rows:
        where = "in one recording" if within is None else f"while there is {within}"
        raise UserError(f"no rater marked two signs {where}; there is no order to compare")
    return {
        "raters": {rater: len(own) for rater, own in raters.events.items()},
        "participants": raters.people,
        "seizures": f"events of {within}" if within else "recordings",
        "together_s": together,
        "null": NULL,
        "interval": f"95 % {METHOD}, unless the figure's own method says otherwise",
        "draws": draws,
        "permutations": permutations,
        "seed": seed,
        "pairs": rows,
        "by_participant": by_participant,
        "notes": notes,
    }


def _seizures(raters: Raters, rater: str, within: str | None) -> tuple[list[Seizure], int]:
    """The seizures that a rater watched, and how many events are in none."""
    seizures: list[Seizure] = []
    outside = 0
    for clip_id, events in raters.events[rater].items():
        who, length = raters.participants[clip_id], raters.lengths[clip_id]
        if within is None:
            seizures.append(Seizure(who, f"{clip_id}: {rater}'s", events, length))
            continue
        signs = [event for event in events if not is_a(event.sign, within)]
        try:
            bounds = [(one.onset, one.offset) for one in of_sign(events, within)]
        except UserError as error:
            raise UserError(f"{clip_id}: {rater}: {error}") from error
        inside: set[int] = set()
        for begin, end in bounds:
            own = [number for number, event in enumerate(signs) if begin <= event.onset <= end]
            own = [number for number in own if number not in inside]
            inside.update(own)
            events_in = [signs[number] for number in own]
            seizures.append(Seizure(who, f"{clip_id}: {rater}'s", events_in, length))
        outside += len(signs) - len(inside)
    return seizures, outside


def _pairs(seizures: Sequence[Seizure]) -> list[tuple[Kind, Kind]]:
    """Every two signs that are in one seizure at least, and the two sides of a sign."""
    signs = sorted({event.sign for seizure in seizures for event in seizure.events})
    pairs = [
        (Kind(first), Kind(second))
        for first, second in combinations(signs, 2)
        if not is_a(first, second) and not is_a(second, first)
    ]
    pairs += [(Kind(sign, PAIR[0]), Kind(sign, PAIR[1])) for sign in signs]
    return [
        pair
        for pair in pairs
        if any(all(kind.of(seizure.events) for kind in pair) for seizure in seizures)
    ]


def _compare(
    seizures: Sequence[Seizure],
    pair: tuple[Kind, Kind],
    together: float,
    draws: int,
    permutations: int,
    seed: int,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """One pair over all seizures, and the counts of each participant."""
    lags: list[float] = []
    who: list[str] = []
    overlaps: list[tuple[str, bool, float]] = []
    alone = [0, 0]
    for seizure in seizures:
        first, second = (kind.of(seizure.events) for kind in pair)
        if not (first and second):
            alone[0] += bool(first)
            alone[1] += bool(second)
            continue
        lags.append(min(event.onset for event in second) - min(event.onset for event in first))
        who.append(seizure.participant)
        one, other = (
            Marked.of(events, seizure.length, seizure.whose) for events in (first, second)
        )
        if one.ended.all() and other.ended.all():
            common = bool(overlapping(one.spans, other.spans).any())
            overlaps.append((who[-1], common, shared_seconds(one.spans, other.spans)))
    lag: Array = np.round(lags, 6)
    order = np.where(np.abs(lag) <= together, 0, np.sign(lag)).astype(int)
    people, codes = np.unique(who, return_inverse=True)
    counts = np.stack(
        [np.bincount(codes[order == side], minlength=len(people)) for side in (1, -1, 0)], axis=1
    )
    scores = (counts[:, 0] - counts[:, 1]) / counts.sum(1)
    test = sign_flip_test(scores, permutations, seed)
    about = ("order", pair[0].name, pair[1].name)
    weights = draw_participants(len(people), draws, seed)
    middle = estimate((*about, "lag"), partial(resampled_median, lag, codes), weights, len(lag))
    share = _share(about, overlaps, draws, seed)
    return {
        "first": pair[0].name,
        "second": pair[1].name,
        "participants": len(people),
        "participants_first": int((scores > 0).sum()),
        "participants_second": int((scores < 0).sum()),
        "participants_neither": int((scores == 0).sum()),
        "seizures": len(lag),
        "seizures_first": int((order == 1).sum()),
        "seizures_second": int((order == -1).sum()),
        "together": int((order == 0).sum()),
        "only_first": alone[0],
        "only_second": alone[1],
        "score": float(scores.mean()),
        "p": test.p,
        "least_p": min(1.0, 2 * test.resolution) if test.exact else test.resolution,
        "exact": test.exact,
        "lag": middle.value,
        "lag_low": middle.low,
        "lag_high": middle.high,
        "overlapping": sum(common for _, common, _ in overlaps),
        "overlap_known": len(overlaps),
        "overlap": share.value,
        "overlap_low": share.low,
        "overlap_high": share.high,
        "overlap_seconds": round(sum(seconds for *_, seconds in overlaps), 3),
        "estimates": {"lag": asdict(middle), "overlap": asdict(share)},
    }, [
        {
            "first": pair[0].name,
            "second": pair[1].name,
            "participant": str(name),
            **dict(zip(("seizures_first", "seizures_second", "together"), row)),
        }
        for name, row in zip(people, counts.tolist())
    ]


def _share(
    about: tuple[str, str, str], overlaps: Sequence[tuple[str, bool, float]], draws: int, seed: int
) -> Estimate:
    """The share of seizures with both signs in which they overlap."""
    if not overlaps:
        reason = "in no seizure do all marks of both have an end"
        return undefined((*about, "overlap"), 0, 0, reason)
    people, codes = np.unique([who for who, *_ in overlaps], return_inverse=True)
    common = np.bincount(codes, [common for _, common, _ in overlaps], len(people))
    share = Measure(
        lambda sums: sums[:, 0] / sums[:, 1],
        np.stack([common, np.bincount(codes)], axis=1),
        len(people),
        len(overlaps),
        0.0,
    )
    return estimate(
        (*about, "overlap"),
        share,
        draw_participants(len(people), draws, seed),
        share.rows,
        coefficient=True,
        lowest=0.0,
    )


def write_order(raters: Raters, out: str | Path, **options: Any) -> dict[str, Any]:
    """`order_of_signs`, and write order.tsv and order.json into a folder.

    Args:
        raters: of `read_raters`.
        out: the folder.
        options: of `order_of_signs`.

    Raises:
        UserError: one of the two is there already; as `order_of_signs`.
    """
    paths = [Path(out) / f"order.{suffix}" for suffix in ("tsv", "json")]
    refuse_existing(paths)
    document = order_of_signs(raters, **options)
    write_rows(paths[0], document["pairs"], COLUMNS)
    write_json(paths[1], document)
    return document


def text(document: Mapping[str, Any]) -> str:
    """The content of order.json for the terminal."""
    lines = []
    for row in document["pairs"]:
        first, second = row["first"], row["second"]
        lag, share = (Estimate(**row["estimates"][name]) for name in ("lag", "overlap"))
        exact = "exact" if row["exact"] else "random exchanges"
        lines += [
            f"{row['rater']}: {first} and {second}, {row['seizures']} seizures of"
            f" {row['participants']} participants with both; {first} alone in {row['only_first']},"
            f" {second} alone in {row['only_second']}",
            f"  {first} first in {row['seizures_first']} seizures, {second} first in"
            f" {row['seizures_second']}, together in {row['together']}; by participant"
            f" {row['participants_first']}, {row['participants_second']}, undecided"
            f" {row['participants_neither']}",
            f"  p = {row['p']:.3g}, {row['p_corrected']:.3g} corrected ({exact})",
            f"  onset of {second} after that of {first}, median: {formatted(lag)} s",
            f"  they overlap in {row['overlapping']} of {row['overlap_known']} seizures, for"
            f" {row['overlap_seconds']:g} s: {formatted(share)}",
            "",
        ]
    return "\n".join(
        [
            *lines,
            f"Seizures: {document['seizures']}. Null hypothesis: {document['null']}.",
            f"Participants: {document['participants']}.",
            *(f"note: {note}" for note in document["notes"]),
        ]
    )
