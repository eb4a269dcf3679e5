"""The explanation of one task's model: the JSON that the report shows, and the arrays beside it."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from semiology.experiments.explain.checks import FRACTIONS, Deletion, Randomised, sanity_check
from semiology.experiments.explain.graphs import NodeMap
from semiology.experiments.explain.maps import (
    ClipMap,
    bone_shares,
    course,
    joint_shares,
    region_shares,
    time_shares,
)
from semiology.experiments.explain.truth import SignTruth, agreement, over_participants, summary
from semiology.models.training.clips import ClipSource

BASELINES = {
    "integrated_gradients": (
        "the mean pose of the clips that the model was trained on, kept still; what is missing"
        " stays missing"
    ),
    "occlusion": (
        "one joint missing for a sixteenth of the window; a bone is taken away with both of its"
        " ends"
    ),
}


@dataclass
class Findings:
    """Everything found for one task and model, clip by clip in the same order."""

    task: str
    model: str
    method: str
    source: ClipSource
    kept: bool
    # what the models know of the people explained, see
    # `semiology.experiments.explain.models.acquaintance`
    people: str
    scored: int  # clips that the run's models were scored on
    left_out: list[str]  # those of them that no model or no cohort is left of
    maps: list[ClipMap] = field(default_factory=list)
    predicted: list[int] = field(default_factory=list)
    truths: list[SignTruth | None] = field(default_factory=list)
    deletions: list[Deletion] = field(default_factory=list)
    nodes: list[NodeMap] = field(default_factory=list)  # of a GAT
    made: list[np.ndarray] = field(default_factory=list)  # C of an AGCN
    fixed: np.ndarray | None = None  # A
    learned: list[np.ndarray] = field(default_factory=list)  # B, one a fold
    randomised: list[Randomised] = field(default_factory=list)
    random_maps: dict[str, list[np.ndarray]] = field(default_factory=dict)


def document(found: Findings) -> dict[str, Any]:
    """The content of the JSON file; its keys are described in docs/explanation.md."""
    skeleton, levels = found.source.reading.graph, found.source.levels
    named = [
        number
        for number, (clip, level) in enumerate(zip(found.maps, found.predicted))
        if clip.level == level
    ]
    shown = named or list(range(len(found.maps)))
    maps = [found.maps[number] for number in shown]
    joints = joint_shares(maps, skeleton)
    return {
        "task": found.task,
        "model": found.model,
        "method": found.method,
        "part": found.source.reading.part,
        "level": levels[1] if len(levels) == 2 else "the predicted one",
        "baseline": BASELINES[found.method],
        "held_out": found.kept,
        "left_out": found.left_out,
        "shown": {
            "clips": len(shown),
            "which": (
                "clips in which the model sees the level"
                if named
                else "all clips: the model sees the level in none"
            ),
            "without_evidence": sum(not (clip.joints > 0).any() for clip in maps),
            "people": found.people,
            "scored": found.scored,
            "left_out": len(found.left_out),
        },
        "joints": joints,
        "edges": bone_shares(maps, skeleton),
        "regions": region_shares(joints),
        "time": course(maps),
        "layout": layout(found),
        "completeness": completeness(found),
        "sanity": sanity_check(found.randomised),
        "deletion": deleted(found, shown),
        "truth": agreements(found),
        "graph": graph(found, shown),
        "clips": [clip_row(found, number) for number in range(len(found.maps))],
    }


def layout(found: Findings) -> dict[str, list[float]]:
    """Mean position of each joint over all clips, in body units, y down as in an image."""
    mean = np.nanmean(np.concatenate([clip.joints for clip in found.source.clips]), axis=0)[:, :2]
    return {
        name: [round(float(value), 4) for value in place]
        for name, place in zip(found.source.reading.graph.names, mean)
    }


def completeness(found: Findings) -> dict[str, float] | None:
    """Integrated gradients must add up to the score's difference from the baseline's; the gap, in
    log-odds.
    """
    gaps = [clip.gap for clip in found.maps if clip.gap is not None]
    if not gaps:
        return None
    apart = sum(abs(clip.score - clip.start) for clip in found.maps)
    return {
        "largest_gap": round(max(gaps), 6),
        "relative_gap": round(sum(gaps) / max(apart, 1e-9), 6),
    }


def deleted(found: Findings, shown: list[int]) -> dict[str, Any]:
    """Mean curves over the shown clips, and the area between them with its interval over
    participants.
    """
    curves = [found.deletions[number] for number in shown]
    people = [found.maps[number].participant_id for number in shown]
    areas = np.array([curve.area for curve in curves])
    return {
        "fractions": [round(float(value), 3) for value in FRACTIONS],
        "attributed": [
            round(float(value), 5)
            for value in np.mean([curve.attributed for curve in curves], axis=0)
        ],
        "random": [
            round(float(value), 5) for value in np.mean([curve.random for curve in curves], axis=0)
        ],
        "area": round(float(areas.mean()), 4),
        "area_interval": over_participants(areas, people, difference=True),
        "clips": len(curves),
    }


def agreements(found: Findings) -> dict[str, Any] | None:
    """Agreement with a phantom's truth over the clips that show the sign: of the model, of it where
    it was right, of random networks.

    A clip whose map has no evidence for the level counts as 0; `without_evidence` is their
    number.
    """
    skeleton = found.source.reading.graph
    marked = [
        (clip, truth, level)
        for clip, truth, level in zip(found.maps, found.truths, found.predicted)
        if truth is not None and clip.truth == clip.level
    ]
    if not marked:
        return None
    rows = [agreement(clip, truth, skeleton) for clip, truth, _ in marked]
    people = [clip.participant_id for clip, _, _ in marked]
    entries = summary(rows, people) | {
        "without_evidence": sum(not (clip.joints > 0).any() for clip, _, _ in marked)
    }
    right = [number for number, (clip, _, level) in enumerate(marked) if level == clip.level]
    entries["where_right"] = (
        summary([rows[number] for number in right], [people[number] for number in right])
        if right
        else None
    )
    random, differences, owners = [], [], []
    for (clip, truth, _), row in zip(marked, rows):
        others = [
            agreement(ClipMap(**{**vars(clip), "joints": other}), truth, skeleton)
            for other in found.random_maps.get(clip.clip_id, [])
        ]
        if others:
            mean = {name: float(np.mean([other[name] for other in others])) for name in row}
            random.append(mean)
            differences.append(
                {name: row[name] - mean[name] for name in ("joint_share", "time_share", "hit")}
            )
            owners.append(clip.participant_id)
    entries["random_network"] = summary(random, owners) if random else None
    entries["above_random_network"] = (
        {
            name: over_participants(
                np.array([row[name] for row in differences]), owners, difference=True
            )
            for name in differences[0]
        }
        if differences
        else None
    )
    return entries


def graph(found: Findings, shown: list[int]) -> dict[str, Any] | None:
    """An AGCN's graphs, summed over subsets, mean over blocks, folds and clips; a GAT's masks by
    GNNExplainer, mean over clips.
    """
    skeleton = found.source.reading.graph
    if found.fixed is not None:
        given, learned = (
            found.fixed.sum(axis=1).mean(axis=0),
            np.mean(found.learned, axis=0).sum(axis=1).mean(axis=0),
        )
        made = np.mean([found.made[number] for number in shown], axis=0).sum(axis=1).mean(axis=0)
        parts = {"A": given, "B": learned, "C": made}
        return {
            "kind": "agcn",
            "joints": skeleton.names,
            **{name: part.round(4).tolist() for name, part in parts.items()},
        }
    if found.nodes:
        nodes = [found.nodes[number] for number in shown]
        bones = np.mean([one.bones for one in nodes], axis=0)
        return {
            "kind": "gat",
            "algorithm": "GNNExplainer",
            "edges": [
                {"a": a, "b": b, "mask": round(float(value), 4)}
                for (a, b), value in zip(skeleton.edges, bones)
            ],
            "through_time": round(float(np.mean([one.through_time for one in nodes])), 4),
            "to_itself": round(float(np.mean([one.to_itself for one in nodes])), 4),
            "joints": {
                name: round(float(value), 4)
                for name, value in zip(
                    skeleton.names, np.mean([one.joints.mean(axis=0) for one in nodes], axis=0)
                )
            },
        }
    return None


def clip_row(found: Findings, number: int) -> dict[str, Any]:
    """One clip's entry in an explanation's JSON file: its classes, and the proportion of the
    evidence on each joint, on each region and over time.

    Args:
        found: maps of all explained clips.
        number: of the clip in `found.maps`.
    """
    clip, truth, skeleton, levels = (
        found.maps[number],
        found.truths[number],
        found.source.reading.graph,
        found.source.levels,
    )
    joints = joint_shares([clip], skeleton)
    return {
        "clip_id": clip.clip_id,
        "participant_id": clip.participant_id,
        "truth": levels[clip.truth],
        "predicted": levels[found.predicted[number]],
        "level": levels[clip.level],
        "probability": round(clip.probability, 4),
        "joints": joints,
        "regions": region_shares(joints),
        "time": {
            "seconds": [round(float(value), 3) for value in clip.time],
            "share": [round(float(value), 5) for value in time_shares(clip)],
        },
        "sign": (
            {"joints": sorted(truth.joints), "start": truth.start, "stop": truth.stop}
            if truth
            else None
        ),
        **(
            {"agreement": {k: round(v, 4) for k, v in agreement(clip, truth, skeleton).items()}}
            if truth
            else {}
        ),
    }


def arrays(found: Findings) -> dict[str, np.ndarray]:
    """The arrays of the .npz: joints, edges; of each clip its map, bones and time; an AGCN's A, B
    (mean over folds) and each clip's C.
    """
    entries: dict[str, np.ndarray] = {
        "joints": np.array(found.source.reading.graph.names),
        "edges": found.source.reading.graph.edge_index,
        "clips": np.array([clip.clip_id for clip in found.maps]),
    }
    for number, clip in enumerate(found.maps):
        entries |= {
            f"map/{clip.clip_id}": clip.joints,
            f"bones/{clip.clip_id}": clip.bones,
            f"time/{clip.clip_id}": clip.time,
        }
        if found.made:
            entries[f"C/{clip.clip_id}"] = found.made[number]
        if found.nodes:
            entries[f"nodes/{clip.clip_id}"] = found.nodes[number].joints
    if found.fixed is not None:
        entries |= {"A": found.fixed, "B": np.mean(found.learned, axis=0)}
    return entries
