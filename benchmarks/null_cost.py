"""What the permutation null and the intervals of a table cost, beside the loops that they stand
for, in one run.

- The null of the linear model (`LosoRidge.permutation_test`): 1,000 permutations of labels.
  Literally: for each exchange every fold is fitted again and the AUC taken by scikit-learn.
- Intervals of two signs by three models, eleven metrics, and their comparisons (`evaluate`, 2,000
  resampled cohorts). Literally, and for the AUC alone: each resampled cohort put together clip by
  clip and evaluated by scikit-learn.

For 19 participants with two clips each, the paper's size, and 250. The literal loops do fewer
rounds, in turn with ours, and are compared by the round. The null of a network costs its folds, N
times: see `table1` for what a fold takes.
"""

import sys
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from record import record
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from semiology.evaluation.statistics.intervals import draw_participants
from semiology.evaluation.statistics.permutation import LosoRidge, permute_labels
from semiology.evaluation.statistics.results import evaluate

CLIPS, FEATURES = 2, 20
PERMUTATIONS, DRAWS = 1000, 2000
LITERAL = {
    19: (20, 200),
    250: (2, 100),
}  # participants -> permutations and draws of the literal loops
MODELS, TASKS = ("agcn", "tcn", "agcn_kd"), ("dystonia (pose)", "emotion (face)")
SEED = 7
TARGET = 60  # s


def main() -> int:
    sizes = {people: measured(people, *literal) for people, literal in LITERAL.items()}
    for people, found in sizes.items():
        for what in ("null", "intervals"):
            seconds, literal, ratio = found[what].values()
            print(
                f"{people * CLIPS} clips, {what}: {seconds:.2f} s, literally {literal:.0f} s, ratio"
                f" {ratio:.0f}"
            )
    most = sizes[max(sizes)]
    slowest = max(most["null"]["seconds"], most["intervals"]["seconds"])
    return record(
        "null-cost",
        {
            "sizes": {str(people): found for people, found in sizes.items()},
            "permutations": PERMUTATIONS,
            "draws": DRAWS,
        },
        f"null of the linear model and intervals of {max(sizes) * CLIPS} clips under {TARGET} s"
        " each, faster than the loops [our choice]",
        slowest < TARGET
        and all(
            found[what]["ratio"] > 1 for found in sizes.values() for what in ("null", "intervals")
        ),
        headline=", ".join(
            f"{people * CLIPS} clips: null {found['null']['seconds']:.2f} s"
            f" ({found['null']['ratio']:.0f} times the loop), intervals"
            f" {found['intervals']['seconds']:.2f} s ({found['intervals']['ratio']:.0f})"
            for people, found in sizes.items()
        ),
        seed=SEED,
    )


def measured(people: int, permutations: int, draws: int) -> dict[str, dict[str, float]]:
    rng = np.random.default_rng(SEED)
    who = np.array([f"p{number:03d}" for number in np.repeat(np.arange(people), CLIPS)])
    features, labels = (
        rng.normal(size=(len(who), FEATURES)),
        np.repeat(rng.permutation(people) < people // 2, CLIPS).astype(int),
    )
    table = predictions(who, labels, rng)
    null = interleaved(
        lambda: LosoRidge(features, who).permutation_test(labels, "auc", PERMUTATIONS, seed=SEED),
        lambda: null_literally(features, who, labels, permutations),
    )
    intervals = interleaved(
        lambda: evaluate(table, draws=DRAWS), lambda: intervals_literally(table, draws)
    )
    return {
        "null": by_round(*null, PERMUTATIONS / permutations),
        "intervals": by_round(*intervals, DRAWS / draws),
    }


def interleaved(ours: Callable[[], object], literal: Callable[[], object]) -> tuple[float, float]:
    """Seconds of ours (median of three) and of the literal loop (between them)."""
    seconds = [spent(call) for call in (ours, literal, ours, literal, ours)]
    return float(np.median(seconds[::2])), float(np.median(seconds[1::2]))


def by_round(ours: float, literal: float, rounds: float) -> dict[str, float]:
    return {"seconds": ours, "literal_s": literal * rounds, "ratio": literal * rounds / ours}


def spent(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def null_literally(
    features: np.ndarray, who: np.ndarray, labels: np.ndarray, permutations: int
) -> list[float]:
    rng, null = np.random.default_rng(SEED), []
    for _ in range(permutations):
        permuted = permute_labels(who, labels, rng)
        scores = np.empty(len(permuted))
        for held_out in np.unique(who):
            test = who == held_out
            scaler = StandardScaler().fit(features[~test])
            model = Ridge(alpha=1.0).fit(scaler.transform(features[~test]), 2 * permuted[~test] - 1)
            scores[test] = model.predict(scaler.transform(features[test]))
        null.append(float(roc_auc_score(permuted, scores)))
    return null


def intervals_literally(table: pd.DataFrame, draws: int) -> list[float]:
    found = []
    for _, rows in table.groupby(["task", "model"], sort=False):
        truth, score = (rows["truth"] == "present").to_numpy(), rows["score"].to_numpy()
        clips = list(rows.groupby("participant_id").indices.values())
        for times in draw_participants(len(clips), draws, SEED).astype(int):
            drawn = np.concatenate([own for own, count in zip(clips, times) for _ in range(count)])
            found.append(
                float(roc_auc_score(truth[drawn], score[drawn]))
                if len(set(truth[drawn])) == 2
                else np.nan
            )
    return found


def predictions(who: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """A table of `read_predictions` whose scores follow the labels loosely."""
    levels, rows = ("absent", "present"), []
    for task in TASKS:
        for model in MODELS:
            for number, (person, label) in enumerate(zip(who, labels)):
                clip_id, score = (
                    f"{person}_{number % CLIPS}",
                    float(1 / (1 + np.exp(-rng.normal(label)))),
                )
                shared = {
                    "task": task,
                    "label": task,
                    "stream": "pose",
                    "model": model,
                    "seed": 0,
                    "fold": person,
                    "clip_id": clip_id,
                }
                row = {
                    "truth": levels[label],
                    "predicted": levels[score > 0.5],
                    "score": score,
                    "scores": dict(zip(levels, (1 - score, score))),
                }
                rows.append(
                    {
                        **shared,
                        "participant_id": person,
                        **row,
                        "recording_id": clip_id,
                        "calibrated": None,
                        "plausible": None,
                    }
                )
    return pd.DataFrame(rows)


if __name__ == "__main__":
    sys.exit(main())
