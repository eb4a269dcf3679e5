"""The last frames of a video that the models' windows need, in bounded memory: keypoints, and
vectors of snippets of the whole frame.
"""

from collections import deque
from collections.abc import Iterable, Mapping

import numpy as np
import xarray as xr

from semiology.data.tracks import make_tracks
from semiology.errors import UserError
from semiology.files import content_hash
from semiology.models.features import (
    SIZE,
    SnippetNetwork,
    load_snippet_network,
    prepare_frame,
    whole_snippet,
)
from semiology.models.training.reading import Reading
from semiology.models.training.saved import SavedModel
from semiology.timeline.stream.options import TimelineOptions
from semiology.timeline.stream.signs import Sign
from semiology.tracking.extraction.tracks import required_keypoints
from semiology.tracking.pose.base import Landmarks, PoseBackend
from semiology.weights import snippet_weights


def snippet_buffer(signs: list[Sign], options: TimelineOptions) -> "SnippetBuffer | None":
    """The buffer of the signs that read snippets; None where none does.

    Raises:
        UserError: no weights for the snippets, or others than in the models' training.
    """
    reading = [sign for sign in signs if sign.saved.reading.part == "frame"]
    if not reading:
        return None
    network = load_snippet_network(options.snippet_weights)
    given = content_hash(snippet_weights(options.snippet_weights)[0])
    for sign in reading:
        if given not in (learned := sign.saved.about.get("snippet_networks") or [given]):
            raise UserError(
                f"{sign.task}: the model was trained on another network's vectors (SHA-256"
                f" {learned[0][:16]}; {options.snippet_weights}: {given[:16]}); give the weights"
                " that the snippets were extracted with (--snippet_weights)"
            )
    longest = max(sign.length for sign in reading)
    return SnippetBuffer(
        network, [sign.saved for sign in reading], longest, options.fps, options.snippet_stride
    )


def snippets_key(models: Mapping[str, SavedModel], options: TimelineOptions) -> object:
    """The weights and stride on which the snippets depend, for the state's key."""
    if all(saved.reading.part != "frame" for saved in models.values()):
        return None
    path, _ = snippet_weights(options.snippet_weights)
    return {"weights": content_hash(path), "stride": options.snippet_stride}


class SnippetBuffer:
    """The vectors of the last snippets: a snippet of `frames` frames begins at every `stride`-th
    frame of a grid at `rate` Hz.

    A frame of that grid is the nearest one of the timeline's: of a 25 Hz video at 25 Hz these are
    the frames that extraction reads at 15 Hz. The position of snippets within a window differs from
    that within a training clip by up to one stride, because a clip's first snippet begins with the
    clip. [our choice]

    Args:
        network: computes a vector from a snippet.
        models: that read them; all of one rate and length.
        length: frames of the timeline in the longest window.
        fps: of the timeline, Hz.
        stride: frames at `rate`.

    Raises:
        UserError: models of different snippets, or of vectors of another length than the network's.
    """

    def __init__(
        self,
        network: SnippetNetwork,
        models: Iterable[SavedModel],
        length: int,
        fps: float,
        stride: int,
    ):
        models = list(models)
        kinds = {(saved.reading.rate, saved.reading.window) for saved in models}
        if len(kinds) > 1:
            raise UserError(
                f"the run's models read snippets of different rates or lengths: {sorted(kinds)};"
                " follow them one by one"
            )
        for saved in models:
            if saved.shape.appearance_channels != network.channels:
                wanted = (
                    f"{saved.shape.appearance_channels} numbers a snippet, this network gives"
                    f" {network.channels}"
                )
                raise UserError(
                    f"{saved.reading.label}: the model reads {wanted}; give the weights it was"
                    " trained with (--snippet_weights)"
                )
        [(self.rate, self.frames)] = kinds
        self.network, self.fps, self.stride = network, fps, stride
        self._count = 0  # frames at `rate` so far
        self._pictures: deque[np.ndarray | None] = deque(maxlen=self.frames)
        self._vectors: deque[tuple[int, np.ndarray]] = deque(
            maxlen=int(length / fps * self.rate / stride) + 2
        )  # first frame, vector

    def add(self, index: int, image: np.ndarray | None) -> None:
        """Add frame `index` of the timeline; None where the video has a gap."""
        if round(self._count * self.fps / self.rate) > index:
            return
        self._pictures.append(None if image is None else prepare_frame(image))
        self._count += 1
        if self._count >= self.frames and (self._count - self.frames) % self.stride == 0:
            snippet = whole_snippet(list(self._pictures))
            empty = np.full(self.network.channels, np.nan, np.float32)
            self._vectors.append(
                (
                    self._count - self.frames,
                    empty if snippet is None else self.network.embed(snippet[None])[0],
                )
            )

    def window(self, first: int, end: int) -> tuple[np.ndarray, np.ndarray, int]:
        """Snippets within the timeline's frames from `first` up to, not including, `end`.

        Returns:
            Vectors (snippet, channel), their starts (snippet,) and the window's length; both count
            frames at `rate` from the window's beginning.
        """
        begin = int(np.ceil(first * self.rate / self.fps - 1e-6))
        frames = int(np.floor((end - 1) * self.rate / self.fps + 1e-6)) + 1 - begin
        inside = [
            (start - begin, vector)
            for start, vector in self._vectors
            if begin <= start <= begin + frames - self.frames
        ]
        vectors = (
            np.stack([vector for _, vector in inside])
            if inside
            else np.empty((0, self.network.channels), np.float32)
        )
        return vectors, np.array([start for start, _ in inside], int), frames

    def arrays(self) -> dict[str, np.ndarray]:
        """Its whole content, for a file."""
        blank = np.zeros((SIZE, SIZE, 3), np.uint8)
        pictures = [blank if picture is None else picture for picture in self._pictures]
        return {
            "snippets/count": np.array(self._count),
            "snippets/pictures": (
                np.stack(pictures) if pictures else np.empty((0, SIZE, SIZE, 3), np.uint8)
            ),
            "snippets/seen": np.array([picture is not None for picture in self._pictures], bool),
            "snippets/starts": np.array([start for start, _ in self._vectors], np.int64),
            "snippets/vectors": (
                np.array([vector for _, vector in self._vectors], np.float32).reshape(
                    -1, self.network.channels
                )
            ),
        }

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Continue from what `arrays` gave."""
        self._count = int(arrays["snippets/count"])
        self._pictures.extend(
            picture if seen else None
            for picture, seen in zip(arrays["snippets/pictures"], arrays["snippets/seen"])
        )
        self._vectors.extend(zip(arrays["snippets/starts"].tolist(), arrays["snippets/vectors"]))


X_Y, CONFIDENCE, METRES = slice(0, 2), 2, slice(3, 6)  # columns of a stored keypoint


class KeypointBuffer:
    """Ring buffer of the last `length` frames of keypoints: part -> (length, keypoint, 6) float32,
    NaN where missing.

    Args:
        backend: of the landmarks.
        readings: of the models.
        length: frames.
        fps: of the frames, Hz.
    """

    def __init__(self, backend: PoseBackend, readings: Iterable[Reading], length: int, fps: float):
        readings = list(readings)
        self.names = required_keypoints(
            [reading.graph for reading in readings if reading.part in backend.keypoints], backend
        )
        self.length, self.fps, self._backend = length, fps, backend
        self._in_metres = backend.in_metres & {
            reading.part for reading in readings if reading.dimensions == 3
        }
        self._rows = {
            part: [backend.keypoints[part].index(name) for name in names]
            for part, names in self.names.items()
        }
        self.kept = {
            part: np.full((length, len(names), 6), np.nan, np.float32)
            for part, names in self.names.items()
        }
        self.seen = np.zeros(length, bool)

    def add(self, index: int, seen: bool, found: Mapping[str, Landmarks]) -> None:
        """Add frame `index` of the timeline; frames arrive in order."""
        place = index % self.length
        self.seen[place] = seen
        for part, kept in self.kept.items():
            kept[place] = np.nan
            if part in found:
                landmarks, rows = found[part], self._rows[part]
                kept[place, :, X_Y] = landmarks.position[rows]
                kept[place, :, CONFIDENCE] = landmarks.confidence[rows]
                if landmarks.position_3d is not None:
                    kept[place, :, METRES] = landmarks.position_3d[rows]

    def tracks(self, part: str, first: int, end: int) -> xr.Dataset:
        """Tracks of the frames from `first` up to, not including, `end`: at most the last `length`
        that were added.
        """
        places = np.arange(first, end) % self.length
        kept = self.kept[part][places]
        return make_tracks(
            kept[:, :, X_Y],
            self.names[part],
            self.fps,
            confidence=kept[:, :, CONFIDENCE],
            position_3d=kept[:, :, METRES] if part in self._in_metres else None,
            source_index=np.where(self.seen[places], np.arange(first, end), -1),
            backend=self._backend.name,
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Its whole content, for a file."""
        return {"recent/seen": self.seen} | {
            f"recent/{part}": kept for part, kept in self.kept.items()
        }

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Continue from what `arrays` gave."""
        self.seen[:] = arrays["recent/seen"]
        for part, kept in self.kept.items():
            kept[:] = arrays[f"recent/{part}"]
