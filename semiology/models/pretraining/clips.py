"""Labelled videos in class folders to snippets: small pictures in a file without a name, so that memory does not grow with the videos."""

from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from tqdm import tqdm

from semiology.errors import UserError
from semiology.models.features.pictures import RATE, SIZE, prepare_picture
from semiology.models.pretraining.folders import class_files, hold_out
from semiology.video import VideoError, read_frames


@dataclass(frozen=True)
class LabelledClips:
    """Small pictures of many videos, and the snippets that are cut from them.

    Attributes:
        pictures: (picture, 112, 112, 3) uint8, all videos one after the other, at 15 Hz; a file mapped into memory.
        starts: (snippet,) its first picture. spans: (snippet, 2) its video's first picture, and the one after its last.
        labels: (snippet,) number of the class. held_out: (snippet,) whether its video is held out.
        classes: their names. length: frames of a snippet. files: videos that were used.
        failed: (which file, what was wrong) of the others.
    """

    pictures: np.ndarray
    starts: np.ndarray
    spans: np.ndarray
    labels: np.ndarray
    held_out: np.ndarray
    classes: list[str]
    length: int
    files: int
    failed: list[tuple[str, str]]

    def cut(self, rows: np.ndarray, shift: np.ndarray | None = None) -> np.ndarray:
        """(row, time, 112, 112, 3) uint8: the snippets of `rows`, moved by `shift` frames as far as their videos go."""
        first = self.starts[rows] if shift is None else self.starts[rows] + shift
        first = np.clip(first, self.spans[rows, 0], self.spans[rows, 1] - self.length)
        return np.stack([self.pictures[start : start + self.length] for start in first])


def read_clips(
    source: str | Path, held: IO[bytes], *, length: int, per_file: int | None, held_out: float, seed: int, progress: bool = True
) -> LabelledClips:
    """Read every file of the class folders; one that is no video, or too short, is listed and the others go on.

    A file gives as many snippets as fit into it one after the other, or `per_file`, at equal distances. A hole in a video repeats the last
    frame seen; a file with more holes than frames is not used. Files are told by their class and their place in the order of names, since
    names of videos may name people.

    Args:
        held: an open file that takes the pictures (38 kB each) and must outlive what is returned.

    Raises:
        UserError: no folder, no file that can be used, a class without one to train on.
    """
    source = Path(source)
    if not source.is_dir():
        raise UserError(f"{source}: not there, or not a folder of class folders")
    found = class_files(source)
    if not found:
        raise UserError(f"{source}: no videos in class folders (such as {source.name}/walking/1.mp4)")
    classes = sorted({name for _, name, _ in found})
    counts: dict[str, int] = {}
    used: list[tuple[int, int, str, bool]] = []  # first picture, number of pictures, class, whether held out
    failed = []
    total = 0
    for path, name, apart in tqdm(found, unit="video", disable=not progress):
        counts[name] = counts.get(name, 0) + 1
        try:
            frames = _write_pictures(path, held, length)
        except VideoError as error:
            held.truncate(total * SIZE * SIZE * 3)
            held.seek(0, 2)
            failed.append((f"{name}, file {counts[name]} by name", error.fault))
            continue
        used.append((total, frames, name, apart))
        total += frames
    if not used:
        raise UserError(f"{source}: none of {len(found)} files can be used; {failed[0][0]}: {failed[0][1]}")
    held.flush()
    labels = np.array([classes.index(name) for _, _, name, _ in used])
    out = hold_out(source, labels, [apart for *_, apart in used], classes, held_out, seed, "video")
    many = [min(per_file or frames, frames // length) for _, frames, _, _ in used]
    starts = [first + np.linspace(0, frames - length, count).round().astype(int) for (first, frames, _, _), count in zip(used, many)]
    spans = np.array([(first, first + frames) for first, frames, _, _ in used])
    pictures = np.memmap(held, np.uint8, "r", shape=(total, SIZE, SIZE, 3))
    return LabelledClips(
        *(pictures, np.concatenate(starts), spans.repeat(many, 0), labels.repeat(many), out.repeat(many)),
        *(classes, length, len(used), failed),
    )


def _write_pictures(path: Path, held: IO[bytes], length: int) -> int:
    """Append a video's small pictures; how many."""
    frames = seen = 0
    last: bytes | None = None
    for frame in read_frames(path, fps=RATE):
        frames += 1
        if frame.image is not None:
            fresh = prepare_picture(frame.image).tobytes()
            held.write(fresh * (frames if last is None else 1))  # holes at the beginning show the first that is seen
            last = fresh
            seen += 1
        elif last is not None:
            held.write(last)
    if frames < length:
        raise VideoError(path, f"has {frames} frames at {RATE:g} Hz, a snippet needs {length}; leave it out, or give --frames {frames}")
    if 2 * seen < frames:
        raise VideoError(path, f"more than half of its frames are damaged or missing ({frames - seen} of {frames})")
    return frames
