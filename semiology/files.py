"""Writing files whole or not at all, and naming them by what they hold."""

import errno
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from semiology.errors import UserError


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; when the block ends without an error, it takes the place
    of `path`.

    A reader sees the old file or the new one, never half of one, also after a crash or a full disk.
    The temporary name keeps the suffix of `path`, because many writers choose their format by it.

    Raises:
        UserError: the folder cannot be written, the disk is full, or `path` is a folder.
    """
    path = Path(path)
    refuse_folder(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-", suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with open(temporary, "rb+") as stream:
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        os.replace(temporary, path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(
                f"{path.parent}: the disk is full; free some space and run the same command again"
            ) from error
        unwritable = (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOTDIR, errno.EEXIST)
        if error.errno in unwritable:
            raise UserError(
                f"{path}: cannot be written ({error.strerror}); choose another folder"
            ) from error
        raise
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def refuse_folder(path: str | Path) -> None:
    """For an output that is one file: what takes hours to make asks before it begins.

    Raises:
        UserError: `path` is a folder.
    """
    if Path(path).is_dir():
        raise UserError(f"{path}: is a folder; name the file to write")


def write_text(path: str | Path, text: str) -> None:
    """Write a text file (UTF-8), whole or not at all; raises as `atomic_path`."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, content: Any, *, indent: int | None = 1, **options: Any) -> None:
    """Write a JSON file, whole or not at all; raises as `atomic_path`.

    Args:
        path: of the file.
        content: what `json.dumps` takes.
        indent: spaces; the file then ends with a line feed. None writes one line without any.
        options: others of `json.dumps`.
    """
    text = json.dumps(content, indent=indent, **options)
    write_text(path, text if indent is None else text + "\n")


def read_json(
    path: str | Path,
    kind: type = dict,
    *,
    what: str = "",
    remedy: str = "correct it, or write it again",
) -> Any:
    """The content of a JSON file.

    Args:
        path: of the file.
        kind: what it has to hold: dict (an object) or list; object lets everything through.
        what: the file should be, for the message: "the card of a lifter".
        remedy: the end of the message: what to do.

    Raises:
        UserError: the file is missing or cannot be read, is not JSON, or holds something else.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        missing = isinstance(error, FileNotFoundError | NotADirectoryError)
        fault = "no such file" if missing else f"cannot be read ({error.strerror})"
        raise UserError(f"{path}: {fault}; {remedy}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not {what or 'JSON'} ({error}); {remedy}") from error
    if not isinstance(content, kind):
        wanted = what or ("a JSON object" if kind is dict else "a JSON list")
        raise UserError(f"{path}: not {wanted}; {remedy}")
    return content


def content_hash(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal; reads 1 MiB at a time."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def slug(name: str) -> str:
    """A name fit for a folder: "dystonia (pose)" -> "dystonia-pose"."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-")
