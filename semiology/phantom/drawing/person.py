"""A phantom person: sizes of the body and looks, drawn once."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Colour = tuple[float, float, float]  # RGB, 0 to 1

LIGHT_SKIN, DARK_SKIN = np.array([0.93, 0.77, 0.67]), np.array([0.42, 0.28, 0.20])
GOWNS: tuple[Colour, ...] = (
    (0.62, 0.72, 0.84),
    (0.58, 0.76, 0.70),
    (0.86, 0.86, 0.88),
    (0.80, 0.66, 0.74),
    (0.45, 0.52, 0.68),
    (0.70, 0.70, 0.58),
)
SCRUBS: tuple[Colour, ...] = (
    (0.25, 0.42, 0.58),
    (0.22, 0.48, 0.45),
    (0.90, 0.90, 0.92),
    (0.30, 0.32, 0.50),
)  # of caregivers
HAIRS: tuple[Colour, ...] = (
    (0.10, 0.08, 0.07),
    (0.24, 0.15, 0.09),
    (0.42, 0.28, 0.15),
    (0.62, 0.50, 0.33),
    (0.55, 0.54, 0.52),
)
IRISES: tuple[Colour, ...] = ((0.25, 0.15, 0.08), (0.30, 0.38, 0.45), (0.28, 0.33, 0.18))


@dataclass(frozen=True)
class Body:
    """Bone lengths and half widths in metres (proportions near those of adults in anthropometric
    tables; the spread is our choice).
    """

    trunk: float  # spine base to neck (middle of the shoulders)
    shoulder: float  # neck to one shoulder
    hip: float  # spine base to one hip
    upper_arm: float
    forearm: float
    hand: float
    thigh: float
    shin: float
    neck: float  # neck to the middle of the head
    head: NDArray  # (3,) half axes of the head: to the side, up, to the front
    girth: float  # 1 = average


@dataclass(frozen=True)
class Person:
    """Body, clothes and looks of one person."""

    body: Body
    skin: Colour
    gown: Colour
    gown_pattern: Literal["plain", "stripes", "dots"]
    hair: Colour
    hair_style: Literal["short", "long", "receding"]
    bandage: bool
    iris: Colour
    lips: Colour
    brow_thickness: float  # 1 = average
    face: dict[str, float] = field(
        default_factory=dict
    )  # small shifts of the features at rest, see `semiology.phantom.drawing.face`


def draw_body(rng: np.random.Generator) -> Body:
    """Draw a body of 1.55 to 1.90 m."""
    stature = rng.uniform(1.55, 1.90)

    def size(fraction: float, spread: float = 0.05) -> float:
        return float(stature * fraction * (1 + spread * rng.uniform(-1, 1)))

    head = (
        rng.uniform(0.95, 1.05)
        * np.array([0.076, 0.117, 0.096])
        * (1 + 0.04 * rng.uniform(-1, 1, 3))
    )
    return Body(
        trunk=size(0.288),
        shoulder=size(0.110),
        hip=size(0.055),
        upper_arm=size(0.165),
        forearm=size(0.148),
        hand=size(0.105),
        thigh=size(0.24),
        shin=size(0.24),
        neck=size(0.112, 0.03),
        head=head,
        girth=float(rng.uniform(0.88, 1.2)),
    )


def draw_person(rng: np.random.Generator) -> Person:
    """Draw one person; every later draw of the same generator is another person."""
    body = draw_body(rng)
    darkness = rng.beta(0.9, 1.4)
    skin = (1 - darkness) * LIGHT_SKIN + darkness * DARK_SKIN
    lips = skin * np.array([0.86, 0.58, 0.58])
    return Person(
        body=body,
        skin=tuple(skin.tolist()),
        gown=GOWNS[rng.integers(len(GOWNS))],
        gown_pattern=("plain", "stripes", "dots")[rng.integers(3)],
        hair=HAIRS[rng.integers(2 if darkness > 0.6 else len(HAIRS))],
        hair_style=("short", "long", "receding")[rng.choice(3, p=[0.5, 0.3, 0.2])],
        bandage=bool(rng.random() < 0.5),
        iris=IRISES[0 if darkness > 0.5 else rng.integers(len(IRISES))],
        lips=tuple(lips.tolist()),
        brow_thickness=float(rng.uniform(0.8, 1.35)),
        face={
            name: float(rng.normal())
            for name in (
                "eye_distance",
                "eye_size",
                "brow_height",
                "nose_length",
                "mouth_width",
                "mouth_height",
            )
        },
    )
