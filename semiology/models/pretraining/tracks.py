"""Tracks without labels from many places: cohorts, stores, folders of files, files."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import xarray as xr
from tqdm import tqdm

from semiology.data.cohort import Cohort
from semiology.data.corrections import read_corrected
from semiology.data.pixels import refuse_stored
from semiology.data.store import Store, clip_tracks, fingerprint
from semiology.errors import UserError
from semiology.files import real_files
from semiology.models.training.clips import ClipData, prepare, too_little
from semiology.models.training.reading import Reading

SUFFIXES = (".nc", ".csv")  # of files of tracks


@dataclass(frozen=True)
class Place:
    """One clip to read.

    Attributes:
        name: for messages to who runs the command.
        person: participant_id in a cohort; else one for each file or clip.
        known: whether `person` is a participant_id.
        tracks: reads them.
        content: SHA-256 of the file that they are (or were made) of; None where unknown.
    """

    name: str
    person: str
    known: bool
    tracks: Callable[[], xr.Dataset]
    content: Callable[[], str | None]


@dataclass(frozen=True)
class FoundClips:
    """Clips that were read, and what is known of them.

    Attributes:
        clips: on the grid of the reading's rate.
        known: participant_ids of the clips that are of a cohort.
        unknown: clips that are of none.
        contents: SHA-256 of the clips' files.
        rate: Hz, of the clips.
        failed: (clip or file, what was wrong) of the others.
    """

    clips: list[ClipData]
    known: set[str]
    unknown: int
    contents: set[str]
    rate: float
    failed: list[tuple[str, str]] = field(default_factory=list)

    def facts(self, named: Sequence[str] | None) -> dict[str, Any]:
        """What a card says of the clips; no name of a file is in it.

        Args:
            named: participant_ids of those on clips of no cohort; None where unknown.
        """
        frames = sum(len(clip.joints) for clip in self.clips)
        unnamed = self.unknown and named is None
        return {
            "clips": len(self.clips),
            "left_out": len(self.failed),
            "minutes": round(frames / self.rate / 60, 1),
            "people": len({clip.participant_id for clip in self.clips}),
            "participants": None if unnamed else sorted(self.known | set(named or ())),
            "contents": sorted(self.contents),
        }


def find_clips(
    inputs: Sequence[str | Path],
    reading: Reading,
    store: str | Path | None = None,
    *,
    progress: bool = True,
) -> FoundClips:
    """Read every clip; one that cannot be read, or shows too little of the patient, is listed and
    the others go on.

    Args:
        inputs: cohorts (folders with clips.tsv), stores, folders of .nc and .csv tracks, such
            files. Outside a cohort each file or clip counts as a person of its own.
        reading: how; labels are not read.
        store: of cohorts whose clips are videos.

    Raises:
        UserError: a place where no tracks are, no clip at all that can be used.
    """
    places = [
        place
        for number, path in enumerate(inputs)
        for place in _places(number, Path(path), reading, store)
    ]
    clips: list[ClipData] = []
    failed: list[tuple[str, str]] = []
    known: set[str] = set()
    contents: set[str] = set()
    unknown = 0
    for place in tqdm(places, unit="clip", desc="reading", disable=not progress):
        try:
            joints = prepare(place.tracks(), reading)
            reason = too_little(joints, reading)
            content = place.content()
        except UserError as error:
            reason, content = str(error), None
        if reason:
            failed.append((place.name, reason.removeprefix(f"{place.name}: ")))
            continue
        clips.append(ClipData(str(len(clips)), place.person, 0, joints))
        contents |= {content} if content else set()
        known |= {place.person} if place.known else set()
        unknown += not place.known
    if not clips:
        first = f"; {failed[0][0]}: {failed[0][1]}" if failed else ""
        raise UserError(f"{', '.join(map(str, inputs))}: no clip can be used{first}")
    return FoundClips(clips, known, unknown, contents, reading.rate, failed)


def _places(number: int, path: Path, reading: Reading, store: str | Path | None) -> Iterator[Place]:
    if (path / "clips.tsv").is_file():
        yield from _of_cohort(path, reading, Store(store) if store is not None else None)
        return
    if path.is_dir() and (stored := sorted(path.glob("*/record.json"))):
        for record in stored:
            clip_id = record.parent.name
            yield Place(
                f"clip {clip_id}",
                f"{number}/{clip_id}",
                False,
                partial(Store(path).tracks, clip_id, reading.part),
                partial(_stored_content, Store(path), clip_id),
            )
        return
    files = [path]
    if path.is_dir():
        files = [file for file in real_files(path) if file.suffix.lower() in SUFFIXES]
    if not files:
        raise UserError(
            f"{path}: no tracks there; give a cohort, a store, a folder of .nc or .csv tracks, or"
            " such files"
        )
    for place, file in enumerate(files):
        yield Place(
            str(file),
            f"{number}/{place}",
            False,
            partial(_file_tracks, file),
            partial(_file_content, file),
        )


def _of_cohort(folder: Path, reading: Reading, store: Store | None) -> Iterator[Place]:
    for clip in Cohort.read(folder, check_videos=False).clips:
        content = (
            partial(_file_content, folder / clip.tracks)
            if clip.tracks or store is None
            else partial(_stored_content, store, clip.clip_id)
        )
        tracks = partial(clip_tracks, folder, clip, store, reading.part)
        yield Place(f"clip {clip.clip_id}", clip.participant_id, True, tracks, content)


def _file_tracks(file: Path) -> xr.Dataset:
    return refuse_stored(read_corrected(file))


def _file_content(file: Path) -> str:
    return str(fingerprint(file, {})["sha256"])


def _stored_content(store: Store, clip_id: str) -> str | None:
    """SHA-256 of the video that the tracks were made of."""
    return store.record(clip_id)["source"].get("sha256")
