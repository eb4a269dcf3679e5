"""A clip to extract; what each stage of its extraction depends on, for the keys of the store; and
on whom the networks were trained, for the leakage audit.
"""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from semiology.data.limbs import LimbLimits
from semiology.data.packing import HALF, STATED
from semiology.data.store import make_key
from semiology.files import content_hash, parse_json
from semiology.tracking import flow
from semiology.tracking.blazepose.hands import HandTracker
from semiology.tracking.blazepose.networks import network_hash
from semiology.tracking.extraction.options import NO_POSE, ExtractOptions
from semiology.tracking.extraction.tracks import backend, needs_lift
from semiology.tracking.people import PeopleDetector
from semiology.video import Recording
from semiology.weights import metadata, published

if TYPE_CHECKING:
    from semiology.models.features import SnippetNetwork


@dataclass(frozen=True)
class Source:
    """One clip to extract: part of a video or recording, or the clip's own tracks (`start`, `end`
    in s). Its own `pixel_aspect` and `patient` go before those of the options. In the stretches
    `away` (onset, duration; s from the clip's start) the patient is out of view.
    """

    clip_id: str
    path: Path | Recording
    start: float = 0.0
    end: float | None = None
    is_tracks: bool = False
    pixel_aspect: str | None = None
    patient: str | None = None
    away: tuple[tuple[float, float], ...] = ()

    def options(self, common: ExtractOptions) -> ExtractOptions:
        """The options of an extraction, for this clip."""
        return replace(
            common,
            pixel_aspect=self.pixel_aspect or common.pixel_aspect,
            patient=self.patient or common.patient,
        )


@cache
def snippet_network(options: ExtractOptions) -> "SnippetNetwork":
    """The snippet network of this process, loaded once and used for all of its clips."""
    from semiology.models.features import load_snippet_network

    return load_snippet_network(
        options.snippet_weights,
        precision=options.snippets.precision,
        device=options.snippets.device,
    )


def dependencies(
    source: Source, origin: dict, options: ExtractOptions
) -> dict[str, dict[str, object]]:
    """Stage -> all parameters that its content depends on, for the keys of the store."""
    clip = {"sha256": origin["sha256"], "start": source.start, "end": source.end}
    # only where there are any, so that other clips keep their keys
    away: dict[str, object] = {"away": source.away} if source.away else {}
    if source.is_tracks:
        return {"body": {"stage": "body", **clip, **away, "imported": True}}
    clip |= {"pixel_aspect": options.pixel_aspect, "fields": options.fields}
    stages: dict[str, dict[str, object]] = {}
    if options.pose != NO_POSE:
        settings: dict[str, object] = {"fps": options.fps, "face_every": options.face_every}
        if options.patient is not None:
            settings["patient"] = options.patient
        tracker = backend(options)
        models = {"detector": PeopleDetector.parameters(), "pose": tracker.parameters()}
        stages |= {
            part: {"stage": part, **clip, **settings, **models, **away}
            for part in tracker.keypoints
        }
        if options.precision == "rounded":  # else the keys of stores that had no other precision
            for part in tracker.keypoints:
                stages[part]["precision"] = STATED
        if options.people:
            first = {**clip, **settings, "detector": models["detector"]}
            stages["people"] = {"stage": "people", **first}
        if options.hands:
            stages["hands"]["hands"] = HandTracker.parameters()
        if options.limbs and "body" in stages:
            stages["body"]["limbs"] = LimbLimits().for_json()
        if needs_lift(options):
            from semiology.tracking.lift.lifter import SHIPPED

            stages["body"]["lift"] = _weights_hash(SHIPPED)
    for stage, path in options.vgg_weights().items():
        from semiology.models.features.vgg import PATCHES

        tracks = make_key(stages[stage.partition("_")[0]])
        rate = options.fps / options.appearance_every
        stages[stage] = {
            "stage": stage,
            "tracks": tracks,
            "vgg": _weights_hash(path),
            "rate": rate,
            "layer": PATCHES if stage == "body_patches" else options.layer,
        }
        if options.precision == "rounded":
            stages[stage]["precision"] = HALF
    if options.flow:
        stages["flow"] = {"stage": "flow", "tracks": make_key(stages["body"]), **flow.parameters()}
    for stage in options.expressions:
        stages[stage] = {"stage": stage, "tracks": make_key(stages["face"])}
        if stage == "fer":
            rate = options.fps / options.appearance_every
            stages[stage] |= {"network": published("fer").sha256, "rate": rate}
        else:
            networks = "face_blendshapes", "face_landmarks"
            network, landmarks = (network_hash(name, options.face_task) for name in networks)
            stages[stage] |= {"network": network, "landmarks": landmarks}
    if options.snippet_weights is not None:
        from semiology.models.features.snippets import CROP, RATE, SIZE

        stages["snippets"] = {
            **{"stage": "snippets", **clip, "rate": RATE, "crop": CROP, "size": SIZE},
            **{
                "frames": options.snippets.frames,
                "stride": options.snippets.stride,
                "precision": snippet_network(options).precision,
            },
            "network": _weights_hash(options.weights()["snippets"]),
        }
    return stages


@cache
def _weights_hash(path: Path) -> str:
    return content_hash(path)


@cache
def trained_on(options: ExtractOptions) -> dict[str, list[str]]:
    """SHA-256 of weights -> participants they were trained on, for the detectors, VGGs and snippet
    networks that record them; others are left out.

    A folder of detectors records them in detectors.json, the others in their metadata (`semiology
    pretrain --participants`). Detectors that were fine-tuned from other fine-tuned ones do not
    record the participants of those, and are left out.
    """
    known: dict[str, list[str]] = {}
    folder = options.keypoint_rcnn.weights
    if options.pose == "keypoint-rcnn" and folder is not None and str(folder) != "coco":
        from semiology.tracking.pose.detectors import read_description

        description = read_description(folder)
        about = description["about"]
        from_public = about.get("options", {}).get("start") in ("coco", "imagenet", "scratch")
        participants = about.get("participants") if from_public else None
        known |= {
            digest: participants
            for digest in description["sha256"].values()
            if participants is not None
        }
    for path in options.weights().values():
        participants = _participants(path)
        if participants is not None:
            known[content_hash(path)] = participants
    return known


def _participants(path: Path) -> list[str] | None:
    """Training participants by a network's metadata; None where they are not recorded."""
    try:
        return parse_json(metadata(path).get("participants", "null"))
    except ValueError:
        return None
