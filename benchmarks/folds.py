"""Many folds at once beside fold by fold: the same ten folds of one small cohort trained both ways
in one run, by turns.

On the processor with two threads in one process (a), and beside two processes of one thread each,
which is what `--jobs 2` does (b); on a GPU where there is one. Time spans training and scoring of
all folds, data included.
"""

import statistics
import sys
import time
from collections.abc import Callable

import joblib
import numpy as np
import torch
from record import record
from wrist_folds import NETWORKS, PEOPLE, make_cohort, train

ROUNDS, CLOSE, TIMES = 3, 0.005, 8


def two_jobs(name: str, *, together: bool) -> list[np.ndarray]:
    """Two processes of one thread: a fold at a time each, or half of all folds at once each."""
    everybody = list(range(PEOPLE))
    bundles = [everybody[0::2], everybody[1::2]] if together else [[person] for person in everybody]
    calls = (
        joblib.delayed(train)(name, bundle, "cpu", together=together, threads=1)
        for bundle in bundles
    )
    done = joblib.Parallel(n_jobs=2)(calls)
    found = {
        person: rows
        for bundle, probabilities in zip(bundles, done)
        for person, rows in zip(bundle, probabilities)
    }
    return [found[person] for person in everybody]


def by_turns(ways: dict[str, Callable[[], list[np.ndarray]]]) -> tuple[dict[str, float], float]:
    """Median seconds of each way, and the largest difference between probabilities of any two; a
    first round, not counted, warms up.
    """
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    found = {way: run() for way, run in ways.items()}
    for _ in range(ROUNDS):
        for way, run in ways.items():
            began = time.perf_counter()
            run()
            seconds[way].append(time.perf_counter() - began)
    first, *others = [np.concatenate(probabilities) for probabilities in found.values()]
    apart = max(float(np.abs(first - other).max()) for other in others)
    return {way: statistics.median(took) for way, took in seconds.items()}, apart


def main() -> int:
    make_cohort()
    everybody, figures, apart, ratios = list(range(PEOPLE)), {}, 0.0, {}
    for name in NETWORKS:
        seconds, difference = by_turns(
            {
                "fold by fold, two threads": lambda name=name: train(
                    name, everybody, "cpu", together=False, threads=2
                ),
                "at once, two threads": lambda name=name: train(
                    name, everybody, "cpu", together=True, threads=2
                ),
                "fold by fold, two processes": lambda name=name: two_jobs(name, together=False),
                "at once, two processes": lambda name=name: two_jobs(name, together=True),
            }
        )
        one, many, jobs, both = seconds.values()
        ratios[name] = {"a": one / many, "b": jobs / many, "both": jobs / both}
        figures[name] = {
            "seconds": seconds,
            "ratios": ratios[name],
            "largest_difference": difference,
        }
        apart = max(apart, difference)
        for way, took in seconds.items():
            print(f"{name:<6}{way:<30}{took:7.2f} s", flush=True)
        print(f"{name:<6}{'largest difference':<30}{difference:9.1e}")
        if torch.cuda.is_available():
            seconds, _ = by_turns(
                {
                    way: lambda name=name, together=together: train(
                        name, everybody, "gpu", together=together, threads=2
                    )
                    for way, together in (("fold by fold, GPU", False), ("at once, GPU", True))
                }
            )
            one, many = seconds.values()
            figures[name]["gpu"] = {"seconds": seconds, "ratio": one / many}
            print(f"{name:<6}{'GPU: at once':<30}{one / many:7.1f} times as fast")
    gpu = [found["gpu"]["ratio"] for found in figures.values() if "gpu" in found]
    words = ", ".join(
        f"{name} {r['a']:.2f} (two threads), {r['b']:.2f} (beside two jobs)"
        for name, r in ratios.items()
    )
    return record(
        "folds",
        figures,
        f"probabilities within {CLOSE} of fold by fold; on a GPU {TIMES} times as fast",
        apart <= CLOSE and min(gpu, default=TIMES) >= TIMES,
        headline=(
            f"ten folds at once: {words} times as fast;"
            f" {'GPU ' + format(min(gpu), '.1f') if gpu else 'no GPU here'}; largest difference"
            f" {apart:.1e}"
        ),
        seed=0,
    )


if __name__ == "__main__":
    sys.exit(main())
