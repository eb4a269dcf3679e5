"""The deep model of the myasthenia study on a cohort of one's own: diagnosis and severity from the face, cross-validated, then unseen."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from semiology.data.cohort import Cohort
from semiology.errors import UserError
from semiology.evaluation.published import MYASTHENIA, MYASTHENIA_PAPER, PublishedArea
from semiology.evaluation.report import write_report
from semiology.evaluation.run.files import read_json
from semiology.evaluation.run.predictions import read_predictions
from semiology.evaluation.statistics.metrics import NAMES
from semiology.evaluation.statistics.proportion import wilson
from semiology.evaluation.statistics.tables import model_name
from semiology.evaluation.statistics.threshold import RULE as THRESHOLD_RULE
from semiology.experiments.loso import run_loso
from semiology.experiments.protocol import Protocol, Task
from semiology.experiments.reproduce.comparison import Row, best_guess, set_beside
from semiology.experiments.reproduce.myasthenia_results import AT_THRESHOLD, SETS, intervals_text, judge
from semiology.experiments.reproduce.myasthenia_sets import check_sets, levels_by_participant, unseen_participants
from semiology.experiments.reproduce.needs import KEYPOINTS_ONLY, NONE, check_two_levels, without_features
from semiology.experiments.reproduce.outcome import Reproduction
from semiology.experiments.reproduce.settings import (
    constants,
    departures,
    merged,
    parsed,
    protocol_file,
    read_tags,
    read_yaml,
    with_workers,
)

ASSUMPTION = (
    "The published intervals of the AUC are printed [P], their method is not. Those of sensitivity, specificity and accuracy are ours, "
    "Wilson's over the printed numbers of participants; the numbers of mild and severe patients are not printed, so theirs have none. "
    "Obtained: mean over seeds, BCa bootstrap over participants; DeLong's and Hanley and McNeil's intervals of the AUC stand beside. The "
    "best guess has an AUC of 0.5, the accuracy of the commoner level, and the sensitivity of calling so many at random: 1 - specificity "
    "(at the lower end of its interval), and the other way round."
)

UNSTATED = [
    "how the intervals were made. Hanley and McNeil's for an AUC of 0.75 in 50 + 50 is 0.65 to 0.85, as printed; for 0.82 in 20 + 19 it is "
    "0.69 to 0.95, not the printed 0.67 to 0.97",
    f"how the threshold was chosen (here: {THRESHOLD_RULE}). Unseen participants are called at that of all development participants' "
    "out-of-fold scores; a development participant at that of the other folds, so that no own score moves it",
    "how several clips of one participant were put together (here: the mean of their probabilities)",
    "which architecture the printed figures belong to: every model is set beside them, and the best of several flatters itself",
    "how many of the patients are mild and severe, and which of the two is called positive (here: the label's second level)",
    "folds, repeats, epochs, windows and everything else without a tag in configs/myasthenia.yaml",
]


def reproduce_myasthenia(
    cohort: Path,
    out: Path,
    store: Path | None = None,
    diagnosis: str = "diagnosis",
    severity: str = "severity",
    models: Sequence[str] | None = None,
    settings: Path | None = None,
    folds: int | None = None,
    epochs: int | None = None,
    seeds: Sequence[int] | None = None,
    draw: int = 0,
    jobs: int | None = None,
    backend: Literal["loky", "ray", "dask"] | None = None,
    address: str | None = None,
    gpus_per_task: float | None = None,
) -> Reproduction:
    """Run the protocol of the myasthenia study on a cohort, and set what comes out beside the published figures.

    Repeated cross-validation on development participants, then once on unseen ones, by models trained on all development participants.
    Figures are by participant. Writes a run as `semiology loso` does (resumable), and reproduction.json into it.

    Args:
        cohort: folder of the cohort; a column `set` of participants.tsv (development, unseen) says who is unseen, else they are drawn.
        out: folder of the run.
        store: folder that `semiology extract` filled; not needed for cohorts of tracks and models that read nothing else.
        diagnosis: column of clips.tsv with two levels, the second the disease; "none" leaves the task out.
        severity: the same for mild and severe, scored in patients only.
        models: of configs/myasthenia.yaml, those to run (agcn, tcn, blstm; all by default); a fusion needs all of its members.
        settings: YAML file with the keys of configs/myasthenia.yaml that are changed; every change is listed as a deviation.
        folds: of the cross-validation, instead of the protocol's.
        epochs: of every model, instead of the protocol's.
        seeds: instead of the protocol's; each is one repeat.
        draw: seed of the draw of unseen participants.
        jobs: folds at a time; -1 uses every core. See Workers, also for the next three; all instead of the protocol's.
        backend: who runs them.
        address: of a cluster.
        gpus_per_task: of a cluster.

    Raises:
        UserError: the cohort lacks a label, or a label has other than two levels; a participant with two levels; no unseen participants,
            one level only among development participants, or fewer of them than folds; features that a model reads are not in the
            store; settings that do not fit; as `run_loso`.
    """
    file = protocol_file("myasthenia")
    raw = read_yaml(file)
    paper = parsed(raw, Protocol, str(file))
    used = parsed(merged(raw, read_yaml(settings)) if settings else raw, Protocol, str(settings or file))
    used = replace(used, cohort=str(cohort), out=str(out), store=str(store) if store else None)
    if epochs is not None:
        trained = {name: replace(model, schedule=replace(model.schedule, epochs=epochs)) for name, model in used.models.items()}
        used = replace(used, models=trained)
    used = replace(
        used,
        split=used.split if folds is None else replace(used.split, folds=folds),
        seeds=used.seeds if seeds is None else tuple(seeds),
    )
    used = with_workers(used, jobs=jobs, backend=backend, address=address, gpus_per_task=gpus_per_task)
    tags = read_tags(file)
    deviations = departures(paper, used, tags)
    columns = {sign: column for sign, column in (("diagnosis", diagnosis), ("severity", severity)) if column != NONE}
    if not columns:
        raise UserError("nothing is left to run: give a column for --diagnosis or for --severity")
    used, left_out = _asked_for(used, columns, models)
    used, how = _on_this_cohort(used, columns, draw)
    result = run_loso(used)
    not_run = [f"{task}: {why}" for task, why in {**result.refused, **result.failed}.items()]
    figures = _figures(used, not_run) if result.report else []
    reproduction = Reproduction(
        paper=MYASTHENIA_PAPER,
        assumption=ASSUMPTION,
        rows=[row for own in figures for row in _rows(own)],
        deviations=[*deviations, *left_out, f"unseen participants: {how}", *_other_people(figures)],
        not_run=not_run,
        unstated=UNSTATED,
        constants=constants(used, tags),
        banner=next((note for note in read_json(out / "notes.json", "loso", list) if str(note).lower().startswith("synthetic")), ""),
        extra={"figures": figures, "threshold": THRESHOLD_RULE},
        text=intervals_text(figures),
    )
    reproduction.write(out)
    if result.report:
        write_report(out)  # again, now that there is something to stand beside the paper
    return reproduction


def sign_of(task: str) -> str:
    """What a task of configs/myasthenia.yaml is about: "diagnosis" or "severity", the first word of its name."""
    return task.partition(" ")[0]


def _asked_for(protocol: Protocol, columns: Mapping[str, str], models: Sequence[str] | None) -> tuple[Protocol, list[str]]:
    """The protocol with the tasks that have a column and the models asked for, and a sentence for everything that is left out."""
    if unknown := [name for name in models or () if name not in protocol.models]:
        raise UserError(f"models: {', '.join(unknown)} is not in the protocol; there are {', '.join(protocol.models)}")
    kept = [name for name in protocol.models if models is None or name in models]
    left_out = [f"{sign}: left out on request" for sign in ("diagnosis", "severity") if sign not in columns]
    left_out += [f"{model_name(name)}: left out on request" for name in protocol.models if name not in kept]
    tasks = {}
    for name, task in protocol.tasks.items():
        own = tuple(model for model in protocol.models_of(name) if model in kept)
        if sign_of(name) not in columns or not own:
            continue
        reading = replace(task.reading, label=columns[sign_of(name)])
        if set(own) <= set(KEYPOINTS_ONLY):
            reading = replace(reading, appearance=None)
        tasks[name] = Task(reading, own, task.split)
    if not tasks:
        raise UserError(f"nothing is left to run: no task of the protocol has a model of {', '.join(kept) or 'none'}")
    members = {f"{task}/{model}" for task in tasks for model in tasks[task].models}
    fusions = [fusion for fusion in protocol.fusions if set(fusion.members) <= members]
    left_out += [
        f"{fusion.task}, {model_name(fusion.model)}: left out, as not all of its members are run"
        for fusion in protocol.fusions
        if fusion not in fusions and sign_of(fusion.task) in columns
    ]
    return replace(protocol, tasks=tasks, models={name: protocol.models[name] for name in kept}, fusions=fusions), left_out


def _on_this_cohort(protocol: Protocol, columns: Mapping[str, str], draw: int) -> tuple[Protocol, str]:
    """The protocol with the cohort's unseen participants, who are said in words, after a look whether it can run."""
    cohort = Cohort.read(protocol.cohort)
    for sign, column in columns.items():
        check_two_levels(cohort, sign, column, "the study's table")
    unseen, how = unseen_participants(cohort, list(columns.values()), draw)
    tasks = {}
    for name, task in protocol.tasks.items():
        label, split = task.reading.label, protocol.split_of(name)
        if lacking := without_features(cohort, label, task.reading.appearance, protocol.store):
            readers = [model for model in task.models if model not in KEYPOINTS_ONLY]
            others = [model for model in protocol.models if model not in readers]
            instead = f", or leave {', '.join(readers)} out: --models '[{', '.join(others)}]'" if others else ""
            raise UserError(f"{name}: {lacking}{instead}")
        held = check_sets(levels_by_participant(cohort, label), unseen, label, list(cohort.labels[label].levels), split.folds)
        tasks[name] = replace(task, split=replace(split, test=held))
    return replace(protocol, tasks=tasks), how


def _figures(protocol: Protocol, not_run: Sequence[str]) -> list[dict[str, Any]]:
    predictions = read_predictions(Path(protocol.out) / "predictions.csv")
    done = set(predictions["task"])
    return [figures for task in protocol.tasks if task in done for figures in judge(predictions, task)]


def _rows(own: Mapping[str, Any]) -> list[Row]:
    """The published AUC, sensitivity, specificity and accuracy beside one model's on one set."""
    printed, count = MYASTHENIA[sign_of(own["task"]), own["set"]], own["participants"]
    share = own["positive"] / count
    by_chance = {"auc": 0.5, "accuracy": best_guess("accuracy", share)}
    by_chance |= {one: 1 - (own[other]["low"] or 0) for one, other in (AT_THRESHOLD[:2], AT_THRESHOLD[1::-1])}
    head = f"{own['task']}, {SETS[own['set']]}, {model_name(own['model'])}"
    return [
        set_beside(f"{head}, {NAMES[metric]}", _printed(printed, metric), "[P]", own[metric], by_chance[metric])
        for metric in ("auc", *AT_THRESHOLD)
    ]


def _printed(published: PublishedArea, metric: str) -> tuple[float, float | None, float | None]:
    """A printed figure with its interval: the printed one of the AUC, Wilson's of the others where the numbers are printed [choice]."""
    if metric == "auc":
        return published.auc, published.low, published.high
    value = getattr(published, metric)
    if published.positive is None or published.negative is None:
        return value, None, None
    counted = {"sensitivity": published.positive, "specificity": published.negative}.get(metric, published.positive + published.negative)
    return value, *wilson(value * counted, counted)


def _other_people(figures: Sequence[Mapping[str, Any]]) -> list[str]:
    """How the sets differ from the study's in size."""
    found = []
    for own in figures:
        paper = MYASTHENIA[sign_of(own["task"]), own["set"]]
        numbers, printed = (own["positive"], own["negative"]), (paper.positive, paper.negative)
        if numbers != printed:
            theirs = "numbers that are not printed" if paper.positive is None else f"{paper.positive} and {paper.negative} [P]"
            ours = f"{numbers[0]} participants with the second level and {numbers[1]} without"
            found.append(f"{own['task']}, {SETS[own['set']]}: {ours} instead of {theirs}")
    return list(dict.fromkeys(found))
