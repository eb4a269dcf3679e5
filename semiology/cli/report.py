"""semiology report RUN [--format html|csv]"""

from pathlib import Path

from semiology.cli import parser
from semiology.evaluation.report import write_cards, write_report, write_tables
from semiology.evaluation.statistics.results import table_text
from semiology.files import read_json


def run(arguments: list[str]) -> int:
    made = parser("report", write_report)
    made.add_function_arguments(write_report, as_positional=True)
    made.add_argument(
        "--format",
        choices=["html", "csv"],
        default="html",
        help="html: report.html; csv: metrics.csv and participants.csv",
    )
    parsed = made.parse_args(arguments)
    if parsed.format == "csv":
        for path in write_tables(parsed.run):
            print(f"table: {path}")
        return 0
    path = write_report(parsed.run)
    write_cards(parsed.run)
    print(table_text(read_json(Path(parsed.run) / "metrics.json")))
    print(f"\nreport: {path}")
    return 0
