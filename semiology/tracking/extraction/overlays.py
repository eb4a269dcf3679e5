"""Overlays of extracted clips, for looking at: FOLDER/<clip_id>.mp4, made again only when the
tracks or their corrections changed, as FOLDER/<clip_id>.json records.
"""

from collections.abc import Sequence
from pathlib import Path

from semiology.data.overlay import draw_tracks
from semiology.data.store import Store, make_key
from semiology.errors import UserError
from semiology.files import content_hash, read_json, write_json
from semiology.tracking.extraction.keys import Source
from semiology.tracking.extraction.progress import ClipProgress

VERSION = 1  # raise when the same tracks give another overlay: it is part of the key


def has_overlay(folder: Path, store: Store, clip_id: str, parts: Sequence[str]) -> bool:
    """Whether the clip's overlay is there, of these parts' tracks as they are now."""
    made = _record(folder, clip_id)
    return _file(folder, clip_id).is_file() and made.get("overlay") == _key(store, clip_id, parts)


def refuse_others(folder: Path, clip_id: str) -> None:
    """Check that a clip's overlay would overwrite no other file.

    Raises:
        UserError: a video of that name is there, and is no overlay.
    """
    if _file(folder, clip_id).exists() and "overlay" not in _record(folder, clip_id):
        raise UserError(
            f"{_file(folder, clip_id)}: is there and was not made by semiology extract --overlay;"
            " choose another folder"
        )


def write_clip_overlay(
    source: Source, store: Store, folder: Path, parts: Sequence[str], clip_progress: ClipProgress
) -> None:
    """Write the overlay of these parts' tracks of a clip in the store.

    Raises:
        VideoError: the video cannot be read.
        UserError: tracks or corrections cannot be read, the folder cannot be written.
    """
    clip_id, path = source.clip_id, _file(folder, source.clip_id)
    tracks = {part: store.tracks(clip_id, part) for part in parts}
    key = _key(store, clip_id, parts)
    path.unlink(missing_ok=True)  # or an interruption would leave it beside another one's record
    write_json(path.with_suffix(".json"), {"overlay": key, "parts": list(parts)})
    draw_tracks(
        source.path, tracks, path, watch=lambda frames: clip_progress.watch(frames, "overlay")
    )


def _file(folder: Path, clip_id: str) -> Path:
    return folder / f"{clip_id}.mp4"


def _record(folder: Path, clip_id: str) -> dict:
    try:
        return read_json(_file(folder, clip_id).with_suffix(".json"))
    except UserError:
        return {}


def _key(store: Store, clip_id: str, parts: Sequence[str]) -> str:
    """Key of all that an overlay depends on: the keys of its tracks, and their corrections."""
    stages = store.known_record(clip_id)["stages"]
    depends: dict[str, object] = {"made": "overlay", "version": VERSION}
    for part in parts:
        corrections = store.corrections_file(clip_id, part)
        corrected = content_hash(corrections) if corrections.is_file() else ""
        depends[part] = [stages[part]["key"], corrected]
    return make_key(depends)
