"""Public functions on signs over time: `predict`, `predict_timeline`, `find_events`,
`score_events`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from semiology.data.api import as_path
from semiology.data.result import Result, allowing, from_options, run_folder
from semiology.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
EVENT = ["onset", "duration", "sign", "level", "confidence"]  # columns of a table of events


def predict(
    video: str | Path,
    *,
    model: str | Path | Result,
    out: str | Path | None = None,
    start: float = 0.0,
    end: float | None = None,
    length: float | None = None,
    step: float = 1.0,
    pose: str = "blazepose",
    keypoint_rcnn: Mapping[str, Any] | None = None,
    onnx: Mapping[str, Any] | None = None,
    pixel_aspect: str | None = None,
    allow: Sequence[str] = (),
) -> Result:
    """Each sign's probability over one short video, and a copy with skeleton and probabilities
    drawn in. Nothing here is a diagnosis.

    Parameters
    ----------
    video : path
        A video file.
    model : path or Result
        What `loso` returned or a run's folder, made with final: true; or the folder of one model.
    out : path, optional
        Folder of prediction.json and overlay.mp4; by default <video>_prediction.
    start, end : float
        s, the part of the video that is scored; by default all of it.
    length : float, optional
        s, of a sliding window; by default what the model was trained on.
    step : float
        s, from one window to the next (stride).
    pose : str
        The tracker that the model's training tracks came from: blazepose, keypoint-rcnn or one of
        your own (package.module:Class).
    keypoint_rcnn : mapping, optional
        Options of keypoint-rcnn: weights, ... (docs/detectors.md).
    onnx : mapping, optional
        Options of onnx: weights, layout, ... (docs/extraction.md).
    pixel_aspect : str, optional
        "W:H", width of a stored pixel over its height, where the video's header states none or a
        wrong one.
    allow : sequence of str
        Modules of your own whose classes model.json or `pose` may name; their code then runs.

    Returns
    -------
    Result
        folder : path; signs : dict, by task: probability, plausible classes, windows; everything :
        dict, the content of prediction.json.

    Raises
    ------
    UserError
        No such video or model; a model trained on another tracker's tracks; a window that is not
        positive.

    See Also
    --------
    predict_timeline : for videos of any length, and events.

    Examples
    --------
    >>> predicted = semiology.predict("walk.mp4", model=run)
    >>> list(predicted.signs)
    ['dystonia (pose)']
    """
    from semiology.timeline.predict import predict as predict_video
    from semiology.tracking.pose.base import KeypointRCNNOptions, ONNXOptions

    folder = Path(out) if out is not None else Path(f"{Path(video).stem}_prediction")
    with allowing(allow):
        content = predict_video(
            Path(video),
            run_folder(model),
            folder,
            start,
            end,
            length,
            step,
            pose,
            keypoint_rcnn=_tracker_options(keypoint_rcnn, KeypointRCNNOptions, "predict"),
            onnx=_tracker_options(onnx, ONNXOptions, "predict"),
            pixel_aspect=pixel_aspect,
        )
    return Result("Prediction", folder=folder, signs=content["signs"], everything=content)


def predict_timeline(
    source: str | Path,
    *,
    model: str | Path | Result,
    out: str | Path | None = None,
    pose: str = "blazepose",
    keypoint_rcnn: Mapping[str, Any] | None = None,
    onnx: Mapping[str, Any] | None = None,
    progress: bool = True,
    allow: Sequence[str] = (),
    **options: Any,
) -> Result:
    """Each sign's probability and events through a video of any length, a file that still grows, or
    a camera. Memory does not grow with the video; a run that was stopped continues.

    Parameters
    ----------
    source : path or str
        A video, a recording of many files (FOLDER/recordings.tsv#ID, docs/recordings.md), or a
        camera's address (rtsp, rtsps, http, https, udp).
    model : path or Result
        What `loso` returned or a run's folder, made with final: true; or the folder of one model.
    out : path, optional
        Folder of timeline.csv, events.tsv, timeline.json and timeline.png; by default the video's
        name in the current folder.
    pose, keypoint_rcnn, onnx
        The tracker, as in `predict`.
    progress : bool
        Show a progress bar.
    allow : sequence of str
        Modules of your own whose classes model.json or `pose` may name; their code then runs.
    **options
        Settings of `semiology timeline`: fps (Hz); length, step, block, growing, stall (s);
        thresholds (path); snippet_weights (path), snippet_stride (docs/timeline.md).

    Returns
    -------
    Result
        events : DataFrame with onset and duration (s), sign, level and confidence; signs : dict;
        complete : bool, False where the source broke off; everything : dict, the content of
        timeline.json.

    Raises
    ------
    UserError
        No such source, model or option; a folder that holds another video's timeline.

    Notes
    -----
    `semiology.timeline` is the package that holds this function, hence the longer name.

    Examples
    --------
    >>> night = semiology.predict_timeline("walk.mp4", model=run, length=0.2, progress=False)
    >>> night.complete
    True
    """
    import pandas as pd

    from semiology.timeline.stream import TimelineOptions, timeline
    from semiology.tracking.pose.base import KeypointRCNNOptions, ONNXOptions

    with allowing(allow):
        content = timeline(
            str(source),
            run_folder(model),
            None if out is None else Path(out),
            options=from_options(options, TimelineOptions, "predict_timeline"),
            pose=pose,
            keypoint_rcnn=_tracker_options(keypoint_rcnn, KeypointRCNNOptions, "predict_timeline"),
            onnx=_tracker_options(onnx, ONNXOptions, "predict_timeline"),
            progress=progress,
        )
    return Result(
        "Timeline",
        events=pd.DataFrame(content["events"], columns=None if content["events"] else EVENT),
        signs=content["signs"],
        complete=content["complete"],
        everything=content,
    )


def find_events(
    timeline: str | Path, *, out: str | Path, thresholds: str | Path | None = None
) -> Result:
    """Onset and offset of each sign in a timeline of probabilities, by hysteresis.

    Parameters
    ----------
    timeline : path
        timeline.csv, as `predict_timeline` writes it.
    out : path
        Folder of events.tsv, events.json and timeline.png.
    thresholds : path, optional
        A file that `semiology events tune` wrote; by default thresholds that were not tuned.

    Returns
    -------
    Result
        folder : path; events : DataFrame with onset and duration (s), sign, level and confidence;
        tuned : bool.

    Raises
    ------
    UserError
        A file that is not a timeline or not thresholds.

    Examples
    --------
    >>> found = semiology.find_events("timeline.csv", out="events")
    >>> found.events
       onset  duration      sign    level  confidence
    0    2.0       3.0  dystonia  present         0.9
    """
    import pandas as pd

    from semiology.timeline.events.find import find_in_timeline
    from semiology.timeline.events.timeline import read_timeline
    from semiology.timeline.events.tuning import read_thresholds

    chosen = None if thresholds is None else read_thresholds(thresholds)
    events = find_in_timeline(
        read_timeline(as_path("find_events: timeline", timeline)), out, chosen
    )
    rows = [[getattr(event, name) for name in EVENT] for event in events]
    table = pd.DataFrame(rows, columns=EVENT)
    return Result("Events", folder=Path(out), events=table, tuned=chosen is not None)


def score_events(
    reference: str | Path,
    detected: str | Path,
    *,
    duration: float | None = None,
    participants: str | Path | None = None,
    names: Mapping[str, str] | None = None,
    draws: int = 2000,
    seed: int = 0,
    **tolerances: float,
) -> Result:
    """Compare detected with annotated events: true positive rate TP/(TP+FN), precision TP/(TP+FP),
    F1 and false alarms, by event and by second, with intervals by participant.

    Parameters
    ----------
    reference, detected : path
        An events.tsv, or a folder of <clip_id>_events.tsv.
    duration : float, optional
        s, of recordings whose tables do not state it.
    participants : path, optional
        Table with the columns clip_id and participant_id.
    names : mapping, optional
        Sign as detected -> sign in the reference.
    draws, seed : int
        Number of resampled cohorts, and the seed of the resampling.
    **tolerances
        before, after, longest, apart (s) and overlap (fraction): when a detected event matches an
        annotated one (docs/events.md).

    Returns
    -------
    Result
        text : str, the table; metrics : DataFrame, a row a sign and metric with value, low and high
        (95 % interval, NaN with one participant); missing : list of recordings that could not be
        compared; everything : dict, all figures by sign.

    Raises
    ------
    UserError
        A table that is not one of events, a recording without a duration, no such tolerance.

    References
    ----------
    Dan et al. 2024, SzCORE: scoring by event and by sample.

    Examples
    --------
    >>> scored = semiology.score_events("annotated.tsv", "events/events.tsv", duration=8.0)
    >>> scored.metrics.query("metric == 'event_sensitivity'")["value"].item()
    0.5
    """
    from semiology.timeline.events import evaluate as evaluation
    from semiology.timeline.events.pairing import pair_tables
    from semiology.timeline.events.scoring import Tolerances

    chosen = from_options(tolerances, Tolerances, "score_events")
    if names is not None and not isinstance(names, Mapping):
        raise UserError("score_events: names must be a dict, sign as detected: sign in reference")
    people = None if participants is None else Path(participants)
    recordings, missing = pair_tables(
        as_path("score_events: reference", reference),
        as_path("score_events: detected", detected),
        duration,
        people,
        dict(names) if names else None,
    )
    content = evaluation.evaluate_events(recordings, chosen, draws, seed)
    return Result(
        "Events against a reference",
        text=evaluation.text(content),
        metrics=_event_metrics(content),
        missing=missing,
        everything=content,
    )


def _event_metrics(content: Mapping[str, Any]) -> pd.DataFrame:
    """A row a sign and metric."""
    import pandas as pd

    columns = ["sign", "metric", "value", "low", "high"]
    rows = [
        [sign, metric, *(figure[name] for name in columns[2:])]
        for sign, scored in content["signs"].items()
        for metric, figure in scored["figures"].items()
    ]
    return pd.DataFrame(rows, columns=columns)


def _tracker_options(options: Mapping[str, Any] | None, kind: type[T], where: str) -> T | None:
    return None if options is None else from_options(options, kind, where)
