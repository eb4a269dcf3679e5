"""Audit of predictions that an outsider gave as a table (`semiology judge`): what a table can show,
and what it cannot. There are no folds, weights or videos to look at, so that it is never "passed".
"""

import re
from collections.abc import Iterator

import numpy as np

from semiology.evaluation.agreement.chance import Null
from semiology.evaluation.audit.check import Check, Finding, answer
from semiology.evaluation.audit.confounds import QUESTION, check_confounds
from semiology.evaluation.audit.predictions import equal_values
from semiology.evaluation.audit.records import Run
from semiology.evaluation.run.judged import UNKNOWABLE, Judged
from semiology.evaluation.run.unanswered import answered_by_all
from semiology.evaluation.statistics.fixed import null_of_fixed
from semiology.files import content_hash

LEAST = 2  # participants of each class, from which a word in the clips' names tells [our choice]
WORD = re.compile(r"[A-Za-z]+|[0-9]+")

# what no table can show: name, question, answer
NEVER = (
    ("training people", "Was a judged participant in the models' training data?", UNKNOWABLE),
    (
        "choices",
        "Were model, prompt, threshold or classes chosen on these clips?",
        "whether prompts, thresholds or the models themselves were chosen by their result on these"
        " clips cannot be known from a table",
    ),
    (
        "same stretch",
        "Is a part of one file in two clips?",
        "a table holds no videos: whether two clips share a part of one file cannot be known",
    ),
    (
        "copies",
        "Is a recording there under two participants?",
        "a table holds no images and no keypoints: whether two participants are one person cannot"
        " be known",
    ),
)


def check_outsider(run: Run, judged: Judged) -> list[Check]:
    """All checks of an outsider's table, in the order of docs/judge.md."""
    return [
        _check_table(run, judged),
        _check_participants(run),
        _check_rows(judged),
        _check_answers(run, judged),
        _check_chance(run, judged),
        _check_names(run),
        _check_confounds(run, judged),
        *(
            answer(name, question, [], [Finding("not-in-a-table", why)], "", "")
            for name, question, why in NEVER
        ),
    ]


def _check_table(run: Run, judged: Judged) -> Check:
    changed = content_hash(run.folder / "predictions.csv") != judged.predictions
    text = "predictions.csv has changed since; run `semiology judge` again"
    return answer(
        "table",
        "Is predictions.csv what was read from the outsider's table?",
        [Finding("table-changed", text)] if changed else [],
        [],
        f"unchanged since it was read from {judged.table} (SHA-256 {judged.sha256[:12]}...)",
        "it is not",
    )


def _check_participants(run: Run) -> Check:
    clips = run.table.drop_duplicates("clip_id")
    return answer(
        "participants",
        "Does every clip belong to one participant, and has one truth for each sign?",
        [],
        [],
        f"{len(clips):,} clips of {clips['participant_id'].nunique():,} participants; intervals and"
        " permutations are by participant",
        "",
    )


def _check_rows(judged: Judged) -> Check:
    missing = [
        Finding(
            "row-absent",
            f"{own.task}: {own.model} has no row for {own.clips} clips that others have; they count"
            " as not answered",
            (own.task, own.model),
        )
        for own in judged.absent
    ]
    return answer(
        "predicted once",
        "Has every model one row for every clip of a sign?",
        [],
        missing,
        "every model has one row for every clip",
        "",
        "no",
    )


def _check_answers(run: Run, judged: Judged) -> Check:
    missing = [
        Finding(
            "answer-unmapped",
            f"{own.answer[:80]!r} ({own.count}) is no class and counts as not answered; map it by"
            " --answers",
            (own.answer,),
        )
        for own in judged.unmapped
    ]
    return answer(
        "answers",
        "Is every answer one of the classes, or stated as none?",
        [],
        missing,
        f"every answer is a class or stated as none; {int((~_answered(run)).sum()):,} of"
        f" {len(run.table):,} predictions are none",
        "",
        "no",
    )


def _answered(run: Run) -> np.ndarray:
    table = run.table
    return (
        table["answered"].to_numpy(dtype=bool) if "answered" in table else np.ones(len(table), bool)
    )


def _check_chance(run: Run, judged: Judged) -> Check:
    question = "Is null.json what permuting the truths between participants gives?"
    if run.null is None or not judged.permutations:
        text = "null.json is damaged" if run.null is None else "no permutations were asked for"
        text += "; run `semiology judge` with --permutations 1000"
        return answer("chance", question, [], [Finding("null-missing", text)], "", "")
    rows = run.table
    if judged.unanswered == "out" and not _answered(run).all():
        rows = answered_by_all(rows)
    again = null_of_fixed(rows, judged.permutations, judged.seed)
    faults = [
        Finding("null-differs", f"{task}: {metric} of {model} differs", (task, model, metric))
        for task, model, metric in _places(again, run.null)
        if not equal_values(_at(run.null, task, model, metric), _at(again, task, model, metric))
    ]
    return answer(
        "chance",
        question,
        faults,
        [],
        f"computed again, {judged.permutations} permutations",
        "null.json differs from permuted truths",
    )


def _places(*nulls: Null) -> Iterator[tuple[str, str, str]]:
    yield from dict.fromkeys(
        (task, model, metric)
        for null in nulls
        for task, models in null.items()
        for model, metrics in models.items()
        for metric in metrics
    )


def _at(null: Null, task: str, model: str, metric: str) -> list[float | None] | None:
    return null.get(task, {}).get(model, {}).get(metric)


def _check_names(run: Run) -> Check:
    """A word in the clips' names that is in every clip of one class, and in none of the others."""
    faults = []
    for task, rows in run.table.groupby("task", sort=False):
        clips = rows.drop_duplicates("clip_id")
        truth = clips["truth"].to_numpy()
        words = [{word.lower() for word in WORD.findall(name)} for name in clips["clip_id"]]
        for level in dict.fromkeys(truth):
            own = truth == level
            people = [clips["participant_id"][side].nunique() for side in (own, ~own)]
            if min(people) < LEAST:
                continue
            shared = set.intersection(*(found for found, is_own in zip(words, own) if is_own))
            others = set.union(*(found for found, is_own in zip(words, own) if not is_own))
            faults += [
                Finding(
                    "name-tells",
                    f"{task}: {word!r} is in the name of every clip that is {level}, and in no"
                    " other: a model that was given the file's name could read the truth",
                    (str(task), str(level), word),
                )
                for word in sorted(shared - others)
            ]
    return answer(
        "names",
        "Do the clips' names tell a truth?",
        faults,
        [],
        "no word in the clips' names goes with a class",
        "they do",
    )


def _check_confounds(run: Run, judged: Judged) -> Check:
    if judged.covariates:
        return check_confounds(run)
    text = "the table names no column of centre, camera or anything else; name them by --covariates"
    return answer("confounds", QUESTION, [], [Finding("no-covariate", text)], "", "")
