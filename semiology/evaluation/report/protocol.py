"""The protocol in words: splits, what was fitted on whom, seeds. From configuration and records."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from semiology.evaluation.report.rendering import listed, plain
from semiology.evaluation.run.files import split_of
from semiology.evaluation.run.fusions import WeightsEntry
from semiology.evaluation.run.judged import judged_of
from semiology.evaluation.run.records import KEYS, is_named, read_record
from semiology.evaluation.run.tasks import TEST_SET
from semiology.evaluation.statistics.results import model_name

SPLITS = {
    "participant": (
        "Leave-one-subject-out cross-validation: each participant’s clips were predicted by models"
        " trained on all others."
    ),
    "grouped": (
        "Cross-validation with {folds} folds of whole participants: the clips of each fold were"
        " predicted by models trained on the other folds."
    ),
    "centre": (
        "Leave-one-centre-out cross-validation: each centre’s clips were predicted by models"
        " trained on the other centres."
    ),
    "recording": (
        "Cross-validation with {folds} folds of recordings, not of participants: a participant may"
        " be in training and held-out set. The results do not hold for new patients."
    ),
    "none": "No cross-validation.",
}
# what a fold's record notes under `seen` -> words
FITTED = {
    "weights": "weights of the models",
    "class_weights": "class weights",
    "standardisation": "mean and standard deviation of the features",
    "batch_norm": "batch-norm statistics",
    "early_stopping": "early stopping",
    "calibration": "calibration of the probabilities",
    "selection": "selection between models",
    "fusion": "weights of a fusion",
}


def sentences(
    config: Mapping[str, Any],
    metrics: Mapping[str, Any],
    seeds: Sequence[int],
    weights: Sequence[WeightsEntry] = (),
) -> list[str]:
    """The method of the run, one fact a sentence; only what its files state."""
    if judged := judged_of(config):
        return judged.sentences()
    tasks = metrics["tasks"].values()
    splits: dict[str, list[str]] = {}
    for task in metrics["tasks"]:
        if sentence := _split(split_of(config, task)):
            splits.setdefault(sentence, []).append(task)
    if len(splits) == 1:
        text = list(splits)
    elif splits:
        text = [" ".join(f"{listed(names)}: {sentence}" for sentence, names in splits.items())]
    elif all(found["one_participant_a_fold"] for found in tasks):
        text = [SPLITS["participant"]]
    else:
        text = [f"Cross-validation with {max(found['folds'] for found in tasks)} folds."]
    text.append(
        "Training was run with one seed."
        if len(seeds) == 1
        else f"Training was repeated with {len(seeds)} seeds."
    )
    text += [_model(name, model) for name, model in (config.get("models") or {}).items()]
    if config.get("baseline"):
        text.append(
            "linear: no network, ridge regression of each joint’s mean position, standard deviation"
            " and speed; a baseline for the networks."
        )
    for name, among in (config.get("selections") or {}).items():
        among = listed(model_name(model) for model in among)
        text.append(
            f"{model_name(name)}: in each fold the best of {among}, selected on inner folds of the"
            " training participants."
        )
    for fusion in config.get("fusions") or ():
        own = [
            entry
            for entry in weights
            if (entry.task.removesuffix(TEST_SET), entry.model) == (fusion["task"], fusion["model"])
        ]
        text.append(
            f"{fusion['task']}, {model_name(fusion['model'])}: the"
            f" {'weighted ' if own else ''}mean of the probabilities of"
            f" {listed(fusion['members'])}{_weights(fusion['members'], own)}."
        )
    calibration = config.get("calibration") or {}
    if calibration.get("method", "none") != "none":
        text.append(
            f"Probabilities were calibrated on training participants ({calibration['method']},"
            f" {calibration.get('folds', 'some')} inner folds)."
        )
    if calibration.get("coverage"):
        text.append(
            "A model abstains where its prediction set does not hold exactly one class; the sets"
            f" were fitted to contain the true class in {100 * calibration['coverage']:.0f} % of"
            " clips."
        )
    if config.get("permutations"):
        text.append(
            f"Permutation test: everything was repeated {config['permutations']} times with labels"
            " permuted between participants."
        )
    return text


def _weights(members: Sequence[str], own: Sequence[WeightsEntry]) -> str:
    """How the members of a fusion are weighted, to follow their names; nothing if all are alike."""
    if not own:
        return ""
    means = [float(np.mean([entry.weights[name] for entry in own])) for name in members]
    equal = sum(not entry.learned for entry in own)
    return (
        ", with weights fitted in each fold on inner folds of the training participants (mean"
        f" {listed(f'{mean:.2f}' for mean in means)}; equal in {equal} of {len(own)} folds, where"
        " fitted ones did not help)"
    )


def _split(split: Mapping[str, Any]) -> str:
    """The split in words; empty where it is not recorded."""
    if split.get("by") not in SPLITS and not split.get("test"):
        return ""
    text = SPLITS[split["by"]].format(folds=split.get("folds", "some")) if split.get("by") else ""
    test = len(split.get("test") or ())
    if test:
        text += (
            f" {test} participants were an unseen test set, evaluated once, at the end, by models"
            " trained on all others."
        )
    return text.strip()


def fitted(run: Path, predictions: pd.DataFrame) -> list[dict[str, Any]]:
    """What was fitted in the folds, on how many clips, and whether a held-out clip was among them.

    Counted in the folds' records. Records that do not belong to predictions.csv (of an earlier
    protocol), those of an older version and permuted runs are ignored.

    Raises:
        UserError: a record is damaged.
    """
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((run / "folds").glob("*/seed-*/*.json")):
        record = read_record(path)
        if not record.keys() >= KEYS or not is_named(record, predictions):
            continue
        held = set(record["held_out_clips"])
        for model in record["models"].values():
            for what, clips in model.get("seen", {}).items():
                entry = found.setdefault(
                    what, {"what": FITTED.get(what, plain(what)), "counts": [], "leaks": 0}
                )
                entry["counts"].append(len(clips))
                entry["leaks"] += bool(held & set(clips))
    order = [*FITTED, *found]
    return [
        {
            "what": entry["what"],
            "least": min(entry["counts"]),
            "most": max(entry["counts"]),
            "fits": len(entry["counts"]),
            "leaks": entry["leaks"],
        }
        for _, entry in sorted(found.items(), key=lambda item: order.index(item[0]))
    ]


def _model(name: str, model: Mapping[str, Any]) -> str:
    network = str((model.get("network") or {}).get("stream", "")).rpartition(".")[
        2
    ]  # of a class path
    schedule, shown = model.get("schedule") or {}, model_name(name)
    parts = [model_name(network)] if network and network.lower() != name.lower() else []
    if network == "segments":
        options = model["network"].get("options") or {}
        encoder = str((options.get("encoder") or {}).get("stream", "")).rpartition(".")[2]
        parts = [
            f"{model_name(options.get('kind', 'blstm'))} over segments of the recording"
            + (f", each encoded by {model_name(encoder)}" if encoder else "")
        ]
    parts += [f"distilled from {model_name(model['teacher'])}"] if model.get("teacher") else []
    parts += (
        [f"starts from the weights of {model_name(model['warm'])}"] if model.get("warm") else []
    )
    if model.get("encoder"):
        frozen = ", which is kept as it is" if model.get("freeze") else ""
        parts.append(f"starts from an encoder pretrained without labels{frozen}")
    parts += (
        [f"{schedule['epochs']} epochs (passes over the training clips)"]
        if "epochs" in schedule
        else []
    )
    parts += ["early stopping on validation participants"] if schedule.get("patience") else []
    return f"{shown}: {', '.join(parts) or 'settings not recorded'}."
