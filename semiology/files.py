"""Writing files whole or not at all, knowing whether they are as they were written, naming them by
what they hold, and reading JSON, YAML and XML of others: bounded, and with a fault in one line.

A checksum stands in the file that it is of, as text that is `"xxh3_128": "<32 hexadecimal digits>"`
in JSON: the XXH3 hash of all the file's bytes, with zeros in place of these digits. It finds
damage, not forgery. XXH3 reads 7.5 GB a second on the processor where SHA-256 reads 0.9. [our
choice]
"""

import errno
import hashlib
import json
import mmap
import os
import re
import shutil
import socket
import struct
import tempfile
import time
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import xxhash
import yaml

from semiology.errors import UserError

CHANGED = "its bytes changed since it was written"  # what errors say of a damaged file
CHECKSUM = "xxh3_128"
NO_CHECKSUM = "0" * 32
CHECKSUM_LINE = "\n{"
CHECKSUM_BYTES = len(f'{CHECKSUM_LINE}"{CHECKSUM}":"{NO_CHECKSUM}"}}\n')
STATED = re.compile(rb'"xxh3_128": ?"([0-9a-f]{32})"')
DEEPEST = 100  # levels of lists and maps in YAML; our own files have ten [our choice]
LONGEST_YAML = 1 << 24  # bytes; written by hand, so that a longer file is no YAML [our choice]
# plain texts that YAML 1.1 reads as numbers to the base of 8 or 60: 010 is 8, 1:30 is 90
OTHER_BASE = re.compile(r"[-+]?(0[0-7_]+|[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?)")
MOST_REPEATED = 10_000  # nodes that the aliases of a YAML text may add [our choice]


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
    with _part_of(path) as prefix:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        _open_parts.add(temporary.name)
        try:
            yield temporary
            with open(temporary, "rb+") as stream:
                os.fsync(stream.fileno())
            temporary.chmod(0o644)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
            _open_parts.discard(temporary.name)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Give a temporary folder beside `path`; when the block ends without an error, it becomes
    `path`, which must not be there, or be empty. What is made of patients' videos is there whole,
    or not at all.

    Raises:
        UserError: the folder cannot be written, the disk is full, or `path` is there and not empty.
    """
    path = Path(path)
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise UserError(f"{path}: is there already; name an empty folder, or a new one")
    with _part_of(path) as prefix:
        remove_parts(path.parent)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=prefix))
        _open_parts.add(temporary.name)
        try:
            yield temporary
            temporary.chmod(0o755)
            if path.exists():
                path.rmdir()
            temporary.rename(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
            _open_parts.discard(temporary.name)


@contextmanager
def _part_of(path: Path) -> Iterator[str]:
    """Make the folder of an output, and give the prefix of its temporary name.

    Raises:
        UserError: what is written inside meets a full disk, or a folder that cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield f".part-{_machine()}-{os.getpid()}-"
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


_open_parts: set[str] = set()  # names of the temporary files that this process writes now
PART = re.compile(r"\.part-(?P<machine>[0-9a-f]{8})-(?P<process>[0-9]+)-\w{8}(\.\w+)?")
ABANDONED = 24 * 3600.0  # s without a change, of a file of another machine's process [our choice]


@cache
def _machine() -> str:
    """Eight digits for what process numbers are unique in: the machine, and under Linux the
    namespace, which is a container's own.
    """
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = ""
    return hashlib.sha256(f"{socket.gethostname()} {namespace}".encode()).hexdigest()[:8]


def remove_parts(folder: str | Path, *, below: bool = False) -> None:
    """Delete the temporary files and folders that killed processes left in a folder, and with
    `below` in all folders in it: they hold parts of what was being written, patients' tracks for
    example.

    One of this machine is deleted if its process is gone; one of another machine, which shares the
    folder over the network, if nothing was written to it for a day. Those of a process that runs
    are left alone, and so is everything of another name.
    """
    for path in list(Path(folder).glob("**/.part-*" if below else ".part-*")):
        match = PART.fullmatch(path.name)
        with suppress(OSError):
            if match is None or path.name in _open_parts or path.is_symlink():
                continue
            gone = match["machine"] == _machine() and not _runs(int(match["process"]))
            if not gone and time.time() - path.stat().st_mtime <= ABANDONED:
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()


def _runs(process: int) -> bool:
    """Whether a process of this number runs, other than this one; True where it cannot be known."""
    if process == os.getpid() or os.name != "posix":  # a signal 0 is none under Windows
        return process != os.getpid()
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def begin_folder(folder: str | Path, *, below: bool = True) -> None:
    """Make the folder of a run, check that a file can be written in it, and delete what killed
    processes left in it (and below; see `remove_parts`): what takes hours asks before it begins.

    Raises:
        UserError: it cannot be written, or the disk is full.
    """
    folder = Path(folder)
    with atomic_path(folder / ".writable"):
        pass
    (folder / ".writable").unlink(missing_ok=True)
    remove_parts(folder, below=below)


def refuse_existing(paths: Iterable[Path]) -> None:
    """For outputs that replace nothing.

    Raises:
        UserError: one of the files is there already.
    """
    for path in paths:
        if path.exists():
            raise UserError(f"{path} is there already; move it, or name another --out")


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


def write_json(
    path: str | Path,
    content: Any,
    *,
    indent: int | None = 1,
    checksummed: bool = False,
    **options: Any,
) -> None:
    """Write a JSON file, whole or not at all; raises as `atomic_path`.

    Args:
        path: of the file.
        content: what `json.dumps` takes.
        indent: spaces; the file then ends with a line feed. None writes one line without any.
        checksummed: add a checksum to the object, which `read_json` verifies: for files that no
            person is to change.
        options: others of `json.dumps`.
    """
    if checksummed:
        content = {**content, CHECKSUM: NO_CHECKSUM}
    text = json.dumps(content, indent=indent, **options) + ("" if indent is None else "\n")
    if checksummed:
        before, _, after = text.rpartition(NO_CHECKSUM)
        text = before + checksum(text.encode()) + after
    write_text(path, text)


def read_json(
    path: str | Path,
    kind: type = dict,
    *,
    what: str = "",
    remedy: str = "correct it, or write it again",
    checksummed: bool = False,
) -> Any:
    """The content of a JSON file, without its checksum.

    Args:
        path: of the file.
        kind: what it has to hold: dict (an object) or list; object lets everything through.
        what: the file should be, for the message: "the card of a lifter".
        remedy: the end of the message: what to do.
        checksummed: it must have a checksum; one that is there is always verified.

    Raises:
        UserError: the file is missing or cannot be read, is not JSON, holds something else, or is
            not as it was written.
    """
    try:
        raw = Path(path).read_bytes()
        content = parse_json(raw.decode("utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {_unreadable(error)}; {remedy}") from error
    except ValueError as error:
        raise UserError(f"{path}: not {what or 'JSON'} ({error}); {remedy}") from error
    if not isinstance(content, kind):
        wanted = what or ("a JSON object" if kind is dict else "a JSON list")
        raise UserError(f"{path}: not {wanted}; {remedy}")
    has_one = isinstance(content, dict) and content.pop(CHECKSUM, None) is not None
    if has_one and not is_intact(raw):
        raise UserError(f"{path}: damaged, {CHANGED}; {remedy}")
    if checksummed and not has_one:
        raise UserError(
            f"{path}: not {what or 'as it was written'}: it has no checksum (damaged, or of an"
            f" earlier version); {remedy}"
        )
    return content


def checksum(*blocks: bytes | memoryview) -> str:
    """Checksum of a file with these bytes, 32 hexadecimal digits, `NO_CHECKSUM` in its place."""
    digest = xxhash.xxh3_128()
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()


def is_intact(content: bytes | mmap.mmap, start: int = 0, end: int | None = None) -> bool | None:
    """Whether a file's bytes are as they were written; None where they state no checksum.

    Args:
        content: all bytes of the file.
        start, end: where the checksum stands; the last one there is taken.
    """
    places = list(STATED.finditer(content, start, len(content) if end is None else end))
    if not places:
        return None
    stated = places[-1]
    with memoryview(content) as view:
        found = checksum(view[: stated.start(1)], NO_CHECKSUM.encode(), view[stated.end(1) :])
    return found == stated[1].decode()


def safetensors_intact(path: str | Path) -> bool | None:
    """Whether safetensors are as they were written; None where they have no checksum."""
    try:
        with (
            open(path, "rb") as stream,
            mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            (size,) = struct.unpack("<Q", content[:8])
            if size > len(content) - 8:
                return None
            return is_intact(content, 8, 8 + size)
    except (OSError, ValueError, struct.error):
        return None


def zip_intact(path: str | Path) -> bool:
    """Whether the members of a zip archive (.npz, or a file of `torch.save`) have the CRC-32 that
    it states: numpy and torch read them without a look at it. True for a file that is no archive.

    Raises:
        zipfile.BadZipFile, zlib.error: an archive that is damaged otherwise.
    """
    if not zipfile.is_zipfile(path):
        return True
    with zipfile.ZipFile(path) as archive:
        return archive.testzip() is None


def end_with_checksum(path: str | Path) -> None:
    """Append a checksum in a line of its own, for formats that stop reading at their own end, as
    HDF5 does.
    """
    ending = f'{CHECKSUM_LINE}"{CHECKSUM}":"{NO_CHECKSUM}"}}\n'
    with open(path, "r+b") as stream:
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            digest = checksum(memoryview(content), ending.encode())
        stream.seek(0, os.SEEK_END)
        stream.write(ending.replace(NO_CHECKSUM, digest).encode())


def ends_intact(path: str | Path) -> bool | None:
    """Whether a file that `end_with_checksum` completed is as it was; None for one without."""
    try:
        with (
            open(path, "rb") as stream,
            mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            start = max(len(content) - CHECKSUM_BYTES, 0)
            ending = content[start:]
            if ending.startswith(CHECKSUM_LINE.encode()) or ending.endswith(b'"}\n'):
                return bool(is_intact(content, start))
            return None
    except (OSError, ValueError):
        return None


def real_files(folder: str | Path, pattern: str = "*") -> list[Path]:
    """What matches in a folder, sorted, without the `._` companions that a Mac writes beside files
    on drives of other systems: they hold the file's attributes, not its content.
    """
    return sorted(path for path in Path(folder).glob(pattern) if not path.name.startswith("._"))


def parse_json(text: str | bytes, **options: Any) -> Any:
    """The content of a JSON text; `options` of `json.loads`.

    Raises:
        ValueError: it is not JSON, or lists and objects lie too deep in each other.
    """
    try:
        return json.loads(text, **options)
    except RecursionError as error:
        raise ValueError("lists and objects lie too deep in each other") from error


def read_xml(path: str | Path, root: str, *, what: str, remedy: str) -> ET.Element:
    """The root element of an XML file.

    Args:
        path: of the file.
        root: the name that the root has to have.
        what: the file should be, for the message: ".eaf".
        remedy: the end of the message: what to do.

    Raises:
        UserError: it is not XML, defines entities, or has another root.
    """
    data = Path(path).read_bytes()
    try:
        if b"<!ENTITY" in data or "<!ENTITY".encode("utf-16-le") in data:
            raise ValueError("it defines entities")
        found = ET.fromstring(data)
    except (ET.ParseError, ValueError, LookupError) as error:
        raise UserError(f"{path}: is no whole {what} ({error}); {remedy}") from error
    if found.tag != root:
        raise UserError(f"{path}: is no {what} (it begins with {found.tag}); {remedy}")
    return found


def read_yaml(
    path: str | Path,
    kind: type = dict,
    *,
    what: str = "",
    remedy: str = "correct it, or write it again",
) -> Any:
    """The content of a YAML file; arguments as for `read_json`.

    Raises:
        UserError: the file is missing or cannot be read, is not YAML, is longer than `LONGEST_YAML`
            or passes a bound of `parse_yaml`, or holds something else.
    """
    try:
        with open(path, "rb") as stream:
            raw = stream.read(LONGEST_YAML + 1)
        if len(raw) > LONGEST_YAML:
            raise UserError(f"{path}: longer than {LONGEST_YAML >> 20} MiB; {remedy}")
        content = parse_yaml(raw.decode("utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {_unreadable(error)}; {remedy}") from error
    except ValueError as error:
        raise UserError(
            f"{path}: not {what or 'YAML'} ({' '.join(str(error).split())}); {remedy}"
        ) from error
    if not isinstance(content, kind):
        wanted = what or ("a YAML mapping" if kind is dict else "a YAML list")
        raise UserError(f"{path}: not {wanted}; {remedy}")
    return content


class AliasesMultiply(ValueError):
    """A YAML text whose aliases would add more than `MOST_REPEATED` nodes."""


def parse_yaml(text: str, load: Callable[[str], Any] = yaml.safe_load) -> Any:
    """The content of a YAML text, within bounds: `DEEPEST` levels, aliases that add no more than
    `MOST_REPEATED` nodes and stand for nothing that they lie in, no number that is another one than
    it looks (`OTHER_BASE`).

    Args:
        text: YAML.
        load: constructs plain values of the text.

    Raises:
        ValueError: it is not YAML, or passes a bound.
    """
    try:
        _check_nodes(text)
        return load(text)
    except (yaml.YAMLError, KeyError, AttributeError, TypeError, OverflowError) as error:
        # of a value that is not what its tag says, PyYAML raises what its conversion raises
        raise ValueError(str(error)) from error


def _check_nodes(text: str) -> None:
    """The bounds of `parse_yaml`, counted before anything is built."""
    sizes: dict[str, int] = {}  # nodes behind an anchor, those behind aliases in it included
    around: list[tuple[str | None, int]] = []  # the collections around: anchor, count at its start
    count = repeated = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise ValueError(f"the alias *{event.anchor} names nothing before it")
            repeated += sizes[event.anchor]
            count += sizes[event.anchor]
            if repeated > MOST_REPEATED:
                raise AliasesMultiply(f"its aliases add more than {MOST_REPEATED} values")
        elif isinstance(event, yaml.ScalarEvent):
            if around and event.implicit[0] and OTHER_BASE.fullmatch(event.value):
                raise ValueError(
                    f"YAML makes another number of {event.value}; write a number without leading"
                    f" zeros and colons, or a name in quotes, as '{event.value}'"
                )
            count += 1
            if event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            around.append((event.anchor, count))
            sizes.pop(event.anchor or "", None)
            count += 1
            if len(around) > DEEPEST:
                raise ValueError(f"lists and maps lie more than {DEEPEST} deep in each other")
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, start = around.pop()
            if anchor:
                sizes[anchor] = count - start


def _unreadable(error: OSError) -> str:
    missing = isinstance(error, FileNotFoundError | NotADirectoryError)
    return "no such file" if missing else f"cannot be read ({error.strerror})"


def content_hash(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal; reads 1 MiB at a time."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


# names of devices under Windows, also with a suffix
DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


# what no name of a file may hold: separators, control characters, and those that turn the direction
# of writing, by which a name reads as another one
UNPRINTED = re.compile(r"[/\\\x00-\x1f\x7f\u2028-\u202e\u2066-\u2069]")


def path_part(name: str) -> str:
    """Check that a name can stand for one file or folder within its folder; returns it.

    Raises:
        ValueError: why it cannot.
    """
    if not name or name in (".", "..") or UNPRINTED.search(name):
        raise ValueError(f"{name!r} cannot name a file; leave out / \\ and what is not printed")
    if len(name.encode()) > 200:  # file systems take 255 bytes, with our prefix and suffix
        raise ValueError(f"{name[:20]!r}... has {len(name)} characters; use at most 100")
    return name


def portable_name(name: str) -> str:
    """Check that a name can stand for a file or folder on every operating system; returns it.

    Raises:
        ValueError: why it cannot.
    """
    path_part(name)
    if re.search(r'[<>:"|?*]', name) or name[-1] in ". " or DEVICE.fullmatch(name):
        raise ValueError(
            f'{name!r} cannot name a file on every computer; leave out < > : " | ? * and a full'
            " stop or space at the end, and take no name of a device"
        )
    return name


def slug(name: str) -> str:
    """A name fit for a folder: "dystonia (pose)" -> "dystonia-pose"."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-")
