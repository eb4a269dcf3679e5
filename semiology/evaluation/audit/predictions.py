"""null.json is what the records of the permuted runs give: chance decides whether a result counts,
so its values are computed again.

predictions.csv is what the records say, row by row; fusions and selections are computed again.
"""

import re
from collections import defaultdict
from typing import Any

import numpy as np
import pandas as pd

from semiology.errors import UserError
from semiology.evaluation.audit.check import Check, answer
from semiology.evaluation.audit.folds import LINEAR
from semiology.evaluation.audit.records import TEST_SET, Record, Run, place, table_task
from semiology.evaluation.run.files import run_json
from semiology.evaluation.run.predictions import levels_of
from semiology.evaluation.statistics.metrics import metric_names
from semiology.evaluation.statistics.results import values

EXCHANGES = 1999  # of labels, behind the linear model's null
NEAR = 1e-6
QUESTION = "Are the values under permuted labels those that the permuted runs gave?"

Null = dict[str, dict[str, dict[str, list[float | None]]]]


def check_chance(run: Run) -> Check:
    """Every value of null.json computed again from the records, of as many permutations as were
    asked for.

    Those that could not be trained, as one level alone was left in a fold, have to be told in
    notes.json. The linear model's null needs the features, which no run holds: its length and range
    are looked at, and the answer says that it was not computed again.
    """
    faults, missing = [], list(run.missing)
    asked = int(run.config.get("permutations") or 0)
    if run.null is None:
        missing.append("null.json is damaged; delete it and run `semiology loso` again")
    complete, lacking = _complete(run, asked)
    missing += lacking
    null = run.null or {}
    if not missing:
        again = null_again(run, complete)
        faults += [
            f"{task}: null.json holds values of {model}, which no permuted run gave"
            for task, models in null.items()
            for model in models
            if model not in again.get(task, {})
            and not (model == LINEAR and run.config.get("baseline"))
        ]
        for task, models in again.items():
            for model, metrics in models.items():
                faults += [
                    f"{task}: {metric} of {model} in null.json is not what the permuted runs gave"
                    for metric in {*metrics, *null.get(task, {}).get(model, {})}
                    if not _alike(
                        null.get(task, {}).get(model, {}).get(metric), metrics.get(metric)
                    )
                ]
        if run.config.get("baseline"):
            wrong, untold = _linear(run, null)
            faults, missing = faults + wrong, missing + untold
    parts = [
        (
            f"computed again from {len(complete)} of {asked} permutations"
            if complete
            else "no permutations were asked for"
        )
    ]
    parts += (
        [f"the null of {LINEAR} was not computed again (its features are not in the run)"]
        if run.config.get("baseline")
        else []
    )
    return answer(
        "chance",
        QUESTION,
        sorted(faults),
        missing,
        "; ".join(parts),
        "chance is not what the permuted runs gave",
    )


def null_again(run: Run, complete: dict[int, list[Record]]) -> Null:
    """null.json from the records of permuted runs: task -> model -> metric -> values, one a
    permutation; fusions included.
    """
    null: Null = {}
    for records in complete.values():
        for task, models in values(_table(run, records)).items():
            for model, metrics in models.items():
                for metric, value in metrics.items():
                    null.setdefault(task, {}).setdefault(model, {}).setdefault(metric, []).append(
                        value
                    )
    return null


def _complete(run: Run, asked: int) -> tuple[dict[int, list[Record]], list[str]]:
    """The permutations whose folds are all there, with their records, and what lacks."""
    by_task: dict[str, dict[int, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in run.records:
        if record["permutation"] is not None:
            by_task[record["task"]][record["permutation"]].append(record)
    missing = []
    complete: dict[int, list[Record]] = {}
    for task in dict.fromkeys(record["task"] for record in run.judged) if asked else ():
        first = (run.config.get("seeds") or [run.judged[0]["seed"]])[0]
        folds = {
            str(record["fold"])
            for record in run.judged
            if record["task"] == task and record["seed"] == first
        }
        for permutation, records in sorted(by_task[task].items()):
            if lost := sorted(folds - {str(record["fold"]) for record in records}):
                missing.append(f"{task}, permutation {permutation}: no record of fold {lost[0]}")
            complete.setdefault(permutation, []).extend(records)
        there, told = len(by_task[task]), _left_out(run, task)
        if there + told < asked:
            missing.append(
                f"{task}: records of {there} permutations, {asked} were asked for and {told} left"
                " out, says notes.json"
            )
    return dict(sorted(complete.items())), missing


def _left_out(run: Run, task: str) -> int:
    """How many permutations notes.json says were left out, as in some fold all training clips had
    one level.
    """
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
    """Predictions of one permutation, as `values` reads them."""
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    for record in records:
        levels = record["levels"]
        for said in record["predictions"]:
            about = {
                "participant_id": record["clips"].get(said["clip_id"], ""),
                "truth": levels[said["truth"]],
                "seed": record["seed"],
            }
            rows[table_task(record), said["model"], said["clip_id"]] = about | {
                "scores": dict(zip(levels, said["probabilities"]))
            }
    for fusion in run.config.get("fusions") or []:
        members = [tuple(member.rpartition("/")[::2]) for member in fusion["members"]]
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
                mean = {
                    level: round(float(np.mean([part[level] for part in parts])), 6)
                    for level in parts[0]
                }
                rows[fusion["task"] + suffix, fusion["model"], clip] = own[0][clip] | {
                    "scores": mean
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


def _alike(written: list[float | None] | None, again: list[float | None] | None) -> bool:
    if written is None or again is None or len(written) != len(again):
        return False
    return bool(
        np.allclose(np.array(written, float), np.array(again, float), atol=NEAR, equal_nan=True)
    )


def _linear(run: Run, null: Null) -> tuple[list[str], list[str]]:
    """What cannot be the linear model's null: too few values, impossible ones; and what shows
    nothing: the same in all exchanges.
    """
    faults, missing = [], []
    for task, rows in run.table[run.table["model"] == LINEAR].groupby("task", sort=False):
        metrics = null.get(str(task), {}).get(LINEAR)
        if not metrics:
            missing.append(f"{task}: null.json does not hold {LINEAR}")
            continue
        for metric, found in metrics.items():
            given = [value for value in found if value is not None]
            least = -1 if metric == "mcc" else 0
            if len(found) != EXCHANGES or metric not in metric_names(len(levels_of(rows))):
                faults.append(
                    f"{task}: {metric} of {LINEAR} in null.json has {len(found)} values, not those"
                    f" of {EXCHANGES} exchanges"
                )
            elif given and not least - NEAR <= min(given) <= max(given) <= 1 + NEAR:
                faults.append(
                    f"{task}: {metric} of {LINEAR} in null.json has values that it cannot have"
                )
            elif metric == "auc" and len(set(given)) < 2:
                missing.append(
                    f"{task}: {metric} of {LINEAR} in null.json is the same in all {EXCHANGES}"
                    " exchanges of labels"
                )
    return faults, missing


WRITTEN_DIGITS = 2e-6  # scores are written with six digits

Key = tuple[str, str, int, str]  # task, model, seed, clip_id


def check_table(run: Run) -> Check:
    """Every row of predictions.csv stands in a record, or is a fusion of rows that do; nothing of
    the records is left out.
    """
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
                faults.append(
                    f"{where}: {differing} in predictions.csv is not what the record says"
                )
        for selection, chosen in record.get("selected", {}).items():
            if _said(record, selection) != _said(record, chosen):
                faults.append(
                    f"{place(record)}: the rows of {selection} are not those of {chosen}, which it"
                    " chose"
                )
    fused, wrong = _fusions(run, rows)
    faults += wrong
    for key in rows.keys() - known - fused:
        missing.append(
            f"{key[0]}, seed {key[2]}: no record holds {key[1]}'s prediction of {key[3]}"
        )
    return answer(
        "table",
        "Is predictions.csv what the records of the folds say?",
        faults,
        sorted(missing),
        f"all {len(rows)} rows are those of the records"
        + (f" ({len(fused)} fused ones computed again)" if fused else ""),
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
        "plausible": (
            row.plausible,
            (
                None
                if told.get("plausible") is None
                else [levels[level] for level in told["plausible"]]
            ),
        ),
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
            and (
                list(written) != levels
                or not np.allclose(list(written.values()), meant, atol=WRITTEN_DIGITS)
            )
        ):
            return column
    return "" if abs(row.score - _score(row.scores)) <= WRITTEN_DIGITS else "score"


def _score(scores: dict[str, float]) -> float:
    """What stands in the column: of two levels the second's probability, of more the highest."""
    return list(scores.values())[1] if len(scores) == 2 else max(scores.values())


def _said(record: dict[str, Any], model: str) -> dict[str, list[float]]:
    return {
        row["clip_id"]: row["probabilities"]
        for row in record["predictions"]
        if row["model"] == model
    }


def _fusions(run: Run, rows: dict[Key, Any]) -> tuple[set[Key], list[str]]:
    """The rows that are fusions, and what is wrong with them.

    For every seed there has to be one of each clip that all members predicted, and no other; each
    the mean of its members' probabilities, with their truth, participant and recording, in the fold
    of the first member.
    """
    found, wrong = set(), []
    for fusion in run.config.get("fusions") or []:
        members = [tuple(member.rpartition("/")[::2]) for member in fusion["members"]]
        for suffix in ("", TEST_SET):
            task, name = fusion["task"] + suffix, fusion["model"]
            given = {key[2:] for key in rows if key[:2] == (task, name)}
            found |= {(task, name, *which) for which in given}
            predicted = [
                {key[2:] for key in rows if key[:2] == (member + suffix, model)}
                for member, model in members
            ]
            common = set.intersection(*predicted)
            wrong += [
                f"{task}: {name} of clip {clip_id}, seed {seed}, is fused from predictions that are"
                " not there"
                for seed, clip_id in sorted(given - common)
            ]
            wrong += [
                f"{task}: {name} of clip {clip_id}, seed {seed}, is not in predictions.csv, though"
                " all members predicted it"
                for seed, clip_id in sorted(common - given)
            ]
            for seed, clip_id in sorted(given & common):
                parts = [rows[member + suffix, model, seed, clip_id] for member, model in members]
                if differing := _misfused(rows[task, name, seed, clip_id], parts):
                    of = ", ".join(fusion["members"])
                    wrong.append(
                        f"{task}: {differing} of {name}, clip {clip_id}, seed {seed}, is not what"
                        f" the mean of {of} gives"
                    )
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
    if not np.allclose(
        list(row.scores.values()),
        np.mean([list(part.scores.values()) for part in parts], axis=0),
        atol=WRITTEN_DIGITS,
    ):
        return "scores"
    if row.predicted != max(row.scores, key=row.scores.__getitem__):
        return "predicted"
    if row.calibrated is not None or row.plausible is not None:
        return "calibrated" if row.calibrated is not None else "plausible"
    return "" if abs(row.score - _score(row.scores)) <= WRITTEN_DIGITS else "score"
