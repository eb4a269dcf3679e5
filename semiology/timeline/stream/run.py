"""The timeline of a file of any length, a growing file or a camera: probabilities and events of
each sign in one pass with bounded memory.
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

from semiology.data.cohort import video_source
from semiology.data.store import make_key
from semiology.errors import UserError
from semiology.files import begin_folder
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
from semiology.timeline.stream.buffers import (
    KeypointBuffer,
    SnippetBuffer,
    snippet_buffer,
    snippets_key,
)
from semiology.timeline.stream.options import TimelineOptions, model_digest, thresholds_of
from semiology.timeline.stream.patient import OnlinePatient
from semiology.timeline.stream.record import Record
from semiology.timeline.stream.signs import Row, Sign
from semiology.timeline.stream.sources import Source, open_source
from semiology.timeline.stream.tracking import (
    NoTracking,
    TrackedFrame,
    TrackingSegments,
    frames_with_patient,
    no_faces,
    track_frames,
)
from semiology.tracking.extraction import ExtractOptions
from semiology.tracking.extraction.tracks import backend, people_detector
from semiology.tracking.patient import Faces, PatientLocation
from semiology.tracking.people import PeopleDetector
from semiology.tracking.pose.base import KeypointRCNNOptions, ONNXOptions, PoseBackend
from semiology.video.prefetch import one_core

SCHEMA = 3  # raise when the same input gives other results than before
FACES_EVERY = 0.48  # s between face detections, as in extraction. [our choice]
CUT_OFF = 8  # damaged frames at the end that a file may have where it is cut off. [our choice]
LATENCIES = 100_000  # number of the last windows' latencies in the summary


def timeline(
    source: str,
    model: Path,
    out: Path | None = None,
    options: TimelineOptions | None = None,
    pose: str = "blazepose",
    keypoint_rcnn: KeypointRCNNOptions | None = None,
    onnx: ONNXOptions | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Process a video of any length once with a run's models: the probability of each sign in
    sliding windows, and its events.

    Writes OUT/timeline.csv, events.tsv, events.json, timeline.json, timeline.png. A run that was
    stopped is resumed from its last block, with the same result byte for byte. Memory does not grow
    with the video. Not a diagnosis.

    Args:
        source: a video; with --growing one that is still being written; a recording of many files,
            FOLDER/recordings.tsv#ID; or a camera's address (rtsp, rtsps, http, https, udp).
        model: folder of a run (its models trained on all participants, the distilled AGCN where
            there is one), or of one model.
        out: folder of the results; by default the video's name in the current folder.
        options: windows, rates, thresholds, waiting times.
        pose: the pose backend; the one of the models' training tracks.
        keypoint_rcnn: options of the backend keypoint-rcnn.
        onnx: options of the backend onnx.
        progress: show a progress bar.

    Returns:
        The content of timeline.json; `complete` is False where the source was interrupted.

    Raises:
        UserError: the source cannot be read, the run holds no models or models trained on another
            backend's tracks, invalid options, a folder that holds the timeline of another video, or
            for a camera any timeline.
    """
    options = options or TimelineOptions()
    models = find_models(model, snippets=True)
    check_trackers(models, pose)
    for task, saved in models.items():
        if options.fps < saved.reading.rate - 1e-6:
            raise UserError(
                f"{task}: the model reads {saved.reading.rate:g} frames per second; set fps to that"
                f" or more, not {options.fps:g}"
            )
    thresholds, tuned = thresholds_of(models, options.thresholds)
    video = open_source(source, options.fps, options.growing, options.stall, options.reading)
    tracks = any(saved.reading.part != "frame" for saved in models.values())
    tracker = (
        backend(
            ExtractOptions(
                pose=pose,
                keypoint_rcnn=keypoint_rcnn or KeypointRCNNOptions(),
                onnx=onnx or ONNXOptions(),
            )
        )
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
        else Path((video_source(source).stem if not video.live else "camera") + "_timeline")
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
            "faces": PeopleDetector.parameters() if tracks else None,
            "snippets": snippets_key(models, options),
        }
    )
    record = Record(folder, key, identity)
    if video.live and record.has_rows():
        raise UserError(
            f"{folder}: holds a timeline already, and a camera cannot be replayed; name another"
            " folder (--out)"
        )
    if (result := record.finished(video.size())) is not None:
        return result
    begin_folder(folder)
    run = TimelineRun(
        signs,
        people_detector() if tracks else no_faces,
        tracker,
        options.fps,
        record,
        snippet_buffer(signs, options),
    )
    run.start(options.block)
    ended = run.process(video, progress)
    result = {
        "note": (
            "Research software, not a medical device. Probabilities come from models trained on the"
            " run's participants."
        ),
        "complete": ended is None,
        "ended": ended or run.ending(video),
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
        **run.summary(video),
    }
    run.finish(result)
    return result


class TimelineRun:
    """The state of a run between frames and between blocks."""

    def __init__(
        self,
        signs: list[Sign],
        faces: Callable[[np.ndarray], Faces],
        tracker: PoseBackend,
        fps: float,
        record: Record,
        snippets: SnippetBuffer | None = None,
    ):
        self.signs, self.faces, self.tracker = signs, faces, tracker
        self.fps, self.record, self.snippets = fps, record, snippets
        self.every = max(round(FACES_EVERY * fps), 1)
        self.patient = OnlinePatient(self.every / fps)
        longest = max(sign.length for sign in signs)
        self.recent = KeypointBuffer(tracker, [sign.saved.reading for sign in signs], longest, fps)
        self.frames, self.missing = 0, 0
        self.found = dict.fromkeys(self.recent.names, 0)
        self.rows: list[Row] = []  # of this block
        self.events: list[Event] = []
        self.latencies: deque[float] = deque(maxlen=LATENCIES)
        self.first, self.began = 0, time.monotonic()

    def start(self, block: float) -> None:
        """Start at the beginning, or resume from the last block of a run that was stopped. A block
        (s) is rounded to a multiple of the interval of face detection.
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

    def process(self, video: Source, progress: bool) -> str | None:
        """Process the video to its end; returns the reason where it was interrupted. Ctrl-C ends a
        camera, and is raised for a file.
        """
        if video.live:  # load the models now: frames that arrive meanwhile would be dropped
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
        frames = frames_with_patient(
            video.frames(self.first), self.faces, self.patient, self.every, known
        )
        segments, images = TrackingSegments(frames), self.snippets is not None
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
                    for each in track_frames(segments, self.tracker, end, images):
                        self.add_frame(each, video)
                        bar.update(1 / self.fps)
                    if video.latest < end:
                        return None
                    self.save_block()
            except KeyboardInterrupt:
                if not video.live:
                    raise
                return "stopped by the user"
            except UserError as error:
                if not self.frames:
                    raise
                return getattr(error, "fault", str(error))

    def add_frame(self, each: TrackedFrame, video: Source | None = None) -> None:
        """Add a tracked frame and score the windows that it completes."""
        self.recent.add(self.frames, each.seen, each.found)
        if self.snippets is not None:
            self.snippets.add(self.frames, each.frame.image)
        self.frames += 1
        self.missing += not each.seen
        for part in self.found:
            self.found[part] += part in each.found
        for sign in self.signs:
            for rows, events in sign.advance(self.frames, partial(self.score, sign.saved)):
                self.rows += rows
                self.events += events
                if video is not None and (arrival := video.arrival(each.frame)) is not None:
                    self.latencies.append(time.monotonic() - arrival)

    def score(self, saved: SavedModel, first: int, end: int) -> dict[str, float] | None:
        """Class -> probability by a model in the window of frames `first` up to `end`, which is
        preprocessed by itself; None where not assessable.
        """
        with one_core():  # the other cores decode, detect and track meanwhile
            if saved.reading.part == "frame":
                assert self.snippets is not None
                return snippet_probabilities(saved, *self.snippets.window(first, end))
            tracks = self.recent.tracks(saved.reading.part, first, end)
            return probabilities(saved, prepare(tracks, saved.reading))

    def save_block(self) -> None:
        """Write the rows, events and state at the end of a block."""
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
        """Counts, fractions, latency and speed of the run, and its events, after the last windows
        are scored.
        """
        for sign in self.signs:
            rows, events = sign.finish(self.frames, partial(self.score, sign.saved))
            self.rows += rows
            self.events += events
        seen = max(self.frames - self.missing, 1)
        elapsed = time.monotonic() - self.began
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
                "frames_a_second": (self.frames - self.first) / elapsed,
                "times_real_time": (self.frames - self.first) / self.fps / elapsed,
            },
            "events": [asdict(event) for event in self.events],
        }

    def ending(self, video: Source) -> str | None:
        """Message about a video that was read to its end but may be truncated; else None."""
        if video.damage.at_end > CUT_OFF:
            return (
                f"the last {video.damage.at_end} frames of the video are damaged: it was cut off,"
                " or frames were lost before them"
            )
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

    def finish(self, result: dict[str, Any]) -> None:
        """Write the last rows, the figure and timeline.json."""
        thresholds = {
            f"{sign.task}: {level}": each.hysteresis
            for sign in self.signs
            for level, each in sign.detectors.items()
        }
        self.record.finish(self.rows, self.events, thresholds, result)


def _bar(total: float | None) -> str:
    progress = "" if total is None else "{percentage:.0f}% of {total:.0f} s, {remaining} left, "
    return "timeline: at {n:.0f} s, " + progress + "{rate_noinv_fmt} of video"
