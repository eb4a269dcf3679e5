"""Body networks of other programs as a pose backend: an ONNX file by its path, run by onnxruntime.

A network that reads one person's crop follows the patient as BlazePose's does: in the box of the
last frame's keypoints, and where they were lost, around the face that the first pass saw, wide
first and then closer. One that reads a whole image finds people itself; the patient is chosen among
them as with Keypoint R-CNN.
"""

import hashlib
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from semiology.data.keypoint_names import COCO_17, FACE_68, FEET_6, HALPE_26, HANDS, MESH
from semiology.errors import UserError
from semiology.tracking.boxes import around, centre, clipped, holds, scaled, square, union
from semiology.tracking.patient import PatientLocation
from semiology.tracking.pose.base import Landmarks, ONNXOptions
from semiology.tracking.pose.blazepose import is_patient
from semiology.tracking.pose.face_mesh import FaceMesh
from semiology.tracking.pose.joint_network import warp
from semiology.tracking.pose.keypoint_rcnn import MAX_CARRIED, choose_patient
from semiology.tracking.pose.onnx_layouts import LAYOUTS, Layout, People, check_layout, layout_of

# part -> names, by the number of keypoints
SETS = {
    17: {"body": COCO_17},
    26: {"body": HALPE_26},
    133: {"body": [*COCO_17, *FEET_6], "face": FACE_68, "hands": HANDS},
}
HEAD = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
PADDING = 1.25  # of a person's box [C: MMPose, GetBBoxCenterScale]
# what follows is our choice
BEYOND = (
    1.2  # a person's box is so many times as large as that of the keypoints: hair, hands, soles
)
BODY_SIDES = 14.0  # of the face: a square around it that holds a body which lies or stands
SURE = 0.3  # confidence of a keypoint that counts
LEAST_SURE = 0.25  # of the body's keypoints, for a body to be there


class ONNXPose:
    """The keypoints of a network in px; a face by the default backend's mesh, or the 68 points of a
    network of the whole body. There is no depth.

    The file's own precision is computed in. The graph has to hold its weights (no second file), so
    that one hash stands for them.

    Raises:
        UserError: no file was given, it is no ONNX file that onnxruntime can run, its input is no
            image or its outputs are of no known layout; onnxruntime is not installed.
    """

    name = "onnx"

    def __init__(self, options: ONNXOptions):
        if options.weights is None:
            raise UserError(
                "onnx: needs a network: --onnx.weights FILE.onnx (docs/extraction.md has which)"
            )
        check_layout(options.layout)
        self.options, self.file = options, Path(options.weights)
        if not self.file.is_file():
            raise UserError(f"{self.file}: no such file; give an .onnx file by --onnx.weights")
        content = self.file.read_bytes()
        self._sha256 = hashlib.sha256(content).hexdigest()
        self._session = _session(content, self.file, options.device)
        self._input, self._type, self.size = self._image_input()
        shapes = [output.shape for output in self._run(np.zeros((*self.size[::-1], 3)))]
        self.layout, count = self._layout_of(shapes)
        own = {"body": list(options.keypoints)} if options.keypoints else SETS.get(count)
        if own is None or (options.keypoints and len(options.keypoints) != count):
            raise UserError(
                f"{self.file}: puts out {count} keypoints, and"
                + (f" onnx.keypoints names {len(options.keypoints)}" if own else " has no names")
                + f"; known are {', '.join(map(str, SETS))}, others are named in the order of the"
                " outputs by --onnx.keypoints '[nose, ...]'"
            )
        self._own = own
        self._mesh = FaceMesh() if options.face and "face" not in own else None
        self.keypoints = {**own, **({"face": MESH} if self._mesh else {})}
        self.in_metres = frozenset({"face"} if self._mesh else ())
        self._head = [own["body"].index(name) for name in HEAD if name in own["body"]]

    def _image_input(self) -> tuple[str, type, tuple[int, int]]:
        """Name, type and size (width, height) of the input, which has to be one image."""
        inputs = self._session.get_inputs()
        types = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
        first, shape = inputs[0], list(inputs[0].shape)
        fits = len(inputs) == 1 and first.type in types and len(shape) == 4
        if not fits or (isinstance(shape[1], int) and shape[1] != 3):
            found = "; ".join(f"{each.name} {each.type} {each.shape}" for each in inputs)
            raise UserError(
                f"{self.file}: has to read one image, (1, 3, height, width) of float, and reads"
                f" {found}; export it so"
            )
        if isinstance(shape[0], int) and shape[0] != 1:
            raise UserError(f"{self.file}: reads {shape[0]} images at once; export it for one")
        stated = (shape[3], shape[2])
        if all(isinstance(each, int) and each > 0 for each in stated):
            size = stated
            if self.options.size not in (None, size):
                raise UserError(
                    f"{self.file}: reads images of {list(size)} px; leave onnx.size out"
                )
        elif self.options.size is None:
            raise UserError(
                f"{self.file}: reads images of any size; give the one it was trained with by"
                " --onnx.size '[WIDTH,HEIGHT]'"
            )
        else:
            size = self.options.size
        return first.name, types[first.type], size

    def _layout_of(self, shapes: list[tuple[int, ...]]) -> tuple[Layout, int]:
        found, wanted = layout_of(shapes, self.size), self.options.layout
        if found is None or (wanted != "auto" and wanted.split("-msra")[0] != found[0]):
            raise UserError(
                f"{self.file}: outputs of {', '.join(map(str, shapes))} for an input of"
                f" {self.size[0]}x{self.size[1]} px are not those of"
                f" {wanted if wanted != 'auto' else 'any of ' + ', '.join(LAYOUTS)}"
            )
        self._layout_name = found[0] if wanted == "auto" else wanted
        return LAYOUTS[self._layout_name], found[1]

    def parameters(self) -> dict[str, object]:
        """All that the result depends on, for the store's key; see `PoseBackend`."""
        return {
            "name": self.name,
            "package": version("onnxruntime"),
            "weights": self._sha256,
            "layout": self._layout_name,
            "size": list(self.size),
            "keypoints": self.keypoints["body"],
            "normalisation": [list(self._mean), list(self._std), self._channels],
            "rules": [PADDING, BEYOND, BODY_SIDES, SURE, LEAST_SURE, MAX_CARRIED],
            "mesh": self._mesh.parameters() if self._mesh else {},
        }

    @property
    def _mean(self) -> tuple[float, ...]:
        return self.options.mean or self.layout.mean

    @property
    def _std(self) -> tuple[float, ...]:
        return self.options.std or self.layout.std

    @property
    def _channels(self) -> str:
        return self.layout.channels if self.options.channels == "auto" else self.options.channels

    def _run(self, values: np.ndarray) -> list[np.ndarray]:
        """The outputs for an input (height, width, 3)."""
        batch: np.ndarray = np.ascontiguousarray(values.transpose(2, 0, 1)[None], dtype=self._type)
        try:
            return self._session.run(None, {self._input: batch})
        except Exception as error:  # whatever onnxruntime meets in a foreign graph
            raise UserError(f"{self.file}: cannot be run ({_first_line(error)})") from error

    def _values(self, image: np.ndarray) -> np.ndarray:
        """An RGB image (height, width, 3) uint8 in the values and colours of the input."""
        values = (image - np.array(self._mean)) / np.array(self._std)
        return values if self._channels == "rgb" else values[..., ::-1]

    def look(self, image: np.ndarray, box: np.ndarray) -> People:
        """The people in a box (px) of an RGB image, in px of the image. The box is widened to the
        shape of the network's input, not distorted.
        """
        scale = float(max((box[2:] - box[:2]) / self.size))  # px of the image a px of the input
        sides = np.array(self.size) * scale
        corner = centre(box) - sides / 2
        crop = warp(image, np.column_stack([np.diag(sides), corner]), self.size, self.layout.beyond)
        outputs = self._run(self._values(crop))
        found = self.layout.read(outputs, self.size)
        return People(
            found.boxes * scale + np.tile(corner, 2),
            found.scores,
            found.position * scale + corner,
            found.confidence,
        )

    def track(
        self, frames: Iterable[tuple[np.ndarray | None, PatientLocation]]
    ) -> Iterator[dict[str, Landmarks]]:
        """Track one clip; see `PoseBackend`."""
        if self._mesh is not None:
            self._mesh.start()
        self._box: np.ndarray | None = None  # the patient's when last found
        self._last: tuple[float, np.ndarray] | None = None  # time (s) and head then
        self._seen = -np.inf  # s, when it was
        find = self._in_crop if self.layout.of_one else self._among_people
        for image, location in frames:
            found: dict[str, Landmarks] = {}
            if image is not None and (marks := find(image, location)) is not None:
                first = 0
                for part, names in self._own.items():
                    rows = slice(first, first + len(names))
                    found[part] = Landmarks(marks.position[rows], marks.confidence[rows])
                    first += len(names)
            if image is not None and self._mesh is not None:
                face = self._face(image, location, found.get("body"))
                found |= {} if face is None else {"face": face}
            yield found

    def _in_crop(self, image: np.ndarray, location: PatientLocation) -> Landmarks | None:
        """The patient in the box of the last frame; else around the face, wide and then closer."""
        found = None
        if self._box is not None:
            found = self._patient(image, self._box, location, None)
        if found is None:
            wide = location.region
            if location.face is not None:
                body = square(
                    location.face, BODY_SIDES * max(location.face[2:] - location.face[:2])
                )
                wide = clipped(body, image.shape[1], image.shape[0])
            first = self._patient(image, wide, location, self._last)
            if first is not None:
                found = self._patient(image, self._around(first, location), location, self._last)
        self._box = None if found is None else self._around(found, location)
        if found is not None and (head := self._head_of(found)) is not None:
            self._last = location.time, head
        return found

    def _patient(
        self,
        image: np.ndarray,
        box: np.ndarray,
        location: PatientLocation,
        last: tuple[float, np.ndarray] | None,
    ) -> Landmarks | None:
        """The body that a box shows, if there is one and it is the patient's."""
        people = self.look(image, scaled(box, PADDING))
        marks = Landmarks(people.position[0], people.confidence[0])
        body = marks.confidence[: len(self._own["body"])]
        if (body >= SURE).mean() < LEAST_SURE:
            return None
        head = self._head_of(marks)
        if head is not None:
            return marks if is_patient(head, location, last) else None
        inside = self._around(marks, location)
        return None if any(holds(inside, centre(face)) for face in location.others) else marks

    def _around(self, marks: Landmarks, location: PatientLocation) -> np.ndarray:
        """The person's box: that of the sure keypoints and of the face, grown."""
        count = len(self._own["body"])
        box = around(marks.position[:count][marks.confidence[:count] >= SURE])
        box = box if location.face is None else union([box, location.face])
        return scaled(box, BEYOND)

    def _head_of(self, marks: Landmarks) -> np.ndarray | None:
        """Square around the sure keypoints of the head, about as large as a face's box; None where
        less than three are sure.
        """
        points = marks.position[self._head][marks.confidence[self._head] >= SURE]
        if len(points) < 3:
            return None
        box = around(points)
        return square(box, 1.2 * max(box[2:] - box[:2]))

    def _among_people(self, image: np.ndarray, location: PatientLocation) -> Landmarks | None:
        """The patient among the people that the network finds in the patient's region."""
        people = self.look(image, location.region)
        if location.time - self._seen > MAX_CARRIED:
            self._box = None
        box = choose_patient(people.boxes, people.scores, location, self._box)
        if box is None:
            return None
        self._box, self._seen = box, location.time
        number = int(np.flatnonzero((people.boxes == box).all(axis=1))[0])
        return Landmarks(people.position[number], people.confidence[number])

    def _face(
        self, image: np.ndarray, location: PatientLocation, body: Landmarks | None
    ) -> Landmarks | None:
        assert self._mesh is not None
        head = None if body is None else self._head_of(body)
        if body is None or head is None:
            return self._mesh.find(image, location.face, location.probability)
        confidence = float(body.confidence[self._head].mean())
        return self._mesh.find(image, head, confidence)


def _session(content: bytes, file: Path, device: str) -> Any:
    """onnxruntime with the network, on as many cores as torch may use; nothing is sent anywhere."""
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise UserError(
            "pose backend onnx: onnxruntime is not installed; pip install 'semiology[onnx]'"
        ) from error
    import torch

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = torch.get_num_threads(), 4
    there = onnxruntime.get_available_providers()
    gpu = "CUDAExecutionProvider"
    if device.startswith("cuda") and gpu not in there:
        raise UserError(f"onnx.device={device}: this onnxruntime has no GPU; give cpu")
    providers: list[Any] = ["CPUExecutionProvider"]
    if device != "cpu" and gpu in there:
        number = device.partition(":")[2] or "0"
        providers.insert(0, (gpu, {"device_id": number}))
    try:
        return onnxruntime.InferenceSession(content, options, providers=providers)
    except Exception as error:  # whatever onnxruntime meets in a foreign file
        raise UserError(
            f"{file}: not a network that onnxruntime can run ({_first_line(error)}); give a whole"
            " .onnx file, with its weights in it"
        ) from error


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
