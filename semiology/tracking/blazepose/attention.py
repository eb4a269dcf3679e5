"""The face mesh with attention: lips and eyes are looked at again, more closely, in the network's
own features.

Of MediaPipe's two face networks this one finds small and blurred faces. It holds three operators
that LiteRT lacks: one places a crop around the lips or an eye by the landmarks of the whole face,
one cuts it out of the features, one carries the landmarks in it back. They are computed here, and
LiteRT runs the parts of the graph between them. Their mathematics is MediaPipe's [C:
mediapipe/util/tflite/operations, version 2 of each]; which landmarks a crop holds is read from the
file.

[P: Grishchenko et al., Attention Mesh: High-fidelity Face Mesh Prediction in Real-time, 2020]
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from semiology.tracking.blazepose.landmarks import RIGHT, Found, face_found, turned_box
from semiology.tracking.blazepose.networks import CustomOperator, Network, custom_operators
from semiology.tracking.blazepose.regions import Region, direction, turned

NAME = "face_landmarks_with_attention"
IRIS = 5  # landmarks of an iris; those of the right and of the left one follow the face's
# of an eye's landmarks the first ones, its lids' edges, whose mean depth is the iris' [C:
# tensors_to_face_landmarks_with_attention.pbtxt]
LIDS = 16
# cells in a row of the features and of a crop, and px of the network's input from cell to cell, in
# which landmarks in a crop count too [C: the file]
CELLS, CROP, SPACING = 48, 16, 4
CROP_SIDE = CROP * SPACING
MIDDLES = (np.stack(np.meshgrid(np.arange(CROP), np.arange(CROP)), axis=-1) + 0.5) / CROP


class AttentionMesh:
    """478 landmarks of a face (`data.keypoint_names.MESH`) in a region; see `FaceLandmarks`.

    Raises:
        UserError: the network is not there, or another file has its name; LiteRT is not installed.
    """

    def __init__(self) -> None:
        operators = custom_operators(NAME)
        placed, cut = operators["Landmarks2TransformMatrix"], operators["TransformTensorBilinear"]
        # landmarks of the lips; of eye and iris on the right; of those on the left
        lips, *eyes = (operator.inputs[0] for operator in operators["TransformLandmarks"])
        read = [lips], eyes[:2], eyes[2:]
        self._face = Network(NAME, (0, 6), inside=[cut[0].inputs[0]])
        self._parts = [Part(*each) for each in zip(placed, cut, read, strict=True)]

    def __call__(self, image: np.ndarray, region: Region) -> Found:
        """Landmarks of the face that the region shows, whatever it shows: see its `score`."""
        side = self._face.layout.side
        flat, logit, features = self._face(region.crop(image, side))
        mesh = np.concatenate([flat.reshape(-1, 3) / side, np.zeros((2 * IRIS, 3))])
        crops = [part.crop(mesh[:, :2]) for part in self._parts]
        cut = sampled(
            features.reshape(CELLS, CELLS, -1), np.stack([crop.to_face(MIDDLES) for crop in crops])
        )
        first = len(mesh) - 2 * IRIS
        for part, crop, values in zip(self._parts, crops, cut, strict=True):
            closer, *iris = part(crop, values)
            mesh[part.landmarks, :2] = closer
            if iris:
                mesh[first : first + IRIS, :2] = iris[0]
                mesh[first : first + IRIS, 2] = mesh[part.landmarks[:LIDS], 2].mean()
                first += IRIS
        return face_found(mesh, float(logit[0]), region)


class Part:
    """Lips or an eye, looked at more closely.

    Args:
        placed: the operator that places the crop.
        cut: the one that cuts it out of the features.
        read: numbers of the tensors that hold landmarks in the crop.
    """

    def __init__(self, placed: CustomOperator, cut: CustomOperator, read: Sequence[int]) -> None:
        options = placed.options
        self.landmarks = np.array(options["subset_idxs"])  # of the mesh, that the crop holds
        self._ends = [options["left_rotation_idx"], options["right_rotation_idx"]]
        self._scale = np.array([options["scale_x"], options["scale_y"]])
        self._network = Network(NAME, (), inside=read, source=cut.outputs[0])

    def crop(self, mesh: np.ndarray) -> "Crop":
        """Where to look for it, by the mesh (landmark, 2) in sides of the face's region."""
        start, end = mesh[self._ends]
        return crop_around(mesh[self.landmarks], start, end, self._scale)

    def __call__(self, crop: "Crop", values: np.ndarray) -> list[np.ndarray]:
        """Landmarks (landmark, 2) in sides of the face's region, an array for each tensor read.

        Args:
            crop: where it was looked for.
            values: features (16, 16, channel) in the crop.
        """
        return [crop.to_face(flat.reshape(-1, 2) / CROP_SIDE) for flat in self._network(values)]


@dataclass(frozen=True)
class Crop:
    """A turned rectangle in the region of a face, in sides of that region.

    Attributes:
        centre: (x, y).
        size: (width, height).
        angle: by which it is turned, rad, clockwise in the image.
    """

    centre: np.ndarray
    size: np.ndarray
    angle: float

    def to_face(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 2) in widths and heights of the crop, from its upper left corner, as points
        in sides of the region.
        """
        return self.centre + turned((points - 0.5) * self.size, self.angle)


def crop_around(points: np.ndarray, start: np.ndarray, end: np.ndarray, scale: np.ndarray) -> Crop:
    """The crop around points (point, 2), upright where the line from `start` to `end` (x, y) runs
    to the right: `scale` (2,) times the box around them that is turned so.
    """
    angle = direction(start, end, RIGHT)
    centre, size = turned_box(points, angle)
    return Crop(centre, scale * size, angle)


def sampled(features: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Features (height, width, channel) at points (..., 2) in widths and heights, from the nearest
    four cells by bilinear interpolation; 0 beyond the middles of the outermost cells.
    """
    height, width, channels = features.shape
    size = np.array([width, height])
    position = points.reshape(-1, 2) * size - 0.5
    low = np.clip(np.floor(position).astype(int), 0, size - 2)
    right, lower = (position - low).T
    within = ((position >= 0) & (position <= size - 1)).all(axis=1)
    left, upper = (1 - right) * within, 1 - lower
    right = right * within
    weights = np.stack([left * upper, right * upper, left * lower, right * lower], axis=1)
    cells = (low[:, 0] + low[:, 1] * width)[:, None] + [0, 1, width, width + 1]
    near = features.reshape(-1, channels).take(cells, axis=0)
    mixed = np.einsum("pn,pnc->pc", weights.astype(features.dtype), near)
    return mixed.reshape(*points.shape[:-1], channels)
