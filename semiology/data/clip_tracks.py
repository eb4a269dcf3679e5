"""The tracks of one clip of a cohort, wherever they are: brought along, or in a store."""

from pathlib import Path

import xarray as xr

from semiology.data.cohort import Clip
from semiology.data.corrections import corrections_file, read_corrected
from semiology.data.store import Store
from semiology.data.tracks import between
from semiology.errors import UserError


def clip_tracks(folder: Path, clip: Clip, store: Store | None, part: str) -> xr.Dataset:
    """Tracks of a clip from its start to its end, with what people corrected in them, time (s) counted from its start.

    Args:
        folder: of the cohort.
        clip: whose own tracks are read where it brings some, whatever `part` they are of.
        store: for clips that bring none.
        part: "body" or "face", of the store.

    Raises:
        UserError: which clip, and what is wrong: no tracks and no store, tracks that cannot be read, no frame from its start to its end.
            Files that were brought are not named, because they may be named after videos.
    """
    if not clip.tracks:
        if store is None:
            raise UserError(f"clip {clip.clip_id}: has no tracks of its own; give the store of semiology extract (--store DIR)")
        return store.tracks(clip.clip_id, part)
    path = folder / clip.tracks
    try:
        return between(read_corrected(path), clip.start, clip.end)
    except UserError as error:
        what = str(error).replace(str(corrections_file(path)), "its corrections").replace(str(path), "its tracks")
        raise UserError(f"clip {clip.clip_id}: {what}") from error
