"""Finds and reads the tables of a copy of the Seizure-Semiology-Suite: its columns show what a
table is, not its name, as the repository holds several layouts [C].
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from semiology.data.cohort.table import MARKS, Fault, read_table
from semiology.errors import UserError

# the 20 signs of Task 1 [C]
SIGNS = (
    *("occur_during_sleep", "head_turning", "blank_stare", "close_eyes", "eye_blinking"),
    *("face_pulling", "face_twitching", "tonic", "clonic", "arm_straightening", "arm_flexion"),
    *("figure4", "oral_automatisms", "limb_automatisms", "asynchronous_movement"),
    *("pelvic_thrusting", "full_body_shaking", "arms_move_simultaneously"),
    *("verbal_responsiveness", "ictal_vocalization"),
)
LEAST_SIGNS = 5  # columns of signs that make a table one of signs [our choice]
KEYS = ("file_name", "video_name", "clip")  # of the video
PATIENTS = ("patient", "patient_id", "participant_id", "participant")  # where a table has one
SIDES = {  # sign -> column of the truth, column of a model [C]
    "head turning": ("left_right_head_turning", "head_turning_direction"),
    "arm movement": ("left_right_arm_movement", "arm_movement_direction"),
}
DIAGNOSES = {  # column of a model [C] -> what it was given
    "prediction_without_report": "diagnosis, video alone",
    "prediction_with_report": "diagnosis, with report",
}
TRUTHS, MODELS = "truth", "model"
READ = {  # columns that are used: rows of one video have to agree in them
    *(*SIGNS, *DIAGNOSES, *PATIENTS, "label", "target_time", "timestamp"),
    *(name for pair in SIDES.values() for name in pair),
}
SHOWN = 5  # names of files that are listed [our choice]
NEEDED = {  # for an error: what no table had
    "signs": f"file_name and signs such as {', '.join(SIGNS[7:10])}",
    "sides": f"file_name and {SIDES['head turning'][0]} or {SIDES['arm movement'][0]}",
    "onsets": "file_name, feature and target_time",
    "diagnosis": "file_name and label (ES, NES)",
}


@dataclass(frozen=True)
class S3:
    """The tables, as text, indexed by video without its extension.

    Attributes:
        truths: "signs", "sides", "onsets", "diagnosis" -> table; those that are there.
        answers: the same -> model -> table.
        patients: video -> patient.
        notes: which files were read and which were passed over, and which rows contradict.
        unread: tables of a task that could not be read, and why.
    """

    truths: dict[str, pd.DataFrame]
    answers: dict[str, dict[str, pd.DataFrame]]
    patients: dict[str, str]
    notes: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def video_of(name: str) -> str:
    """A video's name without folder and extension: tables of sound say .wav for .mp4."""
    return re.sub(r"\.(mp4|wav|m2t|avi|mov)$", "", name.strip().rpartition("/")[2], flags=re.I)


def read_s3(folder: str | Path) -> S3:
    """Read a copy of the repository, or of its folder `result`.

    Of several tables of one kind by one model, the one with the most of the truth's rows is read,
    of equal ones that with the shortest name; of truths those in a folder ground_truth first.
    Columns are separated by commas, semicolons or tabs. Where several rows of one video differ, the
    cell counts as empty.

    Raises:
        UserError: no such folder; no table of truths, or of models; names of videos without a
            patient, or with several.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(
            f"{folder}: no such folder; it is your copy of the Seizure-Semiology-Suite, with"
            " result/ground_truth and result/vlm_inference"
        )
    found: dict[tuple[str, str, str], list[tuple[Path, pd.DataFrame]]] = {}
    notes: list[str] = []
    unread: list[str] = []
    others: list[str] = []
    for path in sorted(folder.rglob("*.csv")):
        columns, separator = _header(path)
        kinds = [*_kinds(path, columns)]
        if not kinds:
            others.append(f"{path.parent.name}/{path.name}")
        for kind, whose in kinds:
            name = path.parent.name if whose == MODELS else ""
            if (table := _read(path, kind, separator, notes, unread)) is not None:
                found.setdefault((kind, whose, name), []).append((path, table))
    if others:
        listed = ", ".join(others[:SHOWN]) + (", ..." if len(others) > SHOWN else "")
        notes.append(f"tables without columns of these tasks: {len(others)} ({listed})")
    truths = {
        kind: _best(tables, None, notes)
        for (kind, whose, _), tables in found.items()
        if whose == TRUTHS
    }
    if not truths:
        needed = "; ".join(NEEDED.values())
        raise UserError(f"{folder}: holds no table of clinicians' truths; one has {needed}")
    answers: dict[str, dict[str, pd.DataFrame]] = {}
    for (kind, whose, name), tables in found.items():
        if whose == MODELS and kind in truths:
            answers.setdefault(kind, {})[name] = _best(tables, truths[kind], notes)
    if not answers:
        raise UserError(
            f"{folder}: holds no table of a model's answers; they are in a folder of the model's"
            " name, such as result/vlm_inference/MODEL/Task1_MODEL_all_merged.csv"
        )
    models = sorted({name for own in answers.values() for name in own})
    for name in models:
        if lacking := [kind for kind in truths if name not in answers.get(kind, {})]:
            notes.append(f"{name} has no table of {', '.join(lacking)}")
    patients = _patients(truths, folder)
    return S3(truths, answers, patients, [*dict.fromkeys(notes)], [*dict.fromkeys(unread)])


def _header(path: Path) -> tuple[set[str], str]:
    """The names in a table's first row, and what separates them."""
    with open(path, encoding="utf-8-sig", errors="replace") as stream:
        line = stream.readline()
    separator = max(MARKS, key=line.count)
    return {name.strip().strip('"') for name in line.split(separator)}, separator


def _kinds(path: Path, columns: set[str]) -> Iterator[tuple[str, str]]:
    """(kind, whose) of a table."""
    if not columns & {*KEYS}:
        return
    truth = "ground_truth" in path.parts or "annotation" in path.name.lower()
    if len(columns & {*SIGNS}) >= LEAST_SIGNS:
        yield "signs", TRUTHS if truth else MODELS
    for own, of_model in SIDES.values():
        if own in columns or of_model in columns:
            yield "sides", TRUTHS if own in columns else MODELS
            break
    if "feature" in columns and columns & {"target_time", "timestamp"}:
        yield "onsets", TRUTHS if "target_time" in columns else MODELS
    if columns & {*DIAGNOSES}:
        yield "diagnosis", MODELS
    elif "label" in columns:
        yield "diagnosis", TRUTHS


def _read(
    path: Path, kind: str, separator: str, notes: list[str], unread: list[str]
) -> pd.DataFrame | None:
    faults: list[Fault] = []
    table = read_table(path, (), faults, notes, separator)
    if not table.rows:
        why = faults[0] if faults else f"{path.name}: has no rows"
        unread.append(f"{kind}: {path.parent.name}/{why}")
        return None
    if faults:
        more = f" ({len(faults)} rows like this)" if len(faults) > 1 else ""
        notes.append(f"{path.parent.name}/{faults[0]}{more}: left out")
    cells = pd.DataFrame([row for _, row in table.rows])
    key = next(name for name in KEYS if name in cells)
    index = [video_of(name) for name in cells[key]]
    if kind == "onsets":
        index = [
            f"{name.removesuffix(f'_{sign}')}/{sign}" for name, sign in zip(index, cells["feature"])
        ]
    cells = cells.set_index(pd.Index(index))
    return _one_row_each(cells, f"{path.parent.name}/{path.name}", notes)


def _one_row_each(cells: pd.DataFrame, where: str, notes: list[str]) -> pd.DataFrame:
    """One row a video: what only one of its rows has is taken, and where they differ, nothing."""
    again = cells.index[cells.index.duplicated()].unique()
    if again.empty:
        return cells
    used = [name for name in cells if name in READ]
    lower = cells[used].apply(lambda column: column.str.lower()).replace("", np.nan)
    differ = lower.groupby(level=0, sort=False).nunique() > 1
    counts = differ.sum()
    for name in counts.index[counts > 0].intersection(PATIENTS):
        raise UserError(
            f"{where}: column {name}: {again[0]} has several rows of different patients"
            f" ({counts[name]} videos like this); keep one"
        )
    first = cells.replace("", np.nan).groupby(level=0, sort=False).first().fillna("")
    first[used] = first[used].mask(differ, "")
    listed = ", ".join(f"{name} ({count})" for name, count in counts.items() if count)
    notes.append(
        f"{where}: videos with several rows: {len(again)}"
        + (f"; where these contradict each other nothing is taken: {listed}" if listed else "")
    )
    return first


def _best(
    tables: Sequence[tuple[Path, pd.DataFrame]], truth: pd.DataFrame | None, notes: list[str]
) -> pd.DataFrame:
    """Tables of different columns (the sides of head and arms) are put side by side."""

    def rank(one: tuple[Path, pd.DataFrame]) -> tuple:
        path, table = one
        rows = len(table) if truth is None else len(table.index.intersection(truth.index))
        return (truth is None and "ground_truth" not in path.parts, -rows, len(path.name), path)

    ranked = sorted(tables, key=rank)
    first, taken = ranked[0][1], [ranked[0][0].name]
    for path, table in ranked[1:]:
        own = {name for pair in SIDES.values() for name in pair}
        if new := [name for name in table if name in own and name not in first]:
            first = first.join(table[new], how="outer")
            taken.append(path.name)
    if passed := len(ranked) - len(taken):
        notes.append(f"{' and '.join(taken)}: {passed} smaller or older tables were passed over")
    return first.fillna("")


def _patients(truths: dict[str, pd.DataFrame], folder: Path) -> dict[str, str]:
    """Video -> patient: a column of the truths, else what stands before the first @ of its name."""
    patients: dict[str, str] = {}
    for kind, table in truths.items():
        column = next((name for name in PATIENTS if name in table), None)
        for name, person in zip(table.index, table[column] if column else [""] * len(table)):
            video = name.rpartition("/")[0] if kind == "onsets" else name
            before, mark, _ = video.partition("@")
            if person or mark:
                patients.setdefault(video, person or before)
            elif video not in patients:
                raise UserError(
                    f"{folder}: {kind}: {video!r} names no patient: nothing stands before an @, and"
                    f" the table has no column {', '.join(PATIENTS)}"
                )
    return patients
