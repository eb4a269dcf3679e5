"""The form that sources.json has to have; what it means is told in sources.py."""

import zlib
from typing import Annotated, Any

from pydantic import AfterValidator

from semiology.evaluation.audit.fingerprint import COLUMNS, ROWS, from_text
from semiology.evaluation.run.files import File


def _course(text: str) -> str:
    try:
        from_text(text, 1)
    except (ValueError, zlib.error) as error:
        raise ValueError("not a course as text") from error
    return text


def _pictures(text: str) -> str:
    if not text.startswith(f"{COLUMNS * ROWS}:"):
        raise ValueError(f"not pictures of {COLUMNS * ROWS} cells")
    return text


Course = Annotated[str, AfterValidator(_course)]


class Source(File):
    """What the audit has to know of a clip."""

    participant_id: str
    recording_id: str | None = None
    kind: str
    content: str | None = None
    start: float
    end: float
    covariates: dict[str, Any]
    width: float | None = None
    height: float | None = None
    fps: float | None = None
    duration: float | None = None
    brightness: float | None = None
    colour: float | None = None
    movement: Course | None = None
    pictures: Annotated[Course, AfterValidator(_pictures)] | None = None


class Weights(File):
    """A network that made tracks or features."""

    what: str
    origin: str | None = None
    participants: list[str] | None


class Sources(File):
    """sources.json."""

    clips: dict[str, Source]
    weights: dict[str, Weights]
