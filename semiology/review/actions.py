"""The actions of a rater, as they come from the page: checked for what they hold, before anything
is known of the clip.
"""

import math
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from semiology.data.cohort.row import LONGEST
from semiology.errors import UserError

MOST_POINTS = (
    10_000  # frames or points that one action may change; swaps have no bound [our choice]
)
LONGEST_TEXT = 2000  # characters of a comment or a reason [our choice]


class Conflict(UserError):
    """Somebody, or another tab, changed the thing in the meantime.

    Attributes:
        current: what it is now.
    """

    def __init__(self, message: str, current: Any = None):
        super().__init__(message)
        self.current = current


def _text(text: Any) -> Any:
    """Text that a table can hold on one line."""
    if isinstance(text, str):
        # a lone surrogate cannot be written in UTF-8; control characters are no text
        text = text.encode("utf-8", "replace").decode()
        text = "".join(mark if mark.isprintable() else " " for mark in text)
        return " ".join(text.split())
    return text


Number = Annotated[float, Field(allow_inf_nan=False, strict=True)]
Seconds = Annotated[float, Field(ge=0, le=LONGEST, allow_inf_nan=False)]
# tables are to the millisecond
Length = Annotated[float, Field(ge=0.001, le=LONGEST, allow_inf_nan=False)]
Pixels = Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)]
FrameNumber = Annotated[int, Field(ge=0, lt=1 << 31, strict=True)]
Name = Annotated[str, Field(min_length=1, max_length=100)]
Text = Annotated[str, BeforeValidator(_text), Field(max_length=LONGEST_TEXT)]
Reading = Annotated[int, Field(ge=1, le=2, strict=True)]
Revision = Annotated[int, Field(ge=0, strict=True)]


class _Action(BaseModel):
    """The fields of an action, and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PointAtPatient(_Action):
    """The patient is here: `time` s from the clip's start, px of the frame."""

    do: Literal["patient"]
    time: Seconds
    x: Pixels
    y: Pixels


class Away(_Action):
    """The patient is out of view from `onset` on for `duration` s."""

    do: Literal["away"]
    onset: Seconds
    duration: Length


class Back(_Action):
    """The patient is in view in this stretch, whatever was marked before."""

    do: Literal["back"]
    onset: Seconds
    duration: Length


class Assess(_Action):
    """Whether the clip can be assessed; if not, why."""

    do: Literal["assess"]
    assessable: bool
    reason: Text = ""

    @model_validator(mode="after")
    def _with_reason(self) -> "Assess":
        if not self.assessable and not self.reason:
            raise ValueError("say why the clip cannot be assessed")
        return self


class Point(_Action):
    """The place of a keypoint in a frame; `visibility` 0 not there, 1 hidden, 2 visible."""

    frame: FrameNumber
    keypoint: Name
    x: Pixels | None = None
    y: Pixels | None = None
    visibility: Literal[0, 1, 2] = 2

    @model_validator(mode="after")
    def _placed(self) -> "Point":
        if self.visibility and (self.x is None or self.y is None):
            raise ValueError("a point that is there has x and y")
        return self


class Correct(_Action):
    """Keypoints are elsewhere, or not there."""

    do: Literal["correct"]
    part: Name
    points: Annotated[list[Point], Field(min_length=1, max_length=MOST_POINTS)]


class Swap(_Action):
    """Left and right are exchanged from frame `first` to frame `last`, of all pairs or of some."""

    do: Literal["swap"]
    part: Name
    first: FrameNumber
    last: FrameNumber
    pairs: list[tuple[Name, Name]] | None = None

    @model_validator(mode="after")
    def _forwards(self) -> "Swap":
        if self.last < self.first:
            raise ValueError("last is before first")
        named = [name for pair in self.pairs or () for name in pair]
        if self.pairs == [] or len(set(named)) < len(named):
            raise ValueError("pairs name each keypoint once")
        return self


class Carry(_Action):
    """A keypoint moves evenly between two frames in which it was corrected."""

    do: Literal["carry"]
    part: Name
    keypoint: Name
    first: FrameNumber
    last: FrameNumber

    @model_validator(mode="after")
    def _apart(self) -> "Carry":
        if not 1 < self.last - self.first <= MOST_POINTS:
            raise ValueError(f"first and last are 2 to {MOST_POINTS} frames apart")
        return self


class MarkEvent(_Action):
    """Add an event (`revision` 0), or change it."""

    do: Literal["event"]
    event_id: Name
    revision: Revision
    onset: Seconds
    duration: Seconds | None = None
    sign: Name
    level: Name | None = None
    side: Name | None = None
    body_part: Name | None = None
    confidence: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    comment: Text = ""


class RemoveEvent(_Action):
    """Take an event back."""

    do: Literal["remove_event"]
    event_id: Name
    revision: Annotated[int, Field(ge=1, strict=True)]


class DecideFound(_Action):
    """An event that a model found is right, is right but elsewhere, or is none."""

    do: Literal["decide_found"]
    found_id: Name
    decision: Literal["accepted", "moved", "rejected"]
    onset: Seconds | None = None
    duration: Seconds | None = None

    @model_validator(mode="after")
    def _moved(self) -> "DecideFound":
        if self.decision == "moved" and (self.onset is None or self.duration is None):
            raise ValueError("a moved event has onset and duration")
        return self


class Rate(_Action):
    """Values of the form's items: a level, a number, "n/a" (cannot be told), or null (no value)."""

    do: Literal["rate"]
    reading: Reading
    values: Annotated[dict[Name, Number | Name | None], Field(min_length=1)]


class Undo(_Action):
    """Take back one of the rater's own actions on this clip."""

    do: Literal["undo"]
    seq: Annotated[int, Field(ge=1, strict=True)]


Action = (
    PointAtPatient
    | Away
    | Back
    | Assess
    | Correct
    | Swap
    | Carry
    | MarkEvent
    | RemoveEvent
    | DecideFound
    | Rate
    | Undo
)
_ACTION: TypeAdapter[Action] = TypeAdapter(Annotated[Action, Field(discriminator="do")])


def parse_action(action: Any) -> Action:
    """The action in a JSON object.

    Raises:
        UserError: it is none: the field, and what is wrong with it.
    """
    try:
        return _ACTION.validate_python(action)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"]) or "action"
        what = str(fault.get("ctx", {}).get("error", fault["msg"]))
        raise UserError(f"{where}: {what}; correct it") from error


def as_json(action: Action) -> dict[str, Any]:
    """The action as the journal states it."""
    return action.model_dump(mode="json")


def decimal(number: float) -> str:
    """Seconds or px in a table, to the thousandth."""
    return f"{number:.3f}" if math.isfinite(number) else "n/a"


def in_words(action: dict[str, Any]) -> str:
    """An action, as `as_json` gives it, in a few words."""
    match action["do"]:
        case "patient":
            return f"pointed at the patient at {action['time']:.2f} s"
        case "away" | "back" as do:
            words = "out of view" if do == "away" else "in view"
            return f"patient {words} from {action['onset']:.2f} s for {action['duration']:.2f} s"
        case "assess":
            return "assessable" if action["assessable"] else f"not assessable: {action['reason']}"
        case "correct":
            points = action["points"]
            more = f" and {len(points) - 1} more" if len(points) > 1 else ""
            return f"{points[0]['keypoint']} in frame {points[0]['frame']}{more}"
        case "swap":
            return f"left and right swapped, frames {action['first']} to {action['last']}"
        case "carry":
            return f"{action['keypoint']} carried, frames {action['first']} to {action['last']}"
        case "event":
            level = f" {action['level']}" if action["level"] else ""
            return f"{action['sign']}{level} at {action['onset']:.2f} s"
        case "remove_event":
            return "event removed"
        case "decide_found":
            return f"found event {action['decision']}"
        case "rate":
            return f"rated {', '.join(action['values'])}, reading {action['reading']}"
    return f"action {action['seq']} taken back"
