"""One stretch of time in which a sign was there."""

import math
from dataclasses import dataclass

from semiology.errors import UserError


@dataclass(frozen=True)
class Event:
    """A sign from its onset to its offset.

    Attributes:
        onset: s from the recording's start; negative where it began before the recording, as BIDS has it.
        duration: s, 0 for a moment.
        sign: what it is, e.g. "dystonia" or "clonic"; `trial_type` in BIDS.
        level: which level of the sign, where there is more to say than that it is there, e.g. "left".
        confidence: 0 to 1; None where unknown.

    Raises:
        UserError: a number that is not finite, a negative duration, a confidence outside of 0 to 1, a sign or level whose name cannot
            stand in a table.
    """

    onset: float
    duration: float
    sign: str
    level: str | None = None
    confidence: float | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.onset):
            raise UserError(f"an event's onset is {self.onset:g} s; give seconds from the recording's start")
        if not (math.isfinite(self.duration) and self.duration >= 0):
            raise UserError(f"the event at {self.onset:g} s lasts {self.duration:g} s; give 0 or more")
        if self.confidence is not None and not 0 <= self.confidence <= 1:
            raise UserError(f"the event at {self.onset:g} s has a confidence of {self.confidence:g}; give 0 to 1")
        for name in (self.sign, self.level):
            if name is not None and (not name.strip() or name == "n/a" or any(mark in name for mark in '\t\r\n"')):
                raise UserError(f"the event at {self.onset:g} s is called {name!r}; give its sign and level names without tabs and quotes")

    @property
    def offset(self) -> float:
        """s from the recording's start."""
        return self.onset + self.duration

    @property
    def kind(self) -> tuple[str, str | None]:
        """Sign and level: events of one kind do not overlap."""
        return self.sign, self.level


def in_order(events: list[Event]) -> list[Event]:
    """By onset, then sign and level, as tables have them."""
    return sorted(events, key=lambda event: (event.onset, event.sign, event.level or "", event.duration))
