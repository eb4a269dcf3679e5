"""Public functions from videos to tracks, and on tracking error: `extract`, `tracking_error`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semiology.data.api import as_cohort, as_number, as_path, as_tracks, read_tracks
from semiology.data.result import Result, allowing, from_options
from semiology.errors import UserError

if TYPE_CHECKING:
    import xarray as xr

    from semiology.data.cohort import Cohort


def extract(
    source: str | Path | Cohort | Sequence[str | Path],
    *,
    store: str | Path | None = None,
    out: str | Path | None = None,
    jobs: int = 1,
    progress: bool = True,
    overlay: str | Path | None = None,
    allow: Sequence[str] = (),
    **options: Any,
) -> Result:
    """Find the patient in videos and track body and face: videos to tracks and features.

    Parameters
    ----------
    source : path, Cohort or sequence of paths
        A cohort (then give `store`), or one video or several (then give `out`).
    store : path, optional
        Folder in which a cohort's tracks and features are stored.
    out : path, optional
        Folder for videos: OUT/<name>/body.nc and face.nc.
    jobs : int
        Clips at a time; -1 uses every core.
    progress : bool
        Show frames per second and the time that is left.
    overlay : path, optional
        Folder in which each clip gets a video with its tracks drawn in, <clip_id>.mp4.
    allow : sequence of str
        Modules of your own that `pose` may name a class of; their code then runs.
    **options
        Settings of `semiology extract`: fps (Hz), pose, keypoint_rcnn, lift, face_weights,
        body_weights, snippet_weights, ... (docs/extraction.md).

    Returns
    -------
    Result
        folder : path; done, skipped : lists of clips; failed : {clip: why}; found : {clip: {"body"
        and "face": fraction of frames}}; look_first : {clip: reasons}, those most in doubt first.
        Failed clips do not stop the others.

    Raises
    ------
    UserError
        A cohort without `store`, videos without `out`, both of them, no such cohort or option.

    References
    ----------
    Bazarevsky et al. 2020 (BlazePose) and Kartynnik et al. 2019 (face mesh): the default tracker.

    Examples
    --------
    >>> extracted = semiology.extract("walk.mp4", out="tracks", progress=False)
    >>> extracted.failed
    {}
    """
    from semiology.data.cohort import Cohort
    from semiology.parallel import Workers
    from semiology.tracking.extraction import ExtractOptions, extract_cohort, extract_videos

    chosen = from_options(options, ExtractOptions, "extract")
    workers = Workers(jobs=jobs)
    if store is not None and out is None and isinstance(source, str | Path | Cohort):
        folder = Path(store)
        with allowing(allow):
            summary = extract_cohort(
                as_cohort(source),
                store,
                options=chosen,
                workers=workers,
                progress=progress,
                overlay=overlay,
            )
    elif out is not None and store is None and not isinstance(source, Cohort):
        folder = Path(out)
        videos = [source] if isinstance(source, str | Path) else list(source or [])
        if not videos:
            raise UserError("extract: no video was given")
        with allowing(allow):
            summary = extract_videos(
                videos, out, options=chosen, workers=workers, progress=progress, overlay=overlay
            )
    else:
        raise UserError(
            "extract: give store for a cohort (the folder for its tracks and features), or out for"
            " videos (the folder for their tracks)"
        )
    return Result(
        "Extraction",
        folder=folder,
        done=summary.done,
        skipped=summary.skipped,
        failed=dict(summary.failed),
        found=summary.found,
        look_first=summary.look_first,
    )


def tracking_error(
    tracks: str | Path | xr.Dataset | Mapping[str, xr.Dataset],
    labels: str | Path,
    *,
    video: str | None = None,
    skeleton: str | Path | None = None,
    cutoff: float = 0.8,
    cm_per_px: float | None = None,
    seed: int = 0,
) -> Result:
    """Error of any tracks against labelled frames, of all points and of those above a confidence
    cutoff, with the fraction of points that the cutoff leaves.

    Parameters
    ----------
    tracks : path, xarray.Dataset or {video: xarray.Dataset}
        Tracks of the labelled video, or of each of them by its name.
    labels : path
        DeepLabCut project, COCO JSON, Label Studio or CVAT export; or tracks (.slp, .nc).
    video : str, optional
        The labelled video that the tracks are of, where several are labelled.
    skeleton : str or path, optional
        Compare the joints of this skeleton, computed from the tracks' keypoints.
    cutoff : float
        Confidence, 0 to 1, that points need to be counted in the second error [P: 0.8].
    cm_per_px : float, optional
        Scale of the video: adds the errors in cm.
    seed : int
        Of the resampling behind the intervals.

    Returns
    -------
    Result
        text : str, the table; table : dict, the errors overall and by joint, with 95 % intervals.

    Raises
    ------
    UserError
        Tracks and labels without a common keypoint or frame.

    References
    ----------
    Mathis et al. 2018 (DeepLabCut); the protocol of the study in docs/tracking.md.

    Examples
    --------
    >>> errors = semiology.tracking_error("arm.nc", "arm.nc")
    >>> errors.table["overall"]["mean_px"]["value"]
    0.0
    """
    from semiology.data.skeleton import load_skeleton as load
    from semiology.tracking import tracking_error as error
    from semiology.tracking.labels.io import read_labels

    labels = as_path("tracking_error: labels", labels)
    as_number("tracking_error: cutoff", cutoff, at_least=0, at_most=1)
    if isinstance(tracks, Mapping) and not len(tracks):
        raise UserError("tracking_error: no tracks were given")
    if labels.suffix.lower() in (".slp", ".nc"):
        marked = error.as_labels(read_tracks(labels), video or labels.stem)
    else:
        marked = read_labels(labels)
    if not isinstance(tracks, Mapping) or hasattr(tracks, "data_vars"):
        videos = [video] if video else list(dict.fromkeys(marked.videos.tolist()))
        if len(videos) > 1:
            raise UserError(
                f"{labels}: {len(videos)} videos are labelled, {', '.join(videos)}; give video"
            )
        tracks = {videos[0]: as_tracks(tracks)}  # type: ignore[arg-type]
    table = error.tracking_error(
        tracks,
        marked,
        skeleton=None if skeleton is None else load(str(skeleton)),
        cutoff=cutoff,
        cm_per_px=cm_per_px,
        seed=seed,
    )
    return Result("Tracking error", table=table.to_dict(), text=table.text())
