"""How often intervals of raters' agreement hold the truth, and how often an order of signs is found
where there is none: by participant, and with every recording taken as a participant.

Cohorts are drawn from a known population in which recordings of one participant are alike: how
late the second rater is, how often he misses the sign, and which of two signs comes first. The
truth is the figure of a cohort of 4,000 participants.
"""

import sys
from dataclasses import replace

import numpy as np
from record import record

from semiology.data.events import Event
from semiology.timeline.events.agreement import agree_events
from semiology.timeline.events.order import order_of_signs
from semiology.timeline.events.raters import Raters

SEED = 4
LENGTH = 120.0  # s, of a recording
PEOPLE, RECORDINGS = 20, 3
COHORTS, DRAWS, LARGE = 200, 400, 4_000
NIGHTS, PATIENTS, SEIZURES = 400, 12, 4  # cohorts, participants, seizures of each
FIGURES = ("time_kappa", "time_ac1", "time_positive_agreement", "event_agreement", "onset_median")
LEAST, MOST = 0.88, 0.072  # coverage; share of p below 0.05, two standard errors above 5 %

Marks = dict[str, list[Event]]


def main() -> int:
    """Both simulations."""
    rng = np.random.default_rng(SEED)
    true = values(raters(rated(LARGE, rng)))
    held: dict[str, list[tuple[bool, bool]]] = {name: [] for name in FIGURES}
    for _ in range(COHORTS):
        cohort = raters(rated(PEOPLE, rng))
        for found in zip(*(intervals(one) for one in (cohort, by_recording(cohort)))):
            name = found[0][0]
            held[name].append(
                (found[0][1] <= true[name] <= found[0][2], found[1][1] <= true[name] <= found[1][2])
            )
    coverage = {name: np.mean(hits, axis=0).tolist() for name, hits in held.items()}
    for name, (ours, naive) in coverage.items():
        print(
            f"{name}: truth {true[name]:.3f}, held by {ours:.3f} by participant, {naive:.3f} by"
            " recording"
        )
    false = found_orders(rng)
    print(f"order: p < 0.05 in {false[0]:.3f} by participant, {false[1]:.3f} by seizure")
    worst = min(ours for ours, _ in coverage.values())
    return record(
        "raters",
        {
            "truth": true,
            "coverage_by_participant": {name: ours for name, (ours, _) in coverage.items()},
            "coverage_by_recording": {name: naive for name, (_, naive) in coverage.items()},
            "order_found_by_participant": false[0],
            "order_found_by_seizure": false[1],
            "cohorts": COHORTS,
            "participants": PEOPLE,
        },
        f"95 % intervals hold the truth in {LEAST:.0%} of cohorts or more; an order that is not"
        f" there is found in {MOST:.1%} or fewer",
        worst >= LEAST and false[0] <= MOST,
        headline=f"{worst:.3f} at least; {false[0]:.3f}",
        seed=SEED,
    )


def rated(people: int, rng: np.random.Generator) -> tuple[Marks, Marks]:
    """One sign of 20 s or so in each recording; the second rater is late by some seconds (sd 2
    between participants, 0.5 within) and misses some, of some participants most.
    """
    first: Marks = {}
    second: Marks = {}
    for person in range(people):
        late, lasts, misses = rng.normal(1, 2), 20 * np.exp(0.4 * rng.normal()), rng.beta(0.3, 1.2)
        for number in range(RECORDINGS):
            name, onset = f"p{person}_{number}", rng.uniform(20, 40)
            delay = late + 0.5 * rng.normal()
            first[name] = [Event(onset, lasts, "tonic")]
            second[name] = [] if rng.random() < misses else [Event(onset + delay, lasts, "tonic")]
    return first, second


def raters(marks: tuple[Marks, ...]) -> Raters:
    """Raters 0, 1, ... without files."""
    clips = list(marks[0])
    return Raters(
        {str(number): own for number, own in enumerate(marks)},
        dict.fromkeys(clips, LENGTH),
        {clip_id: clip_id.partition("_")[0] for clip_id in clips},
        "",
        [],
    )


def by_recording(found: Raters) -> Raters:
    """The same with every recording a participant of its own."""
    return replace(found, participants={clip_id: clip_id for clip_id in found.lengths})


def values(found: Raters) -> dict[str, float]:
    """Figure -> value."""
    rows, _ = agree_events(found, draws=0)
    return {row["figure"]: row["value"] for row in rows if row["figure"] in FIGURES}


def intervals(found: Raters) -> list[tuple[str, float, float]]:
    """Figure, low, high."""
    rows, _ = agree_events(found, draws=DRAWS)
    return [(row["figure"], row["low"], row["high"]) for row in rows if row["figure"] in FIGURES]


def found_orders(rng: np.random.Generator) -> list[float]:
    """Share of cohorts in which an order of two signs is found, by participant and by seizure:
    which is first is alike in one participant's seizures, and as often one as the other over all.
    """
    found = []
    for _ in range(NIGHTS):
        marks: Marks = {}
        for person in range(PATIENTS):
            share = rng.beta(0.3, 0.3)
            for number in range(SEIZURES):
                early = rng.random() < share
                marks[f"p{person}_{number}"] = [
                    Event(10.0 if early else 12.0, 5.0, "tonic"),
                    Event(12.0 if early else 10.0, 5.0, "clonic"),
                ]
        cohort = raters((marks,))
        found.append([p_of_order(one) < 0.05 for one in (cohort, by_recording(cohort))])
    return np.mean(found, axis=0).tolist()


def p_of_order(found: Raters) -> float:
    """p of the two signs' order."""
    (pair,) = order_of_signs(found, draws=0, permutations=4096)["pairs"]
    return pair["p"]


if __name__ == "__main__":
    sys.exit(main())
