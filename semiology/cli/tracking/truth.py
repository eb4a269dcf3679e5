"""semiology tracking truth COHORT --store DIR --out FILE"""

from pathlib import Path

from semiology.cli import parser
from semiology.files import write_json
from semiology.tracking.tracking_error import tracking_truth


def run(arguments: list[str]) -> int:
    made = parser("tracking truth", tracking_truth)
    made.add_argument("cohort", type=Path, help="the phantom cohort")
    made.add_argument(
        "--store", type=Path, required=True, help="the store that `semiology extract` filled"
    )
    made.add_argument(
        "--out",
        type=Path | None,
        default=None,
        help="also write the table here; a run's folder shows it in its report",
    )
    parsed = made.parse_args(arguments)
    table = tracking_truth(parsed.cohort, parsed.store)
    for part, row in table.items():
        print(
            f"{part}: found in {row['found']:.1%} of what is in view, median error"
            f" {row['median error']:.3f} {row['unit']}"
        )
    if parsed.out:
        write_json(parsed.out, table)
    return 0
