"""The verb of the page in the browser."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from semiology.cli import allowing_named, options, parser, say
from semiology.errors import UserError


def run_review(arguments: list[str]) -> int:
    """Open a cohort in the browser of this machine: see what was found, point at the patient,
    correct keypoints, mark signs, rate clips. Prints the address, and serves until Ctrl-C.
    """
    from semiology.data.cohort import Cohort
    from semiology.data.result import allowed_modules
    from semiology.data.store import Store
    from semiology.review.retrack import lost_stages
    from semiology.tracking.extraction.options import ExtractOptions

    review_parser = parser("review", run_review)
    review_parser.add_argument("cohort", type=Path, help="the folder of a cohort")
    review_parser.add_argument(
        "--store", type=Path, required=True, help="folder of its tracks and features"
    )
    review_parser.add_argument(
        "--rater", type=str, required=True, help="name or initials of who marks and rates"
    )
    review_parser.add_argument(
        "--run",
        type=Path | None,
        default=None,
        help="folder of a run of `semiology loso`, whose probabilities are shown",
    )
    review_parser.add_argument(
        "--timelines",
        type=Path | None,
        default=None,
        help="folder of timelines of the clips, drawn over time",
    )
    review_parser.add_argument(
        "--events",
        type=Path | None,
        default=None,
        help="folder of a model's events (<clip_id>_events.tsv), to accept, move or reject",
    )
    review_parser.add_argument(
        "--review",
        type=Path | None,
        default=None,
        help="folder of the raters' work; by default COHORT/review",
    )
    review_parser.add_argument(
        "--port", type=int, default=0, help="of the server; 0 takes a free one"
    )
    review_parser.add_argument(
        "--open", action="store_true", help="open the address in this machine's browser"
    )
    review_parser.add_argument(
        "--read_only", type=bool, default=False, help="show only; every action is refused"
    )
    review_parser.add_class_arguments(ExtractOptions, "extract")
    parsed = review_parser.parse_args(arguments)
    given = _as_arguments(parsed.extract.as_flat(), review_parser.get_defaults().extract.as_flat())
    chosen = review_parser.instantiate_classes(parsed).extract  # raises what would fail in a job
    clips = Cohort.read(parsed.cohort, check_videos=False).clips
    say(f"{parsed.cohort}: {len(clips)} clips, opening")
    if not parsed.read_only:
        ids = [clip.clip_id for clip in clips]
        for line in lost_stages(Store(parsed.store), ids, chosen):
            print(f"semiology review: {line}", file=sys.stderr)
    try:
        from semiology.review.server import Options, serve
    except ModuleNotFoundError as missing:
        if missing.name not in ("fastapi", "starlette", "uvicorn"):
            raise
        raise UserError(
            f"the page: {missing.name} is not installed; pip install 'semiology[review]'"
        ) from missing
    with allowing_named(arguments, chosen.pose, "--extract.pose"):
        module, own, _ = chosen.pose.partition(":")
        if own and module not in allowed_modules():
            raise UserError(
                f"--extract.pose: a config names {chosen.pose}, whose code would run; give it on"
                f" the command line itself, or --allow {module}"
            )
        serve(Options(**options(parsed, "extract"), extract=given, reading=chosen.reading))
    return 0


def _as_arguments(chosen: Any, defaults: Any) -> list[str]:
    """Options that are not the default, as `semiology extract` takes them on its command line."""
    usual: Mapping[str, Any] = vars(defaults)
    return [
        f"--{name}={value if isinstance(value, str | Path) else json.dumps(value)}"
        for name, value in vars(chosen).items()
        if value != usual.get(name)
    ]
