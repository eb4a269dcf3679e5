"""What models said of recordings whose participant they had not seen, against what is marked: by
frame, by event, with intervals.

Are the found events the marked ones? Counted at a stated overlap, as the literature of action
segmentation has it.

Source: Lea et al., Temporal Convolutional Networks for Action Segmentation and Detection, CVPR
2017: F1 of segments at an overlap of 10, 25 and 50 %. A found event is right where its intersection
over union with a marked one of the same sign reaches the threshold; each marked event can be found
once, further finds of it are wrong. A sign cut into ten pieces therefore costs, which frame-wise
accuracy does not see.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from semiology.data.preprocessing import unbroken_runs
from semiology.evaluation.statistics.comparison import difference, estimate, estimate_json, number
from semiology.evaluation.statistics.intervals import (
    bca_interval,
    difference_interval,
    draw_participants,
    leave_one_out,
)
from semiology.evaluation.statistics.metrics import recall
from semiology.evaluation.statistics.out_of_fold import OutOfFold
from semiology.timeline.events import Event, Hysteresis, find_events, score_events
from semiology.timeline.localise.recordings import LEFT_OUT, Recording, participants

THRESHOLDS = (0.1, 0.25, 0.5)


def temporal_iou(one: Event, other: Event) -> float:
    """Intersection over union of two stretches of time, 0 to 1."""
    shared = min(one.offset, other.offset) - max(one.onset, other.onset)
    union = max(one.offset, other.offset) - min(one.onset, other.onset)
    return max(shared, 0.0) / union if union > 0 else float(one.onset == other.onset)


def count_matches(marked: Sequence[Event], found: Sequence[Event], threshold: float) -> np.ndarray:
    """(3,) found rightly, found wrongly, missed.

    Found events are taken in order of time, each with the marked event of its sign that it overlaps
    most; that is right where the overlap reaches the threshold and no earlier one took it [as Lea
    et al. count].
    """
    taken: set[int] = set()
    for event in sorted(found, key=lambda event: event.onset):
        overlaps = [
            temporal_iou(event, other) if other.sign == event.sign else -1.0 for other in marked
        ]
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
    """The events that do not lie by half or more in these stretches (start, end; s) of time that
    nobody can judge.
    """
    kept = []
    for event in events:
        hidden = sum(
            max(min(event.offset, end) - max(event.onset, start), 0.0) for start, end in stretches
        )
        if hidden < event.duration / 2 or event.duration == 0:
            kept.append(event)
    return kept


Answers = Mapping[
    str, np.ndarray
]  # clip_id -> (time, level) probabilities by frame, NaN where not assessable

BY_FRAME = ("accuracy", "f1")
DRAWS = 2000


def events_of(
    probabilities: np.ndarray, levels: Sequence[str], rate: float, hysteresis: Hysteresis
) -> list[Event]:
    """Events of each sign (every level but the first) in probabilities (time, level), by
    hysteresis.
    """
    frames = range(len(probabilities))
    found = []
    for place, sign in enumerate(levels[1:], 1):
        windows = ((t / rate, (t + 1) / rate, _known(probabilities[t, place])) for t in frames)
        found += find_events(windows, hysteresis, sign)
    return sorted(found, key=lambda event: event.onset)


def judge(
    recordings: Sequence[Recording],
    models: Mapping[str, Answers],
    levels: list[str],
    rate: float,
    hysteresis: Hysteresis,
    seed: int = 0,
) -> dict[str, Any]:
    """The content of metrics.json, see docs/localise.md.

    Frames count that are judged and that every model could assess, the same for all. Accuracy and
    macro F1 over levels pool all frames; event F1 pools all events; intervals draw whole
    participants. Differences are the last model minus each other one, on the same people.

    Args:
        models: name -> what it said.
        levels: "none" first.
        rate: frames per second, Hz.
    """
    people = participants(recordings)
    counted = {recording.clip_id: recording.truth != LEFT_OUT for recording in recordings}
    for answers in models.values():
        for clip_id, probabilities in answers.items():
            counted[clip_id] = counted[clip_id] & np.isfinite(probabilities).all(axis=1)
    weights = draw_participants(len(people), DRAWS, seed)
    by_frame = {
        name: _out_of_fold(recordings, answers, counted) for name, answers in models.items()
    }
    counts = {
        name: _event_counts(recordings, answers, levels, rate, hysteresis)
        for name, answers in models.items()
    }
    last = list(models)[-1]
    judged_frames = sum(int(frames.sum()) for frames in counted.values())
    return {
        "levels": levels,
        "participants": people,
        "recordings": len(recordings),
        "events": sum(len(recording.events) for recording in recordings),
        "frames": {
            "all": sum(len(recording.truth) for recording in recordings),
            "judged": judged_frames,
            "not_judgeable": sum(
                int((recording.truth == LEFT_OUT).sum()) for recording in recordings
            ),
            "share_by_level": _shares(recordings, counted, levels),
        },
        "models": {
            name: {
                "frames": {
                    metric: _without_seeds(estimate(by_frame[name], metric, weights))
                    for metric in BY_FRAME
                },
                "by_level": _by_level(by_frame[name], levels),
                "events": {
                    label: _stated_f1(counts[name][:, place], weights)
                    for place, label in enumerate(_labels())
                },
                "by_participant": {
                    person: {
                        "accuracy": number(
                            by_frame[name].metric("accuracy", np.eye(len(people)))[0, place]
                        ),
                        "f1@0.5": number(
                            f1_of_counts(counts[name][place, _labels().index("f1@0.5")])
                        ),
                    }
                    for place, person in enumerate(people)
                },
            }
            for name in models
        },
        "differences": [
            {
                "a": last,
                "b": other,
                "accuracy": _frame_difference(by_frame[last], by_frame[other], weights, seed),
                "events": {
                    label: _f1_difference(counts[last][:, place], counts[other][:, place], weights)
                    for place, label in enumerate(_labels())
                },
            }
            for other in list(models)[:-1]
        ],
    }


def _labels() -> list[str]:
    return [*(f"f1@{threshold:g}" for threshold in THRESHOLDS), "f1@any"]


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _out_of_fold(
    recordings: Sequence[Recording], answers: Answers, counted: Mapping[str, np.ndarray]
) -> OutOfFold:
    """The counted frames of all recordings as the statistics take clips."""
    people = participants(recordings)
    taken = [
        (recording, answers[recording.clip_id], counted[recording.clip_id])
        for recording in recordings
    ]
    probability = np.concatenate([probabilities[frames] for _, probabilities, frames in taken])
    return OutOfFold(
        tuple(people),
        (0,),
        np.concatenate(
            [
                np.full(frames.sum(), people.index(recording.participant_id))
                for recording, _, frames in taken
            ]
        ),
        np.concatenate([recording.truth[frames] for recording, _, frames in taken]),
        probability.argmax(1)[None],
        probability[None],
    )


def _event_counts(
    recordings: Sequence[Recording],
    answers: Answers,
    levels: list[str],
    rate: float,
    hysteresis: Hysteresis,
) -> np.ndarray:
    """(participant, way of counting, 3): found rightly, found wrongly, missed, summed over a
    participant's recordings.
    """
    people = participants(recordings)
    counts = np.zeros((len(people), len(_labels()), 3))
    for recording in recordings:
        found = outside(
            events_of(answers[recording.clip_id], levels, rate, hysteresis),
            left_out_stretches(recording.truth, rate),
        )
        by_overlap = [count_matches(recording.events, found, threshold) for threshold in THRESHOLDS]
        by_any = [_any_overlap(recording, found, sign, rate) for sign in levels[1:]]
        counts[people.index(recording.participant_id)] += [*by_overlap, np.sum(by_any, axis=0)]
    return counts


def _any_overlap(
    recording: Recording, found: Sequence[Event], sign: str, rate: float
) -> list[float]:
    """The same of one sign where any overlap counts, as the seizure-detection community has it; see
    `semiology.timeline.events.score_events`.
    """
    marked, called = (
        [event for event in events if event.sign == sign] for events in (recording.events, found)
    )
    counts = score_events(marked, called, len(recording.truth) / rate).counts
    return [counts.hits, counts.false_alarms, counts.events - counts.hits]


def left_out_stretches(truth: np.ndarray, rate: float) -> list[tuple[float, float]]:
    """(start, end) in s of each run of frames that nobody can judge."""
    return [(run.start / rate, run.stop / rate) for run in unbroken_runs(truth == LEFT_OUT)]


def _shares(
    recordings: Sequence[Recording], counted: Mapping[str, np.ndarray], levels: list[str]
) -> dict[str, float]:
    frames = np.concatenate(
        [recording.truth[counted[recording.clip_id]] for recording in recordings]
    )
    return dict(
        zip(
            levels,
            (np.bincount(frames, minlength=len(levels)) / max(len(frames), 1)).round(4).tolist(),
        )
    )


def _by_level(model: OutOfFold, levels: list[str]) -> dict[str, dict[str, float | None]]:
    """Level -> share of its frames that were given it, and F1 of its frames."""
    confusion = model.confusion[0].sum(0)
    hits, marked, given = np.diagonal(confusion), confusion.sum(1), confusion.sum(0)
    counts = np.stack([hits, given - hits, marked - hits], axis=1)
    return {
        level: {"recall": number(own_recall), "f1": number(own_f1)}
        for level, own_recall, own_f1 in zip(levels, recall(confusion), f1_of_counts(counts))
    }


def _stated_f1(counts: np.ndarray, weights: np.ndarray) -> dict[str, Any]:
    """Event F1 of counts (participant, 3) with its interval."""
    value = float(f1_of_counts(counts.sum(0)))
    left_out = f1_of_counts(leave_one_out(len(counts)) @ counts)
    found = estimate_json(
        value, bca_interval(value, f1_of_counts(weights @ counts), left_out, len(counts))
    )
    return found | dict(zip(("right", "wrong", "missed"), counts.sum(0).astype(int).tolist()))


def _f1_difference(a: np.ndarray, b: np.ndarray, weights: np.ndarray) -> dict[str, Any]:
    value = float(f1_of_counts(a.sum(0)) - f1_of_counts(b.sum(0)))
    drawn = f1_of_counts(weights @ a) - f1_of_counts(weights @ b)
    return estimate_json(value, difference_interval(value, drawn, len(a), 1.0))


def _frame_difference(a: OutOfFold, b: OutOfFold, weights: np.ndarray, seed: int) -> dict[str, Any]:
    """Without McNemar's p, which would take neighbouring frames as independent."""
    found = difference(a, b, "accuracy", weights, seed)
    return {name: value for name, value in found.items() if name not in ("mcnemar_p", "seeds")}


def _without_seeds(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != "seeds"}
