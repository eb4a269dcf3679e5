"""OUT/report.html, one file: groups in the form of the study's table, each measure's distribution,
and for each participant the measures by side, the upgaze and the emotions over time.
"""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from semiology.evaluation.report.rendering import plain, render
from semiology.files import write_text
from semiology.severity.face import asymmetry
from semiology.severity.face.landmarks import SIDES
from semiology.severity.weakness.figures import (
    distribution_figure,
    emotion_curves,
    format_value,
    upgaze_curves,
)
from semiology.severity.weakness.measures import FATIGUE, MEASURES, Measure, elicits
from semiology.severity.weakness.score import (
    ENOUGH,
    GREATEST,
    LEAST_MARGIN,
    MARGIN_ALONE,
    weaker_side,
)

FAMILIES = {
    "expression": (
        "Expressions",
        "Mean score of each emotion over the clips that elicit it, 0 to 1.",
    ),
    "measure": (
        "Measures of the face",
        (
            "The patient's left and right halves separately; the absolute asymmetry, whichever half"
            " is weaker."
        ),
    ),
    "movement": (
        "Movements as blendshapes",
        "Range of each in its panel, 0 to 1, by side; not part of the score.",
    ),
    "score": (
        "Weakness",
        "In standard deviations of the controls; every control compared with the others.",
    ),
}


def write_report(
    out: Path,
    tables: dict[str, pd.DataFrame],
    notes: Sequence[str],
    failed: Sequence[tuple[str, str]],
    control: str,
) -> Path:
    """Write OUT/report.html from the tables of `weakness_tables` and the measures in OUT/measures.

    Returns:
        Its path.

    Raises:
        UserError: the folder cannot be written.
    """
    participants = tables["participants"]
    banner = [note for note in notes if note.startswith("Synthetic")]
    counts = Counter(participants.drop_duplicates("participant_id")["group"])
    page = render(
        "weakness.html.jinja",
        banner=banner,
        notes=[note for note in notes if note not in banner],
        failed=failed,
        clips=int(tables["clips"]["assessable"].notna().sum()),  # that were measured
        counts=", ".join(
            f"{count} {group}s" if group else f"{count} without a group"
            for group, count in counts.items()
        ),
        control=control,
        families=comparison_tables(tables["groups"]),
        several=tables["groups"]["group"].nunique() > 1,
        distributions=distributions(tables, control),
        visits=bool((participants["visit"] != "").any()),
        clinical=clinical_names(participants),
        people=[
            participant_section(out, number, row, tables, control)
            for number, row in enumerate(participants.to_dict("records"))
        ],
        method=method_notes(control),
    )
    write_text(out / "report.html", page)
    return out / "report.html"


def comparison_tables(groups: pd.DataFrame) -> list[tuple[str, str, list[dict[str, str]]]]:
    """Heading, explanation and rows of each table of comparisons, every cell as printed."""
    printed = []
    for family, (heading, words) in FAMILIES.items():
        own = groups[groups["family"] == family].sort_values("group", kind="stable")
        rows = [compared_row(row) for row in own.to_dict("records")]
        printed += [(heading, words, rows)] if rows else []
    return printed


def compared_row(row: Mapping[Hashable, Any]) -> dict[str, str]:
    """The cells of one comparison as printed."""
    cells = {
        name: str(row[name])
        for name in ("n", "n_control", "measure", "side", "panel", "group", "note")
    }
    for which in ("", "_control"):
        middle, low, high = (format_value(row[name + which]) for name in ("median", "q25", "q75"))
        cells |= {
            f"median{which}": middle,
            f"quartiles{which}": f"{low} to {high}" if row[f"n{which}"] else "",
        }
    tested = np.isfinite(row["p"])
    return cells | {
        "u": f"{row['u']:g}" if tested else "",
        "p": probability(row["p"]) if tested else "",
        "q": probability(row["q"]) if tested else "",
        "effect": format_value(row["effect"]),
        "limits": (
            f"{format_value(row['effect_low'])} to {format_value(row['effect_high'])}"
            if np.isfinite(row["effect_low"])
            else ""
        ),
    }


def distributions(tables: dict[str, pd.DataFrame], control: str) -> list[tuple[str, Markup]]:
    """Caption and figure of the score, each emotion and each measure by side; one row per group,
    controls first.
    """
    first = tables["participants"].drop_duplicates("participant_id")
    groups = sorted(set(first["group"]), key=lambda group: (group != control, group))
    figures = []

    def add(words: str, table: pd.DataFrame, columns: dict[str, str]) -> None:
        rows = [
            (
                f"{group or 'no group'}{beside}",
                table.loc[table["group"] == group, column].to_numpy(float),
            )
            for beside, column in columns.items()
            for group in groups
        ]
        if any(np.isfinite(values).any() for _, values in rows):
            figures.append((words, distribution_figure(words, rows, control)))

    add("weakness score", first, {"": "score"})
    for emotion, own in tables["expressions"].groupby("emotion", sort=False):
        add(f"expression: {emotion}", own.drop_duplicates("participant_id"), {"": "score"})
    for measure in MEASURES:
        add(
            f"{measure.name} ({measure.unit})",
            first,
            {f", {side}": f"{measure.name}, {side}" for side in SIDES},
        )
    return figures


def participant_section(
    out: Path,
    number: int,
    row: Mapping[Hashable, Any],
    tables: dict[str, pd.DataFrame],
    control: str,
) -> dict[str, Any]:
    """The template's variables for one participant and visit, `row` of participants.tsv."""
    participants, clips = tables["participants"], tables["clips"]
    controls = participants[
        (participants["group"] == control) & ~participants["participant_id"].duplicated()
    ]
    own = clips[
        (clips["participant_id"] == row["participant_id"])
        & (clips["visit"] == row["visit"])
        & clips["assessable"].notna()
    ]
    numbers = ("score", "score_left", "score_right", "asymmetry", "fatigue_left", "fatigue_right")
    return {
        **{
            name: row[name]
            for name in ("participant_id", "visit", "group", "weaker_side", "measures", "reason")
        },
        **{name: format_value(row[name]) for name in numbers},
        "number": number,
        "clinical": [format_value(row[name]) for name in clinical_names(participants)],
        "rows": [measure_row(measure, row, controls) for measure in MEASURES],
        "courses": [
            *(
                drawn
                for clip in own.to_dict("records")
                if elicits(clip["panel"], "upgaze")
                for drawn in upgaze_curves(out, clip)
            ),
            *(drawn for clip in own.to_dict("records") for drawn in emotion_curves(out, clip)),
        ],
    }


def measure_row(
    measure: Measure, row: Mapping[Hashable, Any], controls: pd.DataFrame
) -> dict[str, str]:
    """A measure of one participant by side, the weaker side by this measure alone, and the
    controls' medians.
    """
    left, right = (row[f"{measure.name}, {side}"] for side in SIDES)
    others = [controls[f"{measure.name}, {side}"].median() for side in SIDES]
    weaker = weaker_side(float(asymmetry(left, right)), row["margin"]) if measure.paired else ""
    cells = {
        "measure": measure.name,
        "panel": measure.panel,
        "left": format_value(left),
        "right": format_value(right),
        "weaker": weaker,
    }
    return cells | {
        "controls": " / ".join(map(format_value, others)) if np.isfinite(others).all() else "–"
    }


def clinical_names(participants: pd.DataFrame) -> list[str]:
    """The columns of clinicians' scores: between `reason` and the first measure."""
    columns = [str(column) for column in participants]
    return columns[columns.index("reason") + 1 : columns.index(f"{MEASURES[0].name}, {SIDES[0]}")]


def method_notes(control: str) -> list[tuple[str, str]]:
    """Definition of each number, for the page's last section."""
    return [
        (
            "measures",
            (
                "landmarks after removal of the head's pose, in distances between the outer eye"
                " corners unless another unit is named"
            ),
        ),
        ("range", "how far a measure moved in the clip: from its 0.05 to its 0.95 quantile"),
        (
            FATIGUE,
            (
                "Theil-Sen slope of the upper lid's height over the upgaze without blinks, with its"
                " 95 % interval"
            ),
        ),
        (
            "score",
            (
                "for each measure and half of the face: how many standard deviations below the"
                f" median of the {plain(control)}s, clipped to 0 to {GREATEST:g}; mean over the"
                " measures of a half; the larger one counts. A control is compared with the other"
                f" controls. Needs {ENOUGH:.0%} of the measures"
            ),
        ),
        (
            "weaker side",
            (
                "mean over measures of (left - right) / (left + right): above the margin the right"
                " half is the weaker one, below minus the margin the left. The margin is twice the"
                f" root mean square of the other {plain(control)}s' asymmetries, at least"
                f" {LEAST_MARGIN:g}, and {MARGIN_ALONE:g} with too few, unless specified. Sides are"
                " the patient's"
            ),
        ),
        (
            "groups",
            (
                "one value per participant (first visit); Mann-Whitney, two-sided; q by Benjamini"
                " and Hochberg over one table"
            ),
        ),
        (
            "effect",
            (
                "rank-biserial correlation 2 U / (n n) - 1: negative where the group lies below the"
                " controls; interval over participants"
            ),
        ),
        (
            "our choice",
            (
                "the formula of the score, its limits and its measures are this program's choice,"
                " not the study's"
            ),
        ),
    ]


def probability(p: float) -> str:
    """A p- or q-value with three decimals, "< 0.001" below that."""
    return "<\N{NO-BREAK SPACE}0.001" if p < 0.001 else f"{p:.3f}"
