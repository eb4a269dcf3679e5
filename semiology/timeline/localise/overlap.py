"""Are the found events the marked ones? Counted at a stated overlap, as the literature of action segmentation has it.

Source: Lea et al., Temporal Convolutional Networks for Action Segmentation and Detection, CVPR 2017: F1 of segments at an overlap of 10, 25
and 50 %. A found event is right where its intersection over union with a marked one of the same sign reaches the threshold; each marked
event can be found once, further finds of it are wrong. A sign cut into ten pieces therefore costs, which frame-wise accuracy does not see.
"""

from collections.abc import Sequence

import numpy as np

from semiology.timeline.events import Event

THRESHOLDS = (0.1, 0.25, 0.5)


def temporal_iou(one: Event, other: Event) -> float:
    """Intersection over union of two stretches of time, 0 to 1."""
    shared = min(one.offset, other.offset) - max(one.onset, other.onset)
    union = max(one.offset, other.offset) - min(one.onset, other.onset)
    return max(shared, 0.0) / union if union > 0 else float(one.onset == other.onset)


def count_matches(marked: Sequence[Event], found: Sequence[Event], threshold: float) -> np.ndarray:
    """(3,) found rightly, found wrongly, missed.

    Found events are taken in order of time, each with the marked event of its sign that it overlaps most; that is right where the overlap
    reaches the threshold and no earlier one took it [as Lea et al. count].
    """
    taken: set[int] = set()
    for event in sorted(found, key=lambda event: event.onset):
        overlaps = [temporal_iou(event, other) if other.sign == event.sign else -1.0 for other in marked]
        best = int(np.argmax(overlaps)) if overlaps else -1
        if best >= 0 and overlaps[best] >= threshold and best not in taken:
            taken.add(best)
    return np.array([len(taken), len(found) - len(taken), len(marked) - len(taken)], dtype=float)


def f1_of_counts(counts: np.ndarray) -> np.ndarray:
    """2 TP / (2 TP + FP + FN) of counts (..., 3); NaN where nothing is marked and nothing found."""
    right, wrong, missed = np.moveaxis(np.asarray(counts, dtype=float), -1, 0)
    below = 2 * right + wrong + missed
    return np.divide(2 * right, below, out=np.full(np.shape(below), np.nan), where=below > 0)


def outside(events: Sequence[Event], stretches: Sequence[tuple[float, float]]) -> list[Event]:
    """The events that do not lie by half or more in these stretches (start, end; s) of time that nobody can judge."""
    kept = []
    for event in events:
        hidden = sum(max(min(event.offset, end) - max(event.onset, start), 0.0) for start, end in stretches)
        if hidden < event.duration / 2 or event.duration == 0:
            kept.append(event)
    return kept
