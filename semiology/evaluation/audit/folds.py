"""Checks of the folds: who is in training and held-out set, what was fitted on whom, and whether
calibration, threshold and selection follow from the inner predictions in the record.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

from semiology.errors import UserError
from semiology.evaluation.audit.check import Check, Finding, answer
from semiology.evaluation.audit.records import TEST, Record, Run, describe_fold
from semiology.evaluation.run.files import tested_people
from semiology.evaluation.run.fusions import (
    WEIGHTS_FILE,
    fusion_weights,
    read_weights,
    weights_entry,
)
from semiology.evaluation.run.records import calibrator_of
from semiology.models.networks import SOLVED

NO_RECORD = Finding(
    "no-record",
    "there is no record of any fold that predictions.csv names; run `semiology loso` again",
)


def unrecorded(run: Run) -> list[Finding]:
    """What of protocol and records is missing or damaged."""
    return list(run.missing) + ([] if run.records else [NO_RECORD])


def training_clips(record: Record) -> set[str]:
    """Clips that anything in the fold was fitted on, by any model."""
    return {
        clip_id
        for model in record["models"].values()
        for clips in model.get("seen", {}).values()
        for clip_id in clips
    }


def participants_of(record: Record, clip_ids: Iterable[str]) -> set[str]:
    """Participants of these clips, as the record assigns them."""
    return {record["clips"][clip_id] for clip_id in clip_ids if clip_id in record["clips"]}


def check_sides(run: Run) -> Check:
    """No participant is on both sides of a fold, and none of the test set is in training."""
    faults, missing = [], unrecorded(run)
    for record in run.records:
        fold = describe_fold(record)
        test = tested_people(run.config, record["task"])
        held = participants_of(record, record["held_out_clips"])
        training = participants_of(record, training_clips(record))
        if not training:
            missing.append(
                Finding(
                    "training-unrecorded", f"{fold}: its training participants are not recorded"
                )
            )
        if both := sorted(held & training):
            other = (
                " (split by recording: other seizures of known patients)"
                if record["split"] == "recording"
                else ""
            )
            faults.append(
                Finding("both-sides", f"{fold}: {_some(both)} on both sides{other}", tuple(both))
            )
        if held != set(record["held_out"]):
            faults.append(
                Finding(
                    "held-out-differs",
                    f"{fold}: its clips are of {_some(sorted(held))}, but it names"
                    f" {_some(record['held_out'])} as held out",
                    tuple(record["held_out"]),
                )
            )
        if record["split"] != TEST and (leaked := sorted(test & training)):
            faults.append(
                Finding(
                    "test-set-in-training",
                    f"{fold}: {_some(leaked)} of the unseen test set were used in training",
                    tuple(leaked),
                )
            )
    faults += _two_names(run)
    return answer(
        "participants",
        "Is any participant on both sides of a fold?",
        faults,
        missing,
        f"no participant is on both sides, in {len(run.records)} folds",
        _known_patients(run) or "a participant is on both sides",
    )


def check_once(run: Run) -> Check:
    """Every clip was predicted once by each model and seed, in the fold that held it out."""
    faults, missing = [], list(run.missing)
    runs: dict[tuple, list[Record]] = defaultdict(list)
    for record in run.records:
        runs[record["task"], record["seed"], record["permutation"], record["split"] == TEST].append(
            record
        )
    for (task, seed, permutation, unseen), records in runs.items():
        about = (
            f"{task}, seed {seed}"
            + ("" if permutation is None else f", permutation {permutation}")
            + (", test set" if unseen else "")
        )
        test = tested_people(run.config, task)
        names = {
            name
            for record in records
            for name in [*run.models_of(record), *record.get("selected", {})]
        }
        clips = {
            clip_id: participant
            for record in records
            for clip_id, participant in record["clips"].items()
            if clip_id not in record.get("unscored", ())
        }
        expected = {
            clip_id for clip_id, participant in clips.items() if (participant in test) == unseen
        }
        count: Counter[tuple[str, str]] = Counter()
        for record in records:
            for row in record["predictions"]:
                count[row["model"], row["clip_id"]] += 1
                if row["clip_id"] not in record["held_out_clips"]:
                    faults.append(
                        Finding(
                            "not-held-out",
                            f"{describe_fold(record)}: {row['model']} predicted {row['clip_id']},"
                            " which this fold did not hold out",
                            (row["model"], row["clip_id"]),
                        )
                    )
        for name in sorted(names):
            for clip_id in sorted(expected):
                if count[name, clip_id] > 1:
                    faults.append(
                        Finding(
                            "predicted-again",
                            f"{about}: {name} predicted {clip_id} {count[name, clip_id]} times",
                            (name, clip_id),
                        )
                    )
                elif not count[name, clip_id]:
                    missing.append(
                        Finding(
                            "prediction-unrecorded",
                            f"{about}: no record holds {name}'s prediction of {clip_id}",
                            (name, clip_id),
                        )
                    )
    if not run.evaluated:
        missing.append(NO_RECORD)
    return answer(
        "predicted once",
        "Was every clip predicted once a model and seed, by the fold that held it out?",
        faults,
        missing,
        "every clip was predicted once a model and seed, by the fold that held it out",
        "a clip was predicted twice, or in a fold that did not hold it out",
    )


def _known_patients(run: Run) -> str:
    """Tasks whose folds were split by recording, and what that means; empty without any."""
    tasks = {
        task: [record for record in run.records if record["task"] == task]
        for task in {record["task"] for record in run.records}
    }
    known = sorted(
        task
        for task, records in tasks.items()
        if any(record["split"] == "recording" for record in records)
    )
    apart = sorted(
        task
        for task in tasks.keys() - set(known)
        if not any(
            participants_of(record, record["held_out_clips"])
            & participants_of(record, training_clips(record))
            for record in tasks[task]
        )
    )
    if not known:
        return ""
    others = f" (nobody is on both sides in {', '.join(apart)})" if apart else ""
    names = ", ".join(known)
    return f"{names}: other seizures of known patients were evaluated, not new patients{others}"


def _two_names(run: Run) -> list[Finding]:
    """Clips that records, table and sources assign to different participants."""
    owners: dict[str, set[str]] = defaultdict(set)
    for record in run.records:
        for clip_id, participant in record["clips"].items():
            owners[clip_id].add(participant)
    for clip_id, participant in run.table[["clip_id", "participant_id"]].itertuples(
        index=False, name=None
    ):
        owners[clip_id].add(participant)
    for clip_id, clip in ((run.sources or {}).get("clips") or {}).items():
        owners[clip_id].add(clip["participant_id"])
    return [
        Finding(
            "two-participants",
            f"clip {clip_id} is assigned to {_some(sorted(names))}",
            (clip_id, *sorted(names)),
        )
        for clip_id, names in sorted(owners.items())
        if len(names) > 1
    ]


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


FITTED = {  # key in the record -> name of the check
    "weights": "weights",
    "class_weights": "class weights",
    "standardisation": "standardisation",
    "batch_norm": "batch norm",
    "early_stopping": "early stopping",
    "calibration": "calibration",
    "selection": "selection",
    "fusion": "fusion weights",
}
# what a stream has fitted that is not trained in epochs, and has not; the rest is as of others
AT_ONCE = {"weights": True, "standardisation": True, "batch_norm": False, "early_stopping": False}
STANDARDISES = {"tcn"}  # streams that standardise appearance features before training
# the ridge classifier (`baseline: true`): it standardises its features, and has nothing else of
# FITTED
LINEAR = "linear"


def check_fitted(run: Run) -> list[Check]:
    """Everything in FITTED was fitted on training participants alone: one check each.

    A check is not possible where the protocol requests the fit and a record does not contain it, or
    where the record holds nothing of a model that predicted or that the protocol names.
    """
    return [_check(run, key, name) for key, name in FITTED.items()]


def check_teachers(run: Run) -> Check:
    """Teachers of distilled models were trained in the same fold, on its training participants."""
    faults, missing, students = [], unrecorded(run), 0
    for record in run.records:
        fold = describe_fold(record)
        for name, model in run.models_of(record).items():
            requested, teacher = run.model(name).get("teacher"), model.get("teacher")
            if requested != teacher:
                missing.append(
                    Finding(
                        "teacher-differs",
                        f"{fold}: the protocol gives {name} the teacher {requested}, the record"
                        f" {teacher}",
                        (name, str(requested), str(teacher)),
                    )
                )
            if teacher is None:
                continue
            students += 1
            if teacher not in record["models"]:
                missing.append(
                    Finding(
                        "teacher-unrecorded",
                        f"{fold}: the record does not contain on whom {teacher}, the teacher of"
                        f" {name}, was trained",
                        (name, teacher),
                    )
                )
                continue
            for key, clip_ids in record["models"][teacher].get("seen", {}).items():
                if leak := _leak(record, clip_ids):
                    of = f"{teacher}, the teacher of {name}: {FITTED.get(key, key)}"
                    faults.append(
                        Finding(leak.code, f"{fold}: {of}: {leak.text}", (teacher, *leak.about))
                    )
    good = (
        "every teacher was trained on training participants alone"
        if students
        else "no model has a teacher"
    )
    return answer(
        "teacher",
        "Was a teacher trained on held-out participants?",
        faults,
        missing,
        good,
        "a teacher was trained on held-out participants",
    )


def _check(run: Run, key: str, name: str) -> Check:
    faults, missing, fitted = [], unrecorded(run), 0
    for record in run.records:
        fold = describe_fold(record)
        for model_name, model in run.models_of(record).items():
            clip_ids = model.get("seen", {}).get(key)
            if clip_ids is None:
                if _is_requested(run, record, key, model_name):
                    missing.append(
                        Finding(
                            "fit-unrecorded",
                            f"{fold}: the record does not contain on whom the {name} of"
                            f" {model_name} were fitted",
                            (model_name,),
                        )
                    )
                continue
            fitted += 1
            if leak := _leak(record, clip_ids):
                text = f"{fold}: {name} of {model_name}: {leak.text}"
                faults.append(Finding(leak.code, text, (model_name, *leak.about)))
            if key == "weights" and not clip_ids:
                text = f"{fold}: {model_name} was trained on no clip, by the record"
                missing.append(Finding("no-training-clip", text, (model_name,)))
    good = f"on training participants alone, in {fitted} fits" if fitted else "none was fitted"
    question = f"Was the {name} of any model fitted on held-out participants?"
    return answer(name, question, faults, missing, good, "fitted on held-out participants")


def _is_requested(run: Run, record: Record, key: str, model_name: str) -> bool:
    """Whether the protocol requests this fit for this model."""
    if run.config.get("table"):  # of `semiology table`: pipelines, with a choice of parameters
        settings, true = run.config.get("calibration") or {}, record["permutation"] is None
        calibrated = settings.get("method", "none") != "none" or settings.get("coverage")
        fits = ("weights", "standardisation", "selection")
        return key in fits or bool(key == "calibration" and calibrated and true)
    if model_name == LINEAR and not run.model(LINEAR):
        return key in ("weights", "standardisation")
    config, model = run.config, run.model(model_name)
    if key in AT_ONCE and (model.get("network") or {}).get("stream") in SOLVED:
        return AT_ONCE[key]
    if key in ("weights", "batch_norm"):  # batch norms are estimated again after every training
        return True
    if key == "class_weights":
        return bool(model.get("balance", True))
    if key == "standardisation":
        return _standardises(model.get("network") or {})
    if key == "early_stopping":
        stops = (model.get("schedule") or {}).get("patience") is not None
        return (
            stops
            and (config.get("validation") or 0) > 0
            and _has_validation(run, record, model_name)
        )
    if key == "calibration":
        settings = config.get("calibration") or {}
        names = settings.get("models") or list(run.models_of(record))
        return (
            settings.get("method", "none") != "none" or settings.get("coverage") is not None
        ) and model_name in names
    if key == "fusion":
        return model_name in _weighted(run, record)
    among = [set(names) for names in (config.get("selections") or {}).values()]
    return any(model_name in names and names <= set(run.models_of(record)) for names in among)


def _weighted(run: Run, record: Record) -> set[str]:
    """Models of the fold whose weight in a fusion the protocol learns; all that a selection chooses
    from, where that is the member.
    """
    members = {
        member.rpartition("/")[2]
        for fusion in run.config.get("fusions") or ()
        for member in fusion["members"]
        if fusion.get("weights") == "inner" and member.rpartition("/")[0] == record["task"]
    }
    selections = run.config.get("selections") or {}
    return members | {name for member in members & set(selections) for name in selections[member]}


def _standardises(network: dict[str, Any]) -> bool:
    """Whether a stream standardises its input; one over segments may, or its encoder."""
    options = network.get("options") or {}
    name, encoder = str(network.get("stream", "")), options.get("encoder")
    return (
        name in STANDARDISES
        or bool(options.get("standardised"))
        or (encoder is not None and _standardises(encoder))
    )


def _has_validation(run: Run, record: Record, model_name: str) -> bool:
    """Whether participants are left for early stopping, outside training, held-out and test set."""
    seen = record["models"].get(model_name, {}).get("seen", {})
    training = participants_of(record, seen.get("weights", []))
    held = participants_of(record, record["held_out_clips"])
    test = tested_people(run.config, record["task"])
    return bool(set(record["clips"].values()) - training - held - test)


def _leak(record: Record, clip_ids: list[str]) -> Finding | None:
    """What is wrong with clips as training clips of this fold; None where nothing is.

    Folds that are split by recording hold clips out, not participants: `check_sides` says what that
    means.
    """
    if unknown := sorted(set(clip_ids) - record["clips"].keys()):
        return Finding("unknown-clip", f"{unknown[0]} is no clip of this task", (unknown[0],))
    held = sorted(set(clip_ids) & set(record["held_out_clips"]))
    if record["split"] != "recording":
        out = participants_of(record, record["held_out_clips"])
        held = sorted(
            clip_id
            for clip_id in set(clip_ids)
            if clip_id in held or record["clips"][clip_id] in out
        )
    if not held:
        return None
    some = f"{', '.join(held[:3])}{' ...' if len(held) > 3 else ''}"
    owners = ", ".join(sorted(participants_of(record, held)))
    return Finding("leak", f"{some} of {owners}, who is held out", tuple(held))


NEAR = 1e-4  # numbers that are equal but for rounding


def check_refitted(run: Run) -> Check:
    """Calibration, threshold and selection follow from the training participants' predictions."""
    faults, missing, count = [], unrecorded(run), 0
    settings = run.config.get("calibration") or {}
    for record in run.records:
        fold, rows = describe_fold(record), record.get("inner", [])
        faults += [
            Finding(fault.code, f"{fold}: {fault.text}", fault.about)
            for fault in _inner_faults(record, rows)
        ]
        for name, model in record["models"].items():
            recorded = model.get("calibration")
            if not recorded or not run.config:
                continue  # without a config it is unknown how it was fitted: `missing` says so
            count += 1
            if all(row["model"] != name for row in rows):
                text = f"{fold}: {name} is calibrated, but the record has no inner predictions"
                missing.append(Finding("inner-unrecorded", text, (name,)))
                continue
            refitted = calibrator_of(
                rows, name, settings.get("method", "none"), settings.get("coverage")
            )
            if differing := _differing(recorded, refitted.__dict__):
                text = f"{fold}: {differing} of {name} does not follow from its inner predictions"
                faults.append(Finding("refit-differs", text, (name, differing)))
        for selection, chosen in record.get("selected", {}).items():
            count += 1
            best = _best(rows, (run.config.get("selections") or {}).get(selection, []))
            if best is None:
                text = (
                    f"{fold}: {selection} chose {chosen}, but the record has no inner predictions"
                )
                missing.append(Finding("inner-unrecorded", text, (selection, chosen)))
            elif best != chosen:
                text = (
                    f"{fold}: {selection} chose {chosen}, but inner predictions are best for {best}"
                )
                faults.append(Finding("selection-differs", text, (selection, chosen, best)))
    wrong, lacking, weighed = _refitted_fusions(run)
    faults, missing, count = faults + wrong, missing + lacking, count + weighed
    return answer(
        "threshold and choice",
        "Do the recorded calibration, threshold, selection and fusion weights follow from the inner"
        " predictions of training participants?",
        faults,
        missing,
        (
            f"recomputed from training participants alone, {count} times"
            if count
            else "nothing was fitted on inner folds"
        ),
        "does not follow from training participants",
    )


def _refitted_fusions(run: Run) -> tuple[list[Finding], list[Finding], int]:
    """Faults of fusions.json, what is missing, and how many fits were repeated."""
    wanted = [
        fusion for fusion in run.config.get("fusions") or () if fusion.get("weights") == "inner"
    ]
    faults: list[Finding] = []
    missing: list[Finding] = []
    if not wanted:
        return faults, missing, 0
    try:
        written = read_weights(run.folder)
    except UserError as error:
        text = str(error).removeprefix(f"{run.folder}/")
        return [], [Finding("damaged", text, (WEIGHTS_FILE,))], 0
    refitted = {
        (entry["task"], entry["model"], entry["seed"], entry["fold"]): entry["weights"]
        for fusion in wanted
        for place, found in fusion_weights(fusion["members"], run.evaluated).items()
        for entry in [
            weights_entry(fusion["task"], fusion["model"], fusion["members"], place, found)
        ]
    }
    recorded = {
        (entry.task, entry.model, entry.seed, entry.fold): entry.weights for entry in written
    }
    for key in sorted(refitted.keys() | recorded.keys()):
        task, model, seed, fold = key
        where, about = f"{task}, seed {seed}, fold {fold}", (task, model, fold)
        if key not in recorded:
            text = f"{where}: {WEIGHTS_FILE} does not contain the weights of {model}"
            missing.append(Finding("weights-unrecorded", text, about))
        elif key not in refitted:
            text = f"{where}: {model} has weights, but the record has no inner predictions"
            missing.append(Finding("inner-unrecorded", text, about))
        elif _differ(recorded[key], refitted[key]):
            text = f"{where}: the weights of {model} do not follow from its inner predictions"
            faults.append(Finding("weights-differ", text, about))
    return faults, missing, len(refitted)


def _differ(recorded: dict[str, float], refitted: dict[str, float]) -> bool:
    return recorded.keys() != refitted.keys() or any(
        abs(recorded[name] - weight) > NEAR for name, weight in refitted.items()
    )


def _inner_faults(record: Record, rows: list[dict[str, Any]]) -> list[Finding]:
    """Held-out clips among inner predictions, and participants in several inner folds."""
    by_recording = record["split"] == "recording"
    held = set() if by_recording else participants_of(record, record["held_out_clips"])
    clips = {row["clip_id"] for row in rows}
    leaked = sorted(
        clip_id
        for clip_id in clips
        if clip_id in record["held_out_clips"] or record["clips"].get(clip_id) in held
    )
    faults = []
    if leaked:
        text = f"inner predictions of {', '.join(leaked[:3])}, held out"
        faults.append(Finding("inner-leak", text, tuple(leaked)))
    folds: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in rows:
        folds[row["model"], record["clips"].get(row["clip_id"], "")].add(row["fold"])
    split = sorted({participant for (_, participant), numbers in folds.items() if len(numbers) > 1})
    if split:
        text = f"clips of {', '.join(split[:3])} are in several inner folds"
        faults.append(Finding("inner-split", text, tuple(split)))
    return faults


def _differing(recorded: dict[str, Any], refitted: dict[str, Any]) -> str:
    """The first number of two calibrations that differs; empty where none does."""
    for name in ("temperature", "threshold", "steps"):
        first, second = (_flat(content.get(name)) for content in (recorded, refitted))
        if len(first) != len(second) or not np.allclose(first, second, atol=NEAR):
            return name
    return ""


def _flat(value: Any) -> list[float]:
    if value is None:
        return []
    return (
        [number for part in value for number in _flat(part)]
        if isinstance(value, list | tuple)
        else [float(value)]
    )


def _best(rows: list[dict[str, Any]], among: list[str]) -> str | None:
    """The model with the lowest log loss over inner predictions, the first of equals."""
    losses: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        losses[row["model"]].append(-float(np.log(max(row["probabilities"][row["truth"]], 1e-4))))
    return (
        min(among, key=lambda name: float(np.mean(losses[name])))
        if among and all(losses[name] for name in among)
        else None
    )
