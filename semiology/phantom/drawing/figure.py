"""A dressed person on the canvas: the capsules and ellipsoids of a body, and their colours."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semiology.phantom.drawing.face import head_scale
from semiology.phantom.drawing.hand import draw_hand
from semiology.phantom.drawing.kinematics import SIDES, Figure
from semiology.phantom.drawing.person import Colour, Person
from semiology.phantom.drawing.portrait import Paints, paint_head
from semiology.phantom.drawing.raster import Camera, Canvas, lighting

PARTS = ("head", "skin", "gown", "pattern", "hair", "nose", "nostril", "bandage")
Sensor = Callable[
    [Colour], NDArray
]  # what the sensor makes of a colour of the world, RGB in 0..1 to RGB in 0..1


def part_colours(person: Person, sensor: Sensor) -> NDArray:
    """Colours (part, 3) in the order of PARTS."""
    skin = np.array(person.skin)
    gown = np.array(person.gown)
    world = [
        skin,
        skin,
        gown,
        gown * 0.8 + 0.04,
        np.array(person.hair),
        skin * 0.98,
        skin * 0.3,
        np.array([0.92, 0.92, 0.90]),
    ]
    return np.stack([sensor(tuple(c.tolist())) for c in world])


def head_paints(person: Person, sensor: Sensor) -> Paints:
    """The colours of a head as the sensor records them."""
    skin = np.array(person.skin)
    colours: dict[str, NDArray | Colour] = {
        "skin": skin,
        "hair": person.hair,
        "bandage": (0.92, 0.92, 0.90),
        "lips": person.lips,
        "iris": person.iris,
        "sclera": (0.93, 0.92, 0.90),
        "mouth": (0.20, 0.07, 0.07),
        "teeth": (0.95, 0.94, 0.88),
        "flush": skin * np.array([1.0, 0.62, 0.58]),
        "pale": 0.6 * skin + 0.4 * np.array([0.88, 0.90, 0.86]),
    }
    return Paints(
        **{
            name: sensor(tuple(np.asarray(c).tolist())).astype(np.float32)
            for name, c in colours.items()
        }
    )


@dataclass(frozen=True)
class Actor:
    """A person who can be drawn: the figure over time in camera axes, and the looks."""

    person: Person
    joints: dict[str, NDArray]  # name -> (time, 3) m, camera axes (palms: unit vectors)
    trunk: NDArray  # (time, 3, 3) columns in camera axes
    head: NDArray  # (time, 3, 3)
    actions: NDArray  # (time, action)
    clench: dict[str, NDArray]  # side -> (time,) 0 open hand, 1 fist
    paints: Paints
    first_part: int  # where this person's PARTS begin in the colour table
    ambient: float
    down: NDArray | None = (
        None  # (3,) m, hip to foot of one who stands; a patient's legs belong to the still image
    )
    hands: dict[str, NDArray] | None = (
        None  # side -> (time, 21, 3) m, camera axes: hands with fingers in place of the simple ones
    )

    @classmethod
    def of(
        cls,
        figure: Figure,
        person: Person,
        camera: Camera,
        actions: NDArray,
        clench: dict[str, NDArray],
        *,
        sensor: Sensor,
        ambient: float,
        first_part: int = 1,
        standing: bool = False,
        hands: dict[str, NDArray] | None = None,
    ) -> "Actor":
        """Carry a figure of the room into the camera's axes."""
        joints = {
            name: p @ camera.rotation.T if name.endswith("_palm") else camera.to_camera(p)
            for name, p in figure.joints.items()
        }
        trunk, head = (camera.rotation @ frame for frame in (figure.trunk, figure.head))
        down = (
            camera.rotation @ np.array([0, -person.body.thigh - person.body.shin, 0])
            if standing
            else None
        )
        return cls(
            person,
            joints,
            trunk,
            head,
            actions,
            clench,
            head_paints(person, sensor),
            first_part,
            ambient,
            down,
            None if hands is None else {s: camera.to_camera(p) for s, p in hands.items()},
        )

    def draw(self, canvas: Canvas, t: int) -> None:
        """Draw the person as at frame `t`."""
        part = {name: self.first_part + i for i, name in enumerate(PARTS)}
        joint = {name: p[t] for name, p in self.joints.items()}
        self.draw_torso(canvas, joint, self.trunk[t], part)
        if self.down is not None:
            for side in SIDES:
                canvas.capsule(
                    joint[f"{side}_hip"], joint[f"{side}_hip"] + self.down, 0.09, 0.06, part["gown"]
                )
        for side, sign in SIDES.items():
            self.draw_arm(canvas, joint, side, part)
            if self.hands is not None and side in self.hands:
                draw_hand(canvas, self.hands[side][t], part["skin"])
            else:
                self.draw_simple_hand(canvas, joint, side, sign, float(self.clench[side][t]), part)
        self.draw_head(canvas, joint, self.head[t], self.actions[t], part)

    def draw_torso(
        self, canvas: Canvas, joint: dict[str, NDArray], trunk: NDArray, part: dict[str, int]
    ) -> None:
        """Draw pelvis, belly, chest and neck."""
        body, girth = self.person.body, self.person.body.girth
        base, neck, up, front = joint["spine_base"], joint["neck"], trunk[:, 1], trunk[:, 2]
        chest = base + 0.60 * body.trunk * up
        self.draw_gown(
            canvas,
            chest,
            trunk,
            np.array([body.shoulder * 0.98, body.trunk * 0.48, 0.115 * girth]),
            part,
        )
        belly = base + 0.26 * body.trunk * up
        self.draw_gown(
            canvas,
            belly,
            trunk,
            np.array([body.shoulder * 0.90 * girth, body.trunk * 0.50, 0.110 * girth]),
            part,
        )
        for side in SIDES:
            canvas.capsule(
                neck + 0.02 * up, joint[f"{side}_shoulder"], 0.062, 0.056 * girth**0.5, part["gown"]
            )
        canvas.capsule(
            neck - 0.01 * up, joint["head"] - 0.06 * up - 0.03 * front, 0.056, 0.047, part["skin"]
        )

    def draw_gown(
        self, canvas: Canvas, centre: NDArray, axes: NDArray, half: NDArray, part: dict[str, int]
    ) -> None:
        """Draw an ellipsoid of the trunk with the gown's pattern on it."""
        hit = canvas.ellipsoid(centre, axes, half)
        if hit is None:
            return
        box, inside, depth, unit, normal = hit
        lit = lighting(normal, canvas.light @ axes.astype(np.float32))
        x, y = unit[0] * np.float32(half[0]), unit[1] * np.float32(half[1])
        lit += 0.07 * np.sin(70 * x + 9 * np.sin(14 * y)) + 0.05 * np.sin(38 * y + 25 * x)
        if self.person.gown_pattern == "plain":
            which: NDArray | int = part["gown"]
        else:
            marked = (
                np.sin(160 * x) > 0.4
                if self.person.gown_pattern == "stripes"
                else np.sin(190 * x) * np.sin(190 * y) > 0.55
            )
            which = np.where(marked, part["pattern"], part["gown"])
        canvas.write(box, inside, depth, lit, which)

    def draw_arm(
        self, canvas: Canvas, joint: dict[str, NDArray], side: str, part: dict[str, int]
    ) -> None:
        """Draw sleeve and forearm of one side."""
        body = self.person.body
        thick = body.girth**0.5
        shoulder, elbow, wrist = (
            joint[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist")
        )
        sleeve = shoulder + 0.55 * (elbow - shoulder)
        canvas.capsule(shoulder, sleeve, 0.056 * thick, 0.054 * thick, part["gown"])
        canvas.capsule(sleeve, elbow, 0.043 * thick, 0.038 * thick, part["skin"])
        canvas.capsule(elbow, wrist, 0.038 * thick, 0.027 * thick, part["skin"])

    def draw_simple_hand(
        self,
        canvas: Canvas,
        joint: dict[str, NDArray],
        side: str,
        sign: float,
        clench: float,
        part: dict[str, int],
    ) -> None:
        """Draw palm, fingers and thumb of one side."""
        body, wrist = self.person.body, joint[f"{side}_wrist"]
        reach, palm = joint[f"{side}_hand"] - wrist, joint[f"{side}_palm"]
        along = reach / body.hand
        across = np.cross(
            along, palm
        )  # towards the thumb of the right hand, away from it on the left
        thumb = -sign * across
        axes = np.stack([across, along, palm], -1)
        canvas.solid(
            wrist + 0.27 * reach,
            axes,
            np.array([0.042, 0.30 * body.hand, 0.018 + 0.012 * clench]),
            part["skin"],
        )
        curl = clench * 2.4  # radians between the fingers and the back of the hand
        finger = (
            0.48 * body.hand * (1 - 0.35 * clench) * (np.cos(curl) * along + np.sin(curl) * palm)
        )
        for k in range(4):
            root = wrist + 0.50 * reach + (k - 1.5) * 0.020 * across
            canvas.capsule(
                root,
                root + finger + (k - 1.5) * 0.006 * (1 - clench) * across,
                0.0105,
                0.008,
                part["skin"],
            )
        root = wrist + 0.2 * reach + 0.035 * thumb
        tip = root + body.hand * (
            (0.28 - 0.15 * clench) * along + (0.20 - 0.25 * clench) * thumb + 0.16 * clench * palm
        )
        canvas.capsule(root, tip, 0.013, 0.009, part["skin"])

    def draw_head(
        self,
        canvas: Canvas,
        joint: dict[str, NDArray],
        axes: NDArray,
        actions: NDArray,
        part: dict[str, int],
    ) -> None:
        """Draw the head with the face under its actions."""
        person, half = self.person, self.person.body.head
        scale, centre = head_scale(half), joint["head"]

        def at(x: float, y: float, z: float) -> NDArray:
            return centre + axes @ (scale * np.array([x, y, z]))

        paint_head(canvas, centre, axes, person, self.paints, actions, part["head"], self.ambient)
        if not person.bandage:
            canvas.solid(
                at(0, 0.016, -0.020), axes, half * np.array([1.06, 0.97, 0.95]), part["hair"]
            )
            if person.hair_style == "long":
                for sign in SIDES.values():
                    canvas.capsule(
                        at(sign * 0.070, 0.02, -0.035),
                        at(sign * 0.085, -0.13, -0.045),
                        0.030,
                        0.028,
                        part["hair"],
                    )
        else:
            canvas.solid(
                at(0, 0.030, -0.008), axes, half * np.array([1.05, 0.80, 1.0]), part["bandage"]
            )
        for sign in SIDES.values():
            canvas.solid(
                at(sign * 0.078, -0.004, -0.006),
                axes,
                scale * np.array([0.009, 0.028, 0.017]),
                part["skin"],
            )
        if axes[2, 2] < 0.35:
            front = half[2] / scale
            canvas.capsule(
                at(0, 0.004, front - 0.004),
                at(0, -0.034, front + 0.005),
                0.0068 * scale,
                0.0112 * scale,
                part["nose"],
            )
            for sign in SIDES.values():
                canvas.solid(
                    at(sign * 0.0105, -0.037, front - 0.002),
                    axes,
                    scale * np.array([0.0065, 0.0065, 0.008]),
                    part["nose"],
                )
                canvas.solid(
                    at(sign * 0.0055, -0.0445, front + 0.003),
                    axes,
                    scale * np.array([0.0032, 0.0022, 0.004]),
                    part["nostril"],
                )
