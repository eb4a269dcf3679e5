"""From a video's frames to the vectors of its snippets, in one pass and bounded memory."""

from collections import deque
from collections.abc import Iterable

import numpy as np

from semiology.models.features.pictures import RATE, prepare_picture, whole_snippet
from semiology.models.features.snippets import SnippetNetwork
from semiology.video import Frame


def snippet_features(
    frames: Iterable[Frame], network: SnippetNetwork, *, length: int, stride: int, batch: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """Vectors (snippet, channel) float32 and each snippet's start (snippet,) in s from the first frame.

    A snippet of `length` frames begins at every `stride`-th frame, as long as a whole one is left. One of which the video lacks more than
    half is a row of NaN; see `whole_snippet`. A video shorter than one snippet has no row. Memory holds `length` small pictures, `batch`
    snippets, and the vectors.

    Args:
        frames: at 15 Hz, as `read_frames(path, start, end, RATE)` gives them.
    """
    recent: deque[np.ndarray | None] = deque(maxlen=length)
    rows: list[np.ndarray] = []
    waiting: list[np.ndarray] = []
    empty = np.full(network.channels, np.nan, np.float32)
    places: list[int] = []  # of the rows that wait for the network

    def flush() -> None:
        if waiting:
            for place, vector in zip(places, network.embed(np.stack(waiting))):
                rows[place] = vector
            waiting.clear()
            places.clear()

    for count, frame in enumerate(frames, 1):
        recent.append(None if frame.image is None else prepare_picture(frame.image))
        if count >= length and (count - length) % stride == 0:
            snippet = whole_snippet(list(recent))
            if snippet is not None:
                waiting.append(snippet)
                places.append(len(rows))
            rows.append(empty)
            if len(waiting) == batch:
                flush()
    flush()
    return np.array(rows, np.float32).reshape(-1, network.channels), np.arange(len(rows)) * stride / RATE
