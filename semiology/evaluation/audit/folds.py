"""Whatever is fitted before or beside the weights, and on whom: each thing a check of its own, from
what the code noted while fitting.

Who is on which side of a fold, and whether every clip was predicted once, by the fold that held it
out.

What was fitted on inner folds, computed again from the inner predictions in the record:
calibration, threshold, selection.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

from semiology.evaluation.audit.check import Check, answer
from semiology.evaluation.audit.records import TEST, Record, Run, place
from semiology.evaluation.run.files import tested_people
from semiology.evaluation.statistics.calibration import fit_calibrator


def taught(record: Record) -> set[str]:
    """Clips that anything in the fold was fitted on, by any model."""
    return {
        clip_id
        for model in record["models"].values()
        for clips in model.get("seen", {}).values()
        for clip_id in clips
    }


def people(record: Record, clip_ids: Iterable[str]) -> set[str]:
    return {record["clips"][clip_id] for clip_id in clip_ids if clip_id in record["clips"]}


def check_sides(run: Run) -> Check:
    """No participant whose clips teach is held out in the same fold; nobody of the unseen test set
    teaches at all.
    """
    faults, missing = [], list(run.missing)
    for record in run.records:
        test = tested_people(run.config, record["task"])
        held, teaching = people(record, record["held_out_clips"]), people(record, taught(record))
        if not teaching:
            missing.append(f"{place(record)}: nothing says who taught its models")
        if both := sorted(held & teaching):
            other = (
                " (it answers another question: seizures of known patients)"
                if record["split"] == "recording"
                else ""
            )
            faults.append(f"{place(record)}: {_some(both)} on both sides{other}")
        if held != set(record["held_out"]):
            faults.append(
                f"{place(record)}: its clips are of {_some(sorted(held))}, but it names"
                f" {_some(record['held_out'])} as held out"
            )
        if record["split"] != TEST and (leaked := sorted(test & teaching)):
            faults.append(f"{place(record)}: {_some(leaked)} of the unseen test set taught")
    faults += _two_names(run)
    if not run.records:
        missing.append("no record of any fold is there; run `semiology loso` again")
    return answer(
        "participants",
        "Is any participant on both sides of a fold?",
        faults,
        missing,
        f"nobody is on both sides, in {len(run.records)} folds",
        _known_patients(run) or "a participant is on both sides",
    )


def check_once(run: Run) -> Check:
    """Every clip of a task predicted once a model and seed, by the fold that held it out."""
    faults, missing = [], list(run.missing)
    runs: dict[tuple, list[Record]] = defaultdict(list)
    for record in run.records:
        runs[record["task"], record["seed"], record["permutation"], record["split"] == TEST].append(
            record
        )
    for (task, seed, permutation, unseen), records in runs.items():
        what = (
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
                        f"{place(record)}: {row['model']} predicted {row['clip_id']}, which this"
                        " fold did not hold out"
                    )
        for name in sorted(names):
            for clip_id in sorted(expected):
                if count[name, clip_id] > 1:
                    faults.append(
                        f"{what}: {name} predicted {clip_id} {count[name, clip_id]} times"
                    )
                elif not count[name, clip_id]:
                    missing.append(f"{what}: no record holds {name}'s prediction of {clip_id}")
    if not run.judged:
        missing.append("no record of any fold is there; run `semiology loso` again")
    return answer(
        "predicted once",
        "Was every clip predicted once a model and seed, by the fold that held it out?",
        faults,
        missing,
        "every clip was predicted once a model and seed, by the fold that held it out",
        "a clip was predicted twice, or by a fold that knew it",
    )


def _known_patients(run: Run) -> str:
    """Which tasks were dealt by recording, and what that means for them alone; empty where none
    was.
    """
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
            people(record, record["held_out_clips"]) & people(record, taught(record))
            for record in tasks[task]
        )
    )
    if not known:
        return ""
    others = f" (nobody is on both sides in {', '.join(apart)})" if apart else ""
    return f"{', '.join(known)}: seizures of known patients were judged, not new patients{others}"


def _two_names(run: Run) -> list[str]:
    """Clips that records, table and sources give to different participants."""
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
        f"clip {clip_id} is given to {_some(sorted(who))}"
        for clip_id, who in sorted(owners.items())
        if len(who) > 1
    ]


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


THINGS = {  # what the record calls it -> name of the check
    "weights": "weights",
    "class_weights": "class weights",
    "standardisation": "standardisation",
    "batch_norm": "batch norm",
    "early_stopping": "early stopping",
    "calibration": "calibration",
    "selection": "selection",
}
STANDARDISES = {"tcn"}  # streams that standardise appearance features before training
# the ridge classifier beside the models: it standardises its features, and has nothing else of
# THINGS
LINEAR = "linear"


def check_fitted(run: Run) -> list[Check]:
    """One check a thing: fitted on clips of training participants alone, for every model of every
    fold.

    A thing that the protocol asks for and that no record notes is not passed: the check is then not
    possible. So it is for a model that predicted, or that the protocol names, and of which the
    record holds nothing.
    """
    return [_check(run, thing, name) for thing, name in THINGS.items()]


def check_teachers(run: Run) -> Check:
    """The teacher that a student heard was trained in the same fold, on training participants
    alone; followed by name in the record.
    """
    faults, missing, students = [], list(run.missing), 0
    for record in run.records:
        for name, model in run.models_of(record).items():
            asked, told = run.model(name).get("teacher"), model.get("teacher")
            if asked != told:
                missing.append(
                    f"{place(record)}: {name} was to hear {asked}, the record names {told}"
                )
            if told is None:
                continue
            students += 1
            if told not in record["models"]:
                missing.append(
                    f"{place(record)}: {name} heard {told}, of which the record does not say on"
                    " whom it was trained"
                )
                continue
            for thing, clip_ids in record["models"][told].get("seen", {}).items():
                faults += [
                    f"{place(record)}: {told}, the teacher of {name}: {THINGS.get(thing, thing)}:"
                    f" {leak}"
                    for leak in _leak(record, clip_ids)
                ]
    good = (
        "every teacher learned from training participants alone"
        if students
        else "no model has a teacher"
    )
    return answer(
        "teacher",
        "Did a teacher know who is held out?",
        faults,
        missing,
        good,
        "a teacher learned from those held out",
    )


def _check(run: Run, thing: str, name: str) -> Check:
    faults, missing, fitted = [], list(run.missing), 0
    for record in run.records:
        for model_name, model in run.models_of(record).items():
            clip_ids = model.get("seen", {}).get(thing)
            if clip_ids is None:
                if _is_asked(run, record, thing, model_name):
                    missing.append(
                        f"{place(record)}: nothing says on whom the {name} of {model_name} were"
                        " fitted"
                    )
                continue
            fitted += 1
            faults += [
                f"{place(record)}: {name} of {model_name}: {leak}"
                for leak in _leak(record, clip_ids)
            ]
            if thing == "weights" and not clip_ids:
                missing.append(
                    f"{place(record)}: {model_name} was trained on no clip, says the record"
                )
    good = f"of training participants alone, {fitted} times" if fitted else "none was fitted"
    question = f"Was somebody who is held out among those on whom {name} of any model was fitted?"
    return answer(name, question, faults, missing, good, "fitted on those held out")


def _is_asked(run: Run, record: Record, thing: str, model_name: str) -> bool:
    """Whether the protocol has this fitted for this model."""
    if model_name == LINEAR and not run.model(LINEAR):
        return thing in ("weights", "standardisation")
    config, model = run.config, run.model(model_name)
    if thing in (
        "weights",
        "batch_norm",
    ):  # statistics of batch norms are measured anew after every training
        return True
    if thing == "class_weights":
        return bool(model.get("balance", True))
    if thing == "standardisation":
        return _standardises(model.get("network") or {})
    if thing == "early_stopping":
        wanted = (model.get("schedule") or {}).get("patience") is not None and (
            config.get("validation") or 0
        ) > 0
        return wanted and _somebody_is_left(run, record, model_name)
    if thing == "calibration":
        asked = config.get("calibration") or {}
        names = asked.get("models") or list(run.models_of(record))
        return (
            asked.get("method", "none") != "none" or asked.get("coverage") is not None
        ) and model_name in names
    among = [set(names) for names in (config.get("selections") or {}).values()]
    return any(model_name in names and names <= set(run.models_of(record)) for names in among)


def _standardises(network: dict[str, Any]) -> bool:
    """Whether a stream takes out mean and spread of what it reads; one over segments may, or its
    encoder.
    """
    options = network.get("options") or {}
    name, encoder = str(network.get("stream", "")), options.get("encoder")
    return (
        name in STANDARDISES
        or bool(options.get("standardised"))
        or (encoder is not None and _standardises(encoder))
    )


def _somebody_is_left(run: Run, record: Record, model_name: str) -> bool:
    """Whether somebody neither taught the weights nor is held out or in the test set: those can
    only have stopped the training.
    """
    test = tested_people(run.config, record["task"])
    taught = people(record, record["models"].get(model_name, {}).get("seen", {}).get("weights", []))
    return bool(
        set(record["clips"].values()) - taught - people(record, record["held_out_clips"]) - test
    )


def _leak(record: Record, clip_ids: list[str]) -> list[str]:
    """What is wrong with clips as training clips of this fold, a sentence; empty where nothing is.

    Folds dealt by recording hold clips out, not people: there `folds.check_sides` says what that
    means.
    """
    if unknown := sorted(set(clip_ids) - record["clips"].keys()):
        return [f"{unknown[0]} is no clip of this task"]
    held = sorted(set(clip_ids) & set(record["held_out_clips"]))
    if record["split"] != "recording":
        out = people(record, record["held_out_clips"])
        held = sorted(
            clip_id
            for clip_id in set(clip_ids)
            if clip_id in held or record["clips"][clip_id] in out
        )
    if held:
        return [
            f"{', '.join(held[:3])}{' ...' if len(held) > 3 else ''} of"
            f" {', '.join(sorted(people(record, held)))}, who is held out"
        ]
    return []


NEAR = 1e-4  # numbers that are equal but for rounding


def check_refitted(run: Run) -> Check:
    """Inner predictions are of training participants; fitting on them gives the recorded
    calibration, threshold and selection again.
    """
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
                missing.append(
                    f"{place(record)}: {name} is calibrated, but no inner predictions are in the"
                    " record"
                )
                continue
            probabilities, truth = (
                np.array([row["probabilities"] for row in own]),
                np.array([row["truth"] for row in own]),
            )
            again = fit_calibrator(
                probabilities, truth, asked.get("method", "none"), asked.get("coverage")
            )
            if differing := _differing(told, again.__dict__):
                faults.append(
                    f"{place(record)}: {differing} of {name} is not what its inner predictions give"
                )
        for selection, chosen in record.get("selected", {}).items():
            count += 1
            best = _best(rows, (run.config.get("selections") or {}).get(selection, []))
            if best is None:
                missing.append(
                    f"{place(record)}: {selection} chose {chosen}, but no inner predictions are in"
                    " the record"
                )
            elif best != chosen:
                faults.append(
                    f"{place(record)}: {selection} chose {chosen}, but inner predictions are best"
                    f" for {best}"
                )
    return answer(
        "threshold and choice",
        "Do the inner predictions of training participants give the recorded calibration, threshold"
        " and selection again?",
        faults,
        missing,
        (
            f"computed again from training participants alone, {count} times"
            if count
            else "nothing was fitted on inner folds"
        ),
        "not what training participants give",
    )


def _sides(record: Record, rows: list[dict[str, Any]]) -> list[str]:
    """Inner clips of those held out, and participants whose clips were dealt to several inner
    folds.
    """
    held = people(record, record["held_out_clips"]) if record["split"] != "recording" else set()
    clips = {row["clip_id"] for row in rows}
    leaked = {
        clip_id
        for clip_id in clips
        if clip_id in record["held_out_clips"] or record["clips"].get(clip_id) in held
    }
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
    return (
        [number for part in value for number in _flat(part)]
        if isinstance(value, list | tuple)
        else [float(value)]
    )


def _best(rows: list[dict[str, Any]], among: list[str]) -> str | None:
    """The model of lowest log loss over inner rows, the first of equals."""
    losses: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        losses[row["model"]].append(-float(np.log(max(row["probabilities"][row["truth"]], 1e-4))))
    return (
        min(among, key=lambda name: float(np.mean(losses[name])))
        if among and all(losses[name] for name in among)
        else None
    )
