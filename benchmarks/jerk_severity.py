"""Severity scores of the phantom's participants beside their true severity: `semiology myoclonus`
on tracks with a tracker's errors.

Used by the benchmark of myoclonus.
"""

from functools import partial
from pathlib import Path

import pandas as pd
from phantom_run import step

from semiology.evaluation.agreement.pairs import Paired, estimate
from semiology.evaluation.statistics.intervals import draw_participants

DRAWS = 2000


def scored(folder: Path, subjects: int, seconds: float, noise: float, seed: int) -> pd.DataFrame:
    """scores.tsv of a cohort of two visits, at rest and in action, by participant and visit."""
    options = [
        "--subjects",
        str(subjects),
        "--seconds",
        f"{seconds:g}",
        "--render",
        "false",
        "--noise",
        f"{noise:g}",
        "--seed",
        str(seed),
    ]
    step("phantom", "myoclonus", str(folder / "cohort"), *options, "--progress", "false")
    step("myoclonus", str(folder / "cohort"), "--out", str(folder / "scores"))
    return pd.read_csv(folder / "scores/scores.tsv", sep="\t", na_values="n/a")


def correlation(
    table: pd.DataFrame, first: str, second: str, seed: int
) -> dict[str, float | int | None]:
    """Spearman's rho of two columns over participants and visits; its interval by participant."""
    both = table.dropna(subset=[first, second])
    codes, people = pd.factorize(both["participant_id"])
    pair = Paired(both[first].to_numpy(float), both[second].to_numpy(float), codes)
    weights = draw_participants(len(people), DRAWS, seed)
    about = ("machine-rater", first, second, "spearman")
    found = estimate(about, partial(pair.figure, "spearman"), weights, len(both), coefficient=True)
    return {
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "participants": len(people),
        "rows": len(both),
    }


def change(table: pd.DataFrame, machine: str, seed: int) -> dict[str, float | int | None]:
    """Spearman's rho of the change of a score and of the true severity from the first visit to the
    second, patients only.
    """
    patients = table[table["group"] == "patient"].pivot(index="participant_id", columns="visit")
    names = [machine, "severity_true"]
    moved = pd.DataFrame(
        {name: patients[name]["week-12"] - patients[name]["baseline"] for name in names}
    ).reset_index()
    return correlation(moved, *names, seed)
