"""Arrays by name on disk: safetensors with a checksum of every byte, so that a damaged file is
never read as numbers. Without torch.
"""

import json
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from semiology.errors import UserError
from semiology.files import (
    CHANGED,
    CHECKSUM,
    NO_CHECKSUM,
    atomic_path,
    checksum,
    safetensors_intact,
)

KINDS = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "int64": "I64",
    "int32": "I32",
    "uint8": "U8",
    "bool": "BOOL",
}  # numpy's names -> those of safetensors


def write_arrays(
    path: str | Path, arrays: Mapping[str, np.ndarray], about: Mapping[str, object] | None = None
) -> None:
    """Write arrays as safetensors, whole or not at all, without copying them in memory. The same
    arrays and metadata give the same bytes.

    Args:
        path: of the file.
        arrays: by name.
        about: metadata, written as text beside the checksum.

    Raises:
        UserError: the disk is full, the folder cannot be written.
    """
    metadata = {name: str(value) for name, value in (about or {}).items()}
    header: dict[str, object] = {"__metadata__": {**metadata, CHECKSUM: NO_CHECKSUM}}
    # wide ones first, so that every number is aligned to its size; as the safetensors library does
    names = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    whole = {name: np.ascontiguousarray(arrays[name]) for name in names}
    offset = 0
    for name, array in whole.items():
        header[name] = {
            "dtype": KINDS[str(array.dtype)],
            "shape": list(arrays[name].shape),
            "data_offsets": [offset, offset + array.nbytes],
        }
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    start = struct.pack("<Q", len(text)) + text
    blocks = [array.reshape(-1).view(np.uint8).data for array in whole.values() if array.size]
    digest = checksum(start, *blocks)
    with atomic_path(path) as temporary, open(temporary, "wb") as stream:
        stream.write(start.replace(NO_CHECKSUM.encode(), digest.encode()))
        for block in blocks:
            stream.write(block)


def read_arrays(path: str | Path, remedy: str) -> dict[str, np.ndarray]:
    """Arrays by name from a file of `write_arrays`.

    Args:
        path: of the file.
        remedy: the end of the message: what to do.

    Raises:
        UserError: no such file, no safetensors, bytes that were changed since it was written.
    """
    if not safetensors_intact(path):
        raise UserError(f"{path}: damaged, {CHANGED}; {remedy}")
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: damaged ({error}); {remedy}") from error
