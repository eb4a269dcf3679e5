"""What lies beside the predictions of a run, read and checked: what is absent is empty, what is damaged is named in one line."""

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from semiology.errors import UserError


class _File(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)


File = TypeVar("File", bound=_File)


class Check(_File):
    """One question of the leakage audit and what was found."""

    name: str
    question: str = ""
    result: str = "not possible"
    found: str = ""
    details: list[Any] = []


class Audit(_File):
    """audit.json of `semiology audit`."""

    verdict: str
    checks: list[Check] = []


class Sanity(_File):
    """Randomised weights must destroy the map: the correlation that was left, and whether that is little enough."""

    correlation: float | None = None
    passed: bool | None = None


class Deletion(_File):
    """The model's probability after deleting these shares of the input, most important first and at random."""

    fractions: list[float] = []
    attributed: list[float] = []
    random: list[float] = []


class Explanation(_File):
    """explanation/<task>-<model>.json of `semiology explain`; shares of attribution by joint, and by step of time."""

    task: str
    model: str
    method: str = ""
    clips: list[Any] | int = 0
    joints: dict[str, float] = {}
    time: list[float] = []
    edges: list[dict[str, Any]] = []
    sanity: Sanity | None = None
    deletion: Deletion | None = None
    truth: dict[str, Any] | None = None


class Comparison(_File):
    """One row of a reproduction: the paper's value beside ours."""

    what: str
    published: Any = None
    obtained: float | None = None
    low: float | None = None
    high: float | None = None
    difference: float | None = None
    agrees: bool | None = None


class Reproduction(_File):
    """reproduction.json of `semiology reproduce`."""

    paper: str = ""
    rows: list[Comparison] = []
    deviations: list[Any] = []


class NotAssessable(_File):
    """A scored clip of which nothing is said, because it was tracked too poorly."""

    clip_id: str
    participant_id: str
    truth: str = ""
    reason: str = ""


class NotAssessed(_File):
    """not_assessable.json: the clips of each task."""

    tasks: dict[str, list[NotAssessable]] = Field(default_factory=dict)


def read_json(path: Path, maker: str, kind: type = dict) -> Any:
    """The JSON object (or list) in a file; an empty one where there is no such file.

    Raises:
        UserError: the file is not JSON or not of this kind; `maker` is the command that writes it anew.
    """
    if not path.exists():
        return kind()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: not JSON ({error}); delete it, or write it anew with `semiology {maker}`") from error
    if not isinstance(content, kind):
        wanted = "object" if kind is dict else "list"
        raise UserError(f"{path}: not a JSON {wanted}; delete it, or write it anew with `semiology {maker}`")
    return content


def read_audit(run: Path) -> Audit | None:
    """audit.json, or None where the run was not audited. Raises as `read_json`."""
    return _checked(run / "audit.json", "audit", Audit) if (run / "audit.json").exists() else None


def read_explanations(run: Path) -> list[Explanation]:
    """All of explanation/*.json, by name. Raises as `read_json`."""
    return [_checked(path, "explain", Explanation) for path in sorted((run / "explanation").glob("*.json"))]


def read_reproduction(run: Path) -> Reproduction | None:
    """reproduction.json, or None. Raises as `read_json`."""
    return _checked(run / "reproduction.json", "reproduce", Reproduction) if (run / "reproduction.json").exists() else None


def read_not_assessable(run: Path) -> dict[str, list[NotAssessable]]:
    """not_assessable.json: clips of each task that were not scored. Raises as `read_json`."""
    path = run / "not_assessable.json"
    return _fitted(path, "loso", NotAssessed, {"tasks": read_json(path, "loso")}).tasks


def read_probes(run: Path) -> dict[str, Any]:
    """All of probe/*.json by name of the file. Raises as `read_json`."""
    return {path.stem: read_json(path, "probe", object) for path in sorted((run / "probe").glob("*.json"))}


def _checked(path: Path, maker: str, kind: type[File]) -> File:
    return _fitted(path, maker, kind, read_json(path, maker))


def _fitted(path: Path, maker: str, kind: type[File], content: Any) -> File:
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{path}: {where}: {first['msg']}; delete it, or write it anew with `semiology {maker}`") from error
