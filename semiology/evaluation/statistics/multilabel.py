"""Several labels of the same clips at once (multi-label): how many decisions are right, and how
well the set of signs of a clip is found. Which signs occur together is in cooccurrence.py.

A sign is a class of a label after its first one, which is the label's baseline ("absent",
"neutral"): of a binary label the positive class. A clip need not be scored for every label.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from semiology.evaluation.run.predictions import levels_of
from semiology.evaluation.run.tasks import TEST_SET, label_task
from semiology.evaluation.statistics.comparison import estimate_json
from semiology.evaluation.statistics.cooccurrence import CHANCE, cooccurrence
from semiology.evaluation.statistics.intervals import (
    at_bound,
    bca_interval,
    draw_participants,
    leave_one_out,
)
from semiology.evaluation.statistics.metrics import Array, auc, concordant_pairs, f1
from semiology.evaluation.statistics.metrics import macro_auc as macro  # of any metric

NAMES = {
    "exact_match": "all labels right",
    "hamming": "Hamming loss",
    "samples_jaccard": "Jaccard index, mean over clips",
    "micro_jaccard": "Jaccard index, pooled over signs",
    "macro_jaccard": "Jaccard index, mean over signs",
    "micro_f1": "F1, pooled over signs",
    "macro_f1": "F1, mean over signs",
    "micro_auc": "AUC, pooled over signs",
    "macro_auc": "AUC, mean over signs",
}
RULE = (
    "labels that one model predicts: those of its network where it has several heads, else of all"
    " tasks of the run, of a label with several tasks the first; a clip counts for the labels that"
    " were scored in it, and for 'all labels right' and the mean of clips if all were"
)

Codes = NDArray[np.integer]
UNSCORED = -1  # code of a label that was not scored in a clip


@dataclass(frozen=True)
class MultiLabel:
    """Out-of-fold predictions of one model for several labels of the same clips, for every seed.

    Attributes
    ----------
    labels : mapping
        Label -> names of its classes, in their order.
    participants : (participant,) tuple of str
        Sorted.
    participant : (clip,) ndarray of int
        Code of each clip's participant; clips are sorted by clip_id.
    truth : (clip, label) ndarray of int
        Code of each true class; `UNSCORED` where the label was not scored.
    predicted : (seed, clip, label) ndarray of int
        Codes of the predicted classes; `UNSCORED` as in `truth`.
    probability : (seed, clip, sign) ndarray
        Predicted probability of each sign, in the order of `signs`; any value where not scored.

    Examples
    --------
    Two clips of one participant and one of another, two binary labels, the second of which was not
    scored in the last clip:

    >>> labels = {name: ["absent", "present"] for name in ("dystonia", "emotion")}
    >>> model = MultiLabel(
    ...     labels, ("P1", "P2"), np.array([0, 0, 1]), np.array([[1, 0], [0, 1], [1, -1]]),
    ...     np.array([[[1, 1], [0, 1], [1, -1]]]),
    ...     np.array([[[0.9, 0.6], [0.2, 0.7], [0.8, 0.0]]]))
    >>> model.observed("hamming").round(6).tolist(), model.observed("exact_match").tolist()
    ([0.2], [0.5])
    """

    labels: Mapping[str, Sequence[str]]
    participants: tuple[str, ...]
    participant: Codes
    truth: Codes
    predicted: Codes
    probability: Array

    @classmethod
    def of(cls, by_label: Mapping[str, pd.DataFrame]) -> "MultiLabel":
        """From rows of a table of predictions: label -> rows of one task and one model.

        Parameters
        ----------
        by_label : mapping
            Rows of `read_predictions`; every label has the same seeds, but not the same clips.

        Returns
        -------
        MultiLabel
            The same predictions as arrays, over all clips that were scored for a label.
        """
        owner: dict[str, str] = {}
        for rows in by_label.values():
            owner |= dict(zip(rows["clip_id"], rows["participant_id"]))
        clips, participants = sorted(owner), tuple(sorted(set(owner.values())))
        seeds = sorted(set(next(iter(by_label.values()))["seed"]))
        labels = {label: levels_of(rows) for label, rows in by_label.items()}
        signs = sum(len(levels) - 1 for levels in labels.values())
        truth = np.full((len(clips), len(labels)), UNSCORED)
        predicted = np.full((len(seeds), *truth.shape), UNSCORED)
        probability = np.zeros((len(seeds), len(clips), signs))
        place, first = {clip: number for number, clip in enumerate(clips)}, 0
        for number, (label, rows) in enumerate(by_label.items()):
            code = {level: number for number, level in enumerate(labels[label])}
            at = rows["clip_id"].map(place).to_numpy(), rows["seed"].map(seeds.index).to_numpy()
            truth[at[0], number] = rows["truth"].map(code)
            predicted[at[1], at[0], number] = rows["predicted"].map(code)
            scores = np.array([list(scores.values())[1:] for scores in rows["scores"]])
            probability[at[1], at[0], first : first + len(code) - 1] = scores
            first += len(code) - 1
        people = {name: number for number, name in enumerate(participants)}
        codes = np.array([people[owner[clip]] for clip in clips])
        return cls(labels, participants, codes, truth, predicted, probability)

    @property
    def signs(self) -> list[tuple[str, str]]:
        """(label, class) of every sign."""
        return [(label, level) for label, levels in self.labels.items() for level in levels[1:]]

    @property
    def complete(self) -> NDArray[np.bool_]:
        """(clip,) whether all labels were scored."""
        return (self.truth != UNSCORED).all(1)

    def present(self, codes: Codes) -> Array:
        """Signs of classes (..., label): 1 present, 0 absent, NaN not scored; (..., sign)."""
        numbers = [
            (number, code)
            for number, levels in enumerate(self.labels.values())
            for code in range(1, len(levels))
        ]
        label, code = np.array(numbers).T
        own = codes[..., label]
        present: Array = np.where(own == UNSCORED, np.nan, (own == code).astype(float))
        return present

    def metric(self, name: str, weights: Array) -> Array:
        """A metric in each resampled cohort.

        Parameters
        ----------
        name : str
            A key of `NAMES`.
        weights : (draw, participant) ndarray
            How often each participant counts.

        Returns
        -------
        (seed, draw) ndarray
            Values; NaN where undefined. F1, Jaccard index and AUC of a sign are undefined where all
            clips have it or none has, and a mean is over the signs with a value. The Jaccard index
            of a clip without a sign, true or predicted, is 1 [our choice].

        References
        ----------
        Zhang and Zhou 2014, IEEE Transactions on Knowledge and Data Engineering 26:1819 [P].
        """
        if name in ("exact_match", "hamming", "samples_jaccard"):
            numerator, denominator = self._counts[name]  # (seed, participant), (participant,)
            counted = weights @ denominator
            value: Array = np.divide(
                numerator @ weights.T,
                counted,
                out=np.full((len(numerator), len(weights)), np.nan),
                where=counted > 0,
            )
            return 1.0 - value if name == "hamming" else value
        over, _, measure = name.partition("_")
        if measure == "auc":
            return np.stack([self._auc(over, run, weights) for run in self._concordant])
        drawn = np.einsum("dp,spkij->sdkij", weights, self._confusion)
        found = f1(drawn.sum(2) if over == "micro" else drawn)  # (seed, draw) or (seed, draw, sign)
        if measure == "jaccard":  # |A and B| / |A or B| from F1 = 2 |A and B| / (|A| + |B|)
            found = found / (2 - found)
        return found if over == "micro" else macro(np.moveaxis(found, -1, 0))

    def observed(self, name: str) -> Array:
        """A metric in the cohort itself, (seed,)."""
        return self.metric(name, np.ones((1, len(self.participants))))[:, 0]

    def contributing(self, name: str) -> int:
        """Number of participants that contribute: those with all labels scored somewhere, or, where
        signs are counted, those with the rarest side of a sign (of all signs together).
        """
        if name in ("exact_match", "samples_jaccard"):
            return int((self._counts[name][1] > 0).sum())
        if name == "hamming":
            return len(self.participants)
        clips = self._confusion[0].sum(-1)  # (participant, sign, absent or present)
        clips = clips.sum(1, keepdims=True) if name.startswith("micro") else clips
        has = (clips > 0).sum(0)
        both = (has > 0).all(-1)
        return int(has[both].min()) if both.any() else 0

    def estimate(self, name: str, weights: Array) -> dict[str, Any]:
        """A metric, mean over seeds, with its 95 % interval over participants.

        Parameters
        ----------
        name : str
            A key of `NAMES`.
        weights : (draw, participant) ndarray
            Resampled cohorts (`draw_participants`).

        Returns
        -------
        dict
            As `estimate_json`.
        """
        value, people = float(self.observed(name).mean()), len(self.participants)
        bound = at_bound(value, 0.0, self.contributing(name)) if people > 1 else None
        return estimate_json(
            value,
            bound
            or bca_interval(
                value,
                self.metric(name, weights).mean(0),
                self.metric(name, leave_one_out(people)).mean(0),
                people,
            ),
        )

    @cached_property
    def _counts(self) -> dict[str, tuple[Array, Array]]:
        """Metric -> what is right by seed and participant, of how many by participant."""
        right = (self.predicted == self.truth) & (self.truth != UNSCORED)
        true, called = self.present(self.truth) == 1, self.present(self.predicted) == 1
        either = (true | called).sum(-1)
        jaccard = np.where(either > 0, (true & called).sum(-1) / np.maximum(either, 1), 1.0)
        whole = self.complete
        by_clip = {
            "exact_match": (whole * right.all(-1), whole),
            "hamming": (right.sum(-1), (self.truth != UNSCORED).sum(-1)),
            "samples_jaccard": (whole * jaccard, whole),
        }
        return {
            name: (np.stack([self._summed(run) for run in runs]), self._summed(of))
            for name, (runs, of) in by_clip.items()
        }

    def _summed(self, by_clip: Array) -> Array:
        return np.bincount(
            self.participant, np.asarray(by_clip, float), len(self.participants)
        ).astype(float)

    @cached_property
    def _confusion(self) -> Array:
        """Clips by seed, participant and sign: (seed, participant, sign, true, predicted)."""
        true, called = self.present(self.truth), self.present(self.predicted)
        return np.stack(
            [
                np.stack(
                    [
                        np.stack([self._summed(of) for of in ((true == t) & (run == p)).T])
                        for t, p in ((0, 0), (0, 1), (1, 0), (1, 1))
                    ],
                    axis=-1,
                ).swapaxes(0, 1)
                for run in called
            ]
        ).reshape(len(called), len(self.participants), true.shape[1], 2, 2)

    @cached_property
    def _concordant(self) -> Array:
        """Tables of `concordant_pairs`, (seed, sign + 1, participant, participant): of each sign,
        and of a sign's positive clips with the negative clips of all signs, summed over signs.
        """
        true = self.present(self.truth)
        people, signs = len(self.participants), true.shape[1]
        sign, codes = np.arange(signs), np.repeat(self.participant, signs)
        tables = []
        for run in self.probability:
            own = [concordant_pairs(true[:, k], run[:, k], self.participant, people) for k in sign]
            pooled = sum(
                concordant_pairs(
                    np.where((true == 1) & (sign != k), np.nan, true).ravel(),
                    run.ravel(),
                    codes,
                    people,
                )
                for k in sign
            )
            tables.append([*own, pooled])
        return np.array(tables)

    def _auc(self, over: str, concordant: Array, weights: Array) -> Array:
        clips = self._confusion[0].sum(-1)  # (participant, sign, absent or present)
        if over == "micro":
            negatives, positives = clips.sum(1).T
            return auc(concordant[-1], positives, negatives, weights)
        return macro(
            np.stack(
                [
                    auc(table, clips[:, k, 1], clips[:, k, 0], weights)
                    for k, table in enumerate(concordant[:-1])
                ]
            )
        )


def evaluate_jointly(predictions: pd.DataFrame, draws: int, seed: int) -> dict[str, Any] | None:
    """Multi-label metrics of each model that predicts two or more labels of the same clips.

    The tasks of a network with several heads, "task: label", are taken together; so are all others.

    Parameters
    ----------
    predictions : DataFrame
        Table of `read_predictions`.
    draws : int
        Number of resampled cohorts.
    seed : int
        Of the resampling, and of the permutations.

    Returns
    -------
    dict or None
        "rule", "chance", "names", "models": {name: {"model", "tasks" (label -> task), "clips",
        "complete" (clips with all labels), "participants", "signs" (each with "label", "level",
        "clips", "present" and "predicted" shares), "metrics" (name -> estimate), "cooccurrence"}}.
        The name is the model's, behind that of its task where it has several heads. None where no
        model has two labels of one clip.
    """
    results: dict[str, Any] = {}
    for group, rows in predictions.groupby(_groups(predictions), sort=False):
        heads, unseen = group
        for model, own in rows.groupby("model", sort=False):
            name = (f"{heads} / {model}" if heads else str(model)) + unseen
            if result := _evaluate_model(own, draws, seed):
                results[name] = {"model": str(model)} | result
    return {"rule": RULE, "chance": CHANCE, "names": NAMES, "models": results} if results else None


def _groups(predictions: pd.DataFrame) -> pd.Series:
    """(task of several heads or nothing, suffix of the unseen test set) of each row."""
    groups = {}
    for task, label in {*zip(predictions["task"], predictions["label"])}:
        seen = task.removesuffix(TEST_SET)
        heads = seen.removesuffix(label_task("", label))
        groups[task] = heads if heads != seen else "", TEST_SET if seen != task else ""
    return predictions["task"].map(groups)


def _evaluate_model(rows: pd.DataFrame, draws: int, seed: int) -> dict[str, Any] | None:
    tasks: dict[str, str] = {}
    for task, label in rows[["task", "label"]].drop_duplicates().itertuples(index=False):
        tasks.setdefault(str(label), str(task))
    by_label = {label: rows[rows["task"] == task] for label, task in tasks.items()}
    if len(tasks) < 2 or rows.groupby("clip_id")["label"].nunique().max() < 2:
        return None
    seeds = set.intersection(*(set(own["seed"]) for own in by_label.values()))
    if not seeds:
        return None
    by_label = {label: own[own["seed"].isin(seeds)] for label, own in by_label.items()}
    model = MultiLabel.of(by_label)
    weights = draw_participants(len(model.participants), draws, seed)
    true, called = model.present(model.truth), model.present(model.predicted)
    return {
        "tasks": tasks,
        "clips": len(model.truth),
        "complete": int(model.complete.sum()),
        "participants": len(model.participants),
        "signs": [
            {
                "label": label,
                "level": level,
                "clips": int(np.isfinite(true[:, k]).sum()),
                "present": float(np.nanmean(true[:, k])),
                "predicted": float(np.nanmean(called[..., k])),
            }
            for k, (label, level) in enumerate(model.signs)
        ],
        "metrics": {name: model.estimate(name, weights) for name in NAMES},
        "cooccurrence": cooccurrence(model.signs, true, called, model.participant, seed=seed),
    }
