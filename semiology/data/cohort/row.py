"""Validation of one row of participants.tsv or clips.tsv."""

import math
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated
from unicodedata import normalize

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from semiology.errors import UserError
from semiology.files import portable_name
from semiology.video.image import parse_aspect

# s; a year, which no clip, event or timeline lasts [our choice]
LONGEST = 366 * 86400.0
# s; three centuries: seconds of any clock are less, those of Unix too [our choice]
FARTHEST = 1e10
SEX = {"f": "F", "female": "F", "m": "M", "male": "M", "o": "O", "other": "O"}


def identifier(text: str) -> str:
    """Check that a text can name a file and a folder on every operating system; returns it.

    Raises:
        ValueError: why it cannot.
    """
    if not text:
        raise ValueError("is empty; every row needs one")
    if re.fullmatch(r"[0-9][.,0-9]*[eE]\+[0-9]+", text):
        raise ValueError(
            f"{text!r} looks like a long number that a spreadsheet has shortened; format the column"
            " as text and type it again"
        )
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", text):  # files and folders are named by it
        raise ValueError(f"{text!r} is no identifier; use letters, digits, _ . - only")
    if len(text) > 100:
        raise ValueError(f"has {len(text)} characters; use at most 100")
    return portable_name(text)


def relative_path(text: str) -> str:
    """Check that a text is a path inside the cohort's folder on every operating system; returns it.

    Raises:
        ValueError: why it is not.
    """
    if "\\" in text:
        raise ValueError("holds a backslash; write the path with / between folders")
    if PurePosixPath(text).is_absolute() or PureWindowsPath(text).drive or text.startswith("~"):
        raise ValueError("is an absolute path; write it relative to the cohort's folder")
    if ".." in PurePosixPath(text).parts:
        raise ValueError(
            "leads out of the cohort's folder (..); put the file, or a link to it, inside"
        )
    return text


def on_disk(folder: Path, text: str) -> str:
    """A relative path as the disk spells it, where that differs in how accents are coded only: one
    letter in the table (e with an acute accent), two on the disk (e, then the accent), as macOS
    stores names, or the reverse.
    """
    if text.isascii() or (folder / text).exists():
        return text
    found = folder
    for part in PurePosixPath(text).parts:
        if not (found / part).exists():
            wanted = normalize("NFC", part)
            there = found.iterdir() if found.is_dir() else ()
            alike = [entry.name for entry in there if normalize("NFC", entry.name) == wanted]
            if len(alike) != 1:
                return text
            part = alike[0]
        found /= part
    return found.relative_to(folder).as_posix()


def _seconds(text: str) -> float | None:
    seconds = None if text == "" else _number(text, "seconds")
    if seconds is not None and seconds > LONGEST:
        raise ValueError(f"{text!r} is more than a year; write seconds from the video's start")
    return seconds


def _aspect(text: str) -> str | None:
    if text:
        parse_aspect(text)
    return text or None


def _patient(text: str) -> str | None:
    if text:
        Click.parse(text)
    return text or None


def _age(text: str) -> float | None:
    years = (
        None if text == "" else _number(text.removesuffix("+"), "years")
    )  # BIDS: 89+ hides high ages
    if years is not None and years > 120:
        raise ValueError(f"{text!r} is no age in years; correct it")
    return years


def _number(text: str, unit: str) -> float:
    number = finite(text, unit)
    if number < 0:
        raise ValueError(f"{text!r} is not possible; write {unit} of 0 or more, or n/a")
    return number


def finite(text: str, unit: str, most: float = math.inf) -> float:
    """The finite number in a cell.

    Raises:
        ValueError: it is no number, or beyond `most` either way, with what to write instead
            (`unit`).
    """
    try:
        number = float(text)
    except ValueError:
        if re.fullmatch(r"-?[0-9]+,[0-9]+", text):
            raise ValueError(
                f"{text!r} has a decimal comma; write {text.replace(',', '.')}"
            ) from None
        if re.fullmatch(r"[0-9]+(:[0-9]+)+([.][0-9]+)?", text):
            raise ValueError(f"{text!r} is a clock time; write it in {unit}") from None
        raise ValueError(f"{text!r} is no number; write {unit}, or n/a") from None
    if not math.isfinite(number) or abs(number) > most:
        raise ValueError(f"{text!r} is not possible; write {unit}, or n/a")
    return number


def _sex(text: str) -> str | None:
    if text and text.lower() not in SEX:
        raise ValueError(f"{text!r} is not known; write F, M, O or n/a")
    return SEX.get(text.lower())


Identifier = Annotated[str, BeforeValidator(identifier)]
RelativePath = Annotated[str, BeforeValidator(relative_path)]


@dataclass(frozen=True)
class Click:
    """A point on the patient in one frame, by which a person says who the patient is.

    Attributes:
        time: s from the clip's start.
        x, y: px of the frame in square pixels.
    """

    time: float
    x: float
    y: float

    @classmethod
    def parse(cls, text: str) -> "Click":
        """From `TIME,X,Y`.

        Raises:
            UserError: not three numbers, a time before the clip, a point outside the frame.
        """
        try:
            time, x, y = (float(part) for part in text.split(","))
        except ValueError:
            time = x = y = -1.0
        if not (0 <= time < math.inf and 0 <= x < math.inf and 0 <= y < math.inf):
            raise UserError(
                f"patient {text!r}: give TIME,X,Y: s from the clip's start, and px of the frame at"
                " a point on the patient, as 12.4,310,220"
            )
        return cls(time, x, y)


class Participant(BaseModel):
    """One participant: a row of participants.tsv."""

    model_config = ConfigDict(frozen=True)

    participant_id: Identifier
    sex: Annotated[str | None, BeforeValidator(_sex)] = None  # F, M, O (other)
    age: Annotated[float | None, BeforeValidator(_age)] = None  # years
    covariates: dict[str, str] = {}  # every other column of participants.tsv


class Clip(BaseModel):
    """One seizure's main phase in one video, or in its tracks or features: a row of clips.tsv."""

    model_config = ConfigDict(frozen=True)

    clip_id: Identifier
    participant_id: Identifier
    video: RelativePath = ""  # relative to the cohort's folder; "" where the clip has tracks only
    # recording_id in recordings.tsv, in place of a video: start and end are s of the recording
    recording: Annotated[str, BeforeValidator(lambda text: text and identifier(text))] = ""
    tracks: RelativePath = (
        ""  # relative to the cohort's folder; "" where keypoints are extracted from the video
    )
    # file of a store inside the cohort's folder; "" where features are extracted from the video
    features: RelativePath = ""
    start: Annotated[float, BeforeValidator(lambda text: _seconds(text) or 0.0)] = (
        0.0  # s from the video's first frame
    )
    end: Annotated[float | None, BeforeValidator(_seconds)] = (
        None  # s from the video's first frame; None = to its end
    )
    # "W:H", width of a stored pixel over its height; None: as the video's header states it
    pixel_aspect: Annotated[str | None, BeforeValidator(_aspect)] = None
    # "TIME,X,Y", a point on the patient, see `Click`; None: as the options of an extraction say
    patient: Annotated[str | None, BeforeValidator(_patient)] = None
    # (onset, duration), s from the clip's start, in order: without the patient (out_of_view.tsv)
    away: tuple[tuple[float, float], ...] = ()
    labels: dict[str, str | None] = {}  # label -> level, None where not scored
    scores: dict[str, float | None] = {}  # score -> number, None where not scored
    covariates: dict[str, str] = {}

    @model_validator(mode="after")
    def _consistent(self) -> "Clip":
        if not (self.video or self.recording or self.tracks or self.features):
            raise ValueError("names neither a video nor tracks nor features; give one of them")
        if self.video and self.recording:
            raise ValueError("names a video and a recording; a clip is of one of them")
        if self.end is not None and self.end <= self.start:
            raise ValueError(
                f"ends at {self.end:g} s, not after its start at {self.start:g} s; correct start"
                " or end"
            )
        if self.patient and self.end is not None:
            seconds = Click.parse(self.patient).time
            if seconds > self.end - self.start:
                raise ValueError(
                    f"patient {self.patient!r}: the clip lasts {self.end - self.start:g} s; TIME"
                    " counts from the clip's start"
                )
        return self
