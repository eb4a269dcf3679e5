"""semiology tracks import FILE --out TRACKS.nc, and semiology tracks export TRACKS.nc --out FILE
--format NAME
"""

import json
from pathlib import Path

from semiology.cli import act, parser
from semiology.data import formats
from semiology.data.tracks import read_tracks, save_tracks, steps
from semiology.errors import UserError
from semiology.tracking.extraction import found_fraction


def run(arguments: list[str]) -> int:
    actions = {
        "import": ("FILE --out TRACKS.nc: a file of another program to our tracks", _import),
        "export": (
            "TRACKS.nc --out FILE --format NAME: our tracks to a file of another program",
            _export,
        ),
    }
    return act("tracks", actions, arguments)


def _import(arguments: list[str]) -> int:
    made = parser("tracks import", formats.read)
    made.add_argument("file", type=Path, help="the file; for OpenPose the folder")
    made.add_argument("--out", type=Path, required=True, help="our tracks, .nc")
    made.add_argument(
        "--format",
        type=str | None,
        default=None,
        help=f"by default recognised; {', '.join(formats.FORMATS)}",
    )
    made.add_argument(
        "--fps",
        type=float | None,
        default=None,
        help="frames per second, for formats that do not say",
    )
    made.add_argument(
        "--names",
        type=Path | None,
        default=None,
        help="YAML file, one line a keypoint, `theirs: ours`",
    )
    made.add_argument(
        "--individual",
        type=str | None,
        default=None,
        help="which person or animal, where there are several",
    )
    made.add_argument(
        "--width", type=int, default=0, help="of the picture, px, where the file does not say"
    )
    made.add_argument(
        "--height", type=int, default=0, help="of the picture, px, where the file does not say"
    )
    asked = made.parse_args(arguments)
    if asked.out.suffix.lower() != ".nc":
        raise UserError(f"{asked.out}: tracks are written as .nc")
    if asked.width < 0 or asked.height < 0 or (asked.fps is not None and not asked.fps > 0):
        raise UserError("width and height are px, 0 where unknown; fps is above 0")
    tracks = formats.read(
        asked.file,
        asked.format,
        fps=asked.fps,
        names=asked.names,
        individual=asked.individual,
        width=asked.width,
        height=asked.height,
    )
    save_tracks(tracks, asked.out)
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


def _export(arguments: list[str]) -> int:
    made = parser("tracks export", formats.write)
    made.add_argument("tracks", type=Path, help="our tracks, .nc or .csv")
    made.add_argument("--out", type=Path, required=True, help="the file; for OpenPose a new folder")
    made.add_argument("--format", type=str, required=True, help=", ".join(formats.FORMATS))
    made.add_argument(
        "--keypoints",
        type=list[str] | None,
        default=None,
        help="only these, by our names: [nose,left_wrist]",
    )
    made.add_argument(
        "--names",
        type=Path | None,
        default=None,
        help="YAML file, one line a keypoint, `ours: theirs`",
    )
    asked = made.parse_args(arguments)
    tracks = read_tracks(asked.tracks)
    if asked.keypoints is not None:
        if lacking := [name for name in asked.keypoints if name not in tracks.keypoint.values]:
            raise UserError(
                f"{asked.tracks}: has no keypoint {lacking[0]!r}; it has"
                f" {', '.join(tracks.keypoint.values)}"
            )
        tracks = tracks.sel(keypoint=asked.keypoints)
    if asked.names is not None:
        tracks = formats.rename(tracks, formats.read_names(asked.names), asked.tracks)
    formats.write(tracks, asked.out, asked.format)
    lost = formats.FORMATS[asked.format].lost
    print(f"{asked.out}: written" + (f"; this format does not hold: {lost}" if lost else ""))
    return 0
