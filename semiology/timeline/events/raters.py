"""Tables of events by rater: who watched which recordings, and what each marked there.

A rater watched the recordings of which there is a table of theirs: one without rows says that there
was nothing to mark. Where a rater has no table of a recording, nothing is known, and it is left out
of what that rater is compared in.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from semiology.data.events import (
    ENDING,
    SIDES,
    Event,
    EventTable,
    find_tables,
    is_a,
    no_tables,
    read_events,
    recording_of,
)
from semiology.errors import UserError
from semiology.timeline.events.pairing import SUBJECT, people_of
from semiology.timeline.events.scoring import SLACK

PAIR = SIDES[:2]  # left and right
APART = ("side", "level", "body_part")  # of an event, by which signs may be distinguished


@dataclass(frozen=True)
class Raters:
    """What several raters, persons or models, marked.

    Attributes:
        events: rater -> clip_id -> events; a recording that the rater did not watch is not there.
        lengths: clip_id -> s, None where no table states it.
        participants: clip_id -> participant_id.
        people: how participants were found.
        notes: what was left out.
    """

    events: dict[str, dict[str, list[Event]]]
    lengths: dict[str, float | None]
    participants: dict[str, str]
    people: str
    notes: list[str]

    def watched(self, raters: Iterable[str]) -> list[str]:
        """The recordings that all of some raters watched."""
        return [
            clip_id
            for clip_id in self.lengths
            if all(clip_id in self.events[rater] for rater in raters)
        ]

    def signs(self, raters: Iterable[str]) -> list[str]:
        """Every sign that one of some raters marked."""
        return sorted(
            {
                event.sign
                for rater in raters
                for events in self.events[rater].values()
                for event in events
            }
        )


def side_of(event: Event) -> str | None:
    """Left or right: a person's `side`, or a model's level; None of any other."""
    found = event.side or event.level
    return found if found in PAIR else None


def read_raters(
    inputs: Sequence[str | Path],
    *,
    participants: str | Path | None = None,
    names: Mapping[str, str] | None = None,
    apart: Sequence[str] = (),
    duration: float | None = None,
) -> Raters:
    """Read tables of events by rater.

    Of a folder that is given alone, each folder in it is a rater's, as `semiology events import`
    and `semiology review` write them, unless it holds tables itself, or folders of recordings or of
    BIDS' participants. Of several folders and tables each folder, and the folder of each table, is
    a rater's. The rater is called as the column `rater` says, else as the folder. A
    column that names several raters in one folder has their rows apart; a table without rows is
    then nobody's.

    Args:
        inputs: folders, tables.
        participants: table with clip_id and participant_id.
        names: a sign in the tables -> the sign that it is.
        apart: columns by whose values signs are apart, out of `APART`: "clonic left".
        duration: s, of recordings whose tables lack their length.

    Raises:
        UserError: no such file or folder, no table, two tables of one recording by one rater, two
            lengths of one recording, a row of nobody, an unknown column, as `read_events`.
    """
    if unknown := [column for column in apart if column not in APART]:
        raise UserError(f"signs cannot be apart by {unknown[0]!r}; give {', '.join(APART)}")
    if duration is not None and not duration > 0:
        raise UserError(f"a recording of {duration:g} s; give its duration in s")
    tables: dict[str, dict[str, EventTable]] = {}
    notes: list[str] = []
    for folder, paths in _by_folder([Path(path) for path in inputs]).items():
        for rater, clip_id, path, table in _of_raters(folder, paths, notes):
            own = tables.setdefault(rater, {})
            if clip_id in own:
                raise UserError(f"{path}: second table of {clip_id} by {rater}; keep one")
            own[clip_id] = table
    clips = sorted({clip_id for own in tables.values() for clip_id in own})
    people, how = people_of(participants, clips)
    everything = [
        event for own in tables.values() for table in own.values() for event in table.events
    ]
    notes += _not_apart(everything, apart)
    notes += _alike({(names or {}).get(event.sign, event.sign) for event in everything})
    if "side" in apart:
        notes += unknown_sides(everything)
    return Raters(
        {
            rater: {
                clip_id: [_named(event, names or {}, apart) for event in table.events]
                for clip_id, table in own.items()
            }
            for rater, own in sorted(tables.items())
        },
        {
            clip_id: _length(clip_id, [own[clip_id] for own in tables.values() if clip_id in own])
            or duration
            for clip_id in clips
        },
        people,
        how,
        notes,
    )


def pairs_of(raters: Raters) -> list[tuple[str, ...]]:
    """Every two raters with a recording that both watched and, of more than two, all of them.

    Raises:
        UserError: one rater only, no recording that two of them watched.
    """
    if len(raters.events) < 2:
        raise UserError(
            f"{next(iter(raters.events))} is the only rater; give the folders of two raters or"
            " more, or a folder of such folders"
        )
    pairs: list[tuple[str, ...]] = [
        pair for pair in combinations(raters.events, 2) if raters.watched(pair)
    ]
    if not pairs:
        raise UserError(
            f"no recording has tables of two of the raters {', '.join(raters.events)}; recordings"
            " are matched by clip_id, the name before _events.tsv"
        )
    everybody = tuple(raters.events)
    return pairs + ([everybody] if len(everybody) > 2 and raters.watched(everybody) else [])


def _by_folder(inputs: Sequence[Path]) -> dict[Path, list[Path]]:
    """Folder of a rater -> paths of the tables."""
    for path in inputs:
        if not path.exists():
            raise UserError(f"{path}: no such table of events or folder of tables")
    if len(inputs) == 1 and inputs[0].is_dir() and not _of_one(inputs[0]):
        inputs = sorted(path for path in inputs[0].iterdir() if path.is_dir())
        inputs = [folder for folder in inputs if find_tables(folder)]
    found: dict[Path, list[Path]] = {}
    for path in inputs:
        paths = list(find_tables(path).values()) if path.is_dir() else [path]
        if not paths:
            raise no_tables(path)
        own = found.setdefault((path if path.is_dir() else path.parent).resolve(), [])
        own += [one for one in paths if one not in own]
    if not found:
        raise UserError(
            "no folder of a rater's tables; they are named <rater>/<clip_id>_events.tsv, as"
            " `semiology events import` writes them"
        )
    return found


def _of_one(folder: Path) -> bool:
    """Whether a folder is one rater's: it holds tables itself, or the folders of recordings or of
    BIDS' participants.
    """
    tables = [*folder.glob(f"*{ENDING}"), *folder.glob("*/events.tsv")]
    return bool(tables) or any(SUBJECT.fullmatch(path.name) for path in folder.iterdir())


def _of_raters(
    folder: Path, paths: Sequence[Path], notes: list[str]
) -> list[tuple[str, str, Path, EventTable]]:
    """(rater, clip_id, path, table) of the tables of one folder."""
    tables = {path: read_events(path, scored=False) for path in paths}
    raters = sorted(
        {event.rater for table in tables.values() for event in table.events if event.rater}
    )
    found: list[tuple[str, str, Path, EventTable]] = []
    for path, table in tables.items():
        clip_id = recording_of(path)
        if len(raters) < 2:
            found.append((raters[0] if raters else folder.name, clip_id, path, table))
            continue
        if nobody := [event for event in table.events if not event.rater]:
            raise UserError(
                f"{path}: the event at {nobody[0].onset:g} s has no rater, and the tables beside it"
                f" name {', '.join(raters)}; fill in the column rater"
            )
        if not table.events:
            notes.append(
                f"{clip_id}: its table has no rows, and {', '.join(raters)} share the folder:"
                " nobody is known to have watched it; give each rater a folder"
            )
        for rater in dict.fromkeys(event.rater for event in table.events):
            own = [event for event in table.events if event.rater == rater]
            found.append((str(rater), clip_id, path, EventTable(own, table.duration)))
    return found


def _named(event: Event, names: Mapping[str, str], apart: Sequence[str]) -> Event:
    sign = names.get(event.sign, event.sign)
    kinds = [
        (side_of(event) or event.side) if column == "side" else getattr(event, column)
        for column in apart
    ]
    return replace(event, sign=" ".join(dict.fromkeys(filter(None, [sign, *kinds]))))


def _not_apart(events: Sequence[Event], apart: Sequence[str]) -> list[str]:
    """Which of the columns by which signs are to be apart no event has."""
    return [
        f"no event has a {column.replace('_', ' ')}: no sign is apart by it"
        for column in apart
        if not any(
            getattr(event, column) or (column == "side" and side_of(event)) for event in events
        )
    ]


def _alike(signs: Iterable[str]) -> list[str]:
    """Signs that differ by capitals and blanks only."""
    groups: dict[str, list[str]] = {}
    for sign in sorted(signs):
        groups.setdefault(" ".join(sign.replace("_", " ").casefold().split()), []).append(sign)
    return [
        f"{' and '.join(map(repr, own))} are {len(own)} signs here; where they are one, join them"
        f" (--names '{{{own[0]}: {own[-1]}}}')"
        for own in groups.values()
        if len(own) > 1
    ]


def unknown_sides(events: Iterable[Event]) -> list[str]:
    """A note on the sides that are none of `SIDES`, with how often they stand there."""
    found = Counter(event.side for event in events if event.side and event.side not in SIDES)
    if not found:
        return []
    named = ", ".join(f"{side} ({count})" for side, count in found.most_common())
    return [
        f"sides that are none of {', '.join(SIDES)}: {named}; they are not compared as left and"
        " right, correct them in the tables, or import with `values` in terms.yaml"
    ]


def _length(clip_id: str, tables: Sequence[EventTable]) -> float | None:
    stated = [table.duration for table in tables if table.duration is not None]
    if stated and max(stated) - min(stated) > SLACK:
        raise UserError(
            f"{clip_id}: lasts {min(stated):g} s in one table and {max(stated):g} s in another;"
            " check that it is the same recording"
        )
    return max(stated, default=None)


def of_sign(events: Sequence[Event], sign: str) -> list[Event]:
    """The events of a sign, or of a type of it."""
    return [event for event in events if is_a(event.sign, sign)]
