"""Choose the frames of a video that are worth labelling, and save their images.

Frames are named by row: their index on the grid of the tracks (`video.read_frames` from `start` to
`end` at the tracks' frame rate), so that row 12 is row 12 of the clip's tracks.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr
from PIL import Image
from sklearn.cluster import MiniBatchKMeans

from semiology.data.pixels import reading_of
from semiology.errors import UserError
from semiology.files import atomic_path
from semiology.tracking.labels.labels import HIDDEN, UNLABELLED, VISIBLE, LabelledFrame, Labels
from semiology.video import Reading, Recording, read_frames
from semiology.video.decode import AS_STATED

Method = Literal["kmeans", "confidence", "jumps", "uniform"]

# px, to which frames are shrunk before they are clustered [C: DeepLabCut's cluster_resizewidth]
THUMBNAIL_WIDTH = 30
# thumbnails in memory at most (about 15 MB); of a longer video every second, fourth, ... frame is
# read [our choice]
MAX_THUMBNAILS = 20_000
# s, between two frames chosen by confidence or jumps: neighbouring frames look alike [our choice]
MIN_SPACING = 0.2
# robust standard deviations above a keypoint's median displacement: from there on it is a jump [our
# choice]
JUMP_THRESHOLD = 6.0
# px; a displacement up to this is never a jump, however still the keypoint lies otherwise [our
# choice]
MIN_JUMP = 2.0


def choose_rows(
    video: str | Path | Recording,
    count: int | None = None,
    method: Method = "kmeans",
    *,
    share: float | None = None,
    tracks: xr.Dataset | None = None,
    fps: float = 25.0,
    start: float = 0.0,
    end: float | None = None,
    seed: int = 0,
) -> np.ndarray:
    """At most `count` rows of a video that are worth labelling, or at most a `share` of them,
    sorted.

    Args:
        video: the file.
        count: number of rows.
        share: fraction of the rows, in place of count; 0.1 for the tenth of the frames that were
            checked manually [P: Hou et al. 2022].
        method: "kmeans" chooses frames that look different, "uniform" random ones; "confidence" and
            "jumps" those where the tracks have a low confidence or jump, which may be fewer.
        tracks: for "confidence" and "jumps"; their frame rate is then used.
        fps: of the rows, Hz.
        start, end: of the clip in the video, s.
        seed: of the sampling.

    Raises:
        UserError: no tracks where they are needed; count and share both or neither given, or out of
            bounds. VideoError: the video cannot be read.
    """
    if (
        (count is None) == (share is None)
        or (count is not None and count < 1)
        or (share is not None and not 0 < share <= 1)
    ):
        raise UserError(
            f"frames: {count}, share: {share}; give either a number of one or more, or a share"
            " above 0 and up to 1"
        )
    if method in ("confidence", "jumps"):
        if tracks is None:
            raise UserError(
                f"method {method!r} needs tracks; extract the video first, or choose by kmeans"
            )
        count = count or math.ceil(share * (tracks["source_index"].values >= 0).sum())
        return (
            low_confidence_rows(tracks, count)
            if method == "confidence"
            else jump_rows(tracks, count)
        )
    rows, thumbnails = read_thumbnails(
        video,
        tracks.attrs["fps"] if tracks is not None else fps,
        start,
        end,
        reading=reading_of(tracks),
    )
    count = count or math.ceil(share * (rows[-1] + 1))
    if method == "uniform":
        return np.sort(np.random.default_rng(seed).permutation(rows)[:count])
    return rows[diverse_frames(thumbnails, count, seed)]


def read_thumbnails(
    video: str | Path | Recording,
    fps: float = 25.0,
    start: float = 0.0,
    end: float | None = None,
    *,
    reading: Reading = AS_STATED,
) -> tuple[np.ndarray, np.ndarray]:
    """Rows (frame,) and thumbnails (frame, pixel) uint8 of a video, grey and 30 px wide; frames
    that are missing are left out.

    Memory is bounded: when 20,000 are held, every second one is dropped, and from there on half as
    many are read.
    """
    rows: list[int] = []
    thumbnails: list[np.ndarray] = []
    every = 1
    for frame in read_frames(video, start, end, fps, reading=reading):
        if frame.image is None or frame.index % every:
            continue
        height, width = frame.image.shape[:2]
        size = (THUMBNAIL_WIDTH, max(round(height * THUMBNAIL_WIDTH / width), 1))
        thumbnails.append(
            np.asarray(Image.fromarray(frame.image).resize(size, Image.Resampling.BOX))
            .mean(axis=2)
            .astype(np.uint8)
            .ravel()
        )
        rows.append(frame.index)
        if len(rows) >= MAX_THUMBNAILS:
            every *= 2
            kept = [place for place, row in enumerate(rows) if row % every == 0]
            rows, thumbnails = (
                [rows[place] for place in kept],
                [thumbnails[place] for place in kept],
            )
    return np.array(rows), np.array(thumbnails)


def diverse_frames(thumbnails: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Indices of `count` frames that look different: k-means over appearance, and one random frame
    of each cluster.

    As DeepLabCut does it [C: `frameselectiontools`]: every frame a vector of pixels less the mean
    frame, mini-batches of 100, at most 50 passes, tolerance 1e-3. Where a cluster stays empty
    another frame is sampled, so that `count` are returned if there are as many [our choice].
    """
    if len(thumbnails) <= count:
        return np.arange(len(thumbnails))
    rng = np.random.default_rng(seed)
    vectors = thumbnails.astype(np.float32) - thumbnails.mean(axis=0, dtype=np.float64).astype(
        np.float32
    )
    clusters = MiniBatchKMeans(
        count, batch_size=min(100, len(vectors)), max_iter=50, tol=1e-3, n_init=3, random_state=seed
    ).fit(vectors)
    chosen = [
        rng.choice(np.flatnonzero(clusters.labels_ == cluster))
        for cluster in np.unique(clusters.labels_)
    ]
    others = np.setdiff1d(np.arange(len(vectors)), chosen)
    return np.sort(
        np.concatenate([chosen, rng.permutation(others)[: count - len(chosen)]]).astype(int)
    )


def low_confidence_rows(tracks: xr.Dataset, count: int) -> np.ndarray:
    """At most `count` rows with the lowest mean confidence over the keypoints; missing ones count
    as 0.

    Points without a score are left out of the mean, and rows without any score are not chosen.

    Raises:
        UserError: no point of the tracks has a score.
    """
    confidence = tracks["confidence"].transpose("time", "keypoint").values
    scored = np.isfinite(confidence)
    if not scored.any():
        raise UserError(
            "these tracks have no confidence, so that no frame is less sure than another; choose by"
            " jumps or kmeans"
        )
    with np.errstate(invalid="ignore"):  # 0 / 0 where a row has no score
        doubt = 1 - np.where(scored, confidence, 0).sum(axis=1) / scored.sum(axis=1)
    return _highest(doubt, tracks, count)


def jump_rows(tracks: xr.Dataset, count: int) -> np.ndarray:
    """At most `count` rows at which a keypoint jumps, the largest jumps first.

    A jump is a displacement since the row before of more than median + 6 robust standard deviations
    (1.4826 MAD) of that keypoint in this clip, and of more than 2 px. [our choice]
    """
    position = tracks["position"].transpose("time", "keypoint", "space").values
    moved = np.full(position.shape[:2], np.nan)
    moved[1:] = np.linalg.norm(np.diff(position, axis=0), axis=2)
    known = np.ma.masked_invalid(moved)
    middle = np.ma.median(known, axis=0)
    spread = 1.4826 * np.ma.median(np.ma.abs(known - middle), axis=0)
    limit = np.maximum((middle + JUMP_THRESHOLD * spread).filled(MIN_JUMP), MIN_JUMP)
    excess = np.nan_to_num(moved / limit).max(axis=1)  # 1 at the threshold
    return _highest(np.where(excess > 1, excess, -np.inf), tracks, count)


def rejected_rows(tracks: xr.Dataset, count: int) -> np.ndarray:
    """At most `count` rows in which most points were rejected as no body's
    (`semiology.data.limbs`), among those with any; none where tracks were not checked.
    """
    if "rejected" not in tracks:
        return np.zeros(0, dtype=int)
    rejected = (tracks["rejected"].transpose("time", "keypoint").values > 0).sum(axis=1)
    return _highest(np.where(rejected > 0, rejected.astype(float), -np.inf), tracks, count)


def _highest(score: np.ndarray, tracks: xr.Dataset, count: int) -> np.ndarray:
    """Rows of the highest finite scores, at least `MIN_SPACING` from each other, among those with a
    frame.
    """
    apart = max(round(MIN_SPACING * tracks.attrs["fps"]), 1)
    free = np.isfinite(score) & (tracks["source_index"].values >= 0)
    chosen: list[int] = []
    for row in np.argsort(-score, kind="stable"):
        if len(chosen) < count and free[row]:
            chosen.append(int(row))
            free[max(row - apart + 1, 0) : row + apart] = False
    return np.array(sorted(chosen), dtype=int)


def label_frames(
    video: str | Path | Recording,
    rows: Sequence[int] | np.ndarray,
    folder: str | Path,
    *,
    name: str,
    participant_id: str,
    keypoints: Sequence[str],
    tracks: xr.Dataset | None = None,
    fps: float = 25.0,
    start: float = 0.0,
    end: float | None = None,
    reading: Reading = AS_STATED,
) -> Labels:
    """Write the frames of some rows as PNG and return labels for them: empty, or filled in from
    tracks, so that they only have to be corrected.

    The image of source frame 37 is `folder/name/img00037.png`. From tracks, finite positions inside
    the image are labelled: visible unless the confidence is 0, else hidden. Two rows of one source
    frame (a video slower than `fps`) give one image.

    Args:
        video: the file.
        rows: of the frames.
        folder: of the images.
        name: of the video in the labels: its clip_id, so that no file name is passed on.
        participant_id: of the patient.
        keypoints: the joints to label; `tracks` must have them.
        tracks: on the same grid, of the same video.
        fps: of the rows, Hz; with `tracks`, theirs.
        start, end: of the clip in the video, s.
        reading: how the video is read, without `tracks`, which record theirs.

    Raises:
        UserError: a row without a frame, tracks of another video or interval, a keypoint that they
            lack.
        VideoError: see `read_frames`.
    """
    wanted = set(np.asarray(rows, dtype=int).tolist())
    if tracks is not None:
        fps = tracks.attrs["fps"]
        if lacking := [
            keypoint for keypoint in keypoints if keypoint not in tracks.keypoint.values
        ]:
            raise UserError(
                f"{name}: its tracks hold no {lacking[0]!r}; select the joints of a skeleton first"
            )
    labelled: dict[int, LabelledFrame] = {}
    position: list[np.ndarray] = []
    visibility: list[np.ndarray] = []
    reading = reading if tracks is None else reading_of(tracks)
    for frame in read_frames(video, start, end, fps, reading=reading):
        if frame.index not in wanted:
            continue
        wanted.remove(frame.index)
        if frame.image is None:
            raise UserError(
                f"{name}: row {frame.index} has no frame: the video has a hole there; choose"
                " another row"
            )
        if frame.source_index not in labelled:
            height, width = frame.image.shape[:2]
            file = Path(folder) / name / f"img{frame.source_index:05d}.png"
            with atomic_path(file) as temporary:
                Image.fromarray(frame.image).save(temporary)
            labelled[frame.source_index] = LabelledFrame(
                f"{name}/{file.name}", file, name, participant_id, frame.source_index, width, height
            )
            marked, seen = _filled(
                tracks, list(keypoints), frame.index, labelled[frame.source_index]
            )
            position.append(marked)
            visibility.append(seen)
        if not wanted:
            break
    if wanted:
        raise UserError(
            f"{name}: row {min(wanted)} lies beyond the end of the clip; give start, end and fps of"
            " the tracks"
        )
    shape = (len(labelled), len(keypoints))
    return Labels(
        list(keypoints),
        list(labelled.values()),
        np.array(position).reshape(*shape, 2),
        np.array(visibility, int).reshape(shape),
    )


def _filled(
    tracks: xr.Dataset | None, keypoints: list[str], row: int, frame: LabelledFrame
) -> tuple[np.ndarray, np.ndarray]:
    """Position (keypoint, 2) px and visibility (keypoint,) of a row of the tracks; all empty
    without tracks.
    """
    if tracks is None:
        return np.full((len(keypoints), 2), np.nan), np.full(len(keypoints), UNLABELLED)
    size = tracks.attrs["width"], tracks.attrs["height"]
    if (
        row >= tracks.sizes["time"]
        or tracks["source_index"].values[row] != frame.index
        or size not in ((0, 0), (frame.width, frame.height))
    ):
        raise UserError(
            f"{frame.video}: row {row} of its tracks is not of this frame; give the tracks, start"
            " and end of this very clip"
        )
    at = tracks.isel(time=row).sel(keypoint=keypoints)
    position = at["position"].transpose("keypoint", "space").values.astype(float)
    inside = np.all((position >= 0) & (position <= [frame.width, frame.height]), axis=1)
    seen = np.where(at["confidence"].values != 0, VISIBLE, HIDDEN)
    return np.where(inside[:, None], position, np.nan), np.where(inside, seen, UNLABELLED)
