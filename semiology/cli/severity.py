"""semiology myoclonus COHORT --out DIR [--store DIR] [--overlay]"""

from pathlib import Path

from semiology.cli import options, parser
from semiology.data.cohort import Cohort
from semiology.severity.myoclonus import Settings, score_cohort


def run(arguments: list[str]) -> int:
    made = parser("myoclonus", score_cohort)
    made.add_argument("cohort", type=Path, help="the folder of a cohort")
    made.add_argument(
        "--store",
        type=Path | None,
        default=None,
        help="where `semiology extract` put the tracks; not for tracks of your own",
    )
    made.add_argument(
        "--out", type=Path, required=True, help="folder of tables, reports and overlays"
    )
    made.add_argument(
        "--overlay", action="store_true", help="also write each clip's video with its jerks ringed"
    )
    made.add_class_arguments(Settings, None)
    parsed = made.instantiate_classes(made.parse_args(arguments))
    chosen = Settings(**options(parsed, "cohort", "store", "out", "overlay"))
    cohort = Cohort.read(parsed.cohort, check_videos=False)
    summary = score_cohort(
        cohort, parsed.store, parsed.out, settings=chosen, overlay=parsed.overlay
    )
    print(summary.text())
    print(f"{parsed.out}: scores.tsv, changes.tsv, items.tsv, clips.tsv, reports/")
    return 1 if summary.failed else 0
