"""Out-of-fold predictions of one model as arrays, and their metrics for weighted participants."""

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
    concordant_pairs,
    from_confusion,
    macro_auc,
)

Codes = NDArray[np.integer]
AT_ONCE = 50_000  # clips times resampled cohorts [our choice]


@dataclass(frozen=True)
class OutOfFold:
    """Out-of-fold predictions of one model in one task, for every seed.

    A resampled cohort is a row of `weights` (draw, participant): how often each participant is in
    it. Metrics are computed for all rows at once, from counts by participant.

    Attributes
    ----------
    participants : (participant,) tuple of str
        Sorted, so that two models of a task have the same order.
    seeds : (seed,) tuple of int
        Seeds of the training runs.
    participant : (clip,) ndarray of int
        Code of each clip's participant; clips are sorted by clip_id.
    truth : (clip,) ndarray of int
        Code of each clip's true class.
    predicted : (seed, clip) ndarray of int
        Codes of the predicted classes.
    probability : (seed, clip, class) ndarray
        Predicted probabilities.

    Examples
    --------
    >>> model = OutOfFold(
    ...     ("P1", "P2"), (0,), np.array([0, 0, 1]), np.array([0, 1, 1]), np.array([[0, 1, 0]]),
    ...     np.array([[[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]]))
    >>> model.observed("sensitivity").tolist(), model.observed("auc").tolist()
    ([0.5], [1.0])
    """

    participants: tuple[str, ...]
    seeds: tuple[int, ...]
    participant: Codes
    truth: Codes
    predicted: Codes
    probability: Array

    @classmethod
    def of(cls, rows: pd.DataFrame, classes: list[str]) -> "OutOfFold":
        """From rows of a table of predictions.

        Parameters
        ----------
        rows : DataFrame
            Rows of one task and one model (`read_predictions`); every seed has the same clips.
        classes : list of str
            Names of the classes in the label's order.

        Returns
        -------
        OutOfFold
            The same predictions as arrays.
        """
        rows = rows.sort_values(["seed", "clip_id"])
        participants = tuple(sorted(rows["participant_id"].unique()))
        seeds = tuple(sorted(int(seed) for seed in rows["seed"].unique()))
        code = {name: number for number, name in enumerate(classes)}
        index = {participant: number for number, participant in enumerate(participants)}
        clips = len(rows) // len(seeds)
        if len(classes) == 2:
            score = rows["score"].to_numpy(dtype=float)
            probability = np.stack([1 - score, score], axis=1)
        else:
            probability = np.array(
                [[scores[name] for name in classes] for scores in rows["scores"]], dtype=float
            )
        return cls(
            participants,
            seeds,
            rows["participant_id"].map(index).to_numpy(dtype=int)[:clips],
            rows["truth"].map(code).to_numpy(dtype=int)[:clips],
            rows["predicted"].map(code).to_numpy(dtype=int).reshape(len(seeds), clips),
            probability.reshape(len(seeds), clips, len(classes)),
        )

    @property
    def classes(self) -> int:
        """Number of classes of the label."""
        return self.probability.shape[-1]

    @cached_property
    def confusion(self) -> Array:
        """Number of clips, (seed, participant, true class, predicted class)."""
        table = np.zeros((len(self.seeds), len(self.participants), self.classes, self.classes))
        seed = np.arange(len(self.seeds))[:, None]
        np.add.at(table, (seed, self.participant[None], self.truth[None], self.predicted), 1)
        return table

    @cached_property
    def concordant(self) -> Array:
        """Tables of `concordant_pairs`, (seed, class, participant, participant).

        Each class against the rest; of two classes the positive one alone.
        """
        return np.array(
            [
                [
                    concordant_pairs(
                        self.truth == code, run[:, code], self.participant, len(self.participants)
                    )
                    for code in self._ranked
                ]
                for run in self.probability
            ]
        )

    def metric(self, name: str, weights: Array) -> Array:
        """A metric in each resampled cohort.

        Parameters
        ----------
        name : str
            Metric, a key of `metrics.NAMES`.
        weights : (draw, participant) ndarray
            How often each participant counts.

        Returns
        -------
        (seed, draw) ndarray
            Values; NaN where undefined.
        """
        if name == "auc":
            return np.stack([self._auc(concordant, weights) for concordant in self.concordant])
        if name == "average_precision":
            return np.stack(
                [self._average_precision(run[:, 1], weights) for run in self.probability]
            )
        if name == "brier":
            distance = np.stack([brier(self.truth, run) for run in self.probability])
            total = np.stack(
                [np.bincount(self.participant, run, len(self.participants)) for run in distance]
            )
            # a resampled cohort without a clip has no Brier score: NaN
            with np.errstate(invalid="ignore"):
                return (total @ weights.T) / (weights @ self._clips().sum(1))
        drawn = weights @ self.confusion.reshape(len(self.seeds), len(self.participants), -1)
        return from_confusion(name, drawn.reshape(*drawn.shape[:2], self.classes, self.classes))

    def observed(self, name: str) -> Array:
        """A metric in the cohort itself, (seed,)."""
        return self.metric(name, np.ones((1, len(self.participants))))[:, 0]

    def contributing(self, name: str) -> int:
        """Number of participants that contribute to a metric.

        Those with clips in its denominator; for metrics of several classes, those with clips of the
        rarest class.
        """
        has = (self._clips() > 0).sum(0)  # participants with a clip of the class, by class
        # participants with a clip that was predicted as the class
        called = (self.confusion.mean(0).sum(1) > 0).sum(0)
        if name == "accuracy":
            return len(self.participants)
        if name in ("sensitivity", "specificity"):
            return int(has[1 if name == "sensitivity" else 0])
        if name in ("ppv", "npv"):
            return int(called[1 if name == "ppv" else 0])
        return int(has[has > 0].min())

    @property
    def _ranked(self) -> Sequence[int]:
        return [1] if self.classes == 2 else range(self.classes)

    def _clips(self) -> Array:
        return self.confusion[0].sum(-1)  # (participant, class), the same for every seed

    def _average_precision(self, score: Array, weights: Array) -> Array:
        kinds, which = np.unique(np.stack([score, self.truth]), axis=1, return_inverse=True)
        if 4 * kinds.shape[1] <= len(score):  # few scores, as of answers: clips alike count as one
            clips = np.zeros((len(self.participants), kinds.shape[1]))
            np.add.at(clips, (self.participant, which.ravel()), 1)
            return average_precision(kinds[1], kinds[0], weights @ clips)
        # some cohorts at a time: one number a clip and cohort would leave the processor's cache
        step = max(1, AT_ONCE // len(score))
        parts = [weights[own : own + step] for own in range(0, len(weights), step)]
        return np.concatenate(
            [average_precision(self.truth, score, own[:, self.participant]) for own in parts]
        )

    def _auc(self, concordant: Array, weights: Array) -> Array:
        clips = self._clips()
        by_class = [
            auc(table, clips[:, code], clips.sum(1) - clips[:, code], weights)
            for table, code in zip(concordant, self._ranked)
        ]
        return macro_auc(np.stack(by_class))
