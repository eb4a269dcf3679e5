"""semiology deidentify VIDEO... --out DIR, or semiology deidentify COHORT --out DIR"""

from pathlib import Path

from semiology.cli import options, parser
from semiology.data.cohort import Cohort
from semiology.errors import UserError
from semiology.tracking.deidentify import DeidentifyOptions, deidentify_cohort, deidentify_videos


def run(arguments: list[str]) -> int:
    made = parser("deidentify", deidentify_videos)
    made.add_argument("inputs", nargs="+", type=Path, help="videos, or the folder of a cohort")
    made.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder of the copies: DIR/<name>.mp4, .csv, .json; or of the cohort's copy",
    )
    made.add_argument(
        "--rename",
        action="store_true",
        help="number the copies, because a video's name may tell who it is",
    )
    made.add_class_arguments(DeidentifyOptions, None)
    parsed = made.parse_args(arguments)
    chosen = DeidentifyOptions(**options(parsed, "inputs", "out", "rename"))
    folders = [path for path in parsed.inputs if path.is_dir()]
    if folders and len(parsed.inputs) > 1:
        raise UserError(
            f"{folders[0]}: give the folder of one cohort alone, or videos without folders"
        )
    if folders:
        if parsed.rename:
            raise UserError(
                f"{folders[0]}: a cohort's copies are named by clip_id; leave --rename out"
            )
        summary = deidentify_cohort(
            Cohort.read(folders[0], check_videos=False), parsed.out, options=chosen
        )
    else:
        summary = deidentify_videos(parsed.inputs, parsed.out, options=chosen, rename=parsed.rename)
    print(summary.text())
    return 1 if summary.failed else 0
