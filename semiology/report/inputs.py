"""What lies beside the predictions of a run, read and checked: what is absent is empty, what is damaged is named in one line."""

import json
import re
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import yaml
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


class Bone(_File):
    """A bone's share of attribution; `b` is None for the movement of the whole figure."""

    a: str
    b: str | None = None
    share: float = 0.0


class Explanation(_File):
    """explanation/<task>-<model>.json of `semiology explain`; shares of attribution by joint, and by step of time."""

    task: str
    model: str
    method: str = ""
    level: str = ""
    held_out: bool | None = None
    shown: dict[str, Any] = {}
    joints: dict[str, float] = {}
    edges: list[Bone] = []
    layout: dict[str, tuple[float, float]] = {}
    regions: dict[str, float] = {}
    time: list[float] = []
    sanity: Sanity | None = None
    deletion: Deletion | None = None
    truth: dict[str, Any] | None = None
    graph: dict[str, Any] | None = None
    clips: list[Any] = []


class Comparison(_File):
    """One row of a reproduction: the paper's value beside ours."""

    what: str
    published: float | str | None = None
    published_low: float | None = None
    published_high: float | None = None
    obtained: float | None = None
    low: float | None = None
    high: float | None = None
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None
    agrees: bool | None = None
    verdict: str = ""
    remark: str = ""


class Reproduction(_File):
    """reproduction.json of `semiology reproduce`."""

    paper: str = ""
    rows: list[Comparison] = []
    rule: str = ""
    assumption: str = ""
    deviations: list[str] = []
    not_run: list[str] = []
    unstated: list[str] = []


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


def read_probes(run: Path) -> list[tuple[str, pd.DataFrame]]:
    """All of probe/*.csv: title and table, a row a layer. The title is told by the JSON file beside it, else by the file's name.

    Raises:
        UserError: a file is not a table, or not JSON.
    """
    found = []
    for path in sorted((run / "probe").glob("*.csv")):
        try:
            table = pd.read_csv(path)
        except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
            raise UserError(f"{path}: not a table ({' '.join(str(error).split())}); write it anew with `semiology probe`") from error
        told = read_json(path.with_suffix(".json"), "probe")
        title = f"{told['target']}, from {told.get('task', '')}, {told.get('model', '')}" if "target" in told else path.stem
        if left_out := told.get("left_out"):
            title += f" ({len(left_out)} of {told.get('scored')} scored clips left out)"
        found.append((title, table))
    return found


def _checked(path: Path, maker: str, kind: type[File]) -> File:
    return _fitted(path, maker, kind, read_json(path, maker))


def _fitted(path: Path, maker: str, kind: type[File], content: Any) -> File:
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{path}: {where}: {first['msg']}; delete it, or write it anew with `semiology {maker}`") from error


def read_config(run: Path) -> tuple[dict[str, Any], str]:
    """config.yaml of the run, parsed and as text without folders; both empty where there is none.

    Raises:
        UserError: it is not YAML.
    """
    path = run / "config.yaml"
    if not path.exists():
        return {}, ""
    try:
        text = path.read_text(encoding="utf-8")
        parsed = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not YAML ({' '.join(str(error).split())}); delete it, or write it anew with `semiology loso`") from error
    return parsed if isinstance(parsed, dict) else {}, without_folders(text)


def without_folders(text: str) -> str:
    """The configuration with absolute paths cut to their last part: folders on a hospital's disk may bear names."""
    return re.sub(r"""(?<=[\s'"\[])(?:~|[A-Za-z]:)?[/\\][^'",\n\]}]*[/\\]""", "…/", text)
