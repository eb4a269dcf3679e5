"""How a clip is filmed: the camera's position, its resolution and container, daylight or infrared,
noise.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from semiology.errors import UserError
from semiology.phantom.drawing.person import Body, Colour
from semiology.phantom.drawing.raster import Camera
from semiology.phantom.drawing.room import HIP_HEIGHT, Room

FPS = 25.0
# width, height (px) of the files of Hou et al. 2022 [P]; width of a pixel over its height, which
# the paper does not state: PAL's 4:3, which recorders of these sizes have, and square at 720 lines
# [choice]; scale at which the figure is drawn
RESOLUTIONS: tuple[tuple[int, int, Fraction, float], ...] = (
    (352, 576, Fraction(24, 11), 0.75),
    (352, 288, Fraction(12, 11), 1.5),
    (704, 576, Fraction(12, 11), 0.75),
    (720, 576, Fraction(16, 15), 0.75),
    (1280, 720, Fraction(1), 0.5),
)
CONTAINERS = (".mpg", ".mp4", ".avi", ".asf")  # [P]


@dataclass(frozen=True)
class View:
    """Camera and recorder, those of one subject.

    The image has square pixels, as the file is read; the recorder squeezes its width by
    `pixel_aspect`.
    """

    width: int  # px
    height: int  # px
    scale: float  # size of the drawn image against the delivered one
    container: str
    # rad, of the camera about the patient; 0 at the foot of the bed, positive to the patient's left
    azimuth: float
    elevation: float  # rad above the level
    distance: float  # m
    span: float  # m that the shorter side of the image shows at the patient
    shift: tuple[float, float, float]  # m, from the upper chest to where the camera looks
    roll: float  # rad
    pixel_aspect: Fraction = Fraction(1)  # width of a pixel of the file over its height

    @property
    def stored(self) -> tuple[int, int]:
        """Width and height in the file, px."""
        return round(self.width / self.pixel_aspect), self.height

    def camera(self, body: Body, room: Room) -> Camera:
        """The camera of the delivered image, aimed at the upper chest."""
        lean = np.array([0.0, np.sin(room.recline), -np.cos(room.recline)])
        target = np.array([0, HIP_HEIGHT, 0]) + 0.62 * body.trunk * lean + np.array(self.shift)
        level = np.cos(self.elevation)
        direction = np.array(
            [np.sin(self.azimuth) * level, np.sin(self.elevation), np.cos(self.azimuth) * level]
        )
        focal = min(self.width, self.height) / self.span * self.distance
        return Camera.looking_at(
            target,
            target + self.distance * direction,
            focal=focal,
            width=self.width,
            height=self.height,
            roll=self.roll,
        )


def draw_view(rng: np.random.Generator, room: Room) -> View:
    """Draw a camera on the wall and its recorder."""
    size = _image_size(int(rng.integers(len(RESOLUTIONS))))
    chest_rises = np.pi / 2 - room.recline  # how far above the level the chest looks
    return View(
        **size,
        container=CONTAINERS[rng.integers(len(CONTAINERS))],
        azimuth=float(np.radians(rng.uniform(-32, 32))),
        elevation=float(
            np.clip(
                0.5 * chest_rises + np.radians(rng.uniform(0, 12)), np.radians(14), np.radians(40)
            )
        ),
        distance=float(rng.uniform(2.2, 3.2)),
        span=float(rng.uniform(1.25, 1.5)),
        shift=(float(rng.uniform(-0.08, 0.08)), float(rng.uniform(-0.02, 0.06)), 0.0),
        roll=float(np.radians(rng.uniform(-3, 3))),
    )


def recorded_by(view: View, resolution: int, container: int) -> View:
    """The same camera with another recorder: numbers in RESOLUTIONS and CONTAINERS."""
    return replace(view, **_image_size(resolution), container=CONTAINERS[container])


def _image_size(resolution: int) -> dict[str, Any]:
    """The fields of a View that follow from a number in RESOLUTIONS."""
    stored, height, pixel_aspect, scale = RESOLUTIONS[resolution]
    width = round(stored * pixel_aspect)
    return {"width": width, "height": height, "pixel_aspect": pixel_aspect, "scale": scale}


@dataclass(frozen=True)
class Light:
    """Light, sensor and compression, those of one clip."""

    towards: tuple[float, float, float]  # unit vector to the lamp, in the room
    ambient: float  # light in the shadow
    night: bool  # infrared
    contrast: float
    tint: Colour
    noise: float  # standard deviation, grey levels of 255
    bits_a_pixel: float

    def recorded(self, colour: Colour) -> NDArray:
        """A colour as the sensor records it: tinted by day; grey at night, the redder the brighter,
        as skin is in the infrared.
        """
        rgb = np.array(colour, float)
        if self.night:
            grey = 0.75 * rgb[0] + 0.25 * rgb[1]
            grey += 1.1 * (1 - grey) * (rgb[0] - rgb[2])
            rgb = np.full(3, 0.10 + 0.80 * np.clip(grey, 0, 1) ** 1.2)
        return np.clip(0.5 + self.contrast * (rgb * np.array(self.tint) - 0.5), 0, 1)

    def bit_rate(self, view: View) -> int:
        """Bits a second at FPS, by the image's area."""
        width, height = view.stored
        return int(self.bits_a_pixel * width * height * FPS)


def draw_light(rng: np.random.Generator, view: View) -> Light:
    """Draw daylight or, in 35 % of the clips, infrared light from the camera."""
    night = bool(rng.random() < 0.35)
    lamp = np.array([rng.uniform(-0.6, 0.6), rng.uniform(0.6, 1.0), rng.uniform(0.3, 0.9)])
    if night:  # the infrared lamps sit at the camera
        lamp = np.array([np.sin(view.azimuth), 0.6, np.cos(view.azimuth)])
    lamp /= np.linalg.norm(lamp)
    warm = rng.uniform(-0.05, 0.05)
    return Light(
        towards=tuple(lamp.tolist()),
        ambient=float(rng.uniform(0.30, 0.45) if night else rng.uniform(0.42, 0.62)),
        night=night,
        contrast=float(rng.uniform(0.90, 1.05) if night else rng.uniform(0.85, 1.05)),
        tint=(1.0, 1.0, 1.0) if night else (1.0 + warm, 1.0, 1.0 - warm),
        noise=float(rng.uniform(2, 4.5) if night else rng.uniform(1.5, 5)),
        bits_a_pixel=float(rng.uniform(0.10, 0.25)),
    )


def develop(
    frames: Iterator[NDArray], view: View, light: Light, rng: np.random.Generator
) -> Iterator[NDArray]:
    """Drawn frames -> delivered frames (height, width, 3) uint8: sensor noise, then the delivered
    size.
    """
    return delivered(exposed(frames, light, rng), view)


def delivered(frames: Iterator[NDArray], view: View) -> Iterator[NDArray]:
    """Frames of the size in which they are drawn -> of the delivered size."""
    for frame in frames:
        yield np.asarray(
            Image.fromarray(frame).resize((view.width, view.height), Image.Resampling.BILINEAR)
        )


def exposed(frames: Iterator[NDArray], light: Light, rng: np.random.Generator) -> Iterator[NDArray]:
    """Drawn frames (height, width, 3) uint8 with the sensor's noise, of the size in which they are
    drawn.
    """
    grains: list[NDArray] = []
    for frame in frames:
        if not grains:
            # a few sheets of noise, laid on shifted, cost less than new noise for every frame; as
            # wide as the three colours, in which they are alike: numpy adds whole rows
            grains = [
                np.repeat(
                    rng.normal(0, light.noise, frame.shape[:2]).round().astype(np.int16), 3, 1
                )
                for _ in range(5)
            ]
        height, width = frame.shape[:2]
        grain, shift = grains[rng.integers(len(grains))], int(rng.integers(height))
        flat, noisy = frame.reshape(height, 3 * width), np.empty((height, 3 * width), np.int16)
        np.add(flat[shift:], grain[: height - shift], out=noisy[shift:])
        np.add(flat[:shift], grain[height - shift :], out=noisy[:shift])
        np.maximum(noisy, 0, out=noisy)
        np.minimum(noisy, 255, out=noisy)
        yield noisy.astype(np.uint8).reshape(height, width, 3)


CHUNK = 500  # frames that are performed and drawn at a time


def with_image_size(view: View, width: int, height: int) -> View:
    """The same camera with another image size, in px; frames are drawn at that size, so that it
    decides the time for rendering.
    """
    return replace(
        view, width=width, height=height, scale=1.0, container=".mp4", pixel_aspect=Fraction(1)
    )


def check_film(fps: float, width: int, height: int) -> None:
    """Raise UserError where no video of that rate and size can be made."""
    if not 5 <= fps <= 60:
        raise UserError(f"phantom: fps={fps:g}; give 5 to 60 frames a second")
    if min(width, height) < 64 or max(width, height) > 4096 or width % 2 or height % 2:
        raise UserError(
            f"phantom: width={width}, height={height}; give even numbers from 64 to 4096 px"
        )
