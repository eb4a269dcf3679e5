"""semiology tracking correct LABELS --store DIR|--tracks FILE --who NAME"""

from pathlib import Path

from semiology.cli import parser
from semiology.data.skeleton import load_skeleton
from semiology.data.store import Store
from semiology.errors import UserError
from semiology.tracking.labels.corrections import correct_file, correct_store
from semiology.tracking.labels.io import read_labels


def run(arguments: list[str]) -> int:
    made = parser("tracking correct", correct_store)
    made.add_argument(
        "labels",
        type=Path,
        help="DeepLabCut project, COCO or Label Studio JSON, CVAT XML; its videos are the clips",
    )
    made.add_argument(
        "--store", type=Path | None, default=None, help="the store whose tracks are corrected"
    )
    made.add_argument(
        "--tracks",
        type=Path | None,
        default=None,
        help="or one file of tracks; corrections are written beside it",
    )
    made.add_argument(
        "--who", type=str, required=True, help="name or initials of the person who labelled"
    )
    made.add_argument(
        "--skeleton", type=str, default="upper_body_11", help="the joints that were labelled"
    )
    made.add_argument(
        "--removed", type=bool, default=False, help="true: a point that was taken away is not there"
    )
    made.add_argument(
        "--out",
        type=Path | None,
        default=None,
        help="with --tracks: also write the corrected tracks here",
    )
    parsed = made.parse_args(arguments)
    if (parsed.store is None) == (parsed.tracks is None) or (parsed.out and parsed.store):
        raise UserError(
            "give --store DIR, or --tracks FILE (and --out FILE, if corrected tracks are wanted as"
            " a file)"
        )
    labels = read_labels(parsed.labels, check_images=False)
    about = {"who": parsed.who, "origin": parsed.labels.name, "removed": parsed.removed}
    skeleton = load_skeleton(parsed.skeleton)
    if parsed.tracks is not None:
        print(
            f"{correct_file(labels, parsed.tracks, skeleton, out=parsed.out, **about)} new"
            f" corrections in {len(labels)} frames"
        )
        return 0
    new = correct_store(labels, Store(parsed.store), skeleton, **about)
    print(f"{sum(new.values())} new corrections in {len(labels)} frames of {len(new)} clips")
    print("\n".join(f"{clip_id}: {count}" for clip_id, count in new.items()))
    return 0
