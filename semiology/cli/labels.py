"""The verb tracking: labelled frames, tracking error, fine-tuning of the detectors."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from semiology.cli import act, cohort_folder, options, parser
from semiology.errors import UserError
from semiology.files import real_files, write_json

if TYPE_CHECKING:
    import xarray as xr
    from jsonargparse import ArgumentParser, Namespace

    from semiology.tracking.labels.labels import Labels


def run_tracking(arguments: list[str]) -> int:
    """Label frames, correct tracks, measure tracking error and fine-tune the detectors."""
    return act("tracking", run_tracking, TRACKING_ACTIONS, arguments)


def run_tracking_select(arguments: list[str]) -> int:
    """Choose frames of a cohort's clips or of videos, and export them for labelling."""
    from semiology.data.skeleton import load_skeleton
    from semiology.tracking.labels.export import cohort_footage, select_frames, video_footage
    from semiology.tracking.labels.selection import Method

    select_parser = parser("tracking select", run_tracking_select)
    select_parser.add_argument(
        "inputs", nargs="+", type=Path, help="the folder of a cohort, or videos"
    )
    select_parser.add_argument(
        "--out", type=Path, required=True, help="a new folder for images and labels"
    )
    select_parser.add_argument(
        "--store",
        type=Path | None,
        default=None,
        help="tracks of these clips: the store, or extract's --out for videos",
    )
    select_parser.add_argument(
        "--method",
        type=Method | Literal["corrected"],
        default="kmeans",
        help="confidence and jumps are of tracks, and need --store; so do the frames in which a"
        " person corrected keypoints, all of which are taken",
    )
    select_parser.add_argument(
        "--frames", type=int | None, default=None, help="frames of each clip"
    )
    select_parser.add_argument(
        "--share",
        type=float | None,
        default=None,
        help="or a fraction of each clip's frames, as 0.1",
    )
    select_parser.add_argument(
        "--format", type=Literal["deeplabcut", "coco", "label-studio", "cvat"], default="deeplabcut"
    )
    select_parser.add_argument(
        "--skeleton",
        type=str,
        default="upper_body_11",
        help="the joints to label: built in, or a YAML file",
    )
    select_parser.add_argument(
        "--fps",
        type=float,
        default=25.0,
        help="Hz, of the frames to choose from; with --store that of the tracks",
    )
    select_parser.add_argument("--seed", type=int, default=0)
    parsed = select_parser.parse_args(arguments)
    if parsed.method == "corrected":
        if parsed.frames is not None or parsed.share is not None:
            raise UserError("--method corrected takes all corrected frames; leave out the number")
    elif (parsed.frames is None) == (parsed.share is None):
        raise UserError("give --frames N of each clip, or --share 0.1 of its frames")
    folder = cohort_folder(parsed.inputs)
    footage = (
        cohort_footage(folder, parsed.store)
        if folder
        else video_footage(parsed.inputs, parsed.store)
    )
    exported = select_frames(
        footage,
        parsed.out,
        load_skeleton(parsed.skeleton),
        program=parsed.format,
        method=parsed.method,
        frames=parsed.frames,
        share=parsed.share,
        fps=parsed.fps,
        seed=parsed.seed,
    )
    print(
        f"{sum(exported.frames.values())} frames of {len(exported.frames)} clips: {exported.path}"
    )
    for name, count in exported.frames.items():
        if parsed.frames is not None and count < parsed.frames:
            print(f"{name}: {count} frames, all that {parsed.method} found in it")
    print(
        "\n".join(f"left out: {name}: {fault}" for name, fault in exported.failed),
        end="\n" if exported.failed else "",
    )
    return 1 if exported.failed else 0


def run_tracking_correct(arguments: list[str]) -> int:
    """Store corrections from labels as a layer over predicted tracks."""
    from semiology.data.skeleton import load_skeleton
    from semiology.data.store import Store
    from semiology.tracking.labels.corrections import correct_file, correct_store
    from semiology.tracking.labels.io import read_labels

    correct_parser = parser("tracking correct", run_tracking_correct)
    correct_parser.add_argument(
        "labels",
        type=Path,
        help="DeepLabCut project, COCO or Label Studio JSON, CVAT XML; its videos are the clips",
    )
    correct_parser.add_argument(
        "--store", type=Path | None, default=None, help="the store whose tracks are corrected"
    )
    correct_parser.add_argument(
        "--tracks",
        type=Path | None,
        default=None,
        help="or one file of tracks; corrections are written beside it",
    )
    correct_parser.add_argument(
        "--who", type=str, required=True, help="name or initials of the annotator"
    )
    correct_parser.add_argument(
        "--skeleton", type=str, default="upper_body_11", help="the joints that were labelled"
    )
    correct_parser.add_argument(
        "--removed",
        type=bool,
        default=False,
        help="true: a point that the annotator removed counts as missing",
    )
    correct_parser.add_argument(
        "--out",
        type=Path | None,
        default=None,
        help="with --tracks: also write the corrected tracks here",
    )
    parsed = correct_parser.parse_args(arguments)
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


def run_tracking_error(arguments: list[str]) -> int:
    """Measure the error of any tracks against any labels, overall and by keypoint. Mean and median,
    with and without p-cutoff.
    """
    from semiology.data import formats
    from semiology.data.skeleton import load_skeleton
    from semiology.tracking.labels.io import read_labels
    from semiology.tracking.tracking_error import CUTOFF, as_labels, tracking_error

    error_parser = parser("tracking error", run_tracking_error)
    error_parser.add_argument(
        "tracks",
        type=Path,
        help="tracks of one video in any format, or a folder with each VIDEO.nc or VIDEO/body.nc",
    )
    error_parser.add_argument(
        "labels",
        type=Path,
        help="DeepLabCut project, COCO JSON, ...; or tracks that count as labels: .slp, .nc",
    )
    error_parser.add_argument(
        "--video",
        type=str | None,
        default=None,
        help="the labelled video that the tracks are of, where several are labelled",
    )
    error_parser.add_argument(
        "--participants",
        type=Path | None,
        default=None,
        help="table with the columns video and participant_id",
    )
    error_parser.add_argument(
        "--keypoints",
        type=list[str] | None,
        default=None,
        help="only these; by default all that are labelled",
    )
    error_parser.add_argument(
        "--skeleton",
        type=str | None,
        default=None,
        help="make this skeleton's joints from the tracks first",
    )
    error_parser.add_argument(
        "--cutoff",
        type=float,
        default=CUTOFF,
        help="points with a confidence above it, or without one, pass",
    )
    error_parser.add_argument(
        "--cm_per_px", type=float | None, default=None, help="scale: prints cm too"
    )
    error_parser.add_argument(
        "--individual",
        type=str | None,
        default=None,
        help="which person or animal, where files hold several",
    )
    error_parser.add_argument(
        "--names", type=Path | None, default=None, help="YAML of the tracks' names: `theirs: ours`"
    )
    error_parser.add_argument(
        "--fps",
        type=float | None,
        default=None,
        help="frame rate in Hz, for formats that have none",
    )
    error_parser.add_argument(
        "--pictures",
        type=bool,
        default=True,
        help="false: do not read the labelled images and their sizes",
    )
    error_parser.add_argument(
        "--seed", type=int, default=0, help="of the bootstrap of the intervals"
    )
    error_parser.add_argument(
        "--out", type=Path | None, default=None, help="also write the table here, as JSON"
    )
    parsed = error_parser.parse_args(arguments)

    def read(path: Path) -> "xr.Dataset":
        return formats.read(path, names=parsed.names, individual=parsed.individual, fps=parsed.fps)

    if parsed.labels.suffix.lower() in (".slp", ".nc"):
        marked = formats.read(parsed.labels, individual=parsed.individual, fps=parsed.fps)
        labels = as_labels(marked, parsed.video or parsed.labels.stem)
    else:
        labels = read_labels(parsed.labels, parsed.participants, check_images=parsed.pictures)
    tracks = {
        video: read(path)
        for video, path in track_files(parsed.tracks, labels, parsed.video).items()
    }
    table = tracking_error(
        tracks,
        labels,
        keypoints=parsed.keypoints,
        skeleton=parsed.skeleton and load_skeleton(parsed.skeleton),
        cutoff=parsed.cutoff,
        cm_per_px=parsed.cm_per_px,
        seed=parsed.seed,
    )
    print(table.text())
    if parsed.out:
        write_json(parsed.out, table.to_dict())
    return 0


def run_tracking_finetune(arguments: list[str]) -> int:
    """Train the detectors of patient, face and joints on labelled frames."""
    from semiology.tracking.finetune.finetune import finetune
    from semiology.tracking.finetune.training import FinetuneOptions

    finetune_parser = parser("tracking finetune", run_tracking_finetune)
    add_label_arguments(finetune_parser)
    finetune_parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder for the detectors: `extract --keypoint_rcnn.weights` reads it",
    )
    finetune_parser.add_class_arguments(FinetuneOptions, None)
    parsed = finetune_parser.instantiate_classes(finetune_parser.parse_args(arguments))
    labels = read_label_arguments(parsed)
    participants = len(set(labels.participants))
    print(
        f"{len(labels)} labelled frames of {participants} participants,"
        f" {len(labels.keypoints)} joints: {', '.join(labels.keypoints)}"
    )
    detectors = finetune(
        labels, parsed.out, FinetuneOptions(**options(parsed, "out", *LABEL_ARGUMENTS))
    )
    held_out = detectors.about.get("held out")
    if held_out is None:
        print("no participant was held out: the error of the detectors is unknown")
    else:
        error = held_out["error"]
        mean, median, passed = (
            error["overall"][name]["value"] for name in ("mean_px", "median_px", "kept")
        )
        print(
            f"on {error['frames']} frames of {error['participants']} participants held out: mean"
            f" error {mean} px, median {median} px;"
        )
        print(f"{passed:.0%} of points above the cutoff {error['cutoff']:g}")
        for name, region in held_out["regions"].items():
            print(
                f"{name}: {region['found']:.0%} of {region['marked']} boxes found, mean overlap"
                f" {region['overlap']:.2f}"
            )
    print(
        "semiology extract COHORT --store DIR --pose keypoint-rcnn --keypoint_rcnn.weights"
        f" {parsed.out}"
    )
    return 0


def run_tracking_curve(arguments: list[str]) -> int:
    """Measure tracking error against the number of labelled frames a video, on held-out
    participants.
    """
    from semiology.tracking.finetune.curve import CurveOptions, label_count_curve

    curve_parser = parser("tracking curve", run_tracking_curve)
    add_label_arguments(curve_parser)
    curve_parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder for the detectors of each count, curve.json, curve.csv, curve.png",
    )
    curve_parser.add_class_arguments(CurveOptions, None)
    parsed = curve_parser.instantiate_classes(curve_parser.parse_args(arguments))
    curve = label_count_curve(
        read_label_arguments(parsed),
        parsed.out,
        CurveOptions(**options(parsed, "out", *LABEL_ARGUMENTS)),
    )
    print(curve.text())
    print(f"figure: {parsed.out / 'curve.png'}")
    return 0


def run_tracking_truth(arguments: list[str]) -> int:
    """Measure the error of a phantom cohort's extracted tracks against its truth."""
    from semiology.tracking.tracking_error import tracking_truth

    truth_parser = parser("tracking truth", run_tracking_truth)
    truth_parser.add_argument("cohort", type=Path, help="the phantom cohort")
    truth_parser.add_argument(
        "--store", type=Path, required=True, help="the store that `semiology extract` filled"
    )
    truth_parser.add_argument(
        "--out",
        type=Path | None,
        default=None,
        help="also write the table here; a run's report includes one in the run's folder",
    )
    parsed = truth_parser.parse_args(arguments)
    table = tracking_truth(parsed.cohort, parsed.store)
    for part, row in table.items():
        print(
            f"{part}: found in {row['found']:.1%} of what is in view, median error"
            f" {row['median error']:.3f} {row['unit']}"
        )
    if parsed.out:
        write_json(parsed.out, table)
    return 0


def run_tracking_calibrate(arguments: list[str]) -> int:
    """Fit a map from a tracker's confidence to the probability that a point is right, on labelled
    frames or on a phantom's truth, and test it on participants left out.
    """
    from semiology.data import formats
    from semiology.data.skeleton import load_skeleton
    from semiology.tracking import confidence
    from semiology.tracking.labels.io import read_labels

    calibrate_parser = parser("tracking calibrate", run_tracking_calibrate)
    calibrate_parser.add_argument(
        "tracks", type=Path, help="as of `tracking error`; or a phantom cohort, with --store"
    )
    calibrate_parser.add_argument(
        "labels", type=Path | None, default=None, nargs="?", help="as of `tracking error`"
    )
    calibrate_parser.add_argument(
        "--store", type=Path | None, default=None, help="the store of a phantom cohort"
    )
    calibrate_parser.add_argument(
        "--participants",
        type=Path | None,
        default=None,
        help="table with the columns video and participant_id",
    )
    calibrate_parser.add_argument(
        "--skeleton",
        type=str | None,
        default=None,
        help="make this skeleton's joints from the tracks first",
    )
    calibrate_parser.add_argument(
        "--within", type=float, default=confidence.WITHIN, help="right: error below, torso lengths"
    )
    calibrate_parser.add_argument(
        "--torso_px",
        type=float | None,
        default=None,
        help="torso length, where shoulders and hips are not labelled",
    )
    calibrate_parser.add_argument(
        "--out", type=Path, required=True, help="folder for confidence_map.json and reliability.svg"
    )
    parsed = calibrate_parser.parse_args(arguments)
    if (parsed.labels is None) == (parsed.store is None):
        raise UserError("tracking calibrate: give TRACKS LABELS, or a phantom COHORT --store DIR")
    if parsed.store is not None:
        points = confidence.truth_points(parsed.tracks, parsed.store)
    else:
        labels = read_labels(parsed.labels, parsed.participants, check_images=False)
        points = confidence.labelled_points(
            {
                video: formats.read(path)
                for video, path in track_files(parsed.tracks, labels, None).items()
            },
            labels,
            skeleton=parsed.skeleton and load_skeleton(parsed.skeleton),
            torso_px=parsed.torso_px,
        )
    fitted = confidence.fit_confidence(points, parsed.within)
    path = confidence.write_map(fitted, parsed.out)
    print(f"{path}: {fitted.text()}")
    return 0


def run_tracking_confidence(arguments: list[str]) -> int:
    """Replace a tracker's confidence by the probability that a point is right."""
    from semiology.data.tracks import read_tracks, save_tracks
    from semiology.tracking.confidence import read_map

    confidence_parser = parser("tracking confidence", run_tracking_confidence)
    confidence_parser.add_argument("tracks", type=Path, help="tracks, .nc")
    confidence_parser.add_argument(
        "map", type=Path, help="confidence_map.json of `tracking calibrate`"
    )
    confidence_parser.add_argument("--out", type=Path, required=True, help="the tracks, .nc")
    parsed = confidence_parser.parse_args(arguments)
    if parsed.out.resolve() == parsed.tracks.resolve():
        raise UserError(f"{parsed.out}: is the tracks' own file; give another name")
    save_tracks(read_map(parsed.map).apply(read_tracks(parsed.tracks)), parsed.out)
    print(f"{parsed.out}: confidence is the probability of an error below the map's limit")
    return 0


TRACKING_ACTIONS = {
    "select": run_tracking_select,
    "correct": run_tracking_correct,
    "error": run_tracking_error,
    "finetune": run_tracking_finetune,
    "curve": run_tracking_curve,
    "truth": run_tracking_truth,
    "calibrate": run_tracking_calibrate,
    "confidence": run_tracking_confidence,
}


def track_files(path: Path, labels: "Labels", video: str | None) -> dict[str, Path]:
    """Labelled video -> its file of tracks: the one that was given, or each video's own in a
    folder.

    Raises:
        UserError: one file and several labelled videos, a folder that lacks the tracks of a
            labelled video.
    """
    videos = [video] if video else list(dict.fromkeys(labels.videos.tolist()))
    openpose = bool(real_files(path, "*_keypoints.json"))  # a folder of one video's frames
    if openpose or not path.is_dir():
        if len(videos) > 1:
            raise UserError(
                f"{path}: {len(videos)} videos are labelled, {', '.join(videos)}; say by --video"
                " which one these tracks are of"
            )
        return {videos[0]: path}
    files = {}
    for name in videos:
        candidates = [path / f"{name}.nc", path / name / "body.nc", path / f"{name}.csv"]
        if not (present := [candidate for candidate in candidates if candidate.is_file()]):
            raise UserError(
                f"{path}: no tracks of the labelled video {name!r} (looked for {name}.nc,"
                f" {name}/body.nc, {name}.csv)"
            )
        files[name] = present[0]
    return files


LABEL_ARGUMENTS = (
    "labels",
    "participants",
    "images",
    "skeleton",
)  # what `add_label_arguments` adds


def add_label_arguments(labels_parser: "ArgumentParser") -> None:
    """Add the arguments that name labelled frames."""
    labels_parser.add_argument(
        "labels",
        nargs="+",
        type=Path,
        help="DeepLabCut projects, COCO keypoints JSON, exports of Label Studio or CVAT",
    )
    labels_parser.add_argument(
        "--participants",
        type=Path | None,
        default=None,
        help="table with the columns video and participant_id",
    )
    labels_parser.add_argument(
        "--images", type=Path | None, default=None, help="the folder of the images, if they moved"
    )
    labels_parser.add_argument(
        "--skeleton",
        type=str | None,
        default=None,
        help="the labels must be of this skeleton's joints: upper_body_11, ...",
    )


def read_label_arguments(parsed: "Namespace") -> "Labels":
    """The labelled frames that the arguments name, all in one."""
    from semiology.data.skeleton import load_skeleton
    from semiology.tracking.labels.io import read_labels
    from semiology.tracking.labels.labels import concatenate_labels

    labels = concatenate_labels(
        [read_labels(path, parsed.participants, images=parsed.images) for path in parsed.labels]
    )
    return labels if parsed.skeleton is None else labels.match(load_skeleton(parsed.skeleton))
