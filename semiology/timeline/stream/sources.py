"""Sources of a timeline's frames: a file, a growing file, a camera. Each gives the frames of the
regular grid from some index on.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from semiology.data.cohort import video_source
from semiology.data.store import fingerprint
from semiology.errors import UserError
from semiology.video import Frame, Reading, Recording, VideoError, probe, read_frames
from semiology.video.decode import AS_STATED
from semiology.video.live import LiveFrames, camera_frames, growing_frames, without_credentials
from semiology.video.reader import Damage
from semiology.video.recording import header_length
from semiology.video.resample import resample_frames

# bytes of a growing file that identify it: a second or less of a recording. [our choice]
FINGERPRINT = 1 << 16
TRACK_RATE = 25.0  # Hz, of tracks [P]: a slower video is read at this rate, too


class Source(Protocol):
    """Frames at `fps` Hz.

    Attributes:
        name: for messages, without a password.
        latest: index of the last frame that was yielded.
        live: whether it cannot be read again.
        dropped: source frames that were dropped, because processing was too slow.
        damage: source frames that were damaged.
    """

    name: str
    latest: int
    live: bool

    @property
    def dropped(self) -> int:
        """Source frames dropped so far, because processing was too slow."""

    @property
    def damage(self) -> Damage:
        """Source frames that were damaged, as far as it was read."""

    def identity(self) -> str:
        """Hash that identifies the source when a run is resumed."""
        ...

    def size(self) -> int | None:
        """Current size in bytes; None for a camera."""
        ...

    def duration(self) -> float | None:
        """Duration in s; None where it is not known in advance."""
        ...

    def frames(self, first: int) -> Iterator[Frame]:
        """The frames from index `first` on; index and time count from the video's beginning."""
        ...

    def arrival(self, frame: Frame) -> float | None:
        """Time of a frame's arrival by `time.monotonic()`; None for a file."""
        ...


def open_source(
    source: str, fps: float, growing: float | None, stall: float, reading: Reading = AS_STATED
) -> "File | Live":
    """Open a file by its path, a recording of many files by `FOLDER/recordings.tsv#ID`, or a camera
    by its address (anything with ://).

    Raises:
        UserError: no such file, an address of an unsupported kind, a waiting time that is not
            positive, a higher frame rate than the file's.
    """
    if stall <= 0 or (growing is not None and growing <= 0):
        raise UserError(f"growing={growing}, stall={stall:g}: give seconds above 0")
    if "://" in source:
        if growing is not None:
            raise UserError(
                f"{without_credentials(source)}: --growing is for a file that is being written; a"
                " camera has --stall"
            )
        return Live(camera_frames(source, stall, reading), without_credentials(source), fps, "")
    path = video_source(source)
    if growing is not None:
        if isinstance(path, Recording):
            raise UserError(f"{source}: --growing is for one file, not for a recording of many")
        return Live(growing_frames(path, growing, reading), path, fps, _first_hash(path))
    own = probe(path, reading).fps  # an error here comes before models are loaded
    if own is not None and fps > max(own, TRACK_RATE) + 1e-6:
        raise UserError(
            f"{path}: has {own:g} frames per second; fps={fps:g} would process frames repeatedly;"
            f" set {max(own, TRACK_RATE):g} or less"
        )
    return File(path, fps, reading)


class File:
    """A complete file, or a recording of many, which can be read repeatedly."""

    live = False
    dropped = 0

    def __init__(self, path: Path | Recording, fps: float, reading: Reading = AS_STATED):
        self.path, self.fps, self.name, self.reading = path, fps, str(path), reading
        self.latest, self.damage = -1, Damage()

    def identity(self) -> str:
        """SHA-256 of the file's bytes, in hexadecimal; of a recording see `fingerprint`."""
        return str(fingerprint(self.path, {})["sha256"])

    def size(self) -> int | None:
        """Size of the file, or of all parts, in bytes."""
        if isinstance(self.path, Recording):
            return self.path.size()
        return self.path.stat().st_size

    def duration(self) -> float | None:
        """Duration in s by the header; None where it gives none."""
        return header_length(self.path)

    def frames(self, first: int) -> Iterator[Frame]:
        """The frames from index `first` on, by seeking in the file."""
        start = first / self.fps
        for frame in read_frames(
            self.path, start, fps=self.fps, damage=self.damage, reading=self.reading
        ):
            self.latest = first + frame.index
            yield replace(frame, index=self.latest, time=self.latest / self.fps)

    def arrival(self, frame: Frame) -> float | None:
        """None: a file's frames do not arrive."""
        return None


class Live:
    """Frames from a reading thread: of a camera, or of a growing file, which can be read again from
    its beginning.
    """

    def __init__(self, source: LiveFrames, name: str | Path, fps: float, identity: str):
        self.source, self.name, self.fps, self._identity = source, str(name), fps, identity
        self.live, self.latest = not identity, -1

    @property
    def dropped(self) -> int:
        """Source frames dropped so far; a growing file's never are."""
        return self.source.dropped

    @property
    def damage(self) -> Damage:
        """Source frames that were damaged, as far as it was read."""
        return self.source.damage

    def identity(self) -> str:
        """Hash of a growing file's first bytes; empty for a camera."""
        return self._identity

    def size(self) -> int | None:
        """Current size of a growing file in bytes; None for a camera."""
        return None if self.live else Path(self.name).stat().st_size

    def duration(self) -> float | None:
        """None: how long it will be is not known."""
        return None

    def frames(self, first: int) -> Iterator[Frame]:
        """The frames from index `first` on, as they come."""
        for frame in self._on_grid(first):
            self.latest = first + frame.index
            yield replace(frame, index=self.latest, time=self.latest / self.fps)

    def _on_grid(self, first: int) -> Iterable[Frame]:
        return resample_frames(self.source, self.name, first / self.fps, None, self.fps)

    def arrival(self, frame: Frame) -> float | None:
        """Time at which the frame was decoded, by `time.monotonic()`; None if that is long ago."""
        return self.source.arrival(frame.source_index)


def _first_hash(path: Path) -> str:
    """SHA-256 of the first 64 KiB of a file, or of a shorter file.

    Raises:
        VideoError: no such file.
    """
    if not path.is_file():
        raise VideoError(path, "there is no such file; start the recording first")
    with open(path, "rb") as stream:
        return hashlib.sha256(stream.read(FINGERPRINT)).hexdigest()
