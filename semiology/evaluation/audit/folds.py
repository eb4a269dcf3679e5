"""Whatever is fitted before or beside the weights, and on whom: each thing a check of its own, from what the code noted while fitting."""

from typing import Any

from semiology.evaluation.audit.audit_folds import people
from semiology.evaluation.audit.check import Check, answer
from semiology.evaluation.audit.records import Record, Run, place
from semiology.evaluation.run.files import tested_people

THINGS = {  # what the record calls it -> name of the check
    "weights": "weights",
    "class_weights": "class weights",
    "standardisation": "standardisation",
    "batch_norm": "batch norm",
    "early_stopping": "early stopping",
    "calibration": "calibration",
    "selection": "selection",
}
STANDARDISES = {"TCN"}  # streams that standardise appearance features before training
LINEAR = "linear"  # the ridge classifier beside the models: it standardises its features, and has nothing else of THINGS


def check_fitted(run: Run) -> list[Check]:
    """One check a thing: fitted on clips of training participants alone, for every model of every fold.

    A thing that the protocol asks for and that no record notes is not passed: the check is then not possible. So it is for a model that
    predicted, or that the protocol names, and of which the record holds nothing.
    """
    return [_check(run, thing, name) for thing, name in THINGS.items()]


def check_teachers(run: Run) -> Check:
    """The teacher that a student heard was trained in the same fold, on training participants alone; followed by name in the record."""
    faults, missing, students = [], list(run.missing), 0
    for record in run.records:
        for name, model in run.models_of(record).items():
            asked, told = run.model(name).get("teacher"), model.get("teacher")
            if asked != told:
                missing.append(f"{place(record)}: {name} was to hear {asked}, the record names {told}")
            if told is None:
                continue
            students += 1
            if told not in record["models"]:
                missing.append(f"{place(record)}: {name} heard {told}, of which the record does not say on whom it was trained")
                continue
            for thing, clip_ids in record["models"][told].get("seen", {}).items():
                faults += [
                    f"{place(record)}: {told}, the teacher of {name}: {THINGS.get(thing, thing)}: {leak}"
                    for leak in _leak(record, clip_ids)
                ]
    good = "every teacher learned from training participants alone" if students else "no model has a teacher"
    return answer("teacher", "Did a teacher know who is held out?", faults, missing, good, "a teacher learned from those held out")


def _check(run: Run, thing: str, name: str) -> Check:
    faults, missing, fitted = [], list(run.missing), 0
    for record in run.records:
        for model_name, model in run.models_of(record).items():
            clip_ids = model.get("seen", {}).get(thing)
            if clip_ids is None:
                if _is_asked(run, record, thing, model_name):
                    missing.append(f"{place(record)}: nothing says on whom the {name} of {model_name} were fitted")
                continue
            fitted += 1
            faults += [f"{place(record)}: {name} of {model_name}: {leak}" for leak in _leak(record, clip_ids)]
            if thing == "weights" and not clip_ids:
                missing.append(f"{place(record)}: {model_name} was trained on no clip, says the record")
    good = f"of training participants alone, {fitted} times" if fitted else "none was fitted"
    question = f"Was somebody who is held out among those on whom {name} of any model was fitted?"
    return answer(name, question, faults, missing, good, "fitted on those held out")


def _is_asked(run: Run, record: Record, thing: str, model_name: str) -> bool:
    """Whether the protocol has this fitted for this model."""
    if model_name == LINEAR and not run.model(LINEAR):
        return thing in ("weights", "standardisation")
    config, model = run.config, run.model(model_name)
    if thing in ("weights", "batch_norm"):  # statistics of batch norms are measured anew after every training
        return True
    if thing == "class_weights":
        return bool(model.get("balance", True))
    if thing == "standardisation":
        return _standardises(model.get("network") or {})
    if thing == "early_stopping":
        wanted = (model.get("schedule") or {}).get("patience") is not None and (config.get("validation") or 0) > 0
        return wanted and _somebody_is_left(run, record, model_name)
    if thing == "calibration":
        asked = config.get("calibration") or {}
        names = asked.get("models") or list(run.models_of(record))
        return (asked.get("method", "none") != "none" or asked.get("coverage") is not None) and model_name in names
    among = [set(names) for names in (config.get("selections") or {}).values()]
    return any(model_name in names and names <= set(run.models_of(record)) for names in among)


def _standardises(network: dict[str, Any]) -> bool:
    """Whether a stream takes out mean and spread of what it reads; one over segments may, or its encoder."""
    options = network.get("options") or {}
    name, encoder = str(network.get("stream", "")).rpartition(".")[2], options.get("encoder")
    return name in STANDARDISES or bool(options.get("standardised")) or (encoder is not None and _standardises(encoder))


def _somebody_is_left(run: Run, record: Record, model_name: str) -> bool:
    """Whether somebody neither taught the weights nor is held out or in the test set: those can only have stopped the training."""
    test = tested_people(run.config, record["task"])
    taught = people(record, record["models"].get(model_name, {}).get("seen", {}).get("weights", []))
    return bool(set(record["clips"].values()) - taught - people(record, record["held_out_clips"]) - test)


def _leak(record: Record, clip_ids: list[str]) -> list[str]:
    """What is wrong with clips as training clips of this fold, a sentence; empty where nothing is.

    Folds dealt by recording hold clips out, not people: there `folds.check_sides` says what that means.
    """
    if unknown := sorted(set(clip_ids) - record["clips"].keys()):
        return [f"{unknown[0]} is no clip of this task"]
    held = sorted(set(clip_ids) & set(record["held_out_clips"]))
    if record["split"] != "recording":
        out = people(record, record["held_out_clips"])
        held = sorted(clip_id for clip_id in set(clip_ids) if clip_id in held or record["clips"][clip_id] in out)
    if held:
        return [f"{', '.join(held[:3])}{' ...' if len(held) > 3 else ''} of {', '.join(sorted(people(record, held)))}, who is held out"]
    return []
