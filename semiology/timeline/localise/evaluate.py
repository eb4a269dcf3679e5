"""Evaluation of out-of-fold predictions against annotations: by frame and by event, with intervals
over participants.

Event F1 is that of action segmentation (Lea et al., Temporal Convolutional Networks for Action
Segmentation and Detection, CVPR 2017) at an overlap of 10, 25 and 50 %: a detected event is correct
where its intersection over union with an annotated one of the same sign reaches the threshold; each
annotated event can be detected once, further detections of it are wrong. It therefore penalises a
sign that is split into pieces, which frame-wise accuracy does not.
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
    """Intersection over union of the times of two events, 0 to 1."""
    shared = min(one.offset, other.offset) - max(one.onset, other.onset)
    union = max(one.offset, other.offset) - min(one.onset, other.onset)
    return max(shared, 0.0) / union if union > 0 else float(one.onset == other.onset)


def count_matches(marked: Sequence[Event], found: Sequence[Event], threshold: float) -> np.ndarray:
    """(3,) true positives, false positives, false negatives.

    Detected events are matched in order of time, each with the annotated event of its sign that it
    overlaps most; the match is correct where the overlap reaches the threshold and the annotated
    event is still free [as Lea et al. count].
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
    """F1 = 2 TP / (2 TP + FP + FN) of counts (..., 3); NaN where all counts are 0."""
    right, wrong, missed = np.moveaxis(np.asarray(counts, dtype=float), -1, 0)
    below = 2 * right + wrong + missed
    return np.divide(2 * right, below, out=np.full(np.shape(below), np.nan), where=below > 0)


def assessable_events(
    events: Sequence[Event], excluded: Sequence[tuple[float, float]]
) -> list[Event]:
    """The events of which less than half lies in excluded time, (start, end) in s."""
    assessable = []
    for event in events:
        hidden = sum(
            max(min(event.offset, end) - max(event.onset, start), 0.0) for start, end in excluded
        )
        if hidden < event.length / 2 or event.duration == 0:
            assessable.append(event)
    return assessable


# clip_id -> (time, level) probabilities by frame, NaN where not assessable
Predictions = Mapping[str, np.ndarray]

BY_FRAME = ("accuracy", "f1")
DRAWS = 2000


def events_of(
    probabilities: np.ndarray, levels: Sequence[str], rate: float, hysteresis: Hysteresis
) -> list[Event]:
    """Events of each sign (every class but the first) from probabilities (time, level), by
    hysteresis.
    """
    frames = range(len(probabilities))
    found = []
    for place, sign in enumerate(levels[1:], 1):
        windows = ((t / rate, (t + 1) / rate, _known(probabilities[t, place])) for t in frames)
        found += find_events(windows, hysteresis, sign)
    return sorted(found, key=lambda event: event.onset)


def evaluate_predictions(
    recordings: Sequence[Recording],
    models: Mapping[str, Predictions],
    levels: list[str],
    rate: float,
    hysteresis: Hysteresis,
    seed: int = 0,
) -> dict[str, Any]:
    """Evaluate the models; returns the content of metrics.json, see docs/localise.md.

    The frames are those that are not excluded and that every model could assess, the same for all
    models. Accuracy and macro F1 over classes pool all frames; event F1 pools all events; intervals
    resample whole participants. Differences are the last model minus each other one, on the same
    participants.

    Args:
        recordings: with annotations.
        models: name -> its out-of-fold predictions.
        levels: classes, "none" first.
        rate: frames per second, Hz.
        hysteresis: from probabilities to events.
        seed: of the bootstrap.
    """
    people = participants(recordings)
    counted = {recording.clip_id: recording.truth != LEFT_OUT for recording in recordings}
    for predictions in models.values():
        for clip_id, probabilities in predictions.items():
            counted[clip_id] = counted[clip_id] & np.isfinite(probabilities).all(axis=1)
    weights = draw_participants(len(people), DRAWS, seed)
    by_frame = {
        name: _out_of_fold(recordings, predictions, counted) for name, predictions in models.items()
    }
    counts = {
        name: _event_counts(recordings, predictions, levels, rate, hysteresis)
        for name, predictions in models.items()
    }
    last = list(models)[-1]
    evaluated_frames = sum(int(frames.sum()) for frames in counted.values())
    return {
        "levels": levels,
        "participants": people,
        "recordings": len(recordings),
        "events": sum(len(recording.events) for recording in recordings),
        "frames": {
            "all": sum(len(recording.truth) for recording in recordings),
            "judged": evaluated_frames,
            "not_judgeable": sum(
                int((recording.truth == LEFT_OUT).sum()) for recording in recordings
            ),
            "share_by_level": _fractions(recordings, counted, levels),
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
    recordings: Sequence[Recording], predictions: Predictions, counted: Mapping[str, np.ndarray]
) -> OutOfFold:
    """The evaluated frames of all recordings, in the place of clips."""
    people = participants(recordings)
    taken = [
        (recording, predictions[recording.clip_id], counted[recording.clip_id])
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
    predictions: Predictions,
    levels: list[str],
    rate: float,
    hysteresis: Hysteresis,
) -> np.ndarray:
    """(participant, overlap criterion, 3) true positives, false positives and false negatives,
    summed over a participant's recordings.
    """
    people = participants(recordings)
    counts = np.zeros((len(people), len(_labels()), 3))
    for recording in recordings:
        found = assessable_events(
            events_of(predictions[recording.clip_id], levels, rate, hysteresis),
            excluded_time(recording.truth, rate),
        )
        by_overlap = [count_matches(recording.events, found, threshold) for threshold in THRESHOLDS]
        by_any = [_any_overlap(recording, found, sign, rate) for sign in levels[1:]]
        counts[people.index(recording.participant_id)] += [*by_overlap, np.sum(by_any, axis=0)]
    return counts


def _any_overlap(
    recording: Recording, found: Sequence[Event], sign: str, rate: float
) -> list[float]:
    """The same counts of one sign where any overlap counts, as in seizure detection; see
    `semiology.timeline.events.score_events`.
    """
    annotated, detected = (
        [event for event in events if event.sign == sign] for events in (recording.events, found)
    )
    counts = score_events(annotated, detected, len(recording.truth) / rate).counts
    return [counts.hits, counts.false_alarms, counts.events - counts.hits]


def excluded_time(truth: np.ndarray, rate: float) -> list[tuple[float, float]]:
    """(start, end) in s of each run of frames that are `LEFT_OUT`."""
    return [(run.start / rate, run.stop / rate) for run in unbroken_runs(truth == LEFT_OUT)]


def _fractions(
    recordings: Sequence[Recording], counted: Mapping[str, np.ndarray], levels: list[str]
) -> dict[str, float]:
    """Class -> fraction of the evaluated frames."""
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
    """Class -> recall TP / (TP + FN) and F1 of its frames."""
    confusion = model.confusion[0].sum(0)
    hits, marked, given = np.diagonal(confusion), confusion.sum(1), confusion.sum(0)
    counts = np.stack([hits, given - hits, marked - hits], axis=1)
    return {
        level: {"recall": number(own_recall), "f1": number(own_f1)}
        for level, own_recall, own_f1 in zip(levels, recall(confusion), f1_of_counts(counts))
    }


def _stated_f1(counts: np.ndarray, weights: np.ndarray) -> dict[str, Any]:
    """Event F1 of counts (participant, 3), with its interval and the summed counts."""
    value = float(f1_of_counts(counts.sum(0)))
    left_out = f1_of_counts(leave_one_out(len(counts)) @ counts)
    found = estimate_json(
        value, bca_interval(value, f1_of_counts(weights @ counts), left_out, len(counts))
    )
    return found | dict(zip(("right", "wrong", "missed"), counts.sum(0).astype(int).tolist()))


def _f1_difference(a: np.ndarray, b: np.ndarray, weights: np.ndarray) -> dict[str, Any]:
    value = float(f1_of_counts(a.sum(0)) - f1_of_counts(b.sum(0)))
    resampled = f1_of_counts(weights @ a) - f1_of_counts(weights @ b)
    return estimate_json(value, difference_interval(value, resampled, len(a), 1.0))


def _frame_difference(a: OutOfFold, b: OutOfFold, weights: np.ndarray, seed: int) -> dict[str, Any]:
    """Difference of accuracies, without McNemar's test, which assumes independent frames."""
    found = difference(a, b, "accuracy", weights, seed)
    return {name: value for name, value in found.items() if name not in ("mcnemar_p", "seeds")}


def _without_seeds(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != "seeds"}
