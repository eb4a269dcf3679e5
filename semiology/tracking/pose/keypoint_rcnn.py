"""The paper's detectors as a pose backend: SSDLite detects the patient and the face, Keypoint R-CNN
the joints in the patient's box.

Hou et al. 2022 fine-tune both on the clinic's own frames [P]; `semiology tracking finetune` does
so, and this backend uses the result.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from importlib.metadata import version
from itertools import islice
from pathlib import Path

import numpy as np

from semiology.data.keypoint_names import COCO_17, MESH
from semiology.errors import UserError
from semiology.models.device import choose_device, choose_precision
from semiology.tracking.boxes import centre, holds, iou, whole
from semiology.tracking.patient import PatientLocation
from semiology.tracking.pose.base import KeypointRCNNOptions, Landmarks
from semiology.tracking.pose.detectors import COCO, Detectors, load_detectors, read_description
from semiology.tracking.pose.face_mesh import FaceMesh
from semiology.weights import check_hash, find, published

MAX_CARRIED = 1.0  # s that a patient's box is carried over while none is detected. [our choice]


class KeypointRCNNPose:
    """The joints that the weights were trained on, in px, and the face's 478 landmarks by
    BlazePose's mesh (the paper uses a toolbox for these).

    The patient's box is detected in every `region_every`-th frame and carried over to those in
    between. Of several people the patient is the one at the face of the first pass; where that face
    was not detected, the one whose box overlaps the last one most. There is no depth: lift the
    tracks (`semiology lift`).

    Raises:
        UserError: no weights were given, or they are not there. The package has none of its own.
    """

    name = "keypoint-rcnn"
    in_metres = frozenset({"face"})
    face_mesh = "attention"

    def __init__(self, options: KeypointRCNNOptions):
        if options.weights is None:
            raise UserError(
                "keypoint-rcnn needs trained detectors: --keypoint_rcnn.weights FOLDER from"
                " `semiology tracking finetune`, or coco for torchvision's published ones"
                " (`semiology weights`)"
            )
        self.options = options
        self._is_coco = str(options.weights) == "coco"
        self._about = None if self._is_coco else read_description(options.weights)
        joints = COCO_17 if self._about is None else self._about["setup"]["joints"]
        self.keypoints = {"body": list(joints), **({"face": MESH} if options.face else {})}
        self._mesh = FaceMesh()
        self._check()

    def _check(self) -> None:
        """Check weights and device before the first clip.

        Raises:
            UserError: weights that are missing or changed, a device that is not there.
        """
        if self._about is None:
            for name in COCO.values():
                find(name)
        else:
            for name, sha256 in self._about["sha256"].items():
                check_hash(Path(str(self.options.weights)) / f"{name}.safetensors", sha256)
        choose_device(self.options.device)

    def parameters(self) -> dict[str, object]:
        """All that the result depends on, for the store's key; see `PoseBackend`."""
        if self._about is None:
            weights = {part: published(name).sha256 for part, name in COCO.items()}
            setup = "coco"
        else:
            weights, setup = self._about["sha256"], self._about["setup"]
        mesh = self._mesh.parameters() if self.options.face else {}
        how = {
            "region_every": self.options.region_every,
            "precision": self._precision,
            "carried": MAX_CARRIED,
        }
        return {
            "name": self.name,
            "package": version("torchvision"),
            "weights": weights,
            "setup": setup,
            "mesh": mesh,
            **how,
        }

    @cached_property
    def _detectors(self) -> Detectors:
        device = choose_device(self.options.device)
        return load_detectors(self.options.weights or "").to(device)

    @cached_property
    def _precision(self) -> str:
        return choose_precision(self.options.precision, self.options.device)

    def track(
        self, frames: Iterable[tuple[np.ndarray | None, PatientLocation]]
    ) -> Iterator[dict[str, Landmarks]]:
        """Track one clip; see `PoseBackend`."""
        if self.options.face:
            self._mesh.start()
        patient_box = PatientBox(self.options.region_every)
        frames = iter(frames)
        while batch := list(islice(frames, self.options.batch)):
            yield from self._batch(batch, patient_box)

    def _batch(
        self, batch: list[tuple[np.ndarray | None, PatientLocation]], patient_box: "PatientBox"
    ) -> Iterator[dict[str, Landmarks]]:
        present = [(image, location) for image, location in batch if image is not None]
        due = [number for number in range(len(present)) if patient_box.is_due(number)]
        regions = (
            dict(zip(due, self._detectors.find_regions([present[number][0] for number in due])))
            if due
            else {}
        )
        boxes, faces = [], []
        for number, (image, location) in enumerate(present):
            box, face = patient_box.follow(
                image, location, regions.get(number), self._detectors.regions is not None
            )
            boxes.append(box)
            faces.append(face)
        with_box = [number for number, box in enumerate(boxes) if box is not None]
        bodies: dict[int, Landmarks] = {}
        if with_box:
            images, places = (
                [present[number][0] for number in with_box],
                [box for box in boxes if box is not None],
            )
            position, confidence = self._detectors.find_joints(images, places, self._precision)
            bodies = {
                number: Landmarks(*marks) for number, *marks in zip(with_box, position, confidence)
            }
        results: list[dict[str, Landmarks]] = []
        for number, (image, _) in enumerate(present):
            results.append({"body": bodies[number]} if number in bodies else {})
            if self.options.face and (mesh := self._mesh.find(image, *faces[number])):
                results[-1]["face"] = mesh
        remaining = iter(results)
        for frame, _ in batch:
            yield {} if frame is None else next(remaining)


class PatientBox:
    """The patient's box in every frame: detected in every n-th, carried over in between."""

    def __init__(self, every: int):
        self.every = every
        self._count = 0  # frames since the clip's start
        self._box: np.ndarray | None = None
        self._face: tuple[np.ndarray | None, float] = (None, 0.0)
        self._seen = -np.inf  # s, when the box was last detected

    def is_due(self, ahead: int) -> bool:
        """Whether the frame after the next `ahead` ones is one in which to detect the patient."""
        return (self._count + ahead) % self.every == 0

    def follow(
        self,
        image: np.ndarray,
        location: PatientLocation,
        regions: dict[str, tuple[np.ndarray, np.ndarray]] | None,
        has_regions: bool,
    ) -> tuple[np.ndarray | None, tuple[np.ndarray | None, float]]:
        """Process the next frame.

        Args:
            image: RGB, (height, width, 3) uint8.
            location: of the patient by the first pass.
            regions: region -> boxes and scores in this frame; None where they were not detected.
            has_regions: False without a region network: then the box is the whole frame.

        Returns:
            The patient's box, None while there is none; and the face's box (or None) with its
            probability.
        """
        self._count += 1
        if not has_regions:
            return whole(image.shape[1], image.shape[0]), (location.face, location.probability)
        if regions is not None:
            box = choose_patient(*regions["patient"], location, self._box)
            if box is not None:
                self._box, self._seen = box, location.time
            elif location.time - self._seen > MAX_CARRIED:
                self._box = None
            self._face = _face_in(box, regions.get("face"))
        face = (location.face, location.probability) if location.face is not None else self._face
        return self._box, face


def choose_patient(
    boxes: np.ndarray, scores: np.ndarray, location: PatientLocation, last: np.ndarray | None
) -> np.ndarray | None:
    """Choose the patient's box among those of all people; None where none can be the patient's.

    Where the first pass detected the patient's face, the box must contain its centre. Elsewhere it
    must not contain another person's face, and the one that overlaps the `last` box most is taken,
    or, without a last box, the best.

    Args:
        boxes: (box, 4) px, best first.
        scores: (box,) of the boxes.
        location: of the patient by the first pass.
        last: the patient's box in an earlier frame, or None.
    """
    if location.face is not None:
        face = centre(location.face)
        return next((box for box in boxes if holds(box, face)), None)
    others = [centre(other) for other in location.others]
    candidates = [box for box in boxes if not any(holds(box, other) for other in others)]
    if not candidates:
        return None
    if last is None:
        return candidates[0]
    overlaps = [iou(box, last) for box in candidates]
    return candidates[int(np.argmax(overlaps))] if max(overlaps) > 0 else None


def _face_in(
    body: np.ndarray | None, faces: tuple[np.ndarray, np.ndarray] | None
) -> tuple[np.ndarray | None, float]:
    """The best face whose centre is in the patient's box, and its score."""
    if body is None or faces is None:
        return None, 0.0
    for box, score in zip(*faces):
        if holds(body, centre(box)):
            return box, float(score)
    return None, 0.0
