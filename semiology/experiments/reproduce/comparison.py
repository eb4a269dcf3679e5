"""How far a printed figure can be trusted, and whether what was obtained agrees with it.

What a reproduction found: `reproduction.json` for the report, and text for a terminal.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from textwrap import fill
from typing import Any

from semiology.errors import UserError
from semiology.evaluation.published import Published, PublishedCohort
from semiology.evaluation.statistics.intervals import wilson
from semiology.files import write_json

CORRELATION = 0.5  # of being right in two clips of one patient [choice]: no paper prints it

RULE = (
    "differs: the 95 % interval of the difference (obtained minus published, two independent"
    " cohorts) leaves 0 out. compatible: it covers 0, and the obtained interval lies above the best"
    " guess that never looks at the video. cannot tell: it covers 0, but the obtained interval"
    " reaches down to that guess. Compatible does not mean equal: the interval says how large a"
    " difference would go unseen. It is put together from the two intervals (Zou and Donner 2008,"
    " after Newcombe 1998)."
)


@dataclass(frozen=True)
class Row:
    """One figure, published and obtained; what has no value is None.

    Attributes:
        what: in words, for example "dystonia (pose), AGCN, F1".
        published, published_low, published_high: as printed, and the interval that its cohort
            allows [choice].
        source: tag of the published value.
        obtained, low, high: the user's, with its interval over participants.
        difference, difference_low, difference_high: obtained minus published.
        verdict: "differs", "compatible" or "cannot tell", see `RULE`; "not printed", "not run" or
            "no interval" where something is missing.
        remark: what a reader should know.
    """

    what: str
    published: float | None
    published_low: float | None
    published_high: float | None
    source: str
    obtained: float | None
    low: float | None
    high: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    verdict: str
    remark: str = ""

    @property
    def agrees(self) -> bool | None:
        """Whether the two agree; None where that is not known."""
        return {"compatible": True, "differs": False}.get(self.verdict)

    def to_dict(self) -> dict[str, Any]:
        """The row for JSON: numbers to six digits, and whether the two agree."""
        content = {
            name: round(value, 6) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }
        return content | {"agrees": self.agrees}


def check_correlation(correlation: float) -> None:
    """Refuse what is no correlation of clips of one patient.

    Raises:
        UserError: below 0, above 1, or no number.
    """
    if not 0 <= correlation <= 1:
        raise UserError(
            f"correlation: {correlation:g} is not possible; give 0 (clips of a patient are"
            " independent) to 1 (all alike)"
        )


def compare(
    what: str,
    metric: str,
    published: Published | None,
    cohort: PublishedCohort,
    obtained: Mapping[str, Any] | None,
    share: float | None,
    correlation: float = CORRELATION,
) -> Row:
    """Set a printed "f1" or "accuracy" beside an obtained one; either may be missing.

    Args:
        what: in words.
        metric: "f1" or "accuracy".
        published: as printed, with the cohort that it was measured on.
        obtained: {"value", "low", "high"}, in the form of metrics.json.
        share: of the user's clips that have the positive level, 0 to 1; it says how good a guess
            can be.
        correlation: see `published_interval`.
    """
    printed = published.get(metric) if published else None
    low, high = (
        published_interval(metric, published, cohort, correlation)
        if published and printed is not None
        else (None, None)
    )
    source = f"[{published.source}]" if published and printed is not None else ""
    guess = best_guess(metric, share) if share is not None else None
    row = set_beside(what, (printed, low, high), source, obtained, guess)
    return replace(row, remark=published.remark) if published and metric == "f1" else row


def set_beside(
    what: str,
    printed: tuple[float | None, float | None, float | None],
    source: str,
    obtained: Mapping[str, Any] | None,
    guess: float | None,
) -> Row:
    """A printed figure and its interval beside an obtained one, with the verdict of `RULE`.

    Args:
        what: in words.
        printed: value, low and high; None where not known.
        source: tag of the printed value.
        obtained: {"value", "low", "high"}, in the form of metrics.json; None where it was not run.
        guess: what the best guess that never looks at the video has; None where none is known.
    """
    value, own_low, own_high = (
        (obtained or {}).get("value"),
        (obtained or {}).get("low"),
        (obtained or {}).get("high"),
    )
    difference = value - printed[0] if value is not None and printed[0] is not None else None
    bounds, verdict = (
        None,
        "not printed" if printed[0] is None else "not run" if value is None else "no interval",
    )
    if None not in (value, own_low, own_high, *printed):
        bounds = difference_interval((value, own_low, own_high), printed)  # type: ignore[arg-type]
        guessed = guess is not None and own_low <= guess  # type: ignore[operator]
        verdict = (
            "differs"
            if not bounds[0] <= 0 <= bounds[1]
            else "cannot tell"
            if guessed
            else "compatible"
        )
    return Row(
        what=what,
        published=printed[0],
        published_low=printed[1],
        published_high=printed[2],
        source=source,
        obtained=value,
        low=own_low,
        high=own_high,
        difference=difference,
        difference_low=bounds[0] if bounds else None,
        difference_high=bounds[1] if bounds else None,
        verdict=verdict,
    )


def best_guess(metric: str, share: float) -> float:
    """The best that can be had without looking: accuracy of the commoner level, F1 of always saying
    that the sign is there.
    """
    return max(share, 1 - share) if metric == "accuracy" else 2 * share / (1 + share)


def published_interval(
    metric: str, published: Published, cohort: PublishedCohort, correlation: float = CORRELATION
) -> tuple[float, float]:
    """95 % interval that the paper's cohort allows its printed "accuracy" or "f1" [choice: the
    papers print none].

    Accuracy is a proportion of the clips: Wilson's interval, with the number of clips divided by
    the design effect, because clips of one patient are not independent. F1 is 2 J / (1 + J) with J
    = TP / (TP + FP + FN), a proportion too: Wilson's interval of J, carried over (Lam, Gopal and
    Qian 2023, arXiv:2309.14621, the indirect method). Its denominator comes from the printed
    counts, or is what F1 and accuracy of so many clips imply together: FP + FN = clips (1 -
    accuracy) [I: if F1 is that of the sign's presence, pooled over clips].

    Raises:
        ValueError: F1 without accuracy and without counts.
    """
    effect = design_effect(cohort.clips_each, correlation)
    if metric == "accuracy":
        assert published.accuracy is not None
        counted = cohort.clips / effect
        return wilson(published.accuracy * counted, counted)
    assert published.f1 is not None
    jaccard = published.f1 / (2 - published.f1)
    counted = clips_of_f1(published, cohort) / effect
    low, high = wilson(jaccard * counted, counted)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def clips_of_f1(published: Published, cohort: PublishedCohort) -> float:
    """TP + FP + FN: the clips that F1 depends on, from the printed counts, or implied by F1 and
    accuracy.
    """
    if published.confusion:
        hits, _, false_alarms, misses = published.confusion
        return hits + false_alarms + misses
    if published.f1 is None or published.accuracy is None:
        raise ValueError(
            "the interval of a printed F1 needs the printed accuracy or counts beside it"
        )
    errors = cohort.clips * (1 - published.accuracy)
    return errors + published.f1 * errors / (
        2 * (1 - published.f1)
    )  # F1 = 2 TP / (2 TP + errors), solved for TP


def design_effect(clips_each: tuple[int, ...], correlation: float) -> float:
    """1 + (m - 1) correlation, m the clips of the patient that the average clip belongs to (Kish
    1965): by what clips count for less.
    """
    m = sum(count**2 for count in clips_each) / sum(clips_each)
    return 1 + (m - 1) * correlation


def difference_interval(
    a: tuple[float, float, float], b: tuple[float, float, float]
) -> tuple[float, float]:
    """95 % interval of a - b, two independent estimates each given as (value, low, high), which
    need not be symmetric.

    Zou and Donner 2008 (method of variance estimates recovery); with two Wilson intervals it is
    Newcombe's 1998 method 10.
    """
    (x, x_low, x_high), (y, y_low, y_high) = a, b
    low = x - y - math.hypot(x - x_low, y_high - y)
    high = x - y + math.hypot(x_high - x, y - y_low)
    return low, high


def table_text(rows: list[Row]) -> str:
    """The rows as a terminal shows them: published and obtained with their intervals, the
    difference with its own, and the verdict.
    """
    width = max((len(row.what) for row in rows), default=0) + 2
    lines = [("", "published", "obtained", "difference", "verdict")]
    for row in rows:
        published = _cell(row.published, row.published_low, row.published_high)
        obtained = _cell(row.obtained, row.low, row.high)
        difference = _cell(row.difference, row.difference_low, row.difference_high, signed=True)
        lines.append((row.what, published, obtained, difference, row.verdict))
    least = (width, 20, 20, 24, 0)
    widths = [
        max(own, max(len(cell) for cell in column) + 1) for own, column in zip(least, zip(*lines))
    ]
    return "\n".join(
        "".join(f"{cell:<{own}}" for cell, own in zip(line, widths)).rstrip() for line in lines
    )


def _cell(
    value: float | None, low: float | None, high: float | None, *, signed: bool = False
) -> str:
    if value is None:
        return "–"
    shown = [
        f"{number:+.2f}" if signed else f"{number:.2f}"
        for number in (value, low, high)
        if number is not None
    ]
    shown = [number.replace("-", "\N{MINUS SIGN}") for number in shown]
    return shown[0] if len(shown) < 3 else f"{shown[0]} ({shown[1]} to {shown[2]})"


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
        """Write `run`/reproduction.json and return its path."""
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
        write_json(run / "reproduction.json", content, allow_nan=False)
        return run / "reproduction.json"

    def __str__(self) -> str:
        parts = [self.paper, *([self.banner] if self.banner else []), "", table_text(self.rows), ""]
        parts += [
            *([self.text, ""] if self.text else []),
            fill(RULE, WIDTH),
            fill(self.assumption, WIDTH),
        ]
        parts += [
            *(["", "Not run:"] if self.not_run else []),
            *(f"- {entry}" for entry in self.not_run),
        ]
        parts += [
            "",
            (
                "Deviations from the paper's protocol:"
                if self.deviations
                else "No deviation from the protocol's file."
            ),
        ]
        parts += [f"- {entry}" for entry in self.deviations]
        return "\n".join(parts)


def wilson_of_clips(cohort: PublishedCohort, correlation: float) -> str:
    """How the intervals of a paper that prints none came about, in words (`published_interval`)."""
    effect = design_effect(cohort.clips_each, correlation)
    return (
        "The intervals of published values are ours, the paper prints none: Wilson's, for"
        f" {cohort.clips} clips of {cohort.participants} patients [{cohort.source}] that count as"
        f" {cohort.clips / effect:.0f} independent ones, if being right in two clips of one patient"
        f" correlates at {correlation:g} [choice] and the clips are distributed as"
        f" {_distribution(cohort.clips_each)} [choice; {cohort.stated}]."
    )


def _distribution(clips_each: tuple[int, ...]) -> str:
    counts = {count: clips_each.count(count) for count in sorted(set(clips_each))}
    return ", ".join(f"{patients} x {count}" for count, patients in counts.items())
