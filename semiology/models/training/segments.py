"""Where in a video of any length its snippets are taken: equal segments, one snippet each.

Source: GESTURES (Pérez-García et al., MICCAI 2021): n equal segments, the place inside a segment drawn from Beta(gamma, gamma) in training,
the centre at test [T].
"""

import math

import numpy as np


def segment_starts(frames: int, snippet: int, segments: int, gamma: float, rng: np.random.Generator | None) -> np.ndarray:
    """First frames of `segments` snippets of `snippet` frames each, in a video of `frames` frames: (segment,) integers, in order.

    A snippet lies wholly inside its segment, a share u of the room that it has there: u is drawn from Beta(gamma, gamma) with `rng`, and
    is one half without. gamma = 1 is uniform over the room; the larger gamma, the closer to the centre; infinity is the centre; towards 0
    the segment's two ends.

    A video too short for that (a segment shorter than a snippet) has every snippet at its segment's centre, moved into the video where it
    would stick out: snippets then overlap, or repeat, and nothing is random [our choice; the authors' code refuses such a video].

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
    share = rng.beta(gamma, gamma, segments) if rng is not None and not math.isinf(gamma) else np.full(segments, 0.5)
    return first + np.round(share * (last - first)).astype(int)
