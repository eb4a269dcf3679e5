"""Files of marks to tables of events, and tables of events to files of other programs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from unicodedata import normalize

from semiology.data.events import (
    BEYOND,
    ENDING,
    Event,
    EventTable,
    read_events,
    recording_of,
    write_events,
)
from semiology.data.marks import FORMATS, module_of, read
from semiology.data.marks.hed import check_tags
from semiology.data.marks.mark import Marks, WallClock, overlaps
from semiology.data.marks.terms import Terms, read_terms
from semiology.errors import UserError
from semiology.files import portable_name, real_files, refuse_existing
from semiology.video import VideoError, probe
from semiology.video.recording import header_length

FASTEST = 1000  # frames a second; nobody films patients faster [our choice]
NOBODY = "unknown"  # folder of marks whose rater no file names
# what cameras, recorders and converters call their videos [our choice]
VIDEOS = (
    *(".3gp", ".asf", ".avi", ".dv", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg"),
    *(".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv"),
)


@dataclass(frozen=True)
class Videos:
    """A folder of videos, or EEGs, and the files in it and below, listed once."""

    folder: Path
    files: list[Path]

    @classmethod
    def of(cls, folder: str | Path) -> "Videos":
        """The videos of a folder.

        Raises:
            UserError: there is no such folder.
        """
        if not Path(folder).is_dir():
            raise UserError(f"{folder}: no such folder of videos; correct --videos")
        found = [path for path in real_files(Path(folder), "**/*") if path.is_file()]
        return cls(Path(folder), found)

    def find(
        self,
        clip_id: str,
        media: str = "",
        suffixes: Sequence[str] = VIDEOS,
        marks: Path | None = None,
    ) -> Path | None:
        """The video of a recording: by the name that the file of marks has for it, else by the
        recording's; of several the one beside the file of marks, else the one in a folder that is
        called as that of the marks.

        Raises:
            UserError: several have that name.
        """
        media, clip_id = normalize("NFC", media), normalize("NFC", clip_id)
        found = [path for path in self.files if media == normalize("NFC", path.name)] or [
            path
            for path in self.files
            if path.suffix.lower() in suffixes and clip_id == normalize("NFC", path.stem)
        ]
        if len(found) > 1 and marks is not None:
            folder = marks.resolve().parent
            found = (
                [path for path in found if path.resolve().parent == folder]
                or [path for path in found if path.parent.name == folder.name]
                or found
            )
        if len(found) > 1:
            names = ", ".join(path.relative_to(self.folder).as_posix() for path in found)
            raise UserError(
                f"{len(found)} videos could be that of {media or clip_id}: {names}; put the marks"
                " beside theirs, or rename one"
            )
        return found[0] if found else None


@dataclass
class Converted:
    """What became of files.

    Attributes:
        written: file -> how many events it holds.
        notes: file -> what was guessed, left out or cannot be held.
        failed: file -> why it could not be converted.
        unknown: terms that `terms.yaml` lacks, and how often they were met.
        unused: fields that an event has no place for, and how often.
        sides: sides that are none of `SIDES`, and how often.
        remarks: on all of it, a line each.
    """

    written: dict[Path, int] = field(default_factory=dict)
    notes: dict[Path, list[str]] = field(default_factory=dict)
    failed: dict[Path, str] = field(default_factory=dict)
    unknown: Counter[str] = field(default_factory=Counter)
    unused: Counter[str] = field(default_factory=Counter)
    sides: Counter[str] = field(default_factory=Counter)
    remarks: list[str] = field(default_factory=list)


def import_marks(
    files: Sequence[str | Path],
    out: str | Path,
    *,
    terms: str | Path | None = None,
    rater: str | None = None,
    videos: str | Path | None = None,
    start: str | None = None,
    zone: str | None = None,
    frame_rate: float | None = None,
) -> Converted:
    """Write OUT/<rater>/<clip_id>_events.tsv for each recording and rater of files of marks. A file
    that cannot be read is named, and the others go on; tables that are there stay as they are.

    Args:
        files: of marks, in any of `FORMATS`.
        out: folder of the tables.
        terms: `terms.yaml`, a centre's words -> signs; by default they are signs as they are.
        rater: whose marks these are, by default whom the files name.
        videos: folder of the videos, for their lengths and frame rates.
        start: date and time of the recording's start, where marks are times of day.
        zone: of that clock, where it changes to or from daylight-saving time.
        frame_rate: frames a second, where marks are numbers of frames; by default the video's.

    Raises:
        UserError: no file, terms that cannot be read, HED tags that are not valid, a start or a
            rate that is none.
    """
    if not files:
        raise UserError("no file of marks; name one at least")
    if frame_rate is not None and not 0 < frame_rate <= FASTEST:
        raise UserError(f"frame_rate {frame_rate:g}: give frames a second, 25 or 29.97 say")
    footage = None if videos is None else Videos.of(videos)
    known = read_terms(terms) if terms is not None else Terms()
    clock = None if start is None else WallClock.parse(start, zone)
    result = Converted()
    if known.hed and terms is not None and (remark := check_tags(known.hed, known.schemas, terms)):
        result.remarks.append(remark)
    origin: dict[Path, Path] = {}  # table -> the file of its marks
    for file in map(Path, files):
        try:
            tables, notes = _tables(file, known, rater, footage, clock, frame_rate)
            paths = {
                Path(out) / portable_name(who) / f"{portable_name(clip_id)}{ENDING}": table
                for (who, clip_id), table in tables.items()
            }
            for path in paths:
                if path in origin:
                    raise UserError(
                        f"{origin[path].name} has marks of {recording_of(path)} by"
                        f" {path.parent.name} already; name raters apart (--rater), or join them"
                    )
            refuse_existing(paths)
            for path, table in paths.items():
                signs = {event.sign for event in table.events}
                tags = {sign: tag for sign, tag in known.hed.items() if sign in signs}
                described = {"trial_type": {"HED": tags}} if tags else None
                write_events(path, table.events, table.duration, described)
                result.written[path], origin[path] = len(table.events), file
            if notes:
                result.notes[file] = notes
        except (UserError, ValueError, OSError) as error:
            result.failed[file] = str(error).removeprefix(f"{file}: ")
    result.unknown = known.unknown if terms is not None else Counter()
    result.unused, result.sides = known.unused, known.sides
    return result


def _tables(
    file: Path,
    terms: Terms,
    rater: str | None,
    videos: Videos | None,
    clock: WallClock | None,
    frame_rate: float | None,
) -> tuple[dict[tuple[str, str], EventTable], list[str]]:
    """(rater, clip_id) -> events of one file, and notes."""
    tables: dict[tuple[str, str], EventTable] = {}
    notes: list[str] = []
    for marks in read(file, clock):
        if marks.frames:
            found, where = None, ""
            if videos is not None:
                found = videos.find(marks.clip_id, marks.media, marks=file)
                where = f", which is not in {videos.folder} or has no times"
            marks = from_frames(marks, found, frame_rate, notes, where)
        length = _length(marks, videos, file, notes)
        for who, table in by_rater(marks, terms, rater, length, notes).items():
            if (who, marks.clip_id) in tables:
                raise UserError(
                    f"has {marks.clip_id} twice by {who}; name raters apart, or join them"
                )
            tables[who, marks.clip_id] = table
    return tables, notes


def by_rater(
    marks: Marks, terms: Terms, rater: str | None, length: float | None, notes: list[str]
) -> dict[str, EventTable]:
    """The events of one recording by rater, `NOBODY` where none is named; a table without events
    where there are none. What was guessed or left out is appended to `notes`.

    Args:
        marks: of the recording.
        terms: what its words mean.
        rater: whose marks these are, by default whom the file names.
        length: of the recording, s.
        notes: a line each.

    Raises:
        UserError: marks beyond the recording's end, several raters under the name of one.
    """
    notes += [note for note in marks.notes if note not in notes]
    _check_length(marks, length)
    events = [event for mark in marks.marks if (event := terms.event(mark, rater))]
    named = {mark.rater for mark in marks.marks if mark.rater}
    if rater is not None and len(named) > 1:
        raise UserError(
            f"names the raters {', '.join(sorted(named))}, who would all be {rater}; leave"
            " --rater out"
        )
    raters = dict.fromkeys(event.rater for event in events)
    raters |= dict.fromkeys([rater] if rater else sorted(named))  # whose marks were all left out
    tables = {}
    for who in raters or [None]:
        own = [event for event in events if event.rater == who]
        tables[who or NOBODY] = EventTable(own, length)
        notes += _remarks(own, marks.clip_id)
    return tables


def _remarks(events: list[Event], clip_id: str) -> list[str]:
    """Notes on the events of one rater."""
    remarks = []
    if open_ended := sum(event.duration is None for event in events):
        remarks.append(f"{clip_id}: {open_ended} marks have no end: their duration is n/a")
    if before := sum(event.onset < 0 for event in events):
        remarks.append(f"{clip_id}: {before} marks begin before the recording")
    ends = [
        (event.kind, event.onset, None if event.duration is None else event.offset)
        for event in events
    ]
    if over := overlaps(ends):
        remarks.append(
            f"{clip_id}: {over} marks overlap another of the same sign by"
            f" {events[0].rater or 'one rater'}; events score refuses them until they are one"
        )
    return remarks


def _length(marks: Marks, videos: Videos | None, file: Path, notes: list[str]) -> float | None:
    """Length of the recording, s: of the video where it is found, else what the file says."""
    if videos is None:
        return marks.length
    path = videos.find(marks.clip_id, marks.media, marks=file)
    if path is None:
        notes.append(
            f"{marks.media or marks.clip_id} is not in {videos.folder}: the length is not checked"
        )
        return marks.length
    try:
        return header_length(path)
    except VideoError as error:
        notes.append(f"{error}: the length is not checked")
        return marks.length


def from_frames(
    marks: Marks, video: Path | None, frame_rate: float | None, notes: list[str], where: str = ""
) -> Marks:
    """Marks that are numbers of frames, in seconds; the rate is appended to `notes`.

    Args:
        marks: of one recording.
        video: of the recording, where it was found.
        frame_rate: of what was counted, by default the video's.
        notes: a line each.
        where: what the error says of the video, where it gives no rate.

    Raises:
        UserError: nobody says the rate.
    """
    rate = frame_rate
    if rate is None and marks.frames != "video":
        raise UserError(
            f"{marks.frames} counts frames of the rate that its configuration states, 24 a second"
            " where it states none, and the export does not hold it; give it (--frame_rate)"
        )
    if rate is None and video is not None:
        rate = probe(video).fps
    if rate is None:
        raise UserError(
            f"its times are frames of {marks.media or marks.clip_id}{where}; name the folder of the"
            " video (--videos), or its frame rate (--frame_rate)"
        )
    notes.append(f"{marks.clip_id}: frames became seconds at {rate:g} frames a second")
    return marks.in_seconds(rate)


def _check_length(marks: Marks, length: float | None) -> None:
    if length is None:
        return
    beyond = [mark for mark in marks.marks if mark.onset + (mark.duration or 0.0) > length + BEYOND]
    if beyond:
        last = max(beyond, key=lambda mark: mark.onset + (mark.duration or 0.0))
        raise UserError(
            f"{len(beyond)} marks reach beyond the end of {marks.clip_id} at {length:.3f} s, the"
            f" last ({last.name!r}) to {last.onset + (last.duration or 0.0):.3f} s; is it the"
            " right video, and its offset right?"
        )


def export_events(
    events: str | Path, to: str, out: str | Path, *, videos: str | Path | None = None
) -> Converted:
    """Write events for another program: of a table one file; of a folder of tables one file a
    recording, the raters together, into a folder. Files that are there stay as they are.

    Args:
        events: an events.tsv, or a folder of <clip_id>_events.tsv (in folders of raters).
        to: name of a format in `FORMATS`.
        out: the file to write, or for a folder of tables the folder.
        videos: folder of the videos, whose names the files get; for EDF+ of the EEGs, whose start
            they get.

    Raises:
        UserError: no such format, no table of events.
    """
    if to not in FORMATS:
        raise UserError(f"no format {to!r}; formats are {', '.join(FORMATS)}")
    if not Path(events).exists():
        raise UserError(f"{events}: no such table of events or folder of tables")
    footage = None if videos is None else Videos.of(videos)
    format, result = FORMATS[to], Converted()
    folder = Path(events).is_dir()
    paths = sorted(real_files(Path(events), f"**/*{ENDING}")) if folder else [Path(events)]
    if not paths:
        raise UserError(f"{events}: holds no table of events; they are named <clip_id>{ENDING}")
    for clip_id in dict.fromkeys(recording_of(path) for path in paths):
        own = [path for path in paths if recording_of(path) == clip_id]
        target = Path(out) / f"{clip_id}{format.suffixes[0]}" if folder else Path(out)
        try:
            refuse_existing([target])
            if not folder and target.suffix.lower() not in format.suffixes:
                raise UserError(f"{target}: a file of {to} ends with {format.suffixes[0]}")
            table = _joined(own)
            suffixes = format.suffixes if to == "edf" else VIDEOS
            video = None if footage is None else footage.find(clip_id, suffixes=suffixes)
            count, notes = module_of(format).write(table, target, video or "")
            if footage is not None and video is None:
                notes.append(f"{clip_id} is not in {videos}")
            result.written[target] = count
            if notes:
                result.notes[target] = notes
        except UserError as error:
            result.failed[own[0]] = str(error).removeprefix(f"{own[0]}: ")
    return result


def _joined(paths: list[Path]) -> EventTable:
    """The events of all tables of one recording."""
    tables = [read_events(path, scored=False) for path in paths]
    lengths = [table.duration for table in tables if table.duration is not None]
    return EventTable(
        [event for table in tables for event in table.events], max(lengths, default=None)
    )
