"""A folder of videos and files of marks: which marks are of which video, by whom."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from unicodedata import normalize

from semiology.data.events import EventTable
from semiology.data.marks import FORMATS, IMPORTED, read
from semiology.data.marks.convert import NOBODY, VIDEOS, Videos, by_rater, from_frames
from semiology.data.marks.cut import Rated
from semiology.data.marks.mark import Marks, WallClock
from semiology.data.marks.table import NoMarksError
from semiology.data.marks.terms import Terms
from semiology.errors import UserError
from semiology.files import portable_name
from semiology.video.recording import header_length

EEG = FORMATS["edf"].suffixes
ANYTHING = (".json", ".xml")  # suffixes of sidecars and much else, too


@dataclass
class Remarks:
    """Messages of an import, a line each.

    Attributes:
        guesses: what was decided without being asked.
        left_out: what is not in the cohort, a line a reason, with counts.
        failed: what could not be read -> why.
    """

    guesses: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    def leave_out(self, what: str, named: Sequence[str]) -> None:
        """Add a line, where there is something: what, how many, which."""
        if named:
            self.left_out.append(f"{what} ({len(named)}): {', '.join(named)}")


def read_folder(
    folder: Path,
    terms: Terms,
    rater: str | None,
    clock: WallClock | None,
    frame_rate: float | None,
    remarks: Remarks,
) -> Rated:
    """The marks of each video by rater, by the videos' paths. A recording that cannot be read is
    named in `remarks`, and the others go on.

    Args:
        folder: of videos and files of marks, in it and below.
        terms: what their words mean.
        rater: regular expression, see `match`, in the path of a file of marks.
        clock: of marks that are times of day.
        frame_rate: of marks that are numbers of frames, by default the video's.
        remarks: grows.
    """
    files = _files(folder, remarks)
    reading = _Reading(Videos(folder, files), terms, rater, frame_rate, remarks)
    formats = [*FORMATS.values(), *IMPORTED]
    suffixes = {suffix for format in formats for suffix in format.suffixes}
    for file in files:
        if file.suffix.lower() not in suffixes:
            continue
        name = file.relative_to(folder).as_posix()
        try:
            recordings = read(file, clock)
        except NoMarksError:
            reading.leave("tables without onsets and labels", name)
            continue
        except (UserError, ValueError, OSError) as error:
            if file.suffix.lower() in ANYTHING:
                reading.leave("files that hold no marks which can be read", name)
                continue
            remarks.failed[name] = str(error).removeprefix(f"{file}: ")
            continue
        alone = len(recordings) == 1
        for marks in recordings:
            about = name if alone else f"{name}: {marks.clip_id}"
            try:
                reading.take(file, marks, about, alone)
            except (UserError, ValueError) as error:
                remarks.failed[about] = str(error).removeprefix(f"{file}: ")
    reading.take_silent()
    for file in files:
        if file.suffix.lower() in VIDEOS and file not in reading.rated:
            reading.leave("videos without marks that can be read", reading.name(file))
    for what, named in reading.left.items():
        remarks.leave_out(what, named)
    if nobody := [about for (_, who), about in reading.origin.items() if who == NOBODY]:
        remarks.guesses.append(f"no rater is named in {', '.join(nobody)}: called {NOBODY}")
    return dict(sorted(reading.rated.items()))


@dataclass
class _Reading:
    """What was read of a folder so far.

    Attributes:
        videos, terms, rater, frame_rate, remarks: as in `read_folder`.
        rated: video -> rater -> marks.
        origin: the file, and recording in it, of these.
        silent: video, file and table without an event, where no rater is named.
        left: what is left out, reason -> names.
    """

    videos: Videos
    terms: Terms
    rater: str | None
    frame_rate: float | None
    remarks: Remarks
    rated: Rated = field(default_factory=dict)
    origin: dict[tuple[Path, str], str] = field(default_factory=dict)
    silent: list[tuple[Path, str, EventTable]] = field(default_factory=list)
    left: dict[str, list[str]] = field(default_factory=dict)

    def name(self, path: Path) -> str:
        return path.relative_to(self.videos.folder).as_posix()

    def leave(self, what: str, name: str) -> None:
        self.left.setdefault(what, []).append(name)

    def take(self, file: Path, marks: Marks, about: str, alone: bool) -> None:
        """Take the marks of one recording.

        Raises:
            UserError: several videos could be it, it cannot be opened, marks beyond its end, two
                raters of one name.
            ValueError: a rater's name that no folder can have.
        """
        if file.suffix.lower() in EEG and not marks.marks:
            return self.leave("EEGs without annotations", about)
        video = self.video(file, marks, about, alone)
        if video is None:
            media = "" if marks.media == file.name else marks.media
            return self.leave("marks without a video", f"{about} (of {media or marks.clip_id})")
        notes: list[str] = []
        who = match(self.rater, self.name(file))
        if marks.frames:
            marks = from_frames(marks, video, self.frame_rate, notes)
        tables = by_rater(marks, self.terms, who, header_length(video), notes)
        there = self.rated.get(video, {})
        if all(there.get(one) == table for one, table in tables.items()):
            return self.leave("the same marks again", about)
        for one in tables:
            portable_name(one)
            if one in there:
                raise UserError(
                    f"is by {one}, whose marks of this video are in {self.origin[video, one]}"
                    " already; name two raters apart by --rater, or join the marks of one"
                )
        self.remarks.guesses += [f"{about}: {note}" for note in notes]
        for one, table in tables.items():
            if one == NOBODY and not table.events:
                self.silent.append((video, about, table))
            else:
                self.rated.setdefault(video, {})[one] = table
                self.origin[video, one] = about
        return None

    def video(self, file: Path, marks: Marks, about: str, alone: bool) -> Path | None:
        """The video of a recording; where its name alone leads to it, that is a guess.

        Raises:
            UserError: several could be it.
        """
        media = "" if marks.media == file.name else marks.media  # an EEG's own
        found = self.videos.find(marks.clip_id, media, marks=file)
        if found is None and alone:
            found = self.videos.find(file.stem, marks=file)
        if found is None:
            return None
        name, guesses = self.name(found), self.remarks.guesses
        if media and normalize("NFC", media) != normalize("NFC", found.name):
            guesses.append(f"{about}: its video {media} is not there, {name} is taken")
        elif not media:
            guesses.append(f"{about}: names no video, {name} is taken by its name")
        elif found.parent != file.parent:
            guesses.append(f"{about}: its video is not beside it, {name} is taken by its name")
        if file.suffix.lower() in EEG:
            guesses.append(f"{about}: seconds of the EEG are taken for seconds of {name}")
        return found

    def take_silent(self) -> None:
        """Files without a mark and without a rater's name are of the rater whom all others are of,
        if there is one only.
        """
        raters = {who for own in self.rated.values() for who in own}
        for video, about, table in self.silent:
            if len(raters) == 1 and video not in self.rated:
                (who,) = raters
                self.rated[video] = {who: table}
                self.remarks.guesses.append(f"{about}: has no mark: {who} saw none")
            else:
                self.leave("files without a mark and without a rater", about)


def _files(folder: Path, remarks: Remarks) -> list[Path]:
    """The files of a folder and below, sorted, without hidden ones and those of other cohorts."""
    found = [
        path
        for path in Videos.of(folder).files
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    cohorts = {path.parent for path in found if path.name == "clips.tsv"} - {folder}
    names = sorted(path.relative_to(folder).as_posix() for path in cohorts)
    remarks.leave_out("folders that are cohorts already", names)
    return [path for path in found if not cohorts & set(path.parents)]


def match(pattern: str | None, name: str) -> str | None:
    """The first group of a pattern in a name, else the whole match; None without one."""
    found = re.search(pattern, name) if pattern else None
    return (found[1] if found.re.groups else found[0]) if found else None
