"""The last frames of the keypoints that the models read: all that a timeline remembers of a video."""

from collections.abc import Iterable, Mapping

import numpy as np
import xarray as xr

from semiology.data.tracks import make_tracks
from semiology.models.training.reading import Reading
from semiology.tracking.extraction.tracks import keypoints_read
from semiology.tracking.pose import Landmarks, PoseBackend

X_Y, CONFIDENCE, METRES = slice(0, 2), 2, slice(3, 6)  # columns of a kept keypoint


class Recent:
    """A ring of the last `length` frames of some keypoints: part -> (length, keypoint, 6) float32, NaN where missing.

    Args:
        backend: whose landmarks come.
        readings: what the models read.
        length: frames.
        fps: of the frames, Hz.
    """

    def __init__(self, backend: PoseBackend, readings: Iterable[Reading], length: int, fps: float):
        readings = list(readings)
        self.names = keypoints_read([reading.graph for reading in readings if reading.part in backend.keypoints], backend)
        self.length, self.fps, self._backend = length, fps, backend
        self._in_metres = backend.in_metres & {reading.part for reading in readings if reading.dimensions == 3}
        self._rows = {part: [backend.keypoints[part].index(name) for name in names] for part, names in self.names.items()}
        self.kept = {part: np.full((length, len(names), 6), np.nan, np.float32) for part, names in self.names.items()}
        self.seen = np.zeros(length, bool)

    def add(self, index: int, seen: bool, found: Mapping[str, Landmarks]) -> None:
        """The frame of that place; frames come one after the other."""
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
        """Tracks of the frames from `first` up to, not with, `end`: at most the last `length` that were added."""
        places = np.arange(first, end) % self.length
        kept = self.kept[part][places]
        return make_tracks(
            kept[:, :, X_Y],
            self.names[part],
            self.fps,
            confidence=np.nan_to_num(kept[:, :, CONFIDENCE]),
            position_3d=kept[:, :, METRES] if part in self._in_metres else None,
            source_index=np.where(self.seen[places], np.arange(first, end), -1),
            backend=self._backend.name,
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Its whole content, for a file."""
        return {"recent/seen": self.seen} | {f"recent/{part}": kept for part, kept in self.kept.items()}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Go on from `arrays()`."""
        self.seen[:] = arrays["recent/seen"]
        for part, kept in self.kept.items():
            kept[:] = arrays[f"recent/{part}"]
