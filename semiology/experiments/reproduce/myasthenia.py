"""The deep model of the myasthenia study on a cohort of one's own: diagnosis and severity from the
face, cross-validated, then unseen.

Figures of the myasthenia study, participant by participant: areas with three intervals, and what a
threshold from development gives.

One score a participant: the mean of the clips' probabilities. Several seeds are several repeats of
the cross-validation; a figure is the mean over them, and its bootstrap draws participants for all
of them together.

Who belongs to the development set and who is kept unseen, as in the myasthenia study: by a column
of the cohort, or drawn.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.stats import norm

from semiology.data.cohort import Cohort
from semiology.data.result import from_options
from semiology.errors import UserError
from semiology.evaluation.published import MYASTHENIA, MYASTHENIA_PAPER, PublishedArea
from semiology.evaluation.report import write_report
from semiology.evaluation.run.files import run_json
from semiology.evaluation.run.predictions import levels_of, read_predictions
from semiology.evaluation.run.settings import Protocol, Task
from semiology.evaluation.run.tasks import TEST_SET
from semiology.evaluation.statistics.calibration import RULE as THRESHOLD_RULE
from semiology.evaluation.statistics.calibration import Threshold, youden
from semiology.evaluation.statistics.comparison import estimate, estimate_json
from semiology.evaluation.statistics.intervals import (
    HANLEY_MCNEIL,
    LEVEL,
    Interval,
    delong,
    draw_participants,
    hanley_mcneil,
    wilson,
)
from semiology.evaluation.statistics.metrics import NAMES, Array
from semiology.evaluation.statistics.out_of_fold import OutOfFold
from semiology.evaluation.statistics.tables import in_order, model_name, show
from semiology.experiments.loso import run_loso
from semiology.experiments.reproduce.comparison import Reproduction, Row, best_guess, set_beside
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
from semiology.files import read_yaml

AT_THRESHOLD = ("sensitivity", "specificity", "accuracy")
NO_WIDTH = (
    "no participant is on the wrong side of another, or every one is: this formula then gives no"
    " width"
)
SETS = {"development": "cross-validated", "unseen": "unseen"}
DRAWS, SEED = 2000, 0


def evaluate_task(predictions: pd.DataFrame, task: str) -> list[dict[str, Any]]:
    """Every model of a task, cross-validated and on the unseen participants.

    Returns:
        [{"task", "set", "model", "participants", "positive", "negative" (numbers), "thresholds"
        (one a seed, chosen on all development participants), "auc", "sensitivity", "specificity",
        "accuracy": as `state` gives them, "intervals": of the AUC by other methods}].
    """
    rows = {
        name: predictions[predictions["task"] == task + suffix]
        for name, suffix in (("development", ""), ("unseen", TEST_SET))
    }
    levels = levels_of(rows["development"])
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in SETS}
    for model in in_order(rows["development"]["model"].unique()):
        people = {
            name: by_participant(own[own["model"] == model], levels) for name, own in rows.items()
        }
        thresholds = {
            int(str(seed)): _threshold(own) for seed, own in people["development"].groupby("seed")
        }
        people["development"] = cross_validated_calls(people["development"], levels)
        people["unseen"] = called(
            people["unseen"],
            people["unseen"]["seed"].map({seed: one.value for seed, one in thresholds.items()}),
            levels,
        )
        for name, own in people.items():
            chosen = [one.value for one in thresholds.values()]
            found[name].append(
                {"task": task, "set": name, "model": str(model)}
                | _set_figures(own, levels)
                | {"thresholds": chosen}
            )
    return [*found["development"], *found["unseen"]]


def by_participant(rows: pd.DataFrame, levels: list[str]) -> pd.DataFrame:
    """One row a participant and seed: mean probability of the positive level over the clips
    [choice], truth (0 or 1) and fold.
    """
    grouped = rows.groupby(["seed", "participant_id"], as_index=False)
    people = grouped.agg(score=("score", "mean"), level=("truth", "first"), fold=("fold", "first"))
    return people.assign(truth=(people["level"] == levels[1]).astype(int))


def cross_validated_calls(people: pd.DataFrame, levels: list[str]) -> pd.DataFrame:
    """`called` at thresholds that do not depend on the participant's own score: a fold's
    participants at that of the other folds of their seed.

    Where the other folds hold one level only, no one can be called there: the whole seed's
    threshold is taken.
    """
    values = pd.Series(np.nan, index=people.index)
    for _, seed in people.groupby("seed"):
        for fold, own in seed.groupby("fold"):
            others = seed[seed["fold"] != fold]
            values[own.index] = _threshold(others if others["truth"].nunique() == 2 else seed).value
    return called(people, values, levels)


def called(people: pd.DataFrame, threshold: pd.Series, levels: list[str]) -> pd.DataFrame:
    """The participants with `predicted`: the second level at the threshold (one a row) and
    above.
    """
    return people.assign(predicted=np.where(people["score"] >= threshold, levels[1], levels[0]))


def _threshold(people: pd.DataFrame) -> Threshold:
    return youden(people["truth"], people["score"])


def _set_figures(people: pd.DataFrame, levels: list[str]) -> dict[str, Any]:
    rows = (
        people.drop(columns="truth")
        .rename(columns={"level": "truth"})
        .assign(clip_id=people["participant_id"])
    )
    evaluated = OutOfFold.of(rows, levels)
    weights = draw_participants(len(evaluated.participants), DRAWS, SEED)
    positive = int(evaluated.truth.sum())
    numbers = {
        "participants": len(evaluated.truth),
        "positive": positive,
        "negative": len(evaluated.truth) - positive,
    }
    metrics = {name: estimate(evaluated, name, weights) for name in ("auc", *AT_THRESHOLD)}
    return (
        numbers
        | metrics
        | {"intervals": _closed_forms(evaluated, metrics["auc"]["value"], positive)}
    )


def _closed_forms(evaluated: OutOfFold, area: float | None, positive: int) -> list[dict[str, Any]]:
    """DeLong's and Hanley and McNeil's intervals of the mean area over seeds; without those that
    its participants do not allow.

    Of an area of 1 or 0 both would be a point, as if it were certain: they have a reason in place
    of limits.
    """
    negative = len(evaluated.truth) - positive
    if area is None:
        return []
    found = [hanley_mcneil(area, positive, negative)]
    if min(positive, negative) > 1:
        found.insert(0, _delong_of_mean(evaluated.truth, evaluated.probability[:, :, 1]))
    wide = [
        one if one.high - one.low > 1e-9 else replace(one, low=np.nan, high=np.nan, reason=NO_WIDTH)
        for one in found
    ]
    return [estimate_json(area, interval) for interval in wide]


def _delong_of_mean(truth: Any, scores: Array) -> Interval:
    """DeLong's interval of the mean area of several scores of the same participants: their
    covariance gives its variance.
    """
    areas = delong(truth, scores)
    half = float(norm.ppf(0.5 + LEVEL / 200)) * float(np.sqrt(areas.covariance.mean()))
    mean = float(areas.areas.mean())
    return Interval(
        max(mean - half, 0.0),
        min(mean + half, 1.0),
        0,
        method="DeLong" if len(scores) == 1 else "DeLong, mean over seeds",
    )


def intervals_text(figures: Sequence[dict[str, Any]]) -> str:
    """AUCs with all their intervals and the thresholds, as a terminal shows them."""
    lines = [
        "AUC by participant; intervals: bootstrap over participants (BCa), DeLong, Hanley and"
        " McNeil 1982; a threshold for each seed:"
    ]
    for own in figures:
        kinds = {interval["interval"].split(",")[0]: interval for interval in own["intervals"]}
        cells = [_span(own["auc"]), *(_span(kinds.get(kind)) for kind in ("DeLong", HANLEY_MCNEIL))]
        head = (
            f"{own['task']}, {model_name(own['model'])}, {SETS[own['set']]} ({own['negative']} +"
            f" {own['positive']})"
        )
        shown = ", ".join(show(value) for value in own["thresholds"])
        lines.append(
            f"  {head}: {show(own['auc']['value'])}, {', '.join(cells)}; threshold {shown}"
        )
    return "\n".join(lines)


def _span(interval: dict[str, Any] | None) -> str:
    return (
        "no interval"
        if interval is None or interval["low"] is None
        else f"{show(interval['low'])} to {show(interval['high'])}"
    )


COLUMN = "set"  # of participants.tsv
DEVELOPMENT, UNSEEN = "development", "unseen"
PATIENTS, CONTROLS = 20 / 70, 19 / 69  # share of each that was kept unseen [P]


def levels_by_participant(cohort: Cohort, label: str) -> dict[str, str]:
    """participant_id -> level, of those who are scored.

    Raises:
        UserError: no such label; a participant whose clips have different levels: a diagnosis is a
            person's, not a clip's.
    """
    levels: dict[str, str] = {}
    for clip in cohort.scored(label):
        level = str(clip.labels[label])
        if levels.setdefault(clip.participant_id, level) != level:
            who = (
                f"participant {clip.participant_id} is both {levels[clip.participant_id]} and"
                f" {level}"
            )
            raise UserError(
                f"{cohort.folder}: {label}: {who}; give every clip of one participant the same"
                " level"
            )
    return levels


def unseen_participants(cohort: Cohort, labels: list[str], draw: int) -> tuple[list[str], str]:
    """The participants to keep unseen, and how they came about, in words.

    A column `set` of participants.tsv (development, unseen) says who. Without it they are drawn by
    participant: of those who have the second level of the first label 20 of 70, of the others 19 of
    69 [P], within every combination of levels alike and at least one of three, so that mild and
    severe patients are in both sets.

    Args:
        labels: diagnosis and severity, or one of them.
        draw: seed of the draw.

    Raises:
        UserError: a scored participant whose `set` is empty or neither; as `levels_by_participant`.
    """
    known = {label: levels_by_participant(cohort, label) for label in labels}
    people = sorted(set().union(*known.values()))
    given = {person.participant_id: person.covariates.get(COLUMN) for person in cohort.participants}
    if any(value is not None for value in given.values()):
        if odd := next((who for who in people if given[who] not in (DEVELOPMENT, UNSEEN)), None):
            what = (
                f"participant {odd} is {given[odd]!r}"
                if given[odd]
                else f"participant {odd} has none"
            )
            raise UserError(
                f"{cohort.folder}: participants.tsv: column {COLUMN!r}: {what}; write {DEVELOPMENT}"
                f" or {UNSEEN}"
            )
        return [
            who for who in people if given[who] == UNSEEN
        ], f"by the column {COLUMN!r} of participants.tsv"
    strata: dict[tuple[str | None, ...], list[str]] = defaultdict(list)
    for who in people:
        strata[tuple(known[label].get(who) for label in labels)].append(who)
    second = list(cohort.labels[labels[0]].levels)[1]
    generator, unseen = np.random.default_rng(draw), []
    for stratum, members in sorted(strata.items(), key=str):
        share = PATIENTS if stratum[0] == second else CONTROLS
        kept = max(round(share * len(members)), 1) if len(members) > 2 else 0
        unseen += generator.permutation(members)[:kept].tolist()
    return (
        sorted(unseen),
        (
            f"drawn by participant with seed {draw}, 20 of 70 and 19 of 69 within every combination"
            " of levels"
        ),
    )


def check_sets(
    levels: dict[str, str], unseen: list[str], label: str, both: list[str], folds: int
) -> list[str]:
    """The unseen participants of one label, of whom there must be one; the others must be of both
    levels and as many as the folds.

    Raises:
        UserError: which of these does not hold, and what to do.
    """
    held = [who for who in unseen if who in levels]
    rest = {who: level for who, level in levels.items() if who not in held}
    if not held:
        raise UserError(
            f"{label}: no unseen participants are left; name some in participants.tsv (column"
            f" {COLUMN!r}: {DEVELOPMENT} or {UNSEEN}), or score three participants or more of a"
            " level"
        )
    if missing := [level for level in both if level not in rest.values()]:
        raise UserError(
            f"{label}: no development participant is {' or '.join(missing)}; there must be some of"
            " both levels"
        )
    if len(rest) < folds:
        raise UserError(
            f"{label}: {len(rest)} development participants cannot be split into {folds} folds;"
            " give fewer (--folds)"
        )
    return held


ASSUMPTION = (
    "The published intervals of the AUC are printed [P], their method is not. Those of sensitivity,"
    " specificity and accuracy are ours, Wilson's over the printed numbers of participants; the"
    " numbers of mild and severe patients are not printed, so theirs have none. Obtained: mean over"
    " seeds, BCa bootstrap over participants; DeLong's and Hanley and McNeil's intervals of the AUC"
    " stand beside. The best guess has an AUC of 0.5, the accuracy of the commoner level, and the"
    " sensitivity of calling so many at random: 1 - specificity (at the lower end of its interval),"
    " and the other way round."
)

UNSTATED = [
    (
        "how the intervals were made. Hanley and McNeil's for an AUC of 0.75 in 50 + 50 is 0.65 to"
        " 0.85, as printed; for 0.82 in 20 + 19 it is 0.69 to 0.95, not the printed 0.67 to 0.97"
    ),
    (
        f"how the threshold was chosen (here: {THRESHOLD_RULE}). Unseen participants are called at"
        " that of all development participants' out-of-fold scores; a development participant at"
        " that of the other folds, so that no own score moves it"
    ),
    (
        "how several clips of one participant were put together (here: the mean of their"
        " probabilities)"
    ),
    (
        "which architecture the printed figures belong to: every model is set beside them, and the"
        " best of several flatters itself"
    ),
    (
        "how many of the patients are mild and severe, and which of the two is called positive"
        " (here: the label's second level)"
    ),
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
    """Run the protocol of the myasthenia study on a cohort, and set what comes out beside the
    published figures.

    Repeated cross-validation on development participants, then once on unseen ones, by models
    trained on all development participants. Figures are by participant. Writes a run as `semiology
    loso` does (resumable), and reproduction.json into it.

    Args:
        cohort: folder of the cohort; a column `set` of participants.tsv (development, unseen) says
            who is unseen, else they are drawn.
        out: folder of the run.
        store: folder that `semiology extract` filled; not needed for cohorts of tracks and models
            that read nothing else.
        diagnosis: column of clips.tsv with two levels, the second the disease; "none" leaves the
            task out.
        severity: the same for mild and severe, scored in patients only.
        models: of configs/myasthenia.yaml, those to run (agcn, tcn, blstm; all by default); a
            fusion needs all of its members.
        settings: YAML file with the keys of configs/myasthenia.yaml that are changed; every change
            is listed as a deviation.
        folds: of the cross-validation, instead of the protocol's.
        epochs: of every model, instead of the protocol's.
        seeds: instead of the protocol's; each is one repeat.
        draw: seed of the draw of unseen participants.
        jobs: folds at a time; -1 uses every core. See Workers, also for the next three; all instead
            of the protocol's.
        backend: who runs them.
        address: of a cluster.
        gpus_per_task: of a cluster.

    Raises:
        UserError: the cohort lacks a label, or a label has other than two levels; a participant
            with two levels; no unseen participants, one level only among development participants,
            or fewer of them than folds; features that a model reads are not in the store; settings
            that do not fit; as `run_loso`.
    """
    file = protocol_file("myasthenia")
    raw = read_yaml(file)
    paper = from_options(raw, Protocol, str(file))
    used = from_options(
        merged(raw, read_yaml(settings)) if settings else raw, Protocol, str(settings or file)
    )
    used = replace(used, cohort=str(cohort), out=str(out), store=str(store) if store else None)
    if epochs is not None:
        trained = {
            name: replace(model, schedule=replace(model.schedule, epochs=epochs))
            for name, model in used.models.items()
        }
        used = replace(used, models=trained)
    used = replace(
        used,
        split=used.split if folds is None else replace(used.split, folds=folds),
        seeds=used.seeds if seeds is None else tuple(seeds),
    )
    used = with_workers(
        used, jobs=jobs, backend=backend, address=address, gpus_per_task=gpus_per_task
    )
    tags = read_tags(file)
    deviations = departures(paper, used, tags)
    columns = {
        sign: column
        for sign, column in (("diagnosis", diagnosis), ("severity", severity))
        if column != NONE
    }
    if not columns:
        raise UserError("nothing is left to run: give a column for --diagnosis or for --severity")
    used, left_out = _requested(used, columns, models)
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
        banner=next(
            (
                note
                for note in run_json(out / "notes.json", "loso", list)
                if str(note).lower().startswith("synthetic")
            ),
            "",
        ),
        extra={"figures": figures, "threshold": THRESHOLD_RULE},
        text=intervals_text(figures),
    )
    reproduction.write(out)
    if result.report:
        write_report(out)  # again, now that there is something to stand beside the paper
    return reproduction


def sign_of(task: str) -> str:
    """What a task of configs/myasthenia.yaml is about: "diagnosis" or "severity", the first word of
    its name.
    """
    return task.partition(" ")[0]


def _requested(
    protocol: Protocol, columns: Mapping[str, str], models: Sequence[str] | None
) -> tuple[Protocol, list[str]]:
    """The protocol with the tasks that have a column and the requested models, and a sentence for
    everything that is left out.
    """
    if unknown := [name for name in models or () if name not in protocol.models]:
        raise UserError(
            f"models: {', '.join(unknown)} is not in the protocol; there are"
            f" {', '.join(protocol.models)}"
        )
    kept = [name for name in protocol.models if models is None or name in models]
    left_out = [
        f"{sign}: left out on request" for sign in ("diagnosis", "severity") if sign not in columns
    ]
    left_out += [
        f"{model_name(name)}: left out on request" for name in protocol.models if name not in kept
    ]
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
        raise UserError(
            "nothing is left to run: no task of the protocol has a model of"
            f" {', '.join(kept) or 'none'}"
        )
    members = {f"{task}/{model}" for task in tasks for model in tasks[task].models}
    fusions = [fusion for fusion in protocol.fusions if set(fusion.members) <= members]
    left_out += [
        f"{fusion.task}, {model_name(fusion.model)}: left out, as not all of its members are run"
        for fusion in protocol.fusions
        if fusion not in fusions and sign_of(fusion.task) in columns
    ]
    return (
        replace(
            protocol,
            tasks=tasks,
            models={name: protocol.models[name] for name in kept},
            fusions=fusions,
        ),
        left_out,
    )


def _on_this_cohort(
    protocol: Protocol, columns: Mapping[str, str], draw: int
) -> tuple[Protocol, str]:
    """The protocol with the cohort's unseen participants, and how they were chosen, in words,
    after a check that it can run.
    """
    cohort = Cohort.read(protocol.cohort)
    for sign, column in columns.items():
        check_two_levels(cohort, sign, column, "the study's table")
    unseen, how = unseen_participants(cohort, list(columns.values()), draw)
    tasks = {}
    for name, task in protocol.tasks.items():
        label, split = columns[sign_of(name)], protocol.split_of(name)
        if lacking := without_features(cohort, label, task.reading.appearance, protocol.store):
            readers = [model for model in task.models if model not in KEYPOINTS_ONLY]
            others = [model for model in protocol.models if model not in readers]
            instead = (
                f", or leave {', '.join(readers)} out: --models '[{', '.join(others)}]'"
                if others
                else ""
            )
            raise UserError(f"{name}: {lacking}{instead}")
        held = check_sets(
            levels_by_participant(cohort, label),
            unseen,
            label,
            list(cohort.labels[label].levels),
            split.folds,
        )
        tasks[name] = replace(task, split=replace(split, test=held))
    return replace(protocol, tasks=tasks), how


def _figures(protocol: Protocol, not_run: Sequence[str]) -> list[dict[str, Any]]:
    predictions = read_predictions(Path(protocol.out) / "predictions.csv")
    done = set(predictions["task"])
    return [
        figures
        for task in protocol.tasks
        if task in done
        for figures in evaluate_task(predictions, task)
    ]


def _rows(own: Mapping[str, Any]) -> list[Row]:
    """The published AUC, sensitivity, specificity and accuracy beside one model's on one set."""
    printed, count = MYASTHENIA[sign_of(own["task"]), own["set"]], own["participants"]
    share = own["positive"] / count
    by_chance = {"auc": 0.5, "accuracy": best_guess("accuracy", share)}
    by_chance |= {
        one: 1 - (own[other]["low"] or 0) for one, other in (AT_THRESHOLD[:2], AT_THRESHOLD[1::-1])
    }
    head = f"{own['task']}, {SETS[own['set']]}, {model_name(own['model'])}"
    return [
        set_beside(
            f"{head}, {NAMES[metric]}",
            _printed(printed, metric),
            "[P]",
            own[metric],
            by_chance[metric],
        )
        for metric in ("auc", *AT_THRESHOLD)
    ]


def _printed(published: PublishedArea, metric: str) -> tuple[float, float | None, float | None]:
    """A printed figure with its interval: the printed one of the AUC, Wilson's of the others where
    the numbers are printed [choice].
    """
    if metric == "auc":
        return published.auc, published.low, published.high
    value = getattr(published, metric)
    if published.positive is None or published.negative is None:
        return value, None, None
    counted = {"sensitivity": published.positive, "specificity": published.negative}.get(
        metric, published.positive + published.negative
    )
    return value, *wilson(value * counted, counted)


def _other_people(figures: Sequence[Mapping[str, Any]]) -> list[str]:
    """How the sets differ from the study's in size."""
    found = []
    for own in figures:
        paper = MYASTHENIA[sign_of(own["task"]), own["set"]]
        numbers, printed = (own["positive"], own["negative"]), (paper.positive, paper.negative)
        if numbers != printed:
            theirs = (
                "numbers that are not printed"
                if paper.positive is None
                else f"{paper.positive} and {paper.negative} [P]"
            )
            ours = f"{numbers[0]} participants with the second level and {numbers[1]} without"
            found.append(f"{own['task']}, {SETS[own['set']]}: {ours} instead of {theirs}")
    return list(dict.fromkeys(found))
