"""One filmed examination of a face: a person sits upright before a near camera and does what a
panel requires, as far as strength goes; and how weak the face is.

Weakness is how much of a healthy face's actions is lost, on each side and over a task. A weak
muscle loses a fraction (LOSS) of its movement. The tone of lid and mouth falls too, so that lids
droop and corners sag at rest. In myasthenia strength runs out while a muscle is held: the visible
weakness rises over a task towards the degree. Signs after the quantitative myasthenia gravis score
(Barohn et al. 1998: ptosis in sustained upgaze, lid closure, facial muscles); the amounts are our
choice. At degree 0 the face is healthy.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from semiology.phantom.drawing.clip import Performance, Subject, draw_frames, enact
from semiology.phantom.drawing.episodes import plateau
from semiology.phantom.drawing.face import ACTIONS, EXPRESSIONS, LANDMARK_ACTIONS
from semiology.phantom.drawing.filming import Light, View, develop, draw_light
from semiology.phantom.drawing.kinematics import HEAD_ANGLES, SIDES, TRUNK_ANGLES
from semiology.phantom.drawing.motion import (
    Rest,
    draw_rest,
    draw_waves,
    rest_actions,
    rest_angles,
    wave_sum,
)
from semiology.phantom.drawing.person import draw_person
from semiology.phantom.drawing.room import draw_room
from semiology.phantom.shared.design import block_randomised

LOSS: dict[str, dict[str, float]] = {  # region -> action -> fraction lost at weakness 1
    "brow": {"brow_inner": 0.8, "brow_outer": 0.8, "brow_lower": 0.7},
    "lids": {"blink": 0.65, "lid_tight": 0.7},
    "mouth": {
        "corner_up": 0.85,
        "corner_down": 0.6,
        "stretch": 0.7,
        "press": 0.6,
        "upper_lip": 0.7,
    },
}
DROOP = 1.3  # of `lid_raise` that the upper lid loses at weakness 1: 5 mm of 7
SAG = 0.3  # of `corner_down` that the corners of the mouth then gain
# fraction of the degree that a region has at least: in some persons the eyes are weaker, in others
# the mouth
SPARED = 0.6
SEVERE = 0.5  # degree from which weakness counts as severe
WEAKEST = {"control": (0.0, 0.08), "patient": (0.15, 1.0)}  # range of the degree
FATIGABLE = 0.3, 0.7  # fraction of the degree that appears only after effort
# of a task, after which 63 % of that fraction has appeared; over a minute in patients, over any
# length here
TIRING = 0.4
# standard deviation of a healthy face's difference between its sides: relative, of each action, and
# of `lid_raise` at rest
UNEVEN = (0.04, 0.08)


@dataclass(frozen=True)
class Weakness:
    """How weak somebody's face is.

    Attributes:
        degree: in [0, 1], weakness of the weaker side when strength has run out.
        side: "left", "right" (the other is healthy), or "both" alike.
        fatigable: fraction of the degree that appears only after effort, in [0, 1].
        regions: name of LOSS -> fraction of the degree that this region has.
    """

    degree: float
    side: str
    fatigable: float
    regions: dict[str, float]

    def over(self, tired: NDArray) -> NDArray:
        """Weakness in [0, 1] of each side (time, side) where strength has run out by the fraction
        `tired` (time,).
        """
        weakness = self.degree * (1 - self.fatigable * (1 - tired))
        return np.stack([weakness * (self.side in (side, "both")) for side in SIDES], -1)


def draw_weakness(rng: np.random.Generator, seed: int, group: str, number: int) -> Weakness:
    """Draw for participant `number` (from 0) of "patient" or "control". In twelve that follow each
    other degrees cover their range evenly, and in three patients there is one of each side; a
    control's little weakness is that of both.
    """
    low, high = WEAKEST[group]
    degree = low + (high - low) * (block_randomised(seed, 20, number, 12) + rng.random()) / 12
    side = (
        ("left", "right", "both")[block_randomised(seed, 21, number, 3)]
        if group == "patient"
        else "both"
    )
    regions = {name: float(rng.uniform(SPARED, 1)) for name in LOSS}
    regions[list(LOSS)[rng.integers(len(LOSS))]] = 1.0
    return Weakness(float(degree), side, float(rng.uniform(*FATIGABLE)), regions)


def draw_unevenness(rng: np.random.Generator) -> NDArray:
    """How a healthy face's sides differ: (2, action, side), a factor for each intended action, and
    a shift, which is 0 but for the lid.
    """
    gain, shift = np.ones((len(ACTIONS), 2)), np.zeros((len(ACTIONS), 2))
    for i, name in enumerate(LANDMARK_ACTIONS):
        if name != "jaw":  # there is one jaw
            gain[i] += 0.5 * rng.normal(0, UNEVEN[0]) * np.array([1, -1])
    shift[ACTIONS.index("lid_raise")] = 0.5 * rng.normal(0, UNEVEN[1]) * np.array([1, -1])
    return np.stack([gain, shift])


def tiredness(effort: NDArray, fps: float, task: float) -> NDArray:
    """How far strength has run out (time,), 0 to 1, by the effort (time,) made so far in a task of
    `task` s; without effort not at all.
    """
    return 1 - np.exp(-np.cumsum(effort) / fps / (TIRING * task))


def weakened(actions: NDArray, weakness: Weakness, tired: NDArray) -> NDArray:
    """What remains of a healthy face's actions (time, action, side) when strength has run out by
    `tired` (time,).
    """
    result, by_side = actions.copy(), weakness.over(tired)
    for region, losses in LOSS.items():
        here = weakness.regions[region] * by_side
        for name, loss in losses.items():
            result[:, ACTIONS.index(name)] *= 1 - loss * here
    result[:, ACTIONS.index("lid_raise")] -= DROOP * weakness.regions["lids"] * by_side
    result[:, ACTIONS.index("corner_down")] += SAG * weakness.regions["mouth"] * by_side
    return result


PANELS: dict[str, dict[str, float]] = {  # actions of a healthy face at full effort
    "rest": {},
    "happiness": EXPRESSIONS["smile"],
    "anger": EXPRESSIONS["anger"],
    "fear": EXPRESSIONS["fear"],
    "upgaze": {"gaze_v": 1.0, "lid_raise": 0.6, "brow_inner": 0.3, "brow_outer": 0.3},  # sustained
    "closure": {"blink": 1.0, "lid_tight": 0.8, "brow_lower": 0.3},  # again and again
}
BEGIN = 0.6  # s, until when the face is at rest in every panel
CLOSED, EVERY = 0.9, 1.6  # s that a closure lasts, s from one to the next
SPAN = 0.45  # m that the image shows at the face: brow to chin are about a third of its height
HEAD_SWAYS = 6.0  # times as far as the head of a person who lies in bed
WILLING = 0.12, 0.06  # standard deviation of expressions' strength: between persons, between clips
UNSTEADY = 0.05  # standard deviation of an expression's strength over time


@dataclass(frozen=True)
class Exam:
    """All random choices of one clip. Rendering draws nothing more but sensor noise."""

    subject: Subject
    light: Light
    rest: Rest
    panel: str
    strength: float  # of the intended actions
    waves: NDArray  # of that strength
    uneven: NDArray  # see `weakness.draw_unevenness`
    weakness: Weakness
    frames: int
    fps: float
    noise_seed: int

    @property
    def time(self) -> NDArray:
        """(time,) s of the video."""
        return np.arange(self.frames) / self.fps

    @property
    def effort(self) -> NDArray:
        """Intended effort (time,), in [0, 1]; see `effort`."""
        return effort(self.panel, self.time, self.frames / self.fps)

    @property
    def tired(self) -> NDArray:
        """How far strength has run out (time,), in [0, 1]; see `tiredness`."""
        return tiredness(self.effort, self.fps, self.frames / self.fps)


def draw_sitter(rng: np.random.Generator, size: int) -> Subject:
    """A person who sits up, and a camera before the face; the image is a square of `size` px."""
    person = replace(draw_person(rng), bandage=False)
    room = replace(draw_room(rng), recline=float(np.radians(80)), blanket_top=-0.1)
    face = (
        0.38 * person.body.trunk + 0.85 * person.body.neck
    )  # m, above where a camera looks at the chest
    view = View(
        width=size,
        height=size,
        scale=1.0,
        container=".mp4",
        azimuth=float(np.radians(rng.uniform(-6, 6))),
        elevation=float(np.radians(rng.uniform(2, 8))),
        distance=float(rng.uniform(1.2, 1.6)),
        span=SPAN * float(rng.uniform(0.95, 1.1)),
        shift=(float(rng.uniform(-0.02, 0.02)), face + float(rng.uniform(-0.02, 0.02)), 0.0),
        roll=float(np.radians(rng.uniform(-2, 2))),
    )
    return Subject(person, room, view)


def draw_exam(
    rng: np.random.Generator,
    subject: Subject,
    panel: str,
    weakness: Weakness,
    uneven: NDArray,
    willing: float,
    seconds: float,
    fps: float,
) -> Exam:
    """Draw a clip of `seconds` s. `willing`: strength of this person's expressions, about 1."""
    rest = replace(draw_rest(rng, seconds), reaches=(), turns=())
    upright = {name: float(np.radians(rng.normal(0, 3))) for name in (*TRUNK_ANGLES, *HEAD_ANGLES)}
    swing = {
        name: waves * [HEAD_SWAYS if name in HEAD_ANGLES else 1, 1, 1]
        for name, waves in rest.movement.swing.items()
    }
    movement = replace(rest.movement, rest=rest.movement.rest | upright, swing=swing, talk=())
    return Exam(
        subject=subject,
        light=replace(draw_light(rng, subject.view), night=False),
        rest=replace(rest, movement=movement),
        panel=panel,
        strength=float(willing * (1 + rng.normal(0, WILLING[1]))),
        waves=draw_waves(rng, UNSTEADY, (0.1, 1.0)),
        uneven=uneven,
        weakness=weakness,
        frames=round(seconds * fps),
        fps=fps,
        noise_seed=int(rng.integers(2**31)),
    )


def effort(panel: str, time: NDArray, seconds: float) -> NDArray:
    """Intended effort (time,) in a panel, in [0, 1]: held from BEGIN on, or repeated."""
    if panel == "rest":
        return np.zeros_like(time)
    if panel == "closure":
        return sum(
            (
                plateau(time, float(start), float(start) + CLOSED, 0.25)
                for start in np.arange(BEGIN, seconds - CLOSED, EVERY)
            ),
            np.zeros_like(time),
        )
    return plateau(time, BEGIN, seconds + 1, 0.4)


def intended(exam: Exam) -> NDArray:
    """Actions (time, action, side) of the face without weakness: blinks, gaze, and those of the
    panel.
    """
    actions = rest_actions(exam.rest, exam.time)
    panel = np.array([PANELS[exam.panel].get(name, 0.0) for name in ACTIONS])
    strength = exam.strength * (1 + wave_sum(exam.waves, exam.time))
    actions += (exam.effort * strength)[:, None] * panel
    for name in ("blink", "gaze_v"):  # closed is closed, and eyes turn so far
        actions[:, ACTIONS.index(name)] = np.clip(actions[:, ACTIONS.index(name)], -1, 1)
    gain, shift = exam.uneven
    return actions[..., None] * gain + shift


def act(exam: Exam) -> Performance:
    """The performance of the whole clip."""
    angles, clench = rest_angles(exam.rest, exam.time)
    return enact(
        exam.subject, exam.time, angles, clench, weakened(intended(exam), exam.weakness, exam.tired)
    )


def film(exam: Exam, performance: Performance) -> Iterator[NDArray]:
    """The video's frames (height, width, 3) uint8, one by one."""
    drawn = draw_frames(exam.subject, exam.light, performance, range(exam.frames))
    return develop(drawn, exam.subject.view, exam.light, np.random.default_rng(exam.noise_seed))
