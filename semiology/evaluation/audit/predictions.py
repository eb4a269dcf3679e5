"""null.json is what the records of the permuted runs give: chance decides whether a result counts, so its values are computed again."""

import re
from collections import defaultdict
from typing import Any

import numpy as np
import pandas as pd

from semiology.errors import UserError
from semiology.evaluation.audit.check import Check, answer
from semiology.evaluation.audit.folds import LINEAR
from semiology.evaluation.audit.records import TEST_SET, Record, Run, table_task
from semiology.evaluation.run.files import read_json
from semiology.evaluation.run.predictions import levels_of
from semiology.evaluation.statistics.metrics import metric_names
from semiology.evaluation.statistics.results import values

EXCHANGES = 1999  # of labels, behind the linear model's null
NEAR = 1e-6
QUESTION = "Are the values under permuted labels those that the permuted runs gave?"

Null = dict[str, dict[str, dict[str, list[float | None]]]]


def check_chance(run: Run) -> Check:
    """Every value of null.json computed again from the records, of as many permutations as were asked for.

    Those that could not be trained, as one level alone was left in a fold, have to be told in notes.json. The linear model's null needs the
    features, which no run holds: its length and range are looked at, and the answer says that it was not computed again.
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
            if model not in again.get(task, {}) and not (model == LINEAR and run.config.get("baseline"))
        ]
        for task, models in again.items():
            for model, metrics in models.items():
                faults += [
                    f"{task}: {metric} of {model} in null.json is not what the permuted runs gave"
                    for metric in {*metrics, *null.get(task, {}).get(model, {})}
                    if not _alike(null.get(task, {}).get(model, {}).get(metric), metrics.get(metric))
                ]
        if run.config.get("baseline"):
            wrong, untold = _linear(run, null)
            faults, missing = faults + wrong, missing + untold
    parts = [f"computed again from {len(complete)} of {asked} permutations" if complete else "no permutations were asked for"]
    parts += [f"the null of {LINEAR} was not computed again (its features are not in the run)"] if run.config.get("baseline") else []
    return answer("chance", QUESTION, sorted(faults), missing, "; ".join(parts), "chance is not what the permuted runs gave")


def null_again(run: Run, complete: dict[int, list[Record]]) -> Null:
    """null.json from the records of permuted runs: task -> model -> metric -> values, one a permutation; fusions included."""
    null: Null = {}
    for records in complete.values():
        for task, models in values(_table(run, records)).items():
            for model, metrics in models.items():
                for metric, value in metrics.items():
                    null.setdefault(task, {}).setdefault(model, {}).setdefault(metric, []).append(value)
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
        folds = {str(record["fold"]) for record in run.judged if record["task"] == task and record["seed"] == first}
        for permutation, records in sorted(by_task[task].items()):
            if lost := sorted(folds - {str(record["fold"]) for record in records}):
                missing.append(f"{task}, permutation {permutation}: no record of fold {lost[0]}")
            complete.setdefault(permutation, []).extend(records)
        there, told = len(by_task[task]), _left_out(run, task)
        if there + told < asked:
            missing.append(f"{task}: records of {there} permutations, {asked} were asked for and {told} left out, says notes.json")
    return dict(sorted(complete.items())), missing


def _left_out(run: Run, task: str) -> int:
    """How many permutations notes.json says were left out, as in some fold all training clips had one level."""
    try:
        notes = read_json(run.folder / "notes.json", "loso", list)
    except UserError:
        return 0
    found = [re.match(rf"{re.escape(task)}: (\d+) of \d+ permutations left out", str(note)) for note in notes]
    return sum(int(match[1]) for match in found if match)


def _table(run: Run, records: list[Record]) -> pd.DataFrame:
    """Predictions of one permutation, as `values` reads them."""
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    for record in records:
        levels = record["levels"]
        for said in record["predictions"]:
            about = {"participant_id": record["clips"].get(said["clip_id"], ""), "truth": levels[said["truth"]], "seed": record["seed"]}
            rows[table_task(record), said["model"], said["clip_id"]] = about | {"scores": dict(zip(levels, said["probabilities"]))}
    for fusion in run.config.get("fusions") or []:
        members = [tuple(member.rpartition("/")[::2]) for member in fusion["members"]]
        for suffix in ("", TEST_SET):
            own = [{clip: row for (task, model, clip), row in rows.items() if (task, model) == (of + suffix, name)} for of, name in members]
            for clip in set.intersection(*map(set, own)):
                parts = [part[clip]["scores"] for part in own]
                mean = {level: round(float(np.mean([part[level] for part in parts])), 6) for level in parts[0]}
                rows[fusion["task"] + suffix, fusion["model"], clip] = own[0][clip] | {"scores": mean}
    table = pd.DataFrame([{"task": key[0], "model": key[1], "clip_id": key[2], **row} for key, row in rows.items()])
    table["predicted"] = [max(scores, key=scores.__getitem__) for scores in table["scores"]]
    table["score"] = [list(scores.values())[1] if len(scores) == 2 else max(scores.values()) for scores in table["scores"]]
    return table


def _alike(written: list[float | None] | None, again: list[float | None] | None) -> bool:
    if written is None or again is None or len(written) != len(again):
        return False
    return bool(np.allclose(np.array(written, float), np.array(again, float), atol=NEAR, equal_nan=True))


def _linear(run: Run, null: Null) -> tuple[list[str], list[str]]:
    """What cannot be the linear model's null: too few values, impossible ones; and what shows nothing: the same in all exchanges."""
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
                faults.append(f"{task}: {metric} of {LINEAR} in null.json has {len(found)} values, not those of {EXCHANGES} exchanges")
            elif given and not least - NEAR <= min(given) <= max(given) <= 1 + NEAR:
                faults.append(f"{task}: {metric} of {LINEAR} in null.json has values that it cannot have")
            elif metric == "auc" and len(set(given)) < 2:
                missing.append(f"{task}: {metric} of {LINEAR} in null.json is the same in all {EXCHANGES} exchanges of labels")
    return faults, missing
