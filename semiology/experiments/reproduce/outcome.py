"""What a reproduction found: `reproduction.json` for the report, and text for a terminal."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import fill
from typing import Any

from semiology.evaluation.published import PublishedCohort
from semiology.experiments.reproduce.comparison import RULE, Row, design_effect, table_text
from semiology.files import write_text

WIDTH = 120  # characters of a terminal's line


@dataclass(frozen=True)
class Reproduction:
    """One paper's protocol, run.

    Attributes:
        paper: how it is cited.
        assumption: how the published intervals came about, in words.
        rows: published and obtained, figure by figure.
        deviations: what differs from the paper's protocol, a sentence each.
        not_run: models or tasks that could not be run, and why.
        unstated: what the paper leaves open and we chose.
        constants: {"name", "value", "source"} of everything that was set.
        banner: of a synthetic cohort; empty for patients.
        extra: further keys of reproduction.json.
        text: printed below the table.
    """

    paper: str
    assumption: str
    rows: list[Row]
    deviations: list[str]
    not_run: list[str] = field(default_factory=list)
    unstated: list[str] = field(default_factory=list)
    constants: list[dict[str, Any]] = field(default_factory=list)
    banner: str = ""
    extra: dict[str, Any] = field(default_factory=dict)
    text: str = ""

    def write(self, run: Path) -> Path:
        """Write `run`/reproduction.json."""
        content = {
            "paper": self.paper,
            "banner": self.banner,
            "rows": [row.to_dict() for row in self.rows],
            "rule": RULE,
            "assumption": self.assumption,
            "deviations": self.deviations,
            "not_run": self.not_run,
            "unstated": self.unstated,
            "constants": self.constants,
            **self.extra,
        }
        write_text(run / "reproduction.json", json.dumps(content, indent=1, allow_nan=False) + "\n")
        return run / "reproduction.json"

    def __str__(self) -> str:
        parts = [self.paper, *([self.banner] if self.banner else []), "", table_text(self.rows), ""]
        parts += [*([self.text, ""] if self.text else []), fill(RULE, WIDTH), fill(self.assumption, WIDTH)]
        parts += [*(["", "Not run:"] if self.not_run else []), *(f"- {entry}" for entry in self.not_run)]
        parts += ["", "Deviations from the paper's protocol:" if self.deviations else "No deviation from the protocol's file."]
        parts += [f"- {entry}" for entry in self.deviations]
        return "\n".join(parts)


def wilson_of_clips(cohort: PublishedCohort, correlation: float) -> str:
    """How the intervals of a paper that prints none came about, in words (`published_interval`)."""
    effect = design_effect(cohort.clips_each, correlation)
    return (
        f"The intervals of published values are ours, the paper prints none: Wilson's, for {cohort.clips} clips of "
        f"{cohort.participants} patients [{cohort.source}] that count as {cohort.clips / effect:.0f} independent ones, "
        f"if being right in two clips of one patient correlates at {correlation:g} [choice] and the clips are dealt out as "
        f"{_dealt(cohort.clips_each)} [choice; {cohort.stated}]."
    )


def _dealt(clips_each: tuple[int, ...]) -> str:
    counts = {count: clips_each.count(count) for count in sorted(set(clips_each))}
    return ", ".join(f"{patients} x {count}" for count, patients in counts.items())
