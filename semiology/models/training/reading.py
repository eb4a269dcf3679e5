"""The label and the input of a network, and how long it is trained: settings that a trained model
keeps.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, get_args

from semiology.data.skeleton import Skeleton, load_skeleton
from semiology.errors import UserError
from semiology.models.device import check_device, check_precision

AROUND_TRACKS = ("body_vgg", "face_vgg", "body_patches", "blendshapes", "fer")
Channel = Literal["joint", "bone", "motion", "deviation", "speed", "duration"]


@dataclass(frozen=True)
class Reading:
    """The label that is learned, and what is read of each clip. The values are our choice where no
    source is named.

    Attributes:
        label: column of clips.tsv; or a list of them, which one network predicts together, with a
            head for each. A list of one is that label.
        part: "body", "face", or "frame", the whole image: no tracks are read, and `appearance` is
            "snippets" or "flow".
        skeleton: name of a built-in skeleton or a YAML file; nothing is read of it for "frame".
        channels: what each joint carries, side by side: "joint", "bone", "motion" [C: the streams
            of 2s-AGCN and MS-AAGCN], and, all ours, "deviation", the joint minus its median over
            the window; "speed", motion in a second and not from frame to frame; "duration", the
            logarithm of the seconds that the example spans, the same everywhere. Of a `whole` clip
            these two keep how long it took. None for "frame".
        dimensions: 2 (pixels) or 3 (metres) [P: Hou et al. lift the body to 3D].
        origin: "clip" or "frame", see `preparation.normalise`.
        upright: turn every frame level, see there; for faces.
        min_confidence: joints below it are missing.
        min_found: share of a clip's frames in which half of the joints or more must be there; below
            it the clip is not assessable. For "frame" the share of its snippets that have features.
        longest_gap: s, gaps up to it are filled.
        smoothing: s, window of the smoothing; 0 for none.
        appearance: features of the store ("face_vgg", "body_vgg", "blendshapes", "fer", the nearest
            vector for each frame) for streams that read them; "body_patches", a vector a joint of
            the body, for the network `patches`; "snippets", a vector a snippet of
            `window` frames at `rate`, of the part "frame" and nothing else [T: GESTURES]; "flow",
            movement by region from optical flow: a vector a frame, or, of the part "frame", mean
            and standard deviation over each `window` frames at `rate` in the place of snippets
            (ours).
        centred: appearance features minus their median over the clip, which takes out who it is and
            in what light (ours).
        rate: Hz, at which frames are read; at most the tracks' own, and that of the snippets where
            these are read.
        window: frames of one training example, or of one in each segment; where snippets are read
            the frames of a snippet.
        whole: True resamples the whole clip to `window` frames; False takes windows at `rate`.
        windows: False only: how many windows, evenly spread, are averaged when a clip is scored.
        segments: 0, or into how many equal segments a clip of any length is divided; an example is
            then a window of each [T: GESTURES], read by the network `segments`.
        gamma: of Beta(gamma, gamma), where in its segment a window lies in training; at its centre
            when scored [T: GESTURES].

    Raises:
        UserError: values that are not possible, or not together.
    """

    label: str | tuple[str, ...]
    part: Literal["body", "face", "frame"] = "body"
    skeleton: str = "upper_body_11"
    channels: tuple[Channel, ...] = ("joint", "bone", "motion")
    dimensions: Literal[2, 3] = 2
    origin: Literal["clip", "frame"] = "clip"
    upright: bool = False
    min_confidence: float = 0.0
    min_found: float = 0.1
    longest_gap: float = 0.4
    smoothing: float = 0.0
    appearance: (
        Literal["body_vgg", "face_vgg", "body_patches", "blendshapes", "fer", "snippets", "flow"]
        | None
    ) = None
    centred: bool = False
    rate: float = 25.0
    window: int = 128
    whole: bool = False
    windows: int = 5
    segments: int = 0
    gamma: float = 4.0

    def __post_init__(self) -> None:
        if not isinstance(self.label, str):
            object.__setattr__(self, "label", _labels(tuple(self.label)))
        for name in ("rate", "window", "windows", "gamma"):
            if not getattr(self, name) > 0:
                raise UserError(f"reading.{name}: {getattr(self, name):g}; it has to be positive")
        if self.segments < 0:
            raise UserError(f"reading.segments: {self.segments}; 0 for none, or how many")
        if self.segments and self.whole:
            raise UserError(
                "reading: `whole` resamples the clip, `segments` takes windows from it; set whole"
                " to false, or segments to 0"
            )
        of_frame = ("snippets", "flow") if self.part == "frame" else ("flow", *AROUND_TRACKS, None)
        if self.appearance not in of_frame:
            raise UserError(
                f'reading: part {self.part!r} with appearance {self.appearance!r}; the part "frame"'
                " has snippets and nothing else (or flow), and snippets are of the frame: set both,"
                " or neither"
            )
        if self.part == "frame" and (self.channels or self.whole):
            raise UserError(
                'reading: the part "frame" has no keypoints and its snippets are not resampled; set'
                " channels: [], whole: false"
            )
        if self.part != "frame" and not self.channels:
            raise UserError(
                "reading.channels: none is named; name one or more of"
                f" {', '.join(get_args(Channel))}"
            )

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that are learned, one or several."""
        return (self.label,) if isinstance(self.label, str) else self.label

    @cached_property
    def graph(self) -> Skeleton:
        """The skeleton by its name, unless `with_graph` gave one."""
        return load_skeleton(self.skeleton)

    def with_graph(self, skeleton: Skeleton) -> "Reading":
        """This reading over a skeleton that is at hand, whatever the YAML of its name holds."""
        reading = replace(self)
        vars(reading)["graph"] = skeleton  # where the cached property keeps its value
        return reading


def _labels(labels: tuple[str, ...]) -> str | tuple[str, ...]:
    """Several labels, or the only one as it is written without a list."""
    if not labels or len(set(labels)) < len(labels):
        raise UserError(f"reading.label: {list(labels)}; name one label or several, each once")
    return labels if len(labels) > 1 else labels[0]


@dataclass(frozen=True)
class NotAssessable:
    """A scored clip that a reading cannot assess: too little of the patient was found.

    Attributes:
        truth: its class.
        reason: how much was found, and how much `Reading.min_found` requires.
    """

    clip_id: str
    participant_id: str
    truth: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Schedule:
    """How long one network is trained. Our choice.

    Attributes:
        epochs: at most.
        patience: epochs without a lower validation loss before it stops; None trains all epochs and
            keeps the last state.
        precision: fp32, bf16 (weights and their sums stay in fp32), or auto: bf16 where the device
            has it, so that results depend on the device.
        device: auto (a GPU where there is one), cpu or cuda.
    """

    epochs: int = 60
    patience: int | None = 15
    precision: str = "fp32"
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise UserError(
                f"schedule.epochs: {self.epochs}; one or more, a network has to be trained"
            )
        check_precision(self.precision, "schedule.precision")
        check_device(self.device, "schedule.device")
