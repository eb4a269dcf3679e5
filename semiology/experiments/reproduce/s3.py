"""The Seizure-Semiology-Suite (ICML 2026; arXiv:2605.21852): the answers of every model to its
tasks 1, 3, 4 and 7 by patient, beside answers that need no video; and its signs -> diagnosis, by
classifiers that leave a patient out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd

from semiology.data.cohort.table import write_table
from semiology.data.marks.mark import seconds_of
from semiology.errors import UserError
from semiology.evaluation.agreement.scores import MISSING
from semiology.evaluation.statistics.comparison import estimate_json
from semiology.evaluation.statistics.intervals import bca_interval, draw_participants, leave_one_out
from semiology.evaluation.statistics.metrics import Array
from semiology.experiments.judge.reading import Judge, Outside, Unanswered
from semiology.experiments.judge.run import judge_rows
from semiology.experiments.reproduce.comparison import WIDTH, Reproduction, Row, set_beside
from semiology.experiments.reproduce.s3_tables import DIAGNOSES, S3, SIDES, SIGNS, read_s3
from semiology.experiments.table.run import run_table
from semiology.experiments.table.settings import Table
from semiology.files import begin_folder, read_json, slug

PAPER = "Zhang et al. 2026, Seizure-Semiology-Suite (ICML)"
ALWAYS = "always"  # what trivial answers begin with
MIDDLE = 30.0  # s; task 4 shows 60 s around the onset [C]
CLINICIANS = "clinicians' signs"
NO_YES, LEFT_RIGHT, NES_ES = ("no", "yes"), ("left", "right"), ("NES", "ES")  # classes [C]
NEAR = (1.0, 5.0)  # s, errors of an onset that are counted as near [our choice]
# printed by the authors, and of what: the tables name neither model, so that both stand alone
PRINTED_F1 = 0.96, "diagnosis from the authors' fine-tuned model, random forest, F1", "[P]"
PRINTED_ONSET = 8.19, "onset, best model in the authors' README, mean error, s", "[C]"
STATED = (
    "The paper's folds, prompts and exclusions are not stated in the tables.",
    "The authors leave out what is neither yes nor no, left nor right; here it is stated, and"
    " counts as --unanswered says.",
)


@dataclass(frozen=True)
class Onsets:
    """Errors of one model's onsets.

    Attributes:
        model: its name.
        n, answered: onsets with a truth, and those that the model gave.
        figures: "mean", "median", "lower", "upper" (quartiles), and the shares "within 1 s" and
            "within 5 s", each {"value", "low", "high"} (s, or 0 to 1 of those given).
    """

    model: str
    n: int
    answered: int
    figures: dict[str, dict[str, Any]]


def reproduce_s3(
    folder: Path,
    out: Path,
    classifiers: list[str] | None = None,
    unanswered: Unanswered = "wrong",
    draws: int = 2000,
    permutations: int = 1000,
    seed: int = 0,
) -> Reproduction:
    """Judge every model's answers in a copy of the Seizure-Semiology-Suite's tables.

    Writes OUT/signs, OUT/sides and OUT/answers (runs of `semiology judge`), OUT/diagnosis (runs of
    `semiology table`), OUT/onsets.tsv and OUT/reproduction.json; what the copy lacks, or what could
    not be read, is listed under "not run".

    Args:
        folder: the copy, with result/ground_truth and result/vlm_inference.
        out: folder of the results.
        classifiers: models of `semiology table` for signs -> diagnosis; by default logistic.
        unanswered: videos without an answer count as "wrong", or are left "out" for all models.
        draws: resampled cohorts behind each interval.
        permutations: of the truths between patients.
        seed: of all of these.

    Raises:
        UserError: as `read_s3`.
    """
    tables = read_s3(folder)
    begin_folder(out)
    how = {"unanswered": unanswered, "draws": draws, "permutations": permutations, "seed": seed}
    rows: list[Row] = []
    not_run: list[str] = [*tables.unread]
    text: list[str] = []
    parts: dict[str, Callable[[], list[Row]]] = {
        "signs": lambda: _signs(tables, out, how, text),
        "sides": lambda: _sides(tables, out, how, text),
        "onsets": lambda: _onsets(tables, out, draws, seed),
        "diagnosis": lambda: [
            *_direct(tables, out, how, not_run),
            *_from_signs(tables, out, classifiers or ["logistic"], seed, not_run),
        ],
    }
    for kind, part in parts.items():
        if kind in tables.truths and (kind in tables.answers or kind == "diagnosis"):
            try:
                rows += part()
            except UserError as error:
                not_run.append(f"{kind}: {error}")
        else:
            not_run.append(
                f"{kind}: no table of {'truths' if kind not in tables.truths else 'a model'}"
            )
    people = len({*tables.patients.values()})
    result = Reproduction(
        paper=PAPER,
        assumption=(
            f"{len(tables.patients)} videos of {people} patients in this copy (438 of 116 are"
            " printed [P]). The two published values stand in lines of their own, as their models"
            " are not among these tables by name; they have no interval, and which videos they are"
            " of is not stated."
        ),
        rows=rows,
        deviations=[*STATED, *tables.notes, *_strange(tables)],
        not_run=not_run,
        extra={"share_at_middle": _at_middle(tables), "reading": text},
        text="\n".join(fill(line, WIDTH) for line in text),
    )
    result.write(out)
    return result


def _outside(
    tables: S3, parts: Mapping[str, tuple[pd.Series, Mapping[str, pd.Series]]], **more: Any
) -> Outside:
    """Rows to be judged: sign -> (truth by video, model -> answer by video)."""
    rows = []
    for sign, (truth, models) in parts.items():
        truth = truth[truth != ""]
        for model, answers in models.items():
            own = answers.reindex(truth.index)
            for video, true in truth.items():
                given = own.get(video)
                if isinstance(given, str):  # a video without a row is one that the model lacks
                    rows.append((sign, model, video, true, given))
    table = pd.DataFrame(rows, columns=["sign", "model", "clip", "truth", "answer"])
    people = table["clip"].map(tables.patients)
    full = table.assign(
        participant=people, recording=table["clip"], score=np.nan, place=table.index + 2
    )
    return Outside(full, **more)


def _judge(tables: S3, outside: Outside, out: Path, how: Mapping[str, Any]) -> dict[str, Any]:
    """A run of `semiology judge` from rows that were put together of several tables."""
    out.mkdir(parents=True, exist_ok=True)
    write_table(out / "answers_by_video.tsv", outside.rows.drop(columns=["score", "place"]))
    judge_rows(Judge(str(out / "answers_by_video.tsv"), str(out), **how), outside)
    return read_json(out / "metrics.json")


def _lower(table: pd.DataFrame, column: str, known: tuple[str, ...]) -> pd.Series:
    """A column, "" where it holds none of the classes (N/A, a slip of the pen)."""
    if column not in table:
        return pd.Series("", index=table.index)
    text = table[column].str.strip()
    by_lower = {name.lower(): name for name in known}
    return text.map(lambda cell: by_lower.get(cell.lower(), ""))


def _strange(tables: S3) -> list[str]:
    """Truths that are neither a class nor empty, by column, with the words that are known."""
    columns = [
        *(("signs", sign, NO_YES) for sign in SIGNS),
        *(("sides", own, LEFT_RIGHT) for own, _ in SIDES.values()),
        ("diagnosis", "label", NES_ES),
        ("onsets", "target_time", ()),
    ]
    found = []
    for kind, column, known in columns:
        table = tables.truths.get(kind)
        if table is None or column not in table:
            continue
        texts = table[column].str.strip()
        read = _lower(table, column, known) != "" if known else _seconds(texts).notna()
        strange = texts[~read & ~texts.str.lower().isin(MISSING)].value_counts()
        if len(strange):
            listed = ", ".join(f"{text!r} ({count})" for text, count in strange.items())
            words = f"{' or '.join(known)}" if known else "a time in seconds or mm:ss"
            found.append(f"{kind}: truths of {column} that are not {words} are left out: {listed}")
    return found


def _signs(tables: S3, out: Path, how: Mapping[str, Any], text: list[str]) -> list[Row]:
    truths, parts = tables.truths["signs"], {}
    for sign in [name for name in SIGNS if name in truths]:
        truth = _lower(truths, sign, NO_YES)
        models = {f"{ALWAYS} yes": pd.Series("yes", index=truth.index)} | {
            name: table[sign] for name, table in tables.answers["signs"].items() if sign in table
        }
        parts[sign] = (truth, models)
    levels = dict.fromkeys(parts, NO_YES)
    found = _judge(tables, _outside(tables, parts, levels=levels), out / "signs", how)
    joint = found["joint"]["models"] if found["joint"] else {}
    counted = {name: _with_f1(name, found["tasks"]) for name in joint}
    text.append(
        f"Mean F1 is over the signs that have one, of {len(parts)} signs in the truths (task 1 has"
        f" {len(SIGNS)})."
    )
    for sign, (truth, _) in parts.items():
        if not any(sign in signs for signs in counted.values()):
            text.append(f"Left out of every mean: {sign} ({_why_without(truth)}).")
        elif lacking := [name for name, signs in counted.items() if sign not in signs]:
            text.append(f"{sign} is left out of the mean of {', '.join(lacking)}: no column of it.")
    return [
        _row(f"signs, {name}, mean F1 of {len(counted[name])} signs", result["metrics"]["macro_f1"])
        for name, result in joint.items()
    ]


def _with_f1(model: str, tasks: Mapping[str, Any]) -> list[str]:
    """Signs in which a model has an F1: some videos have the sign, others do not."""
    return [
        sign
        for sign, task in tasks.items()
        if model in task["models"] and task["models"][model]["metrics"]["f1"]["value"] is not None
    ]


def _why_without(truth: pd.Series) -> str:
    """Why nobody has an F1 in a sign."""
    there = {*truth} - {""}
    if len(there) == 2:
        return "no F1 in the videos that are counted"
    return {"yes": "every video has it", "no": "no video has it"}.get(
        "".join(there), "no video has a truth"
    )


def _sides(tables: S3, out: Path, how: Mapping[str, Any], text: list[str]) -> list[Row]:
    parts = {}
    for sign, (own, of_model) in SIDES.items():
        truth = _lower(tables.truths["sides"], own, LEFT_RIGHT)
        if not (truth != "").any():
            continue
        left, right = ((truth == side).sum() for side in LEFT_RIGHT)
        more = (
            "as often" if left == right else f"{'left' if left > right else 'right'} is commonest"
        )
        text.append(
            f"{sign}: left in {left}, right in {right} of {left + right} videos by the truth:"
            f" {more}. F1 is of right, so that always left has 0: compare it with always right."
            " Balanced accuracy and correlation compare with 0.5 and 0."
        )
        models = {f"{ALWAYS} {side}": pd.Series(side, index=truth.index) for side in LEFT_RIGHT} | {
            name: table[of_model]
            for name, table in tables.answers["sides"].items()
            if of_model in table
        }
        parts[sign] = (truth, models)
    if not parts:
        raise UserError("sides: no truth is left or right")
    levels = dict.fromkeys(parts, LEFT_RIGHT)
    found = _judge(tables, _outside(tables, parts, levels=levels), out / "sides", how)
    return [
        _row(f"{sign}, {model}, {words}", result["metrics"][name])
        for sign, task in found["tasks"].items()
        for model, result in task["models"].items()
        for name, words in (
            ("f1", "F1 of right"),
            ("balanced_accuracy", "balanced accuracy"),
            ("mcc", "Matthews correlation"),
        )
    ]


def _direct(tables: S3, out: Path, how: Mapping[str, Any], not_run: list[str]) -> list[Row]:
    """The models' own diagnoses, from the video, and with the report beside it."""
    truth = _lower(tables.truths["diagnosis"], "label", NES_ES)
    parts = {}
    for column, words in DIAGNOSES.items():
        models = {
            name: table[column]
            for name, table in tables.answers.get("diagnosis", {}).items()
            if column in table
        }
        if models:
            parts[words] = (truth, {f"{ALWAYS} ES": pd.Series("ES", index=truth.index)} | models)
    if not parts:
        not_run.append("diagnosis by a model: no table of a model")
        return []
    levels = dict.fromkeys(parts, NES_ES)
    found = _judge(tables, _outside(tables, parts, levels=levels), out / "answers", how)
    return [
        _row(f"{task}, {model}, F1 by video", result["metrics"]["f1"])
        for task, own in found["tasks"].items()
        for model, result in own["models"].items()
    ]


def _from_signs(
    tables: S3, out: Path, classifiers: list[str], seed: int, not_run: list[str]
) -> list[Row]:
    """Signs -> diagnosis, by classifiers that were not trained on the patient."""
    truth = _lower(tables.truths["diagnosis"], "label", NES_ES)
    truth = truth[truth != ""]
    sources = {CLINICIANS: tables.truths.get("signs")} | tables.answers.get("signs", {})
    rows = []
    for name, table in sources.items():
        if table is None or truth.index.intersection(table.index).empty:
            continue
        videos = truth.index.intersection(table.index)
        numbers = {
            sign: _lower(table, sign, NO_YES).reindex(videos).map({"yes": "1", "no": "0"})
            for sign in SIGNS
            if sign in table
        }
        features = pd.DataFrame(numbers).fillna("n/a")
        place = out / "diagnosis" / slug(name)
        place.mkdir(parents=True, exist_ok=True)
        who = [tables.patients.get(video, video.partition("@")[0]) for video in videos]
        whole = features.assign(video=videos, patient=who, diagnosis=truth.reindex(videos))
        write_table(place / "signs.tsv", whole)
        try:
            found = run_table(
                Table(
                    table=str(place / "signs.tsv"),
                    participant="patient",
                    target="diagnosis",
                    id="video",
                    out=str(place / "run"),
                    levels=[*NES_ES],
                    by="participant",
                    models=classifiers,
                    importance=0,
                    permutations=0,
                    seed=seed,
                )
            )
        except UserError as error:
            not_run.append(f"diagnosis from {name}: {error}")
            continue
        metrics = read_json(found.run / "metrics.json")["tasks"]
        for task in metrics.values():
            for model, result in task["models"].items():
                what = f"diagnosis from {name}, {model}, F1 by"
                by_patient = result["by"]["participant"].get("metrics") or {}
                rows.append(_row(f"{what} video", result["metrics"]["f1"]))
                rows.append(_row(f"{what} patient", by_patient.get("f1")))
    return [*rows, _printed(*PRINTED_F1)]


def _row(what: str, obtained: Mapping[str, Any] | None) -> Row:
    return set_beside(what, (None, None, None), "", obtained, None)


def _printed(value: float, what: str, source: str) -> Row:
    """A published value in a line of its own."""
    return set_beside(what, (value, None, None), source, None, None)


def _at_middle(tables: S3) -> float | None:
    """Share of the onsets that are exactly in the middle of the shown minute."""
    if "onsets" not in tables.truths:
        return None
    seconds = _seconds(tables.truths["onsets"]["target_time"])
    return float((seconds.dropna() == MIDDLE).mean())


def _seconds(texts: pd.Series) -> pd.Series:
    """Seconds of mm:ss, h:mm:ss or seconds; NaN of anything else."""

    def read(text: str) -> float:
        try:
            return seconds_of(str(text).strip())
        except ValueError:
            return float("nan")

    return texts.map(read).astype(float)


def _onsets(tables: S3, out: Path, draws: int, seed: int) -> list[Row]:
    """onsets.tsv: the distribution of each model's errors; and the mean error as a row."""
    truth = _seconds(tables.truths["onsets"]["target_time"]).dropna()
    models = {f"{ALWAYS} second {MIDDLE:g}": pd.Series(MIDDLE, index=truth.index)} | {
        name: _seconds(table["timestamp"]) for name, table in tables.answers["onsets"].items()
    }
    people = pd.Series(
        [tables.patients[place.rpartition("/")[0]] for place in truth.index], index=truth.index
    )
    found = [onset_errors(name, truth, own, people, draws, seed) for name, own in models.items()]
    table = pd.DataFrame(
        [
            {"model": one.model, "onsets": one.n, "answered": one.answered, "figure": name} | figure
            for one in found
            for name, figure in one.figures.items()
        ]
    )
    write_table(out / "onsets.tsv", table[[*table.columns[:4], "value", "low", "high"]])
    rows = []
    for one in found:
        who = f"onset, {one.model} ({one.answered} of {one.n} answered)"
        rows += [
            _row(f"{who}, {name}" if " s" in name else f"{who}, {name} error, s", figure)
            for name, figure in one.figures.items()
            if name not in ("lower quartile", "upper quartile")
        ]
    return [*rows, _printed(*PRINTED_ONSET)]


def onset_errors(
    model: str,
    truth: pd.Series,
    predicted: pd.Series,
    people: pd.Series,
    draws: int = 2000,
    seed: int = 0,
) -> Onsets:
    """Absolute errors of the onsets that a model gave, as a distribution, with intervals that
    resample patients.

    Args:
        model: its name.
        truth, predicted: s, by video and sign; NaN or absent where it gave none.
        people: the patient of each.
        draws, seed: of the resampling.
    """
    given = predicted.reindex(truth.index)
    known = given.notna()
    errors = (given - truth)[known].abs().to_numpy()
    names, owner = np.unique(people[known].to_numpy(dtype=str), return_inverse=True)
    figures: dict[str, Callable[[Array], Array]] = {
        "mean": lambda weights: (weights @ errors) / weights.sum(1),
        "median": lambda weights: quantile(errors, weights, 0.5),
        "lower quartile": lambda weights: quantile(errors, weights, 0.25),
        "upper quartile": lambda weights: quantile(errors, weights, 0.75),
    } | {
        f"within {near:g} s": lambda weights, near=near: (
            (weights @ (errors <= near)) / weights.sum(1)
        )
        for near in NEAR
    }
    if not len(errors):
        empty = {"value": None, "low": None, "high": None}
        return Onsets(model, len(truth), 0, {name: empty for name in figures})
    one = np.ones((1, len(errors)))
    drawn, left = draw_participants(len(names), draws, seed), leave_one_out(len(names))
    values = {}
    for name, figure in figures.items():
        value = float(figure(one)[0])
        limits = bca_interval(value, figure(drawn[:, owner]), figure(left[:, owner]), len(names))
        values[name] = {key: estimate_json(value, limits)[key] for key in ("value", "low", "high")}
    return Onsets(model, len(truth), len(errors), values)


def quantile(values: Array, weights: Array, share: float) -> Array:
    """(draw,) quantiles of values that count `weights` (draw, value) times: the least value that
    the share of the weight does not exceed; of half the weight the mean with the next one.

    >>> quantile(np.array([1.0, 2.0, 10.0]), np.ones((1, 3)), 0.5).tolist()
    [2.0]
    """
    order = np.argsort(values)
    summed = np.cumsum(weights[:, order], axis=1)
    total = summed[:, -1:]
    with np.errstate(invalid="ignore"):
        low = (summed >= share * total - 1e-9).argmax(1)
        high = (summed > share * total + 1e-9).argmax(1)
    return np.where(total[:, 0] > 0, (values[order][low] + values[order][high]) / 2, np.nan)
