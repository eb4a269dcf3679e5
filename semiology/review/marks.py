"""What a rater marked, decided and rated, as the journal's entries make it.

The state is a value under each of some keys, such as ("rating", 1, "dystonia"). An entry gives
values to keys; taking it back gives them their earlier ones, as long as nothing else has.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from semiology.data.events import BEYOND, SIDES, Event
from semiology.errors import UserError
from semiology.review.actions import (
    Action,
    Assess,
    Conflict,
    DecideFound,
    MarkEvent,
    Rate,
    RemoveEvent,
    parse_action,
)
from semiology.review.journal import Entry
from semiology.review.study import BODY_PARTS, Item, Sign

Key = tuple[Any, ...]  # ("event", event_id), ("found", found_id), ("rating", reading, item) ...
NO_VALUE = "n/a"  # the rater cannot tell


@dataclass(frozen=True)
class Marked:
    """An event as a rater marked it; `duration` None while it is open."""

    event_id: str
    revision: int
    onset: float
    duration: float | None
    sign: str
    level: str | None = None
    side: str | None = None
    body_part: str | None = None
    confidence: float | None = None
    comment: str = ""
    source: str = "person"
    removed: bool = False

    @property
    def offset(self) -> float:
        """s from the clip's start; that of an open event is its onset."""
        return self.onset + (self.duration or 0.0)

    def event(self, rater: str) -> Event:
        """As it stands in a table.

        Raises:
            UserError: a text that no table can hold.
        """
        return Event(
            *(self.onset, self.duration or 0.0, self.sign, self.level, self.confidence),
            *(self.side, self.body_part, rater, self.source),
            self.comment.replace('"', "'") or None,
        )

    def for_page(self) -> dict[str, Any]:
        """Its fields."""
        return {name: value for name, value in asdict(self).items() if name != "removed"}


class Marks:
    """The state of one rater.

    Args:
        rater: whose.
        signs, items: what can be marked and rated.
    """

    def __init__(self, rater: str, signs: Mapping[str, Sign], items: Mapping[str, Item]):
        self.rater, self.signs, self.items = rater, signs, items
        # clip_id -> key -> value and number of the entry that gave it
        self.state: dict[str, dict[Key, tuple[Any, int]]] = {}
        self.before: dict[int, dict[Key, tuple[Any, int] | None]] = {}
        self.undone: set[int] = set()

    def value(self, clip_id: str, *key: Any) -> Any:
        """The value under a key; None where there is none."""
        found = self.state.get(clip_id, {}).get(key)
        return None if found is None else found[0]

    def values(self, clip_id: str, kind: str) -> dict[Key, Any]:
        """The values under all keys of a kind."""
        own = self.state.get(clip_id, {})
        return {key: value for key, (value, _) in own.items() if key[0] == kind}

    def events(self, clip_id: str) -> list[Marked]:
        """The events of a clip, by onset."""
        own = [one for one in self.values(clip_id, "event").values() if not one.removed]
        return sorted(own, key=lambda one: (one.onset, one.sign, one.event_id))

    def ratings(self, clip_id: str, reading: int) -> dict[str, Any]:
        """Item -> value of one reading, for items that have one."""
        return {
            key[2]: found[0]
            for key, found in self.values(clip_id, "rating").items()
            if key[1] == reading and found is not None
        }

    def check(self, clip_id: str, action: Action, length: float | None) -> None:
        """Refuse what cannot be marked.

        Args:
            clip_id: of the clip.
            action: that is to be taken.
            length: of the clip, s, where it is known.

        Raises:
            Conflict: an event that was changed in the meantime, or overlaps one of its kind.
            UserError: a sign, level, item or value that the study does not have, a time beyond the
                clip.
        """
        match action:
            case MarkEvent():
                self._check_event(clip_id, self._marked(clip_id, action), length, action.revision)
            case RemoveEvent():
                self._current(clip_id, action.event_id, action.revision)
            case Rate():
                for name, value in action.values.items():
                    _check_rating(name, value, self.items)

    def check_found(
        self, clip_id: str, action: DecideFound, found: Mapping[str, Any], length: float | None
    ) -> None:
        """Refuse to accept an event that overlaps one of its kind, or cannot be; see `check`."""
        if action.decision != "rejected":
            new = self._accepted(clip_id, action, found)
            self._check_event(clip_id, new, length, None)

    def _check_event(
        self, clip_id: str, new: Marked, length: float | None, revision: int | None
    ) -> None:
        if revision is not None:
            self._current(clip_id, new.event_id, revision)
        if (sign := self.signs.get(new.sign)) is None:
            raise UserError(f"sign: {new.sign!r} is none of {', '.join(self.signs)}; choose one")
        for name, value, known in (
            ("level", new.level, sign.levels),
            ("side", new.side, SIDES),
            ("body_part", new.body_part, BODY_PARTS),
        ):
            if value is not None and value not in known:
                there = ", ".join(known) or "none"
                raise UserError(f"{name}: {value!r} is none of those of {new.sign}: {there}")
        new.event(self.rater)
        if length is not None and max(new.onset, new.offset) > length + BEYOND:
            raise UserError(
                f"onset, duration: the event ends at {new.offset:g} s, the clip at {length:g} s;"
                " shorten it"
            )
        self._check_apart(clip_id, new)

    def _check_apart(self, clip_id: str, new: Marked) -> None:
        """Refuse an event that overlaps another of its kind, which no table can hold."""
        for one in self.events(clip_id):
            if one.event_id == new.event_id or (one.sign, one.level) != (new.sign, new.level):
                continue
            both_open = one.duration is None and new.duration is None
            if both_open or (new.onset < one.offset and one.onset < new.offset):
                name = " ".join(text for text in (new.sign, new.level) if text)
                what = "is still open" if both_open else f"lasts until {one.offset:g} s"
                raise Conflict(
                    f"{name}: the event that begins at {one.onset:g} s {what}; end it first, or"
                    " make them one",
                    one.for_page(),
                )

    def _current(self, clip_id: str, event_id: str, revision: int) -> Marked | None:
        """The event as it is, None where there is none.

        Raises:
            Conflict: it has another revision.
        """
        there = self.value(clip_id, "event", event_id)
        if (there.revision if there else 0) != revision:
            current = None if there is None or there.removed else there.for_page()
            raise Conflict(
                "the event was changed elsewhere, in another window perhaps; look at it again",
                current,
            )
        if revision and there.removed:
            raise Conflict("the event was removed elsewhere; mark it again")
        return there

    def take(self, entry: Entry) -> dict[str, Any]:
        """Take an entry of the journal; returns what it changed, for the page."""
        action = parse_action(entry.action)
        clip_id = entry.clip_id
        if action.do == "undo":
            return self._undo(clip_id, action.seq, entry)
        changes = self._changes(clip_id, action, entry)
        own = self.state.setdefault(clip_id, {})
        self.before[entry.seq] = {key: own.get(key) for key in changes}
        for key, value in changes.items():
            own[key] = (value, entry.seq)
        return self._answer(clip_id, list(changes))

    def _changes(self, clip_id: str, action: Action, entry: Entry) -> dict[Key, Any]:
        match action:
            case Assess():
                return {("assess",): (action.assessable, action.reason)}
            case MarkEvent():
                return {("event", action.event_id): self._marked(clip_id, action)}
            case RemoveEvent():
                there = self.value(clip_id, "event", action.event_id)
                gone = replace(there, revision=there.revision + 1, removed=True)
                return {("event", action.event_id): gone}
            case DecideFound():
                decided: dict[Key, Any] = {("found", action.found_id): action.decision}
                there = self.value(clip_id, "event", action.found_id)
                if action.decision != "rejected":
                    new = self._accepted(clip_id, action, entry.context["found"])
                    decided["event", action.found_id] = new
                elif there is not None:
                    gone = replace(there, revision=there.revision + 1, removed=True)
                    decided["event", action.found_id] = gone
                return decided
            case Rate():
                return {
                    ("rating", action.reading, name): None if value is None else (value, entry.when)
                    for name, value in action.values.items()
                }
        return {}

    def _marked(self, clip_id: str, action: MarkEvent) -> Marked:
        there = self.value(clip_id, "event", action.event_id)
        onset = round(action.onset, 3)
        end = None if action.duration is None else round(action.onset + action.duration, 3)
        return Marked(
            event_id=action.event_id,
            revision=action.revision + 1,
            onset=onset,
            duration=None if end is None else round(end - onset, 3),
            sign=action.sign,
            level=action.level,
            side=action.side,
            body_part=action.body_part,
            confidence=action.confidence,
            comment=action.comment,
            source=there.source if there else "person",
        )

    def _accepted(self, clip_id: str, action: DecideFound, found: Mapping[str, Any]) -> Marked:
        """The event that a found one becomes."""
        there = self.value(clip_id, "event", action.found_id)
        onset, duration = found["onset"], found["duration"]
        if action.decision == "moved" and action.onset is not None and action.duration is not None:
            onset, duration = action.onset, action.duration
        return Marked(
            event_id=action.found_id,
            revision=(there.revision if there else 0) + 1,
            onset=round(onset, 3),
            duration=round(duration, 3),
            sign=found["sign"],
            level=found["level"],
            confidence=found["confidence"],
            source="model",
        )

    def check_undo(self, clip_id: str, target: Entry) -> None:
        """Refuse to take back what was taken back, or what something later stands on.

        Raises:
            Conflict: it was changed since, or the event that would come back overlaps another.
        """
        if target.seq in self.undone:
            raise Conflict("this was taken back already")
        own = self.state.get(clip_id, {})
        for key, old in self.before.get(target.seq, {}).items():
            if key not in own or own[key][1] != target.seq:
                raise Conflict("it was changed again since; take that back first")
            if key[0] == "event" and old is not None and not old[0].removed:
                self._check_apart(clip_id, old[0])

    def _undo(self, clip_id: str, seq: int, entry: Entry) -> dict[str, Any]:
        own, before = self.state.get(clip_id, {}), self.before.get(seq, {})
        self.undone.add(seq)
        for key, old in before.items():
            now = own[key][0]
            if key[0] == "event":
                # a revision never comes twice, and an event that was taken back leaves one
                old_event, by = old if old is not None else (replace(now, removed=True), entry.seq)
                own[key] = (replace(old_event, revision=now.revision + 1), by)
            elif old is None:
                del own[key]
            else:
                own[key] = old
        return self._answer(clip_id, list(before))

    def _answer(self, clip_id: str, keys: Sequence[Key]) -> dict[str, Any]:
        """The values under these keys, as the page shows them."""
        answer: dict[str, Any] = {}
        for key in keys:
            value = self.value(clip_id, *key)
            if key[0] == "event":
                answer["event"] = None if value is None or value.removed else value.for_page()
                answer["event_id"] = key[1]
                answer["revision"] = value.revision
            elif key[0] == "found":
                answer["found_id"], answer["decision"] = key[1], value
            elif key[0] == "assess":
                assessable, reason = value or (None, "")
                answer |= {"assessable": assessable, "reason": reason}
            elif key[0] == "rating":
                answer["reading"] = key[1]
                answer.setdefault("values", {})[key[2]] = value[0] if value else None
        return answer


def _check_rating(name: str, value: Any, items: Mapping[str, Item]) -> None:
    if (item := items.get(name)) is None:
        raise UserError(f"values: the form has no item {name!r}; it has {', '.join(items)}")
    if value is None or value == NO_VALUE:
        return
    if item.levels:
        if value not in item.levels:
            raise UserError(f"{name}: {value!r} is none of {', '.join(item.levels)}; choose one")
        return
    if isinstance(value, str):
        raise UserError(f"{name}: {value!r} is no number; give one, or n/a")
    low, high, step = item.minimum, item.maximum, item.step
    if (low is not None and value < low) or (high is not None and value > high):
        between = f"{'' if low is None else f'{low:g}'} to {'' if high is None else f'{high:g}'}"
        raise UserError(f"{name}: {value:g} is outside of {between.strip()}; correct it")
    if step is not None and (value - (low or 0.0)) % step:
        raise UserError(f"{name}: {value:g} is not on the scale, whose step is {step:g}")
