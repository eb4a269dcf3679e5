"""Explanations for the report: learned links, attributions by joint and time, and sanity checks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from semiology.errors import UserError
from semiology.evaluation.report import figures
from semiology.evaluation.report.inputs import Explanation
from semiology.evaluation.report.rendering import percent, plain, sentence
from semiology.files import CHANGED, zip_intact

# of the mean bone: weaker links are not distinct from the random initialisation [our choice]
WORTH_DRAWING = 0.05
WHOSE = {
    "never seen": ", of held-out participants",
    "known": ", held out, of participants with other clips in the training data",
    "some known": ", held out, some of them of participants with other clips in the training data",
    "trained on": ", of training participants",
}
NAMED = 5  # joints listed beside the figure


def explained(explanation: Explanation) -> dict[str, Any]:
    """An explanation for the page: figures (None where there is nothing to draw), joints by their
    fraction of attribution, and sentences.
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
        if not zip_intact(path):
            raise ValueError(CHANGED)
        with np.load(path, allow_pickle=False) as archive:
            fixed, learned, joints, edges, layout = (
                archive[name] for name in ("A", "B", "joints", "edges", "layout")
            )
    except Exception as error:  # a damaged zip or header comes as many kinds
        raise UserError(
            f"{path}: not an adjacency archive ({error}); delete it, or write it again with"
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
        return {"mark": "–", "words": "Sanity check not made: do not rely on these figures."}
    left = "" if sanity.correlation is None else f" (correlation with it {sanity.correlation:.2f})"
    if sanity.passed:
        return {
            "mark": "✓",
            "words": (
                f"Sanity check passed: with random weights the map differs{left}, so that it"
                " depends on what was learned."
            ),
        }
    return {
        "mark": "✗",
        "words": (
            f"Sanity check failed: random weights give a similar map{left}. It does not depend on"
            " what was learned."
        ),
    }


def _what(explanation: Explanation, clips: int) -> str:
    """The clips that the figure is the mean of."""
    people = {True: "never seen", False: "trained on", None: ""}[
        explanation.held_out
    ]  # of files that do not say it more closely
    left_out, scored = (explanation.shown.get(name, 0) for name in ("left_out", "scored"))
    missing = f"; {left_out} of {scored} labelled clips are left out" if left_out else ""
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
    """Links of a graph network: learned for all clips (A + B), and computed for these clips (C)."""
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
        ("Links for all clips (A + B)", figures.link_strength(given, learned)),
        ("Links for these clips (A + B + C)", figures.link_strength(given + learned, made)),
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
    """Synthetic clips: the fraction of attribution on the sign itself, compared with chance."""
    text = []
    for figure, words in (
        ("joint_share", "{} of the attribution is on the joints that show the sign"),
        ("time_share", "{} of the attribution is in the time of the sign"),
        ("hit", "in {} of clips the joint with the largest attribution shows the sign"),
    ):
        if isinstance(truth.get(figure), int | float):
            low, high = truth.get(f"{figure}_interval") or (None, None)
            chance = truth.get(f"{figure.removesuffix('_share')}_chance")
            beside = [f"95 % interval {100 * low:.0f}–{percent(high)}"] if low is not None else []
            beside += [f"chance {percent(chance)}"] if chance is not None else []
            text.append(
                sentence(words.format(percent(truth[figure])))
                + (f" ({', '.join(beside)})" if beside else "")
                + "."
            )
    return text
