"""One progress display for all clips and all worker processes: frames done, frames a second, time
left. It shows no file names.

Each clip's worker appends to a small file, one byte per second of video; a thread of the display
adds up the sizes. Where a worker's files are not visible here (a cluster), clips count when they
are done.
"""

import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from semiology.data.store import TRACKS
from semiology.video import Frame, Recording, VideoError
from semiology.video.recording import header_length

POLL_INTERVAL = 0.5  # s between reads of the files
STAGE_COST = {
    "faces": 1,
    "tracks": 4,
    "face_vgg": 1,
    "body_vgg": 4,
    "body_patches": 4,
    "flow": 3,
    "people": 1,
    "blendshapes": 1,
    "fer": 1,
    "snippets": 4,
    "overlay": 1,
}  # of a second of video, relative to each other, roughly


class ClipProgress:
    """The progress on one clip, as its worker reports it.

    Args:
        path: of the file that grows; None reports nothing.
    """

    def __init__(self, path: Path | None = None):
        self._path = path
        self._at: dict[str, float] = {}  # stage -> s of video that are done
        self._reported = 0
        self._costs: dict[str, int] = {}

    def begin(self, stages: Iterable[str]) -> None:
        """Set the stages (of `STAGE_COST`) to be done for this clip."""
        self._costs = {stage: STAGE_COST[stage] for stage in stages}
        self._write("wb", b"")

    def watch(self, frames: Iterable[Frame], stage: str) -> Iterator[Frame]:
        """The same frames, each of them reported when it is taken."""
        for frame in frames:
            self._at[stage] = frame.time
            done = sum(cost * self._at.get(each, 0.0) for each, cost in self._costs.items()) / max(
                sum(self._costs.values()), 1
            )
            if done >= self._reported + 1:
                self._write("ab", b"." * (int(done) - self._reported))
                self._reported = int(done)
            yield frame

    def _write(self, mode: str, content: bytes) -> None:
        if self._path is not None:
            try:
                with open(self._path, mode) as stream:
                    stream.write(content)
            # the display is on another machine, has ended, or its disk is full: extraction goes on
            except OSError:
                self._path = None


class Progress:
    """The display, for the duration of a `with` block.

    Args:
        clips: (path, start, end) of the clips to be extracted; their lengths come from `end`, or
            from the header of the video.
        fps: frames per second, Hz.
        enabled: False shows nothing and reads nothing.
    """

    def __init__(
        self,
        clips: Sequence[tuple[Path | Recording, float, float | None]],
        fps: float,
        enabled: bool,
    ):
        self.clips, self.fps, self.enabled = clips, fps, enabled
        self._done: set[int] = set()
        self._over = threading.Event()

    def __enter__(self) -> "Progress":
        if self.enabled:
            self._folder = tempfile.TemporaryDirectory(prefix="semiology-progress-")
            self._thread = threading.Thread(target=self._show, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.enabled:
            self._over.set()
            self._thread.join()
            self._folder.cleanup()

    def file(self, number: int) -> Path | None:
        """The file in which the worker on the clip with that number reports its progress."""
        return Path(self._folder.name) / str(number) if self.enabled else None

    def done(self, number: int) -> None:
        """Count the clip with that number as finished."""
        self._done.add(number)

    def _show(self) -> None:
        lengths: dict[int, float] = {}
        with tqdm(unit=" frames", smoothing=0, bar_format=_FORMAT) as bar:
            for number, clip in enumerate(self.clips):
                lengths[number] = clip_length(*clip)
                if self._over.is_set():
                    return
            bar.total = round(sum(lengths.values()) * self.fps)
            last = False
            while not last:
                last = self._over.wait(POLL_INTERVAL)
                bar.set_postfix_str(f"{len(self._done)} of {len(self.clips)} clips", refresh=False)
                bar.n = round(
                    self.fps
                    * sum(self._seconds(number, length) for number, length in lengths.items())
                )
                bar.refresh()

    def _seconds(self, number: int, length: float) -> float:
        """Seconds of the clip that are done."""
        if number in self._done:
            return length
        try:
            return min((Path(self._folder.name) / str(number)).stat().st_size, length)
        except FileNotFoundError:
            return 0.0


_FORMAT = (
    "{percentage:3.0f}%|{bar:20}| {n_fmt} of {total_fmt} frames, {rate_noinv_fmt}, {remaining}"
    " left{postfix}"
)


def clip_length(path: Path | Recording, start: float, end: float | None) -> float:
    """Length of a clip, s, without reading its video; 0 where its header gives none."""
    if end is not None:
        return end - start
    try:
        return max((header_length(path) or 0.0) - start, 0.0)
    except VideoError:
        return 0.0


def progress_stages(stages: Sequence[str]) -> list[str]:
    """The stages of `STAGE_COST` that produce these stages of the store."""
    made = [stage for stage in stages if stage in STAGE_COST]
    return ["faces", "tracks", *made] if set(TRACKS) & set(stages) else made
