"""What was fitted on inner folds, computed again from the inner predictions in the record: calibration, threshold, selection."""

from collections import defaultdict
from typing import Any

import numpy as np

from semiology.evaluation.audit.audit_folds import people
from semiology.evaluation.audit.check import Check, answer
from semiology.evaluation.audit.records import Record, Run, place
from semiology.evaluation.statistics.calibration import fit_calibrator

NEAR = 1e-4  # numbers that are equal but for rounding


def check_refitted(run: Run) -> Check:
    """Inner predictions are of training participants; fitting on them gives the recorded calibration, threshold and selection again."""
    faults, missing, count = [], list(run.missing), 0
    asked = run.config.get("calibration") or {}
    for record in run.records:
        rows = record.get("inner", [])
        faults += [f"{place(record)}: {fault}" for fault in _sides(record, rows)]
        for name, model in record["models"].items():
            told = model.get("calibration")
            if told and not run.config:
                continue  # how it was fitted is not known: `missing` says so
            own = [row for row in rows if row["model"] == name]
            if not told:
                continue
            count += 1
            if not own:
                missing.append(f"{place(record)}: {name} is calibrated, but no inner predictions are in the record")
                continue
            probabilities, truth = np.array([row["probabilities"] for row in own]), np.array([row["truth"] for row in own])
            again = fit_calibrator(probabilities, truth, asked.get("method", "none"), asked.get("coverage"))
            if differing := _differing(told, again.__dict__):
                faults.append(f"{place(record)}: {differing} of {name} is not what its inner predictions give")
        for selection, chosen in record.get("selected", {}).items():
            count += 1
            best = _best(rows, (run.config.get("selections") or {}).get(selection, []))
            if best is None:
                missing.append(f"{place(record)}: {selection} chose {chosen}, but no inner predictions are in the record")
            elif best != chosen:
                faults.append(f"{place(record)}: {selection} chose {chosen}, but inner predictions are best for {best}")
    return answer(
        "threshold and choice",
        "Do the inner predictions of training participants give the recorded calibration, threshold and selection again?",
        faults,
        missing,
        f"computed again from training participants alone, {count} times" if count else "nothing was fitted on inner folds",
        "not what training participants give",
    )


def _sides(record: Record, rows: list[dict[str, Any]]) -> list[str]:
    """Inner clips of those held out, and participants whose clips were dealt to several inner folds."""
    held = people(record, record["held_out_clips"]) if record["split"] != "recording" else set()
    clips = {row["clip_id"] for row in rows}
    leaked = {clip_id for clip_id in clips if clip_id in record["held_out_clips"] or record["clips"].get(clip_id) in held}
    faults = [f"inner predictions of {', '.join(sorted(leaked)[:3])}, held out"] if leaked else []
    folds: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in rows:
        folds[row["model"], record["clips"].get(row["clip_id"], "")].add(row["fold"])
    split = sorted({participant for (_, participant), numbers in folds.items() if len(numbers) > 1})
    return faults + ([f"inner folds part the clips of {', '.join(split[:3])}"] if split else [])


def _differing(told: dict[str, Any], again: dict[str, Any]) -> str:
    """The first number of a calibration that is not the same; empty where all are."""
    for name in ("temperature", "threshold", "steps"):
        first, second = (_flat(content.get(name)) for content in (told, again))
        if len(first) != len(second) or not np.allclose(first, second, atol=NEAR):
            return name
    return ""


def _flat(value: Any) -> list[float]:
    if value is None:
        return []
    return [number for part in value for number in _flat(part)] if isinstance(value, list | tuple) else [float(value)]


def _best(rows: list[dict[str, Any]], among: list[str]) -> str | None:
    """The model of lowest log loss over inner rows, the first of equals."""
    losses: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        losses[row["model"]].append(-float(np.log(max(row["probabilities"][row["truth"]], 1e-4))))
    return min(among, key=lambda name: float(np.mean(losses[name]))) if among and all(losses[name] for name in among) else None
