"""The protocol in plain words: who was held out, what was fitted on whom, how often. From the
configuration and the folds' records.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from semiology.evaluation.report.rendering import listed, plain
from semiology.evaluation.run.files import split_of
from semiology.evaluation.run.records import KEYS, is_named, read_record
from semiology.evaluation.statistics.results import model_name

SPLITS = {
    "participant": (
        "One person at a time was left out; models trained on all others judged that person’s"
        " clips."
    ),
    "grouped": (
        "Whole persons were dealt to {folds} groups; models trained on the other groups judged each"
        " group’s clips."
    ),
    "centre": (
        "One centre at a time was left out; models trained on the other centres judged its clips."
    ),
    "recording": (
        "Recordings, not persons, were dealt to {folds} groups: a person may be on both sides. It"
        " does not hold for new persons."
    ),
}
# what a fold's record notes under `seen` -> words
FITTED = {
    "weights": "the networks’ weights",
    "class_weights": "weights of rare and common levels",
    "standardisation": "mean and spread of the features",
    "batch_norm": "the networks’ running means",
    "early_stopping": "when to stop training",
    "calibration": "calibration of the probabilities",
    "selection": "choice between models",
}


def sentences(
    config: Mapping[str, Any], metrics: Mapping[str, Any], seeds: Sequence[int]
) -> list[str]:
    """How the run was made, one idea a sentence; only what its files say."""
    tasks = metrics["tasks"].values()
    dealt: dict[str, list[str]] = {}
    for task in metrics["tasks"]:
        if sentence := _split(split_of(config, task)):
            dealt.setdefault(sentence, []).append(task)
    if len(dealt) == 1:
        said = list(dealt)
    elif dealt:
        said = [" ".join(f"{listed(names)}: {sentence}" for sentence, names in dealt.items())]
    elif all(found["one_participant_a_fold"] for found in tasks):
        said = [SPLITS["participant"]]
    else:
        said = [
            f"Clips were judged in {max(found['folds'] for found in tasks)} groups (folds) by"
            " models trained on the other groups."
        ]
    said.append(
        "Training was done once."
        if len(seeds) == 1
        else f"Training was repeated {len(seeds)} times from other random starts (seeds)."
    )
    said += [_model(name, model) for name, model in (config.get("models") or {}).items()]
    if config.get("baseline"):
        said.append(
            "linear: no network, a weighted sum of each joint’s mean place, spread and speed; the"
            " yardstick for the networks."
        )
    for name, among in (config.get("selections") or {}).items():
        among = listed(model_name(model) for model in among)
        said.append(
            f"{model_name(name)}: each fold took the better of {among}, judged on training persons"
            " only."
        )
    for fusion in config.get("fusions") or ():
        said.append(
            f"{fusion['task']}, {model_name(fusion['model'])}: the mean of what"
            f" {listed(fusion['members'])} say of a clip."
        )
    calibration = config.get("calibration") or {}
    if calibration.get("method", "none") != "none":
        said.append(
            f"Probabilities were calibrated on training persons ({calibration['method']},"
            f" {calibration.get('folds', 'some')} inner groups)."
        )
    if calibration.get("coverage"):
        said.append(
            "A model abstains where more than one level stays possible; sets of levels were made"
            f" to hold the truth in {100 * calibration['coverage']:.0f} % of clips."
        )
    if config.get("permutations"):
        said.append(
            f"All of it was repeated {config['permutations']} times with labels dealt to persons at"
            " random, to see what chance gives."
        )
    return said


def _split(split: Mapping[str, Any]) -> str:
    """Who was held out together; empty where nothing says."""
    if split.get("by") not in SPLITS:
        return ""
    said = SPLITS[split["by"]].format(folds=split.get("folds", "some"))
    kept = len(split.get("test") or ())
    return said + (
        f" {kept} persons were kept out of everything and judged once, at the end, by models"
        " trained on all others."
        if kept
        else ""
    )


def fitted(run: Path, predictions: pd.DataFrame) -> list[dict[str, Any]]:
    """What was fitted in the folds, on how many clips, and whether a held-out clip was among them:
    counted in the folds' records.

    Records that predictions.csv does not name (of an earlier protocol), those without notes of what
    was fitted (an older version) and permuted runs count for nothing.

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
            + (f", each read by {model_name(encoder)}" if encoder else "")
        ]
    parts += [f"taught by {model_name(model['teacher'])}"] if model.get("teacher") else []
    parts += (
        [f"{schedule['epochs']} epochs (passes over the training clips)"]
        if "epochs" in schedule
        else []
    )
    parts += ["fewer if people kept aside for it got worse"] if schedule.get("patience") else []
    return f"{shown}: {', '.join(parts) or 'settings not recorded'}."
