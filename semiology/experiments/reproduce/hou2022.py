"""Hou et al. 2022, Table 1, on a cohort of one's own: AGCN, TCN and AGCN with distillation,
leave-one-subject-out.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from semiology.data.cohort import Cohort
from semiology.data.result import from_options
from semiology.errors import UserError
from semiology.evaluation.published import HOU_2022, HOU_2022_PATIENTS_WITH, HOU_2022_TABLE_1
from semiology.evaluation.report import write_report
from semiology.evaluation.run.settings import Protocol, Task
from semiology.evaluation.statistics.metrics import NAMES
from semiology.evaluation.statistics.results import model_name
from semiology.experiments.clips import open_source
from semiology.experiments.loso import run_loso
from semiology.experiments.reproduce.comparison import (
    CORRELATION,
    Reproduction,
    Row,
    check_correlation,
    compare,
    wilson_of_clips,
)
from semiology.experiments.reproduce.settings import (
    KEYPOINTS_ONLY,
    NONE,
    check_two_levels,
    constants,
    departures,
    merged,
    protocol_file,
    read_tags,
    with_workers,
    without_features,
)
from semiology.files import read_json, read_yaml

TASKS = {
    ("dystonia", "pose"): "dystonia (pose)",
    ("emotion", "face"): "emotion (face)",
}  # Table 1 -> names in configs/hou2022.yaml

UNSTATED = [
    "which 3D estimator lifts the joints (here: semiology's lifter, or the tracker's own depth)",
    "which network gives the body's appearance features (here: a VGG-19 on crops of the body)",
    (
        "which 23 face landmarks, and which edges join them (here: brows 3 + 3, eyes 4 + 4, nose 3,"
        " mouth 6)"
    ),
    "layers of the TCN, optimiser, epochs, windows and augmentation (here: configs/hou2022.yaml)",
    (
        "the form of the distillation (here: that of a third-party reimplementation), and where the"
        " student starts (here: at the weights of the AGCN of its fold)"
    ),
    (
        "which F1: that of the sign's presence over pooled clips is assumed. Rounded, 0.73, 0.78,"
        " 0.80 and 0.81 are the accuracy of no count of 38 clips; cut after two digits, 0.80 alone"
        " is none: it may have been averaged otherwise"
    ),
]


def reproduce_hou2022(
    cohort: Path,
    out: Path,
    store: Path | None = None,
    dystonia: str = "dystonia",
    emotion: str = "emotion",
    settings: Path | None = None,
    epochs: int | None = None,
    seeds: Sequence[int] | None = None,
    jobs: int | None = None,
    backend: Literal["loky", "ray", "dask"] | None = None,
    address: str | None = None,
    gpus_per_task: float | None = None,
    correlation: float = CORRELATION,
) -> Reproduction:
    """Run the protocol of Hou et al. 2022 on a cohort, and set what comes out beside Table 1 of the
    paper.

    Writes a run as `semiology loso` does (resumable), and reproduction.json into it. Models that
    read appearance features are left out of a task if the store lacks them for any scored clip;
    a message states this.

    Args:
        cohort: folder of the cohort.
        out: folder of the run.
        store: folder that `semiology extract` filled; not needed for cohorts of tracks.
        dystonia: column of clips.tsv that scores dystonia, with two levels, the second its
            presence; "none" leaves the task out.
        emotion: the same for emotional signs.
        settings: YAML file with the keys of configs/hou2022.yaml that are changed; every change is
            listed as a deviation.
        epochs: of every model, instead of the protocol's.
        seeds: instead of the protocol's.
        jobs: folds at a time; -1 uses every core. See Workers, also for the next three; all instead
            of the protocol's.
        backend: who runs them.
        address: of a cluster.
        gpus_per_task: of a cluster.
        correlation: of being right in two clips of one patient, 0 to 1; the published values'
            intervals rest on it [choice].

    Raises:
        UserError: the cohort lacks a label, or a label has other than two levels; settings that do
            not fit; as `run_loso`.
    """
    check_correlation(correlation)
    file = protocol_file("hou2022")
    raw = read_yaml(file)
    paper = from_options(raw, Protocol, str(file))
    changed = merged(raw, read_yaml(settings)) if settings else raw
    used = from_options(changed, Protocol, str(settings or file))
    used = replace(used, cohort=str(cohort), out=str(out), store=str(store) if store else None)
    if epochs is not None:
        models = {
            name: replace(model, schedule=replace(model.schedule, epochs=epochs))
            for name, model in used.models.items()
        }
        used = replace(used, models=models)
    if seeds is not None:
        used = replace(used, seeds=tuple(seeds))
    used = with_workers(
        used, jobs=jobs, backend=backend, address=address, gpus_per_task=gpus_per_task
    )
    tags = read_tags(file)
    deviations = departures(paper, used, tags)
    used, left_out, not_run = _on_this_cohort(used, {"dystonia": dystonia, "emotion": emotion})
    result = run_loso(used)
    not_run += [f"{task}: {why}" for task, why in {**result.refused, **result.failed}.items()]
    metrics = read_json(out / "metrics.json") if result.report else {"tasks": {}}
    notes = read_json(out / "notes.json", list) if result.report else []
    reproduction = Reproduction(
        paper=HOU_2022.paper,
        assumption=wilson_of_clips(HOU_2022, correlation),
        rows=_rows(metrics, correlation),
        deviations=[
            *deviations,
            *left_out,
            *_other_people(metrics),
            *_other_trackers(used, metrics),
        ],
        not_run=not_run,
        unstated=UNSTATED,
        constants=constants(used, tags),
        banner=next((note for note in notes if note.lower().startswith("synthetic")), ""),
    )
    reproduction.write(out)
    if result.report:
        write_report(out)  # again, now that there is something to stand beside the paper
    return reproduction


def _on_this_cohort(
    protocol: Protocol, columns: dict[str, str]
) -> tuple[Protocol, list[str], list[str]]:
    """The protocol with the cohort's own columns, a sentence for each task that the user left out,
    and one for what cannot run.
    """
    cohort = Cohort.read(protocol.cohort)
    tasks, left_out, not_run = dict(protocol.tasks), [], []
    for (sign, _), name in TASKS.items():
        column = columns[sign]
        if column == NONE:
            left_out.append(f"{name}: left out on request")
            del tasks[name]
            continue
        check_two_levels(cohort, sign, column, "Table 1")
        reading = replace(tasks[name].reading, label=column)
        if lacking := without_features(cohort, column, reading.appearance, protocol.store):
            dropped = [model for model in protocol.models_of(name) if model not in KEYPOINTS_ONLY]
            not_run.append(
                f"{name}: {', '.join(model_name(model) for model in dropped)}: {lacking}"
            )
            tasks[name] = Task(replace(reading, appearance=None), KEYPOINTS_ONLY)
        else:
            tasks[name] = replace(tasks[name], reading=reading)
    if not tasks:
        raise UserError("nothing is left to run: give a column for --dystonia or for --emotion")
    return replace(protocol, tasks=tasks), left_out, not_run


def _rows(metrics: dict[str, Any], correlation: float) -> list[Row]:
    rows = []
    for key, models in HOU_2022_TABLE_1.items():
        task = metrics["tasks"].get(TASKS[key])
        evaluated = task["models"] if task else {}
        share = task["prevalence"][task["levels"][1]]["share"] if task else None
        for model, published in models.items():
            for metric in ("f1", "accuracy"):
                obtained = evaluated[model]["metrics"][metric] if model in evaluated else None
                what = f"{TASKS[key]}, {model_name(model)}, {NAMES[metric]}"
                rows.append(
                    compare(what, metric, published, HOU_2022, obtained, share, correlation)
                )
    return rows


def _other_people(metrics: dict[str, Any]) -> list[str]:
    """How the cohort differs from the paper's in size and in how many show the sign."""
    found = []
    for (sign, _), name in TASKS.items():
        evaluated = metrics["tasks"].get(name)
        if evaluated is None:
            continue
        showing = evaluated["prevalence"][evaluated["levels"][1]]["participants"]
        own = (evaluated["participants"], evaluated["clips"], showing)
        paper = (HOU_2022.participants, HOU_2022.clips, HOU_2022_PATIENTS_WITH[sign])
        if own != paper:
            found.append(
                f"{name}: {own[0]} participants, {own[1]} clips, {own[2]} participants with the"
                f" sign instead of {paper[0]}, {paper[1]} and {paper[2]} [P]"
            )
    return found


def _other_trackers(protocol: Protocol, metrics: dict[str, Any]) -> list[str]:
    """Which trackers made the keypoints, where they are not the paper's."""
    found = []
    for name, task in protocol.tasks.items():
        if name in metrics["tasks"]:
            trackers = sorted(open_source(protocol.cohort, protocol.store, task.reading).trackers)
            if trackers != ["keypoint-rcnn"]:
                paper = (
                    "fine-tuned Keypoint R-CNN"
                    if task.reading.part == "body"
                    else "a toolbox that is not named"
                )
                found.append(
                    f"{name}: keypoints by {', '.join(trackers) or 'an unnamed tracker'}; the"
                    f" paper's are by {paper} [P]"
                )
    return found
