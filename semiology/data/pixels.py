"""How the frames of tracks were read, and their positions in square or in stored pixels."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import xarray as xr

from semiology.data.tracks import with_step
from semiology.errors import UserError
from semiology.video import Reading, Recording, probe, scan_fields
from semiology.video.image import parse_aspect, ratio


def video_attributes(path: str | Path | Recording, reading: Reading) -> dict[str, str | int]:
    """What tracks record of how their video's frames were read: how it is stored, the shape of its
    pixels, its fields.

    Raises:
        VideoError: the video cannot be read.
    """
    info, scan = probe(path, reading), scan_fields(path)
    aspect = 1 / info.pixel_aspect if info.rotation % 180 else info.pixel_aspect
    return {
        "pixels": "square",
        "pixel_aspect": ratio(aspect),
        "pixel_aspect_given": reading.pixel_aspect or "",
        "stored_width": info.stored_width,
        "stored_height": info.stored_height,
        "scan": str(scan),
        "fields": reading.fields if scan.interlaced else "progressive",
    }


def reading_of(tracks: xr.Dataset | None) -> Reading:
    """How the frames that tracks were made of were read, so that others are read the same way."""
    attributes = {} if tracks is None else tracks.attrs
    fields = attributes.get("fields", "auto")
    return Reading(
        attributes.get("pixel_aspect_given") or None,
        fields if fields in ("both", "off") else "auto",
    )


def in_stored_pixels(tracks: xr.Dataset) -> xr.Dataset:
    """The same tracks in pixels of the video as it is stored (turned upright), for programs that
    read its frames so. Tracks are in square pixels otherwise.

    Raises:
        UserError: tracks of frames whose pixels are not known, or that are in stored pixels.
    """
    if tracks.attrs.get("pixels") != "square" or "position" not in tracks:
        raise UserError(
            "tracks: are not known to be in square pixels of a video; only those that semiology"
            " extract made can be given in stored pixels"
        )
    stored = _scaled(tracks, 1 / _enlarged(parse_aspect(tracks.attrs["pixel_aspect"])))
    return with_step(stored.assign_attrs(pixels="stored"), "in_stored_pixels")


def in_square_pixels(tracks: xr.Dataset, pixel_aspect: str) -> xr.Dataset:
    """Tracks that another program made of frames as they are stored, in square pixels.

    Args:
        tracks: in stored pixels.
        pixel_aspect: "W:H", width of a stored pixel over its height, in the frames that were
            tracked.

    Raises:
        UserError: no such ratio; tracks without positions in px, or in square pixels.
    """
    aspect = parse_aspect(pixel_aspect)
    if tracks.attrs.get("pixels") == "square" or "position" not in tracks:
        raise UserError("tracks: hold no positions in stored pixels; leave the pixel aspect out")
    square = _scaled(tracks, _enlarged(aspect))
    recorded = {"pixels": "square", "pixel_aspect": pixel_aspect}
    return with_step(square.assign_attrs(recorded), "in_square_pixels", pixel_aspect=pixel_aspect)


def refuse_stored(tracks: xr.Dataset) -> xr.Dataset:
    """The tracks, for what measures angles and distances.

    Raises:
        UserError: they are in stored pixels that are not square.
    """
    if tracks.attrs.get("pixels") == "stored" and tracks.attrs["pixel_aspect"] != "1:1":
        raise UserError(
            f"tracks: are in stored pixels of {tracks.attrs['pixel_aspect']}; make them square by"
            " semiology tracks import --pixel_aspect"
        )
    return tracks


def _enlarged(aspect: Fraction) -> np.ndarray:
    """By how much x and y of stored pixels are enlarged: the shorter side of a pixel is."""
    return np.array([max(float(aspect), 1.0), max(1 / float(aspect), 1.0)])


def _scaled(tracks: xr.Dataset, factors: np.ndarray) -> xr.Dataset:
    """Tracks with x, y and the frame's size multiplied by two factors."""
    scale = xr.DataArray(factors, {"space": ["x", "y"]})
    position = (tracks["position"] * scale).astype(np.float32).transpose(*tracks["position"].dims)
    sizes = {
        name: round(tracks.attrs[name] * factor)
        for name, factor in zip(("width", "height"), factors)
    }
    return tracks.assign(position=position).assign_attrs(sizes)
