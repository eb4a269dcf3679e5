"""Published weights: a registry with their sources and hashes, fetching and verifying them; and
safe reading of any weights.

Only `get`, which the user calls explicitly, uses the network. Weights that the user trained are not
listed: `load_state` reads them by path.
"""

import os
import re
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, fields
from http.client import HTTPException
from pathlib import Path
from shutil import copyfile
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from semiology.errors import UserError
from semiology.files import (
    CHANGED,
    atomic_path,
    content_hash,
    parse_json,
    path_part,
    read_yaml,
    safetensors_intact,
    zip_intact,
)

if TYPE_CHECKING:
    from torch import Tensor

REGISTRY = Path(__file__).with_name("weights.yaml")


@dataclass(frozen=True)
class Weights:
    """One published file.

    Attributes:
        name: in this package.
        task: that reads it: regions, joints, appearance, snippets, backbone.
        purpose: what it is used for, in a few words.
        file: published file name.
        url: of the published file.
        sha256: of the file, in hexadecimal; or its first eight digits where no more is known
            (torchvision has them in the file's name).
        licence: terms, and training data.
        torchvision: name in torchvision's own list; empty where it is not from there.
    """

    name: str
    task: str
    purpose: str
    file: str
    url: str
    sha256: str
    licence: str
    torchvision: str = ""


def known_weights(registry: str | Path = REGISTRY) -> dict[str, Weights]:
    """The published weights by name.

    Args:
        registry: YAML of the entries; another one, e.g. with the addresses of a mirror within the
            clinic, has the same form.

    Raises:
        UserError: no such file, an entry with an unknown or missing key, an invalid hash.
    """
    raw = read_yaml(registry, what="a list of weights")
    keys = {field.name for field in fields(Weights)} - {"name"}
    for name, entry in raw.items():
        if not set(entry) <= keys or not keys - {"torchvision"} <= set(entry):
            wrong = sorted((keys - {"torchvision"}) ^ (set(entry) - {"torchvision"}))
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
        raise UserError(
            f"no published weights are called {name!r}; known are {', '.join(known)}. Your own are"
            " given by the file's path"
        )
    return known[name]


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


def metadata(path: str | Path) -> dict[str, str]:
    """The metadata of a .safetensors file; empty for other files, and where it is damaged."""
    from safetensors import SafetensorError, safe_open

    if Path(path).suffix != ".safetensors":
        return {}
    try:
        with safe_open(path, framework="np") as stored:
            return stored.metadata() or {}
    except SafetensorError:
        return {}


def class_names(about: dict[str, str], count: int, path: str | Path) -> list[str]:
    """Names of a classifier's outputs: of its metadata, else class_0, class_1 and so on.

    Raises:
        UserError: the metadata hold something else than `count` names.
    """
    try:
        names = parse_json(about.get("classes", "null"))
    except ValueError:
        names = ()
    if names is None:
        return [f"class_{number}" for number in range(count)]
    if not isinstance(names, list) or list(map(type, names)) != [str] * count:
        raise UserError(f"{path}: its metadata do not name {count} classes; make the file again")
    return names


def add(
    file: str | Path, name: str, folder: str | Path | None = None, registry: str | Path = REGISTRY
) -> Path:
    """Add a local file of published weights: its hash is checked, then it is copied, whole or not
    at all.

    Raises:
        UserError: no such file, no weights of that name, another file than the published one.
    """
    entry, file = published(name, registry), Path(file)
    if not file.is_file():
        raise UserError(f"{file}: no such file; it is published at {entry.url}")
    target = Path(folder or weights_folder()) / entry.file
    with atomic_path(target) as temporary:
        copyfile(file, temporary)
        check_hash(temporary, entry.sha256, called=file)
    return target


def get(name: str, folder: str | Path | None = None, registry: str | Path = REGISTRY) -> Path:
    """Download published weights, unless they are there already; the hash is checked before the
    file is moved into the folder.

    Raises:
        UserError: no weights of that name, an address that cannot be reached or refuses, another
            file than the published one.
    """
    entry = published(name, registry)
    target = Path(folder or weights_folder()) / entry.file
    if not (target.is_file() and content_hash(target).startswith(entry.sha256)):
        with atomic_path(target) as temporary:
            with open(temporary, "wb") as stream:
                for block in _download(entry):
                    stream.write(block)
            check_hash(temporary, entry.sha256, called=entry.url)
    return target


def _download(entry: Weights) -> Iterator[bytes]:
    try:
        with urllib.request.urlopen(entry.url, timeout=30) as answer:
            size = int(answer.headers.get("Content-Length") or 0) or None
            with tqdm(total=size, desc=entry.file, unit="B", unit_scale=True) as progress:
                while block := answer.read(1 << 20):
                    progress.update(len(block))
                    yield block
    except (
        OSError,
        HTTPException,
        ValueError,
    ) as error:  # refused, unreachable, cut off, no address at all
        raise UserError(
            f"{entry.url}: could not be fetched ({getattr(error, 'reason', None) or error}); fetch"
            " it on a machine that can, bring the file, and run `semiology weights add FILE"
            f" {entry.name}`"
        ) from error


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


def check_hash(path: Path, sha256: str, *, called: str | Path | None = None) -> None:
    """Check the SHA-256 of a file, or its first digits.

    Args:
        path: of the file.
        sha256: expected, in hexadecimal.
        called: name of the file in the message, where it has a temporary name.

    Raises:
        UserError: they differ.
    """
    found = content_hash(path)
    if not found.startswith(sha256.lower()):
        raise UserError(
            f"{called or path}: not the file that belongs here: SHA-256 {found[: len(sha256)]},"
            f" expected {sha256} ({path.stat().st_size} bytes); it was changed or cut short: fetch,"
            " copy or train it again"
        )


def load_state(path: str | Path, sha256: str | None = None) -> "dict[str, Tensor]":
    """Tensors by name, on the CPU, from .safetensors or a file of `torch.save`; no code in the file
    is executed.

    A state_dict that a training script wrapped ("state_dict", "net", "model") is unwrapped, and
    "module." before names is dropped.

    Args:
        path: of the file.
        sha256: that the file must have; None for the user's own weights. Checksums in the file
            are verified: those of semiology, and those of the zip archive of `torch.save`.
            Safetensors of other programs have none.

    Raises:
        UserError: no such file, another hash, a file that is damaged, or that holds more than
            tensors and plain values.
    """
    import torch  # here, so that `semiology weights list` and `doctor` do not wait for it
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file of weights")
    if sha256:  # then no checksum in the file needs to be read
        check_hash(path, sha256)
    changed = UserError(f"{path}: damaged, {CHANGED}; copy or train it again")
    if path.suffix == ".safetensors":
        intact = True if sha256 else safetensors_intact(path)
        ours = metadata(path).get("software", "").startswith("semiology")
        if intact is False or (ours and intact is None):
            raise changed
        try:
            return load_file(path)
        except SafetensorError as error:
            raise UserError(
                f"{path}: not a readable safetensors file ({error}); copy or train it again"
            ) from error
    try:
        if not sha256 and not zip_intact(path):
            raise changed
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except (EOFError, RuntimeError) as error:  # torch's reader meets the end too soon
        reason = str(error).partition("\n")[0] or "it ends too soon"
        raise UserError(
            f"{path}: not a readable file of weights ({reason}); copy or train it again"
        ) from error
    except Exception as error:  # whatever the unpickler meets in a foreign file
        raise UserError(
            f"{path}: refused: it holds more than tensors, or is damaged; save a plain state_dict"
            " or safetensors"
        ) from error
    for wrapper in ("state_dict", "net", "model"):
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    tensors = (
        {name: value for name, value in content.items() if isinstance(value, torch.Tensor)}
        if isinstance(content, dict)
        else {}
    )
    if not tensors:
        raise UserError(f"{path}: holds no tensors by name; save the network's state_dict")
    return {name.removeprefix("module."): value for name, value in tensors.items()}
