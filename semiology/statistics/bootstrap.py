"""Uncertainty over participants: whole participants are drawn with replacement, because the clips of one are not independent."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from semiology.statistics.metrics import Array, auc, confusion_table, from_confusion, pairs_won

LEVEL = 95  # per cent


@dataclass(frozen=True)
class Counts:
    """What one model got right and wrong in one task, summed by participant: all that its metrics depend on.

    Attributes:
        participants: (participant,) in alphabetical order, so that two models of a task have the same.
        seeds: (seed,) the runs.
        confusion: (seed, participant, truth, predicted) numbers of clips.
        won: (seed, participant, participant) of `pairs_won`; None where the label has more than two levels.
    """

    participants: tuple[str, ...]
    seeds: tuple[int, ...]
    confusion: Array
    won: Array | None

    @classmethod
    def of(cls, rows: pd.DataFrame, levels: list[str]) -> "Counts":
        """Count the rows of one task and one model."""
        participants = tuple(sorted(rows["participant_id"].unique()))
        seeds = tuple(sorted(int(seed) for seed in rows["seed"].unique()))
        code = {level: number for number, level in enumerate(levels)}
        place = {participant: number for number, participant in enumerate(participants)}
        confusion = np.zeros((len(seeds), len(participants), len(levels), len(levels)))
        won = np.zeros((len(seeds), len(participants), len(participants)))
        for number, seed in enumerate(seeds):
            run = rows[rows["seed"] == seed]
            truth, predicted = run["truth"].map(code).to_numpy(), run["predicted"].map(code).to_numpy()
            participant = run["participant_id"].map(place).to_numpy()
            for who in range(len(participants)):
                confusion[number, who] = confusion_table(truth[participant == who], predicted[participant == who], len(levels))
            if len(levels) == 2:
                won[number] = pairs_won(truth, run["score"].to_numpy(), participant, len(participants))
        return cls(participants, seeds, confusion, won if len(levels) == 2 else None)

    def metric(self, name: str, weights: Array) -> Array:
        """(seed, draw) values of a metric where each participant counts `weights` (draw, participant) times."""
        if name != "auc":
            return from_confusion(name, np.einsum("dp,sptq->sdtq", weights, self.confusion))
        assert self.won is not None, "AUC needs two levels"
        clips = self.confusion[0].sum(-1)  # (participant, truth), the same for every seed
        return np.stack([auc(won, clips[:, 1], clips[:, 0], weights) for won in self.won])

    def observed(self, name: str) -> Array:
        """(seed,) values in the cohort itself."""
        return self.metric(name, np.ones((1, len(self.participants))))[:, 0]


def draw_participants(participants: int, draws: int, seed: int) -> Array:
    """(draw, participant) how often each participant is in each resampled cohort of the same size; each row sums to `participants`."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(participants, np.full(participants, 1 / participants), size=draws).astype(float)


@dataclass(frozen=True)
class Interval:
    """Percentile interval of the values in resampled cohorts.

    Attributes:
        low, high: 2.5th and 97.5th percentile; NaN with a `reason` where no interval is given.
        degenerate: resampled cohorts in which the metric has no value (only one level was drawn); they are left out.
    """

    low: float
    high: float
    degenerate: int
    reason: str = ""


def interval(values: Array, participants: int) -> Interval:
    """95 % percentile interval (Efron) of the values in resampled cohorts of so many participants.

    With few participants the percentile interval is somewhat too narrow, and where every clip was named rightly it has no width at all:
    that is what the resampling can see, not certainty. No interval is given for a single participant, nor where half of the resampled
    cohorts or more have no value [our choice].
    """
    degenerate = int(np.isnan(values).sum())
    if participants < 2:
        return Interval(np.nan, np.nan, degenerate, "one participant only")
    if 2 * degenerate >= len(values):
        return Interval(np.nan, np.nan, degenerate, f"{degenerate} of {len(values)} resampled cohorts have one level only")
    tail = (100 - LEVEL) / 2
    low, high = np.nanpercentile(values, [tail, 100 - tail])
    return Interval(float(low), float(high), degenerate)
