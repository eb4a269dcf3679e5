"""One filmed examination for myoclonus: its random choices, the jerks fitted to their stated
amplitudes, the performance with and without them.

The panels are those of the Unified Myoclonus Rating Scale (Frucht et al. 2002): sit at rest, hear
claps, hold and stretch out the arms, drink. Postures, speeds and pauses are our choice.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from semiology.data.skeleton import load_skeleton
from semiology.phantom.drawing.clip import Performance, Subject, draw_frames, enact
from semiology.phantom.drawing.face import ACTIONS
from semiology.phantom.drawing.filming import (
    CHUNK,
    Light,
    develop,
    draw_light,
    draw_view,
    with_image_size,
)
from semiology.phantom.drawing.kinematics import ARM_ANGLES, SIDES, Angles
from semiology.phantom.drawing.motion import Rest, draw_rest, rest_actions, rest_angles
from semiology.phantom.drawing.person import draw_person
from semiology.phantom.drawing.room import draw_room
from semiology.phantom.myoclonus.jerks import PULLED, Burden, Jerk, draw_jerks, jerked, minimum_jerk

PANELS = {  # panel -> item: what is done in it
    "rest": "sitting",
    "stimulus": "claps",
    "action": "hold_and_reach",
    "functional": "drinking",
}
POSES: dict[
    str, dict[str, tuple[float, float]]
] = {  # degrees, of an arm: lowest and highest of what is drawn
    "held": {
        "elevation": (58, 78),
        "plane": (45, 70),
        "twist": (0, 20),
        "elbow": (10, 22),
        "pronation": (60, 100),
        "wrist": (-5, 10),
    },
    "target": {
        "elevation": (60, 95),
        "plane": (30, 80),
        "twist": (0, 35),
        "elbow": (15, 45),
        "pronation": (40, 90),
        "wrist": (-10, 15),
    },
    "mouth": {
        "elevation": (42, 58),
        "plane": (62, 78),
        "twist": (40, 60),
        "elbow": (112, 128),
        "pronation": (60, 90),
        "wrist": (0, 20),
    },
}
RAISE = 1.2, 1.8  # s to lift the arms
REACH = 0.9, 1.5  # s of a reach
PAUSE = 0.5, 1.2  # s between reaches
CLAPS = 2.5, 5.0  # s between them


@dataclass(frozen=True)
class Move:
    """One arm goes from its posture to another; its angles follow minimum-jerk trajectories."""

    start: float  # s
    lasts: float  # s
    change: dict[str, float]  # name of an angle -> rad by which it then differs


@dataclass(frozen=True)
class Task:
    """All random choices of what is done in one clip; times in seconds of the video."""

    rest: Rest
    moves: tuple[Move, ...]
    stimuli: tuple[float, ...]


def draw_task(rng: np.random.Generator, panel: str, duration: float) -> Task:
    """Draw what is done in a panel for `duration` s. At rest nothing moves but what breathes and
    sways a little.
    """
    rest = replace(draw_rest(rng, duration), reaches=(), turns=())
    moves: list[Move] = []
    if panel == "action":
        down = 0.5 * duration
        for side in SIDES:
            there = arm_pose(rng, "held", side)
            moves += there_and_back(
                rest, side, there, float(rng.uniform(0.8, 1.0)), down - 2, *rng.uniform(*RAISE, 2)
            )
        moves += draw_reaches(rng, rest, "target", down + 0.5, duration, tuple(SIDES))
    if panel == "functional":
        moves += draw_reaches(
            rng, rest, "mouth", 1.0, duration, (("left", "right")[rng.integers(2)],)
        )
    stimuli = []
    if panel == "stimulus":
        at = rng.uniform(1, CLAPS[1])
        while at < duration - 1:
            stimuli.append(float(at))
            at += rng.uniform(*CLAPS)
    return Task(rest, tuple(moves), tuple(stimuli))


def arm_pose(rng: np.random.Generator, pose: str, side: str) -> dict[str, float]:
    """Draw the angles (rad) of an arm in one of POSES."""
    return {
        f"{side}_{angle}": float(np.radians(rng.uniform(*POSES[pose][angle])))
        for angle in ARM_ANGLES
    }


def draw_reaches(
    rng: np.random.Generator,
    rest: Rest,
    pose: str,
    start: float,
    stop: float,
    sides: tuple[str, ...],
) -> list[Move]:
    """Reaches to a pose and back, one after the other, from `start` until `stop` s; the arms take
    turns.
    """
    moves: list[Move] = []
    at, turn = start, int(rng.integers(len(sides)))
    while True:
        there, back, stay, wait = *rng.uniform(*REACH, 2), *rng.uniform(*PAUSE, 2)
        until = at + there + stay
        if until + back > stop:
            return moves
        side = sides[turn % len(sides)]
        moves += there_and_back(rest, side, arm_pose(rng, pose, side), at, until, there, back)
        at, turn = until + back + wait, turn + 1


def there_and_back(
    rest: Rest,
    side: str,
    pose: dict[str, float],
    start: float,
    until: float,
    there: float,
    back: float,
) -> list[Move]:
    """An arm goes to a pose within `there` s from `start` on, stays until `until` s and returns
    within `back` s.
    """
    change = {name: value - rest.movement.rest[name] for name, value in pose.items()}
    return [
        Move(float(start), float(there), change),
        Move(float(until), float(back), {name: -by for name, by in change.items()}),
    ]


def task_angles(task: Task, time: NDArray) -> tuple[Angles, dict[str, NDArray]]:
    """Joint angles (rad) and how far each hand is closed over `time` (s of the video), without
    jerks.
    """
    result, clench = rest_angles(task.rest, time)
    for move in task.moves:
        fraction = minimum_jerk((time - move.start) / move.lasts)
        for name, by in move.change.items():
            result[name] = result[name] + fraction * by
    return result, clench


JOINTS = tuple(load_skeleton("upper_body_11").joints)
PROBE = 1e-3  # rad, step of the numerical derivative
# of a bend, until the joint moves as far as stated; each leaves at most a tenth of the error or so
CORRECTIONS = 6
STRAIGHT = np.radians(2)  # an elbow bends no farther back


@dataclass(frozen=True)
class Exam:
    """All random choices of one clip. Rendering draws nothing more but sensor noise."""

    subject: Subject
    light: Light
    task: Task
    jerks: tuple[Jerk, ...]
    torso: float  # px, see `torso_length`
    frames: int
    fps: float
    noise_seed: int


def draw_examined(rng: np.random.Generator, width: int, height: int) -> Subject:
    """A person who sits in bed with hips and both arms in view, as in an examination, and the
    camera.
    """
    person = draw_person(rng)
    room = replace(
        draw_room(rng),
        recline=float(np.radians(rng.uniform(68, 80))),
        blanket_top=float(rng.uniform(0.10, 0.30)),
    )
    return Subject(person, room, with_image_size(draw_view(rng, room), width, height))


def draw_exam(
    rng: np.random.Generator, subject: Subject, panel: str, how: Burden, duration: float, fps: float
) -> Exam:
    """Draw a clip of `duration` s in which the patient does what the panel asks for, with the jerks
    of a burden.
    """
    task = draw_task(rng, panel, duration)
    frames = round(duration * fps)
    light, noise_seed = draw_light(rng, subject.view), int(rng.integers(2**31))
    jerks = draw_jerks(rng, how, duration, task.stimuli)
    exam = Exam(
        subject, light, task, (), torso_length(subject, task, frames, fps), frames, fps, noise_seed
    )
    return replace(exam, jerks=fitted(exam, jerks))


def act(exam: Exam, frames: range, jerks: bool = True) -> Performance:
    """The performance in some frames, with or without the jerks. It does not depend on the other
    frames.
    """
    time = np.arange(frames.start, frames.stop) / exam.fps
    angles, clench = task_angles(exam.task, time)
    if jerks:
        angles = jerked(angles, exam.jerks, time)
    return enact(exam.subject, time, angles, clench, rest_actions(exam.task.rest, time))


def film(exam: Exam) -> Iterator[NDArray]:
    """The video's frames (height, width, 3) uint8, one by one."""

    def drawn() -> Iterator[NDArray]:
        for start in range(0, exam.frames, CHUNK):
            chunk = act(exam, range(start, min(start + CHUNK, exam.frames)))
            yield from draw_frames(exam.subject, exam.light, chunk, range(len(chunk.time)))

    return develop(drawn(), exam.subject.view, exam.light, np.random.default_rng(exam.noise_seed))


def joints_in_picture(subject: Subject, angles: Angles) -> NDArray:
    """The eleven joints (time, joint, 2) px for joint angles (rad)."""
    time = np.zeros(len(angles["trunk_pitch"]))
    still = np.zeros((len(time), len(ACTIONS)))
    acted = enact(subject, time, angles, {}, still)
    return np.stack([acted.camera.project(acted.figure.joints[name]) for name in JOINTS], 1)


def torso_length(subject: Subject, task: Task, frames: int, fps: float) -> float:
    """px: median over the frames, without jerks, of the distance between the middle of the
    shoulders and that of the hips.
    """
    points = joints_in_picture(subject, task_angles(task, np.arange(frames) / fps)[0])
    middles = [
        points[:, [JOINTS.index(f"{side}_{name}") for side in ("left", "right")]].mean(1)
        for name in ("shoulder", "hip")
    ]
    return float(np.median(np.linalg.norm(middles[0] - middles[1], axis=-1)))


def fitted(exam: Exam, jerks: tuple[Jerk, ...]) -> tuple[Jerk, ...]:
    """The same jerks with the bends (rad) at which each by itself carries its joint off by its
    amplitude at its peak in the image.

    Of the two angles that a jerk bends, the direction that the image shows best follows from the
    camera, and the jerk leans from it.
    """
    if not jerks:
        return ()
    base = task_angles(exam.task, np.array([jerk.peak for jerk in jerks]))[0]
    row = np.arange(len(jerks))
    joint = np.array([JOINTS.index(jerk.joint) for jerk in jerks])
    start = joints_in_picture(exam.subject, base)[row, joint]

    def carried(bends: NDArray) -> NDArray:
        """(jerk, 2) px by which bends (jerk, 2) rad carry each jerk's joint."""
        angles = {name: value.copy() for name, value in base.items()}
        for i, jerk in enumerate(jerks):
            for name, by in zip(PULLED[jerk.joint], bends[i]):
                angles[name][i] += by
        return joints_in_picture(exam.subject, angles)[row, joint] - start

    slopes = np.stack(
        [carried(np.broadcast_to(PROBE * one, (len(jerks), 2))) / PROBE for one in np.eye(2)], -1
    )
    best = np.linalg.svd(slopes)[2][
        :, 0
    ]  # (jerk, 2): the pair of angles that moves the joint farthest in the image
    across = np.stack([-best[:, 1], best[:, 0]], -1)
    lean = np.array([[jerk.lean] for jerk in jerks])
    direction = np.cos(lean) * best + np.sin(lean) * across
    wanted = exam.torso * np.array([jerk.amplitude for jerk in jerks])
    bends = (
        wanted[:, None]
        * direction
        / np.linalg.norm(np.einsum("ijk,ik->ij", slopes, direction), axis=-1, keepdims=True)
    )
    for i, jerk in enumerate(jerks):  # an elbow that is nearly straight bends the other way
        if (
            jerk.joint.endswith("_wrist")
            and base[PULLED[jerk.joint][0]][i] + bends[i, 0] < STRAIGHT
        ):
            bends[i] = -bends[i]
    for _ in range(CORRECTIONS):
        bends = bends * (wanted / np.linalg.norm(carried(bends), axis=-1))[:, None]
    return tuple(
        replace(jerk, bends=dict(zip(PULLED[jerk.joint], map(float, by))))
        for jerk, by in zip(jerks, bends)
    )


def displacements(exam: Exam) -> tuple[list[Jerk], NDArray]:
    """How far each event carries every joint at its peak: the performance with it against that
    without.

    Returns:
        The first jerk of each event, and (event, joint, 2) torso lengths in the image, x to the
        right and y down.
    """
    onsets = sorted({jerk.onset for jerk in exam.jerks})
    if not onsets:
        return [], np.zeros((0, len(JOINTS), 2))
    first = [next(jerk for jerk in exam.jerks if jerk.onset == onset) for onset in onsets]
    time = np.array([jerk.peak for jerk in first])
    base = task_angles(exam.task, time)[0]
    moved = joints_in_picture(exam.subject, jerked(base, exam.jerks, time)) - joints_in_picture(
        exam.subject, base
    )
    return first, moved / exam.torso
