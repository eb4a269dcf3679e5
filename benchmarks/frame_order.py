"""Files of many containers, codecs and accidents (tests/made_videos.py), whose frames show their
own number: each is read in order, every frame within half an interval of its true time, or is
refused in one line where nothing else is right.

`every_frame` and `read_frames` read each file at its own rate, long ones beyond a seek as well. As
a peer: what PyAV decodes, sorted by presentation time.
"""

import argparse
import logging
import sys
import tempfile
from collections import Counter
from pathlib import Path

import av
from record import record

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from made_videos import VIDEOS, Truth, compare, faults, number_of

LEAST = 40  # files


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="files whose name holds this")
    parser.add_argument("--keep", type=Path, help="write the files to this folder and leave them")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    av.logging.set_level(None)
    failing: dict[str, list[str]] = {}
    refused, peer_fails = [], []
    videos = [video for video in VIDEOS if arguments.only in video.name]
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for video in videos:
            path = folder / video.name
            truth = video.make(path)
            found = faults(path, truth)
            if found:
                failing[video.name] = found
                print(f"{video.name}: {'; '.join(found)}")
            elif truth.refused or truth.grid_refused:
                refused.append(video.name)
            if peer_fault(path, truth):
                peer_fails.append(video.name)
            if not arguments.keep:
                path.unlink()
    right, peer = len(videos) - len(failing), len(videos) - len(peer_fails)
    print(f"refused in one line, as they must be: {', '.join(refused)}")
    print(f"PyAV {av.__version__}, sorted by presentation time: {peer} of {len(videos)} right")
    kinds = Counter(Path(video.name).suffix for video in videos)
    if arguments.only:
        return int(bool(failing))
    return record(
        "frame-order",
        {
            "files": len(videos),
            "suffixes": dict(sorted(kinds.items())),
            "right": right,
            "refused": refused,
            "failing": failing,
            "pyav_sorted_by_pts_right": peer,
            "pyav_sorted_by_pts_failing": peer_fails,
        },
        f"all of at least {LEAST} files in order, within half an interval of the true time, or"
        " refused",
        not failing and len(videos) >= LEAST,
        headline=f"{right} of {len(videos)} files right (PyAV sorted by pts: {peer})",
    )


def peer_fault(path: Path, truth: Truth) -> str:
    """What is wrong with the frames that PyAV decodes, sorted by pts, times from the first."""
    shown: list[tuple[float, int | None]] = []
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                seconds = 0.0 if frame.time is None else frame.time
                shown.append((seconds, number_of(frame.to_ndarray(format="rgb24"))))
    except av.error.FFmpegError as error:
        if truth.refused:
            return ""
        if not shown:
            return str(error)
    shown.sort(key=lambda frame: frame[0])
    shown = [(time - shown[0][0], number) for time, number in shown]
    if truth.begun_late:
        truth = truth.begun_at(shown[0][1])
    return compare(shown, truth)


if __name__ == "__main__":
    sys.exit(main())
