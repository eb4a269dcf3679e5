"""What is on disk of the clips of a cohort under review: their tracks and corrections, where the
patient was pointed at, when the patient is out of view. Everything is read again when its file
changes, whoever changed it.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from semiology.data.cohort import Clip, Cohort
from semiology.data.cohort.out_of_view import (
    TABLE,
    Stretch,
    clip_lengths,
    read_out_of_view,
    write_out_of_view,
)
from semiology.data.cohort.row import Click
from semiology.data.cohort.table import Fault, read_table, set_cell
from semiology.data.corrections import (
    SWAPPED,
    Correction,
    corrections_file,
    effective,
    holding,
    read_corrections,
    with_corrections,
)
from semiology.data.overlay import whole_skeleton
from semiology.data.skeleton import mirrored_name
from semiology.data.store import TRACKS, Store, clip_tracks
from semiology.errors import UserError

CLIPS = "clips.tsv"
KEPT = 2**30  # bytes of tracks in memory, beside those read last [our choice]


@dataclass(frozen=True)
class Tracked:
    """What actions need to know of the tracks of a part: without their arrays.

    Attributes:
        keypoints: names.
        edges: pairs of names between which a line is drawn.
        frames: numbers of the video's frames that the tracks show, rising.
        width, height: of the frame, px; 0 where unknown.
        seconds: length of the tracks.
    """

    keypoints: list[str]
    edges: list[list[str]]
    frames: np.ndarray
    width: int
    height: int
    seconds: float

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """(keypoint, its partner on the other side), for those that have one; both ways round."""
        return [
            (name, other)
            for name in self.keypoints
            if (other := mirrored_name(name)) != name and other in self.keypoints
        ]

    def check_place(self, x: float, y: float) -> None:
        """Refuse a place (px) outside of the frame.

        Raises:
            UserError: it is.
        """
        if self.width and (x > self.width or y > self.height):
            raise UserError(
                f"x, y: {x:g}, {y:g} is outside of the frame of {self.width}x{self.height} px"
            )


def standing(shown: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Which tracked frame stands for each frame of a video: (wanted,) places in `shown`, -1 where
    none does.

    A frame between two that were tracked (tracks at a lower rate than the video) has the one
    before; in a hole, where tracked frames are further apart than resampling puts them, there is
    none.

    Args:
        shown: (tracked,) numbers of tracked frames, rising.
        wanted: (frame,) numbers of the video's frames.
    """
    if not len(shown):
        return np.full(len(wanted), -1)
    steps = np.diff(shown)
    # resampled tracks have steps of two lengths, which differ by one
    step = steps[steps <= np.median(steps) + 1].max() if len(steps) else 1
    place = np.searchsorted(shown, wanted, side="right") - 1
    return np.where((place >= 0) & (wanted - shown[place] < step), place, -1)


class ClipFiles:
    """The files of a cohort's clips.

    Args:
        cohort, store: whose.
    """

    def __init__(self, cohort: Cohort, store: Store):
        self.cohort, self.store = cohort, store
        self.clips = {clip.clip_id: clip for clip in cohort.clips}
        self._guard = threading.RLock()
        self._known: dict[tuple[str, str], tuple[Any, Any]] = {}  # what was read, by its state

    def clip(self, clip_id: str) -> Clip:
        """The clip.

        Raises:
            UserError: the cohort has no such clip.
        """
        if clip_id not in self.clips:
            raise UserError(f"clip {clip_id!r}: the cohort has no such clip")
        return self.clips[clip_id]

    def tracks(self, clip_id: str, part: str) -> xr.Dataset | None:
        """Tracks of a clip's part with corrections, as everybody reads them; None where there are
        none.

        Raises:
            UserError: they cannot be read.
        """
        found = self.uncorrected(clip_id, part)
        return None if found is None else with_corrections(*found)

    def uncorrected(self, clip_id: str, part: str) -> tuple[xr.Dataset, list[Correction]] | None:
        """Tracks of a clip's part, and the corrections that they lack: of a few frames of a long
        clip these are applied much sooner than of all. None where there are no tracks.

        Raises:
            UserError: they cannot be read.
        """
        clip = self.clip(clip_id)
        path = self.tracks_file(clip_id, part)
        if path is None:
            return None
        key, corrections = (clip_id, f"tracks {part}"), self.corrections_file(clip_id, part)
        if not clip.tracks:
            tracks = self._cached(key, _state(path), lambda: self.store.predicted(clip_id, part))
            states = _state(corrections), self.store.known_record(clip_id)["source"]
            rows = (clip_id, f"checked {part}")
            return tracks, self._cached(rows, states, lambda: self.store.corrections(clip_id, part))
        away = tuple((one.onset, one.duration) for one in self.away(clip_id))
        clip = clip.model_copy(update={"away": away})
        state = (_state(path), _state(corrections), away)
        own = lambda: clip_tracks(self.cohort.folder, clip, self.store, part)  # noqa: E731
        return self._cached(key, state, own), []

    def tracked(self, clip_id: str, part: str) -> Tracked | None:
        """The facts of a part's tracks; None where there are none."""
        path = self.tracks_file(clip_id, part) if part in TRACKS else None
        if path is None:
            return None

        def read() -> Tracked:
            tracks = clip_tracks(self.cohort.folder, self.clip(clip_id), self.store, part)
            names = [str(name) for name in tracks.keypoint.values]
            lines = whole_skeleton(tracks).edges if part != "face" else ()
            shown = np.unique(tracks["source_index"].values)
            return Tracked(
                names,
                [list(line) for line in lines],
                shown[shown >= 0],
                int(tracks.attrs.get("width") or 0),
                int(tracks.attrs.get("height") or 0),
                float(tracks.time.values[-1] + 1 / tracks.attrs["fps"]),
            )

        return self._cached((clip_id, f"body {part}"), _state(path), read)

    def length(self, clip_id: str) -> float | None:
        """Of a clip, s: by its end, else by its tracks; None where neither is known."""
        clip = self.clip(clip_id)
        if clip.end is not None:
            return clip.end - clip.start
        body = self.tracked(clip_id, "body")
        return None if body is None else body.seconds

    def file_states(self, clip_id: str) -> list[Any]:
        """By which a change of the clip's tracks and corrections is seen."""
        tracks = [self.tracks_file(clip_id, part) for part in TRACKS]
        files = [self.corrections_file(clip_id, part) for part in TRACKS]
        return [_state(path) for path in [*tracks, *files] if path is not None]

    def tracks_file(self, clip_id: str, part: str) -> Path | None:
        """The file of a clip's tracks of a part, its own or the store's; None where there is
        none.
        """
        clip = self.clip(clip_id)
        if clip.tracks:
            path = self.cohort.folder / clip.tracks
            return path if part == "body" and path.is_file() else None
        try:
            return self.store.path(clip_id, part)
        except UserError:
            return None

    def corrections_file(self, clip_id: str, part: str) -> Path:
        """The table of a part's corrections, beside the clip's own tracks or in the store."""
        clip = self.clip(clip_id)
        if clip.tracks:
            return corrections_file(self.cohort.folder / clip.tracks)
        return self.store.corrections_file(clip_id, part)

    def corrections(self, clip_id: str, part: str) -> list[Correction]:
        """The rows of that table, oldest first.

        Raises:
            UserError: it cannot be read.
        """
        path = self.corrections_file(clip_id, part)
        if (state := _state(path)) is None or (self.clip(clip_id).tracks and part != "body"):
            return []
        return self._cached((clip_id, f"corrections {part}"), state, lambda: read_corrections(path))

    def corrected(self, clip_id: str, part: str) -> dict[str, Any]:
        """The points that a person placed, and the stretches in which sides were swapped."""
        rows = effective(self.corrections(clip_id, part))
        return {
            "corrected": [[frame, keypoint] for frame, keypoint in sorted(holding(rows))],
            "swapped": [
                [row.source_index, row.last, row.keypoint, row.other]
                for row in rows
                if row.kind == SWAPPED
            ],
        }

    def cell(self, clip_id: str) -> str:
        """What clips.tsv says of the patient's place, "" where it says nothing."""
        return self._cells().get(clip_id, "")

    def check_cell(self, clip_id: str) -> None:
        """Refuse what could not be written into clips.tsv, which somebody may have changed.

        Raises:
            UserError: the table does not have the clip any more, or is no table.
        """
        if clip_id not in self._cells():
            raise UserError(
                f"{self.cohort.folder / CLIPS}: has no row of clip {clip_id} any more; bring it"
                " back, as tab-separated text"
            )

    def set_cell(self, clip_id: str, text: str) -> None:
        """Write where the patient is into clips.tsv; "" takes it out."""
        path = self.cohort.folder / CLIPS
        set_cell(path, ("clip_id", clip_id), "patient", text or "n/a")

    def _cells(self) -> dict[str, str]:
        """clip_id -> text of the column `patient` of clips.tsv, "" where there is none."""
        path = self.cohort.folder / CLIPS

        def read() -> dict[str, str]:
            table = read_table(path, ["clip_id"], [], [])
            return {
                cells["clip_id"]: cells.get("patient", "")
                for _, cells in table.rows
                if "clip_id" in cells
            }

        return self._cached(("", CLIPS), _state(path), read)

    def click(self, clip_id: str) -> Click | None:
        """Where a person pointed at the patient."""
        text = self.cell(clip_id)
        return Click.parse(text) if text else None

    def away(self, clip_id: str) -> list[Stretch]:
        """The stretches of a clip without the patient, in order; raises as `stretches`."""
        return [one for one in self.stretches() if one.clip_id == clip_id]

    def set_away(self, clip_id: str, stretches: list[Stretch]) -> None:
        """Write the stretches of a clip, in place of those that it had, in the order of clips."""
        places = {clip_id: place for place, clip_id in enumerate(self.clips)}
        rest = [one for one in self.stretches() if one.clip_id != clip_id]
        last = len(places)  # clips that were added to the cohort since the start
        rows = sorted(
            [*rest, *stretches], key=lambda one: (places.get(one.clip_id, last), one.onset)
        )
        write_out_of_view(self.cohort.folder, rows)

    def stretches(self) -> list[Stretch]:
        """The stretches of all clips without the patient.

        Raises:
            UserError: the table has faults.
        """
        folder = self.cohort.folder

        def read() -> list[Stretch]:
            faults: list[Fault] = []
            lasts = dict.fromkeys(self._cells()) | clip_lengths(self.cohort.clips)
            stretches = read_out_of_view(folder, lasts, faults, [])
            if faults:
                raise UserError(f"{folder}: {faults[0]}")
            return stretches

        states = _state(folder / TABLE), _state(folder / CLIPS)
        return self._cached(("", TABLE), states, read)

    def _cached(self, key: tuple[str, str], state: Any, read: Callable[[], Any]) -> Any:
        """What `read` gives, read again when the state of its files changes."""
        with self._guard:
            if key not in self._known or self._known[key][0] != state:
                self._known[key] = (state, read())
                tracks = [other for other in self._known if other[1].startswith("tracks")]
                sizes = [self._known[other][1].nbytes for other in tracks]
                for place, other in enumerate(tracks[:-1]):
                    if sum(sizes[place:]) > KEPT:
                        del self._known[other]
            return self._known[key][1]


def _state(path: Path) -> tuple[int, int, int] | None:
    """By what a file that was written whole is known to be another; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
