"""Class folders: which file is of which class, and which are held out."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from semiology.errors import UserError

TRAINING, HELD_OUT = ("train", "training"), ("validation", "valid", "val", "test")


def class_files(folder: Path) -> list[tuple[Path, str, bool]]:
    """(file, class, whether held out) of FOLDER/<class>/..., or of FOLDER/train/<class>/... and FOLDER/test/<class>/..., by name.

    Hidden files are passed over.
    """
    subfolders = sorted(path for path in folder.iterdir() if path.is_dir())
    known = {path: path.name.lower() in HELD_OUT for path in subfolders if path.name.lower() in TRAINING + HELD_OUT}
    return [
        (path, group.name, held_out)
        for root, held_out in (known or {folder: False}).items()
        for group in sorted(root.iterdir())
        if group.is_dir()
        for path in sorted(group.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    ]


def hold_out(source: Path, labels: np.ndarray, said: Sequence[bool], classes: list[str], share: float, seed: int, what: str) -> np.ndarray:
    """(item,) whether held out: as `said`, or, where that holds nothing out, a random share of each class.

    Args:
        labels: (item,) number of the class. what: what an item is, for messages.

    Raises:
        UserError: fewer than two classes, a class of which nothing is left to train on.
    """
    if len(classes) < 2:
        raise UserError(f"{source}: {what}s of {len(classes)} class; at least two are needed")
    out = np.array(said)
    if not out.any():
        generator = np.random.default_rng(seed)
        for number in range(len(classes)):
            members = generator.permutation(np.flatnonzero(labels == number))
            out[members[: round(share * len(members))]] = True
    lacking = [name for number, name in enumerate(classes) if not (~out & (labels == number)).any()]
    if lacking:
        raise UserError(f"{source}: no {what} to train on for {lacking}; add some, or leave the class out")
    return out
