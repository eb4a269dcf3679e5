"""Control tasks: what the same probe makes of labels that mean nothing, and how much a layer knows
of who the patient is.

Source: Hewitt and Liang, Designing and Interpreting Probes with Control Tasks, EMNLP 2019 (random
labels, selectivity).
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from semiology.errors import UserError
from semiology.experiments.probe.features import Features
from semiology.experiments.probe.linear import (
    ModelName,
    check_levels,
    check_permutations,
    clip_parts,
    coded,
    make_splits,
    predict_targets,
    shared_clips,
)
from semiology.experiments.probe.result import Drawn, ProbeResult, evaluated, metric, metric_names


@dataclass(frozen=True)
class RandomLabels:
    """A probe's scores on random labels.

    Attributes:
        to: what the labels were assigned to.
        metric: which score, the same as the probe's.
        values: (repeat,) one for each random assignment.
    """

    to: str
    metric: str
    values: np.ndarray

    @property
    def mean(self) -> float:
        """Mean score over the random assignments."""
        return float(self.values.mean())

    def selectivity(self, result: ProbeResult) -> float:
        """The probe's score minus its mean score on random labels."""
        return result.score - self.mean


def random_labels(
    features: Features,
    target: pd.Series,
    to: Literal["clip", "participant"] = "clip",
    model: ModelName = "ridge",
    repeats: int = 20,
    seed: int = 0,
) -> RandomLabels:
    """Scores of the same probe on the target's values assigned at random.

    Assigned to clips, the probe is tested on participants left out, as the real one: whatever it
    reaches is reached without meaning. Dealt to participants, all clips of one get the same value
    and the probe is tested on other clips of the same people: it can only be right by recognising
    them, and reaches as much as a label that follows the person would without any sign being seen.

    Args:
        features: of one layer, per clip.
        target: whose values are assigned.
        to: "clip" or "participant".
        model: as of the probe.
        repeats: random assignments.
        seed: of the assignments.

    Raises:
        UserError: as `linear_probe`.
    """
    clips, owners, truth = shared_clips(features, target)
    codes, levels = coded(truth)
    by: Literal["clip", "participant"] = "participant" if to == "clip" else "clip"
    check_levels(codes, [], owners, by)
    rng = np.random.default_rng(seed)
    assigned = [_assigned(codes, owners, to, rng) for _ in range(repeats)]
    drawn = predict_targets(
        make_splits(features, clips, owners, by, None, seed, codes),
        np.stack(assigned),
        levels,
        model,
    )
    there = np.isfinite(drawn.scores[0]).any(axis=1)
    name = metric_names(levels)[0]
    values = [
        metric(name, labels[there], scores[there], len(levels))
        for labels, scores in zip(drawn.targets, drawn.scores)
    ]
    return RandomLabels(to, name, np.array(values))


def identity_probe(
    features: Features,
    clip_ids: list[str] | None = None,
    balance: pd.Series | None = None,
    among: Literal["everybody", "trained on"] = "everybody",
    model: ModelName = "ridge",
    permutations: int = 200,
    draws: int = 2000,
    seed: int = 0,
) -> ProbeResult:
    """How well the layer identifies the patient: the participant as the target, tested on clips
    that the probe was not fitted on.

    Every participant's clips are divided in five parts at most; a probe fitted on the other parts
    names the participant of each clip. Features with folds keep to them, in one of two ways:

    - among="everybody": a participant is only looked for in the layer of the model that never saw
      this participant, among all. This includes whether the model had met the person: who was held
      out alone may stand out in the layer for that reason.
    - among="trained on": in each fold's layer all clips of the participants that its model was
      trained on, among these; the clips of all folds count alike. All were met, so that only who
      they are can tell them apart: this is the fair one.

    The null assigns the names to the clips of each part at random, to clips of one level of
    `balance` among themselves; guessing is right in 1 of as many as there are participants to
    choose from (`guessing`). Where no model was held out from anybody (features without folds),
    both ways are the same.

    Args:
        features: of one layer, per clip.
        clip_ids: only these clips; by default all.
        balance: clip_id -> what else the layer may know of a clip, its action for example; the
            parts hold its levels alike.
        among: "everybody" or "trained on".
        model: "ridge" or "logistic".
        permutations, draws, seed: as of `linear_probe`.

    Raises:
        UserError: permutations below 0, a participant with a single clip, or one participant only.
    """
    check_permutations(permutations)
    owned = features.table.drop_duplicates("clip_id").set_index("clip_id")["participant_id"]
    wanted = [str(clip) for clip in owned.index] if clip_ids is None else clip_ids
    levels = sorted({str(who) for who in owned.loc[wanted]})
    apart = among == "trained on" and features.by_fold
    spaces = (
        [_trained_on(part, features) for _, part in features.table.groupby("fold")]
        if apart
        else [features]
    )
    named, tested, owners, guessing = [], [], [], []
    for number, space in enumerate(spaces):
        there = set(space.table["clip_id"])
        clips = [clip for clip in wanted if clip in there]
        drawn, own = _name(space, clips, levels, balance, model, permutations, seed + number)
        named.append(drawn)
        tested += clips
        owners.append(own)
        guessing += [1 / len(set(own))] * len(clips)
    drawn = Drawn(
        np.concatenate([drawn.targets for drawn in named], axis=1),
        np.concatenate([drawn.scores for drawn in named], axis=1),
        [penalty for drawn in named for penalty in drawn.penalties],
    )
    everybody = np.concatenate(owners)
    result = evaluated(
        drawn,
        features,
        "participant_id",
        tested,
        everybody,
        levels,
        by="clip",
        model=model,
        draws=draws,
        seed=seed,
    )
    return replace(result, guessing=float(np.mean(guessing)))


def _trained_on(fold: pd.DataFrame, features: Features) -> Features:
    """One fold's features of the participants that its model was trained on, as a space of its
    own.
    """
    unmet = set(fold.loc[fold["held_out"], "participant_id"])
    return Features(
        features.layer,
        fold[~fold["participant_id"].isin(unmet)].drop(columns=["fold", "held_out"]),
        features.seen,
    )


def _name(
    features: Features,
    clip_ids: list[str],
    levels: list[str],
    balance: pd.Series | None,
    model: ModelName,
    permutations: int,
    seed: int,
) -> tuple[Drawn, np.ndarray]:
    """Scores of every participant (level) for these clips, observed and permuted, and whose they
    are; clips in the order given.
    """
    owned = features.table.drop_duplicates("clip_id").set_index("clip_id")["participant_id"]
    owners = owned.loc[clip_ids].to_numpy(str)
    if len(set(owners)) < 2:
        raise UserError(f"layer {features.layer}: one participant only; identity needs two or more")
    check_levels(np.empty(0), [], owners, "clip")
    codes = np.array([levels.index(owner) for owner in owners], float)
    rng = np.random.default_rng(seed)
    strata = (
        np.zeros(len(clip_ids), int)
        if balance is None
        else pd.factorize(balance.reindex(clip_ids), sort=True)[0]
    )
    parts = clip_parts(
        owners, strata, None, seed
    )  # names stay in their part: the null is divided as evenly as the clips are
    targets = np.stack(
        [
            codes,
            *(
                _shuffled_within(codes, strata * (parts.max() + 1) + parts, rng)
                for _ in range(permutations)
            ),
        ]
    )
    return (
        predict_targets(
            make_splits(features, clip_ids, owners, "clip", None, seed, strata),
            targets,
            levels,
            model,
        ),
        owners,
    )


def _shuffled_within(codes: np.ndarray, strata: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    shuffled = codes.copy()
    for stratum in np.unique(strata):
        shuffled[strata == stratum] = rng.permutation(codes[strata == stratum])
    return shuffled


def _assigned(
    codes: np.ndarray, owners: np.ndarray, to: str, rng: np.random.Generator
) -> np.ndarray:
    """The values in random order over clips, or one drawn from them for each participant."""
    if to == "clip":
        return rng.permutation(codes)
    names, number = np.unique(owners, return_inverse=True)
    while (
        len(set(drawn := rng.choice(codes, len(names)))) < 2
    ):  # one value for everybody would be no task
        pass
    return drawn[number]
