"""The Seizure-Semiology-Suite (ICML 2026; arXiv:2605.21852): the answers of every model to its
tasks 1, 3, 4 and 7 by patient, beside answers that need no video; and its signs -> diagnosis, by
classifiers that leave a patient out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from semiology.data.cohort.table import write_table
from semiology.data.marks.mark import seconds_of
from semiology.errors import UserError
from semiology.evaluation.statistics.comparison import estimate_json
from semiology.evaluation.statistics.intervals import bca_interval, draw_participants, leave_one_out
from semiology.evaluation.statistics.metrics import Array
from semiology.experiments.judge.reading import Judge, Outside, Unanswered
from semiology.experiments.judge.run import judge_rows
from semiology.experiments.reproduce.comparison import Reproduction, Row, set_beside
from semiology.experiments.reproduce.s3_tables import DIAGNOSES, S3, SIDES, SIGNS, read_s3
from semiology.experiments.table.run import run_table
from semiology.experiments.table.settings import Table
from semiology.files import begin_folder, read_json, slug

PAPER = "Zhang et al. 2026, Seizure-Semiology-Suite (ICML)"
ALWAYS = "always"  # what trivial answers begin with
MIDDLE = 30.0  # s; task 4 shows 60 s around the onset [C]
CLINICIANS = "clinicians' signs"
NEAR = (1.0, 5.0)  # s, errors of an onset that are counted as near [our choice]
# printed by the authors, of the signs of their fine-tuned model by a random forest [P]; and of the
# best model in their README [C]
PRINTED_F1, PRINTED_ONSET = 0.96, 8.19
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
    `semiology table`), OUT/onsets.tsv and OUT/reproduction.json; what the copy lacks is listed
    under "not run".

    Args:
        folder: the copy, with result/ground_truth and result/vlm_inference.
        out: folder of the results.
        classifiers: models of `semiology table` for signs -> diagnosis; by default logistic.
        unanswered: videos without an answer count as "wrong", or are left "out" for all models.
        draws: resampled cohorts behind each interval.
        permutations: of the truths between patients.
        seed: of all of these.

    Raises:
        UserError: as `read_s3`; a truth that is no class of its task.
    """
    tables = read_s3(folder)
    begin_folder(out)
    how = {"unanswered": unanswered, "draws": draws, "permutations": permutations, "seed": seed}
    rows: list[Row] = []
    not_run: list[str] = []
    parts: dict[str, Callable[[], list[Row]]] = {
        "signs": lambda: _signs(tables, out, how),
        "sides": lambda: _sides(tables, out, how),
        "onsets": lambda: _onsets(tables, out, draws, seed),
        "diagnosis": lambda: [
            *_direct(tables, out, how),
            *_from_signs(tables, out, classifiers or ["logistic"], seed, not_run),
        ],
    }
    for kind, part in parts.items():
        if kind in tables.truths and (kind in tables.answers or kind == "diagnosis"):
            rows += part()
        else:
            not_run.append(
                f"{kind}: no table of {'truths' if kind not in tables.truths else 'a model'}"
            )
    people = len({*tables.patients.values()})
    result = Reproduction(
        paper=PAPER,
        assumption=(
            f"{len(tables.patients)} videos of {people} patients in this copy (438 of 116 are"
            " printed [P]). The printed values have no interval, and which videos they are of is"
            " not stated."
        ),
        rows=rows,
        deviations=[*STATED, *tables.notes],
        not_run=not_run,
        extra={"share_at_middle": _at_middle(tables)},
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
    """A column of truths, "" where it holds none of the classes (N/A, a slip of the pen)."""
    if column not in table:
        return pd.Series("", index=table.index)
    text = table[column].str.strip()
    by_lower = {name.lower(): name for name in known}
    return text.map(lambda cell: by_lower.get(cell.lower(), ""))


def _signs(tables: S3, out: Path, how: Mapping[str, Any]) -> list[Row]:
    truths, parts = tables.truths["signs"], {}
    for sign in [name for name in SIGNS if name in truths]:
        truth = _lower(truths, sign, ("no", "yes"))
        models = {f"{ALWAYS} yes": pd.Series("yes", index=truth.index)} | {
            name: table[sign] for name, table in tables.answers["signs"].items() if sign in table
        }
        parts[sign] = (truth, models)
    levels = dict.fromkeys(parts, ("no", "yes"))
    found = _judge(tables, _outside(tables, parts, levels=levels), out / "signs", how)
    joint = found["joint"]["models"] if found["joint"] else {}
    return [
        _row(f"signs, {name}, mean F1", result["metrics"]["macro_f1"])
        for name, result in joint.items()
    ]


def _sides(tables: S3, out: Path, how: Mapping[str, Any]) -> list[Row]:
    parts = {}
    for sign, (own, of_model) in SIDES.items():
        truth = _lower(tables.truths["sides"], own, ("left", "right"))
        if not (truth != "").any():
            continue
        common = truth[truth != ""].value_counts().index[0]
        models = {f"{ALWAYS} {common}": pd.Series(common, index=truth.index)} | {
            name: table[of_model]
            for name, table in tables.answers["sides"].items()
            if of_model in table
        }
        parts[sign] = (truth, models)
    if not parts:
        raise UserError("sides: no truth is left or right")
    levels = dict.fromkeys(parts, ("left", "right"))
    found = _judge(tables, _outside(tables, parts, levels=levels), out / "sides", how)
    return [
        _row(f"{sign}, {model}, {words}", result["metrics"][name])
        for sign, task in found["tasks"].items()
        for model, result in task["models"].items()
        for name, words in (
            ("f1", "F1"),
            ("balanced_accuracy", "balanced accuracy"),
            ("mcc", "Matthews correlation"),
        )
    ]


def _direct(tables: S3, out: Path, how: Mapping[str, Any]) -> list[Row]:
    """The models' own diagnoses, from the video, and with the report beside it."""
    truth = _lower(tables.truths["diagnosis"], "label", ("NES", "ES"))
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
        return []
    levels = dict.fromkeys(parts, ("NES", "ES"))
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
    truth = _lower(tables.truths["diagnosis"], "label", ("NES", "ES"))
    truth = truth[truth != ""]
    sources = {CLINICIANS: tables.truths.get("signs")} | tables.answers.get("signs", {})
    rows = []
    for name, table in sources.items():
        if table is None or truth.index.intersection(table.index).empty:
            continue
        videos = truth.index.intersection(table.index)
        numbers = {
            sign: _lower(table, sign, ("no", "yes")).reindex(videos).map({"yes": "1", "no": "0"})
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
                    levels=["NES", "ES"],
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
                rows.append(_row(f"{what} video", result["metrics"]["f1"], PRINTED_F1, "[P]"))
                rows.append(_row(f"{what} patient", by_patient.get("f1")))
    return rows


def _row(
    what: str, obtained: Mapping[str, Any] | None, printed: float | None = None, source: str = ""
) -> Row:
    return set_beside(what, (printed, None, None), source, obtained, None)


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
    return [
        _row(
            f"onset, {one.model}, {name} error, s"
            if " s" not in name
            else f"onset, {one.model}, {name}",
            figure,
            PRINTED_ONSET if name == "mean" and not one.model.startswith(ALWAYS) else None,
            "[C]",
        )
        for one in found
        for name, figure in one.figures.items()
        if name not in ("lower quartile", "upper quartile")
    ]


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
