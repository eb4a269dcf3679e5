"""One filmed examination of a face: a person sits upright before a near camera and does what a
panel requires, as far as strength goes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from semiology.phantom.drawing.clip import Performance, Subject, draw_frames, enact
from semiology.phantom.drawing.episodes import plateau
from semiology.phantom.drawing.face import ACTIONS, EXPRESSIONS
from semiology.phantom.drawing.filming import Light, View, develop, draw_light
from semiology.phantom.drawing.kinematics import HEAD_ANGLES, TRUNK_ANGLES
from semiology.phantom.drawing.motion import draw_waves, wave_sum
from semiology.phantom.drawing.person import draw_person
from semiology.phantom.drawing.rest import Rest, draw_rest, rest_actions, rest_angles
from semiology.phantom.drawing.room import draw_room
from semiology.phantom.weakness.weakness import Weakness, tiredness, weakened

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
                plateau(time, start, start + CLOSED, 0.25)
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
