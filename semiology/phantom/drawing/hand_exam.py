"""A filmed examination of the hands: tapping, opening and closing, or a tremor, made to a known
rate and size, with the landmarks of both hands as truth.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from semiology.data.keypoint_names import HANDS
from semiology.data.tracks import TRUTH, make_tracks
from semiology.errors import UserError
from semiology.phantom.drawing.clip import Performance, Subject, draw_frames, draw_subject, enact
from semiology.phantom.drawing.face import ACTIONS
from semiology.phantom.drawing.filming import (
    Light,
    check_film,
    develop,
    draw_light,
    with_image_size,
)
from semiology.phantom.drawing.hand import FINGERS, hand_landmarks, in_room
from semiology.phantom.drawing.kinematics import SIDES
from semiology.phantom.drawing.motion import draw_pose
from semiology.video import write_video

KINDS = ("tapping", "grip", "tremor")
# degrees of an arm that shows its palm to the camera [our choice]
RAISED = {"elevation": 38, "plane": 50, "twist": 20, "elbow": 105, "pronation": -10, "wrist": -5}
SPAN = 1.0  # m that the shorter side of the image shows: an examination is filmed near [our choice]
RELAXED = 0.15  # how far resting fingers are closed [our choice]


@dataclass(frozen=True)
class HandTask:
    """What both hands do.

    Attributes:
        kind: tapping of thumb and index finger; grip, the hand opens and closes; tremor of the
            wrist.
        rate: of the left hand, Hz.
        other: of the right hand, Hz.
        size: of tapping and grip, 0 to 1, the widest; of a tremor the swing of the wrist to either
            side, degrees.
        decrement: share of the size that is lost by the end.
        halt: s at which the hands stop for `pause` s, or None.
    """

    kind: str
    rate: float
    other: float
    size: float
    decrement: float = 0.0
    halt: float | None = None
    pause: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UserError(f"hands of a phantom: kind={self.kind!r}; give {', '.join(KINDS)}")
        if min(self.rate, self.other, self.size) <= 0 or not 0 <= self.decrement < 1:
            raise UserError(
                f"hands of a phantom: rate={self.rate:g}, other={self.other:g}, size={self.size:g},"
                f" decrement={self.decrement:g}; rates and size are positive, the decrement below 1"
            )


def make_hand_exam(
    path: str | Path,
    task: HandTask,
    *,
    seed: int = 0,
    seconds: float = 10.0,
    fps: float = 25.0,
    width: int = 960,
    height: int = 720,
) -> xr.Dataset:
    """Film a patient whose hands do a task, in daylight, with fingers that bend.

    Args:
        path: of the video (.mp4).

    Returns:
        The truth: tracks of both hands, px and, in the camera's axes, metres.

    Raises:
        UserError: a rate or size of which no video can be made; the video cannot be written.
    """
    check_film(fps, width, height)
    rng = np.random.default_rng(seed)
    subject = draw_subject(rng)
    view = replace(with_image_size(subject.view, width, height), span=SPAN, azimuth=0.0, roll=0.0)
    subject = replace(subject, view=view)
    light = draw_light(rng, view)
    while light.night:
        light = draw_light(rng, view)
    performance = perform_task(rng, subject, task, np.arange(round(seconds * fps)) / fps)
    write_video(path, _filmed(subject, light, performance, rng), fps)
    return hand_truth(performance, fps)


def perform_task(
    rng: np.random.Generator, subject: Subject, task: HandTask, time: NDArray
) -> Performance:
    """A patient who holds up both hands and does the task over `time`, s."""
    pose = draw_pose(rng, "limp")
    angles = {name: np.full(len(time), angle) for name, angle in pose.items()}
    swing = {
        side: swings(task, rate, time)
        for side, rate in zip(SIDES, (task.rate, task.other), strict=True)
    }
    for side in SIDES:
        for name, degrees in RAISED.items():
            angles[f"{side}_{name}"] = np.full(len(time), np.radians(degrees))
        if task.kind == "tremor":
            angles[f"{side}_wrist"] = angles[f"{side}_wrist"] + np.radians(swing[side])
    still = np.zeros((len(time), len(ACTIONS)))
    performance = enact(subject, time, angles, dict.fromkeys(SIDES, np.zeros(len(time))), still)
    length = subject.person.body.hand
    hands = {}
    for side in SIDES:
        rest = dict.fromkeys(FINGERS, np.full(len(time), RELAXED))
        if task.kind == "grip":
            rest = dict.fromkeys(FINGERS, 1 - swing[side])
        apart = swing[side] if task.kind == "tapping" else None
        hands[side] = in_room(performance.figure, side, hand_landmarks(length, rest, apart))
    return replace(performance, hands=hands)


def swings(task: HandTask, rate: float, time: NDArray) -> NDArray:
    """(time,) of one hand: how far apart or open, 0 to 1, touching at the start; of a tremor
    degrees, around 0.
    """
    running = time
    if task.halt is not None:  # the phase stands still during the pause
        running = time - np.clip(time - task.halt, 0, task.pause)
    size = task.size * (1 - task.decrement * time / max(time[-1], 1e-9))
    if task.kind == "tremor":
        return np.asarray(size * np.sin(2 * np.pi * rate * running))
    return np.asarray(size * (0.5 - 0.5 * np.cos(2 * np.pi * rate * running)))


def hand_truth(performance: Performance, fps: float) -> xr.Dataset:
    """The landmarks of both hands in px and metres (camera axes), all of them, hidden or not.

    Raises:
        UserError: the hands were drawn without fingers.
    """
    if performance.hands is None:
        raise UserError("truth of hands: this phantom's hands have no landmarks")
    points = np.concatenate([performance.hands[side] for side in SIDES], axis=1)
    camera = performance.camera
    index = np.arange(len(points))
    return make_tracks(
        camera.project(points),
        HANDS,
        fps,
        position_3d=camera.to_camera(points),
        source_time=index / fps,
        source_index=index,
        width=camera.width,
        height=camera.height,
        backend=TRUTH,
    )


def _filmed(subject: Subject, light: Light, performance: Performance, rng: np.random.Generator):
    frames = draw_frames(subject, light, performance, range(len(performance.time)))
    return develop(frames, subject.view, light, rng)
