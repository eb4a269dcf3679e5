"""Recordings of any length with annotated events: joints on a regular grid with a class for each
frame, and the sliding windows over them.

Window k predicts the frames k * step to (k + 1) * step, and reads `length` frames around their
centre: every frame of a recording has exactly one window, also at the ends, where the window
reaches beyond the recording and holds missing frames. A recording shorter than a window is no
special case.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from semiology.data.cohort import Cohort
from semiology.data.store import Store, clip_tracks
from semiology.errors import UserError
from semiology.models.training.clips import ClipData, ClipSource, prepare, too_little
from semiology.models.training.reading import Reading
from semiology.timeline.events import Event, read_events
from semiology.timeline.localise.settings import Localisation

LEFT_OUT = -1  # in place of a class: excluded from training and evaluation


@dataclass(frozen=True)
class Recording:
    """One recording in memory, on the grid of `Reading.rate`; frame t is the time from t / rate to
    (t + 1) / rate.

    Attributes:
        clip_id, participant_id: of the recording.
        joints: (time, joint, space) in body units, NaN where missing.
        truth: (time,) index of the annotated class (level), `LEFT_OUT` where excluded.
        events: the annotated signs, in s from the recording's start.
        tracker: the pose backend of the tracks, "" where unknown.
    """

    clip_id: str
    participant_id: str
    joints: np.ndarray
    truth: np.ndarray
    events: tuple[Event, ...]
    tracker: str = ""


def events_file(cohort: str | Path, clip_id: str) -> Path:
    """Path of a recording's annotated events."""
    return Path(cohort) / "events" / f"{clip_id}_events.tsv"


def read_recordings(settings: Localisation) -> list[Recording]:
    """Read every recording of the cohort.

    Raises:
        UserError: the cohort, tracks or a table of events cannot be read; a recording has no table;
            an event's sign is not among the settings' signs, or it begins after the recording's
            end; a sign is not annotated in any recording.
    """
    cohort, recordings = Cohort.read(settings.cohort), []
    for clip in cohort.clips:
        store = Store(settings.store) if settings.store else None
        tracks = clip_tracks(cohort.folder, clip, store, settings.reading.part)
        joints = prepare(tracks, settings.reading)
        path = events_file(settings.cohort, clip.clip_id)
        if not path.is_file():
            raise UserError(
                f"{path}: is missing; annotate the recording's events there, or write only the"
                " table's header if it has none"
            )
        events = read_events(path).events
        truth = frame_levels(events, len(joints), settings, path)
        signs = tuple(event for event in events if event.sign in settings.signs)
        recordings.append(
            Recording(
                clip.clip_id,
                clip.participant_id,
                joints,
                truth,
                signs,
                tracks.attrs.get("backend", ""),
            )
        )
    annotated = {event.sign for recording in recordings for event in recording.events}
    if absent := [sign for sign in settings.signs if sign not in annotated]:
        raise UserError(
            f"{settings.cohort}: no recording has an event of {', '.join(absent)}; remove it from"
            " signs, or annotate some"
        )
    return recordings


def frame_levels(
    events: Sequence[Event], frames: int, settings: Localisation, path: Path
) -> np.ndarray:
    """(time,) index of each frame's class (level). Where two events overlap, the later onset wins
    [our choice]; excluded time wins over both.

    An event covers the frames whose start lies in it, at least one. Its time before the recording
    or after its end is cut off.

    Raises:
        UserError: a sign that is not among the settings' signs, an event that begins after the
            recording's end.
    """
    levels, rate = np.zeros(frames, dtype=int), settings.reading.rate
    for event in sorted(events, key=lambda event: (event.sign in settings.leave_out, event.onset)):
        if event.sign not in settings.signs + settings.leave_out:
            known = ", ".join(settings.signs + settings.leave_out)
            raise UserError(
                f"{path}: the event at {event.onset:g} s has the sign {event.sign!r}; signs are"
                f" {known}; correct it, or add it to signs"
            )
        if event.onset >= frames / rate:
            raise UserError(
                f"{path}: the event at {event.onset:g} s begins after the recording's end at"
                f" {frames / rate:g} s; correct it"
            )
        first = int(np.ceil(event.onset * rate - 1e-6))
        last = max(int(np.ceil(event.offset * rate - 1e-6)), first + 1)
        level = LEFT_OUT if event.sign in settings.leave_out else settings.levels.index(event.sign)
        levels[max(first, 0) : max(last, 0)] = level
    return levels


def participants(recordings: Sequence[Recording]) -> list[str]:
    """The participants of the recordings, sorted, each once."""
    return sorted({recording.participant_id for recording in recordings})


def digest(recordings: Sequence[Recording], reading: Reading) -> str:
    """SHA-256 of the models' input and targets."""
    content = hashlib.sha256(json.dumps(asdict(reading.graph), sort_keys=True).encode())
    for recording in recordings:
        content.update(f"{recording.clip_id}/{recording.participant_id}".encode())
        content.update(np.ascontiguousarray(recording.joints).tobytes())
        content.update(recording.truth.tobytes())
    return content.hexdigest()


def window_count(frames: int, step: int) -> int:
    """Number of windows of a recording; the last one may predict fewer frames than a step."""
    return -(-frames // step)


def first_frames(frames: int, length: int, step: int) -> np.ndarray:
    """(window,) first frame that each window reads; negative where it reaches before the
    recording.
    """
    return np.arange(window_count(frames, step)) * step + step // 2 - length // 2


def window_joints(joints: np.ndarray, length: int, step: int) -> list[np.ndarray]:
    """The joints (length, joint, space) of each window, NaN beyond the ends: views of one padded
    copy of (time, joint, space).
    """
    beyond = np.full((length, *joints.shape[1:]), np.nan, joints.dtype)
    padded = np.concatenate([beyond, joints, beyond])
    return [
        padded[first + length : first + 2 * length]
        for first in first_frames(len(joints), length, step)
    ]


def window_levels(truth: np.ndarray, step: int) -> np.ndarray:
    """(window,) the most frequent class of the frames that each window predicts, without excluded
    ones; `LEFT_OUT` where all are excluded.
    """
    levels = np.full(window_count(len(truth), step), LEFT_OUT)
    for window in range(len(levels)):
        own = truth[window * step : (window + 1) * step]
        if (own != LEFT_OUT).any():
            levels[window] = np.bincount(own[own != LEFT_OUT]).argmax()
    return levels


def by_frame(values: np.ndarray, frames: int, step: int) -> np.ndarray:
    """Expand (window, ...) to (time, ...): each frame gets the value of its window."""
    return np.repeat(values, step, axis=0)[:frames]


def windows_of(recording: Recording, settings: Localisation) -> list[ClipData]:
    """All windows of a recording in order of time, named `<clip_id>#<number>`."""
    joints = window_joints(recording.joints, settings.reading.window, settings.step_frames)
    levels = window_levels(recording.truth, settings.step_frames)
    return [
        ClipData(
            f"{recording.clip_id}#{number}",
            recording.participant_id,
            int(level),
            own,
            None,
            recording.clip_id,
        )
        for number, (own, level) in enumerate(zip(joints, levels))
    ]


def assessable(windows: Iterable[ClipData], settings: Localisation) -> np.ndarray:
    """(window,) True where enough of the patient was tracked, see `Reading.min_found`."""
    return np.array(
        [not too_little(window.joints, settings.reading) for window in windows], dtype=bool
    )


def windows_source(recordings: Iterable[Recording], settings: Localisation) -> ClipSource:
    """The training windows, as clips: those that are assessable and not excluded."""
    clips = []
    for recording in recordings:
        windows = windows_of(recording, settings)
        there = assessable(windows, settings)
        clips += [
            window for window, seen in zip(windows, there) if seen and window.target != LEFT_OUT
        ]
    return ClipSource.from_clips(clips, settings.reading, settings.levels)
