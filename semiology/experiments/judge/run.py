"""An outsider's table -> a run folder: predictions.csv, null.json, audit and report as of ours."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from semiology.data.cohort.table import by_cell, to_cell, write_table
from semiology.errors import UserError
from semiology.evaluation.audit import audit, verdict
from semiology.evaluation.report import write_report
from semiology.evaluation.run.files import read_config
from semiology.evaluation.run.judged import Absent, Judged, Kind, Unmapped
from semiology.evaluation.run.predictions import COLUMNS, read_predictions, with_predicted
from semiology.evaluation.run.unanswered import CELLS, answered_by_all
from semiology.evaluation.statistics.fixed import null_of_fixed
from semiology.experiments.judge.answers import (
    NONE,
    Mapping,
    Words,
    classes_of,
    doubtful,
    read_words,
)
from semiology.experiments.judge.reading import Judge, Outside, read_outside
from semiology.files import atomic_path, begin_folder, content_hash, write_json, write_text

MOST_CLASSES = 20  # more different truths are hardly classes [our choice]
# unmapped answers that are listed in config.yaml, terminal and report; answers.tsv has all
SHOWN = 20
FOLD = "outside"  # of predictions that come from no fold of ours
HALF = 0.5
# files of a run, which are written over in a run of this kind only
WRITTEN = (
    *("predictions.csv", "null.json", "metrics.json", "audit.json", "report.html", "config.yaml"),
    *("notes.json", "sources.json", "answers.tsv"),
)


@dataclass
class JudgeResult:
    """The folder of a run, its report, the verdict of its audit, and what to know of it."""

    run: Path
    report: Path
    audit: str
    notes: list[str]


@dataclass
class Scored:
    """The rows of predictions.csv, and what was found on the way.

    Attributes:
        rows: of answered clips, with `scores` as dictionaries.
        silent: of clips without an answer.
        kinds: sign -> model -> what its scores are.
        absent: models without a row for some clips.
        answers: (sign, answer, class or "", whether stated) -> how often.
        notes: what a reader has to know.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    silent: list[dict[str, Any]] = field(default_factory=list)
    kinds: dict[str, dict[str, Kind]] = field(default_factory=dict)
    absent: list[Absent] = field(default_factory=list)
    answers: Counter[tuple[str, str, str, bool]] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


def judge(settings: Judge) -> JudgeResult:
    """Read an outsider's table and write a run of it: predictions.csv, null.json, answers.tsv,
    metrics.json, audit.json, report.html.

    Raises:
        UserError: as `read_outside`; the folder holds a run of our own; a truth is none of the
            levels, or all are the same; an answer matches two classes; scores that are no
            probabilities, without a threshold; nothing was answered.
    """
    return judge_rows(settings, read_outside(settings))


def judge_rows(settings: Judge, outside: Outside) -> JudgeResult:
    """As `judge`, of rows that were read already."""
    run = Path(settings.out)
    there = [name for name in WRITTEN if (run / name).exists()]
    if there and not read_config(run / "config.yaml")[0].get("judged"):
        raise UserError(
            f"{run}: holds a run of another kind ({there[0]}); name a folder of its own by --out"
        )
    scored = score(settings, outside)
    begin_folder(run)
    with atomic_path(run / "predictions.csv") as temporary:
        by_cell(_table(scored), to_cell).to_csv(temporary, index=False)
    predictions = read_predictions(run / "predictions.csv")
    if settings.unanswered == "out" and "answered" in predictions:
        predictions = answered_by_all(predictions)
    permuted = settings.permutations
    null = null_of_fixed(predictions, permuted, settings.seed) if permuted else {}
    write_json(run / "null.json", null)
    notes = [*outside.notes, *scored.notes]
    judged = Judged(
        table=Path(settings.table).name,
        sha256=content_hash(settings.table),
        predictions=content_hash(run / "predictions.csv"),
        kinds=scored.kinds,
        unanswered=settings.unanswered,
        permutations=settings.permutations,
        draws=settings.draws,
        seed=settings.seed,
        absent=scored.absent,
        unmapped=_unmapped(scored),
        covariates=list(settings.covariates or ()),
    )
    config = {"split": {"by": "none"}, "seeds": [settings.seed], "judged": judged.model_dump()}
    write_text(run / "config.yaml", yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
    write_json(run / "notes.json", notes)
    write_json(run / "sources.json", _sources(outside))
    write_table(run / "answers.tsv", _answers(scored))
    result = verdict(audit(run))
    return JudgeResult(run, write_report(run, settings.unanswered), result, notes)


def score(settings: Judge, outside: Outside) -> Scored:
    """Every prediction of the table as a row of predictions.csv. Raises as `judge`."""
    words = read_words(settings.answers) if settings.answers else None
    found, known = Scored(), set[str]()
    signs = list(dict.fromkeys(outside.rows["sign"]))
    for sign in signs:
        rows = outside.rows[outside.rows["sign"] == sign]
        stated = settings.levels or outside.levels.get(sign)
        if classes := _classes(settings, stated, sign, rows, found.notes):
            known |= {*classes}
            _score_sign(settings, sign, rows, classes, words, found)
    if words and (strange := [name for name in words.entries if name not in {*known, NONE}]):
        raise UserError(
            f"{words.file}: {strange[0]!r} is no class; there are {', '.join(sorted(known))}, and"
            f" {NONE!r} for what is none"
        )
    if not found.rows:
        why = f": {'; '.join(found.notes)}" if found.notes else ""
        raise UserError(f"{settings.table}: no prediction can be scored{why}")
    _note_answers(found)
    return found


def _classes(
    settings: Judge, levels: Sequence[str] | None, sign: str, rows: pd.DataFrame, notes: list[str]
) -> tuple[str, ...] | None:
    """The classes of a sign; None, with a note, where all truths are the same."""
    if levels:
        strange = rows[~rows["truth"].isin(levels)]
        if len(strange):
            row = strange.iloc[0]
            raise UserError(
                f"{settings.table}: row {row['place']}: truth {row['truth']!r} of {sign} is none of"
                f" the levels {', '.join(levels)} ({len(strange)} rows like this)"
            )
        return tuple(levels)
    classes = classes_of(rows["truth"])
    if len(classes) > MOST_CLASSES:
        raise UserError(
            f"{settings.table}: {sign} has {len(classes)} different truths; that is no class. Name"
            " the column of the truths by --truth"
        )
    if len(classes) < 2:
        notes.append(f"{sign} is left out: its truth is {classes[0]!r} in all rows")
        return None
    if doubt := doubtful(classes):
        notes.append(f"{sign}: {doubt}")
    return classes


def _score_sign(
    settings: Judge,
    sign: str,
    rows: pd.DataFrame,
    classes: tuple[str, ...],
    words: Words | None,
    found: Scored,
) -> None:
    mapping = Mapping(sign, classes, words)
    clips = rows.drop_duplicates("clip")
    kinds: dict[str, Kind] = {}
    parts: list[tuple[str, dict[str, dict[str, float] | None]]] = []
    for model, own in rows.groupby("model", sort=False):
        by_answer = _by_answer(mapping, sign, own, found)
        by_score = _by_score(settings, sign, own, classes, found)
        kind: Kind = "ranks" if settings.threshold is not None else "probabilities"
        if not by_score:
            parts.append((str(model), by_answer))
            kinds[str(model)] = "answers"
        elif not by_answer or all(
            _top(by_answer[clip]) == _top(by_score[clip]) for clip in by_answer
        ):
            parts.append((str(model), by_score))
            kinds[str(model)] = kind
        else:
            name = f"{model} (score)"
            parts += [(str(model), by_answer), (name, by_score)]
            kinds |= {str(model): "answers", name: kind}
            found.notes.append(
                f"{sign}: answers and scores of {model} do not agree everywhere; they are two"
                f" models here, {model} and {name}"
            )
    shared = {"task": sign, "label": sign, "stream": "", "seed": settings.seed, "fold": FOLD}
    about = [
        shared
        | {"clip_id": clip, "participant_id": person, "recording_id": recording, "truth": truth}
        for clip, person, recording, truth in clips[
            ["clip", "participant", "recording", "truth"]
        ].itertuples(index=False, name=None)
    ]
    answered = False
    for model, scores in parts:
        if lost := len(about) - len(scores):
            found.absent.append(Absent(task=sign, model=model, clips=lost))
        for clip in about:
            own_scores = scores.get(str(clip["clip_id"]))
            answered |= own_scores is not None
            row = clip | {"model": model, "scores": own_scores}
            (found.silent if own_scores is None else found.rows).append(row)
    if answered:
        found.kinds[sign] = kinds
        return
    found.notes.append(f"{sign} is left out: no model answered any clip")
    found.silent = [row for row in found.silent if row["task"] != sign]
    found.absent = [own for own in found.absent if own.task != sign]


def _by_answer(
    mapping: Mapping, sign: str, own: pd.DataFrame, found: Scored
) -> dict[str, dict[str, float] | None]:
    """Clip -> all probability on the class that was answered, None without one; empty where the
    model gave no answers at all, but scores.
    """
    if (own["answer"] == "").all() and own["score"].notna().any():
        return {}
    scores: dict[str, dict[str, float] | None] = {}
    for clip, text in zip(own["clip"], own["answer"]):
        level, stated = mapping.find(text)
        found.answers[sign, text, level or "", stated] += 1
        scores[str(clip)] = (
            None if level is None else {name: float(name == level) for name in mapping.classes}
        )
    return scores


def _by_score(
    settings: Judge, sign: str, own: pd.DataFrame, classes: Sequence[str], found: Scored
) -> dict[str, dict[str, float] | None]:
    """Clip -> probabilities of both classes, None without a score; empty where there are none."""
    if own["score"].isna().all():
        return {}
    if len(classes) > 2:
        text = f"{sign} has {len(classes)} classes, and a score is of two; answers are due"
        if (own["answer"] == "").all():
            raise UserError(f"{settings.table}: {text}")
        found.notes.append(f"{text}: the scores are not used")
        return {}
    values = own["score"].to_numpy(dtype=float)
    if settings.threshold is None:
        if len(wrong := np.flatnonzero((values < 0) | (values > 1))):
            raise UserError(
                f"{settings.table}: row {own['place'].iloc[wrong[0]]}: score {values[wrong[0]]:g}"
                f" is no probability ({len(wrong)} rows like this); state by --threshold above"
                f" which score {classes[1]!r} is meant"
            )
    else:  # one half at the threshold, and the same order
        beyond = values - settings.threshold
        values = HALF + HALF * beyond / (1 + np.abs(beyond))
    return {
        str(clip): None if np.isnan(value) else {classes[0]: 1 - value, classes[1]: value}
        for clip, value in zip(own["clip"], values.tolist())
    }


def _top(scores: dict[str, float] | None) -> str | None:
    return max(scores, key=scores.__getitem__) if scores else None


def _table(scored: Scored) -> pd.DataFrame:
    """The rows of predictions.csv, sign by sign and model by model."""
    parts = []
    empty = {"calibrated": "", "plausible": ""}
    if scored.rows:
        parts.append(with_predicted(pd.DataFrame(scored.rows).assign(**empty)))
    if scored.silent:
        parts.append(
            pd.DataFrame(scored.silent).assign(**empty | dict.fromkeys(CELLS, ""))[
                [*COLUMNS, "recording_id", *empty]
            ]
        )
    order = {
        (sign, model): (number, place)
        for number, (sign, kinds) in enumerate(scored.kinds.items())
        for place, model in enumerate(kinds)
    }
    table = pd.concat(parts, ignore_index=True)
    place = pd.Series([order[key] for key in zip(table["task"], table["model"])])
    return table.assign(place=place).sort_values(["place", "clip_id"]).drop(columns="place")


def _unmapped(scored: Scored) -> list[Unmapped]:
    """Answers that are no class and not stated as none, the commonest first; all signs together."""
    counts: Counter[str] = Counter()
    for (_, text, level, stated), count in scored.answers.items():
        if not level and not stated:
            counts[text] += count
    found = [Unmapped(answer=text, count=count) for text, count in counts.most_common(SHOWN)]
    if len(counts) > SHOWN:
        rest = sum(counts.values()) - sum(own.count for own in found)
        found.append(Unmapped(answer=f"{len(counts) - SHOWN} others", count=rest))
    return found


def _note_answers(found: Scored) -> None:
    if found.absent:
        lost = sum(own.clips for own in found.absent)
        models = ", ".join(dict.fromkeys(own.model for own in found.absent))
        found.notes.append(
            f"{lost} predictions of {models} are not in the table, and others have these clips;"
            " they count as not answered"
        )
    if unmapped := _unmapped(found):
        listed = ", ".join(f"{own.answer[:60]!r} ({own.count})" for own in unmapped)
        total = sum(own.count for own in unmapped)
        found.notes.append(
            f"{total} answers are no class and count as not answered: {listed}; answers.tsv has"
            " all, --answers FILE maps them"
        )


def _answers(found: Scored) -> pd.DataFrame:
    """answers.tsv: every different answer of a sign, the class that it was taken for, how often."""

    def rows() -> Iterator[dict[str, Any]]:
        for (sign, text, level, stated), count in sorted(found.answers.items()):
            taken = level or (NONE if stated else "unmapped")
            yield {"sign": sign, "answer": " ".join(text.split()), "class": taken, "count": count}

    return pd.DataFrame(list(rows()), columns=["sign", "answer", "class", "count"])


def _sources(outside: Outside) -> dict[str, Any]:
    """sources.json: the people and covariates of the clips, which is all that a table knows."""
    clips = outside.rows.drop_duplicates("clip")
    return {
        "schema": 1,
        "clips": {
            str(row.clip): {
                "participant_id": row.participant,
                "recording_id": row.recording,
                "kind": "row",
                "content": None,
                "start": 0.0,
                "end": 0.0,
                "covariates": outside.covariates.get(str(row.clip), {}),
            }
            for row in clips.itertuples()
        },
        "weights": {},
    }
