"""Files of a run that several verbs read beside predictions.csv, checked: a fault is named in one
line.

Entries that a check does not name are passed over, so that older and newer runs can be read.
"""

import csv
import dataclasses
import os
from collections.abc import Callable, Mapping
from functools import reduce
from itertools import combinations
from operator import or_
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, RootModel, ValidationError, create_model

from semiology.errors import UserError
from semiology.evaluation.run.settings import Fusion, Protocol
from semiology.evaluation.run.tasks import TEST_SET, label_task
from semiology.files import content_hash, read_json, read_yaml


class File(BaseModel):
    """Part of a file: what it does not name is passed over, and no number is infinite."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)


Checked = TypeVar("Checked", bound=BaseModel)


def partial(settings: type) -> type[File]:
    """A check of settings as a file holds them: those that are there are of the right kind, any may
    be absent or null, and others are passed over.
    """
    hints = get_type_hints(settings)
    names = [field.name for field in dataclasses.fields(settings)]
    return create_model(  # type: ignore[call-overload]
        settings.__name__,
        __base__=File,
        **{name: (_partial(hints[name]) | None, None) for name in names},
    )


def _partial(hint: Any) -> Any:
    """The type of a setting, with all settings classes in it replaced by their checks."""
    if dataclasses.is_dataclass(hint):
        return hint if hint is Fusion else partial(hint)  # type: ignore[arg-type]
    inner = tuple(_partial(part) for part in get_args(hint))
    origin = get_origin(hint)
    if not inner or origin is Literal:
        return hint
    if origin is dict:
        return dict[inner[0], inner[1] | None]  # type: ignore[valid-type]
    if origin is tuple:
        return list[inner[0]]  # type: ignore[valid-type]
    return reduce(or_, inner) if origin is UnionType else origin[inner]


PROTOCOL = partial(Protocol)  # config.yaml, as `semiology loso` writes it


class Null(RootModel[dict[str, dict[str, dict[str, list[float | None]]]]]):
    """null.json: task -> model -> metric -> values under permuted labels."""

    model_config = ConfigDict(allow_inf_nan=False)


def run_json(path: Path, maker: str, kind: type = dict) -> Any:
    """The JSON object (or list) in a file of a run; an empty one where there is no such file.

    Raises:
        UserError: the file is not JSON or not of this kind; `maker` is the command that writes it.
    """
    if not path.exists():
        return kind()
    return read_json(path, kind, remedy=f"delete it, or write it again with `semiology {maker}`")


def checked(path: Path, maker: str, kind: type[Checked], content: Any) -> Checked:
    """The content of a file as what it has to be.

    Raises:
        UserError: it is not; the line names the first place that is wrong.
    """
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"{path}: {where}: {first['msg']}; delete it, or write it again with `semiology"
            f" {maker}`"
        ) from error


def read_config(path: Path) -> tuple[dict[str, Any], str]:
    """A run's config.yaml as it stands, parsed and as text; both empty where there is none.

    Raises:
        UserError: it is not YAML, or not a protocol.
    """
    if not path.exists():
        return {}, ""
    parsed = read_yaml(path, object, remedy="delete it, or write it again with `semiology loso`")
    checked(path, "loso", PROTOCOL, parsed)
    return parsed, path.read_text(encoding="utf-8")


PLACES = ("cohort", "store", "features", "out")  # folders that a protocol names


def places_from(settings: Mapping[str, Any], run: Path) -> dict[str, Any]:
    """Settings as config.yaml of a run holds them: folders, and files of encoders, as paths from
    the run's own (`out` is then "."), so that run and data can be moved together, and no name of a
    user is in the file. One that has nothing but the root in common with the run keeps its absolute
    path.
    """
    here = os.path.abspath(run)

    def from_run(place: str | Path) -> str:
        there = os.path.abspath(place)
        try:
            shared = os.path.commonpath([here, there])
            near = shared != os.path.dirname(shared)
        except ValueError:  # another drive
            near = False
        return Path(os.path.relpath(there, here) if near else there).as_posix()

    return _with_places(settings, from_run)


def places_of(settings: Mapping[str, Any], path: str | Path) -> dict[str, Any]:
    """Settings of a config with its folders, and files of encoders, as paths that can be opened
    from here: those of a run's own config.yaml start from the run (see `places_from`), all others
    from the current folder.
    """
    run = Path(path).parent
    if Path(path).name == "config.yaml" and settings.get("out") == ".":
        return _with_places(settings, lambda place: os.path.normpath(run / place))
    return dict(settings)


def _with_places(
    settings: Mapping[str, Any], change: Callable[[str | Path], str]
) -> dict[str, Any]:
    """Settings with every place in them changed."""
    found = {
        name: change(value) if name in PLACES and isinstance(value, str | Path) else value
        for name, value in settings.items()
    }
    if isinstance(models := found.get("models"), dict):
        found["models"] = {
            name: {**model, "encoder": change(model["encoder"])}
            if isinstance(model, dict) and model.get("encoder")
            else model
            for name, model in models.items()
        }
    return found


def run_data(run: str | Path) -> tuple[str, str | None]:
    """The cohort and the store of a finished run.

    Raises:
        UserError: the folder is no run, its config.yaml is damaged, or its cohort is not there.
    """
    path = Path(run) / "config.yaml"
    if not path.is_file():
        raise UserError(
            f"{run}: is no finished run (no config.yaml that names a cohort); `semiology loso`"
            " makes one"
        )
    config = places_of(read_yaml(path, remedy="run `semiology loso` again"), path)
    cohort, store = config.get("cohort"), config.get("store")
    if not isinstance(cohort, str) or not isinstance(store, str | None):
        raise UserError(f"{path}: names no cohort; run `semiology loso` again, which writes it")
    if not Path(cohort).is_dir():
        raise UserError(
            f"{run}: its cohort {cohort} is not there; bring it there, or correct cohort and store"
            f" in {path}"
        )
    return cohort, store


def run_size(run: str | Path) -> str:
    """How many clips, participants and models the predictions of a run of `semiology loso` are of,
    in words; "" where there are none that can be read. It takes no table library, so that a verb
    can say it at once.
    """
    found: dict[str, set[str]] = {"clip_id": set(), "participant_id": set(), "model": set()}
    try:
        with (Path(run) / "predictions.csv").open(newline="", encoding="utf-8") as table:
            for row in csv.DictReader(table):
                for column, values in found.items():
                    values.add(row[column])
    except (OSError, ValueError, csv.Error, KeyError):
        return ""
    clips, people, models = map(len, found.values())
    if not clips:
        return ""
    counts = {"clip": clips, "participant": people, "model": models}
    clip, person, model = (f"{n} {name}{'s' * (n != 1)}" for name, n in counts.items())
    return f"{run}: {clip} of {person}, {model}"


def task_settings(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The settings of a task in config.yaml, or of that of which it is one of several labels; empty
    where neither is there.
    """
    for task, settings in (config.get("tasks") or {}).items():
        if name in (task, *_label_tasks(task, settings)):
            return settings or {}
    return {}


def _label_tasks(task: str, settings: Mapping[str, Any] | None) -> list[str]:
    """The tasks of the run's tables that a task of config.yaml is."""
    label = ((settings or {}).get("reading") or {}).get("label")
    return [label_task(task, own) for own in label] if isinstance(label, list) else [task]


def split_of(config: Mapping[str, Any], task: str) -> dict[str, Any]:
    """How a task's clips were split into folds, from config.yaml: its own split, else the run's;
    empty where neither is there.

    A fusion that is a task of its own has the split of its members, and the unseen test set's part
    of a task that of the task.
    """
    task, tasks = task.removesuffix(TEST_SET), config.get("tasks") or {}
    members = [
        member
        for fusion in config.get("fusions") or ()
        if fusion["task"] == task
        for member in fusion["members"]
    ]
    name = members[0].rpartition("/")[0] if members and task not in tasks else task
    return task_settings(config, name).get("split") or config.get("split") or {}


def tested_people(config: Mapping[str, Any], task: str) -> set[str]:
    """Participants of a task's unseen test set, as config.yaml names them."""
    return set(split_of(config, task).get("test") or [])


def split_pairs(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Pairs of tasks that differ in nothing but their split; of two the one split by recording
    comes second.
    """
    tasks = {
        name: {key: value for key, value in (task or {}).items() if key != "split"}
        for name, task in (config.get("tasks") or {}).items()
    }
    return [
        (first, second) if split_of(config, first).get("by") != "recording" else (second, first)
        for one, other in combinations(tasks, 2)
        if tasks[one] == tasks[other] and split_of(config, one) != split_of(config, other)
        for first, second in zip(_label_tasks(one, tasks[one]), _label_tasks(other, tasks[other]))
    ]


def read_null(path: Path) -> dict[str, Any]:
    """null.json; empty where there is none. Raises as `run_json`."""
    return checked(path, "loso", Null, run_json(path, "loso")).root


def digests(run: str | Path) -> dict[str, str | None]:
    """SHA-256 of the files that an audit examines, by name; None for one that is not there."""
    numbers = (Path(run) / "scores.tsv").is_file()  # of a run of ratings or numbers
    return {
        name: content_hash(Path(run) / name) if (Path(run) / name).is_file() else None
        for name in ("scores.tsv" if numbers else "predictions.csv", "null.json")
    }
