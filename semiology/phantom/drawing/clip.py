"""One clip: its random choices, the performance that follows from them, and its frames."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from semiology.phantom.drawing.blanket import along_arms, make_blanket
from semiology.phantom.drawing.episodes import GRIMACES, POSTURES, Episode, draw_episodes
from semiology.phantom.drawing.face import ACTIONS, landmarks
from semiology.phantom.drawing.figure import PARTS, Actor, part_colours
from semiology.phantom.drawing.filming import (
    FPS,
    Light,
    View,
    delivered,
    draw_light,
    draw_view,
    exposed,
)
from semiology.phantom.drawing.kinematics import SIDES, Angles, Figure, pose
from semiology.phantom.drawing.motion import Movement, actions, angles, draw_movement
from semiology.phantom.drawing.person import SCRUBS, Person, draw_person
from semiology.phantom.drawing.raster import Camera, Canvas, shading_table
from semiology.phantom.drawing.room import HIP_HEIGHT, Room, draw_room, photograph

CLENCHING = ("fear", "anger")  # with `looks` these close both hands [our choice]


@dataclass(frozen=True)
class Subject:
    """What stays the same in all clips of one subject."""

    person: Person
    room: Room
    view: View
    blanket: str = "none"  # over the body and its arms: a name of `blanket.COVERS`


def draw_subject(rng: np.random.Generator) -> Subject:
    """Draw a person, a room and a camera."""
    person = draw_person(rng)
    room = draw_room(rng)
    return Subject(person, room, draw_view(rng, room))


@dataclass(frozen=True)
class Caregiver:
    """A second person who steps to the bed."""

    person: Person
    movement: Movement
    side: str  # of the bed: the patient's left or right
    enter: float  # s of the main phase
    leave: float
    position: tuple[float, float]  # m: sideways and along the bed


@dataclass(frozen=True)
class Plan:
    """All random choices of one clip. `perform` and `film` apply them; rendering draws nothing
    more but sensor noise.
    """

    subject: Subject
    light: Light
    movement: Movement
    arms: tuple[Episode, ...]
    faces: tuple[Episode, ...]
    caregiver: Caregiver | None
    lead: float  # s of video before the main phase
    duration: float  # s of the main phase
    tail: float  # s of video after it
    appearance: float
    noise_seed: int
    looks: float = 0.0

    @property
    def sign_of_arm(self) -> Episode | None:
        """The sustained posture, where there is one."""
        return next((episode for episode in self.arms if episode.sign), None)

    @property
    def sign_of_face(self) -> Episode | None:
        """The sustained expression, where there is one."""
        return next((episode for episode in self.faces if episode.sign), None)


def draw_plan(
    rng: np.random.Generator,
    subject: Subject,
    *,
    seconds: tuple[float, float],
    dystonia: bool,
    emotion: bool,
    difficulty: float,
    appearance: float,
    looks: float = 0.0,
    caregivers: float = 0.3,
) -> Plan:
    """Draw a clip of `subject`. `caregivers`: the proportion of clips in which one steps to the
    bed; the rest as in `DystoniaEmotionRecipe`.
    """
    duration = round(rng.uniform(*seconds) * FPS) / FPS
    lead, tail = (
        round(rng.uniform(0.6, 2.4) * FPS) / FPS * (rng.random() < 0.35) for _ in range(2)
    )
    posture, side = list(POSTURES)[rng.integers(len(POSTURES))], ("left", "right")[rng.integers(2)]
    grimace = GRIMACES[rng.integers(len(GRIMACES))]
    caregiver = None
    if rng.random() < caregivers:
        bedside = ("left", "right")[rng.integers(2)]
        enter = rng.uniform(-0.5, 0.5) * duration
        caregiver = Caregiver(
            person=replace(
                draw_person(rng),
                bandage=False,
                gown=SCRUBS[rng.integers(len(SCRUBS))],
                gown_pattern="plain",
            ),
            movement=draw_movement(rng, duration, lead, tail),
            side=bedside,
            enter=float(enter),
            leave=float(enter + rng.uniform(0.3, 0.9) * duration),
            position=(float(rng.uniform(0.72, 0.95)), float(rng.uniform(-0.75, -0.3))),
        )
    return Plan(
        subject=subject,
        light=draw_light(rng, subject.view),
        movement=draw_movement(rng, duration, lead, tail, variety=min(1.0, 2 * difficulty)),
        arms=tuple(
            draw_episodes(
                rng, duration, kind=posture, side=side, present=dystonia, difficulty=difficulty
            )
        ),
        faces=tuple(
            draw_episodes(
                rng, duration, kind=grimace, side="", present=emotion, difficulty=difficulty
            )
        ),
        caregiver=caregiver,
        lead=float(lead),
        duration=float(duration),
        tail=float(tail),
        appearance=appearance,
        noise_seed=int(rng.integers(2**31)),
        looks=looks,
    )


@dataclass(frozen=True)
class Performance:
    """A plan carried out: the truth of every frame of the video.

    Attributes:
        time: (time,) s of the main phase; negative in the lead-in.
        figure, actions, clench: of the patient; landmarks: name of `face_23` -> (time, 3) m in the
            room.
        hands: side -> (time, 21, 3) m in the room: landmarks of hands that are drawn with fingers
            (`hand.hand_landmarks`), in place of simple ones.
        caregiver: figure of the second person or None; caregiver_seen: (time,) whether any of it is
            within the image.
    """

    time: NDArray
    camera: Camera
    figure: Figure
    actions: NDArray
    clench: dict[str, NDArray]
    landmarks: dict[str, NDArray]
    caregiver: Figure | None
    caregiver_seen: NDArray
    hands: dict[str, NDArray] | None = None


def perform(plan: Plan) -> Performance:
    """Joints and landmarks of patient and caregiver over time; about a millisecond a second of
    clip.
    """
    frames = round((plan.lead + plan.duration + plan.tail) * FPS)
    time = np.arange(frames) / FPS - plan.lead
    joint_angles, clench = angles(plan.movement, list(plan.arms), time, plan.appearance)
    facial = actions(plan.movement, list(plan.faces), time, plan.appearance, plan.looks)
    for face in plan.faces:
        if plan.looks and face.sign and face.kind in CLENCHING:
            felt = plan.looks * face.strength_at(time)
            clench = {side: closed + felt * (0.95 - closed) for side, closed in clench.items()}
    acted = enact(plan.subject, time, joint_angles, clench, facial)
    if plan.caregiver is None:
        return acted
    return joined(acted, stand_by(plan.caregiver, time))


def joined(acted: Performance, second: Figure) -> Performance:
    """The performance of a patient who is alone, with the figure of a second person."""
    camera = acted.camera
    pixels = camera.project(
        np.stack([p for name, p in second.joints.items() if not name.endswith("_palm")])
    )
    inside = np.all((pixels >= 0) & (pixels < [camera.width, camera.height]), axis=-1)
    return replace(acted, caregiver=second, caregiver_seen=np.any(inside, axis=0))


def enact(
    subject: Subject,
    time: NDArray,
    joint_angles: Angles,
    clench: dict[str, NDArray],
    facial: NDArray,
) -> Performance:
    """Angles (name -> (time,) rad), hands and facial actions (time, action) of a subject who is
    alone -> joints and landmarks.
    """
    person, room = subject.person, subject.room
    flatness = max(
        np.radians(62) - room.recline, 0
    )  # who lies flatter has more pillow under the head
    pitched = joint_angles | {
        "head_pitch": joint_angles["head_pitch"] + np.radians(7) + 0.5 * flatness
    }
    figure = pose(person.body, pitched, seat=np.array([0, HIP_HEIGHT, 0.0]), recline=room.recline)
    points = {
        name: figure.joints["head"] + np.einsum("tij,tj->ti", figure.head, local)
        for name, local in landmarks(person, facial).items()
    }
    return Performance(
        time,
        subject.view.camera(person.body, room),
        figure,
        facial,
        clench,
        points,
        None,
        np.zeros(len(time), bool),
    )


def stand_by(caregiver: Caregiver, time: NDArray) -> Figure:
    """The caregiver's figure: steps up from the side, bends a little, stretches a hand to the bed,
    steps back.
    """
    movement, body = caregiver.movement, caregiver.person.body
    moved, _ = angles(movement, [], time, 0.0)
    calm: Angles = {
        name: movement.rest[name] + 0.3 * (value - movement.rest[name])
        for name, value in moved.items()
    }
    walk = 1.6  # s to step up
    near = np.clip((time - caregiver.enter + walk) / walk, 0, 1) * np.clip(
        (caregiver.leave + walk - time) / walk, 0, 1
    )
    near = near * near * (3 - 2 * near)
    for side in SIDES:
        calm[f"{side}_plane"] = calm[f"{side}_plane"] * 0 + np.radians(75)
        calm[f"{side}_elevation"] = np.radians(15) + near * (0.7 * calm[f"{side}_elevation"])
    calm["trunk_pitch"] = calm["trunk_pitch"] + np.radians(12) * near
    sign = SIDES[caregiver.side]
    floor = -0.65
    sideways = sign * (caregiver.position[0] + 1.6 * (1 - near))
    seat = np.stack(
        [
            sideways,
            0 * near + floor + body.thigh + body.shin + 0.06,
            0 * near + caregiver.position[1],
        ],
        -1,
    )
    return pose(body, calm, seat=seat, recline=np.pi / 2, heading=-sign * np.radians(70))


def film(
    plan: Plan, performance: Performance, frames: Iterable[int] | None = None
) -> Iterator[NDArray]:
    """The video's frames (height, width, 3) uint8, one by one; all of them, or those whose numbers
    are given.
    """
    return delivered(film_as_drawn(plan, performance, frames), plan.subject.view)


def film_as_drawn(
    plan: Plan, performance: Performance, frames: Iterable[int] | None = None
) -> Iterator[NDArray]:
    """The video's frames as `film` gives them, but of the size in which they are drawn: for a
    writer that scales them to the file's.
    """
    chosen = range(len(performance.time)) if frames is None else frames
    drawn = draw_frames(plan.subject, plan.light, performance, chosen, plan.caregiver)
    return exposed(drawn, plan.light, np.random.default_rng(plan.noise_seed))


def draw_frames(
    subject: Subject,
    light: Light,
    performance: Performance,
    frames: Iterable[int],
    caregiver: Caregiver | None = None,
) -> Iterator[NDArray]:
    """The frames at the size at which they are drawn, without noise."""
    person, room = subject.person, subject.room
    camera = performance.camera.scaled(subject.view.scale)
    lamp = camera.rotation @ np.array(light.towards)
    background, depth = photograph(
        room, person.body, person.skin, person.gown, camera, lamp, light.ambient, light.recorded
    )
    actors = [
        Actor.of(
            performance.figure,
            person,
            camera,
            performance.actions,
            performance.clench,
            sensor=light.recorded,
            ambient=light.ambient,
            hands=performance.hands,
        )
    ]
    persons = [person]
    if caregiver and performance.caregiver:
        still = np.zeros((len(performance.time), len(ACTIONS)))
        hands = {side: np.full(len(performance.time), 0.3) for side in SIDES}
        persons.append(caregiver.person)
        actors.append(
            Actor.of(
                performance.caregiver,
                caregiver.person,
                camera,
                still,
                hands,
                sensor=light.recorded,
                ambient=light.ambient,
                first_part=1 + len(PARTS),
                standing=True,
            )
        )
    colours = np.concatenate(
        [np.zeros((1, 3)), *(part_colours(p, light.recorded) for p in persons)]
    )
    table = shading_table(colours, light.ambient)
    canvas = Canvas(camera, background, depth, lamp)
    if subject.blanket != "none":
        colour = light.recorded(room.blanket)
        cloth = make_blanket(subject.blanket, room, person.body, camera, colour, lamp)
        arms = along_arms(performance.figure.joints, camera)
    for t in frames:
        canvas.clear()
        actors[0].draw(canvas, t)
        if len(actors) > 1 and performance.caregiver_seen[t]:
            actors[1].draw(canvas, t)
        frame = canvas.frame(table)
        yield frame if subject.blanket == "none" else cloth.lay(frame, arms[t])
