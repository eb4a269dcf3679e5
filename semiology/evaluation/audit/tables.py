"""predictions.csv is what the records say, row by row; fusions and selections are computed again."""

from typing import Any

import numpy as np

from semiology.evaluation.audit.check import Check, answer
from semiology.evaluation.audit.records import TEST_SET, Run, place, table_task

NEAR = 2e-6  # scores are written with six digits

Key = tuple[str, str, int, str]  # task, model, seed, clip_id


def check_table(run: Run) -> Check:
    """Every row of predictions.csv stands in a record, or is a fusion of rows that do; nothing of the records is left out."""
    faults, missing = [], list(run.missing)
    written: Any = run.table.itertuples()
    rows: dict[Key, Any] = {(row.task, row.model, row.seed, row.clip_id): row for row in written}
    known: set[Key] = set()
    for record in run.judged:
        task, levels = table_task(record), record["levels"]
        for told in record["predictions"]:
            key = (task, told["model"], record["seed"], told["clip_id"])
            where = f"{place(record)}: {told['model']}, clip {told['clip_id']}"
            known.add(key)
            if key not in rows:
                faults.append(f"{where}: not in predictions.csv")
            elif differing := _differing(rows[key], record, told, levels):
                faults.append(f"{where}: {differing} in predictions.csv is not what the record says")
        for selection, chosen in record.get("selected", {}).items():
            if _said(record, selection) != _said(record, chosen):
                faults.append(f"{place(record)}: the rows of {selection} are not those of {chosen}, which it chose")
    fused, wrong = _fusions(run, rows)
    faults += wrong
    for key in rows.keys() - known - fused:
        missing.append(f"{key[0]}, seed {key[2]}: no record holds {key[1]}'s prediction of {key[3]}")
    return answer(
        "table",
        "Is predictions.csv what the records of the folds say?",
        faults,
        sorted(missing),
        f"all {len(rows)} rows are those of the records" + (f" ({len(fused)} fused ones computed again)" if fused else ""),
        "predictions.csv is not what the records say",
    )


def _differing(row: Any, record: dict[str, Any], told: dict[str, Any], levels: list[str]) -> str:
    """The first column of a row that is not what the record says; empty where all are."""
    facts = {
        "fold": (row.fold, str(record["fold"])),
        "participant_id": (row.participant_id, record["clips"].get(told["clip_id"])),
        "recording_id": (row.recording_id, told.get("recording_id", row.recording_id)),
        "truth": (row.truth, levels[told["truth"]]),
        "predicted": (row.predicted, max(row.scores, key=row.scores.__getitem__)),
        "plausible": (row.plausible, None if told.get("plausible") is None else [levels[level] for level in told["plausible"]]),
    }
    for column, (written, meant) in facts.items():
        if written != meant:
            return column
    for column, key in (("scores", "probabilities"), ("calibrated", "calibrated")):
        written, meant = getattr(row, column), told.get(key)
        if (written is None) != (meant is None):
            return column
        if (
            written is not None
            and meant is not None
            and (list(written) != levels or not np.allclose(list(written.values()), meant, atol=NEAR))
        ):
            return column
    return "" if abs(row.score - _score(row.scores)) <= NEAR else "score"


def _score(scores: dict[str, float]) -> float:
    """What stands in the column: of two levels the second's probability, of more the highest."""
    return list(scores.values())[1] if len(scores) == 2 else max(scores.values())


def _said(record: dict[str, Any], model: str) -> dict[str, list[float]]:
    return {row["clip_id"]: row["probabilities"] for row in record["predictions"] if row["model"] == model}


def _fusions(run: Run, rows: dict[Key, Any]) -> tuple[set[Key], list[str]]:
    """The rows that are fusions, and what is wrong with them.

    For every seed there has to be one of each clip that all members predicted, and no other; each the mean of its members' probabilities,
    with their truth, participant and recording, in the fold of the first member.
    """
    found, wrong = set(), []
    for fusion in run.config.get("fusions") or []:
        members = [tuple(member.rpartition("/")[::2]) for member in fusion["members"]]
        for suffix in ("", TEST_SET):
            task, name = fusion["task"] + suffix, fusion["model"]
            given = {key[2:] for key in rows if key[:2] == (task, name)}
            found |= {(task, name, *which) for which in given}
            predicted = [{key[2:] for key in rows if key[:2] == (member + suffix, model)} for member, model in members]
            common = set.intersection(*predicted)
            wrong += [
                f"{task}: {name} of clip {clip_id}, seed {seed}, is fused from predictions that are not there"
                for seed, clip_id in sorted(given - common)
            ]
            wrong += [
                f"{task}: {name} of clip {clip_id}, seed {seed}, is not in predictions.csv, though all members predicted it"
                for seed, clip_id in sorted(common - given)
            ]
            for seed, clip_id in sorted(given & common):
                parts = [rows[member + suffix, model, seed, clip_id] for member, model in members]
                if differing := _misfused(rows[task, name, seed, clip_id], parts):
                    of = ", ".join(fusion["members"])
                    wrong.append(f"{task}: {differing} of {name}, clip {clip_id}, seed {seed}, is not what the mean of {of} gives")
    return found, wrong


def _misfused(row: Any, parts: list[Any]) -> str:
    """The first column of a fused row that its members do not give; empty where they give all."""
    for column in ("truth", "participant_id", "recording_id"):
        if {getattr(part, column) for part in parts} != {getattr(row, column)}:
            return column
    if row.fold != parts[0].fold:
        return "fold"
    if any(list(part.scores) != list(row.scores) for part in parts):
        return "scores"
    if not np.allclose(list(row.scores.values()), np.mean([list(part.scores.values()) for part in parts], axis=0), atol=NEAR):
        return "scores"
    if row.predicted != max(row.scores, key=row.scores.__getitem__):
        return "predicted"
    if row.calibrated is not None or row.plausible is not None:
        return "calibrated" if row.calibrated is not None else "plausible"
    return "" if abs(row.score - _score(row.scores)) <= NEAR else "score"
