"""Saved arrays of MediaPipe's landmarks: .npy, or .npz with `landmarks`, and optionally
`world_landmarks`, fps, width, height.

`landmarks` is (time, landmark, 3, 4 or 5): x, y, z, and optionally visibility and presence; 33
landmarks are the body, 468 or 478 the face mesh, 42 the patient's left and right hand, 21 a hand
whose side the file does not tell (keypoints without a side; rename them). x and y are fractions of
the image's width and height, as MediaPipe gives them, or px. The relative z is not metres and is
left out;
`world_landmarks` (time, landmark, 3 or more) are metres. A frame, or a hand, of zeros or NaN
is one without a person. Source: [C] MediaPipe's documentation.
"""

import io
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from semiology.data.formats.common import names_of, pixels, tracks_from_rows
from semiology.data.formats.people import choose_individual
from semiology.data.keypoint_names import BODY, HAND, HANDS, MESH
from semiology.errors import UserError
from semiology.files import CHANGED, atomic_path, zip_intact

NAMES = {21: HAND, 33: BODY, 42: HANDS, 468: MESH[:468], 478: MESH}
# where no x or y is larger, they are fractions of the image: landmarks may lie outside of it, but
# not that far [our choice]
MAX_FRACTION = 4.0


def read(
    path: Path,
    *,
    fps: float | None = None,
    individual: str | None = None,
    width: int = 0,
    height: int = 0,
) -> xr.Dataset:
    """Tracks of the one person. Fractions of the image need its `width` and `height`, px, from the
    file or as arguments.

    Raises:
        UserError: not such an array, an unknown number of landmarks, no size for fractions of
            the image, no frame rate, or one that is not the file's.
    """
    choose_individual(path, individual, [""])
    arrays = _arrays(path)
    if "fps" in arrays:
        own = float(arrays["fps"])
        if fps is not None and not np.isclose(fps, own):
            raise UserError(
                f"{path}: has {own:g} frames per second, not {fps:g}; leave the frame rate out"
            )
        fps = own
    width = width or int(arrays.get("width", 0))
    height = height or int(arrays.get("height", 0))
    landmarks = _checked(path, arrays.get("landmarks"))
    names = NAMES[landmarks.shape[1]]
    xy = landmarks[..., :2].copy()
    if not np.isfinite(xy).any() or np.nanmax(np.abs(xy)) <= MAX_FRACTION:
        if not (width and height):
            raise UserError(
                f"{path}: landmarks are fractions of the image; give its width and height in px"
            )
        xy *= [width, height]
    in_space = (
        _checked(path, arrays["world_landmarks"])[..., :3] if "world_landmarks" in arrays else None
    )
    if in_space is not None and in_space.shape[:2] != xy.shape[:2]:
        raise UserError(
            f"{path}: world_landmarks are {in_space.shape[:2]} in time and landmark, landmarks"
            f" {xy.shape[:2]}"
        )
    return tracks_from_rows(
        path,
        np.arange(len(xy)),
        names,
        xy,
        fps=fps,
        confidence=landmarks[..., 3] if landmarks.shape[2] > 3 else None,
        position_3d=in_space,
        width=width,
        height=height,
        backend="mediapipe",
    )


def _arrays(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        if not zip_intact(path):
            raise ValueError(CHANGED)
        loaded = np.load(path, allow_pickle=False)
        return (
            {"landmarks": loaded}
            if isinstance(loaded, np.ndarray)
            else {name: loaded[name] for name in loaded.files}
        )
    except Exception as error:  # a damaged zip or header comes as many kinds
        raise UserError(
            f"{path}: not a readable array ({' '.join(str(error).split())[:160]}); save it again"
            " with numpy.save"
        ) from error


def _checked(path: Path, landmarks: np.ndarray | None) -> np.ndarray:
    """The landmarks as float64, frames of zeros as NaN."""
    if landmarks is None:
        raise UserError(f"{path}: an .npz without `landmarks`")
    if (
        landmarks.ndim != 3
        or landmarks.shape[1] not in NAMES
        or landmarks.shape[2] not in (3, 4, 5)
        or landmarks.dtype.kind not in "fiu"
    ):
        known = ", ".join(str(count) for count in NAMES)
        raise UserError(
            f"{path}: landmarks are {landmarks.dtype} {landmarks.shape}; expected (time, {known}, 3"
            " to 5) numbers"
        )
    values = landmarks.astype(float)
    parts = np.split(values, 2, axis=1) if landmarks.shape[1] == len(HANDS) else [values]
    for part in parts:  # views: a hand is missing without the other one
        part[(part[..., :3] == 0).all(axis=(1, 2))] = np.nan
    return values


def write(tracks: xr.Dataset, path: Path) -> None:
    """An .npz: `landmarks` (time, landmark, 4), fractions of the image, z = NaN, confidence as
    visibility; metres as `world_landmarks`.

    Raises:
        UserError: keypoints that are not MediaPipe's, all of them in its order; an image size
            that is not known; not an .npz.
    """
    if path.suffix.lower() != ".npz":
        raise UserError(f"{path}: landmark arrays are written as .npz")
    position, confidence = pixels(tracks, path)
    names = names_of(tracks)
    if NAMES.get(len(names)) != names:
        raise UserError(
            f"{path}: landmark arrays hold MediaPipe's 33 body landmarks, its face mesh or hands,"
            f" not {', '.join(names[:4])}..."
        )
    size = tracks.attrs["width"], tracks.attrs["height"]
    if not all(size):
        raise UserError(
            f"{path}: landmarks are fractions of the image, and the tracks do not have its size;"
            " import them with width and height"
        )
    unknown = np.full((*position.shape[:2], 1), np.nan)
    arrays = {
        "landmarks": np.concatenate(
            [position.astype(float) / size, unknown, confidence[..., None]], axis=2
        )
    }
    if "position_3d" in tracks:
        arrays["world_landmarks"] = (
            tracks["position_3d"].transpose("time", "keypoint", "space_3d").values
        )
    memory = io.BytesIO()
    stated: dict[str, Any] = {"fps": tracks.attrs["fps"], "width": size[0], "height": size[1]}
    np.savez_compressed(memory, **(stated | arrays))
    with atomic_path(path) as temporary:
        temporary.write_bytes(memory.getvalue())
