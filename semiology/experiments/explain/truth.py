"""Whether a map points to where and when the sign is, against chance: only on phantoms, where that
is known: which joints carry the sign, and when.

The rules are our choice, made before any map was looked at.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from semiology.data.skeleton import Skeleton, mirrored_name
from semiology.errors import UserError
from semiology.evaluation.statistics.intervals import (
    at_bound,
    bca_interval,
    difference_interval,
    draw_participants,
    leave_one_out,
)
from semiology.experiments.explain.maps import ClipMap, share
from semiology.files import read_json
from semiology.phantom.shared.truth import landmark_displacements

# of an expression's largest displacement: landmarks that move at least so far carry it
MOVING = 0.25


@dataclass(frozen=True)
class SignTruth:
    """Where and when a sign is in a clip.

    Attributes:
        joints: of the arm that is held its elbow and wrist, the joints that a posture moves; of an
            expression the landmarks that it moves.
        start, stop: seconds of the clip, ramps included.
    """

    joints: frozenset[str]
    start: float
    stop: float


def sign_truth(cohort: Path, clip_id: str, label: str) -> SignTruth | None:
    """The truth of a label in a clip; None where the cohort is no phantom, the label is no sign of
    it, or the clip does not show it.

    Raises:
        UserError: the file of the truth is damaged.
    """
    path = cohort / "truth" / f"{clip_id}.json"
    if not path.is_file():
        return None
    remedy = "render the cohort again with `semiology phantom`"
    truth = read_json(path, what="the truth of a phantom clip", remedy=remedy)
    try:
        sign = truth["rendered"].get(label)
        if sign is None:
            return None
        joints = (
            {f"{sign['side']}_elbow", f"{sign['side']}_wrist"}
            if sign["side"]
            else moving_landmarks(sign["kind"])
        )
        return SignTruth(frozenset(joints), float(sign["start"]), float(sign["stop"]))
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not the truth of a phantom clip ({error}); {remedy}") from error


@lru_cache(maxsize=8)
def moving_landmarks(kind: str) -> frozenset[str]:
    """Landmarks of an average face that an expression moves by at least a quarter of its largest
    displacement.
    """
    distance = landmark_displacements(kind)
    return frozenset(
        name for name, value in distance.items() if value >= MOVING * max(distance.values())
    )


DRAWS = 2000
RATES = ("hit", "time_hit")  # 0 or 1 a clip


def agreement(clip: ClipMap, truth: SignTruth, skeleton: Skeleton) -> dict[str, float]:
    """How much of a clip's evidence lies on the true joints and in the true time, and how much
    would if it were spread evenly.

    Chance is the share of the clip's seen (time, joint) cells. `hit` is 1 where the joint with most
    evidence is a true one, `time_hit` where the moment with most evidence is within the sign.
    `mirror_share` is the share on the same joints of the other side, for signs of one side: what
    the same map would get had the sign been there. A map without any evidence for the level has
    shares and hits of 0.
    """
    names = skeleton.names
    on = np.array([name in truth.joints for name in names])
    within = (clip.time >= truth.start) & (clip.time <= truth.stop)
    evidence = share(clip.joints)
    even = share(clip.seen.astype(float))
    by_joint, by_time = evidence.sum(axis=0), evidence.sum(axis=1)
    any_evidence = bool(evidence.any())
    found = {
        "joint_share": float(by_joint[on].sum()),
        "joint_chance": float(even[:, on].sum()),
        "time_share": float(by_time[within].sum()),
        "time_chance": float(even[within].sum()),
        "hit": float(any_evidence and on[by_joint.argmax()]),
        "hit_chance": float(on[clip.seen.any(axis=0)].mean()),
        "time_hit": float(any_evidence and within[by_time.argmax()]),
        "time_hit_chance": float(within.mean()),
    }
    other = np.array([mirrored_name(name) in truth.joints for name in names])
    if not (on & other).any():
        found["mirror_share"] = float(by_joint[other].sum())
    return found


def summary(rows: Sequence[Mapping[str, float]], participants: Sequence[str]) -> dict[str, Any]:
    """Mean of each figure over clips with its 95 % interval over participants, and of each share's
    difference from its chance.
    """
    entries: dict[str, Any] = {"clips": len(rows), "participants": len(set(participants))}
    figures = [name for name in rows[0] if all(name in row for row in rows)]
    values = {name: np.array([row[name] for row in rows]) for name in figures}
    for name in figures:
        entries[name] = round(float(values[name].mean()), 4)
        if not name.endswith("chance"):
            rate = of_rate(values[name], participants) if name in RATES else None
            entries[f"{name}_interval"] = rate or over_participants(values[name], participants)
    for name, chance in against(figures).items():
        rate, even = (
            of_rate(values[name], participants) if name in RATES else None,
            float(values[chance].mean()),
        )
        entries[f"{name}_above_chance"] = (
            [round(bound - even, 4) for bound in rate]
            if rate
            else over_participants(values[name] - values[chance], participants, difference=True)
        )
    if "mirror_share" in figures:
        entries["joint_share_above_mirror"] = over_participants(
            values["joint_share"] - values["mirror_share"], participants, difference=True
        )
    return entries


def against(figures: Sequence[str]) -> dict[str, str]:
    """Figure -> its chance: joint_share -> joint_chance, hit -> hit_chance."""
    pairs = {
        name: f"{name.removesuffix('_share')}_chance"
        for name in figures
        if not name.endswith("chance")
    }
    return {name: chance for name, chance in pairs.items() if chance in figures}


def of_rate(hits: np.ndarray, participants: Sequence[str]) -> list[float] | None:
    """[low, high] of a rate of hits (0 or 1 a clip) that is 1 or 0 throughout, by Wilson over
    participants; None of any other.

    Drawing people again would give the same rate each time, and an interval without width. One
    participant has no interval.
    """
    if len(set(participants)) < 2 or len(set(hits.tolist())) > 1:
        return None
    found = at_bound(float(hits[0]), 0.0, len(set(participants)))
    return [round(found.low, 4), round(found.high, 4)] if found else None


def over_participants(
    values: np.ndarray, participants: Sequence[str], difference: bool = False
) -> list[float | None]:
    """[low, high], 95 %, of the mean over clips when whole participants are drawn with replacement;
    None where there is no interval.

    By the methods that the metrics have (semiology.evaluation.statistics.intervals), which are
    wider than percentiles where people are few. There is none where all participants have the same
    mean: resampling them shows nothing.
    """
    names = sorted(set(participants))
    member = np.array(
        [[who == name for who in participants] for name in names], float
    )  # (participant, clip)
    sums, counts = member @ values, member.sum(axis=1)
    if np.ptp(sums / counts) < 1e-9:
        return [None, None]

    def means(weights: np.ndarray) -> np.ndarray:
        return (weights @ sums) / np.maximum(weights @ counts, 1e-12)

    drawn, value = means(draw_participants(len(names), DRAWS, seed=0)), float(values.mean())
    if difference:
        found = difference_interval(value, drawn, len(names))
    else:
        found = bca_interval(value, drawn, means(leave_one_out(len(names))), len(names))
    return [None if np.isnan(bound) else round(bound, 4) for bound in (found.low, found.high)]
