"""semiology cohort check DIR"""

import json
from pathlib import Path

from semiology.cohort import check_cohort
from semiology.errors import UserError
from semiology.files import write_text
from semiology.verbs import parser


def run(arguments: list[str]) -> int:
    made = parser("cohort", check_cohort)
    made.add_argument("action", choices=["check"], help="check: validate, open every video, print the cohort table")
    made.add_argument("folder", type=Path, help="the cohort")
    made.add_argument("--json", type=Path, default=None, help="also write the table here")
    parsed = made.parse_args(arguments)
    if not parsed.folder.is_dir():
        raise UserError(f"{parsed.folder}: no such folder; a cohort is a folder with participants.tsv, clips.tsv and clips.json")
    report = check_cohort(parsed.folder)
    print(report)
    if parsed.json:
        write_text(parsed.json, json.dumps(report.to_dict(), indent=1))
    return 0 if report.ok else 1
