"""A paper's protocol as a file: found, changed by the user's settings, its constants with their
sources, and what departs from it.

What a paper's protocol needs of the user's cohort: labels of two levels, features for the models
that read them.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from semiology.data.cohort import Cohort
from semiology.data.store import FEATURES, Store
from semiology.errors import UserError
from semiology.parallel import Workers

P = TypeVar("P", bound=Workers)
PLACES = {
    "cohort",
    "store",
    "features",
    "out",
    "final",
    *Workers.__dataclass_fields__,
}  # where and how fast, not what
TAGGED = re.compile(r"^\s*(?P<key>[\w()+ ]+):.*#.*?\[(?P<tags>[PTCRI](?:, ?[PTCRI])*)\]")


def protocol_file(name: str) -> Path:
    """The protocol called `name`: inside an installed package, or in configs/ of a checkout (the
    wheel takes it from there).
    """
    installed = Path(str(resources.files("semiology.experiments.reproduce"))) / f"{name}.yaml"
    return (
        installed
        if installed.is_file()
        else Path(__file__).resolve().parents[3] / "configs" / f"{name}.yaml"
    )


def merged(protocol: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The protocol with the settings laid over it, key by key; lists are replaced whole."""
    result = dict(protocol)
    for key, value in settings.items():
        below = result.get(key)
        result[key] = (
            merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
        )
    return result


def with_workers(used: P, **chosen: Any) -> P:
    """The protocol with those settings of Workers that were chosen; None leaves the protocol's."""
    return replace(used, **{name: value for name, value in chosen.items() if value is not None})


def read_tags(path: Path) -> dict[str, str]:
    """Key -> source of its constant, from the comments of a protocol's file: `rate: 25 # Hz [P]`
    gives {"rate": "P"}.

    A key without a tag is our choice, as the file's first lines say.
    """
    found = (TAGGED.match(line) for line in path.read_text(encoding="utf-8").splitlines())
    return {match["key"].strip(): match["tags"] for match in found if match}


def source_of(path: str, tags: Mapping[str, str]) -> str:
    """Tag of the constant at `path` ("models/agcn/network/options/widths"): of its own key, else of
    the nearest above; else "choice".
    """
    return next((tags[key] for key in reversed(path.split("/")) if key in tags), "choice")


def constants(protocol: Any, tags: Mapping[str, str]) -> list[dict[str, Any]]:
    """Every constant of a protocol: {"name", "value", "source"}."""
    return [
        {"name": path, "value": value, "source": f"[{source_of(path, tags)}]"}
        for path, value in _flat(protocol).items()
    ]


def departures(protocol: Any, used: Any, tags: Mapping[str, str]) -> list[str]:
    """One sentence for each constant that differs between the paper's protocol and the one that was
    used.
    """
    published, own = _flat(protocol), _flat(used)
    changed = [
        path for path in dict.fromkeys([*published, *own]) if published.get(path) != own.get(path)
    ]
    return [
        f"{path}: {own.get(path)} instead of {published.get(path)} [{source_of(path, tags)}]"
        for path in changed
    ]


def _flat(protocol: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def walk(value: Any, path: str) -> None:
        if isinstance(value, dict) and value:
            for key, item in value.items():
                walk(item, f"{path}/{key}" if path else str(key))
        else:
            found[path] = list(value) if isinstance(value, tuple) else value

    walk({name: value for name, value in asdict(protocol).items() if name not in PLACES}, "")
    return found


KEYPOINTS_ONLY = ("agcn",)  # the model that reads keypoints and no features
NONE = "none"  # given instead of a label's column: the task is left out


def check_two_levels(cohort: Cohort, option: str, column: str, table: str) -> None:
    """Refuse a label that the cohort does not define, or that has other than two levels.

    Args:
        option: of the command line, by which the column is named.
        column: of clips.tsv.
        table: the paper's, which is of two levels.

    Raises:
        UserError: with what to do.
    """
    if column not in cohort.labels:
        raise UserError(
            f"{cohort.folder}: clips.json defines no label {column!r}; it defines"
            f" {', '.join(sorted(cohort.labels)) or 'none'}. Say which column scores it (--{option}"
            f" COLUMN), or leave the task out (--{option} {NONE})"
        )
    levels = list(cohort.labels[column].levels)
    if len(levels) != 2:
        raise UserError(
            f"{cohort.folder}: label {column!r} has {len(levels)} levels ({', '.join(levels)});"
            f" {table} is of two, absence and presence: add such a column to clips.tsv and name it"
            f" by --{option}"
        )


def without_features(cohort: Cohort, label: str, stage: str | None, store: str | None) -> str:
    """How many of the clips scored for a label lack the features of a stage in the store, and what
    to run; empty where none does.
    """
    scored = [clip.clip_id for clip in cohort.scored(label)]
    held = Store(store) if store else None
    lacking = [clip for clip in scored if stage and not (held and held.has(clip, stage))]
    if not lacking:
        return ""
    run = f"semiology extract COHORT --store DIR {FEATURES[str(stage)]}"
    return (
        f"{len(lacking)} of {len(scored)} clips have no {stage} features (the first is"
        f" {lacking[0]}); run: {run}"
    )
