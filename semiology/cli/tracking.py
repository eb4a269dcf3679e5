"""Verbs from videos to keypoints: extract, deidentify, lift."""

from pathlib import Path

from semiology.cli import act, allowing_named, cohort_folder, options, parser, refuse_missing
from semiology.errors import UserError


def run_extract(arguments: list[str]) -> int:
    """Extract tracks and appearance features from a cohort or from videos. A cohort needs --store,
    videos need --out; finished clips are not extracted again.
    """
    from semiology.data.cohort import Cohort, video_source
    from semiology.parallel import Workers
    from semiology.tracking.extraction import ExtractOptions, extract_cohort, extract_videos

    extract_parser = parser("extract", run_extract)
    extract_parser.add_argument(
        "inputs",
        nargs="+",
        type=Path,
        help="the folder of a cohort, or videos; FOLDER/recordings.tsv#ID is a recording of many",
    )
    extract_parser.add_argument(
        "--store",
        type=Path | None,
        default=None,
        help="for a cohort: folder where tracks and features are stored",
    )
    extract_parser.add_argument(
        "--clips",
        nargs="+",
        type=str,
        default=None,
        help="of a cohort these clips only, by clip_id; by default all",
    )
    extract_parser.add_argument(
        "--out",
        type=Path | None,
        default=None,
        help="for videos: DIR/<name>/body.nc and face.nc are written here",
    )
    extract_parser.add_argument(
        "--overlay",
        type=Path | None,
        default=None,
        help="folder: also a video of each clip with its tracks drawn in, <clip_id>.mp4",
    )
    extract_parser.add_class_arguments(ExtractOptions, None)
    extract_parser.add_class_arguments(Workers, None)
    parsed = extract_parser.instantiate_classes(extract_parser.parse_args(arguments))
    workers = Workers(**{name: getattr(parsed, name) for name in Workers.__dataclass_fields__})
    chosen = ExtractOptions(
        **options(
            parsed, "inputs", "store", "clips", "out", "overlay", *Workers.__dataclass_fields__
        )
    )
    if folder := cohort_folder(parsed.inputs):
        if parsed.store is None:
            raise UserError(f"{folder}: a cohort needs --store DIR")
        cohort = Cohort.read(folder, check_videos=False)
        if parsed.clips is not None:
            cohort = cohort.only(parsed.clips)
        with allowing_named(arguments, chosen.pose):
            summary = extract_cohort(
                cohort, parsed.store, options=chosen, workers=workers, overlay=parsed.overlay
            )
    else:
        if parsed.out is None:
            raise UserError(
                f"{parsed.inputs[0]}: is not a cohort's folder, and videos need --out DIR"
            )
        if parsed.clips is not None:
            raise UserError("--clips: chooses clips of a cohort; name the videos themselves")
        if all(isinstance(video_source(path), Path) for path in parsed.inputs):
            refuse_missing(parsed.inputs)
        with allowing_named(arguments, chosen.pose):
            summary = extract_videos(
                parsed.inputs, parsed.out, options=chosen, workers=workers, overlay=parsed.overlay
            )
    print(summary.text())
    return 1 if summary.failed else 0


def run_deidentify(arguments: list[str]) -> int:
    """Copy videos with every head covered, without sound and metadata, and check the copies.
    OUT/<name>.mp4 is the copy, <name>.csv says what was covered in each frame, and <name>.json
    sums it up. A cohort is copied as a cohort.
    """
    from semiology.data.cohort import Cohort
    from semiology.tracking.deidentify import (
        DeidentifyOptions,
        deidentify_cohort,
        deidentify_videos,
    )

    deidentify_parser = parser("deidentify", run_deidentify)
    deidentify_parser.add_argument(
        "inputs", nargs="+", type=Path, help="the folder of a cohort, or videos"
    )
    deidentify_parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder of the copies: DIR/<name>.mp4, .csv, .json; or of the cohort's copy",
    )
    deidentify_parser.add_argument(
        "--rename",
        action="store_true",
        help="number the copies, because a video's name may identify the patient",
    )
    deidentify_parser.add_class_arguments(DeidentifyOptions, None)
    parsed = deidentify_parser.parse_args(arguments)
    chosen = DeidentifyOptions(**options(parsed, "inputs", "out", "rename"))
    if folder := cohort_folder(parsed.inputs):
        if parsed.rename:
            raise UserError(f"{folder}: a cohort's copies are named by clip_id; leave --rename out")
        cohort = Cohort.read(folder, check_videos=False)
        summary = deidentify_cohort(cohort, parsed.out, options=chosen)
    else:
        refuse_missing(parsed.inputs)
        summary = deidentify_videos(parsed.inputs, parsed.out, options=chosen, rename=parsed.rename)
    print(summary.text())
    return 1 if summary.failed else 0


def run_lift(arguments: list[str]) -> int:
    """Lift 2D joints to 3D, for trackers without depth."""
    return act("lift", run_lift, LIFT_ACTIONS, arguments)


def run_lift_train(arguments: list[str]) -> int:
    """Train a lifter on 3D skeletons that virtual cameras see, and test it on held-out
    participants.
    """
    from semiology.tracking.lift.training import Recipe, train_lifter_on_files

    train_parser = parser("lift train", run_lift_train)
    train_parser.add_argument(
        "inputs",
        nargs="+",
        type=Path,
        help=".nc tracks with position_3d, folders of them, or a cohort of tracks",
    )
    train_parser.add_function_arguments(train_lifter_on_files, skip={"inputs", "recipe"})
    train_parser.add_class_arguments(Recipe, "recipe")
    parsed = train_parser.instantiate_classes(train_parser.parse_args(arguments))
    lifter = train_lifter_on_files(**options(parsed))
    tested, trained = lifter.card["held_out"], lifter.card["trained_on"]
    error = tested["error_mm"]
    print(
        f"{parsed.out}: trained on {len(trained['participants'])} participants, tested on"
        f" {len(tested['participants'])} others:"
    )
    print(f"mean error {error['mpjpe']:.0f} mm, after Procrustes {error['p_mpjpe']:.0f} mm")
    print(
        f"baseline, every joint at its mean depth: {error['baseline_mpjpe']:.0f} mm, after"
        f" Procrustes {error['baseline_p_mpjpe']:.0f} mm"
    )
    return 0


def run_lift_apply(arguments: list[str]) -> int:
    """Add 3D joints to 2D body tracks of any pose backend."""
    from semiology.data.tracks import read_tracks, save_tracks
    from semiology.tracking.lift.lifter import SHIPPED, lift, load_lifter

    apply_parser = parser("lift apply", run_lift_apply)
    apply_parser.add_argument(
        "tracks", type=Path, help="body tracks (.nc or .csv) of any pose backend"
    )
    apply_parser.add_argument(
        "--out", type=Path, required=True, help="the tracks with position_3d (.nc)"
    )
    apply_parser.add_argument(
        "--weights",
        type=Path,
        default=SHIPPED,
        help="a lifter from `semiology lift train`; by default the shipped one",
    )
    apply_parser.add_argument(
        "--fps", type=float | None, default=None, help="Hz; for a .csv with frame numbers"
    )
    apply_parser.add_function_arguments(lift, skip={"tracks", "lifter"})
    parsed = apply_parser.parse_args(arguments)
    if parsed.out.resolve() == parsed.tracks.resolve():
        raise UserError(f"{parsed.out}: is the tracks' own file; give another name")
    lifted = lift(
        read_tracks(parsed.tracks, fps=parsed.fps),
        load_lifter(parsed.weights),
        shoulder_width=parsed.shoulder_width,
        rigid=parsed.rigid,
    )
    save_tracks(lifted, parsed.out)
    joints = int(lifted["position_3d"].notnull().all("space_3d").any("keypoint").sum())
    print(f"{parsed.out}: 3D joints in {joints} of {lifted.sizes['time']} frames")
    return 0


LIFT_ACTIONS = {"train": run_lift_train, "apply": run_lift_apply}
