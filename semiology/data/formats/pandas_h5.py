"""Tables of pandas in HDF5, read without executing any of their content, and written so that
`pandas.read_hdf` reads them.

`pandas.read_hdf` unpickles attributes of the file, and unpickling a planted file runs its code.
Here h5py reads the arrays; where column names are kept pickled only, the pickle's opcodes are
listed and those that build strings, numbers, lists, tuples and dicts are followed; any other opcode
is refused. Layouts: [C] pandas io/pytables.py, "fixed" and "table".
"""

import io
import pickletools
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from semiology.data.tracks import H5_FAULTS
from semiology.errors import UserError
from semiology.files import atomic_path


def read_frame(path: Path) -> tuple[list[tuple[str, ...]], list[tuple], np.ndarray]:
    """The one table of a file: column names by level, row names by level, values (row, column)
    float64.

    Raises:
        UserError: no such file, not HDF5, damaged, no table or several, or column names that only
            running a pickle would give.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        with h5py.File(path, "r") as file:
            groups = [
                group
                for group in file.values()
                if isinstance(group, h5py.Group) and "pandas_type" in group.attrs
            ]
            if len(groups) != 1:
                raise UserError(
                    f"{path}: holds {len(groups)} tables of pandas, expected one; export it again"
                    " or give the csv beside it"
                )
            columns, index, values = (
                _fixed(groups[0]) if "axis0_variety" in groups[0].attrs else _table(groups[0])
            )
            if values.shape != (len(index), len(columns)) or not columns:
                raise ValueError(
                    f"{values.shape} values for {len(index)} rows and {len(columns)} columns"
                )
            return columns, index, values
    except UserError:
        raise
    except H5_FAULTS as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(
            f"{path}: not a readable table of pandas ({reason}); export it again or give the csv"
            " beside it"
        ) from error


def _fixed(group: h5py.Group) -> tuple[list[tuple[str, ...]], list[tuple], np.ndarray]:
    columns = _axis(group, "axis0")
    values = np.full((len(_axis(group, "axis1")), len(columns)), np.nan)
    place = {column: number for number, column in enumerate(columns)}
    for block in range(int(group.attrs["nblocks"])):
        block_columns = [place[column] for column in _axis(group, f"block{block}_items")]
        values[:, block_columns] = np.asarray(group[f"block{block}_values"], dtype=float)
    return columns, _axis(group, "axis1"), values


def _axis(group: h5py.Group, name: str) -> list[tuple]:
    """Names along an axis, one entry a level: kept as one array, or by level and label (number
    within the level).
    """
    if _text(group.attrs[f"{name}_variety"]) == "regular":
        return [(_text(entry),) for entry in group[name][:]]
    levels = []
    for level in range(int(group.attrs[f"{name}_nlevels"])):
        names, labels = group[f"{name}_level{level}"][:], group[f"{name}_label{level}"][:]
        levels.append([_text(names[label]) if label >= 0 else "" for label in labels])
    return list(zip(*levels, strict=True))


def _table(group: h5py.Group) -> tuple[list[tuple[str, ...]], list[tuple], np.ndarray]:
    table = group["table"]
    rows = table[:]
    blocks = sorted(field for field in rows.dtype.names if field.startswith("values_block_"))
    names = [literal(bytes(table.attrs[f"{block}_kind"])) for block in blocks]
    columns = [
        tuple(column) if isinstance(column, tuple) else (str(column),)
        for block in names
        for column in block
    ]
    values = np.concatenate(
        [rows[block].reshape(len(rows), -1).astype(float) for block in blocks], axis=1
    )
    return columns, [(_text(entry),) for entry in rows["index"]], values


def _text(entry) -> str | int:
    if isinstance(entry, bytes):
        return entry.decode("utf-8")
    return int(entry) if isinstance(entry, np.integer | np.floating) else str(entry)


def literal(pickled: bytes):
    """The content of a pickle of plain strings, numbers, lists, tuples and dicts. Nothing is
    imported or called, and nothing else is built.

    Raises:
        ValueError: any other opcode (those that name classes and call functions), or a pickle that
            is cut.
    """
    stack: list = []
    marks: list[int] = []
    memo: dict = {}

    def since_mark() -> list:
        start = marks.pop()
        taken = stack[start:]
        del stack[start:]
        return taken

    for opcode, argument, _ in pickletools.genops(pickled):
        match opcode.name:
            case "STOP":
                return stack.pop()
            case "PROTO" | "FRAME":
                continue
            case "MARK":
                marks.append(len(stack))
            case "NONE" | "NEWTRUE" | "NEWFALSE":
                stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[opcode.name])
            case name if name.endswith(("UNICODE", "UNICODE8", "STRING")):
                stack.append(str(argument))
            case "INT" | "BININT" | "BININT1" | "BININT2" | "LONG" | "LONG1" | "FLOAT" | "BINFLOAT":
                stack.append(argument)
            case "EMPTY_LIST" | "EMPTY_TUPLE" | "EMPTY_DICT":
                stack.append({"EMPTY_LIST": [], "EMPTY_TUPLE": (), "EMPTY_DICT": {}}[opcode.name])
            case "LIST":
                stack.append(since_mark())
            case "TUPLE":
                stack.append(tuple(since_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                size = int(opcode.name[-1])
                stack[-size:] = [tuple(stack[-size:])]
            case "DICT":
                taken = since_mark()
                stack.append(dict(zip(taken[::2], taken[1::2], strict=True)))
            case "APPEND":
                entry = stack.pop()
                stack[-1].append(entry)
            case "APPENDS":
                entries = since_mark()
                stack[-1].extend(entries)
            case "SETITEM":
                value, key = stack.pop(), stack.pop()
                stack[-1][key] = value
            case "SETITEMS":
                taken = since_mark()
                stack[-1].update(zip(taken[::2], taken[1::2], strict=True))
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack[-1]
            case "MEMOIZE":
                memo[len(memo)] = stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case other:
                raise ValueError(
                    f"its column names are a pickle with the opcode {other}, which is not followed"
                )
    raise ValueError("a pickle without an end")


def write_frame(
    path: Path,
    key: str,
    levels: Sequence[str],
    columns: Sequence[tuple[str, ...]],
    values: np.ndarray,
    rows: Sequence[str] | None = None,
) -> None:
    """Write numbers (row, column) in the "fixed" layout, whole or not at all.

    Args:
        path: of the file.
        key: name of the table in it.
        levels: names of the levels of the columns.
        columns: one name a level for each column.
        values: (row, column); kept as float64.
        rows: names of the rows; by default they are numbered from 0.

    Raises:
        UserError: the folder cannot be written.
    """
    memory = io.BytesIO()  # HDF5 crashes the process on a full disk
    with h5py.File(memory, "w") as file:
        _attributes(file, CLASS="GROUP", PYTABLES_FORMAT_VERSION="2.1", TITLE="", VERSION="1.0")
        group = file.create_group(key)
        _attributes(
            group,
            CLASS="GROUP",
            TITLE="",
            VERSION="1.0",
            pandas_type="frame",
            encoding="UTF-8",
            errors="strict",
        )
        _attributes(
            group, axis0_variety="multi", block0_items_variety="multi", axis1_variety="regular"
        )
        for name, number in {
            "ndim": 2,
            "nblocks": 1,
            "axis0_nlevels": len(levels),
            "block0_items_nlevels": len(levels),
        }.items():
            group.attrs[name] = np.int64(number)
        for axis in ("axis0", "block0_items"):
            for level, level_name in enumerate(levels):
                names = list(dict.fromkeys(column[level] for column in columns))
                encoded = np.array([name.encode("utf-8") for name in names], dtype="S")
                made = _array(
                    group, f"{axis}_level{level}", encoded, kind="string", name=level_name
                )
                _attributes(made, nan_rep="", **{f"{axis}_name{level_name}": level_name})
                _array(
                    group,
                    f"{axis}_label{level}",
                    np.array([names.index(column[level]) for column in columns], np.int16),
                )
        if rows is None:
            index = _array(group, "axis1", np.arange(len(values)), kind="integer")
        else:
            index = _array(
                group,
                "axis1",
                np.array([row.encode("utf-8") for row in rows], dtype="S"),
                kind="string",
            )
        index.attrs["name"] = np.bytes_("N.")  # no name: None, as PyTables keeps it
        _array(group, "block0_values", values.astype(float))
    with atomic_path(path) as temporary:
        temporary.write_bytes(memory.getvalue())


def _array(group: h5py.Group, place: str, values: np.ndarray, **attributes: str) -> h5py.Dataset:
    made = group.create_dataset(place, data=values)
    made.attrs["transposed"] = np.uint8(1)
    _attributes(made, CLASS="ARRAY", FLAVOR="numpy", TITLE="", VERSION="2.4", **attributes)
    return made


def _attributes(place: h5py.Group | h5py.Dataset, **attributes: str) -> None:
    for name, value in attributes.items():
        # marked as UTF-8: PyTables hands ASCII attributes on as bytes, over which pandas stumbles
        if value:
            place.attrs.create(
                name,
                value.encode("utf-8"),
                dtype=h5py.string_dtype("utf-8", len(value.encode("utf-8"))),
            )
        else:
            place.attrs[name] = h5py.Empty("S1")
