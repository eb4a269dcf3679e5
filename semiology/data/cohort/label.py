"""Labels and scores of a cohort, as its sidecar clips.json defines them."""

import re
from dataclasses import dataclass, field
from pathlib import Path
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

from semiology.data.cohort.row import finite
from semiology.data.cohort.table import Fault
from semiology.files import parse_json

FIXED_COLUMNS = (
    *("clip_id", "participant_id", "video", "recording", "tracks", "features"),
    *("start", "end", "pixel_aspect", "patient"),
)
KNOWN_COVARIATES = ("recording_id", "view", "centre", "camera", "panel", "item", "visit")

HED_SCORE = "2.1.0"  # version of the library of HED tags that labels are described by
# tags of HED-SCORE 1.1.0 whose names in 2.1.0 are not what is left without their group
RENAMED = {
    "Seizure-semiology-manifestation": "Seizure-semiology",
    "Semiology-motor-manifestation": "Seizure-semiology",
    "Semiology-non-motor-manifestation": "Seizure-semiology",
    "Semiology-motor-myoclonic": "Semiology-myoclonic-jerk",
    "Semiology-motor-automatisms": "Semiology-automatisms",
    "Semiology-motor-automatisms-dyspraxic": "Semiology-automatisms",  # 2.1.0 has no such kind
    "Semiology-motor-automatisms-pedal": "Semiology-automatisms",  # nor this one
    "Semiology-sensory-painful": "Semiology-sensory",  # nor this one
    "Semiology-language-related": "Semiology-language",
    "Semiology-language-related-other": "Semiology-language-other",
    "Semiology-experiential-mnemonic-Deja-vu": "Semiology-mnemonic",
    "Semiology-experiential-mnemonic-Jamais-vu": "Semiology-mnemonic",
    "Postictal-semiology-manifestation": "Postictal-semiology",
}
# tags of 2.1.0 that begin as a group of 1.1.0 does
KEPT = (
    "Semiology-motor-behavioral-arrest",
    "Semiology-sensory-other",
    "Semiology-experiential-other",
    "Semiology-autonomic-other",
    "Semiology-autonomic-sensation",
)
GROUPS = re.compile(
    r"(Semiology)-(?:motor-automatisms|motor|sensory|experiential|language-related|autonomic)-(.+)"
    r"|(Postictal)-semiology-(.+)"
)


def current_tags(text: str) -> str:
    """HED tags with those of HED-SCORE 1.1.0 by their names in 2.1.0.

    Args:
        text: one tag, or several as HED writes them: "Semiology-motor-tonic, (Left, Hand)".
    """

    def current(found: re.Match[str]) -> str:
        tag = found[0]
        if tag in RENAMED:
            return RENAMED[tag]
        grouped = None if tag in KEPT else GROUPS.fullmatch(tag)
        return "-".join(part for part in grouped.groups() if part) if grouped else tag

    return re.sub(r"[A-Za-z][\w-]*", current, text)


def _current(hed: Any) -> Any:
    if isinstance(hed, dict):
        return {level: _current(tag) for level, tag in hed.items()}
    return current_tags(hed) if isinstance(hed, str) else hed


# a tag for the column, or level -> tag as in BIDS; of HED-SCORE 2.1.0
Hed = Annotated[str | dict[str, str], BeforeValidator(_current)]


class _Column(BaseModel):
    """The fields of a column's description in a BIDS sidecar."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: str
    long_name: str = Field("", alias="LongName")
    description: str = Field("", alias="Description")
    units: str = Field("", alias="Units")
    term_url: str = Field("", alias="TermURL")


class Label(_Column):
    """A sign that was scored in each clip, with two levels (classes) or more.

    `levels` maps each level, as written in clips.tsv, to its meaning, in order: of two levels the
    second is the positive one. `mirror` maps a level that names a side to its level in a mirrored
    video ("left" -> "right"); other levels stay.
    """

    role: Literal["label"] = Field(alias="Role")
    ilae_term: str = Field("", alias="ILAETerm")
    hed: Hed = Field("", alias="HED")
    levels: dict[str, str] = Field(alias="Levels")
    mirror: dict[str, str] = Field(default_factory=dict, alias="Mirror")

    @model_validator(mode="after")
    def _consistent(self) -> "Label":
        if len(self.levels) < 2:
            raise ValueError(
                '"Levels" needs two levels or more; for a sign that is there or not write'
                ' {"absent": "...", "present": "..."}'
            )
        for level in self.levels:
            if not level or level != level.strip() or level.lower() == "n/a":
                raise ValueError(
                    f'"Levels" holds {level!r}, which cannot be distinguished from a clip that'
                    " was not scored; rename it"
                )
        for level in [
            *self.mirror,
            *self.mirror.values(),
            *(self.hed if isinstance(self.hed, dict) else ()),
        ]:
            if level not in self.levels:
                raise ValueError(
                    f'"Mirror" or "HED" names the level {level!r}, which "Levels" does not; its'
                    f" levels are {', '.join(self.levels)}"
                )
        for level, seen in self.mirror.items():
            if self.mirror.get(seen, seen) != level:
                raise ValueError(
                    f'"Mirror" sends {level!r} to {seen!r} but not back; write both ways'
                )
        return self

    @property
    def positive(self) -> str | None:
        """The positive level of a binary label, None for a categorical one."""
        return list(self.levels)[1] if len(self.levels) == 2 else None


class Score(_Column):
    """A clinician's score of each clip on a scale such as the UMRS: a reference for comparisons,
    not a target of prediction like a label.

    `minimum` and `maximum` are the ends of the scale (in `units`, by default points), `rater` the
    person who scored, `of` the computed score that it rates, such as "umrs_action".
    """

    role: Literal["score"] = Field(alias="Role")
    minimum: float | None = Field(None, alias="Minimum", allow_inf_nan=False)
    maximum: float | None = Field(None, alias="Maximum", allow_inf_nan=False)
    rater: str = Field("", alias="Rater")
    of: str = Field("", alias="Of")

    @model_validator(mode="after")
    def _consistent(self) -> "Score":
        if self.minimum is not None and self.maximum is not None and self.minimum >= self.maximum:
            raise ValueError(
                f'"Minimum" is {self.minimum:g}, not below "Maximum", {self.maximum:g}; correct'
                " them"
            )
        return self

    def value(self, cell: str) -> float | None:
        """The number in a cell of clips.tsv; None where it was not scored.

        Raises:
            ValueError: text, or a number outside the scale.
        """
        if cell == "":
            return None
        number = finite(cell, self.units or "points")
        if self.minimum is not None and number < self.minimum:
            raise ValueError(
                f"{cell!r} is below {self.minimum:g}, the lower end of the scale in clips.json;"
                " correct one of them"
            )
        if self.maximum is not None and number > self.maximum:
            raise ValueError(
                f"{cell!r} is above {self.maximum:g}, the upper end of the scale in clips.json;"
                " correct one of them"
            )
        return number


class _Covariate(_Column):
    """A column that describes a clip and is not to be predicted."""

    role: Literal["covariate"] = Field("covariate", alias="Role")
    levels: dict[str, str] = Field(default_factory=dict, alias="Levels")
    hed: Hed = Field("", alias="HED")


_ROLE: TypeAdapter[Label | Score | _Covariate] = TypeAdapter(
    Annotated[Label | Score | _Covariate, Field(discriminator="role")]
)
_ROLES = (
    '"Role": "label" if it is to be predicted, "score" if it is a number of a scale, else'
    ' "covariate"'
)


@dataclass(frozen=True)
class Columns:
    """The columns of clips.tsv that the sidecar describes, in its order."""

    labels: dict[str, Label] = field(default_factory=dict)
    scores: dict[str, Score] = field(default_factory=dict)
    visits: tuple[str, ...] = ()  # the levels of `visit` in their order, () where it gives none
    notes: tuple[str, ...] = ()  # what was read otherwise than it is written


def read_columns(path: Path, columns: list[str], faults: list[Fault]) -> Columns:
    """Read the sidecar: the labels and scores among `columns` of clips.tsv; its faults are appended
    to `faults`.
    """
    if not path.is_file():
        faults.append(
            Fault(
                path.name,
                "is missing; it says which columns of clips.tsv are labels, see docs/cohort.md",
            )
        )
        return Columns()
    try:
        entries = parse_json(
            path.read_bytes().decode("utf-8-sig"), object_pairs_hook=_no_name_twice
        )
        if not isinstance(entries, dict):
            raise ValueError('it holds no object at its top; write {"column": {...}}')
    except ValueError as error:  # of JSON, of UTF-8, or ours
        faults.append(Fault(path.name, f"cannot be read as JSON: {error}"))
        return Columns()
    labels: dict[str, Label] = {}
    scores: dict[str, Score] = {}
    visits: tuple[str, ...] = ()
    notes: list[str] = []
    for name, entry in entries.items():
        if name in FIXED_COLUMNS:
            continue
        if columns and name not in columns:
            faults.append(
                Fault(
                    path.name,
                    "clips.tsv has no such column; add it there or delete the entry",
                    column=name,
                )
            )
        if not isinstance(entry, dict) or entry.get(
            "Role", "covariate" if name in KNOWN_COVARIATES else None
        ) not in ("label", "score", "covariate"):
            faults.append(Fault(path.name, f"give it a {_ROLES}", column=name))
            continue
        try:
            column = _ROLE.validate_python({"Role": "covariate", **entry, "name": name})
        except ValidationError as error:
            faults += [Fault(path.name, _explain(detail), column=name) for detail in error.errors()]
            continue
        if not isinstance(column, Score) and (written := entry.get("HED", "")) != column.hed:
            notes.append(
                f"{name}: HED tags of HED-SCORE 1.1.0 were read as {column.hed} of {HED_SCORE},"
                f" not {written}; write these"
            )
        if isinstance(column, Label):
            labels[name] = column
        elif isinstance(column, Score):
            scores[name] = column
        elif name == "visit":
            visits = tuple(column.levels)
    for column_name in columns:
        if column_name not in entries and column_name not in FIXED_COLUMNS + KNOWN_COVARIATES:
            what = (
                'is not described in clips.json; add it there with "Role": "label", "score" or'
                ' "covariate"'
            )
            faults.append(Fault("clips.tsv", f"this column {what}", 1, column_name))
    return Columns(labels, scores, visits, tuple(notes))


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f'"{twice}" is there twice; delete one')
    return dict(pairs)


def _explain(detail: Any) -> str:
    if "error" in detail.get("ctx", {}):
        return str(detail["ctx"]["error"])
    where = ".".join(
        str(part) for part in detail["loc"] if part not in ("label", "score", "covariate")
    )
    if detail["type"] == "missing":
        return f'"{where}" is missing; add it'
    if detail["type"] == "extra_forbidden":
        return f'"{where}" is not known here; correct its spelling or delete it'
    return f'"{where}": {detail["msg"]}'
