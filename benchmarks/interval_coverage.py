"""Do 95 % intervals over participants hold the true value in 95 of 100 cohorts? Simulated cohorts,
whose true values are known.

A cohort: participants with the sign or without, 1 to 6 clips each (median 2), a participant effect
and a clip effect on the score, so that clips of one participant resemble each other. The interval
is the one that `evaluate` gives; the plain percentile bootstrap, from the same resampled cohorts,
stands beside it. The true value is that of 200,000 participants.

The settings were fixed on other seeds than the one that is run here.
"""

import argparse
import sys
from dataclasses import dataclass

import numpy as np
from record import record

from semiology.evaluation.statistics.comparison import estimate
from semiology.evaluation.statistics.intervals import (
    difference_interval,
    draw_participants,
    interval,
)
from semiology.evaluation.statistics.metrics import (
    auc_of_rows,
    average_precision,
    brier,
    confusion_matrix,
    from_confusion,
    metric_names,
)
from semiology.evaluation.statistics.out_of_fold import OutOfFold

DRAWS = 2000
LOW, HIGH = 0.93, 0.97
CLIPS = ([1, 2, 3, 4, 5, 6], [0.3, 0.3, 0.17, 0.11, 0.07, 0.05])
METRICS = metric_names(2)


@dataclass(frozen=True)
class Setting:
    """How cohorts are drawn.

    Attributes:
        strength: distance of the mean scores with and without the sign; a clip's spread is 1.
        alike: share of the score's variance that the clips of a participant have in common.
        prevalence: chance that a participant has the sign; `exactly`: the same number has it in
            every cohort.
        mixed: fraction of clips whose truth is drawn independently, whatever the participant's.
    """

    participants: int = 19
    strength: float = 1.7
    alike: float = 0.5
    prevalence: float = 9 / 19
    exactly: bool = False
    mixed: float = 0.0


MAIN = "19 participants, about 9 with the sign"
SETTINGS = {
    MAIN: Setting(),
    "exactly 9 of 19 with the sign": Setting(exactly=True),
    "labels vary within participants": Setting(mixed=0.4),
    "clips of one very alike": Setting(alike=0.8),
    "weak model": Setting(strength=0.9),
    "strong model": Setting(strength=2.3),
    "nearly perfect model": Setting(strength=3.0),
    "about 4 of 19 with the sign": Setting(prevalence=4 / 19),
    "10 participants": Setting(participants=10),
    "40 participants": Setting(participants=40),
}
WEAKER = 1.1  # strength of the second model, where two are compared


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument(
        "--cohorts",
        type=int,
        default=1000,
        help="in the main setting; 3 in 10 of them in the others",
    )
    arguments = parser.parse_args()
    figures: dict[str, object] = {"draws": DRAWS}
    print(
        f"covered, %: interval of `evaluate` (plain percentile bootstrap); {DRAWS} resampled"
        " cohorts each\n"
    )
    print(f"{'':<34}" + "".join(f"{name.replace('_', ' ')[:12]:>14}" for name in METRICS))
    for number, (name, setting) in enumerate(SETTINGS.items()):
        cohorts = arguments.cohorts if name == MAIN else 3 * arguments.cohorts // 10
        figures[name] = found = covered(
            setting, cohorts, np.random.default_rng([arguments.seed, number])
        )
        print(
            f"{name:<34}"
            + "".join(
                f"{100 * ours:>7.1f} ({100 * plain:.0f})".rjust(14)
                for ours, plain in found.values()
            ),
            flush=True,
        )
    figures["difference of two models"] = found = covered_difference(
        arguments.cohorts, np.random.default_rng([arguments.seed, 99])
    )
    print(
        f"{'difference of two models':<34}"
        + "".join(
            f"{100 * ours:>7.1f} ({100 * plain:.0f})".rjust(14) for ours, plain in found.values()
        )
    )
    tested = {**figures[MAIN], **{f"difference in {name}": value for name, value in found.items()}}
    outside = {name: ours for name, (ours, _) in tested.items() if not LOW <= ours <= HIGH}
    missed = ", ".join(f"{name} {100 * ours:.1f} %" for name, ours in outside.items())
    return record(
        "interval-coverage",
        figures,
        f"95 % intervals cover {100 * LOW:.0f} to {100 * HIGH:.0f} % in {arguments.cohorts} cohorts"
        " of 19: every metric, every difference",
        not outside,
        headline=f"{len(tested) - len(outside)} of {len(tested)} do"
        + (f"; not {missed}" if missed else ""),
        seed=arguments.seed,
    )


def covered(
    setting: Setting, cohorts: int, rng: np.random.Generator
) -> dict[str, tuple[float, float]]:
    """metric -> shares of cohorts whose interval holds the true value, ours and the percentile's;
    cohorts without an interval left out.
    """
    scores, truth, _ = draw(setting, rng, 200_000)
    true = true_values(truth, scores[0])
    hits: dict[str, list[tuple[float, float]]] = {name: [] for name in METRICS}
    for _ in range(cohorts):
        model = drawn_models(setting, rng)[0]
        weights = draw_participants(setting.participants, DRAWS, int(rng.integers(2**31)))
        for name in METRICS:
            ours = estimate(model, name, weights)
            plain = interval(model.metric(name, weights)[0], setting.participants)
            if ours["low"] is not None:
                hits[name].append(
                    (
                        holds(ours["low"], ours["high"], true[name]),
                        holds(plain.low, plain.high, true[name]),
                    )
                )
    return {name: tuple(np.mean(found, axis=0)) for name, found in hits.items()}


def covered_difference(cohorts: int, rng: np.random.Generator) -> dict[str, tuple[float, float]]:
    """As `covered`, for the difference of the main setting's model and a weaker one that shares
    half of its effects.
    """
    setting = SETTINGS[MAIN]
    scores, truth, _ = draw(setting, rng, 200_000)
    first, second = (true_values(truth, run) for run in scores)
    hits: dict[str, list[tuple[float, float]]] = {name: [] for name in METRICS}
    for _ in range(cohorts):
        a, b = drawn_models(setting, rng)
        people = setting.participants
        weights = draw_participants(people, DRAWS, int(rng.integers(2**31)))
        for name in METRICS:
            value, drawn = (
                (a.metric(name, rows) - b.metric(name, rows))[0]
                for rows in (np.ones((1, people)), weights)
            )
            ours, plain = (
                difference_interval(float(value[0]), drawn, people),
                interval(drawn, people),
            )
            if np.isfinite(ours.low):
                true = first[name] - second[name]
                hits[name].append(
                    (holds(ours.low, ours.high, true), holds(plain.low, plain.high, true))
                )
    return {name: tuple(np.mean(found, axis=0)) for name, found in hits.items()}


def draw(
    setting: Setting, rng: np.random.Generator, people: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(model, clip) scores of the setting's model and of the weaker one, (clip,) truth, (clip,)
    participant.
    """
    clips = rng.choice(CLIPS[0], size=people, p=CLIPS[1])
    has = rng.random(people) < setting.prevalence
    if setting.exactly:
        has = rng.permutation(people) < round(setting.prevalence * people)
    participant = np.repeat(np.arange(people), clips)
    truth = has[participant]
    redrawn = rng.random(len(truth)) < setting.mixed
    truth = np.where(redrawn, rng.random(len(truth)) < setting.prevalence, truth).astype(int)

    def effects() -> np.ndarray:
        own = np.sqrt(setting.alike) * rng.normal(size=people)[participant]
        return own + np.sqrt(1 - setting.alike) * rng.normal(size=len(truth))

    shared = effects()
    strong = setting.strength * (truth - 0.5) + shared
    weak = WEAKER * (truth - 0.5) + np.sqrt(0.5) * shared + np.sqrt(0.5) * effects()
    return np.stack([strong, weak]), truth, participant


def drawn_models(setting: Setting, rng: np.random.Generator) -> list[OutOfFold]:
    """A cohort's out-of-fold predictions by both models; scores are logits of probabilities."""
    scores, truth, participant = draw(setting, rng, setting.participants)
    names, models = tuple(f"{number:03d}" for number in range(setting.participants)), []
    for run in scores:
        probability = 1 / (1 + np.exp(-run))
        levels = np.stack([1 - probability, probability], -1)
        models.append(
            OutOfFold(names, (0,), participant, truth, (run > 0).astype(int)[None], levels[None])
        )
    return models


def true_values(truth: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """Every metric in a cohort so large that nothing is left to chance."""
    probability = 1 / (1 + np.exp(-scores))
    others = {
        "auc": auc_of_rows(truth[None], scores)[0],
        "average_precision": average_precision(truth, scores, np.ones((1, len(truth))))[0],
        "brier": brier(truth, np.stack([1 - probability, probability], -1)).mean(),
    }
    table = confusion_matrix(truth, scores > 0, 2)
    return {
        name: float(others[name] if name in others else from_confusion(name, table))
        for name in METRICS
    }


def holds(low: float, high: float, value: float) -> bool:
    return low - 1e-9 <= value <= high + 1e-9


if __name__ == "__main__":
    sys.exit(main())
