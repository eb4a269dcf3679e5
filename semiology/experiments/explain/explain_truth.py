"""What is known of a phantom's clips: which joints carry the sign, and when.

The rules are our choice, made before any map was looked at.
"""

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from semiology.errors import UserError
from semiology.phantom.drawing.face import expression, landmarks
from semiology.phantom.drawing.person import draw_person

MOVING = 0.25  # of an expression's largest displacement: landmarks that move at least so far carry it


@dataclass(frozen=True)
class SignTruth:
    """Where and when a sign is in a clip.

    Attributes:
        joints: of the arm that is held its elbow and wrist, the joints that a posture moves; of an expression the landmarks that it moves.
        start, stop: seconds of the clip, ramps included.
    """

    joints: frozenset[str]
    start: float
    stop: float


def sign_truth(cohort: Path, clip_id: str, label: str) -> SignTruth | None:
    """The truth of a label in a clip; None where the cohort is no phantom, the label is no sign of it, or the clip does not show it.

    Raises:
        UserError: the file of the truth is damaged.
    """
    path = cohort / "truth" / f"{clip_id}.json"
    if not path.is_file():
        return None
    try:
        sign = json.loads(path.read_text(encoding="utf-8"))["rendered"].get(label)
        if sign is None:
            return None
        joints = {f"{sign['side']}_elbow", f"{sign['side']}_wrist"} if sign["side"] else moving_landmarks(sign["kind"])
        return SignTruth(frozenset(joints), float(sign["start"]), float(sign["stop"]))
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: is no truth of a phantom clip ({error}); render the cohort again with `semiology phantom`") from error


@lru_cache(maxsize=8)
def moving_landmarks(kind: str) -> frozenset[str]:
    """Landmarks of an average face that an expression moves by at least a quarter of its largest displacement."""
    drawn = draw_person(np.random.default_rng(0))
    average = replace(drawn, face=dict.fromkeys(drawn.face, 0.0), brow_thickness=1.0)
    rest, moved = (landmarks(average, expression(name, 0)[None]) for name in ("neutral", kind))
    distance = {name: float(np.linalg.norm(moved[name] - rest[name])) for name in rest}
    return frozenset(name for name, value in distance.items() if value >= MOVING * max(distance.values()))
