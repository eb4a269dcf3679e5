"""Sliding windows over a recording, and the time that each of them speaks for.

Window k speaks for the frames k * step to (k + 1) * step, and reads `length` frames around their middle: every frame of a recording has one
window and one only, also at its ends, where the window reaches beyond the recording and holds missing frames there. So a recording shorter
than a window is no special case.
"""

from collections.abc import Iterable

import numpy as np

from semiology.data.cohort import Label
from semiology.models.training.clips import ClipData, ClipSource, too_little
from semiology.timeline.localise.recordings import LEFT_OUT, Recording
from semiology.timeline.localise.settings import Localisation


def window_count(frames: int, step: int) -> int:
    """How many windows speak for a recording; the last may speak for fewer frames than a step."""
    return -(-frames // step)


def first_frames(frames: int, length: int, step: int) -> np.ndarray:
    """(window,) the first frame that each window reads; negative where it reaches before the recording."""
    return np.arange(window_count(frames, step)) * step + step // 2 - length // 2


def window_joints(joints: np.ndarray, length: int, step: int) -> list[np.ndarray]:
    """Each window's joints (length, joint, space), NaN beyond the ends: views into one padded copy of (time, joint, space)."""
    beyond = np.full((length, *joints.shape[1:]), np.nan, joints.dtype)
    padded = np.concatenate([beyond, joints, beyond])
    return [padded[first + length : first + 2 * length] for first in first_frames(len(joints), length, step)]


def window_levels(truth: np.ndarray, step: int) -> np.ndarray:
    """(window,) the level of most frames that it speaks for, of those that are judged; `LEFT_OUT` where none is."""
    levels = np.full(window_count(len(truth), step), LEFT_OUT)
    for window in range(len(levels)):
        own = truth[window * step : (window + 1) * step]
        if (own != LEFT_OUT).any():
            levels[window] = np.bincount(own[own != LEFT_OUT]).argmax()
    return levels


def by_frame(values: np.ndarray, frames: int, step: int) -> np.ndarray:
    """(window, ...) -> (time, ...): each frame gets its window's."""
    return np.repeat(values, step, axis=0)[:frames]


def windows_of(recording: Recording, settings: Localisation) -> list[ClipData]:
    """All windows of a recording in time, named by it and their number."""
    joints = window_joints(recording.joints, settings.reading.window, settings.step_frames)
    levels = window_levels(recording.truth, settings.step_frames)
    return [
        ClipData(f"{recording.clip_id}#{number}", recording.participant_id, int(level), own, None, recording.clip_id)
        for number, (own, level) in enumerate(zip(joints, levels))
    ]


def assessable(windows: Iterable[ClipData], settings: Localisation) -> np.ndarray:
    """(window,) True where enough of the patient was followed, see `Reading.min_found`."""
    return np.array([not too_little(window.joints, settings.reading) for window in windows], dtype=bool)


def windows_source(recordings: Iterable[Recording], settings: Localisation) -> ClipSource:
    """The windows that can be learned from, as clips: those that are judged and assessable."""
    label = Label(name="sign", Role="label", Levels=dict.fromkeys(settings.levels, ""))  # type: ignore[call-arg]
    clips = []
    for recording in recordings:
        windows = windows_of(recording, settings)
        there = assessable(windows, settings)
        clips += [window for window, seen in zip(windows, there) if seen and window.target != LEFT_OUT]
    source = ClipSource(settings.cohort, settings.reading, settings.store)
    source.__dict__.update(label=label, clips=clips)  # fills the cached properties, so that nothing is read
    return source
