"""semiology weakness COHORT --out DIR [--store DIR --expression_weights FILE | --expression_tables
FOLDER]
"""

from pathlib import Path

from semiology.cli import options, parser
from semiology.data.cohort import Cohort
from semiology.severity.weakness.run import WeaknessOptions, measure_weakness


def run(arguments: list[str]) -> int:
    made = parser("weakness", measure_weakness)
    made.add_argument("cohort", type=Path, help="the folder of the cohort")
    made.add_argument(
        "--out", type=Path, required=True, help="tables, measures and report.html are written here"
    )
    made.add_argument(
        "--store",
        type=Path | None,
        default=None,
        help="what semiology extract filled; not needed by clips with tracks",
    )
    made.add_class_arguments(WeaknessOptions, None)
    parsed = made.instantiate_classes(made.parse_args(arguments))
    chosen = WeaknessOptions(**options(parsed, "cohort", "out", "store"))
    cohort = Cohort.read(parsed.cohort, check_videos=False)
    summary = measure_weakness(cohort, parsed.out, store=parsed.store, options=chosen)
    print(summary.text())
    return 1 if summary.failed else 0
