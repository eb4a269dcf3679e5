"""A video of any length, a file that grows or a camera in, each sign's probability and events over
time out: one pass, bounded memory.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from semiology.data.store import make_key
from semiology.errors import UserError
from semiology.models.training.clips import prepare
from semiology.models.training.saved import SavedModel
from semiology.timeline.events import Event
from semiology.timeline.predict import (
    Windows,
    check_trackers,
    find_models,
    probabilities,
    snippet_probabilities,
)
from semiology.timeline.stream.buffers import Recent, RecentSnippets, recent_snippets, snippets_key
from semiology.timeline.stream.options import TimelineOptions, model_digest, thresholds_of
from semiology.timeline.stream.patient import OnlinePatient
from semiology.timeline.stream.record import Record
from semiology.timeline.stream.signs import Row, Sign
from semiology.timeline.stream.sources import Source, open_source
from semiology.timeline.stream.tracking import (
    NoTracking,
    Stretches,
    Tracked,
    nobody,
    sighted,
    tracked,
)
from semiology.tracking.extraction import ExtractOptions
from semiology.tracking.extraction.tracks import backend, face_detector
from semiology.tracking.patient import FaceDetector, Faces, PatientLocation
from semiology.tracking.pose.base import KeypointRCNNOptions, PoseBackend

SCHEMA = 2  # raise when the same input gives other results than before
FACES_EVERY = 0.48  # s between looks for faces, as in extraction. [our choice]
LATENCIES = 100_000  # so many of the last windows' latencies are kept for the summary


def timeline(
    source: str,
    model: Path,
    out: Path | None = None,
    options: TimelineOptions | None = None,
    pose: str = "mediapipe",
    keypoint_rcnn: KeypointRCNNOptions | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Go once through a video of any length with a run's models: the probability of each sign in
    sliding windows, and when a sign is there.

    Writes OUT/timeline.csv, events.tsv, events.json, timeline.json, timeline.png as it goes. A run
    that was stopped goes on from its last block, with the same result byte for byte. Memory does
    not grow with the video. Nothing here is a diagnosis.

    Args:
        source: a video; with --growing one that is still being written; or a camera's address
            (rtsp, rtsps, http, https, udp).
        model: folder of a run (its models trained on all participants are used, the distilled AGCN
            where there is one), or of one model.
        out: folder of the results; by default the video's name in the current folder.
        options: windows, rates, thresholds, waits.
        pose: the pose backend; the one whose tracks the models learned from.
        keypoint_rcnn: its options, where it is keypoint-rcnn.
        progress: show how far it is.

    Returns:
        The content of timeline.json; `complete` is False where the source broke off.

    Raises:
        UserError: the source cannot be read, the run holds no models or models that learned from
            another backend's tracks, options that make no sense, a folder that holds the timeline
            of another video, a camera's that holds any.
    """
    options = options or TimelineOptions()
    models = find_models(model, snippets=True)
    check_trackers(models, pose)
    for task, saved in models.items():
        if options.fps < saved.reading.rate - 1e-6:
            raise UserError(
                f"{task}: the model reads {saved.reading.rate:g} frames a second; set fps to that"
                f" or more, not {options.fps:g}"
            )
    thresholds, tuned = thresholds_of(models, options.thresholds)
    video = open_source(source, options.fps, options.growing, options.stall)
    tracks = any(saved.reading.part != "frame" for saved in models.values())
    tracker = (
        backend(ExtractOptions(pose=pose, keypoint_rcnn=keypoint_rcnn or KeypointRCNNOptions()))
        if tracks
        else NoTracking()
    )
    signs = [
        Sign(
            task,
            saved,
            Windows(options.length or float(saved.about["seconds"]), options.step),
            options.fps,
            thresholds[task],
        )
        for task, saved in models.items()
    ]
    folder = (
        Path(out)
        if out is not None
        else Path((Path(source).stem if not video.live else "camera") + "_timeline")
    )
    identity = video.identity()  # reads the whole file
    key = make_key(
        {
            "timeline": SCHEMA,
            "video": identity,
            "models": {task: model_digest(saved) for task, saved in models.items()},
            "options": options.key(),
            "thresholds": {
                task: {level: asdict(each) for level, each in levels.items()}
                for task, levels in thresholds.items()
            },
            "pose": tracker.parameters(),
            "faces": FaceDetector.parameters() if tracks else None,
            "snippets": snippets_key(models, options),
        }
    )
    record = Record(folder, key, identity)
    if video.live and record.begun():
        raise UserError(
            f"{folder}: holds a timeline already, and a camera cannot be seen again; name another"
            " folder (--out)"
        )
    if (result := record.finished(video.size())) is not None:
        return result
    course = Course(
        signs,
        face_detector() if tracks else nobody,
        tracker,
        options.fps,
        record,
        recent_snippets(signs, options),
    )
    course.begin(options.block)
    ended = course.follow(video, progress)
    result = {
        "note": (
            "Research software, not a medical device. Probabilities come from models trained on the"
            " run's participants."
        ),
        "complete": ended is None,
        "ended": ended or course.remark(video),
        "source_bytes": video.size(),
        "signs": {
            sign.task: {
                "label": sign.saved.reading.label,
                "levels": sign.saved.levels,
                "windows": {"length_s": sign.windows.length, "step_s": sign.windows.step},
                "thresholds": {
                    level: asdict(each) for level, each in thresholds[sign.task].items()
                },
                "tuned": tuned,
            }
            for sign in signs
        },
        "fps": options.fps,
        **course.summary(video),
    }
    course.close(result)
    return result


class Course:
    """The run through a video: everything that is remembered from frame to frame and from block to
    block.
    """

    def __init__(
        self,
        signs: list[Sign],
        faces: Callable[[np.ndarray], Faces],
        tracker: PoseBackend,
        fps: float,
        record: Record,
        snippets: RecentSnippets | None = None,
    ):
        self.signs, self.faces, self.tracker, self.fps, self.record, self.snippets = (
            signs,
            faces,
            tracker,
            fps,
            record,
            snippets,
        )
        self.every = max(round(FACES_EVERY * fps), 1)
        self.patient = OnlinePatient(self.every / fps)
        longest = max(sign.length for sign in signs)
        self.recent = Recent(tracker, [sign.saved.reading for sign in signs], longest, fps)
        self.frames, self.missing = 0, 0
        self.found = dict.fromkeys(self.recent.names, 0)
        self.rows: list[Row] = []  # of this block
        self.events: list[Event] = []
        self.latencies: deque[float] = deque(maxlen=LATENCIES)
        self.first, self.began = 0, time.monotonic()

    def begin(self, block: float) -> None:
        """From the beginning, or from the last block of a run that was stopped. A block has a whole
        number of looks for faces.
        """
        self.block = max(round(block * self.fps / self.every), 1) * self.every
        stored = self.record.resume()
        if stored is not None:
            state, arrays = stored
            self.first = self.frames = state["frames"]
            self.missing, self.found = state["missing"], state["found"]
            self.events = [Event(**event) for event in state["events"]]
            self.patient.restore(state["patient"], arrays)
            self.recent.restore(arrays)
            if self.snippets is not None:
                self.snippets.restore(arrays)
            for sign in self.signs:
                sign.restore(state["signs"][sign.task])

    def follow(self, video: Source, progress: bool) -> str | None:
        """Go through the video to its end; returns why it broke off, if it did. Ctrl-C ends a
        camera, and goes on to a file's caller.
        """
        if video.live:  # what it sends while models are loaded would be dropped
            grey = np.full((64, 64, 3), 127, np.uint8)
            self.faces(grey)
            list(
                self.tracker.track(
                    [
                        (
                            grey,
                            PatientLocation(
                                0.0,
                                np.array([0.0, 0.0, 64.0, 64.0]),
                                None,
                                0.0,
                                0.0,
                                np.zeros((0, 4)),
                            ),
                        )
                    ]
                )
            )
        known = self.frames if self.first else -1
        stretches = Stretches(
            sighted(video.frames(self.first), self.faces, self.patient, self.every, known)
        )
        total = video.duration()
        with tqdm(
            total=total,
            initial=self.first / self.fps,
            unit="s",
            mininterval=1,
            disable=not progress,
            bar_format=_bar(total),
        ) as bar:
            try:
                while True:
                    end = (self.frames // self.block + 1) * self.block
                    for each in tracked(stretches, self.tracker, end, self.snippets is not None):
                        self.take(each, video)
                        bar.update(1 / self.fps)
                    if video.latest < end:
                        return None
                    self.save()
            except KeyboardInterrupt:
                if not video.live:
                    raise
                return "stopped by the user"
            except UserError as error:
                if not self.frames:
                    raise
                return getattr(error, "fault", str(error))

    def take(self, each: Tracked, video: Source | None = None) -> None:
        """One more frame."""
        self.recent.add(self.frames, each.seen, each.found)
        if self.snippets is not None:
            self.snippets.add(self.frames, each.frame.image)
        self.frames += 1
        self.missing += not each.seen
        for part in self.found:
            self.found[part] += part in each.found
        for sign in self.signs:
            for rows, events in sign.advance(self.frames, partial(self.said, sign.saved)):
                self.rows += rows
                self.events += events
                if video is not None and (arrival := video.arrival(each.frame)) is not None:
                    self.latencies.append(time.monotonic() - arrival)

    def said(self, saved: SavedModel, first: int, end: int) -> dict[str, float] | None:
        """level -> probability by a model in the window from one frame up to another, prepared by
        itself; None where not assessable.
        """
        if saved.reading.part == "frame":
            assert self.snippets is not None
            return snippet_probabilities(saved, *self.snippets.window(first, end))
        return probabilities(
            saved, prepare(self.recent.tracks(saved.reading.part, first, end), saved.reading)
        )

    def save(self) -> None:
        """A block is done."""
        remembered, arrays = self.patient.state()
        state = {
            "frames": self.frames,
            "missing": self.missing,
            "found": self.found,
            "events": [asdict(event) for event in self.events],
            "patient": remembered,
            "signs": {sign.task: sign.state() for sign in self.signs},
        }
        arrays |= self.recent.arrays() | ({} if self.snippets is None else self.snippets.arrays())
        self.record.block(self.rows, self.events, self.frames / self.fps, state, arrays)
        self.rows = []

    def summary(self, video: Source) -> dict[str, Any]:
        """What is told of the run beside its events: counts, shares, speed; the last windows and
        events are taken first.
        """
        for sign in self.signs:
            rows, events = sign.finish(self.frames, partial(self.said, sign.saved))
            self.rows += rows
            self.events += events
        seen = max(self.frames - self.missing, 1)
        took = time.monotonic() - self.began
        latency = np.array(self.latencies)
        return {
            "duration_s": self.frames / self.fps,
            "frames": {
                "grid": self.frames,
                "missing": self.missing,
                "damaged": video.damage.frames,
                "dropped": video.dropped,
            },
            "found": {part: round(count / seen, 4) for part, count in self.found.items()},
            "latency_s": (
                None
                if not len(latency)
                else {
                    "median": float(np.median(latency)),
                    "q95": float(np.quantile(latency, 0.95)),
                    "largest": float(latency.max()),
                }
            ),
            "speed": {
                "frames_a_second": (self.frames - self.first) / took,
                "times_real_time": (self.frames - self.first) / self.fps / took,
            },
            "events": [asdict(event) for event in self.events],
        }

    def remark(self, video: Source) -> str | None:
        """What is to be said of a video that was read to its end."""
        if video.damage.at_end:
            return (
                f"the video ends in the middle of a frame at {self.frames / self.fps:.2f} s: it was"
                " cut off"
            )
        promised = video.duration()
        if promised is not None and promised > self.frames / self.fps + 1:
            return (
                f"the video ends at {self.frames / self.fps:.2f} s, but its header promises"
                f" {promised:.2f} s: it may be cut off"
            )
        return None

    def close(self, result: dict[str, Any]) -> None:
        """Write what remains."""
        thresholds = {
            f"{sign.task}: {level}": each.hysteresis
            for sign in self.signs
            for level, each in sign.detectors.items()
        }
        self.record.finish(self.rows, self.events, thresholds, result)


def _bar(total: float | None) -> str:
    share = "" if total is None else "{percentage:.0f}% of {total:.0f} s, {remaining} left, "
    return "timeline: at {n:.0f} s, " + share + "{rate_noinv_fmt} of video"
