"""From a folder of videos and marks to a cohort: clips are cut, and what each rater marked in them
becomes labels.

Nothing is asked: what was guessed, what is left out and what could not be read is in the result, a
line each. The cohort is made in a folder beside its place, and gets its name when it is whole.
"""

import math
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from unicodedata import normalize

import pandas as pd

from semiology.data.cohort.cohort import Cohort
from semiology.data.cohort.row import identifier
from semiology.data.cohort.table import write_table
from semiology.data.events import ENDING, write_events
from semiology.data.marks.cut import MARGIN, PHASE, Cut, Rated, Span, label_clips
from semiology.data.marks.folder import Remarks, match, read_folder
from semiology.data.marks.mark import WallClock
from semiology.data.marks.terms import Terms, read_terms
from semiology.errors import UserError
from semiology.files import atomic_folder, slug, write_json

LONGEST_NAME = 60  # letters of a participant's or video's, so that clips can be called by it


@dataclass(frozen=True)
class ImportedCohort:
    """What became of a folder of videos and marks.

    Attributes:
        participants, videos, clips: how many the cohort has.
        raters, labels: their names; without the labels of single raters where there are several.
        remarks: what was guessed, what is left out, what could not be read.
        unknown, unused, sides: as in `convert.Converted`.
    """

    participants: int
    videos: int
    clips: int
    raters: list[str]
    labels: list[str]
    remarks: Remarks
    unknown: Counter[str] = field(default_factory=Counter)
    unused: Counter[str] = field(default_factory=Counter)
    sides: Counter[str] = field(default_factory=Counter)


def import_cohort(
    folder: str | Path,
    out: str | Path,
    *,
    terms: str | Path | None = None,
    participant: str | None = None,
    rater: str | None = None,
    phases: Sequence[str] = (),
    whole: bool = False,
    before: float = MARGIN,
    after: float = MARGIN,
    unmarked: float | None = None,
    copy: bool = False,
    start: str | None = None,
    zone: str | None = None,
    frame_rate: float | None = None,
) -> ImportedCohort:
    """Make a cohort of a folder of videos and the files of marks beside them.

    Clips are cut around marks, or are phases, or whole videos. Each sign is a label: present where
    a mark of it overlaps the clip, absent where none does, n/a where nobody marked the video. Of
    several raters each has columns `sign@rater`, for the signs that this rater marked anywhere;
    `sign` is what those agree on who marked the video, n/a where they differ. [our choice]

    OUT gets participants.tsv, clips.tsv, clips.json, videos/ and the marks as tables of events in
    events/<rater>/.

    Args:
        folder: of videos and files of marks, in it and below.
        out: folder of the new cohort, which is not there yet, or is empty.
        terms: YAML, a centre's words -> signs.
        participant: regular expression in a video's path from FOLDER, whose first group, or whole
            match, is the participant. By default the first sub-folder, and of videos in FOLDER
            itself their name before the first _ or blank. [our choice]
        rater: the same in the path of a file of marks, for its rater; by default whom the file
            names.
        phases: signs or tiers whose marks are a clip each, and no label.
        whole: a clip is a whole video.
        before: s of a clip before a mark; clips that meet are one.
        after: s of a clip after a mark.
        unmarked: s; also a clip of this length from the middle of each stretch without marks, in
            which all signs are absent. By default none.
        copy: copy the videos; by default they are linked, and have to stay where they are.
        start: 2026-10-24T22:00:00, the recordings' start, where marks are times of day.
        zone: Europe/Berlin, of that clock, where it changes the hour.
        frame_rate: frames a second, where marks are numbers of frames; by default the video's.

    Raises:
        UserError: no such folder, OUT holds something, a pattern that is none, no video with
            marks, no phase of that name.
    """
    folder, out = Path(folder), Path(out)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; name the one of videos and marks")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: is there already; name a folder that is not there yet")
    for name, pattern in (("participant", participant), ("rater", rater)):
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise UserError(
                f"{name} {pattern!r}: is no regular expression ({error}); write (p[0-9]+)/, say"
            ) from None
    cut = Cut(tuple(phases), whole, before, after, unmarked)
    words = read_terms(terms) if terms is not None else Terms()
    clock = None if start is None else WallClock.parse(start, zone)
    remarks = Remarks()
    rated = read_folder(folder, words, rater, clock, frame_rate, remarks)
    people = _people(folder, rated, participant, remarks)
    rated = {video: rated[video] for video in people}
    if not rated:
        reasons = [*remarks.left_out, *(f"{name}: {why}" for name, why in remarks.failed.items())]
        raise UserError("\n  ".join([f"{folder}: no video in it has marks", *reasons]))
    clips = {video: cut.spans(tables.values()) for video, tables in rated.items()}
    if not any(clips.values()):
        raise UserError(f"{folder}: no clip can be cut; {_what_there_is(rated, cut)}")
    names = _video_names(folder, people, remarks)
    labels = label_clips(rated, clips, cut)
    places = [(video, span) for video, spans in clips.items() for span in spans]
    endings = [
        _ending(span, number, cut)
        for spans in clips.values()
        for number, span in enumerate(spans, start=1)
    ]
    clip_ids = _unique(f"{names[video]}{ending}" for (video, _), ending in zip(places, endings))
    rows = [
        {
            "clip_id": clip_id,
            "participant_id": people[video],
            "video": f"videos/{names[video]}{video.suffix.lower()}",
            "start": f"{span.start:.3f}",
            "end": "n/a" if span.end == math.inf else f"{span.end:.3f}",
            **({PHASE: span.phase} if phases else {}),
            **labels.levels[video, span],
        }
        for clip_id, (video, span) in zip(clip_ids, places)
    ]
    remarks.guesses += labels.guesses
    differ = [f"{label}, {count} clips" for label, count in labels.differ.items() if count]
    remarks.leave_out("labels on which raters differ, n/a there", differ)
    _remark(folder, rated, clips, cut, remarks)
    _write(out, rows, labels.sidecar, rated, names, copy)
    return ImportedCohort(
        len({row["participant_id"] for row in rows}),
        len({row["video"] for row in rows}),
        len(rows),
        sorted({who for own in rated.values() for who in own}),
        list(labels.names),
        remarks,
        words.unknown if terms is not None else Counter(),
        words.unused,
        words.sides,
    )


def _what_there_is(rated: Rated, cut: Cut) -> str:
    """Signs and tiers, in words, for whoever named a phase that is none of them."""
    events = [event for own in rated.values() for table in own.values() for event in table.events]
    signs, tiers = {event.sign for event in events}, {event.tier for event in events if event.tier}
    wanted = f"no mark with an end is called {' or '.join(cut.phases)}; " if cut.phases else ""
    return f"{wanted}signs are {', '.join(sorted(signs)) or 'none'}" + (
        f"; tiers are {', '.join(sorted(tiers))}" if tiers else ""
    )


def _people(folder: Path, rated: Rated, pattern: str | None, remarks: Remarks) -> dict[Path, str]:
    """Each video's participant."""
    who: dict[Path, str] = {}
    left = []
    for video in sorted(rated):
        path = video.relative_to(folder)
        if pattern:
            found = match(pattern, path.as_posix())
        else:
            found = path.parts[0] if len(path.parts) > 1 else re.split(r"[_\s]", path.stem)[0]
        if found:
            who[video] = found
        else:
            left.append(path.as_posix())
    remarks.leave_out(f"videos whose path has no participant {pattern!r}", left)
    identifiers = dict(zip(texts := sorted(set(who.values())), _unique(map(_identifier, texts))))
    if not pattern:
        for below, what in ((True, "sub-folders"), (False, "beginnings of the videos' names")):
            own = {
                identifiers[one]: None
                for video, one in who.items()
                if (len(video.relative_to(folder).parts) > 1) == below
            }
            if own:
                remarks.guesses.append(f"participants are the {what}: {', '.join(own)}")
    remarks.guesses += [
        f"participant {text!r} is called {name}"
        for text, name in identifiers.items()
        if text != name
    ]
    if len(identifiers) == 1:
        remarks.guesses.append(
            "all videos are of one participant, so that no other can be left out; if they are"
            " several, say by --participant where they are named"
        )
    return {video: identifiers[one] for video, one in who.items()}


def _video_names(folder: Path, people: Mapping[Path, str], remarks: Remarks) -> dict[Path, str]:
    """What each video is called in the cohort: as it is, after its participant where two have one
    name.
    """
    stems = Counter(video.stem.lower() for video in people)
    wanted = [
        _identifier(
            video.stem if stems[video.stem.lower()] == 1 else f"{people[video]}_{video.stem}"
        )
        for video in people
    ]
    names = dict(zip(people, _unique(wanted)))
    remarks.guesses += [
        f"video {video.relative_to(folder).as_posix()} is called {name}"
        for video, name in names.items()
        if name != video.stem
    ]
    return names


def _remark(
    folder: Path, rated: Rated, clips: Mapping[Path, Sequence[Span]], cut: Cut, remarks: Remarks
) -> None:
    """Say how the clips were cut, and what the marks have and no label shows."""
    events = [
        (video, event)
        for video, own in rated.items()
        for table in own.values()
        for event in table.events
    ]
    outside = Counter(
        video.relative_to(folder).as_posix()
        for video, event in events
        if not any(span.holds(event) for span in clips[video])
    )
    remarks.leave_out(
        "videos with marks in no clip", [f"{n} in {name}" for name, n in outside.items()]
    )
    about = Counter(
        name
        for _, event in events
        for name in ("side", "level", "body_part")
        if getattr(event, name) is not None
    )
    remarks.leave_out(
        "in events/ and in no label", [f"{name} of {n} marks" for name, n in about.items()]
    )
    if any(event.duration is None for _, event in events):
        remarks.guesses.append("a mark without an end counts for the clip in which it begins")
    markers = {
        who
        for own in rated.values()
        for who, table in own.items()
        if any(cut.is_phase(event) for event in table.events)
    }
    if len(markers) > 1:
        remarks.guesses.append(
            f"a phase that {', '.join(sorted(markers))} mark is one clip where their marks overlap"
        )
    if not cut.whole and not cut.phases:
        remarks.guesses.append(
            f"clips are cut {cut.before:g} s before and {cut.after:g} s after marks, and are one"
            " where they meet"
        )


def _identifier(text: str) -> str:
    """A name as a cohort takes it: as it is where it can be, else without accents and blanks."""
    plain = slug(normalize("NFKD", text).encode("ascii", "ignore").decode()).strip("_-")
    for name in (text, plain):
        try:
            if len(name) <= LONGEST_NAME:
                return identifier(name)
        except ValueError:
            pass
    return f"x-{plain}"[:LONGEST_NAME]


def _unique(names: Iterable[str]) -> list[str]:
    """The names, numbered where one is there already; capitals do not count."""
    taken: set[str] = set()
    found = []
    for name in names:
        free = name
        for number in range(2, len(taken) + 3):
            if free.lower() not in taken:
                break
            free = f"{name}_{number}"
        taken.add(free.lower())
        found.append(free)
    return found


def _ending(span: Span, number: int, cut: Cut) -> str:
    """What a clip's name has after its video's."""
    if cut.whole:
        return ""
    return f"_{_identifier(span.phase)}" if cut.phases else f"_{number:02d}"


def _write(
    out: Path,
    rows: Sequence[Mapping[str, str]],
    sidecar: Mapping[str, object],
    rated: Rated,
    names: Mapping[Path, str],
    copy: bool,
) -> None:
    """The cohort, whole or not at all.

    Raises:
        UserError: it cannot be written.
    """
    with atomic_folder(out) as made:
        (made / "videos").mkdir()
        used = {row["video"] for row in rows}
        for video, name in names.items():
            if (place := f"videos/{name}{video.suffix.lower()}") in used:
                _place(video.resolve(), made / place, copy)
                for who, table in rated[video].items():
                    path = made / "events" / who / f"{name}{ENDING}"
                    write_events(path, table.events, table.duration)
        people = sorted({row["participant_id"] for row in rows})
        write_table(made / "participants.tsv", pd.DataFrame({"participant_id": people}))
        write_json(made / "clips.json", sidecar)
        write_table(made / "clips.tsv", pd.DataFrame(rows))
        Cohort.read(made)


def _place(video: Path, place: Path, copy: bool) -> None:
    """A copy of a video, or a link to it: where links are not allowed, a second name of the file.

    Raises:
        UserError: none of these can be made.
    """
    try:
        if copy:
            shutil.copyfile(video, place)
            return
        try:
            os.symlink(video, place)
        except OSError:
            os.link(video, place)
    except OSError as error:
        raise UserError(
            f"{video}: cannot be {'copied' if copy else 'linked'} ({error.strerror});"
            f" {'free space' if copy else 'give --copy true'}"
        ) from error
