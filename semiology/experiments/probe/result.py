"""What a probe found: each metric with its interval over participants and its null."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from semiology.evaluation.statistics.intervals import (
    Interval,
    at_bound,
    bca_interval,
    draw_participants,
    leave_one_out,
)
from semiology.evaluation.statistics.metrics import auc, concordant_pairs, from_confusion
from semiology.evaluation.statistics.permutation import compare_with_null
from semiology.experiments.probe.features import SEEN, Features

CATEGORICAL = ("balanced_accuracy", "accuracy", "f1")
NUMERIC = ("r2", "spearman")


@dataclass(frozen=True)
class Drawn:
    """Out-of-fold scores of the observed target (first) and of the permuted or random ones.

    targets (draw, clip); scores (draw, clip, level), higher is likelier, or (draw, clip, 1) for
    numbers, NaN where a clip was not tested; penalties: the one chosen in each fold, for the
    observed target.
    """

    targets: np.ndarray
    scores: np.ndarray
    penalties: Sequence[float]


@dataclass(frozen=True)
class Score:
    """One metric.

    Attributes:
        value: pooled over out-of-fold clips.
        interval: 95 %, over participants; its low and high are NaN where there is none, and it
            states why.
        null: its values under permuted labels.
    """

    value: float
    interval: Interval
    null: np.ndarray = field(repr=False)

    @property
    def against(self) -> dict[str, Any]:
        """The value beside its null: n, p, resolution (the least p that n allows), median, low and
        high; see `compare_with_null`.
        """
        return compare_with_null(None if np.isnan(self.value) else self.value, self.null.tolist())

    @property
    def p(self) -> float:
        """(1 + b) / (1 + n), b of n permutations reaching the value; NaN without permutations."""
        return _nan(self.against["p"])

    @property
    def chance(self) -> float:
        """Chance level of the metric: the median of its null distribution; NaN without
        permutations.
        """
        return _nan(self.against["median"])

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers for JSON, None where there is none."""
        bounds = {"low": self.interval.low, "high": self.interval.high}
        numbers = {
            name: None if np.isnan(number) else number
            for name, number in {"value": self.value, **bounds}.items()
        }
        return {**numbers, "interval": self.interval.method, "null": self.against}


@dataclass(frozen=True)
class ProbeResult:
    """How well a column could be read off a layer.

    Attributes:
        layer, target: their names.
        model: "ridge" or "logistic".
        by: what was left out: "participant", or "clip" of the same participants.
        seen: whose clips trained the layer, see `Features`.
        levels: of the column, in order; empty for numbers.
        scores: metric -> Score; of text "balanced_accuracy", "accuracy", "f1" (macro; of two levels
            that of the second) and, of two levels, "auc"; of numbers "r2" and "spearman". The first
            is `score`.
        participants, permutations, seed: how many, how many, which.
        guessing: accuracy of guessing who it is among those who can be named; NaN where something
            else was requested.
        penalties: chosen in each fold.
        predictions: a row for each tested clip: clip_id, participant_id, truth, predicted and, of
            two levels, score.
    """

    layer: str
    target: str
    model: str
    by: str
    seen: str
    levels: list[str]
    scores: dict[str, Score]
    participants: int
    permutations: int
    seed: int
    penalties: list[float]
    predictions: pd.DataFrame = field(repr=False)
    guessing: float = np.nan

    @property
    def metric(self) -> str:
        """The first metric: balanced accuracy, or R^2."""
        return next(iter(self.scores))

    @property
    def score(self) -> float:
        """Value of the first metric, on held-out clips."""
        return self.scores[self.metric].value

    @property
    def p(self) -> float:
        """p of the first metric by permutation; NaN without permutations."""
        return self.scores[self.metric].p

    @property
    def interval(self) -> tuple[float, float]:
        """Low and high end of the first metric's interval over participants."""
        return self.scores[self.metric].interval.low, self.scores[self.metric].interval.high

    def to_dict(self) -> dict[str, Any]:
        """Everything but the single predictions, for JSON."""
        return {
            "layer": self.layer,
            "target": self.target,
            "model": self.model,
            "left_out": self.by,
            "layer_has_seen": SEEN[self.seen],
            "levels": self.levels,
            "clips": len(self.predictions),
            "participants": self.participants,
            "permutations": self.permutations,
            "seed": self.seed,
            "penalties": self.penalties,
            "scores": {name: score.to_dict() for name, score in self.scores.items()},
        }

    def __str__(self) -> str:
        lines = [
            f"{self.target} from layer {self.layer}: {len(self.predictions)} clips of"
            f" {self.participants} participants ({SEEN[self.seen]})"
        ]
        for name, score in self.scores.items():
            null = (
                f", p = {score.p:.3g} ({self.permutations} permutations, their median"
                f" {score.chance:.2f})"
                if self.permutations
                else ""
            )
            lines.append(
                f"  {name.replace('_', ' ')} {score.value:.2f} ({score.interval.low:.2f} to"
                f" {score.interval.high:.2f}){null}"
            )
        return "\n".join(lines)


def evaluated(
    drawn: Drawn,
    features: Features,
    target: str,
    clips: list[str],
    owners: np.ndarray,
    levels: list[str],
    *,
    by,
    model,
    draws,
    seed,
) -> ProbeResult:
    """Score every draw; the first is the observed target, the others are its null."""
    there = np.isfinite(drawn.scores[0]).any(axis=1)
    targets, scores, people = drawn.targets[:, there], drawn.scores[:, there], owners[there]
    names, number = np.unique(people, return_inverse=True)
    weights = draw_participants(len(names), draws, seed)
    found = {}
    for name in metric_names(levels):
        values = np.array(
            [metric(name, truth, score, len(levels)) for truth, score in zip(targets, scores)]
        )
        found[name] = Score(
            float(values[0]),
            _interval(name, float(values[0]), targets[0], scores[0], len(levels), number, weights),
            values[1:],
        )
    table = pd.DataFrame({"clip_id": np.array(clips)[there], "participant_id": people})
    if levels:
        table = table.assign(
            truth=[levels[int(code)] for code in targets[0]],
            predicted=[levels[best] for best in scores[0].argmax(1)],
        )
        table = table.assign(score=margin(scores[0])) if len(levels) == 2 else table
    else:
        table = table.assign(truth=targets[0], predicted=scores[0][:, 0])
    permutations = len(targets) - 1
    return ProbeResult(
        features.layer,
        target,
        model,
        by,
        features.seen,
        levels,
        found,
        len(names),
        permutations,
        seed,
        list(drawn.penalties),
        table,
    )


def _interval(
    name: str,
    value: float,
    truth: np.ndarray,
    scores: np.ndarray,
    levels: int,
    people: np.ndarray,
    weights: np.ndarray,
) -> Interval:
    count = weights.shape[1]
    if np.isnan(value):
        return Interval(
            np.nan, np.nan, len(weights), "all tested clips have the same value", "none"
        )
    if name != "r2" and (
        found := at_bound(
            value, -1.0 if name == "spearman" else 0.0, _behind(name, truth, levels, people)
        )
    ):
        return found
    resampled = resampled_metric(name, truth, scores, levels, people, weights)
    return bca_interval(
        value,
        resampled,
        resampled_metric(name, truth, scores, levels, people, leave_one_out(count)),
        count,
    )


def _behind(name: str, truth: np.ndarray, levels: int, people: np.ndarray) -> int:
    """How many participants a metric hangs on: all, or of the rarest level that there is; as
    `OutOfFold.behind` of the run itself.
    """
    if name == "accuracy" or not levels:
        return len(set(people))
    return min(len(set(people[truth == level])) for level in np.unique(truth))


def metric_names(levels: list[str]) -> tuple[str, ...]:
    """The metrics that a target of these classes has, the main one first; without classes it is a
    number.
    """
    return (*CATEGORICAL, *(("auc",) if len(levels) == 2 else ())) if levels else NUMERIC


def margin(scores: np.ndarray) -> np.ndarray:
    """(clip,) by how much the second of two levels is likelier, from scores (clip, 2)."""
    return scores[:, 1] - scores[:, 0]


def metric(name: str, truth: np.ndarray, scores: np.ndarray, levels: int) -> float:
    """One metric of one draw: truth (clip,), scores (clip, level) or (clip, 1)."""
    everyone = np.zeros(len(truth), int)
    return float(resampled_metric(name, truth, scores, levels, everyone, np.ones((1, 1)))[0])


def resampled_metric(
    name: str,
    truth: np.ndarray,
    scores: np.ndarray,
    levels: int,
    people: np.ndarray,
    weights: np.ndarray,
) -> np.ndarray:
    """(draw,) a metric where the participant of each clip, people (clip,), counts weights (draw,
    participant) times.
    """
    count = weights.shape[1]
    if name in CATEGORICAL:
        confusion = np.zeros((count, levels, levels))
        np.add.at(confusion, (people, truth.astype(int), scores.argmax(axis=1)), 1)
        return from_confusion(name, np.einsum("dp,ptq->dtq", weights, confusion))
    if name == "auc":
        clips = np.zeros((count, 2))
        np.add.at(clips, (people, truth.astype(int)), 1)
        return auc(
            concordant_pairs(truth, margin(scores), people, count),
            clips[:, 1],
            clips[:, 0],
            weights,
        )
    predicted = scores[:, 0]
    if name == "spearman":
        return np.array(
            [
                _correlation(_ranks(truth, row), _ranks(predicted, row), row)
                for row in weights[:, people]
            ]
        )
    w = weights[:, people]
    mean = (w @ truth) / w.sum(axis=1)
    around = (w * (truth[None, :] - mean[:, None]) ** 2).sum(axis=1)
    return np.where(
        around > 0, 1 - (w @ (truth - predicted) ** 2) / np.where(around > 0, around, 1), np.nan
    )


def _ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mid-ranks of values that count `weights` times each; 0 where the weight is 0."""
    ranks = np.zeros(len(values))
    many = np.repeat(np.arange(len(values)), weights.astype(int))
    ranks[many] = rankdata(values[many])
    return ranks


def _correlation(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> float:
    x, y = x - np.average(x, weights=weights), y - np.average(y, weights=weights)
    norm = np.sqrt((weights * x**2).sum() * (weights * y**2).sum())
    return float((weights * x * y).sum() / norm) if norm > 0 else float("nan")


def _nan(number: float | None) -> float:
    return float("nan") if number is None else number
