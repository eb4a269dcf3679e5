"""semiology extract COHORT --store DIR, or semiology extract VIDEO... --out DIR"""

from pathlib import Path

from semiology.cli import options, parser
from semiology.data.cohort import Cohort
from semiology.errors import UserError
from semiology.parallel import Workers
from semiology.tracking.extraction import ExtractOptions, extract_cohort, extract_videos


def run(arguments: list[str]) -> int:
    made = parser("extract", extract_cohort)
    made.add_argument("inputs", nargs="+", type=Path, help="the folder of a cohort, or videos")
    made.add_argument(
        "--store",
        type=Path | None,
        default=None,
        help="for a cohort: where tracks and features are kept",
    )
    made.add_argument(
        "--out",
        type=Path | None,
        default=None,
        help="for videos: DIR/<name>/body.nc and face.nc are written here",
    )
    made.add_class_arguments(ExtractOptions, None)
    made.add_class_arguments(Workers, None)
    parsed = made.instantiate_classes(made.parse_args(arguments))
    workers = Workers(**{name: getattr(parsed, name) for name in Workers.__dataclass_fields__})
    chosen = ExtractOptions(
        **options(parsed, "inputs", "store", "out", *Workers.__dataclass_fields__)
    )
    folders = [path for path in parsed.inputs if path.is_dir()]
    if folders and len(parsed.inputs) > 1:
        raise UserError(
            f"{folders[0]}: give the folder of one cohort alone, or videos without folders"
        )
    if folders:
        if parsed.store is None:
            raise UserError(f"{folders[0]}: a cohort needs --store DIR")
        summary = extract_cohort(
            Cohort.read(folders[0], check_videos=False),
            parsed.store,
            options=chosen,
            workers=workers,
        )
    else:
        if parsed.out is None:
            raise UserError(f"{parsed.inputs[0]}: videos need --out DIR")
        summary = extract_videos(parsed.inputs, parsed.out, options=chosen, workers=workers)
    print(summary.text())
    return 1 if summary.failed else 0
