"""What the models looked at: learned links, attributions by joint and time, and whether the explanation can be believed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from semiology.errors import UserError
from semiology.report import figures
from semiology.report.inputs import Explanation
from semiology.report.rendering import plain
from semiology.skeleton import FOLDER

WORTH_DRAWING = 0.05  # of the mean bone: a weaker link is what training leaves of its random start [our choice]
NAMED = 5  # joints listed beside the picture

# Where the joints of the built-in skeletons are drawn, seen from in front: x to the right (the patient's left), y down [our choice]
MIDDLE = {
    "head": (0.0, -0.4),
    "neck": (0.0, 0.0),
    "shoulder_centre": (0.0, 0.0),
    "spine": (0.0, 0.6),
    "spine_base": (0.0, 1.0),
    "hip_centre": (0.0, 1.0),
    "nose_bridge": (0.0, 0.0),
    "nose_tip": (0.0, 0.45),
    "nose_base": (0.0, 0.58),
    "mouth_upper_outer": (0.0, 0.8),
    "mouth_upper_inner": (0.0, 0.88),
    "mouth_lower_inner": (0.0, 0.98),
    "mouth_lower_outer": (0.0, 1.06),
}
LEFT = {
    "shoulder": (0.38, 0.05),
    "elbow": (0.62, 0.5),
    "wrist": (0.6, 0.95),
    "hand": (0.6, 1.12),
    "hip": (0.25, 1.02),
    "knee": (0.28, 1.7),
    "ankle": (0.28, 2.35),
    "foot": (0.34, 2.5),
    "brow_inner": (0.16, -0.24),
    "brow_middle": (0.42, -0.32),
    "brow_outer": (0.64, -0.2),
    "eye_inner": (0.2, 0.06),
    "eye_outer": (0.52, 0.04),
    "eye_upper": (0.36, -0.05),
    "eye_lower": (0.36, 0.13),
}
LAYOUT = {
    **MIDDLE,
    **{f"left_{name}": (x, y) for name, (x, y) in LEFT.items()},
    **{f"right_{name}": (-x, y) for name, (x, y) in LEFT.items()},
    "mouth_left": (0.27, 0.93),
    "mouth_right": (-0.27, 0.93),
}


def explained(explanation: Explanation) -> dict[str, Any]:
    """An explanation for the page: figures (None where there is nothing to draw), joints by share, and sentences."""
    shares = explanation.joints
    drawn = bool(shares) and set(shares) <= set(LAYOUT)
    title = f"attribution by joint: {explanation.task}, {explanation.model}"
    layout = {joint: np.array(place) for joint, place in LAYOUT.items()}
    deletion = explanation.deletion
    return {
        "task": explanation.task,
        "model": explanation.model,
        "method": plain(explanation.method),
        "clips": len(explanation.clips) if isinstance(explanation.clips, list) else explanation.clips,
        "skeleton": figures.attribution_figure(title, shares, bones(shares), layout) if drawn else None,
        "joints": [(plain(joint), share) for joint, share in sorted(shares.items(), key=lambda item: -item[1])[:NAMED]],
        "even": 1 / len(shares) if shares else None,
        "time": figures.time_strip("attribution over the clip", explanation.time) if explanation.time else None,
        "deletion": figures.deletion_figure("deletion curve", deletion.fractions, deletion.attributed, deletion.random)
        if deletion and deletion.fractions
        else None,
        "sanity": _sanity(explanation),
        "truth": _truth(explanation.truth or {}),
    }


def bones(joints: Mapping[str, Any] | Sequence[str]) -> list[tuple[str, str]]:
    """The bones of the built-in skeleton that has exactly these joints; none, if no skeleton has."""
    for path in sorted(FOLDER.glob("*.yaml")):
        skeleton = yaml.safe_load(path.read_text(encoding="utf-8"))
        if set(skeleton["joints"]) == set(joints):
            return [(outer, inner) for outer, inner in skeleton["edges"]]
    return []


def read_links(path: Path) -> dict[str, Any]:
    """The learned adjacency of one model, drawn: the figure, and its strongest links off the skeleton by joint names.

    The file holds `A` (fixed) and `B` (learned), (subset, joint, joint); `joints` (joint,) names; `edges` (bone, 2) joint indices;
    `layout` (joint, 2), x to the right, y down. An absent file gives an empty dictionary.

    Raises:
        UserError: the file is there, but is not such an archive.
    """
    if not path.exists():
        return {}
    try:
        with np.load(path, allow_pickle=False) as archive:
            fixed, learned, joints, edges, layout = (archive[name] for name in ("A", "B", "joints", "edges", "layout"))
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path}: not an adjacency archive ({error}); delete it, or write it anew with `semiology loso`") from error
    strength = figures.link_strength(fixed, learned)
    links = [link for link in figures.strongest_links(strength, edges) if link[2] >= WORTH_DRAWING]
    names = [plain(joint) for joint in joints]
    left, right = ([x for x, joint in zip(layout[:, 0], joints) if str(joint).startswith(side)] for side in ("left_", "right_"))
    return {
        "figure": figures.skeleton_figure("learned links on the skeleton", strength, edges, layout, links),
        "pairs": [(names[a], names[b], round(100 * share)) for a, b, share in links],
        "facing": bool(left and right and np.mean(left) > np.mean(right)),
    }


def _sanity(explanation: Explanation) -> dict[str, Any]:
    sanity = explanation.sanity
    if sanity is None or sanity.passed is None:
        return {"mark": "–", "words": "Not checked: do not believe these pictures yet."}
    left = "" if sanity.correlation is None else f" (correlation with it {sanity.correlation:.2f})"
    if sanity.passed:
        return {"mark": "✓", "words": f"Check passed: with random weights the map is another one{left}, so it shows what was learned."}
    return {"mark": "✗", "words": f"Check failed: random weights give much the same map{left}. It does not show what was learned."}


def _truth(truth: Mapping[str, Any]) -> list[str]:
    """On synthetic clips: how much of the attribution fell where the sign truly was, beside what chance gives."""
    said = []
    for share, chance, where in (("joint_share", "joint_chance", "the joints"), ("time_share", "time_chance", "the times")):
        if isinstance(truth.get(share), int | float):
            beside = f" (chance: {100 * truth[chance]:.0f} %)" if isinstance(truth.get(chance), int | float) else ""
            said.append(f"{100 * truth[share]:.0f} % of it fell on {where} that truly carried the sign{beside}.")
    return said
