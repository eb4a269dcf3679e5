"""The journal of a rater: every action, a line each, on disk before its effects and before it is
acknowledged. It is only ever appended to.

    {"seq": 1, "id": "...", "when": "2026-03-01T12:00:00.123456Z", "rater": "A", "clip_id": "p1_1",
     "action": {"do": "patient", "time": 1.5, "x": 310, "y": 220}, "check": "<16 digits>"}

`check` is the XXH3 hash of the line without it. A line at the end that is not whole belongs to a
process that was killed while it wrote; nobody was told that its action is kept. It is cut, and set
aside in `journal.cut`. Any other line that is not as it was written is damage, and an error.

Several processes append to one journal: `locked` lets one at a time in, and each reads what the
others wrote before it writes.
"""

import errno
import io
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import xxhash
from filelock import FileLock, Timeout

from semiology.errors import UserError
from semiology.files import parse_json

PATIENCE = 30.0  # s for which a process waits for the others; an action takes milliseconds
POLL = 0.005  # s between two tries to get the lock
LOCK = ".review.lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one process at a time, and one thread of it, change the files of a folder. The lock is
    the operating system's: it ends with the process that holds it.

    Raises:
        UserError: another process holds it for longer than `PATIENCE`; the folder cannot be
            written.
    """
    lock = FileLock(folder / LOCK, poll_interval=POLL)
    try:
        lock.acquire(timeout=PATIENCE)
    except Timeout as error:
        raise UserError(
            f"{folder}: another process has been changing its files for {PATIENCE:g} s; end it, or"
            " try again"
        ) from error
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be written ({error.strerror}); give yourself the right to"
        ) from error
    try:
        yield
    finally:
        lock.release()


@dataclass(frozen=True)
class Entry:
    """One action.

    Attributes:
        seq: its number among the rater's, from 1.
        id: by which whoever acts recognises it; one that comes twice is one action.
        when: ISO 8601, UTC, to the microsecond.
        rater: who acts.
        clip_id: on which clip.
        action: what to do, see `semiology.review.actions`.
        context: what its effects need to know of the state that it found.
    """

    seq: int
    id: str
    when: str
    rater: str
    clip_id: str
    action: dict[str, Any]
    context: dict[str, Any] = field(default_factory=dict)

    def line(self) -> bytes:
        """The entry as a line of the journal."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        text = json.dumps(fields, sort_keys=True)
        return (json.dumps(fields | {"check": _check(text)}) + "\n").encode()

    @classmethod
    def parse(cls, line: bytes) -> "Entry | None":
        """The entry in a line; None where the line is not as it was written."""
        try:
            fields = parse_json(line.decode())
            check = fields.pop("check")
            entry = cls(**fields)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        return entry if _check(json.dumps(fields, sort_keys=True)) == check else None


def _check(text: str) -> str:
    return xxhash.xxh3_64_hexdigest(text.encode())


def now() -> str:
    """The time, as the journal states it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Journal:
    """The journal of one rater, and how far its effects are on disk.

    Args:
        folder: of the rater.
    """

    def __init__(self, folder: Path):
        self.path = folder / "journal.jsonl"
        self.read_up_to = 0  # bytes
        self.entries: list[Entry] = []

    def read(self, repair: bool) -> list[Entry]:
        """The entries that were added since the last time, by whatever process.

        Args:
            repair: cut an unfinished line at the end; only under the lock, for without it another
                process may be writing that line.

        Raises:
            UserError: a damaged line, or a journal that became shorter.
        """
        if not self.changed():
            return []
        with open(self.path, "rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(self.read_up_to)
            content = stream.read()
        if size < self.read_up_to:
            raise UserError(
                f"{self.path}: is shorter than it was; bring back a copy of it and begin again"
            )
        lines = io.BytesIO(content).readlines()
        added: list[Entry] = []
        for line in lines:
            entry = Entry.parse(line) if line.endswith(b"\n") else None
            if entry is not None and entry.seq == len(self.entries) + 1:
                self.entries.append(entry)
                added.append(entry)
                self.read_up_to += len(line)
            elif line.endswith(b"\n"):
                raise UserError(
                    f"{self.path}: row {len(self.entries) + 1} is damaged; bring back a copy of it"
                )
            elif repair:
                self._cut(line)
        return added

    def changed(self) -> bool:
        """Whether the file has another length than what was read of it."""
        with suppress(FileNotFoundError):
            return self.path.stat().st_size != self.read_up_to
        return self.read_up_to != 0

    def _cut(self, line: bytes) -> None:
        with open(self.path.with_suffix(".cut"), "ab") as stream:
            stream.write(line.rstrip(b"\n") + b"\n")
        os.truncate(self.path, self.read_up_to)
        log.warning(
            "the last line of a journal was not whole: a process was stopped while it wrote it; it"
            " was cut"
        )

    def append(
        self,
        *,
        id: str,
        rater: str,
        clip_id: str,
        action: Mapping[str, Any],
        context: Mapping[str, Any],
    ) -> Entry:
        """Add an action; when this returns it is on the disk. Only under the lock, after `read`.

        Raises:
            UserError: the disk is full, or the folder cannot be written.
        """
        entry = Entry(len(self.entries) + 1, id, now(), rater, clip_id, dict(action), dict(context))
        new = not self.path.exists()
        line = entry.line()
        try:
            # without a buffer, which would write its rest when the file is closed
            with open(self.path, "ab", buffering=0) as stream:
                try:
                    if stream.write(line) < len(line):
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    os.fsync(stream.fileno())
                except OSError:
                    with suppress(OSError):
                        os.truncate(self.path, self.read_up_to)
                    raise
            if new:
                _keep_name(self.path.parent)
        except OSError as error:
            raise UserError(
                f"{self.path}: cannot be written ({error.strerror}); free some space, or give"
                " yourself the right to write"
            ) from error
        self.entries.append(entry)
        self.read_up_to += len(line)
        return entry

    @property
    def applied(self) -> int:
        """Number of the last entry whose effects are on the disk: all but the last, where the file
        that states it was not written to its end.
        """
        last = len(self.entries)
        try:
            stated = int(self.path.with_suffix(".applied").read_text())
        except (OSError, ValueError):
            return last - 1
        return stated if stated <= last else last - 1  # the journal is an earlier copy

    def mark_applied(self, seq: int) -> None:
        """State that the effects up to this entry are on the disk. Were that lost, the last entry's
        would be repeated, which changes nothing.

        Raises:
            UserError: the disk is full, or the folder cannot be written.
        """
        path = self.path.with_suffix(".applied")
        try:
            path.write_text(str(seq))
        except OSError as error:
            raise UserError(
                f"{path}: cannot be written ({error.strerror}); free some space, or give yourself"
                " the right to write"
            ) from error


def _keep_name(folder: Path) -> None:
    """Make a new file's name last through a power cut, where folders can be synchronised."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


log = logging.getLogger(__name__)
