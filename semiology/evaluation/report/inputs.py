"""Files beside the predictions of a run: absent ones are empty, damaged ones are named."""

import platform
import re
import shlex
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PureWindowsPath
from typing import Any

import pandas as pd
from pydantic import Field

from semiology.data.cohort.table import by_cell, from_cell
from semiology.errors import UserError
from semiology.evaluation.run import files
from semiology.evaluation.run.files import Checked, File, checked, digests, run_json
from semiology.models.training.reading import NotAssessable

# verdict of an audit whose predictions.csv or null.json have changed since
STALE = "of other predictions"


class Check(File):
    """One check of the leakage audit and its answer."""

    name: str
    question: str = ""
    result: str = "not possible"
    found: str = ""
    details: list[Any] = Field(default=[])


class Audit(File):
    """Content of audit.json of `semiology audit`."""

    verdict: str
    of: dict[str, str | None] = Field(default={})
    checks: list[Check] = Field(default=[])


class Sanity(File):
    """Sanity check of an attribution: its correlation with that of randomised weights."""

    correlation: float | None = None
    passed: bool | None = None


class Deletion(File):
    """Deletion curve: the probability after deleting fractions of the input, by importance and at
    random.
    """

    fractions: list[float] = Field(default=[])
    attributed: list[float] = Field(default=[])
    random: list[float] = Field(default=[])


class Bone(File):
    """A bone's fraction of attribution; `b` is None for the movement of the whole body."""

    a: str
    b: str | None = None
    share: float = 0.0


class Explanation(File):
    """Content of explanation/<task>-<model>.json of `semiology explain`: attribution by joint and
    time.
    """

    task: str
    model: str
    method: str = ""
    level: str = ""
    held_out: bool | None = None
    shown: dict[str, Any] = Field(default={})
    joints: dict[str, float] = Field(default={})
    edges: list[Bone] = Field(default=[])
    layout: dict[str, tuple[float, float]] = Field(default={})
    regions: dict[str, float] = Field(default={})
    time: list[float] = Field(default=[])
    sanity: Sanity | None = None
    deletion: Deletion | None = None
    truth: dict[str, Any] | None = None
    graph: dict[str, Any] | None = None
    clips: list[Any] = Field(default=[])


class Comparison(File):
    """One row of a reproduction: the published and the obtained value."""

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


class Reproduction(File):
    """Content of reproduction.json of `semiology reproduce`."""

    paper: str = ""
    rows: list[Comparison] = Field(default=[])
    rule: str = ""
    assumption: str = ""
    deviations: list[str] = Field(default=[])
    not_run: list[str] = Field(default=[])
    unstated: list[str] = Field(default=[])


class NotAssessed(File):
    """Content of not_assessable.json: the clips of each task."""

    tasks: dict[str, list[NotAssessable]] = Field(default_factory=dict)


def read_audit(run: Path) -> Audit | None:
    """Read audit.json; None where the run was not audited.

    The verdict is STALE, without checks, where predictions.csv or null.json have changed since.
    Raises as `run_json`.
    """
    if not (run / "audit.json").exists():
        return None
    audit = _checked(run / "audit.json", "audit", Audit)
    return audit if audit.of == digests(run) else Audit(verdict=STALE)


def read_explanations(run: Path) -> list[Explanation]:
    """Read explanation/*.json, in order of their names. Raises as `run_json`."""
    return [
        _checked(path, "explain", Explanation)
        for path in sorted((run / "explanation").glob("*.json"))
    ]


def read_reproduction(run: Path) -> Reproduction | None:
    """Read reproduction.json; None where there is none. Raises as `run_json`."""
    return (
        _checked(run / "reproduction.json", "reproduce", Reproduction)
        if (run / "reproduction.json").exists()
        else None
    )


def read_not_assessable(run: Path) -> dict[str, list[NotAssessable]]:
    """Read not_assessable.json: clips of each task without prediction. Raises as `run_json`."""
    path = run / "not_assessable.json"
    return checked(path, "loso", NotAssessed, {"tasks": run_json(path, "loso")}).tasks


def read_probes(run: Path) -> list[tuple[str, pd.DataFrame]]:
    """Read probe/*.csv: title and table, a row for each layer.

    The title is from the JSON file beside it, else the file's name.

    Raises:
        UserError: a file is not a table, or not JSON.
    """
    found = []
    for path in sorted((run / "probe").glob("*.csv")):
        try:
            table = by_cell(pd.read_csv(path), from_cell)
        except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
            raise UserError(
                f"{path}: not a table ({' '.join(str(error).split())}); write it again with"
                " `semiology probe`"
            ) from error
        about = run_json(path.with_suffix(".json"), "probe")
        title = (
            f"{about['target']}, from {about.get('task', '')}, {about.get('model', '')}"
            if "target" in about
            else path.stem
        )
        if left_out := about.get("left_out"):
            title += f" ({len(left_out)} of {about.get('scored')} scored clips left out)"
        found.append((title, table))
    return found


def _checked(path: Path, maker: str, kind: type[Checked]) -> Checked:
    return checked(path, maker, kind, run_json(path, maker))


def read_config(run: Path) -> tuple[dict[str, Any], str]:
    """config.yaml of the run, parsed and as text without folders; both empty where there is none.

    Raises:
        UserError: it is not YAML, or not a protocol.
    """
    parsed, text = files.read_config(run / "config.yaml")
    return parsed, without_folders(text)


def review_command(config: dict[str, Any]) -> str:
    """The command that opens a run's clips in the browser, to be run in the run's folder; "" where
    its config names no store, or a place that is not stated from that folder (a folder may hold the
    name of a patient).
    """
    cohort, store = config.get("cohort"), config.get("store")
    if config.get("out") != "." or not isinstance(cohort, str) or not isinstance(store, str):
        return ""
    if any(PureWindowsPath(place).anchor or place.startswith("~") for place in (cohort, store)):
        return ""
    cohort, store = shlex.quote(cohort), shlex.quote(store)
    return f"semiology review {cohort} --store {store} --run . --rater NAME"


def without_folders(text: str) -> str:
    """The configuration with absolute paths cut to their last part, since folders may hold names of
    patients.
    """
    return re.sub(r"""(?<=[\s'"\[])(?:~|[A-Za-z]:)?[/\\][^'",\n\]}]*[/\\]""", "…/", text)


PACKAGES = ("semiology", "torch", "lightning", "numpy", "pandas", "scikit-learn")


def versions() -> dict[str, str]:
    """Versions of the packages used, from their metadata, without importing them."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
