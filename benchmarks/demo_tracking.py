"""Error of the default backend on the demo's phantom cohort, rendered videos through the real
detectors, against the phantom's truth.

Run `make demo` first: this reads its cohort and its store.
"""

import sys
from pathlib import Path

from record import record

from semiology.errors import UserError
from semiology.tracking.tracking_error import tracking_truth

RUN = Path("runs/demo")
FOUND, MEDIAN = 0.95, 0.15  # share of joints in view that are tracked; torso lengths


def main() -> int:
    try:
        table = tracking_truth(RUN / "cohort", RUN / "store")
    except UserError as error:
        print(f"demo-tracking: {error}; run `make demo` first", file=sys.stderr)
        return 2
    for part, row in table.items():
        errors = f"median error {row['median error']:.3f}, 95 % below {row['95th percentile']:.3f}"
        print(f"{part} ({row['unit']}): found {row['found']:.3f}, {errors}")
        for name, value in row.items():
            if name.startswith("median ") and name != "median error":
                print(f"  {name.removeprefix('median '):<22}{value:.3f}")
    body = table["body"]
    return record(
        "demo-tracking",
        table,
        f"found in at least {FOUND:.0%} and median at most {MEDIAN} torso lengths (our choice)",
        body["found"] >= FOUND and body["median error"] <= MEDIAN,
        headline=(
            f"body found in {body['found']:.1%} of what is in view, median error"
            f" {body['median error']:.3f} torso lengths"
        ),
        seed=0,
    )


if __name__ == "__main__":
    sys.exit(main())
