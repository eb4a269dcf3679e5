"""Marks of other programs: what clinicians marked in ELAN, BORIS, an EEG or a table, one file a
format: `read(path, start) -> list[Marks]` and, in `FORMATS`, `write(table, path, media) -> count,
notes`, how many events it wrote.

`read` here recognises the format; `terms` maps a centre's words to signs; `convert` makes tables of
events of many files, and files of tables.
"""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

from semiology.data.marks.mark import Marks, WallClock
from semiology.errors import UserError


@dataclass(frozen=True)
class Format:
    """A format of marks.

    Attributes:
        module: the file beside this one that reads and writes it. Where other formats have a suffix
            of its own too, its `recognises(path)` knows its files.
        suffixes: of its files; the first is that of those that are written.
        files: its files, in words.
    """

    module: str
    suffixes: tuple[str, ...]
    files: str


FORMATS = {  # read and written
    "eaf": Format("elan", (".eaf",), "ELAN .eaf"),
    "boris": Format("boris", (".boris",), "BORIS .boris"),
    "edf": Format("edf", (".edf", ".bdf"), "annotations of EDF+ .edf, BDF+ .bdf"),
    "cvat": Format("cvat", (".xml",), "CVAT for video 1.1 .xml"),
    "label-studio": Format("label_studio", (".json",), "Label Studio .json"),
    "csv": Format("table", (".csv", ".tsv", ".txt"), ".csv, .tsv, .txt"),
}
IMPORTED = (  # read only; of a suffix the first that recognises the file
    Format("boris_export", (".csv", ".tsv", ".txt"), "exports of BORIS .csv, .tsv"),
    Format("observer", (".csv", ".tsv", ".txt"), "exports of Noldus Observer .txt, .csv"),
    Format("datavyu", (".opf", ".csv"), "Datavyu .opf, .csv"),
    Format("via", (".json",), "VIA 3 .json"),
    Format("anvil", (".anvil",), "Anvil .anvil"),
    Format("persyst", (".lay",), "comments of Persyst .lay"),
)
ELSEWHERE = {  # suffix -> whose file it is and what to export instead
    ".ent": "Natus NeuroWorks' notes; export the study as EDF+ with its annotations",
    ".vtc": "Natus NeuroWorks' list of videos; export the study as EDF+ with its annotations",
    ".log": "Nihon Kohden's events; export the recording as EDF+ with its events",
    ".trc": "Micromed's; export the recording as EDF+ with its notes",
    ".xlsx": "a workbook; save it as csv with onset, offset and label",
    ".xls": "a workbook; save it as csv with onset, offset and label",
    ".odx": "a project of Noldus Observer; export its event logs as text",
    ".vop": "a project of Noldus Observer; export its event logs as text",
}


def read(path: str | Path, start: WallClock | None = None) -> list[Marks]:
    """The marks of a file, of each recording that it speaks of.

    Args:
        path: of the file, in any of `FORMATS` and `IMPORTED`.
        start: of the recording by the wall clock, where marks are times of day.

    Raises:
        UserError: no such file, none of the formats, and as the format's `read`.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file of marks")
    suffix = path.suffix.lower()
    formats = [*IMPORTED, *FORMATS.values()]
    near = [format for format in formats if suffix in format.suffixes]
    for format in near:
        module = module_of(format)
        if len(near) == 1 or module.recognises(path):
            return module.read(path, start)
    if near:
        files = " nor ".join(format.files for format in near)
        raise UserError(f"{path}: is neither {files}; export it again, or as csv")
    if suffix in ELSEWHERE:
        raise UserError(f"{path}: is {ELSEWHERE[suffix]}")
    known = ", ".join(format.files for format in formats)
    raise UserError(
        f"{path}: marks in {suffix or 'a file without suffix'} are not read; export them as csv"
        f" with onset, offset and label, or as one of {known}"
    )


def module_of(format: Format) -> ModuleType:
    """The module that reads and writes a format."""
    return import_module(f"semiology.data.marks.{format.module}")
