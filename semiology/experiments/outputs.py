"""From the records of a run's folds to its files: predictions.csv with late fusion, and beside it
the participants, the null distribution and the learned graphs, which the report reads.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from semiology.data.formats.people import listed
from semiology.errors import UserError
from semiology.evaluation.run.files import places_from, run_json
from semiology.evaluation.run.fusions import (
    WEIGHTS_FILE,
    FusionWeights,
    Place,
    weighted_mean,
    weights_entry,
    weights_of,
)
from semiology.evaluation.run.predictions import with_predicted
from semiology.evaluation.run.records import record_rows
from semiology.evaluation.run.settings import Fusion, Protocol
from semiology.evaluation.run.tasks import TEST, TEST_SET
from semiology.evaluation.statistics.results import values
from semiology.experiments.baseline import LINEAR, linear_null
from semiology.experiments.clips import task_source
from semiology.experiments.training import calibrators
from semiology.files import atomic_path, read_json, slug, write_json, write_text
from semiology.models.networks import AGCN
from semiology.models.training.saved import load_model, note

STREAMS = {"body": "pose", "face": "face", "frame": "snippets"}  # what is read -> as tables call it


def predictions_table(protocol: Protocol, records: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """One row a clip, model and seed, fusions included; the columns of
    `semiology.evaluation.run.predictions`.
    """
    rows = []
    for record in records:
        task = protocol.config_task(record["task"])
        label = protocol.label_tasks(task)[record["task"]]
        rows += record_rows(record, label, STREAMS[protocol.tasks[task].reading.part])
    table = pd.DataFrame(rows)
    for fusion in protocol.fusions:
        member = fusion.members[0].rpartition("/")[0]  # all of one split
        split, weights = protocol.split_of(member), weights_of(asdict(fusion), records)
        for suffix in [""] * (split.by != "none") + [TEST_SET] * bool(split.test):
            table = pd.concat([table, fuse(table, fusion, suffix, weights)], ignore_index=True)
    return with_predicted(table)


def fuse(
    table: pd.DataFrame,
    fusion: Fusion,
    suffix: str = "",
    weights: Mapping[Place, FusionWeights] | None = None,
) -> pd.DataFrame:
    """Mean of the members' probabilities on the clips that all of them scored, joined on clip and
    seed; not calibrated.

    `suffix` is added to every task's name, for the unseen test set. `weights` of a fold are those
    of the members; equal where there are none.
    """
    parts = []
    for member in fusion.members:
        task, _, model = member.rpartition("/")
        parts.append(
            table[(table["task"] == task + suffix) & (table["model"] == model)].set_index(
                ["clip_id", "seed"]
            )
        )
    if len({label for part in parts for label in part["label"].unique()}) > 1:
        raise UserError(f"fusion {fusion.task!r}: its members predict different labels")
    common = [index for index in parts[0].index if all(index in part.index for part in parts)]
    fused = parts[0].loc[common].copy()
    means = []
    for index, fold in zip(common, fused["fold"]):
        own = (weights or {}).get((int(index[1]), str(fold), suffix))
        means.append(
            weighted_mean(
                [part.loc[index, "scores"] for part in parts], own.weights if own else None
            )
        )
    fused["scores"] = pd.Series(means, index=fused.index, dtype=object)
    fused["calibrated"], fused["plausible"] = "", ""
    streams = {stream for part in parts for stream in part["stream"]}
    stream = streams.pop() if len(streams) == 1 else "fusion"
    return fused.reset_index().assign(task=fusion.task + suffix, model=fusion.model, stream=stream)


def null_distribution(protocol: Protocol, records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """task -> model -> metric -> its value in each run with permuted labels."""
    null: dict[str, Any] = {}
    for permutation in range(protocol.permutations):
        these = [record for record in records if record["permutation"] == permutation]
        if not these:
            continue
        table = predictions_table(protocol, these)
        table["scores"] = table["scores"].map(json.loads)
        table[["calibrated", "plausible"]] = None  # the null distribution is that of the scores
        for task, models in values(table).items():
            for model, metrics in models.items():
                for metric, value in metrics.items():
                    null.setdefault(task, {}).setdefault(model, {}).setdefault(metric, []).append(
                        value
                    )
    return null


def write_beside(
    protocol: Protocol,
    tasks: list[str],
    records: list[dict[str, Any]],
    missing: Mapping[str, str],
    run: Path,
) -> None:
    """Write notes.json, cohort.json, not_assessable.json, config.yaml, null.json, fusions.json and
    adjacency/ of a run; calibrate its final models.

    Args:
        protocol: of the run.
        tasks: those that were evaluated.
        records: of all their folds.
        missing: task -> what of it is not there, and why.
        run: the folder.
    """
    write_json(run / "notes.json", _notes(protocol, tasks, missing))
    if weights := _weights(protocol, tasks, records):
        write_json(run / WEIGHTS_FILE, weights)
    else:
        (run / WEIGHTS_FILE).unlink(missing_ok=True)  # of an earlier protocol
    write_json(run / "cohort.json", _cohort(protocol, tasks))
    write_json(run / "not_assessable.json", _not_assessable(protocol, tasks))
    write_text(
        run / "config.yaml",
        yaml.safe_dump(
            _plain(places_from(asdict(protocol), run)), sort_keys=False, allow_unicode=True
        ),
    )
    if null := _null(protocol, tasks, records):
        write_json(run / "null.json", null)
    else:
        (run / "null.json").unlink(missing_ok=True)  # of an earlier protocol
    for drawn in (run / "adjacency").glob("*.npz"):  # of an earlier protocol, too
        drawn.unlink()
    if protocol.final:
        for task in tasks:
            _write_adjacency(protocol, task, run)
            _calibrate_final(
                protocol, task, [record for record in records if record["task"] == task], run
            )


def _null(protocol: Protocol, tasks: list[str], records: list[dict[str, Any]]) -> dict[str, Any]:
    """task -> model -> metric -> its values under permuted labels, of the linear baseline too."""
    null = null_distribution(
        protocol, [record for record in records if record["permutation"] is not None]
    )
    if protocol.baseline:
        for task in tasks:
            source = task_source(protocol, task)
            split, seed = protocol.split_of(task), protocol.seeds[0]
            for suffix, metrics in linear_null(source, split, protocol.cohort, seed).items():
                null.setdefault(task + suffix, {})[LINEAR] = metrics
    return null


def _weights(
    protocol: Protocol, tasks: list[str], records: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The learned weights of every fusion and fold, with true labels."""
    return [
        weights_entry(fusion.task, fusion.model, fusion.members, place, found)
        for fusion in protocol.fusions
        if {member.rpartition("/")[0] for member in fusion.members} <= set(tasks)
        for place, found in weights_of(
            asdict(fusion), [record for record in records if record["permutation"] is None]
        ).items()
    ]


def _calibrate_final(
    protocol: Protocol, task: str, records: list[dict[str, Any]], run: Path
) -> None:
    """Calibrate the models trained on all participants on the folds' out-of-fold predictions."""
    own = [
        record
        for record in records
        if record["permutation"] is None and record["seed"] == protocol.seeds[0]
    ]
    rows = [row for record in own if record["split"] != TEST for row in record["predictions"]]
    if not rows:
        return  # there are no folds
    for name, calibrator in calibrators(protocol, task, rows).items():
        note(run / "models" / slug(task) / name, calibration=asdict(calibrator))


def _write_adjacency(protocol: Protocol, task: str, run: Path) -> None:
    """The graphs that the final models learned, with the mean pose to draw them on, for the
    report.
    """
    source = task_source(protocol, task)
    if source.reading.part == "frame":
        return
    layout = np.nanmean(np.concatenate([clip.joints for clip in source.clips]), axis=0)[:, :2]
    for name in protocol.models_of(task):
        network = load_model(run / "models" / slug(task) / name).network
        if not isinstance(network, AGCN):
            continue
        fixed, learned = (
            graph.mean(dim=0).numpy() for graph in network.graphs()
        )  # mean over blocks
        with atomic_path(run / "adjacency" / f"{slug(task)}-{name}.npz") as temporary:
            np.savez(
                temporary,
                A=fixed,
                B=learned,
                joints=source.reading.graph.names,
                edges=source.reading.graph.edge_index,
                layout=layout,
            )


def _notes(protocol: Protocol, tasks: list[str], missing: Mapping[str, str]) -> list[str]:
    notes = []
    description = Path(protocol.cohort) / "dataset_description.json"  # BIDS
    if description.exists():
        described = read_json(description, remedy="correct it or take it away")
        thanks = described.get("Acknowledgements", "")
        notes += [thanks] if str(thanks).lower().startswith("synthetic") else []
    notes += [
        str(note) for note in run_json(Path(protocol.cohort) / "notes.json", "cohort import", list)
    ]  # of features brought along
    for task in tasks:
        source = task_source(protocol, task)
        left_out: dict[str, list[str]] = {}
        for line in source.left_out:
            clip_id, _, why = line.partition(": ")
            left_out.setdefault(why, []).append(clip_id)
        notes += [f"{task}: left out {listed(clips)}: {why}" for why, clips in left_out.items()]
        notes += [
            f"{task}: {clip.clip_id} is not assessable: {clip.reason}"
            for clip in source.not_assessable
        ]
    notes += [f"{task}: {what}" for task, what in missing.items()]
    evaluated = {
        member.rpartition("/")[0] for fusion in protocol.fusions for member in fusion.members
    } & set(tasks)
    notes += [
        f"{fusion.task}: not fused, as {member} was not evaluated"
        for fusion in protocol.fusions
        for member in fusion.members
        if member.rpartition("/")[0] not in evaluated
    ]
    if protocol.permutations and len(protocol.seeds) > 1:
        notes.append(
            f"Chance: permuted runs were trained with seed {protocol.seeds[0]} alone, results are"
            f" means over {len(protocol.seeds)}"
        )
    return notes


def _not_assessable(protocol: Protocol, tasks: list[str]) -> dict[str, list[dict[str, str]]]:
    table = {}
    for task in tasks:
        source = task_source(protocol, task)
        table[task] = [asdict(clip) for clip in source.not_assessable]
    return table


def _cohort(protocol: Protocol, tasks: list[str]) -> dict[str, Any]:
    table = {}
    for task in tasks:
        source = task_source(protocol, task)
        counts = np.bincount([clip.target for clip in source.clips], minlength=len(source.levels))
        table[task] = {
            "participants": len(source.participants),
            "clips": len(source.clips),
            **{f"clips {level}": int(count) for level, count in zip(source.levels, counts)},
        }
    return table


def _plain(value: Any) -> Any:
    """Tuples as lists, so that YAML needs no tags."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
