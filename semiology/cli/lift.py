"""semiology lift train INPUT... --out FILE, or semiology lift apply TRACKS --out TRACKS"""

from pathlib import Path

from semiology.cli import act, options, parser
from semiology.data.tracks import read_tracks, save_tracks
from semiology.errors import UserError
from semiology.tracking.lift.lifter import SHIPPED, lift, load_lifter
from semiology.tracking.lift.training import Recipe, train_lifter_on_files


def run(arguments: list[str]) -> int:
    actions = {
        "train": ("INPUT... --out FILE: a lifter of your own, from 3D skeletons", _train),
        "apply": ("TRACKS --out TRACKS: add joints in space to 2D tracks", _apply),
    }
    return act("lift", actions, arguments)


def _train(arguments: list[str]) -> int:
    made = parser("lift train", train_lifter_on_files)
    made.add_argument(
        "inputs",
        nargs="+",
        type=Path,
        help=".nc tracks with position_3d, folders of them, or a cohort of tracks",
    )
    made.add_function_arguments(train_lifter_on_files, skip={"inputs", "recipe"})
    made.add_class_arguments(Recipe, "recipe")
    parsed = made.instantiate_classes(made.parse_args(arguments))
    lifter = train_lifter_on_files(**options(parsed))
    tested, trained = lifter.card["held_out"], lifter.card["trained_on"]
    error = tested["error_mm"]
    print(
        f"{parsed.out}: trained on {len(trained['participants'])} participants, tested on"
        f" {len(tested['participants'])} others:"
    )
    print(f"mean error {error['mpjpe']:.0f} mm, after Procrustes {error['p_mpjpe']:.0f} mm")
    print(
        f"every joint at its mean depth: {error['baseline_mpjpe']:.0f} mm, after Procrustes"
        f" {error['baseline_p_mpjpe']:.0f} mm"
    )
    return 0


def _apply(arguments: list[str]) -> int:
    made = parser("lift apply", lift)
    made.add_argument("tracks", type=Path, help="body tracks (.nc or .csv) of any backend")
    made.add_argument(
        "--out",
        type=Path,
        required=True,
        help="where the tracks with position_3d are written (.nc)",
    )
    made.add_argument(
        "--weights",
        type=Path,
        default=SHIPPED,
        help="a lifter that `semiology lift train` made; by default the shipped one",
    )
    made.add_argument(
        "--fps", type=float | None, default=None, help="Hz; for a .csv with frame numbers"
    )
    made.add_function_arguments(lift, skip={"tracks", "lifter"})
    parsed = made.parse_args(arguments)
    if parsed.out.resolve() == parsed.tracks.resolve():
        raise UserError(f"{parsed.out}: is the tracks' own file; give another name")
    tracks = read_tracks(parsed.tracks, fps=parsed.fps)
    lifted = lift(
        tracks,
        load_lifter(parsed.weights),
        shoulder_width=parsed.shoulder_width,
        rigid=parsed.rigid,
    )
    save_tracks(lifted, parsed.out)
    joints = int(lifted["position_3d"].notnull().all("space_3d").any("keypoint").sum())
    print(f"{parsed.out}: joints in space in {joints} of {lifted.sizes['time']} frames")
    return 0
