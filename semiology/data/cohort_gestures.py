"""The public feature set of GESTURES as a cohort with its store, so that whatever reads a cohort runs on it."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from semiology.data.gestures import LEVELS, VIEWS, PublishedView, duration, find_views, read_vectors
from semiology.data.store import Store, make_key
from semiology.files import atomic_path, write_text

DOI = "10.5522/04/14781771"
STAGE = "snippets"
SEIZURE_TYPE = {
    "Role": "label",
    "LongName": "Seizure type",
    "Description": "Whether a focal onset seizure evolved to a bilateral tonic-clonic one",
    "Levels": {"FOS": "Focal onset seizure", "TCS": "Focal to bilateral tonic-clonic seizure"},
}


def import_gestures(folder: Path, out: Path, snippet: int = 8, rate: int = 15, shortest: float = 15.0) -> Path:
    """Make a cohort of the public feature set of GESTURES: a clip a view, its vectors in a store inside the cohort's folder.

    Writes OUT/participants.tsv, clips.tsv (columns recording_id, view, seizure_type among them), clips.json, notes.json, and OUT/store with
    the stage "snippets" of every clip: some hundred files in place of a hundred thousand. Nothing is written into FOLDER. What is there is
    not read again while the sizes and times of change of a view's files are the same. Which seizures are left out: see `find_views`.

    Args:
        folder: where doi 10.5522/04/14781771 was unpacked, with seizures.csv in it.
        out: folder of the new cohort.
        snippet: frames of a snippet, as the folder of features is named.
        rate: frames a second, likewise.
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
        depends = {"doi": DOI, "rate": float(rate), "frames": snippet, "stride": 1, "files": _digest(view)}
        key = make_key(depends)
        if not store.has(view.clip_id, STAGE, key):
            vectors = read_vectors(view.folder)
            store.write(view.clip_id, STAGE, key, (vectors, np.arange(len(vectors)) / rate))
        store.note(view.clip_id, {}, {STAGE: {"key": key, "depends": depends}})
        files.append(store.file(view.clip_id, STAGE, key).relative_to(out).as_posix())
    _write_tables(views, files, snippet, rate, out)
    write_text(out / "notes.json", json.dumps([f"Published features, doi {DOI}: {note}" for note in notes], indent=1) + "\n")
    return store.folder


def _write_tables(views: Sequence[PublishedView], files: Sequence[str], snippet: int, rate: int, out: Path) -> None:
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
    write_text(out / "clips.json", json.dumps({"seizure_type": SEIZURE_TYPE}, indent=1) + "\n")
    for name, table in (("participants.tsv", people), ("clips.tsv", clips)):
        with atomic_path(out / name) as temporary:
            table.to_csv(temporary, sep="\t", index=False)


def _digest(view: PublishedView) -> str:
    """Of the names, sizes and times of change of a view's files."""
    digest = hashlib.sha256()
    for path in view.numbers:
        status = path.stat()
        digest.update(f"{path.name}/{status.st_size}/{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
