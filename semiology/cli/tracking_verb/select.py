"""semiology tracking select COHORT|VIDEO... --out FOLDER"""

from pathlib import Path
from typing import Literal

from semiology.cli import parser
from semiology.data.skeleton import load_skeleton
from semiology.errors import UserError
from semiology.tracking.labels.export import cohort_footage, select_frames, video_footage
from semiology.tracking.labels.selection import Method


def run(arguments: list[str]) -> int:
    made = parser("tracking select", select_frames)
    made.add_argument("inputs", nargs="+", type=Path, help="the folder of a cohort, or videos")
    made.add_argument(
        "--out", type=Path, required=True, help="a new folder for pictures and labels"
    )
    made.add_argument(
        "--store",
        type=Path | None,
        default=None,
        help="tracks of these clips: the store, or extract's --out for videos",
    )
    made.add_argument(
        "--method",
        type=Method,
        default="kmeans",
        help="confidence and jumps look at tracks, and need --store",
    )
    made.add_argument("--frames", type=int | None, default=None, help="frames of each clip")
    made.add_argument(
        "--share", type=float | None, default=None, help="or a share of each clip's frames, as 0.1"
    )
    made.add_argument(
        "--format", type=Literal["deeplabcut", "coco", "label-studio", "cvat"], default="deeplabcut"
    )
    made.add_argument(
        "--skeleton",
        type=str,
        default="upper_body_11",
        help="the joints to label: built in, or a YAML file",
    )
    made.add_argument(
        "--fps",
        type=float,
        default=25.0,
        help="Hz, of the frames to choose from; with --store that of the tracks",
    )
    made.add_argument("--seed", type=int, default=0)
    parsed = made.parse_args(arguments)
    if (parsed.frames is None) == (parsed.share is None):
        raise UserError("give --frames N of each clip, or --share 0.1 of its frames")
    folders = [path for path in parsed.inputs if path.is_dir()]
    if folders and len(parsed.inputs) > 1:
        raise UserError(
            f"{folders[0]}: give the folder of one cohort alone, or videos without folders"
        )
    footage = (
        cohort_footage(folders[0], parsed.store)
        if folders
        else video_footage(parsed.inputs, parsed.store)
    )
    sent = select_frames(
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
    print(f"{sum(sent.frames.values())} frames of {len(sent.frames)} clips: {sent.path}")
    for name, count in sent.frames.items():
        if parsed.frames is not None and count < parsed.frames:
            print(f"{name}: {count} frames, all that {parsed.method} found in it")
    print(
        "\n".join(f"left out: {name}: {fault}" for name, fault in sent.failed),
        end="\n" if sent.failed else "",
    )
    return 1 if sent.failed else 0
