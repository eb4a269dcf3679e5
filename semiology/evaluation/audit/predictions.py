"""Checks of results against the records of the folds: null.json is computed again from the permuted
runs, predictions.csv is compared row by row, fusions and selections are computed again.
"""

import re
from collections import defaultdict
from typing import Any

import numpy as np
import pandas as pd

from semiology.errors import UserError
from semiology.evaluation.agreement.chance import Null, null_of
from semiology.evaluation.audit.check import Check, Finding, answer
from semiology.evaluation.audit.folds import LINEAR
from semiology.evaluation.audit.records import TEST_SET, Record, Run, describe_fold, table_task
from semiology.evaluation.run.files import run_json, split_of
from semiology.evaluation.run.fusions import FusionWeights, weighted_mean, weights_of
from semiology.evaluation.run.predictions import levels_of
from semiology.evaluation.run.scores import NAME
from semiology.evaluation.run.settings import linear_permutations
from semiology.evaluation.statistics.metrics import metric_names
from semiology.evaluation.statistics.results import values

NEAR = 1e-6
FROM_MINUS_ONE = ("mcc", "kappa_quadratic", "spearman", "icc_2_1")
QUESTION = "Is null.json what the runs with permuted labels gave?"


def check_chance(run: Run) -> Check:
    """null.json is what the permuted runs give, for as many permutations as requested.

    Permutations that could not be trained, because a fold had one class only, have to be listed in
    notes.json. The null of the linear model needs the features, which no run holds: its length and
    range are checked, and the answer says that it was not computed again.
    """
    faults, missing = [], list(run.missing)
    requested = int(run.config.get("permutations") or 0)
    if run.null is None:
        text = "null.json is damaged; delete it and run `semiology loso` again"
        missing.append(Finding("null-damaged", text, ("null.json",)))
    complete, lacking = _complete(run, requested)
    missing += lacking
    null = run.null or {}
    if not missing:
        recomputed = null_again(run, complete)
        for task, models in null.items():
            for model in models:
                if model not in recomputed.get(task, {}) and model not in _at_once(run):
                    text = f"{task}: null.json holds values of {model}, which no permuted run gave"
                    faults.append(Finding("null-unfounded", text, (task, model)))
        for task, models in recomputed.items():
            for model, metrics in models.items():
                own = null.get(task, {}).get(model, {})
                for metric in {*metrics, *own}:
                    if not equal_values(own.get(metric), metrics.get(metric)):
                        text = (
                            f"{task}: {metric} of {model} in null.json differs from the permuted"
                            " runs"
                        )
                        faults.append(Finding("null-differs", text, (task, model, metric)))
        if LINEAR in _at_once(run):
            wrong, lacking = _linear(run, null)
            faults, missing = faults + wrong, missing + lacking
    parts = [
        (
            f"computed again from {len(complete)} of {requested} permutations"
            if complete
            else "no permutations were requested"
        )
    ]
    parts += (
        [f"the null of {LINEAR} was not computed again (its features are not in the run)"]
        if LINEAR in _at_once(run)
        else []
    )
    return answer(
        "chance",
        QUESTION,
        sorted(faults, key=lambda fault: fault.text),
        missing,
        "; ".join(parts),
        "the null differs from the permuted runs",
    )


def _at_once(run: Run) -> list[str]:
    """Models whose null no permuted run gave, as all of it is computed at once."""
    if run.config.get("baseline"):
        return [LINEAR]
    return [name for name, count in (run.config.get("nulls") or {}).items() if count]


def null_again(run: Run, complete: dict[int, list[Record]]) -> Null:
    """null.json from the records of permuted runs, fusions included.

    Returns task -> model -> metric -> values, one for each permutation.
    """
    if run.scores:
        permuted = [record for records in complete.values() for record in records]
        return null_of(permuted, [table_task(record) for record in permuted], run.scores)
    null: Null = {}
    for records in complete.values():
        for task, models in values(_table(run, records)).items():
            for model, metrics in models.items():
                for metric, value in metrics.items():
                    null.setdefault(task, {}).setdefault(model, {}).setdefault(metric, []).append(
                        value
                    )
    return null


def _complete(run: Run, requested: int) -> tuple[dict[int, list[Record]], list[Finding]]:
    """The permutations with records of all folds, and what is missing."""
    by_task: dict[str, dict[int, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in run.records:
        if record["permutation"] is not None:
            by_task[record["task"]][record["permutation"]].append(record)
    missing = []
    complete: dict[int, list[Record]] = {}
    for task in dict.fromkeys(record["task"] for record in run.evaluated) if requested else ():
        first = (run.config.get("seeds") or [run.evaluated[0]["seed"]])[0]
        folds = {
            str(record["fold"])
            for record in run.evaluated
            if record["task"] == task and record["seed"] == first
        }
        for permutation, records in sorted(by_task[task].items()):
            if lost := sorted(folds - {str(record["fold"]) for record in records}):
                text = f"{task}, permutation {permutation}: no record of fold {lost[0]}"
                missing.append(Finding("fold-unrecorded", text, (task, str(permutation), lost[0])))
            complete.setdefault(permutation, []).extend(records)
        recorded, left_out = len(by_task[task]), _left_out(run, task)
        if recorded + left_out < requested:
            text = (
                f"{task}: records of {recorded} permutations, {requested} were requested and"
                f" {left_out} left out by notes.json"
            )
            counts = (str(recorded), str(requested), str(left_out))
            missing.append(Finding("permutations-missing", text, (task, *counts)))
    return dict(sorted(complete.items())), missing


def _left_out(run: Run, task: str) -> int:
    """Number of permutations that notes.json lists as left out, as a fold had one class only."""
    try:
        notes = run_json(run.folder / "notes.json", "loso", list)
    except UserError:
        return 0
    found = [
        re.match(rf"{re.escape(task)}: (\d+) of \d+ permutations left out", str(note))
        for note in notes
    ]
    return sum(int(match[1]) for match in found if match)


def _table(run: Run, records: list[Record]) -> pd.DataFrame:
    """The table of predictions of one permutation, for `values`."""
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    for record in records:
        classes = record["levels"]
        for row in record["predictions"]:
            rows[table_task(record), row["model"], row["clip_id"]] = {
                "participant_id": record["clips"].get(row["clip_id"], ""),
                "truth": classes[row["truth"]],
                "seed": record["seed"],
                "scores": dict(zip(classes, row["probabilities"])),
            }
    places = {
        (table_task(record), row["clip_id"]): (record["seed"], str(record["fold"]))
        for record in records
        for row in record["predictions"]
    }
    for fusion in run.config.get("fusions") or []:
        members = [tuple(member.rpartition("/")[::2]) for member in fusion["members"]]
        weights = weights_of(fusion, records)
        for suffix in ("", TEST_SET):
            own = [
                {
                    clip: row
                    for (task, model, clip), row in rows.items()
                    if (task, model) == (of + suffix, name)
                }
                for of, name in members
            ]
            for clip in set.intersection(*map(set, own)):
                parts = [part[clip]["scores"] for part in own]
                found = weights.get((*places[members[0][0] + suffix, clip], suffix))
                rows[fusion["task"] + suffix, fusion["model"], clip] = own[0][clip] | {
                    "scores": weighted_mean(parts, found.weights if found else None)
                }
    table = pd.DataFrame(
        [{"task": key[0], "model": key[1], "clip_id": key[2], **row} for key, row in rows.items()]
    )
    table["predicted"] = [max(scores, key=scores.__getitem__) for scores in table["scores"]]
    table["score"] = [
        list(scores.values())[1] if len(scores) == 2 else max(scores.values())
        for scores in table["scores"]
    ]
    return table


def equal_values(written: list[float | None] | None, recomputed: list[float | None] | None) -> bool:
    """Whether two lists of values of null.json are the same, None in the same places."""
    if written is None or recomputed is None or len(written) != len(recomputed):
        return False
    return bool(
        np.allclose(
            np.array(written, float), np.array(recomputed, float), atol=NEAR, equal_nan=True
        )
    )


def _linear(run: Run, null: Null) -> tuple[list[Finding], list[Finding]]:
    """Faults of the linear model's null (too few values, impossible ones), and what is missing
    (no values, or the same in all permutations, which shows nothing).
    """
    faults, missing = [], []
    for task, rows in run.table[run.table["model"] == LINEAR].groupby("task", sort=False):
        metrics = null.get(str(task), {}).get(LINEAR)
        count = (run.config.get("nulls") or {}).get(LINEAR) or linear_permutations(
            split_of(run.config, str(task)).get("by"), str(task)
        )
        if not metrics:
            text = f"{task}: null.json does not hold {LINEAR}"
            missing.append(Finding("null-missing", text, (str(task), LINEAR)))
            continue
        for metric, found in metrics.items():
            known = [value for value in found if value is not None]
            least = -1 if metric in FROM_MINUS_ONE else 0
            about, where = (str(task), LINEAR, metric), f"{task}: {metric} of {LINEAR} in null.json"
            names = run.scores.tested if run.scores else metric_names(len(levels_of(rows)))
            most = np.inf if metric == "mean_absolute_error" else 1
            if len(found) != count or metric not in names:
                text = f"{where} has {len(found)} values, not those of {count} permutations"
                faults.append(Finding("null-length", text, about))
            elif known and not least - NEAR <= min(known) <= max(known) <= most + NEAR:
                faults.append(Finding("null-impossible", f"{where} has impossible values", about))
            elif metric == "auc" and len(set(known)) < 2:
                text = f"{where} is the same in all {count} permutations of labels"
                missing.append(Finding("null-constant", text, about))
    return faults, missing


WRITTEN_DIGITS = 2e-6  # scores are written with six digits

Key = tuple[str, str, int, str]  # task, model, seed, clip_id


def check_table(run: Run) -> Check:
    """predictions.csv (of numbers scores.tsv) is the records' predictions and their fusions, and
    lacks none of them.
    """
    faults, missing = [], list(run.missing)
    file = NAME if run.scores else "predictions.csv"
    written: Any = run.table.itertuples()
    rows: dict[Key, Any] = {(row.task, row.model, row.seed, row.clip_id): row for row in written}
    known: set[Key] = set()
    for record in run.evaluated:
        fold, task = describe_fold(record), table_task(record)
        for recorded in record["predictions"]:
            model, clip_id = recorded["model"], recorded["clip_id"]
            key = (task, model, record["seed"], clip_id)
            where = f"{fold}: {model}, clip {clip_id}"
            known.add(key)
            if key not in rows:
                text = f"{where}: not in {file}"
                faults.append(Finding("row-missing", text, (model, clip_id)))
            elif differing := _differing(rows[key], record, recorded):
                text = f"{where}: {differing} in {file} differs from the record"
                faults.append(Finding("row-differs", text, (model, clip_id, differing)))
        for selection, chosen in record.get("selected", {}).items():
            if _probabilities(record, selection) != _probabilities(record, chosen):
                text = f"{fold}: the rows of {selection} are not those of the chosen {chosen}"
                faults.append(Finding("selection-rows", text, (selection, chosen)))
    fused, wrong = _fusions(run, rows)
    faults += wrong
    for task, model, seed, clip_id in sorted(rows.keys() - known - fused):
        text = f"{task}, seed {seed}: no record holds {model}'s prediction of {clip_id}"
        missing.append(Finding("row-unrecorded", text, (model, clip_id)))
    return answer(
        "table",
        f"Does {file} agree with the records of the folds?",
        faults,
        missing,
        f"all {len(rows)} rows agree with the records"
        + (f" ({len(fused)} fused rows computed again)" if fused else ""),
        f"{file} differs from the records",
    )


def _differing(row: Any, record: dict[str, Any], recorded: dict[str, Any]) -> str:
    """The first column of a row that differs from the record; empty where none does."""
    classes = record["levels"]
    if not classes:
        return _differing_number(row, record, recorded)
    facts = {
        "fold": (row.fold, str(record["fold"])),
        "participant_id": (row.participant_id, record["clips"].get(recorded["clip_id"])),
        "recording_id": (row.recording_id, recorded.get("recording_id", row.recording_id)),
        "truth": (row.truth, classes[recorded["truth"]]),
        "predicted": (row.predicted, max(row.scores, key=row.scores.__getitem__)),
        "plausible": (
            row.plausible,
            (
                None
                if recorded.get("plausible") is None
                else [classes[code] for code in recorded["plausible"]]
            ),
        ),
    }
    for column, (written, expected) in facts.items():
        if written != expected:
            return column
    for column, key in (("scores", "probabilities"), ("calibrated", "calibrated")):
        written, expected = getattr(row, column), recorded.get(key)
        if (written is None) != (expected is None):
            return column
        if (
            written is not None
            and expected is not None
            and (
                list(written) != classes
                or not np.allclose(list(written.values()), expected, atol=WRITTEN_DIGITS)
            )
        ):
            return column
    return "" if abs(row.score - _score(row.scores)) <= WRITTEN_DIGITS else "score"


def _differing_number(row: Any, record: dict[str, Any], recorded: dict[str, Any]) -> str:
    """The same of a row of a rating or a number."""
    facts = {
        "fold": (row.fold, str(record["fold"])),
        "participant": (row.participant_id, record["clips"].get(recorded["clip_id"])),
        "target": (row.truth, recorded["truth"]),
        recorded["model"]: (row.value, recorded["value"]),
    }
    return next((name for name, (written, expected) in facts.items() if written != expected), "")


def _score(scores: dict[str, float]) -> float:
    """The column `score`: of two classes the second's probability, of more the highest."""
    return list(scores.values())[1] if len(scores) == 2 else max(scores.values())


def _probabilities(record: dict[str, Any], model: str) -> dict[str, list[float]]:
    return {
        row["clip_id"]: row["probabilities"]
        for row in record["predictions"]
        if row["model"] == model
    }


def _fusions(run: Run, rows: dict[Key, Any]) -> tuple[set[Key], list[Finding]]:
    """The rows that are fusions, and their faults.

    For every seed there has to be one row of each clip that all members predicted, and no other:
    the mean of its members' probabilities by their weights, with their truth, participant and
    recording, in the fold of the first member.
    """
    found, faults = set(), []
    for fusion in run.config.get("fusions") or []:
        members = [tuple(member.rpartition("/")[::2]) for member in fusion["members"]]
        weights = weights_of(fusion, run.evaluated)
        for suffix in ("", TEST_SET):
            task, name = fusion["task"] + suffix, fusion["model"]
            written = {key[2:] for key in rows if key[:2] == (task, name)}
            found |= {(task, name, *which) for which in written}
            predicted = [
                {key[2:] for key in rows if key[:2] == (member + suffix, model)}
                for member, model in members
            ]
            common = set.intersection(*predicted)
            for seed, clip_id in sorted(written - common):
                text = (
                    f"{task}: {name} of clip {clip_id}, seed {seed}, is fused from predictions that"
                    " do not exist"
                )
                faults.append(Finding("fusion-unfounded", text, (name, clip_id)))
            for seed, clip_id in sorted(common - written):
                text = (
                    f"{task}: {name} of clip {clip_id}, seed {seed}, is not in predictions.csv,"
                    " though all members predicted it"
                )
                faults.append(Finding("fusion-missing", text, (name, clip_id)))
            for seed, clip_id in sorted(written & common):
                parts = [rows[member + suffix, model, seed, clip_id] for member, model in members]
                row = rows[task, name, seed, clip_id]
                if differing := _misfused(row, parts, weights.get((seed, row.fold, suffix))):
                    text = (
                        f"{task}: {differing} of {name}, clip {clip_id}, seed {seed}, is not the"
                        f" {'weighted ' if weights else ''}mean of {', '.join(fusion['members'])}"
                    )
                    faults.append(Finding("fusion-differs", text, (name, clip_id, differing)))
    return found, faults


def _misfused(row: Any, parts: list[Any], found: FusionWeights | None) -> str:
    """The first column of a fused row that does not follow from its members; empty if all do."""
    for column in ("truth", "participant_id", "recording_id"):
        if {getattr(part, column) for part in parts} != {getattr(row, column)}:
            return column
    if row.fold != parts[0].fold:
        return "fold"
    if any(list(part.scores) != list(row.scores) for part in parts):
        return "scores"
    mean = weighted_mean([part.scores for part in parts], found.weights if found else None)
    if not np.allclose(list(row.scores.values()), list(mean.values()), atol=WRITTEN_DIGITS):
        return "scores"
    if row.predicted != max(row.scores, key=row.scores.__getitem__):
        return "predicted"
    if row.calibrated is not None or row.plausible is not None:
        return "calibrated" if row.calibrated is not None else "plausible"
    return "" if abs(row.score - _score(row.scores)) <= WRITTEN_DIGITS else "score"
