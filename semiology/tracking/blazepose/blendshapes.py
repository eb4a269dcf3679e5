"""Blendshapes: 52 named movements of a face (smile, blink, brow, pucker; most by side), each from 0
to 1, from its landmarks.

The network reads the positions of 146 of the 478 landmarks, of version 2 of the mesh alone: from
those of an older one a smile is right, and a blink and the jaw are not.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import xarray as xr

from semiology.data.keypoint_names import MESH
from semiology.errors import UserError
from semiology.tracking.blazepose.landmarks import (
    EYES,
    FACE_SCALE,
    RIGHT,
    FaceLandmarks,
    around_line,
)
from semiology.tracking.blazepose.networks import Network
from semiology.tracking.blazepose.regions import direction, turned
from semiology.video import Frame

# the mesh's points that the network reads, in its order, and the names of its outputs [C:
# face_blendshapes_graph.cc of MediaPipe]. Sides are the person's.
POINTS = """
0 1 4 5 6 7 8 10 13 14 17 21 33 37 39 40 46 52 53 54 55 58 61 63 65 66 67 70 78 80 81 82 84 87 88 91
93 95 103 105 107 109 127 132 133 136 144 145 146 148 149 150 152 153 154 155 157 158 159 160 161
162 163 168 172 173 176 178 181 185 191 195 197 234 246 249 251 263 267 269 270 276 282 283 284 285
288 291 293 295 296 297 300 308 310 311 312 314 317 318 321 323 324 332 334 336 338 356 361 362 365
373 374 375 377 378 379 380 381 382 384 385 386 387 388 389 390 397 398 400 402 405 409 415 454 466
468 469 470 471 472 473 474 475 476 477
"""
NAMES = """
_neutral browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff
cheekSquintLeft cheekSquintRight eyeBlinkLeft eyeBlinkRight eyeLookDownLeft eyeLookDownRight
eyeLookInLeft eyeLookInRight eyeLookOutLeft eyeLookOutRight eyeLookUpLeft eyeLookUpRight
eyeSquintLeft eyeSquintRight eyeWideLeft eyeWideRight jawForward jawLeft jawOpen jawRight mouthClose
mouthDimpleLeft mouthDimpleRight mouthFrownLeft mouthFrownRight mouthFunnel mouthLeft
mouthLowerDownLeft mouthLowerDownRight mouthPressLeft mouthPressRight mouthPucker mouthRight
mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmileLeft mouthSmileRight
mouthStretchLeft mouthStretchRight mouthUpperUpLeft mouthUpperUpRight noseSneerLeft noseSneerRight
"""
BLENDSHAPES = tuple(NAMES.split())
LEAST_SCORE = 0.5  # that a region shows a face [C]
PART = 1500  # frames of tracks that memory holds at a time, where they are read from a file

_ROWS = [int(number) for number in POINTS.split()]


class Blendshapes:
    """The network, on one core: 0.1 ms a face.

    Args:
        file: a face_landmarker.task of the user's own; None is the published network.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._network = Network("face_blendshapes", (0,), file)

    def __call__(self, position: np.ndarray) -> np.ndarray:
        """Coefficients (52,) float32 in the order of `BLENDSHAPES`.

        A face that lies is turned upright by quarters, because a turn counts; MediaPipe does not
        [our choice].

        Args:
            position: (478, 2) px of the mesh; place and size do not count.
        """
        quarters = round(direction(position[EYES[0]], position[EYES[1]], RIGHT) / (np.pi / 2))
        upright = turned(position[_ROWS], -quarters * np.pi / 2)
        return self._network(upright.astype(np.float32))[0]


def of_tracks(tracks: xr.Dataset, blendshapes: Blendshapes) -> tuple[np.ndarray, np.ndarray]:
    """Blendshapes of a face's tracks by version 2 of the mesh: (time, 52) float32, NaN where no
    face was found, and times (s).

    Raises:
        UserError: see `meshes`.
    """
    table = np.full((tracks.sizes["time"], len(BLENDSHAPES)), np.nan, np.float32)
    for row, points in enumerate(meshes(tracks)):
        if np.isfinite(points).all():
            table[row] = blendshapes(points)
    return table, tracks["time"].values.astype(float)


def of_frames(
    frames: Iterable[Frame], tracks: xr.Dataset, landmarks: FaceLandmarks, blendshapes: Blendshapes
) -> tuple[np.ndarray, np.ndarray]:
    """The same from a video, for tracks by another mesh: the face is looked at again in the region
    around its tracked landmarks.

    The region is the one in which version 2 of the mesh would follow the face: blendshapes depend
    on it, in the same image by up to 0.5 between the region of a detected face and that of a
    followed one.

    Args:
        frames: at the tracks' rate, from their first frame on.
        tracks: of the face.
        landmarks: version 2 of the mesh.
        blendshapes: the network.

    Raises:
        UserError: see `meshes`.
    """
    table = np.full((tracks.sizes["time"], len(BLENDSHAPES)), np.nan, np.float32)
    for row, (points, frame) in enumerate(zip(meshes(tracks), frames)):
        if frame.image is not None and np.isfinite(points).all():
            region = around_line(points, points[EYES[0]], points[EYES[1]], RIGHT, FACE_SCALE)
            found = landmarks(frame.image, region)
            if found.score >= LEAST_SCORE:
                table[row] = blendshapes(found.position)
    return table, tracks["time"].values.astype(float)


def meshes(tracks: xr.Dataset) -> Iterator[np.ndarray]:
    """Each frame's positions (478, 2) px of the face mesh, read from a file in parts.

    Raises:
        UserError: the tracks hold another face, as 68 points.
    """
    missing = set(MESH) - set(tracks["keypoint"].values.tolist())
    if missing:
        raise UserError(
            f"blendshapes: these tracks of a face lack {len(missing)} of the mesh's {len(MESH)}"
            " points; extract them from the video with a backend that tracks the mesh"
        )
    position = tracks["position"].sel(keypoint=MESH).transpose("time", "keypoint", "space")
    for first in range(0, len(position), PART):
        yield from position[first : first + PART].values
