"""Safe reading of weights: hashes and checksums are verified, and no code in a file is executed."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from semiology.errors import UserError
from semiology.files import CHANGED, content_hash, parse_json, safetensors_intact, zip_intact

if TYPE_CHECKING:
    from torch import Tensor


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
