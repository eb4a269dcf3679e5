"""What the models looked at: learned links, attributions by joint and time, and whether the
explanation can be believed.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from semiology.errors import UserError
from semiology.evaluation.report import figures
from semiology.evaluation.report.inputs import Explanation
from semiology.evaluation.report.rendering import percent, plain, sentence

WORTH_DRAWING = (
    0.05  # of the mean bone: a weaker link is what training leaves of its random start [our choice]
)
WHOSE = {
    "never seen": ", of people whom the model had not seen",
    "known": ", which the model had not seen, of people whom it knows from other clips",
    "some known": (
        ", which the model had not seen, of people some of whom it knows from other clips"
    ),
    "trained on": ", of people it was trained on",
}
NAMED = 5  # joints listed beside the picture


def explained(explanation: Explanation) -> dict[str, Any]:
    """An explanation for the page: figures (None where there is nothing to draw), joints by share,
    and sentences.
    """
    shares, deletion = explanation.joints, explanation.deletion
    title = f"attribution by joint: {explanation.task}, {explanation.model}"
    layout = {joint: np.array(place) for joint, place in explanation.layout.items()}
    bones = [
        (bone.a, bone.b) for bone in explanation.edges if bone.b in shares and bone.a in shares
    ]
    drawn = bool(shares) and set(shares) <= set(layout)
    clips = explanation.shown.get("clips", len(explanation.clips))
    return {
        "task": explanation.task,
        "model": explanation.model,
        "method": plain(explanation.method),
        "what": _what(explanation, clips),
        "facing": _facing(explanation.layout),
        "regions": sorted(explanation.regions.items(), key=lambda item: -item[1]),
        "graphs": _graphs(explanation.graph or {}, explanation.layout, bones),
        "skeleton": figures.attribution_figure(title, shares, bones, layout) if drawn else None,
        "joints": [
            (plain(joint), share)
            for joint, share in sorted(shares.items(), key=lambda item: -item[1])[:NAMED]
        ],
        "even": 1 / len(shares) if shares else None,
        "time": (
            figures.time_strip("attribution over the clip", explanation.time)
            if explanation.time
            else None
        ),
        "deletion": (
            figures.deletion_figure(
                "deletion curve", deletion.fractions, deletion.attributed, deletion.random
            )
            if deletion and deletion.fractions
            else None
        ),
        "sanity": _sanity(explanation),
        "truth": _truth(explanation.truth or {}),
    }


def read_links(path: Path) -> dict[str, Any]:
    """The learned adjacency of one model, drawn: the figure, and its strongest links off the
    skeleton by joint names.

    The file holds `A` (fixed) and `B` (learned), (subset, joint, joint); `joints` (joint,) names;
    `edges` (bone, 2) joint indices; `layout` (joint, 2), x to the right, y down. An absent file
    gives an empty dictionary.

    Raises:
        UserError: the file is there, but is not such an archive.
    """
    if not path.exists():
        return {}
    try:
        with np.load(path, allow_pickle=False) as archive:
            fixed, learned, joints, edges, layout = (
                archive[name] for name in ("A", "B", "joints", "edges", "layout")
            )
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"{path}: not an adjacency archive ({error}); delete it, or write it anew with"
            " `semiology loso`"
        ) from error
    strength = figures.link_strength(fixed, learned)
    links = [link for link in figures.strongest_links(strength, edges) if link[2] >= WORTH_DRAWING]
    names = [plain(joint) for joint in joints]
    left, right = (
        [x for x, joint in zip(layout[:, 0], joints) if str(joint).startswith(side)]
        for side in ("left_", "right_")
    )
    return {
        "figure": figures.skeleton_figure(
            "learned links on the skeleton", strength, edges, layout, links
        ),
        "pairs": [(names[a], names[b], round(100 * share)) for a, b, share in links],
        "facing": bool(left and right and np.mean(left) > np.mean(right)),
    }


def _sanity(explanation: Explanation) -> dict[str, Any]:
    sanity = explanation.sanity
    if sanity is None or sanity.passed is None:
        return {"mark": "–", "words": "Not checked: do not believe these pictures yet."}
    left = "" if sanity.correlation is None else f" (correlation with it {sanity.correlation:.2f})"
    if sanity.passed:
        return {
            "mark": "✓",
            "words": (
                f"Check passed: with random weights the map is another one{left}, so it shows what"
                " was learned."
            ),
        }
    return {
        "mark": "✗",
        "words": (
            f"Check failed: random weights give much the same map{left}. It does not show what was"
            " learned."
        ),
    }


def _what(explanation: Explanation, clips: int) -> str:
    """Which clips the picture is the mean of."""
    people = {True: "never seen", False: "trained on", None: ""}[
        explanation.held_out
    ]  # of files that do not say it more closely
    left_out, scored = (explanation.shown.get(name, 0) for name in ("left_out", "scored"))
    missing = f"; {left_out} of {scored} scored clips are left out" if left_out else ""
    whose = WHOSE.get(explanation.shown.get("people", people), "")
    return f"mean of {clips} {'clip' if clips == 1 else 'clips'}{whose}{missing}" if clips else ""


def _facing(layout: Mapping[str, tuple[float, float]]) -> bool:
    """Whether the patient's left is drawn on the right."""
    left, right = (
        [x for joint, (x, _) in layout.items() if joint.startswith(side)]
        for side in ("left_", "right_")
    )
    return bool(left and right and np.mean(left) > np.mean(right))


def _graphs(
    graph: Mapping[str, Any],
    layout: Mapping[str, tuple[float, float]],
    bones: list[tuple[str, str]],
) -> list[dict[str, Any]]:
    """The links that a graph network uses: learned once for all clips (A + B), and made anew for
    these (C).
    """
    joints = graph.get("joints")
    if (
        graph.get("kind") != "agcn"
        or not bones
        or not isinstance(joints, list)
        or not set(joints) <= set(layout)
    ):
        return []
    order = {joint: number for number, joint in enumerate(joints)}
    edges, places = (
        np.array([[order[a], order[b]] for a, b in bones]),
        np.array([layout[joint] for joint in joints]),
    )
    given, learned, made = (np.array(graph[name], dtype=float)[None] for name in ("A", "B", "C"))
    drawn = []
    for words, strength in (
        ("Links it keeps for every clip", figures.link_strength(given, learned)),
        ("Links with what it adds for these clips", figures.link_strength(given + learned, made)),
    ):
        links = [
            link for link in figures.strongest_links(strength, edges) if link[2] >= WORTH_DRAWING
        ]
        pairs = [(plain(joints[a]), plain(joints[b]), round(100 * share)) for a, b, share in links]
        drawn.append(
            {
                "words": words,
                "figure": figures.skeleton_figure(words, strength, edges, places, links),
                "pairs": pairs,
            }
        )
    return drawn


def _truth(truth: Mapping[str, Any]) -> list[str]:
    """On synthetic clips: how much of the attribution fell where the sign truly was, beside what
    chance gives.
    """
    said = []
    for figure, words in (
        ("joint_share", "{} of it fell on the joints that truly carried the sign"),
        ("time_share", "{} of it fell in the time of the sign"),
        ("hit", "in {} of clips the joint that weighed most truly carried the sign"),
    ):
        if isinstance(truth.get(figure), int | float):
            low, high = truth.get(f"{figure}_interval") or (None, None)
            chance = truth.get(f"{figure.removesuffix('_share')}_chance")
            beside = [f"95 % interval {100 * low:.0f}–{percent(high)}"] if low is not None else []
            beside += [f"chance {percent(chance)}"] if chance is not None else []
            said.append(
                sentence(words.format(percent(truth[figure])))
                + (f" ({', '.join(beside)})" if beside else "")
                + "."
            )
    return said
