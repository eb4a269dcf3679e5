"""JSON in and out: a fault is told by file; float32 numbers are written as the shortest text that reads back the same."""

import json
from pathlib import Path

import numpy as np

from semiology.errors import UserError


def read_json(path: Path):
    """What a JSON file holds.

    Raises:
        UserError: no such file, or not JSON.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not readable JSON ({error}); export it again") from error


def triples(path: Path, where: str, flat: object) -> np.ndarray:
    """(keypoint, 3) x, y and a third number from the flat list [x, y, c, x, y, c, ...]; empty where there is none.

    Raises:
        UserError: not a list of numbers, or not in threes.
    """
    try:
        values = np.array(flat if flat is not None else [], dtype=float)
    except (TypeError, ValueError) as error:
        raise UserError(f"{path}: {where}: keypoints hold something that is not a number ({error})") from error
    if values.ndim != 1 or len(values) % 3 or not np.isfinite(values).all():
        raise UserError(f"{path}: {where}: keypoints are {values.shape} numbers, expected x, y, confidence for each point")
    return values.reshape(-1, 3)


def flat_triples(position: np.ndarray, third: np.ndarray) -> list[float]:
    """[x, y, c, ...] of one frame; a missing point is 0, 0, 0. Position (keypoint, 2) and third (keypoint,) are float32."""
    found = np.isfinite(position).all(axis=1)
    joined = np.where(found[:, None], np.concatenate([position, third[:, None]], axis=1), np.float32(0))
    return joined.ravel().astype(str).astype(float).tolist()
