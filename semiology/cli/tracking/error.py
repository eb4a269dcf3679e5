"""semiology tracking error TRACKS LABELS"""

from pathlib import Path

import xarray as xr

from semiology.cli import parser
from semiology.data import formats
from semiology.data.skeleton import load_skeleton
from semiology.errors import UserError
from semiology.files import write_json
from semiology.tracking.labels.io import read_labels
from semiology.tracking.labels.labels import Labels
from semiology.tracking.tracking_error import CUTOFF, as_labels, tracking_error


def run(arguments: list[str]) -> int:
    made = parser("tracking error", tracking_error)
    made.add_argument(
        "tracks",
        type=Path,
        help=(
            "tracks of one video in any format; or a folder with VIDEO.nc or VIDEO/body.nc of each"
        ),
    )
    made.add_argument(
        "labels",
        type=Path,
        help="DeepLabCut project, COCO JSON, ...; or tracks that count as labels: .slp, .nc",
    )
    made.add_argument(
        "--video",
        type=str | None,
        default=None,
        help="the labelled video that the tracks are of, where several are labelled",
    )
    made.add_argument(
        "--participants",
        type=Path | None,
        default=None,
        help="table with the columns video and participant_id",
    )
    made.add_argument(
        "--keypoints",
        type=list[str] | None,
        default=None,
        help="only these; by default all that are labelled",
    )
    made.add_argument(
        "--skeleton",
        type=str | None,
        default=None,
        help="make this skeleton's joints from the tracks first",
    )
    made.add_argument(
        "--cutoff",
        type=float,
        default=CUTOFF,
        help="points with a confidence above it, or without one, are kept",
    )
    made.add_argument("--cm_per_px", type=float | None, default=None, help="scale: prints cm too")
    made.add_argument(
        "--individual",
        type=str | None,
        default=None,
        help="which person or animal, where files hold several",
    )
    made.add_argument(
        "--names", type=Path | None, default=None, help="YAML of the tracks' names: `theirs: ours`"
    )
    made.add_argument(
        "--fps",
        type=float | None,
        default=None,
        help="frame rate in Hz, for formats that have none",
    )
    made.add_argument(
        "--pictures",
        type=bool,
        default=True,
        help="false: do not look for the labelled pictures and their sizes",
    )
    made.add_argument("--seed", type=int, default=0, help="of the resampling behind the intervals")
    made.add_argument(
        "--out", type=Path | None, default=None, help="also write the table here, as JSON"
    )
    parsed = made.parse_args(arguments)

    def read(path: Path) -> xr.Dataset:
        return formats.read(path, names=parsed.names, individual=parsed.individual, fps=parsed.fps)

    if parsed.labels.suffix.lower() in (".slp", ".nc"):
        marked = formats.read(parsed.labels, individual=parsed.individual, fps=parsed.fps)
        labels = as_labels(marked, parsed.video or parsed.labels.stem)
    else:
        labels = read_labels(parsed.labels, parsed.participants, check_images=parsed.pictures)
    tracks = {
        video: read(path)
        for video, path in files_of_tracks(parsed.tracks, labels, parsed.video).items()
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


def files_of_tracks(path: Path, labels: Labels, video: str | None) -> dict[str, Path]:
    """Labelled video -> its file of tracks: the one that was given, or each video's own in a
    folder.

    Raises:
        UserError: one file and several labelled videos, a folder that lacks the tracks of a
            labelled video.
    """
    videos = [video] if video else list(dict.fromkeys(labels.videos.tolist()))
    if not path.is_dir() or any(
        path.glob("*_keypoints.json")
    ):  # a folder of OpenPose's is one video's
        if len(videos) > 1:
            raise UserError(
                f"{path}: {len(videos)} videos are labelled, {', '.join(videos)}; say by --video"
                " which one these tracks are of"
            )
        return {videos[0]: path}
    found = {}
    for name in videos:
        candidates = [path / f"{name}.nc", path / name / "body.nc", path / f"{name}.csv"]
        if not (there := [candidate for candidate in candidates if candidate.is_file()]):
            raise UserError(
                f"{path}: no tracks of the labelled video {name!r} (looked for {name}.nc,"
                f" {name}/body.nc, {name}.csv)"
            )
        found[name] = there[0]
    return found
