"""Who taught the networks that an extraction uses: noted beside what they made, for the leakage audit."""

import json
from functools import cache
from pathlib import Path

from semiology.files import content_hash
from semiology.tracking.extraction.options import ExtractOptions
from semiology.weights import metadata


@cache
def trained_on(options: ExtractOptions) -> dict[str, list[str]]:
    """SHA-256 of weights -> participants they were trained on, of detectors, VGGs and snippet networks that say so; others are left out.

    A folder of detectors says it in detectors.json, the others in their metadata (`semiology pretrain --participants`). Detectors that were
    fine-tuned from other fine-tuned ones do not say who taught those, and are left out.
    """
    told: dict[str, list[str]] = {}
    folder = options.keypoint_rcnn.weights
    if options.pose == "keypoint-rcnn" and folder is not None and str(folder) != "coco":
        from semiology.tracking.pose.detectors import describe

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
    """What a network's metadata say of who is on its pictures or clips; None where nothing is said."""
    try:
        return json.loads(metadata(path).get("participants", "null"))
    except ValueError:
        return None
