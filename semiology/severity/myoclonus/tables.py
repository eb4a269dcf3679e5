"""The tables of a scored cohort: clips, items, scores, changes and fits."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from semiology.data.cohort import Clip
from semiology.data.cohort.table import write_table
from semiology.errors import UserError
from semiology.severity.kinematics import SEGMENTS
from semiology.severity.myoclonus.changes import Change
from semiology.severity.myoclonus.measures import ClipMeasures
from semiology.severity.myoclonus.regression import Fit, Key
from semiology.severity.myoclonus.umrs import (
    PERFORMANCE,
    ItemScore,
    Visit,
    panel_of,
    panel_order,
    score_item,
)

KINDS = ("focal", "segmental", "multifocal", "generalised")


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Write rows as a table; `columns` is its header where there is no row."""
    write_table(path, pd.DataFrame(list(rows), columns=None if rows else list(columns)))


def clip_rows(
    clips: Sequence[Clip], measures: Mapping[str, ClipMeasures], seen: float
) -> list[dict[str, Any]]:
    """One row per clip: the formula's score of this clip alone, its jerks by part, their extent,
    the task, and the clinicians' scores.
    """
    rows = []
    for clip in clips:
        if (one := measures.get(clip.clip_id)) is None:
            continue
        panel = panel_of(clip)
        parts, performance = score_item([one], seen, math.nan if panel == "functional" else None)
        item = ItemScore(clip.participant_id, "", panel, "", (clip.clip_id,), parts, performance)
        row = _visit_key(clip.participant_id, clip.covariates.get("visit", "")) | {
            "clip_id": clip.clip_id,
            "panel": panel,
        }
        row |= {
            "item": clip.covariates.get("item") or "n/a",
            "seconds": one.seconds,
            "torso": one.torso,
            "umrs": item.score,
        }
        row["parts"] = sum(part in item.values for part in SEGMENTS)
        for part, found in parts.items():
            row |= {
                f"{part}_{name}": getattr(found, name)
                for name in ("seconds", "jerks", "per_minute", "amplitude", "smallest", "score")
            }
        row |= {kind: one.spread.get(kind, 0) for kind in KINDS}
        row |= {f"task_{name}": value for name, value in one.task.model_dump().items()}
        rows.append(
            _extended(
                row,
                {name: math.nan if value is None else value for name, value in clip.scores.items()},
            )
        )
    return rows


def item_rows(visits: Sequence[Visit]) -> list[dict[str, Any]]:
    """One row per participant, visit, item and part of the body; then the performance of a
    functional item, and the item's sum.
    """
    rows = []
    for visit in visits:
        for item in visit.items:
            known = _visit_key(visit.participant_id, visit.visit) | {
                "panel": item.panel,
                "item": item.item,
                "clips": len(item.clip_ids),
            }
            rows += [
                known | {"part": part, "side": SEGMENTS[part].side or "n/a"} | asdict(found)
                for part, found in item.parts.items()
            ]
            if item.performance is not None:
                rows.append(known | {"part": PERFORMANCE, "side": "n/a"} | asdict(item.performance))
            rows.append(known | {"part": "sum", "side": "n/a", "score": item.score})
    return rows


def score_rows(
    visits: Sequence[Visit],
    measures: Mapping[str, ClipMeasures],
    groups: Mapping[str, str],
    rated: Mapping[str, Mapping[Key, float]],
    fits: Sequence[Fit],
) -> list[dict[str, Any]]:
    """One row per participant and visit: `umrs_<panel>` and `umrs_total`, the number of parts
    behind them, the clinicians' scores, `<score>_fitted`.

    A visit without a measured clip has only the clinicians' scores.

    Args:
        visits: of all participants.
        measures: clip_id -> measures.
        groups: participant -> group of participants.tsv.
        rated: score -> (participant, visit) -> the clinician's score.
        fits: regressions on the clinicians' scores.

    Raises:
        UserError: a clinician's score has the name of another column.
    """
    panels = sorted({item.panel for visit in visits for item in visit.items}, key=panel_order)
    rows = []
    for visit in visits:
        key, scores = (visit.participant_id, visit.visit), visit.panels()
        own = [measures[clip_id] for item in visit.items for clip_id in item.clip_ids]
        row = _visit_key(*key) | {
            "group": groups.get(visit.participant_id) or "n/a",
            "clips": len(own),
        }
        for panel in panels:
            row |= {
                f"umrs_{panel}": scores.get(panel, math.nan),
                f"umrs_{panel}_parts": len(visit.parts(panel)),
            }
        row |= {"umrs_total": visit.total(), "umrs_total_parts": len(visit.parts())}
        row["umrs_total_panels"] = (
            ",".join(panel for panel, score in scores.items() if not math.isnan(score)) or "n/a"
        )
        usable = sum(max((part.seconds for part in one.parts.values()), default=0.0) for one in own)
        row["events_per_minute"] = (
            60 * sum(sum(one.spread.values()) for one in own) / usable if usable else math.nan
        )
        row = _extended(row, {name: values.get(key, math.nan) for name, values in rated.items()})
        rows.append(
            _extended(row, {f"{fit.name}_fitted": fit.predicted.get(key, math.nan) for fit in fits})
        )
    return rows


def change_rows(found: Sequence[Change]) -> list[dict[str, Any]]:
    """One row per participant, score and later visit."""
    return [
        {
            "participant_id": one.participant_id,
            "score": one.score,
            "first": one.first,
            "later": one.later,
        }
        | {"before": one.before, "after": one.after, "change": one.change}
        | {
            "rests_on": "n/a" if one.rests_on is None else one.rests_on,
            "reason": one.reason or "n/a",
        }
        for one in found
    ]


def fit_rows(fits: Sequence[Fit]) -> list[dict[str, Any]]:
    """One row per clinician's score: its regression, or the reason why there is none."""
    return [
        {
            "score": fit.name,
            "of": fit.of or "n/a",
            "participants": fit.participants,
            "visits": fit.visits,
        }
        | {
            "features": ",".join(fit.features) or "n/a",
            "predicted": len(fit.predicted),
            "reason": fit.reason or "n/a",
        }
        for fit in fits
    ]


def _extended(row: Mapping[str, Any], scores: Mapping[str, float]) -> dict[str, Any]:
    """The row extended by the clinicians' or the fitted scores."""
    if taken := sorted(row.keys() & scores.keys()):
        raise UserError(
            f"clips.json: the score {taken[0]!r} has the name of a column of the results; rename it"
        )
    return {**row, **scores}


def _visit_key(participant: str, visit: str) -> dict[str, Any]:
    return {"participant_id": participant, "visit": visit or "n/a"}
