"""semiology report RUN"""

import json

from semiology.report import write_report
from semiology.statistics.results import table_text
from semiology.verbs import parser


def run(arguments: list[str]) -> int:
    made = parser("report", write_report)
    made.add_function_arguments(write_report, as_positional=True)
    folder = made.parse_args(arguments).run
    path = write_report(folder)
    print(table_text(json.loads((path.parent / "metrics.json").read_text(encoding="utf-8"))))
    print(f"\nreport: {path}")
    return 0
