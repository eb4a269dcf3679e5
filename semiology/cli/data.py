"""Verbs of data: phantom, weights, cohort, tracks."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from semiology.cli import act, options, parser, print_terms, summary
from semiology.errors import UserError
from semiology.files import read_json, write_json

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

    from semiology.video import Frame


def run_phantom(arguments: list[str]) -> int:
    """Render a synthetic cohort whose truth is known. It has the files of a clinical cohort, and in
    OUT/truth the truth of each frame.
    """
    if arguments and arguments[0] in PHANTOM_ACTIONS:
        return PHANTOM_ACTIONS[arguments[0]](arguments[1:])
    from semiology.phantom import make_phantom, make_stills

    phantom_parser = parser("phantom", run_phantom)
    phantom_parser.epilog = "Other cohorts: " + "; ".join(
        f"semiology phantom {name} OUT: {summary(action)}"
        for name, action in PHANTOM_ACTIONS.items()
    )
    phantom_parser.add_argument(
        "--null", action="store_true", help="labels are independent of what is rendered"
    )
    return _render(
        phantom_parser,
        arguments,
        make_phantom,
        "a synthetic cohort, {subjects} subjects; its truth is in {folder}/truth",
        make_stills,
    )


def run_phantom_seizures(arguments: list[str]) -> int:
    """Render seizures of two types, focal hyperkinetic and focal to bilateral tonic-clonic, of any
    length.
    """
    from semiology.phantom import make_seizures

    return _render(
        parser("phantom seizures", run_phantom_seizures),
        arguments,
        make_seizures,
        "seizures of {subjects} synthetic subjects; truth in {folder}/truth, phases in"
        " {folder}/events",
    )


def run_phantom_actions(arguments: list[str]) -> int:
    """Render short labelled clips of other synthetic people, for `semiology pretrain action`."""
    from semiology.phantom import make_actions

    return _render(
        parser("phantom actions", run_phantom_actions),
        arguments,
        make_actions,
        "labelled clips of synthetic people who are in no cohort, to pretrain on",
    )


def run_phantom_myoclonus(arguments: list[str]) -> int:
    """Render myoclonic jerks of known time, joint and amplitude."""
    from semiology.phantom import make_myoclonus

    return _render(
        parser("phantom myoclonus", run_phantom_myoclonus),
        arguments,
        make_myoclonus,
        "myoclonus of {subjects} synthetic participants; every jerk is in {folder}/truth",
    )


def run_phantom_weakness(arguments: list[str]) -> int:
    """Render faces of known weakness and side, patients and controls."""
    from semiology.phantom import make_face_stills, make_weakness

    return _render(
        parser("phantom weakness", run_phantom_weakness),
        arguments,
        make_weakness,
        "faces of {patients} synthetic patients and {controls} controls, panel by panel; landmarks"
        " and weakness of each side in {folder}/truth",
        make_face_stills,
    )


def run_phantom_contact(arguments: list[str]) -> int:
    """Render a patient whom a caregiver holds, lifts and bends over; joints of both are known."""
    from semiology.phantom import make_contact

    return _render(
        parser("phantom contact", run_phantom_contact),
        arguments,
        make_contact,
        "{subjects} synthetic participants with a caregiver in contact; joints of both are in"
        " {folder}/truth",
    )


PHANTOM_ACTIONS = {
    "seizures": run_phantom_seizures,
    "actions": run_phantom_actions,
    "myoclonus": run_phantom_myoclonus,
    "weakness": run_phantom_weakness,
    "contact": run_phantom_contact,
}


def _render(
    phantom_parser: "ArgumentParser",
    arguments: list[str],
    make: Callable[..., Path],
    message: str,
    make_stills: Callable[..., Path] | None = None,
) -> int:
    """Make a phantom and print the message, with its folder and options filled in; where there is
    `make_stills`, also stills of other people if --stills asks for them.
    """
    phantom_parser.add_function_arguments(make, as_positional=True, skip={"null"})
    if make_stills:
        phantom_parser.add_argument(
            "--stills",
            type=int,
            default=0,
            help="also this many stills a class, in OUT_stills, of people outside the cohort",
        )
    parsed = phantom_parser.parse_args(arguments)
    folder = make(**options(parsed, "stills"))
    print(f"{folder}: {message.format(folder=folder, **vars(parsed))}")
    if make_stills and parsed.stills:
        shared = {
            name: getattr(parsed, name)
            for name in ("size", "seed", "looks", "jobs", "progress")
            if name in parsed
        }
        stills = make_stills(f"{folder}_stills", per_class=parsed.stills, **shared)
        print(f"{stills}: {parsed.stills} stills a class of people outside the cohort")
    return 0


def run_weights(arguments: list[str]) -> int:
    """List, fetch, add or verify published weights. Hashes are checked, whether `get` downloads a
    file or `add` takes one that you downloaded.
    """
    from semiology.weights import (
        REGISTRY,
        add,
        get,
        known_weights,
        published,
        verify,
        weights_folder,
    )

    weights_parser = parser("weights", run_weights)
    weights_parser.add_argument(
        "action",
        choices=WEIGHTS_ACTIONS,
        help="list and verify: all, or NAME...; get NAME...; add FILE NAME",
    )
    weights_parser.add_argument(
        "inputs",
        nargs="*",
        help="names from the list, or blazepose for all of its files; for add: the file or package,"
        " and a name",
    )
    weights_parser.add_argument(
        "--folder",
        type=Path | None,
        default=None,
        help=f"folder of the weights; by default {weights_folder()}",
    )
    weights_parser.add_argument(
        "--registry",
        type=Path,
        default=REGISTRY,
        help="another list of the same form, e.g. with a mirror's addresses",
    )
    parsed = weights_parser.parse_args(arguments)
    folder = parsed.folder or weights_folder()
    if parsed.action == "get":
        if not parsed.inputs:
            raise UserError(f"get: which weights? {', '.join(known_weights(parsed.registry))}")
        for name in parsed.inputs:
            print(*get(name, folder, parsed.registry), sep="\n")
        return 0
    if parsed.action == "add":
        if len(parsed.inputs) != 2:
            raise UserError(
                f"add needs FILE NAME; names are {', '.join(known_weights(parsed.registry))}"
            )
        file, name = parsed.inputs
        print(*add(file, name, folder, parsed.registry), sep="\n")
        return 0
    states = verify(folder, parsed.registry)
    for entry in [
        published(name, parsed.registry) for name in parsed.inputs or known_weights(parsed.registry)
    ]:
        name = entry.name
        print(f"{name:<36}{states[name]:<9}{entry.file}")
        if parsed.action == "list":
            print(
                f"    for {entry.task}: {entry.purpose}\n    {entry.url}\n    SHA-256"
                f" {entry.sha256}\n    {entry.licence}"
            )
    changed = [name for name in parsed.inputs or states if states[name] == "changed"]
    if changed:
        print(
            f"{folder}: changed since they were published: {', '.join(changed)}; remove them and"
            " get or add them again"
        )
    return 1 if changed and parsed.action == "verify" else 0


WEIGHTS_ACTIONS = ("list", "get", "add", "verify")


def run_cohort(arguments: list[str]) -> int:
    """Check a cohort and print its table, or make a cohort of videos and marks, or of public
    features.
    """
    return act("cohort", run_cohort, COHORT_ACTIONS, arguments)


def run_cohort_check(arguments: list[str]) -> int:
    """Validate a cohort, open every video, and print the cohort table."""
    from semiology.data.cohort import check_cohort

    check_parser = parser("cohort check", run_cohort_check)
    check_parser.add_argument("folder", type=Path, help="the cohort")
    check_parser.add_argument("--json", type=Path, default=None, help="also write the table here")
    check_parser.add_argument(
        "--losses",
        action="store_true",
        help="read every video to its end, for frames that were lost on their way",
    )
    parsed = check_parser.parse_args(arguments)
    if not parsed.folder.is_dir():
        raise UserError(
            f"{parsed.folder}: no such folder; a cohort is a folder with participants.tsv,"
            " clips.tsv and clips.json"
        )
    report = check_cohort(parsed.folder, losses=parsed.losses, progress=True)
    print(report)
    if parsed.json:
        write_json(parsed.json, report.to_dict())
    return 0 if report.ok else 1


def run_cohort_import(arguments: list[str]) -> int:
    """Make a cohort of a folder of videos and marks: clips are cut around marks, and signs are
    labels. What was guessed and left out is printed.
    """
    if arguments and arguments[0] in COHORT_SOURCES:
        return COHORT_SOURCES[arguments[0]](arguments[1:])
    from semiology.data.marks.cohort import import_cohort

    import_parser = parser("cohort import", run_cohort_import)
    import_parser.epilog = "Of published features: " + "; ".join(
        f"semiology cohort import {name} FOLDER --out COHORT: {summary(action)}"
        for name, action in COHORT_SOURCES.items()
    )
    import_parser.add_argument("folder", type=Path, help="of videos and marks, in it and below")
    import_parser.add_argument(
        "--out", type=Path, required=True, help="folder of the new cohort, not there yet"
    )
    import_parser.add_argument(
        "--phases",
        nargs="+",
        default=[],
        help="signs or tiers whose marks are a clip each, and no label",
    )
    import_parser.add_function_arguments(import_cohort, skip={"folder", "out", "phases"})
    parsed = import_parser.parse_args(arguments)
    result = import_cohort(**options(parsed))
    for guess in result.remarks.guesses:
        print(f"guess: {guess}")
    for line in result.remarks.left_out:
        print(f"left out: {line}")
    print_terms(result.unknown, result.unused, result.sides)
    print(
        f"{parsed.out}: {result.clips} clips of {result.participants} participants in"
        f" {result.videos} videos; raters {', '.join(result.raters)}; labels"
        f" {', '.join(result.labels) or 'none'}"
    )
    for name, why in result.remarks.failed.items():
        print(f"semiology cohort import: {name}: {why}", file=sys.stderr)
    return 1 if result.remarks.failed else 0


def run_cohort_import_gestures(arguments: list[str]) -> int:
    """Make a cohort and its store from the public features of GESTURES. A view is a clip."""
    from semiology.data.gestures import import_gestures

    import_parser = parser("cohort import gestures", run_cohort_import_gestures)
    import_parser.add_argument(
        "folder", type=Path, help="where it was unpacked, with seizures.csv in it"
    )
    import_parser.add_argument("--out", type=Path, required=True, help="folder of the new cohort")
    import_parser.add_argument(
        "--snippet",
        type=int,
        default=8,
        help="frames of a snippet, as the folder of features is named",
    )
    import_parser.add_argument(
        "--rate", type=int, default=15, help="frames a second, as the folder of features is named"
    )
    import_parser.add_argument(
        "--shortest", type=float, default=15.0, help="s; shorter seizures are left out"
    )
    parsed = import_parser.parse_args(arguments)
    store = import_gestures(parsed.folder, parsed.out, parsed.snippet, parsed.rate, parsed.shortest)
    notes = read_json(parsed.out / "notes.json", list)
    print(
        "\n".join([*(f"note: {note}" for note in notes), f"cohort: {parsed.out}, store: {store}"])
    )
    return 0


COHORT_SOURCES = {"gestures": run_cohort_import_gestures}
COHORT_ACTIONS = {"check": run_cohort_check, "import": run_cohort_import}


def run_tracks(arguments: list[str]) -> int:
    """Convert tracks from and to OpenPose, DeepLabCut, SLEAP, COCO, OpenFace, Py-Feat, MediaPipe
    and movement; draw them into their video.
    """
    return act("tracks", run_tracks, TRACKS_ACTIONS, arguments)


def run_tracks_import(arguments: list[str]) -> int:
    """Read a file of another program and write it as tracks."""
    from semiology.data import formats
    from semiology.data.pixels import in_square_pixels
    from semiology.data.tracks import save_tracks, steps
    from semiology.tracking.extraction import found_fraction

    import_parser = parser("tracks import", run_tracks_import)
    import_parser.add_argument("file", type=Path, help="the file; for OpenPose the folder")
    import_parser.add_argument("--out", type=Path, required=True, help="the tracks, .nc")
    import_parser.add_argument(
        "--format",
        type=str | None,
        default=None,
        help=f"by default recognised; {', '.join(formats.FORMATS)}",
    )
    import_parser.add_argument(
        "--fps", type=float | None, default=None, help="Hz, for formats that do not state it"
    )
    import_parser.add_argument(
        "--names",
        type=Path | None,
        default=None,
        help="YAML file, one line a keypoint, `theirs: ours`",
    )
    import_parser.add_argument(
        "--individual",
        type=str | None,
        default=None,
        help="which person or animal, where there are several",
    )
    import_parser.add_argument(
        "--width", type=int, default=0, help="of the image, px, where the file does not state it"
    )
    import_parser.add_argument(
        "--height", type=int, default=0, help="of the image, px, where the file does not state it"
    )
    import_parser.add_argument(
        "--pixel_aspect",
        type=str | None,
        default=None,
        help="W:H, of the pixels of the frames that were tracked, where they were not square",
    )
    parsed = import_parser.parse_args(arguments)
    if parsed.out.suffix.lower() != ".nc":
        raise UserError(f"{parsed.out}: tracks are written as .nc")
    if parsed.width < 0 or parsed.height < 0 or (parsed.fps is not None and not parsed.fps > 0):
        raise UserError("width and height are px, 0 where unknown; fps is above 0")
    tracks = formats.read(
        parsed.file,
        parsed.format,
        fps=parsed.fps,
        names=parsed.names,
        individual=parsed.individual,
        width=parsed.width,
        height=parsed.height,
    )
    if parsed.pixel_aspect is not None:
        tracks = in_square_pixels(tracks, parsed.pixel_aspect)
    save_tracks(tracks, parsed.out)
    frames, missing = tracks.sizes["time"], int((tracks["source_index"].values < 0).sum())
    found = f"found in {found_fraction(tracks):.1%} of the others"
    print(
        f"{frames} frames at {tracks.attrs['fps']:g} Hz, {missing} of them not in the file; {found}"
    )
    print(
        f"{tracks.sizes['keypoint']} keypoints:"
        f" {', '.join(str(name) for name in tracks['keypoint'].values)}"
    )
    for step in steps(tracks):
        print(json.dumps(step))
    return 0


def run_tracks_export(arguments: list[str]) -> int:
    """Write tracks as a file of another program."""
    from semiology.data import formats
    from semiology.data.pixels import in_stored_pixels
    from semiology.data.tracks import read_tracks

    export_parser = parser("tracks export", run_tracks_export)
    export_parser.add_argument("tracks", type=Path, help="the tracks, .nc or .csv")
    export_parser.add_argument(
        "--out", type=Path, required=True, help="the file; for OpenPose a new folder"
    )
    export_parser.add_argument("--format", type=str, required=True, help=", ".join(formats.FORMATS))
    export_parser.add_argument(
        "--keypoints",
        type=list[str] | None,
        default=None,
        help="only these, by our names: [nose,left_wrist]",
    )
    export_parser.add_argument(
        "--names",
        type=Path | None,
        default=None,
        help="YAML file, one line a keypoint, `ours: theirs`",
    )
    export_parser.add_argument(
        "--stored_pixels",
        action="store_true",
        help="positions in the video's stored pixels, for programs that do not make them square",
    )
    parsed = export_parser.parse_args(arguments)
    tracks = read_tracks(parsed.tracks)
    if parsed.stored_pixels:
        tracks = in_stored_pixels(tracks)
    if parsed.keypoints is not None:
        if lacking := [name for name in parsed.keypoints if name not in tracks.keypoint.values]:
            raise UserError(
                f"{parsed.tracks}: has no keypoint {lacking[0]!r}; it has"
                f" {', '.join(tracks.keypoint.values)}"
            )
        tracks = tracks.sel(keypoint=parsed.keypoints)
    if parsed.names is not None:
        tracks = formats.rename(tracks, formats.read_names(parsed.names), parsed.tracks)
    formats.write(tracks, parsed.out, parsed.format)
    lost = formats.FORMATS[parsed.format].lost
    print(f"{parsed.out}: written" + (f"; this format does not hold: {lost}" if lost else ""))
    return 0


def run_tracks_overlay(arguments: list[str]) -> int:
    """Draw tracks into the video that they are of, frame by frame. No model is run."""
    from tqdm import tqdm

    from semiology.data.cohort import video_source
    from semiology.data.corrections import read_corrected
    from semiology.data.overlay import draw_tracks, part_of

    overlay_parser = parser("tracks overlay", run_tracks_overlay)
    overlay_parser.add_argument(
        "video",
        type=Path,
        help="the video, or a copy with the same frames, as deidentify makes it;"
        " FOLDER/recordings.tsv#ID is a recording of many files",
    )
    overlay_parser.add_argument(
        "tracks",
        nargs="+",
        type=Path,
        help="its tracks: files (.nc, .csv) of body, face, hands; or their folder",
    )
    overlay_parser.add_argument("--out", type=Path, required=True, help="the new video, .mp4")
    overlay_parser.add_argument(
        "--blank", action="store_true", help="draw on grey, and show nothing of the video"
    )
    parsed = overlay_parser.parse_args(arguments)
    video = video_source(parsed.video)
    if parsed.out.exists() and parsed.video.exists() and parsed.out.samefile(parsed.video):
        raise UserError(f"{parsed.out}: is the video itself; give another name")
    files = [
        file
        for path in parsed.tracks
        for file in (sorted(path.glob("*.nc")) if path.is_dir() else [path])
        if not (path.is_dir() and file.stem.partition("-")[0] == "flow")  # movement, no tracks
    ]
    if not files:
        raise UserError(f"{parsed.tracks[0]}: no tracks (.nc) in this folder")
    parts = {}
    for file in files:
        tracks = read_corrected(file)
        if (part := part_of(tracks)) in parts:
            raise UserError(f"{file}: second tracks of the {part}; give those of one clip and key")
        parts[part] = tracks
    frames = next(iter(parts.values())).sizes["time"]
    with tqdm(total=frames, unit=" frames") as bar:

        def watch(shown: "Iterator[Frame]") -> "Iterator[Frame]":
            for frame in shown:
                yield frame
                bar.update()

        draw_tracks(video, parts, parsed.out, blank=parsed.blank, watch=watch)
    print(f"{parsed.out}: {', '.join(parts)} in {frames} frames")
    return 0


TRACKS_ACTIONS = {
    "import": run_tracks_import,
    "export": run_tracks_export,
    "overlay": run_tracks_overlay,
}
