"""Who taught the networks that an extraction uses: noted beside what they made, for the leakage audit."""

import json
from functools import cache
from pathlib import Path

from safetensors import SafetensorError, safe_open

from semiology.extraction.options import ExtractOptions
from semiology.files import content_hash
from semiology.pose.detectors import describe


@cache
def trained_on(options: ExtractOptions) -> dict[str, list[str]]:
    """SHA-256 of weights -> participants they were trained on, of fine-tuned detectors and of VGGs that say so; others are left out.

    A folder of detectors says it in detectors.json, a VGG in its metadata (`semiology pretrain --participants`). Detectors that were
    fine-tuned from other fine-tuned ones do not say who taught those, and are left out.
    """
    told: dict[str, list[str]] = {}
    folder = options.keypoint_rcnn.weights
    if options.pose == "keypoint-rcnn" and folder is not None and str(folder) != "coco":
        description = describe(folder)
        about = description["about"]
        from_public = about.get("options", {}).get("start") in ("coco", "imagenet", "scratch")
        people = about.get("participants") if from_public else None
        told |= {digest: people for digest in description["sha256"].values() if people is not None}
    for path in options.weights().values():
        people = _participants(path)
        if people is not None:
            told[content_hash(path)] = people
    return told


def _participants(path: Path) -> list[str] | None:
    """What a VGG's metadata say of who is on its pictures; None where nothing is said."""
    if path.suffix != ".safetensors":
        return None
    try:
        with safe_open(path, framework="np") as stored:
            return json.loads((stored.metadata() or {}).get("participants", "null"))
    except (SafetensorError, ValueError):
        return None
