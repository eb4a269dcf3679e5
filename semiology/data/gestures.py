"""The public feature set of GESTURES (doi 10.5522/04/14781771), read as it is unpacked, or imported
as a cohort with a store.

    FOLDER/seizures.csv                                             one row per seizure
    FOLDER/features_fpc_8_fps_15/<subject>_<seizure>_<L|S>/*.pth    one vector of 512 numbers for
    each
                                                                    start frame of a snippet

The layout is taken from the authors' code [C] (fepegar/gestures-miccai-2021); L and S are the large
and the small camera view. Vectors are loaded as tensors only: a file that holds code is refused.
`semiology reproduce gestures` reads the set as it is; `import_gestures` makes a cohort and a store
of it, for everything else.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from semiology.data.store import Store, make_key
from semiology.errors import UserError
from semiology.files import atomic_path, real_files, write_json

COLUMNS = ("Subject", "Seizure", "Discard", "OnsetClonic")
LEVELS = ["FOS", "TCS"]  # focal onset; focal to bilateral tonic-clonic, the positive one
CHANNELS = 512  # [T]
VIEWS = {"L": "Large", "S": "Small"}  # folder's ending [C] -> how column Discard calls it [C]
DOI = "10.5522/04/14781771"
STAGE = "snippets"
SEIZURE_TYPE = {
    "Role": "label",
    "LongName": "Seizure type",
    "Description": "Whether a focal onset seizure evolved to a bilateral tonic-clonic one",
    "Levels": {"FOS": "Focal onset seizure", "TCS": "Focal to bilateral tonic-clonic seizure"},
}


@dataclass(frozen=True)
class PublishedView:
    """One camera's recording of one seizure: its files, not yet read.

    Attributes:
        clip_id: "<subject>_<seizure>_<L|S>".
        recording_id: "<subject>_<seizure>".
        participant_id: the subject.
        view: "L" or "S".
        target: 1 for TCS, 0 for FOS.
        folder: of its vectors.
        numbers: the vectors' files -> frame numbers, sorted by these.
    """

    clip_id: str
    recording_id: str
    participant_id: str
    view: str
    target: int
    folder: Path
    numbers: dict[Path, int]


@dataclass(frozen=True)
class View:
    """One camera's recording of one seizure: ids and target as in `PublishedView`, and features
    (start frame, channel) float32.
    """

    clip_id: str
    recording_id: str
    participant_id: str
    target: int
    features: np.ndarray


@dataclass(frozen=True)
class FeatureSet:
    """The feature set in memory.

    Attributes:
        views: sorted by clip_id.
        snippet: frames of a snippet.
        rate: frames per second.
        notes: lines on seizures that were left out or have one view only, and other peculiarities.
    """

    views: list[View]
    snippet: int
    rate: float
    notes: list[str]


def read_feature_set(
    folder: Path, snippet: int = 8, rate: int = 15, shortest: float = 15.0
) -> FeatureSet:
    """Read the vectors of every view of `find_views`.

    Raises:
        UserError: as `find_views` and `read_vectors`.
    """
    found, notes = find_views(folder, snippet, rate, shortest)
    views = [
        View(
            view.clip_id,
            view.recording_id,
            view.participant_id,
            view.target,
            read_vectors(view.folder),
        )
        for view in tqdm(found, desc="views", unit="view")
    ]
    return FeatureSet(views, snippet, rate, notes)


def find_views(
    folder: Path, snippet: int = 8, rate: int = 15, shortest: float = 15.0
) -> tuple[list[PublishedView], list[str]]:
    """Read seizures.csv and find the vectors of every view that it does not discard, without
    loading them: views by clip_id, and notes.

    A seizure is TCS if OnsetClonic has a value, else FOS [C]. Views that Discard names ("Yes",
    "Large", "Small") are not read [C]. Seizures that last less than `shortest` s by their number of
    vectors are left out [T, C]. A seizure with one view is used with that one, a seizure without
    any is left out. The notes count all of these, and views whose frame numbers have gaps.

    Raises:
        UserError: no such folder, no or a damaged seizures.csv, a column missing, an unknown word
            in Discard, a name that no file can have, a seizure that is there twice, no features at
            all, a view's files without frame numbers.
    """
    table = _read_table(folder / "seizures.csv")
    where = folder / f"features_fpc_{snippet}_fps_{rate}"
    if not where.is_dir():
        others = sorted(path.name for path in folder.glob("features_fpc_*") if path.is_dir())
        hint = (
            f"there is {', '.join(others)}: set snippet and rate to match"
            if others
            else "unpack the published archive there"
        )
        raise UserError(f"{where}: no such folder of features; {hint}")
    views: list[PublishedView] = []
    reasons: dict[str, list[str]] = {
        "discarded": [],
        "no features": [],
        "short": [],
        "one view": [],
    }
    row: Any
    for row in table.itertuples():
        recording = f"{row.Subject}_{row.Seizure}"
        used = {end: name for end, name in VIEWS.items() if row.Discard not in ("Yes", name)}
        there = {end: path for end in used if (path := where / f"{recording}_{end}").is_dir()}
        own = [
            PublishedView(
                f"{recording}_{end}",
                recording,
                row.Subject,
                end,
                int(row.OnsetClonic != ""),
                path,
                frame_numbers(path),
            )
            for end, path in there.items()
        ]
        if not own:
            reasons["no features" if used else "discarded"].append(recording)
        elif max(duration(len(view.numbers), snippet, rate) for view in own) < shortest:
            reasons["short"].append(recording)
        else:
            reasons["one view"] += [recording] if len(own) == 1 else []
            views += own
    if not views:
        raise UserError(
            f"{where}: no features of any seizure in seizures.csv; folders there are named"
            " <Subject>_<Seizure>_<L|S>"
        )
    descriptions = {
        "discarded": "left out, both views discarded in seizures.csv",
        "no features": "left out, without features",
        "short": f"left out, shorter than {shortest:g} s",
        "one view": "read from one view, the other is discarded or missing",
    }
    notes = [
        f"{len(ids)} seizures {descriptions[why]}: {_first(ids)}"
        for why, ids in reasons.items()
        if ids
    ]
    if uneven := [
        view.clip_id
        for view in views
        if len(set(np.diff(list(view.numbers.values())).tolist())) > 1
    ]:
        notes.append(
            f"{len(uneven)} views whose frame numbers have gaps, read as if they had none:"
            f" {_first(uneven)}"
        )
    if "RatioGTCS" in table:
        unlike = table.loc[(table["RatioGTCS"] != "") != (table["OnsetClonic"] != "")]
        which = [f"{row.Subject}_{row.Seizure}" for row in unlike.itertuples()]
        note = (
            f"{len(which)} seizures with only one of OnsetClonic (which decides) and RatioGTCS:"
            f" {_first(which)}"
        )
        notes += [note] if which else []
    return sorted(views, key=lambda view: view.clip_id), notes


def read_vectors(folder: Path) -> np.ndarray:
    """The vectors of one view by frame number: (start frame, channel) float32."""
    return np.stack([_vector(path) for path in frame_numbers(folder)])


def frame_numbers(folder: Path) -> dict[Path, int]:
    """The vectors' files of one view with their frame numbers (the last digits of their names), in
    the order of these.
    """
    paths = real_files(folder, "*.pth")
    if not paths:
        raise UserError(f"{folder}: holds no .pth file; unpack the archive again")
    numbers = {path: int(digits[-1]) for path in paths if (digits := re.findall(r"\d+", path.stem))}
    if len(numbers) < len(paths) or len(set(numbers.values())) < len(paths):
        raise UserError(
            f"{folder}: .pth files without a frame number of their own in their names; the order of"
            " the snippets is unknown"
        )
    return dict(sorted(numbers.items(), key=lambda item: item[1]))


def duration(vectors: int, snippet: int, rate: float) -> float:
    """Seconds that a number of vectors covers: the last snippet begins at the last vector's frame
    [C].
    """
    return (vectors - 1 + snippet) / rate


def _vector(path: Path) -> np.ndarray:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (EOFError, RuntimeError) as error:
        reason = str(error).partition("\n")[0] or "it ends too soon"
        raise UserError(f"{path}: damaged ({reason}); unpack the archive again") from error
    except Exception as error:  # whatever the unpickler meets in a foreign file
        raise UserError(
            f"{path}: refused: it holds more than a tensor, or is damaged; nothing in it was run"
        ) from error
    if (
        not isinstance(content, torch.Tensor)
        or content.numel() != CHANNELS
        or content.squeeze().ndim != 1
    ):
        found = (
            f"a tensor of shape {tuple(content.shape)}"
            if isinstance(content, torch.Tensor)
            else f"a {type(content).__name__}"
        )
        raise UserError(f"{path}: holds {found}, not a vector of {CHANNELS} numbers")
    vector = content.squeeze().float().numpy()
    if not np.isfinite(vector).all():
        raise UserError(f"{path}: holds numbers that are not finite; unpack the archive again")
    return vector


def _read_table(path: Path) -> pd.DataFrame:
    """Read and check seizures.csv: cells as text, "" where a cell is empty."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise UserError(
            f"{path}: not found; FOLDER is where the published archive was unpacked, with"
            " seizures.csv in it"
        ) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path}: not a table ({' '.join(str(error).split())}); unpack the archive again"
        ) from error
    table = table.rename(columns=str.strip)
    missing = [column for column in COLUMNS if column not in table]
    if missing:
        raise UserError(
            f"{path}: column {', '.join(missing)} missing; it has {', '.join(table.columns)}"
        )
    table = table.apply(lambda column: column.str.strip())
    row: Any
    for row in table.itertuples():
        line = int(row.Index) + 2  # line 1 is the header
        if not (row.Subject and row.Seizure):
            raise UserError(f"{path}, row {line}: Subject and Seizure have to be there")
        if odd := next(
            (
                name
                for name in (row.Subject, row.Seizure)
                if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*", name)
            ),
            None,
        ):
            raise UserError(
                f"{path}, row {line}: {odd!r} names folders; letters, digits, . and - only"
            )
        if row.Discard not in ("", "No", "Yes", *VIEWS.values()):
            raise UserError(
                f"{path}, row {line}, column Discard: {row.Discard!r}; known are Yes, Large, Small,"
                " No and empty"
            )
    again = table[table.duplicated(["Subject", "Seizure"])]
    if len(again):
        raise UserError(
            f"{path}, row {int(again.index[0]) + 2}: seizure {again['Seizure'].iloc[0]} of this"
            " subject is there twice"
        )
    return table


def _first(ids: list[str]) -> str:
    return ", ".join(ids[:5]) + (", ..." if len(ids) > 5 else "")


def import_gestures(
    folder: Path, out: Path, snippet: int = 8, rate: int = 15, shortest: float = 15.0
) -> Path:
    """Import the public feature set of GESTURES as a cohort: a clip per view, its vectors in a
    store inside the cohort's folder.

    Writes OUT/participants.tsv, clips.tsv (with the columns recording_id, view, seizure_type),
    clips.json, notes.json, and OUT/store with the stage "snippets" of every clip: some hundred
    files in place of a hundred thousand. Nothing is written into FOLDER. A view is not read again
    while the sizes and modification times of its files are the same. Seizures are left out by the
    rules of `find_views`.

    Args:
        folder: where doi 10.5522/04/14781771 was unpacked, with seizures.csv in it.
        out: folder of the new cohort.
        snippet: frames of a snippet, as the folder of features is named.
        rate: frames per second, as the folder of features is named.
        shortest: s; shorter seizures are left out [T, C].

    Returns:
        The store's folder.

    Raises:
        UserError: as `find_views` and `read_vectors`; the disk is full.
    """
    views, notes = find_views(Path(folder), snippet, rate, shortest)
    store, out = Store(Path(out) / "store"), Path(out)
    files = []
    for view in tqdm(views, desc="views", unit="view"):
        depends = {
            "doi": DOI,
            "rate": float(rate),
            "frames": snippet,
            "stride": 1,
            "files": _digest(view),
        }
        key = make_key(depends)
        if not store.has(view.clip_id, STAGE, key):
            vectors = read_vectors(view.folder)
            store.write(view.clip_id, STAGE, key, (vectors, np.arange(len(vectors)) / rate))
        store.note(view.clip_id, {}, {STAGE: {"key": key, "depends": depends}})
        files.append(store.file(view.clip_id, STAGE, key).relative_to(out).as_posix())
    _write_tables(views, files, snippet, rate, out)
    write_json(out / "notes.json", [f"Published features, doi {DOI}: {note}" for note in notes])
    return store.folder


def _write_tables(
    views: Sequence[PublishedView], files: Sequence[str], snippet: int, rate: int, out: Path
) -> None:
    people = pd.DataFrame({"participant_id": sorted({view.participant_id for view in views})})
    clips = pd.DataFrame(
        {
            "clip_id": view.clip_id,
            "participant_id": view.participant_id,
            "features": file,
            "start": 0,
            "end": round(duration(len(view.numbers), snippet, rate), 3),
            "recording_id": view.recording_id,
            "view": VIEWS[view.view].lower(),
            "seizure_type": LEVELS[view.target],
        }
        for view, file in zip(views, files)
    )
    write_json(out / "clips.json", {"seizure_type": SEIZURE_TYPE})
    for name, table in (("participants.tsv", people), ("clips.tsv", clips)):
        with atomic_path(out / name) as temporary:
            table.to_csv(temporary, sep="\t", index=False)


def _digest(view: PublishedView) -> str:
    """Hash of the names, sizes and modification times of a view's files."""
    digest = hashlib.sha256()
    for path in view.numbers:
        status = path.stat()
        digest.update(f"{path.name}/{status.st_size}/{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
