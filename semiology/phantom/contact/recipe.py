"""The recipe of a phantom cohort in which a caregiver holds, lifts and bends over the patient:
limbs and heads of two people overlap, and the joints of both are known.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from semiology.errors import UserError
from semiology.phantom.cohort import (
    LIGHT,
    NOTICE,
    SYNTHETIC,
    Clip,
    Contents,
    Recipe,
    Video,
    make_cohort,
    numbered,
)
from semiology.phantom.drawing.clip import (
    Caregiver,
    Performance,
    Plan,
    draw_plan,
    draw_subject,
    enact,
    film_as_drawn,
    joined,
)
from semiology.phantom.drawing.filming import FPS, draw_light, recorded_by
from semiology.phantom.drawing.kinematics import SIDES, Figure, pose
from semiology.phantom.drawing.motion import actions, angles
from semiology.phantom.drawing.person import Body
from semiology.phantom.shared.design import generator
from semiology.phantom.shared.truth import behind, clip_facts, face_truth, joint_tracks

ACTS = {
    "hold": "holds an arm of the patient with both hands",
    "lift": "lifts the patient's trunk with both arms around it, head beside head",
    "bend": "bends over the patient and reaches across",
}
STORED_704, MP4 = 2, 1  # numbers in RESOLUTIONS (704x576) and CONTAINERS
ALONE, WALK = 0.15, 0.12  # of the clip: the patient alone at both ends; the way to the bed [choice]
FLOOR = -0.65  # m below the mattress, as for every caregiver of the phantom
# parts that hide what is behind them: from, to, radius (m)
SOLID = (
    ("spine_base", "neck", 0.13),
    ("head", "head", 0.10),
    *(
        (f"{side}_{start}", f"{side}_{stop}", radius)
        for side in SIDES
        for start, stop, radius in (
            ("shoulder", "elbow", 0.045),
            ("elbow", "wrist", 0.036),
            ("wrist", "hand", 0.045),
        )
    ),
)

CONTACT_JSON: dict[str, dict] = {
    "act": {
        "Role": "covariate",
        "LongName": "What the caregiver does",
        "Description": NOTICE,
        "Levels": ACTS,
    },
    "light": LIGHT,
    "synthetic": SYNTHETIC,
}

CONTACT_README = f"""# Phantom cohort of people in contact

{NOTICE}

- `participants.tsv`, `clips.tsv`, `clips.json`: a cohort as `semiology cohort check` reads it.
- `videos/`: the rendered clips.
- `truth/<clip_id>.nc`: the eleven joints of the patient, in square pixels and in metres (camera \
axes: x right, y down, z away). Confidence is 0 where a joint is hidden, by the caregiver too, or
  out of the picture; its position is true all the same.
- `truth/<clip_id>_caregiver.nc`: the same of the caregiver.
- `truth/<clip_id>_face.nc`: the 23 landmarks of the patient's face.
- `truth/<clip_id>.json`: who is in view and when, camera, light and the recipe.
"""


@dataclass(frozen=True)
class ContactRecipe(Recipe):
    """Clips of a patient and a caregiver in contact; see `make_contact`.

    Args:
        seconds: length of a clip, s.
        seed: of everything random.
    """

    seconds: float = 8.0
    seed: int = 0

    kind = "contact"
    version = 2
    readme = CONTACT_README
    floats = ("seconds",)

    def check(self) -> None:
        """Raise UserError where a field makes no sense."""
        if not 2 <= self.seconds <= 600:
            raise UserError(f"phantom: seconds={self.seconds:g}; give 2 to 600 s")
        if self.seed < 0:
            raise UserError("phantom: seed has to be 0 or more")

    def columns(self) -> dict[str, dict]:
        """Definitions of the covariates."""
        return CONTACT_JSON

    def clips(self) -> list[tuple]:
        """Each act by day and in night infrared."""
        return [(act, night) for act in ACTS for night in (False, True)]

    def draw(self, key: tuple) -> Clip:
        """Draw one clip. `key`: subject (from 0), act, whether at night."""
        subject, act, night = key
        plan = plan_contact(self, subject, act, night)
        clip_id = f"sub-{subject + 1:02d}_{act}_{'night' if night else 'day'}"
        row = {
            "clip_id": clip_id,
            "participant_id": f"sub-{subject + 1:02d}",
            "video": f"videos/{clip_id}.mp4",
            "start": "0.00",
            "end": f"{plan.duration:.2f}",
            "act": act,
            "light": "infrared" if night else "daylight",
            "synthetic": "yes",
        }
        return Clip(row, partial(render, plan, act))


def plan_contact(recipe: ContactRecipe, subject: int, act: str, night: bool) -> Plan:
    """Draw one clip: a patient without signs, a caregiver in other clothes, light by day or night,
    recorded at 704x576.
    """
    number = 2 * list(ACTS).index(act) + night
    rng = generator(recipe.seed, 5, subject, number)
    who = draw_subject(generator(recipe.seed, 4, subject))
    who = replace(who, view=recorded_by(who.view, STORED_704, MP4))
    plan = draw_plan(
        rng,
        who,
        seconds=(recipe.seconds, recipe.seconds),
        dystonia=False,
        emotion=False,
        difficulty=0.5,
        appearance=0.0,
        caregivers=1.0,
    )
    light = plan.light
    while light.night != night:
        light = draw_light(rng, who.view)
    return replace(plan, light=light, lead=0.0, tail=0.0)


def perform_contact(plan: Plan, act: str) -> Performance:
    """Joints and landmarks of the patient, and the caregiver's joints, over time."""
    assert plan.caregiver is not None
    time = np.arange(round(plan.duration * FPS)) / FPS
    near = _nearness(time / plan.duration)
    moved, clench = angles(plan.movement, [], time, plan.appearance)
    if act == "lift":
        for name in moved:  # who is lifted lets it happen
            moved[name] = moved[name] + near * 0.5 * (plan.movement.rest[name] - moved[name])
        moved["trunk_pitch"] = moved["trunk_pitch"] + np.radians(22) * near
    facial = actions(plan.movement, [], time, plan.appearance)
    alone = enact(plan.subject, time, moved, clench, facial)
    return joined(alone, caregiver_in_contact(plan.caregiver, act, alone.figure, time, near))


def _nearness(at: NDArray) -> NDArray:
    """How near the caregiver is (time,), 0 away to 1 at the bed, by the fraction of the clip."""
    walked = np.clip((at - ALONE) / WALK, 0, 1) * np.clip((1 - ALONE - at) / WALK, 0, 1)
    return walked * walked * (3 - 2 * walked)


def caregiver_in_contact(
    caregiver: Caregiver, act: str, patient: Figure, time: NDArray, near: NDArray
) -> Figure:
    """The caregiver's figure (time,): comes up to the bed, bends, and has the hands at the
    patient's joints.
    """
    body, side = caregiver.person.body, caregiver.side
    sign, other = SIDES[side], "right" if side == "left" else "left"
    place, bend = {"hold": (0.72, 28), "lift": (0.56, 50), "bend": (0.55, 62)}[act]  # m, degrees
    moved, _ = angles(caregiver.movement, [], time, 0.0)
    rest = caregiver.movement.rest
    calm = {name: rest[name] + 0.3 * (value - rest[name]) for name, value in moved.items()}
    calm["trunk_pitch"] = calm["trunk_pitch"] + np.radians(bend) * near
    sway = 0.03 * np.sin(2 * np.pi * 0.4 * time)
    chest = patient.joints["neck"]
    seat = np.stack(
        [
            sign * (place + sway + 1.7 * (1 - near)),
            np.full(len(time), FLOOR + body.thigh + body.shin + 0.06),
            np.mean(chest[:, 2]) + (0.12 if act == "hold" else 0.02) + 0 * time,
        ],
        -1,
    )
    figure = pose(body, calm, seat=seat, recline=np.pi / 2, heading=-sign * np.radians(80))
    joints = patient.joints
    arm = f"{side}_elbow", f"{side}_wrist"
    # of the caregiver's hands: first the one towards the foot of the bed
    targets = {
        "hold": (0.2 * joints[arm[0]] + 0.8 * joints[arm[1]], joints[arm[0]]),
        "lift": (
            joints[f"{other}_hip"] + [0, 0.12, 0.05],
            joints[f"{other}_shoulder"] + [0, 0.08, 0.04],
        ),
        "bend": (joints[f"{other}_wrist"], joints[f"{other}_shoulder"] + [0, 0.06, 0.05]),
    }[act]
    for hand, target in zip((side, other), targets):
        figure = reaching(figure, body, hand, target, near)
    return figure


def reaching(figure: Figure, body: Body, side: str, target: NDArray, near: NDArray) -> Figure:
    """The figure with one hand at `target` (time, 3) m where `near` (time,) is 1, as far as the arm
    reaches; the elbow hangs below the line from shoulder to hand.
    """
    joints = dict(figure.joints)
    shoulder = joints[f"{side}_shoulder"]
    goal = joints[f"{side}_wrist"] + near[:, None] * (target - joints[f"{side}_wrist"])
    away = goal - shoulder
    length = np.linalg.norm(away, axis=-1, keepdims=True)
    upper, fore = body.upper_arm, body.forearm
    along = away / length
    reach = np.clip(length, abs(upper - fore) + 0.02, 0.995 * (upper + fore))
    inner = (upper**2 - fore**2 + reach**2) / (2 * reach)
    rise = np.sqrt(np.maximum(upper**2 - inner**2, 0))
    down = np.array([0.0, -1.0, 0.0]) - 0.3 * figure.trunk[:, :, 2]
    across = down - np.sum(down * along, -1, keepdims=True) * along
    across /= np.linalg.norm(across, axis=-1, keepdims=True)
    elbow = shoulder + inner * along + rise * across
    wrist = shoulder + reach * along
    hand = (wrist - elbow) / fore
    palm = across - np.sum(across * hand, -1, keepdims=True) * hand
    joints |= {
        f"{side}_elbow": elbow,
        f"{side}_wrist": wrist,
        f"{side}_hand": wrist + body.hand * hand,
        f"{side}_palm": palm / np.linalg.norm(palm, axis=-1, keepdims=True),
    }
    return replace(figure, joints=joints)


def both_truths(plan: Plan, performance: Performance) -> tuple[xr.Dataset, xr.Dataset]:
    """Joints of the patient and of the caregiver as tracks; what the other person hides has
    confidence 0.
    """
    assert performance.caregiver is not None
    bare = replace(plan.subject, room=replace(plan.subject.room, blanket_top=1.0))
    swapped = replace(performance, figure=performance.caregiver)
    mine = joint_tracks(plan.subject, performance, FPS)
    theirs = joint_tracks(bare, swapped, FPS)
    return (
        _without_hidden(mine, performance, performance.caregiver),
        _without_hidden(theirs, performance, performance.figure),
    )


def _without_hidden(tracks: xr.Dataset, performance: Performance, other: Figure) -> xr.Dataset:
    points = tracks["position_3d"].transpose("keypoint", "time", "space_3d").values
    hidden = np.stack([behind(performance.camera, other.joints, SOLID, each) for each in points], 1)
    return tracks.assign(confidence=tracks["confidence"].where(~hidden, 0))


def render(plan: Plan, act: str) -> Contents:
    """Render one clip: its video, and the truth of both people."""
    view, performance = plan.subject.view, perform_contact(plan, act)
    patient, caregiver = both_truths(plan, performance)
    frames, rate = film_as_drawn(plan, performance), plan.light.bit_rate(view)
    return Contents(
        Video(frames, FPS, rate, view.pixel_aspect, view.stored),
        {".nc": patient, "_caregiver.nc": caregiver, "_face.nc": face_truth(plan, performance)},
        {"act": act, **clip_facts(plan, performance)},
    )


def make_contact(
    out: str | Path, *, subjects: int = 3, jobs: int = 1, progress: bool = True, **recipe: Any
) -> Path:
    """Render a SYNTHETIC cohort in which a caregiver holds, lifts and bends over the patient, each
    by day and in night infrared, with the joints of both people as truth.

    Args:
        out: folder of the cohort; made if it does not exist.
        subjects: number of participants, six clips each.
        jobs: processes.
        progress: whether a progress bar is printed.
        recipe: fields of `ContactRecipe`.

    Returns:
        The folder.

    Raises:
        UserError: a parameter that makes no sense, a folder that holds another cohort, a full disk.
    """
    return make_cohort(
        out, ContactRecipe(**recipe), numbered(subjects), jobs=jobs, progress=progress
    )
