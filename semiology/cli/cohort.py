"""semiology cohort check DIR, or semiology cohort import gestures FOLDER --out COHORT"""

from pathlib import Path

from semiology.cli import act, parser
from semiology.errors import UserError
from semiology.files import read_json, write_json


def run(arguments: list[str]) -> int:
    actions = {
        "check": ("DIR: validate, open every video, print the cohort table", _check),
        "import": (
            (
                "gestures FOLDER --out COHORT: make a cohort and its store of the public features"
                " of GESTURES"
            ),
            _import,
        ),
    }
    return act("cohort", actions, arguments)


def _check(arguments: list[str]) -> int:
    from semiology.data.cohort import check_cohort

    made = parser("cohort check", check_cohort)
    made.add_argument("folder", type=Path, help="the cohort")
    made.add_argument("--json", type=Path, default=None, help="also write the table here")
    parsed = made.parse_args(arguments)
    if not parsed.folder.is_dir():
        raise UserError(
            f"{parsed.folder}: no such folder; a cohort is a folder with participants.tsv,"
            " clips.tsv and clips.json"
        )
    report = check_cohort(parsed.folder)
    print(report)
    if parsed.json:
        write_json(parsed.json, report.to_dict())
    return 0 if report.ok else 1


def _import(arguments: list[str]) -> int:
    from semiology.data.gestures import import_gestures

    made = parser("cohort import", import_gestures)
    made.add_argument(
        "format", choices=["gestures"], help="gestures: the layout of doi 10.5522/04/14781771"
    )
    made.add_argument("folder", type=Path, help="where it was unpacked, with seizures.csv in it")
    made.add_argument("--out", type=Path, required=True, help="folder of the new cohort")
    made.add_argument(
        "--snippet",
        type=int,
        default=8,
        help="frames of a snippet, as the folder of features is named",
    )
    made.add_argument("--rate", type=int, default=15, help="frames a second, likewise")
    made.add_argument(
        "--shortest", type=float, default=15.0, help="s; shorter seizures are left out"
    )
    parsed = made.parse_args(arguments)
    store = import_gestures(parsed.folder, parsed.out, parsed.snippet, parsed.rate, parsed.shortest)
    notes = read_json(parsed.out / "notes.json", list)
    print(
        "\n".join([*(f"note: {note}" for note in notes), f"cohort: {parsed.out}, store: {store}"])
    )
    return 0
