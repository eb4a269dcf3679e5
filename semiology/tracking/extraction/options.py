"""Options of an extraction, and its summary."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from semiology.data.cohort.row import Click
from semiology.data.packing import Precision
from semiology.errors import UserError
from semiology.tracking.pose.base import BlazePoseOptions, KeypointRCNNOptions, ONNXOptions
from semiology.video import Reading
from semiology.video.decode import Fields
from semiology.weights import snippet_weights

EXPRESSIONS = ("blendshapes", "fer")  # stages of features by networks trained on people
NO_POSE = "none"  # instead of a pose backend: no tracks


@dataclass(frozen=True)
class SnippetOptions:
    """Which snippets of a video features are computed for, and how; see `models/features/`.

    Attributes:
        frames: of a snippet, at 15 Hz. 8 [T]; 16 and 32 are usual too.
        stride: frames from one snippet's start to the next. 1 in the published features; 8 reads
            every frame once (with 8 frames a snippet), at an eighth of the computing time and disk
            space, and still leaves several snippets in a segment of a second or two. [our choice]
        batch: snippets at a time. Not in the store's key.
        precision: "fp32", "bf16", or "auto": bf16 where the device computes in it.
        device: "auto" takes a GPU where there is one. Not in the store's key.
    """

    frames: int = 8
    stride: int = 8
    batch: int = 8
    precision: str = "auto"
    device: str = "auto"

    def __post_init__(self) -> None:
        if min(self.frames, self.stride, self.batch) < 1:
            raise UserError(
                f"snippets: frames={self.frames}, stride={self.stride}, batch={self.batch}; give 1"
                " or more of each"
            )


@dataclass(frozen=True)
class ExtractOptions:
    """Options of an extraction. Those that the result depends on are part of the store's keys.

    Attributes:
        fps: of the tracks, Hz. 25 [P].
        pixel_aspect: "W:H", width of a stored pixel over its height, for videos whose header states
            none or a wrong one; by default as the header states it.
        fields: of interlaced videos: "auto" makes one frame of both fields, "both" a frame of every
            field, and tracks at the rate of the fields (50 Hz of 25), "off" leaves them woven.
        face_every: the first pass detects people in every n-th frame: at 25 Hz every 0.48 s. [our
            choice]
        patient: "TIME,X,Y", a point on the patient (px) in the frame at a time (s of the clip), by
            which a person says who the patient is; by default who is seen longest, largest, lying
            and with the face.
        people: everybody whom the first pass saw is stored too: a row a person and sample.
        pose: the pose backend: blazepose, keypoint-rcnn or onnx; package.module:Class or the name
            of an entry point for one of your own; none makes no tracks, for snippets alone.
        blazepose: options of that backend.
        keypoint_rcnn: options of that backend, with its weights.
        onnx: options of that backend, with its file.
        hands: 21 landmarks of each hand are tracked too, at the wrists that the backend finds.
        lift: the body's joints are lifted to 3D by the shipped lifter, where the backend gives no
            depth. [P: a 3D estimator, which one is not stated; ours is `lift/`]
        limbs: the body is checked limb by limb over the clip (`semiology.data.limbs`): points that
            no body has become missing, with a reason. [our choice]
        precision: of what is stored: "rounded", tracks to 1/64 px and 1/8192 m, features of a VGG
            in half precision; or "lossless", float32 as it was computed, in four times the space
            (docs/extraction.md).
        face_weights: VGG-19 for the face (`semiology pretrain expression` makes one); without it no
            features of the face.
        body_weights: VGG-19 for the body; without it no features of the body.
        expression: features of the face by networks trained on people: "blendshapes", 52 movements
            in every frame; "fer", seven emotions; or "both". See docs/appearance.md on which of
            them to trust.
        face_task: a face_landmarker.task of your own for the blendshapes, in place of the published
            networks.
        appearance_every: features of every n-th frame: at 25 Hz five a second. [our choice]
        layer: "penultimate", the layer before the classifier [P], or "pooled", the last
            convolution's mean over the crop.
        patches: the body's VGG-19 also gives every keypoint of the body the features of the image
            where it is (docs/appearance.md); needs `body_weights`.
        flow: movement by region of the body, by optical flow: also where a blanket hides the limbs
            (docs/flow.md); needs a pose backend and OpenCV.
        snippet_weights: a network of snippets, by file or by the name of published weights
            (r2plus1d_18); without it no snippets.
        snippets: which snippets, and how.

    Raises:
        UserError: a frame rate or a step that is not positive, a `lift`, `hands` or `limbs` that is
            no bool.
    """

    fps: float = 25.0
    pixel_aspect: str | None = None
    fields: Fields = "auto"
    face_every: int = 12
    patient: str | None = None
    people: bool = False
    pose: str = "blazepose"
    blazepose: BlazePoseOptions = field(default_factory=BlazePoseOptions)
    keypoint_rcnn: KeypointRCNNOptions = field(default_factory=KeypointRCNNOptions)
    onnx: ONNXOptions = field(default_factory=ONNXOptions)
    hands: bool = False
    lift: bool = False
    limbs: bool = True
    precision: Precision = "rounded"
    face_weights: Path | None = None
    body_weights: Path | None = None
    expression: Literal["blendshapes", "fer", "both"] | None = None
    face_task: Path | None = None
    appearance_every: int = 5
    layer: str = "penultimate"
    patches: bool = False
    flow: bool = False
    snippet_weights: Path | None = None
    snippets: SnippetOptions = field(default_factory=SnippetOptions)

    def __post_init__(self) -> None:
        """Check what every clip would fail by.

        Raises:
            UserError: a rate, interval, pixel aspect ratio or way to read fields that cannot be.
        """
        if not (math.isfinite(self.fps) and self.fps > 0):
            raise UserError(f"extract: fps={self.fps:g} Hz; give a positive number")
        if min(self.face_every, self.appearance_every) < 1:
            raise UserError(
                f"extract: face_every={self.face_every}, appearance_every={self.appearance_every};"
                " give 1 or more of each"
            )
        if not isinstance(self.lift, bool):
            raise UserError(
                f"extract: lift={str(self.lift)!r}; give true or false (a lifter of your own is"
                " applied by `semiology lift apply --weights`)"
            )
        for name in ("people", "hands", "limbs", "flow", "patches"):
            if not isinstance(given := getattr(self, name), bool):
                raise UserError(f"extract: {name}={str(given)!r}; give true or false")
        if self.precision not in ("rounded", "lossless"):
            raise UserError(f"extract: precision={self.precision!r}; give rounded or lossless")
        if self.expression not in (None, *EXPRESSIONS, "both"):
            raise UserError(
                f"extract: expression={self.expression!r}; give {', '.join(EXPRESSIONS)} or both"
            )
        if self.patches and self.body_weights is None:
            raise UserError(
                "extract: --patches true reads the body's VGG-19; give --body_weights FILE, or"
                " leave it out"
            )
        _ = self.reading
        _ = self.click

    @property
    def click(self) -> Click | None:
        """The point on the patient, where somebody gave one."""
        return None if self.patient is None else Click.parse(self.patient)

    @property
    def reading(self) -> Reading:
        """How the videos are read."""
        return Reading(self.pixel_aspect, self.fields)

    @property
    def expressions(self) -> list[str]:
        """The stages of expression features that are requested."""
        return [stage for stage in EXPRESSIONS if self.expression in (stage, "both")]

    def vgg_weights(self) -> dict[str, Path]:
        """Stage of crops around tracks -> file of weights, for those that are given."""
        given = {"face_vgg": self.face_weights, "body_vgg": self.body_weights}
        if self.patches:
            given["body_patches"] = self.body_weights
        return {stage: Path(path) for stage, path in given.items() if path is not None}

    def weights(self) -> dict[str, Path]:
        """Stage of features -> file of weights, for those that are given.

        Raises:
            UserError: there are no weights of snippets by that path or name.
        """
        if self.snippet_weights is None:
            return self.vgg_weights()
        return {**self.vgg_weights(), "snippets": snippet_weights(self.snippet_weights)[0]}
