"""A blanket over the patient: it hides the body from the camera and moves with the limbs beneath.

A blanket is drawn last, over everything in its outline, so that nothing of the limbs is seen
themselves. The cloth is carried along where a limb is near: it moves by FOLLOWS of the limb's
path from where it hangs at the patient's side, the less the farther the limb is. The print of the
cloth moves with it, and the limb's ridge is shaded by the lamp. [our choice; no cloth is simulated]
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter, map_coordinates

from semiology.errors import UserError
from semiology.phantom.drawing.kinematics import (
    ARM_ANGLES,
    HEAD_ANGLES,
    SIDES,
    TRUNK_ANGLES,
    Angles,
    pose,
)
from semiology.phantom.drawing.person import Body
from semiology.phantom.drawing.raster import Camera
from semiology.phantom.drawing.room import HIP_HEIGHT, Room

COVERS = {"none": 0.0, "half": 0.5, "all": 0.95}  # -> of the trunk, from the hips up; the legs too
THICK = 0.14  # m, from the spine to the cloth on the belly
BED_END = 1.5  # m from the hips
HALF_WIDTH = 0.85  # m: it hangs over the sides of the bed, and hides arms that are stretched out
FOLLOWS = 0.7  # of a limb's path, by the cloth on it
REACH = 0.09  # m from a limb at which the cloth follows it 0.6 times as far
PRINT, CONTRAST = 0.07, 0.04  # m, size of the print's patches; standard deviation of each kind
BONES = (("shoulder", "elbow"), ("elbow", "wrist"), ("wrist", "hand"))
POINTS = 3  # along each bone
SHADE = 0.45  # contrast of a limb's ridge in the light
COARSE = 4  # px, grid on which the cloth's movement is computed: it is smooth over REACH


def check_cover(cover: str) -> None:
    """Raise UserError where there is no such blanket."""
    if cover not in COVERS:
        raise UserError(f"phantom: blanket={cover!r}; give one of {', '.join(COVERS)}")


@dataclass(frozen=True)
class Blanket:
    """The cloth in one view: everything that does not change over the clip.

    Attributes:
        outline: (height, width) of bool: what the cloth hides.
        cloth: (height, width) float32, brightness of its print while nothing moves beneath.
        colour: (3,) float32, 0 to 1.
        hanging: (point, 2) px, places along both arms while they hang at the patient's sides.
        reach: px.
        towards: (2,) direction of the lamp in the image.
    """

    outline: NDArray
    cloth: NDArray
    colour: NDArray
    hanging: NDArray
    reach: float
    towards: NDArray

    def lay(self, image: NDArray, points: NDArray) -> NDArray:
        """The frame (height, width, 3) uint8 with the blanket over it.

        Args:
            image: of the patient.
            points: (point, 2) px, places along the arms as they are now, see `along_arms`.
        """
        height, width = self.outline.shape
        y, x = np.mgrid[0 : height + COARSE : COARSE, 0 : width + COARSE : COARSE]
        apart = np.stack([x, y], -1)[..., None, :] - points  # (row, column, point, 2)
        near = np.exp(-np.sum(apart**2, -1) / (2 * self.reach**2))
        share = near / np.maximum(near.sum(-1, keepdims=True), 1)
        carried = FOLLOWS * share @ (points - self.hanging)
        slope = np.stack(np.gradient(near.max(-1))[::-1], -1) * self.reach / COARSE
        lit = 1 - SHADE * slope @ self.towards
        fields = np.stack([carried[..., 0], carried[..., 1], lit]).astype(np.float32)
        rows, columns = np.nonzero(self.outline)
        places = np.stack([rows, columns]) / COARSE
        along, down, lit = (map_coordinates(field, places, order=1) for field in fields)
        source = np.stack([rows - down, columns - along])
        light = map_coordinates(self.cloth, source, order=1, mode="reflect") * lit
        laid = image.copy()
        laid[rows, columns] = np.clip(255 * light[:, None] * self.colour, 0, 255)
        return laid


def make_blanket(
    cover: str, room: Room, body: Body, camera: Camera, colour: NDArray, lamp: NDArray
) -> Blanket:
    """The blanket in a camera's view.

    Args:
        cover: a name of COVERS.
        colour: (3,) 0 to 1, as the sensor records it.
        lamp: (3,) unit vector towards the light, in camera axes.
    """
    lean = np.array([0, np.sin(room.recline), -np.cos(room.recline)])
    out = np.array([0, np.cos(room.recline), np.sin(room.recline)])
    hem = np.array([0, HIP_HEIGHT, 0]) + COVERS[cover] * body.trunk * lean + THICK * out
    wide = np.array([HALF_WIDTH, 0, 0])
    foot = np.array([0, HIP_HEIGHT, BED_END])
    corners = camera.project(np.stack([hem - wide, hem + wide, foot + wide, foot - wide]))
    drawn = Image.new("L", (camera.width, camera.height))
    ImageDraw.Draw(drawn).polygon([tuple(corner) for corner in corners.tolist()], fill=1)
    metre = camera.focal / camera.to_camera(hem)[2]
    rng = np.random.default_rng(room.wrinkles)
    grain = rng.normal(size=(camera.height, camera.width))
    prints = sum(
        patch / patch.std()
        for size in (PRINT, PRINT / 3)
        for patch in [gaussian_filter(grain, size * metre / 2)]
    )
    cloth = 1 + CONTRAST * prints
    still = dict.fromkeys(
        (*TRUNK_ANGLES, *HEAD_ANGLES, *(f"{side}_{name}" for side in SIDES for name in ARM_ANGLES)),
        np.zeros(1),
    )
    hanging: Angles = still | {f"{side}_elbow": np.full(1, np.radians(40.0)) for side in SIDES}
    seat = np.array([0, HIP_HEIGHT, 0.0])
    figure = pose(body, hanging, seat=seat, recline=room.recline)
    towards = lamp[:2] / max(float(np.linalg.norm(lamp[:2])), 1e-6)
    return Blanket(
        np.asarray(drawn, bool),
        cloth.astype(np.float32),
        colour.astype(np.float32),
        along_arms(figure.joints, camera)[0],
        REACH * metre,
        towards,
    )


def along_arms(joints: Mapping[str, NDArray], camera: Camera) -> NDArray:
    """Places along both arms (time, point, 2) px, from joints (time, 3) m of the room."""
    places = [
        joints[f"{side}_{first}"]
        + fraction * (joints[f"{side}_{last}"] - joints[f"{side}_{first}"])
        for side in SIDES
        for first, last in BONES
        for fraction in np.linspace(0, 1, POINTS + 1)[1:]
    ]
    return np.stack([camera.project(place) for place in places], 1)
