"""Where the models err: every participant, every clip, every model, with abstentions and clips that could not be assessed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from sklearn.metrics import roc_curve

from semiology.evaluation.report import figures_init as figures
from semiology.evaluation.report.inputs import NotAssessable
from semiology.evaluation.run.predictions import levels_of

MARKS = {
    "right": "right",
    "wrong": "wrong",
    "mixed": "differs between runs (seeds)",
    "abstained": "abstained: more than one level, or none, stayed possible",
    "lost": "not assessable: followed too poorly, no model was asked",
}


def strip(rows: pd.DataFrame, models: Sequence[str], lost: Sequence[NotAssessable] = ()) -> list[dict[str, Any]]:
    """Participants in rows, those with the sign last; for each model (clip_id, mark) of each clip, marks as in `MARKS`.

    Args:
        rows: predictions of one task.
        models: in the order of the columns.
        lost: clips that were not scored because tracking was too poor; every model has them.
    """
    levels = levels_of(rows)
    rows = rows.assign(mark=[_mark(*told) for told in zip(rows["truth"], rows["predicted"], rows["plausible"])])
    people: dict[str, dict[str, Any]] = {}
    for participant in sorted({*rows["participant_id"], *(clip.participant_id for clip in lost)}):
        own = rows[rows["participant_id"] == participant]
        unasked = [clip for clip in lost if clip.participant_id == participant]
        seen = [level for level in levels if level in {*own["truth"], *(clip.truth for clip in unasked)}]
        marks = {}
        for model in models:
            by_clip = own[own["model"] == model].groupby("clip_id")["mark"].agg(set)
            told = [(str(clip), found.pop() if len(found) == 1 else "mixed") for clip, found in by_clip.items()]
            marks[model] = sorted(told + [(clip.clip_id, "lost") for clip in unasked])
        truth = ", ".join(seen) if len(seen) <= 3 else f"{len(seen)} levels"
        people[participant] = {"participant": participant, "truth": truth, "marks": marks, "sign": len(levels) == 2 and levels[1] in seen}
    return sorted(people.values(), key=lambda entry: (entry["sign"], entry["participant"]))


def marks_used(strips: Sequence[Sequence[dict[str, Any]]]) -> dict[str, str]:
    """The marks that stand in these strips, with what they mean, for the legend."""
    used = {mark for people in strips for entry in people for marks in entry["marks"].values() for _, mark in marks}
    return {mark: words for mark, words in MARKS.items() if mark in used}


def roc(task: str, rows: pd.DataFrame, models: Sequence[str]) -> Markup | None:
    """ROC figure of a binary task, each model's curve the mean over its seeds; None where the clips have one level only."""
    positive = levels_of(rows)[1]
    if rows["truth"].nunique() < 2:
        return None
    grid = np.linspace(0, 1, 401)
    curves = []
    for model in models:
        seeds = [roc_curve(run["truth"] == positive, run["score"])[:2] for _, run in rows[rows["model"] == model].groupby("seed")]
        found = np.mean([np.interp(grid, false_alarms, found) for false_alarms, found in seeds], axis=0)
        curves.append((np.r_[0, grid], np.r_[0, found]))
    return figures.roc_figure(f"ROC curves: {task}", curves)


def _mark(truth: str, predicted: str, plausible: list[str] | None) -> str:
    if plausible is not None and len(plausible) != 1:
        return "abstained"
    return "right" if truth == predicted else "wrong"
