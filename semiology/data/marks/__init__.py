"""Marks of other programs: what clinicians marked in ELAN, BORIS, an EEG or a table, one file a
format: `read(path, start) -> list[Marks]` and `write(table, path, media) -> notes`.

`read` here recognises the format; `terms` maps a centre's words to signs; `convert` makes tables of
events of many files, and files of tables.
"""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

from semiology.data.marks.boris import is_export
from semiology.data.marks.mark import Marks, WallClock
from semiology.errors import UserError


@dataclass(frozen=True)
class Format:
    """A format of marks.

    Attributes:
        module: the file beside this one that reads and writes it.
        suffixes: of its files; the first is that of those that are written.
        files: its files, in words.
    """

    module: str
    suffixes: tuple[str, ...]
    files: str


FORMATS = {
    "eaf": Format("elan", (".eaf",), "ELAN .eaf"),
    "boris": Format("boris", (".boris",), "BORIS .boris, its exports .csv, .tsv"),
    "edf": Format("edf", (".edf", ".bdf"), "annotations of EDF+ .edf, BDF+ .bdf"),
    "csv": Format("table", (".csv", ".tsv", ".txt"), ".csv, .tsv, .txt"),
}


def read(path: str | Path, start: WallClock | None = None) -> list[Marks]:
    """The marks of a file, of each recording that it speaks of.

    Args:
        path: of the file, in any of `FORMATS`.
        start: of the recording by the wall clock, where marks are times of day.

    Raises:
        UserError: no such file, none of the formats, and as the format's `read`.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file of marks")
    suffix = path.suffix.lower()
    if suffix in FORMATS["csv"].suffixes and is_export(path):
        return module_of(FORMATS["boris"]).read(path, start)
    for format in FORMATS.values():
        if suffix in format.suffixes:
            return module_of(format).read(path, start)
    known = ", ".join(format.files for format in FORMATS.values())
    raise UserError(
        f"{path}: marks in {suffix or 'a file without suffix'} are not read; export them as csv"
        f" with onset, offset and label, or as one of {known}"
    )


def module_of(format: Format) -> ModuleType:
    """The module that reads and writes a format."""
    return import_module(f"semiology.data.marks.{format.module}")
