"""Prediction for one video: the probability of each sign in the whole clip and over time."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from semiology.data.cohort import video_source
from semiology.data.keypoint_names import FACE_68
from semiology.data.overlay import write_overlay
from semiology.data.skeleton import load_skeleton
from semiology.data.store import fingerprint
from semiology.errors import UserError
from semiology.evaluation.run.settings import PREFERRED
from semiology.evaluation.statistics.calibration import Calibrator
from semiology.files import write_json
from semiology.models.training.clips import ClipData, ClipSource, prepare, too_few, too_little
from semiology.models.training.dataset import NO_CHANGE, ClipDataset
from semiology.models.training.saved import SavedModel, load_model
from semiology.tracking.extraction import ExtractOptions, extract_tracks, found_fraction
from semiology.tracking.extraction.tracks import backend, required_keypoints
from semiology.tracking.pose import BACKENDS
from semiology.tracking.pose.base import KeypointRCNNOptions, ONNXOptions


@dataclass(frozen=True)
class Windows:
    """Sliding windows of a timeline: length and step (stride) in seconds."""

    length: float
    step: float

    def over(self, duration: float) -> Iterator[tuple[float, float]]:
        """(start, end) in s of each window; the last one ends with the clip, and a clip shorter
        than a window is one window.
        """
        last = max(duration - self.length, 0)
        starts = np.append(np.arange(0, last, self.step), last)
        return ((float(start), float(min(start + self.length, duration))) for start in starts)


def predict(
    video: Path,
    model: Path,
    out: Path | None = None,
    start: float = 0.0,
    end: float | None = None,
    length: float | None = None,
    step: float = 1.0,
    pose: str = "blazepose",
    keypoint_rcnn: KeypointRCNNOptions | None = None,
    pixel_aspect: str | None = None,
    onnx: ONNXOptions | None = None,
) -> dict[str, Any]:
    """Predict the probability of each sign in one video with a run's models: for the whole clip and
    in sliding windows over it.

    Writes OUT/prediction.json and OUT/overlay.mp4 (the video with skeleton, face landmarks and
    probabilities). Not a diagnosis.

    Args:
        video: the file; or a recording of many files, FOLDER/recordings.tsv#ID.
        model: folder of a run (its models trained on all participants, the distilled AGCN where
            there is one), or of one model.
        out: folder of the results; by default the video's name in the current folder.
        start: s, where the main phase of the seizure begins.
        end: s, where it ends; by default the video's end.
        length: s, of a window of the timeline; by default that of the training: the model's window,
            or the median length of its clips.
        step: s, from window to window.
        pose: the pose backend; the one of the models' training tracks.
        keypoint_rcnn: options of the backend keypoint-rcnn.
        pixel_aspect: "W:H", width of a stored pixel over its height, where the header states none
            or a wrong one.
        onnx: options of the backend onnx.

    Returns:
        The content of prediction.json.

    Raises:
        UserError: the video cannot be read, the run holds no models or models trained on another
            backend's tracks, a window is not positive.
    """
    if (length is not None and length <= 0) or step <= 0:
        raise UserError(
            f"length and step of the timeline's windows must be positive, got {length} and"
            f" {step:g} s"
        )
    models = find_models(model)
    check_trackers(models, pose)
    options = ExtractOptions(
        pose=pose,
        keypoint_rcnn=keypoint_rcnn or KeypointRCNNOptions(),
        onnx=onnx or ONNXOptions(),
        pixel_aspect=pixel_aspect,
    )
    tracker = backend(options)
    of_68 = FACE_68[0] in tracker.keypoints.get("face", [])
    drawn = {
        "body": load_skeleton("upper_body_11"),
        "face": load_skeleton("face_23_from_68" if of_68 else "face_23"),
    }
    read = [saved.reading.graph for saved in models.values()]
    keep = required_keypoints(
        [*read, *(drawn[part] for part in drawn if part in tracker.keypoints)], tracker
    )
    source = video_source(video)
    tracks = extract_tracks(source, start, end, options, keep)
    frames, fps = tracks["body"].sizes["time"], tracks["body"].attrs["fps"]
    signs = {
        task: score_sign(saved, tracks[saved.reading.part], length, step)
        for task, saved in models.items()
    }
    result = {
        "note": (
            "Research software, not a medical device. Probabilities come from models trained on the"
            " run's participants."
        ),
        "video_sha256": fingerprint(source, {})["sha256"],
        "start_s": start,
        "duration_s": frames / fps,
        "found": {part: round(found_fraction(found), 4) for part, found in tracks.items()},
        "signs": signs,
    }
    folder = Path(Path(video).stem + "_prediction") if out is None else Path(out)
    write_json(folder / "prediction.json", result)
    write_overlay(
        source,
        tracks["body"],
        tracks.get("face"),
        folder / "overlay.mp4",
        skeleton=drawn["body"],
        face_skeleton=drawn["face"],
        start=start,
        end=end,
        captions=captions(signs, frames, fps),
    )
    return result


def find_models(folder: Path, snippets: bool = False) -> dict[str, SavedModel]:
    """Load task -> model: of a run, or its folder models/, the preferred model of each task; of a
    model's folder, that model.

    The models read keypoints or, with `snippets`, vectors of the whole frame.

    Raises:
        UserError: no such folder, no models, or a model with other input.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give that of a run, or of one of its models")
    found = {}
    if (folder / "model.json").is_file():
        saved = load_model(folder)
        found[str(saved.about.get("task", folder.name))] = saved
    models = folder / "models" if (folder / "models").is_dir() else folder
    for place in sorted(models.glob("*/")):
        names = sorted(path.name for path in place.iterdir() if (path / "model.json").is_file())
        chosen = next((name for name in PREFERRED if name in names), names[0] if names else None)
        if chosen:
            saved = load_model(place / chosen)
            found[str(saved.about.get("task", place.name))] = saved
    if not found and (own := sorted(path.parent.name for path in folder.glob("*/model.json"))):
        raise UserError(
            f"{folder}: holds the models of one task ({', '.join(own)}); name one of them, as"
            f" {folder / own[0]}, or the run"
        )
    if not found:
        raise UserError(
            f"{folder}: holds no trained models; `semiology loso` with final: true writes them into"
            " models/"
        )
    for task, saved in found.items():
        reads: Any = saved.network.reads
        more = "keypoints" not in reads or "appearance" in reads
        if more and not (snippets and saved.reading.appearance == "snippets"):
            only = "keypoints, or snippets of the whole frame" if snippets else "keypoints"
            frame = saved.reading.appearance == "snippets"
            what, hint = (
                ("snippets", "; `semiology timeline` reads these")
                if frame
                else ("appearance features", "")
            )
            raise UserError(
                f"{folder}: the model of {task!r} reads {what}; this verb uses models that read"
                f" {only}{hint}"
            )
    return found


def check_trackers(models: dict[str, SavedModel], pose: str) -> None:
    """Check that every model was trained on tracks of the backend `pose`.

    Raises:
        UserError: a model was trained on tracks of another backend.
    """
    name = pose if pose in BACKENDS else backend(ExtractOptions(pose=pose)).name
    for task, saved in models.items():
        trackers = saved.about.get("trackers", [])
        if trackers and name not in trackers:
            raise UserError(
                f"{task}: the model was trained on tracks by {', '.join(trackers)}, not by {name};"
                " use that backend (--pose)"
            )


def score_sign(
    saved: SavedModel, tracks: xr.Dataset, length: float | None, step: float
) -> dict[str, Any]:
    """Probabilities of the label's classes (levels) for the clip and for each window; None where
    not assessable.
    """
    joints = prepare(tracks, saved.reading)
    rate, duration = saved.reading.rate, len(joints) / saved.reading.rate
    windows = Windows(length or float(saved.about["seconds"]), step)
    timeline = []
    for start, end in windows.over(duration):
        part = joints[round(start * rate) : max(round(end * rate), round(start * rate) + 1)]
        timeline.append(
            {
                "start_s": round(start, 3),
                "end_s": round(end, 3),
                "probability": probabilities(saved, part),
            }
        )
    raw = scores(saved, joints)
    return {
        "label": saved.reading.label,
        "part": saved.reading.part,
        "levels": saved.levels,
        "probability": class_probabilities(saved, raw),
        "calibrated": calibrator(saved) is not None,
        "plausible": plausible(saved, raw),
        "not_assessable": too_little(joints, saved.reading),
        "windows": {"length_s": windows.length, "step_s": windows.step},
        "timeline": timeline,
    }


def probabilities(saved: SavedModel, joints: np.ndarray) -> dict[str, float] | None:
    """Class -> probability for joints (time, joint, space), as in the evaluation of whole clips;
    None where not assessable. Calibrated, where the run has calibrated its models (on out-of-fold
    predictions).
    """
    return class_probabilities(saved, scores(saved, joints))


def snippet_probabilities(
    saved: SavedModel, features: np.ndarray, starts: np.ndarray, frames: int
) -> dict[str, float] | None:
    """Class -> probability for a model of the whole frame; None where not assessable.

    Args:
        saved: the model.
        features: (snippet, channel), NaN where the video has a gap.
        starts: (snippet,) first frames of the snippets, at the reading's rate.
        frames: length of the window, at the reading's rate.
    """
    if too_few(features, saved.reading):
        return None
    empty = np.empty((frames, 0, 2), np.float32)
    clip = ClipData("clip", "patient", 0, empty, features, starts=starts)
    return class_probabilities(saved, _scores(saved, clip))


def class_probabilities(saved: SavedModel, raw: np.ndarray | None) -> dict[str, float] | None:
    """Class -> probability from the network's output (1, class); calibrated, where the run has
    calibrated its models.
    """
    if raw is None:
        return None
    fitted = calibrator(saved)
    values = fitted.apply(raw)[0] if fitted else raw[0]
    return {level: round(float(value), 4) for level, value in zip(saved.levels, values)}


def plausible(saved: SavedModel, raw: np.ndarray | None) -> list[str] | None:
    """Prediction set: the classes that the network's output (1, class) does not exclude at the
    run's coverage; with one class the prediction is unambiguous. None without a coverage.
    """
    fitted = calibrator(saved)
    sets = fitted.plausible(raw) if fitted and raw is not None else None
    return [saved.levels[level] for level in sets[0]] if sets else None


def scores(saved: SavedModel, joints: np.ndarray) -> np.ndarray | None:
    """Output of the network (1, class) for joints (time, joint, space), mean over its windows; None
    where not assessable.
    """
    return (
        None
        if too_little(joints, saved.reading)
        else _scores(saved, ClipData("clip", "patient", 0, joints))
    )


def _scores(saved: SavedModel, clip: ClipData) -> np.ndarray:
    source = ClipSource.from_clips([clip], saved.reading, saved.levels)
    dataset = ClipDataset(source, [clip], NO_CHANGE, rng=None)
    examples = [dataset[number] for number in range(len(dataset))]
    reads: Any = saved.network.reads
    with torch.inference_mode():
        inputs = [torch.stack([example[name] for example in examples]) for name in reads]
        return saved.network(*inputs).softmax(1).mean(0, keepdim=True).numpy()


def calibrator(saved: SavedModel) -> Calibrator | None:
    """The calibration that the run stored in the model, if there is one."""
    noted = saved.about.get("calibration")
    return Calibrator(**noted) if noted else None


def captions(signs: dict[str, Any], frames: int, fps: float) -> list[str]:
    """Text for each frame: every sign's probability in the window with the nearest centre."""
    lines = {
        task: [_caption(task, sign, window["probability"]) for window in sign["timeline"]]
        for task, sign in signs.items()
    }
    nearest = {}
    for task, sign in signs.items():
        centres = np.array(
            [(window["start_s"] + window["end_s"]) / 2 for window in sign["timeline"]]
        )
        nearest[task] = np.searchsorted((centres[1:] + centres[:-1]) / 2, np.arange(frames) / fps)
    return [
        "\n".join(lines[task][nearest[task][frame]] for task in signs) for frame in range(frames)
    ]


def _caption(task: str, sign: dict[str, Any], probability: dict[str, float] | None) -> str:
    if probability is None:
        return f"{task}: not assessable"
    levels = sign["levels"]
    level = levels[1] if len(levels) == 2 else max(probability, key=lambda name: probability[name])
    return f"{task}: {level} {probability[level]:.2f}"
