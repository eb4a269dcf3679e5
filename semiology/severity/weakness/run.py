"""Facial weakness of a cohort: measure every clip once, score participants, compare groups, and
write tables and a report.

Groups are compared in each measure: medians, Mann-Whitney test, an effect size with its interval,
and the false discovery rate, with one value per participant, because clips of one participant are
not independent. The myasthenia study compares expression scores per emotion between its groups [P];
its test and its correction for multiple comparisons are not known to us: Mann-Whitney, the
rank-biserial correlation and Benjamini-Hochberg are our choice.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, mannwhitneyu
from tqdm import tqdm

from semiology.data.cohort import Cohort
from semiology.data.cohort.table import Fault, read_table, write_table
from semiology.data.store import Store
from semiology.errors import UserError
from semiology.evaluation.statistics.intervals import (
    Interval,
    at_bound,
    bca_interval,
    draw_participants,
    leave_one_out,
)
from semiology.evaluation.statistics.metrics import Array, auc, concordant_pairs
from semiology.files import begin_folder
from semiology.severity.weakness.clip import Sources, clip_key, load_clip, measure_clip, save_clip
from semiology.severity.weakness.expressions import check_weights
from semiology.severity.weakness.measures import MEASURES, MOVEMENTS, elicits, measure_values
from semiology.severity.weakness.page import write_report
from semiology.severity.weakness.score import weakness_scores
from semiology.severity.weakness.tables import (
    clinical_scores,
    clip_table,
    compared_values,
    expression_table,
    missing_visits,
)
from semiology.video import VideoError

FEWEST = 3  # participants in each group that a comparison needs [our choice]
DRAWS = 2000
MEASURE = ["family", "measure", "side", "panel"]  # identify one comparison
SPREAD = ["n", "median", "q25", "q75"]
COLUMNS = [
    *MEASURE,
    "group",
    *SPREAD,
    *(f"{name}_control" for name in SPREAD),
    "u",
    "p",
    "q",
    "effect",
    "effect_low",
    "effect_high",
    "note",
]


@dataclass(frozen=True)
class WeaknessOptions:
    """How facial weakness is measured.

    Attributes:
        expression_weights: of the VGG whose features of the face are in the store; for expression
            scores. Or fer: the smile by the features of `semiology extract --expression fer`.
        expression_tables: a folder of <clip_id>.csv, the table of each clip's video by OpenFace or
            Py-Feat; for expression scores without a network.
        table_fps: of the videos, Hz, for Py-Feat's tables without videos.
        table_individual: the patient's face where tables hold several: OpenFace's face_id or
            Py-Feat's Identity (Person_0) in all of them; or a .tsv with the columns clip_id and
            individual.
        control: name of the control group in participants.tsv.
        margin: asymmetry below which neither side is the weaker one; None: from the other controls,
            see `score.margin_of`.
        draws: bootstrap samples behind each interval.
        seed: of the bootstrap.
    """

    expression_weights: Path | None = None
    expression_tables: Path | None = None
    table_fps: float | None = None
    table_individual: str | None = None
    control: str = "control"
    margin: float | None = None
    draws: int = DRAWS
    seed: int = 0


@dataclass
class WeaknessSummary:
    """The result of a run.

    Attributes:
        out: folder of the results.
        done: clips that were measured.
        skipped: clips whose stored measures are still valid.
        failed: (clip_id, reason).
        notes: on synthetic, missing and uncomputable results.
        tables: `clips`, `participants`, `expressions`, `groups`, as written.
    """

    out: Path
    done: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)

    def text(self) -> str:
        """The summary as lines for a terminal."""
        total = len(self.done) + len(self.skipped) + len(self.failed)
        lines = [
            f"{total} clips: {len(self.done)} measured, {len(self.skipped)} were there already,"
            f" {len(self.failed)} failed"
        ]
        lines += [f"note: {note}" for note in self.notes]
        lines += [f"failed: {clip_id}: {fault}" for clip_id, fault in self.failed]
        return "\n".join([*lines, f"report: {self.out / 'report.html'}"])


def measure_weakness(
    cohort: Cohort,
    out: str | Path,
    *,
    store: str | Path | None = None,
    options: WeaknessOptions | None = None,
    progress: bool = True,
) -> WeaknessSummary:
    """Measure facial weakness in a cohort: expression scores per emotion, measures of the face by
    side, a score with the weaker side, and a comparison of groups.

    Writes OUT/measures/<clip_id>.csv, OUT/expressions/<clip_id>.csv, OUT/clips.tsv,
    OUT/participants.tsv, OUT/expressions.tsv, OUT/groups.tsv, OUT/failed.tsv and OUT/report.html. A
    clip that cannot be measured is listed and the run continues; a clip already measured from the
    same tracks is not measured again.

    Raises:
        UserError: weights that do not exist or did not extract the features; no clip can be
            measured; OUT cannot be written.
    """
    options, out = options or WeaknessOptions(), Path(out)
    if out.is_file():
        raise UserError(f"{out}: is a file; name the folder to write")
    if options.expression_tables is not None and not options.expression_tables.is_dir():
        raise UserError(
            f"{options.expression_tables}: is no folder; name the one that holds <clip_id>.csv of"
            " OpenFace or Py-Feat"
        )
    if options.expression_weights is not None and options.expression_tables is not None:
        raise UserError(
            "expressions come from --expression_weights or from --expression_tables; give one of"
            " them"
        )
    stored = None if store is None else Store(store)
    if options.expression_weights is not None:
        check_weights(options.expression_weights, stored, [clip.clip_id for clip in cohort.clips])
    sources = Sources(
        cohort.folder,
        stored,
        options.expression_weights,
        options.expression_tables,
        options.table_fps,
        _individuals(options.table_individual, cohort),
    )
    summary = WeaknessSummary(out)
    begin_folder(out)
    summaries = _measure_all(cohort, sources, summary, progress)
    write_table(out / "failed.tsv", pd.DataFrame(summary.failed, columns=["clip_id", "reason"]))
    if not summaries:
        first = f"; {summary.failed[0][0]}: {summary.failed[0][1]}" if summary.failed else ""
        raise UserError(f"{cohort.folder}: no clip of it can be measured{first}")
    summary.tables = weakness_tables(cohort, summaries, options)
    summary.notes = notes_of(cohort, summary.tables, options)
    for name, table in summary.tables.items():
        write_table(out / f"{name}.tsv", table)
    write_report(out, summary.tables, summary.notes, summary.failed, options.control)
    return summary


def _individuals(named: str | None, cohort: Cohort) -> dict[str, str]:
    """clip_id -> the patient's face in its table, where one was named."""
    if named is None or Path(named).suffix.lower() != ".tsv":
        return {} if named is None else {clip.clip_id: named for clip in cohort.clips}
    faults: list[Fault] = []
    rows = read_table(Path(named), ("clip_id", "individual"), faults, []).rows
    if faults:
        raise UserError(f"{Path(named).parent}: {faults[0]}")
    return {row["clip_id"]: row["individual"] for _, row in rows if row["individual"]}


def _measure_all(
    cohort: Cohort, sources: Sources, summary: WeaknessSummary, progress: bool
) -> dict[str, dict[str, float]]:
    """clip_id -> summary of its face; adds each clip to `summary` as done, skipped or failed."""
    found = {}
    for clip in tqdm(cohort.clips, unit="clip", disable=not progress):
        key = clip_key(clip, sources)
        if (before := load_clip(clip.clip_id, key, summary.out)) is not None:
            found[clip.clip_id] = before
            summary.skipped.append(clip.clip_id)
            continue
        try:
            measured = measure_clip(clip, sources)
        except VideoError as error:
            summary.failed.append((clip.clip_id, error.fault))  # without the video's name
        except UserError as error:
            summary.failed.append((clip.clip_id, str(error).removeprefix(f"clip {clip.clip_id}: ")))
        except (ValueError, ArithmeticError, RuntimeError) as error:  # the other clips continue
            summary.failed.append(
                (clip.clip_id, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
            )
        else:
            save_clip(measured, clip.clip_id, key, summary.out)
            found[clip.clip_id] = measured.summary
            summary.done.append(clip.clip_id)
    return found


def weakness_tables(
    cohort: Cohort, summaries: dict[str, dict[str, float]], options: WeaknessOptions
) -> dict[str, pd.DataFrame]:
    """`clips`, `participants`, `expressions` and `groups` of measured clips."""
    clips, groups = clip_table(cohort, summaries), cohort.groups
    values = measure_values(clips)
    scores = weakness_scores(values, groups, options.control, options.margin)
    known = {*scores, *(name for summary in summaries.values() for name in summary)}
    if taken := sorted(known & set(cohort.scores)):
        raise UserError(
            f"{cohort.folder / 'clips.json'}: the score {taken[0]!r} has the name of a column of"
            " the results; rename it"
        )
    expressions = expression_table(clips)
    movements = measure_values(clips, MOVEMENTS).dropna(axis="columns", how="all")
    compared = compared_values(values, scores, expressions, groups, movements)
    wide = values.set_axis(values.columns.map(", ".join), axis=1)
    participants = scores.join(clinical_scores(clips, list(cohort.scores))).join(wide).reset_index()
    participants.insert(2, "group", participants["participant_id"].map(groups))
    return {
        "clips": clips,
        "participants": participants,
        "expressions": expressions,
        "groups": compare_groups(compared, options.control, draws=options.draws, seed=options.seed),
    }


def notes_of(
    cohort: Cohort, tables: dict[str, pd.DataFrame], options: WeaknessOptions
) -> list[str]:
    """Notes for readers of the tables: synthetic data, missing clips, results not computable."""
    clips, notes = tables["clips"], list[str]()
    if any(clip.covariates.get("synthetic") for clip in cohort.clips):
        notes.append("Synthetic faces, made by a program: nothing here holds for patients.")
    named = set(clips["group"])
    if options.control not in named:
        groups = ", ".join(sorted(named - {""})) or "none"
        notes.append(
            f"no participant is of the group {options.control!r} (groups: {groups}): no score, no"
            " comparison; see --control"
        )
    if not (clips["panel"] != "").any():
        notes.append(
            "clips.tsv has no column panel: every measure is read from every clip, whatever it"
            " elicits"
        )
    else:
        not_elicited = [
            measure.panel
            for measure in MEASURES
            if not any(elicits(panel, measure.panel) for panel in set(clips["panel"]))
        ]
        notes += [
            f"no clip of the panel {panel}: its measures are missing"
            for panel in dict.fromkeys(not_elicited)
        ]
        read = [one for one in MOVEMENTS if one.key.format(side="left") in clips]
        measured = {
            *(measure.panel for measure in (*MEASURES, *read)),
            *tables["expressions"]["emotion"],
        }
        idle = sorted(
            panel
            for panel in set(clips["panel"])
            if not any(elicits(panel, one) for one in measured)
        )
        notes += [
            f"panel {panel}: no measure is read from its clips; check its spelling in"
            " docs/weakness.md"
            for panel in idle
        ]
    if tables["expressions"].empty:
        notes.append(
            "no expression scores: give --expression_weights FILE, the network that extracted the"
            " store's features, or tables"
        )
    for participant, visits in missing_visits(cohort).items():
        notes.append(f"{participant}: no clip of {', '.join(visits)}")
    return notes


def compare_groups(
    values: pd.DataFrame, control: str = "control", *, draws: int = DRAWS, seed: int = 0
) -> pd.DataFrame:
    """Compare every group with the controls in every measure.

    Args:
        values: one row per participant and measure: `participant_id`, `group`, `family` (q-values
            are computed over one family of measures, such as all emotions), `measure`, `side`,
            `panel`, `value`; NaN where there is none.
        control: the name of the control group.
        draws: bootstrap samples behind each interval.
        seed: of the bootstrap.

    Returns:
        One row per measure and group, in the order of `values`: `family`, `measure`, `side`,
        `panel`, `group`; `n`, `median`, `q25`, `q75` of the group and, with the suffix `_control`,
        of the controls; `u` of the group, `p` (two-sided), `q`, `effect` with `effect_low` and
        `effect_high`; `note`: the reason for a missing value.
    """
    rows: list[dict[str, Any]] = []
    for names, one in values.groupby(MEASURE, sort=False):
        controls = one.loc[one["group"] == control, "value"].to_numpy(float)
        for group in dict.fromkeys(values.loc[~values["group"].isin([control, ""]), "group"]):
            others = one.loc[one["group"] == group, "value"].to_numpy(float)
            rows.append(
                dict(zip(MEASURE, names))
                | {"group": group}
                | compare(others, controls, draws=draws, seed=seed)
            )
    table = pd.DataFrame(rows, columns=COLUMNS)
    table["q"] = table.groupby(["family", "group"], sort=False)["p"].transform(benjamini_hochberg)
    return table


def compare(
    group: np.ndarray, controls: np.ndarray, *, draws: int = DRAWS, seed: int = 0
) -> dict[str, Any]:
    """Compare one measure between a group (participant,) and controls (participant,); NaN is left
    out.

    `effect` is the rank-biserial correlation 2 U / (n n_control) - 1 (Wendt 1972, Kerby 2014): -1
    where the whole group lies below every control, 0 without a difference in ranks, 1 where it lies
    above. Its interval is BCa over participants of both groups; at -1 and 1, where resamples do not
    vary, Wilson's of the smaller group. p is scipy's: exact for 8 or fewer in a group without ties,
    else by the normal approximation, corrected for ties.
    """
    group, controls = (
        values[np.isfinite(values)]
        for values in (np.asarray(group, float), np.asarray(controls, float))
    )
    found: dict[str, Any] = {**_spread(group, ""), **_spread(controls, "_control")}
    found |= dict.fromkeys(("u", "p", "effect", "effect_low", "effect_high"), np.nan) | {"note": ""}
    fewest = min(len(group), len(controls))
    if fewest < FEWEST:
        which = "group" if len(group) == fewest else "controls"
        return found | {"note": f"{fewest} values in the {which}; {FEWEST} are needed"}
    pooled = np.concatenate([group, controls])
    if np.ptp(pooled) == 0:
        return found | {"note": "all values are equal"}
    test = mannwhitneyu(group, controls, alternative="two-sided")
    effect, limits = _effect(pooled, len(group), draws, seed)
    found |= {"u": float(test.statistic), "p": float(test.pvalue)}
    return found | {
        "effect": effect,
        "effect_low": limits.low,
        "effect_high": limits.high,
        "note": limits.reason,
    }


def _effect(pooled: np.ndarray, group: int, draws: int, seed: int) -> tuple[float, Interval]:
    """Rank-biserial correlation of the first `group` values with the others, and its interval."""
    count = len(pooled)
    is_group: Array = np.where(np.arange(count) < group, 1.0, 0.0)
    won = concordant_pairs(is_group, pooled, np.arange(count), count)

    def effect(weights: np.ndarray) -> np.ndarray:
        return 2 * auc(won, is_group, 1.0 - is_group, weights) - 1

    value = float(effect(np.ones((1, count)))[0])
    if perfect := at_bound(value, -1.0, min(group, count - group)):
        return value, perfect
    return value, bca_interval(
        value, effect(draw_participants(count, draws, seed)), effect(leave_one_out(count)), count
    )


def benjamini_hochberg(p: pd.Series) -> pd.Series:
    """q-values of p-values, ignoring NaN (Benjamini and Hochberg 1995)."""
    q = pd.Series(np.nan, p.index)
    known = p.notna()
    if known.any():
        q[known] = false_discovery_control(p[known].to_numpy())
    return q


def _spread(values: np.ndarray, which: str) -> dict[str, float]:
    """Number, median and quartiles of the values, their names ending in `which`."""
    low, middle, high = np.percentile(values, [25, 50, 75]) if len(values) else (np.nan,) * 3
    return dict(
        zip(
            [f"{name}{which}" for name in SPREAD],
            (len(values), float(middle), float(low), float(high)),
        )
    )
