"""The frames of a clip that make one example: the whole clip resampled, a window of it, or a window
in each of its segments.

Segments: GESTURES (Pérez-García et al., MICCAI 2021): n equal segments, the position in a segment
sampled from Beta(gamma, gamma) in training, the centre at test [T].
"""

import math

import numpy as np

from semiology.models.training.clips import nearest
from semiology.models.training.reading import Reading


def segment_starts(
    frames: int, snippet: int, segments: int, gamma: float, rng: np.random.Generator | None
) -> np.ndarray:
    """First frames of `segments` snippets of `snippet` frames each, in a video of `frames` frames:
    (segment,) integers, in order.

    A snippet lies wholly inside its segment, at a fraction u of its possible starts: u is sampled
    from Beta(gamma, gamma) with `rng`, and is one half without. gamma = 1 is uniform over the room;
    the larger gamma, the closer to the centre; infinity is the centre; towards 0 the segment's two
    ends.

    A video too short for that (a segment shorter than a snippet) has every snippet at its segment's
    centre, moved into the video where it would stick out: snippets then overlap, or repeat, and
    nothing is random [our choice; the authors' code refuses such a video].

    Raises:
        ValueError: the video is shorter than one snippet; segments or gamma are not positive.
    """
    if not 1 <= snippet <= frames:
        raise ValueError(f"a video of {frames} frames holds no snippet of {snippet}")
    if segments < 1 or not gamma > 0:
        raise ValueError(f"segments {segments} and gamma {gamma:g} have to be positive")
    edges = np.arange(segments + 1) * frames // segments  # the segments' first frames, and the end
    first, last = edges[:-1], edges[1:] - snippet  # of the starts that a segment allows
    if (last < first).any():
        return np.clip((first + last) // 2, 0, frames - snippet)
    share = (
        rng.beta(gamma, gamma, segments)
        if rng is not None and not math.isinf(gamma)
        else np.full(segments, 0.5)
    )
    return first + np.round(share * (last - first)).astype(int)


def scoring_shares(reading: Reading, length: int) -> list[float]:
    """Starts of the windows by which a clip of `length` frames is scored, as fractions of the
    possible starts: 0 first, 1 last.
    """
    room = length - reading.window
    if reading.whole or room <= 0:
        return [0.0]
    if reading.segments:
        return [0.5]  # one example covers the clip, every window at its segment's centre
    count = min(reading.windows, 1 + -(-room // reading.window))
    return np.linspace(0, 1, count).tolist() if count > 1 else [0.5]


def example_rows(
    reading: Reading,
    length: int,
    share: float | None,
    rng: np.random.Generator | None,
    crop: float = 1.0,
) -> np.ndarray:
    """Positions in a clip of `length` frames: (window,), or (segment, window) where the reading
    divides the clip; -1 beyond its end.

    A clip shorter than a window is padded at its end; with segments, each of them then holds the
    same window.

    Args:
        reading: whole clip, window or segments.
        length: frames of the clip at the reading's rate.
        share: where a window starts, see `scoring_shares`; None samples it.
        rng: for training; None takes what is scored.
        crop: smallest proportion of the clip that remains in training where the whole clip is
            resampled, to fractional positions.
    """
    window = reading.window
    if reading.whole:
        start, part = 0.0, 1.0
        if rng is not None:
            part = rng.uniform(crop, 1)
            start = rng.uniform(0, 1 - part)
        return np.linspace(start, start + part, window) * (length - 1)
    room = max(length - window, 0)
    if reading.segments:
        first = segment_starts(window + room, window, reading.segments, reading.gamma, rng)[:, None]
    elif share is not None:
        first = np.array([round(share * room)])
    else:
        first = rng.integers(room + 1, size=1)  # type: ignore[union-attr]
    rows = first + np.arange(window, dtype=float)
    return np.where(rows < length, rows, -1)


def nearest_snippet(starts: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which of the snippets starts nearest to each wanted frame, the earlier of two; and whether it
    is nearer than the next one would be.

    Args:
        starts: (snippet,) first frames, ascending.
        wanted: frames, of any shape; so are the two results.
    """
    own = nearest(starts, wanted)
    stride = np.median(np.diff(starts)) if len(starts) > 1 else np.inf
    return own, np.abs(starts[own] - wanted) <= stride
