"""What one model said of every clip of a task while its participant was held out; any metric of it,
for any weighting of participants.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from semiology.evaluation.statistics.metrics import (
    Array,
    auc,
    average_precision,
    brier,
    from_confusion,
    macro_auc,
    pairs_won,
)

Codes = NDArray[np.integer]


@dataclass(frozen=True)
class OutOfFold:
    """One model's predictions of one task, seed by seed, in numbers.

    A resampled cohort is a row of `weights` (draw, participant): how often each participant is in
    it. Metrics are computed for all rows at once from counts by participant.

    Attributes:
        participants: (participant,) in alphabetical order, so that two models of a task have the
            same.
        seeds: (seed,) the runs.
        participant, truth: (clip,) codes; the clips are in alphabetical order.
        predicted: (seed, clip) codes of levels.
        probability: (seed, clip, level).
    """

    participants: tuple[str, ...]
    seeds: tuple[int, ...]
    participant: Codes
    truth: Codes
    predicted: Codes
    probability: Array

    @classmethod
    def of(cls, rows: pd.DataFrame, levels: list[str]) -> "OutOfFold":
        """From the rows of one task and one model; every seed has the same clips
        (`read_predictions` sees to that).
        """
        rows = rows.sort_values(["seed", "clip_id"])
        participants = tuple(sorted(rows["participant_id"].unique()))
        seeds = tuple(sorted(int(seed) for seed in rows["seed"].unique()))
        code = {level: number for number, level in enumerate(levels)}
        place = {participant: number for number, participant in enumerate(participants)}
        clips = len(rows) // len(seeds)
        if len(levels) == 2:
            score = rows["score"].to_numpy(dtype=float)
            probability = np.stack([1 - score, score], axis=1)
        else:
            probability = np.array(
                [[scores[level] for level in levels] for scores in rows["scores"]], dtype=float
            )
        return cls(
            participants,
            seeds,
            rows["participant_id"].map(place).to_numpy(dtype=int)[:clips],
            rows["truth"].map(code).to_numpy(dtype=int)[:clips],
            rows["predicted"].map(code).to_numpy(dtype=int).reshape(len(seeds), clips),
            probability.reshape(len(seeds), clips, len(levels)),
        )

    @property
    def levels(self) -> int:
        """Number of levels of the label."""
        return self.probability.shape[-1]

    @cached_property
    def confusion(self) -> Array:
        """(seed, participant, truth, predicted) numbers of clips."""
        table = np.zeros((len(self.seeds), len(self.participants), self.levels, self.levels))
        seed = np.arange(len(self.seeds))[:, None]
        np.add.at(table, (seed, self.participant[None], self.truth[None], self.predicted), 1)
        return table

    @cached_property
    def won(self) -> Array:
        """(seed, level, participant, participant) of `pairs_won`, each level against the rest; of
        two levels the positive one alone.
        """
        return np.array(
            [
                [
                    pairs_won(
                        self.truth == level, run[:, level], self.participant, len(self.participants)
                    )
                    for level in self._judged
                ]
                for run in self.probability
            ]
        )

    def metric(self, name: str, weights: Array) -> Array:
        """(seed, draw) values of a metric where each participant counts `weights` (draw,
        participant) times.
        """
        if name == "auc":
            return np.stack([self._auc(won, weights) for won in self.won])
        if name == "average_precision":
            by_clip = weights[:, self.participant]
            return np.stack(
                [average_precision(self.truth, run[:, 1], by_clip) for run in self.probability]
            )
        if name == "brier":
            distance = np.stack([brier(self.truth, run) for run in self.probability])
            total = np.stack(
                [np.bincount(self.participant, run, len(self.participants)) for run in distance]
            )
            with np.errstate(
                invalid="ignore"
            ):  # a draw of participants without a clip has no Brier score: NaN
                return (total @ weights.T) / (weights @ self._clips().sum(1))
        drawn = weights @ self.confusion.reshape(len(self.seeds), len(self.participants), -1)
        return from_confusion(name, drawn.reshape(*drawn.shape[:2], self.levels, self.levels))

    def observed(self, name: str) -> Array:
        """(seed,) values in the cohort itself."""
        return self.metric(name, np.ones((1, len(self.participants))))[:, 0]

    def behind(self, name: str) -> int:
        """How many participants a metric hangs on: those whose clips are in its denominator, or of
        the rarest level that there is.
        """
        has = (self._clips() > 0).sum(0)  # participants with the level, by level
        called = (self.confusion.mean(0).sum(1) > 0).sum(
            0
        )  # participants with a clip that was given the level
        if name == "accuracy":
            return len(self.participants)
        if name in ("sensitivity", "specificity"):
            return int(has[1 if name == "sensitivity" else 0])
        if name in ("ppv", "npv"):
            return int(called[1 if name == "ppv" else 0])
        return int(has[has > 0].min())

    @property
    def _judged(self) -> Sequence[int]:
        return [1] if self.levels == 2 else range(self.levels)

    def _clips(self) -> Array:
        return self.confusion[0].sum(-1)  # (participant, level), the same for every seed

    def _auc(self, won: Array, weights: Array) -> Array:
        clips = self._clips()
        by_level = [
            auc(table, clips[:, level], clips.sum(1) - clips[:, level], weights)
            for table, level in zip(won, self._judged)
        ]
        return macro_auc(np.stack(by_level))
