"""BORIS: projects (.boris, format 7.0, which versions 7 to 9 write) and exports of events, tabular
and aggregated, as .csv or .tsv.

A state lasts from its START to its STOP, which are events of one subject, behavior and modifiers,
by turns; an instant is a point event. Times hold the observation's time offset, which is taken off,
so that they are seconds of player 1's video; other players' offsets move their own videos only.
A queue of videos in player 1 is one recording, called as the observation.

Written: an observation a rater, with the independent variables "rater" and "clip_id"; signs are
behaviors, level, side and so on their modifiers. One code is a state or an instant, never both, so
an instant of a sign that also lasts is a state with START and STOP at one time.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from semiology.data.cohort.table import from_cell
from semiology.data.events import Event, EventTable, in_order
from semiology.data.marks.mark import RATERS, Mark, Marks, WallClock, seconds_of
from semiology.errors import UserError
from semiology.files import read_json, write_json

VERSION = "7.0"  # of the format: that of BORIS 7, 8 and 9 [C: BORIS 8.27.4]
STATE, POINT = "State event", "Point event"
CLIP = "clip_id"  # an independent variable that names the recording where no video does
EMPTY = ("", "None", "NA", "No focal subject")
SINGLE, NUMERIC = 0, 2  # types of sets of modifiers
MODIFIERS = ("level", "side", "body_part", "confidence", "source")
FIRST = "Observation id"  # an export begins with it
# (s, subject, behavior, modifiers by name, START, STOP or POINT or "" by turns, comment)
Row = tuple[float, str, str, tuple[tuple[str, str], ...], str, str]


def is_export(path: Path) -> bool:
    """Whether a table is an export of BORIS."""
    with open(path, "rb") as stream:
        return stream.read(64).lstrip(b'\xef\xbb\xbf"').startswith(FIRST.encode())


def read(path: Path, start: WallClock | None = None) -> list[Marks]:
    """The marks of each observation of a project, or of an export.

    Raises:
        UserError: no project, an event without a time or of a behavior that is not defined, an
            export without the columns it should have.
    """
    found = _project(path) if path.suffix.lower() == ".boris" else _export(path)
    videos = [marks.clip_id for marks, _ in found]
    result = []
    for marks, observation in found:
        notes, own = list(marks.notes), marks.marks
        if videos.count(marks.clip_id) > 1 and not any(mark.rater for mark in own):
            notes.append(
                f"several observations of {marks.clip_id} name no rater: each is taken for a rater"
            )
            own = [_by(mark, observation) for mark in own]
        result.append(Marks(marks.clip_id, own, marks.media, marks.length, tuple(notes)))
    return result


def _by(mark: Mark, rater: str) -> Mark:
    return replace(mark, rater=rater)


def _project(path: Path) -> list[tuple[Marks, str]]:
    content = read_json(path, what="a BORIS project", remedy="save it again in BORIS")
    try:
        behaviors = {
            str(one["code"]): one for one in (content.get("behaviors_conf") or {}).values()
        }
        observations = dict(content["observations"])
    except (KeyError, TypeError, AttributeError, ValueError):
        raise UserError(f"{path}: is no BORIS project; save it again in BORIS") from None
    return [
        (_observation(f"{path}: observation {name!r}", str(name), about, behaviors), str(name))
        for name, about in observations.items()
    ]


def _observation(where: str, name: str, about: Any, behaviors: dict[str, Any]) -> Marks:
    try:
        late = float(about.get("time offset") or 0)
        files = about.get("file") or {}
        players = {key: list(own) for key, own in files.items() if own} if files else {}
        info = about.get("media_info") or {}
        rows = [_event(where, event, behaviors, late) for event in about.get("events") or []]
        variables = {
            key.strip().lower(): str(text)
            for key, text in (about.get("independent_variables") or {}).items()
            if text
        }
        videos = [str(one) for one in players.get("1", [])]
        known = info.get("length") or {}
        lengths = [float(known[one]) for one in videos if one in known]
        offsets = {key: float(own) for key, own in (info.get("offset") or {}).items()}
    except (TypeError, AttributeError, ValueError) as error:
        raise UserError(f"{where}: is not BORIS' ({error}); save it again in BORIS") from None
    notes = [
        f"{name}: player {key} begins {offsets[key]:g} s off; times are seconds of player 1"
        for key in players
        if key != "1" and offsets.get(key)
    ]
    media = _file_name(videos[0]) if len(videos) == 1 else ""
    if len(videos) > 1:
        notes.append(f"{name}: {len(videos)} videos in a row are one recording of this name")
    rater = next((variables[key] for key in RATERS if key in variables), None)
    clip_id = Path(media).stem or variables.get(CLIP, name)
    length = sum(lengths) if lengths and len(lengths) == len(videos) else None
    return Marks(clip_id, _paired(where, rows, rater), media, length, tuple(notes))


def _event(where: str, event: Sequence[Any], behaviors: dict[str, Any], late: float) -> Row:
    time, subject, code, modifiers, comment = (*event, "", "", "", "", "")[:5]
    if code not in behaviors:
        raise UserError(
            f"{where}: an event is of behavior {code!r}, which the ethogram lacks; add it in BORIS"
        )
    sets = list((behaviors[code].get("modifiers") or {}).values())
    named = [
        (one.get("name") or "").strip() or f"modifier {number}"
        for number, one in enumerate(sets, start=1)
    ]
    values = [text.strip() for text in str(modifiers or "").split("|")]
    named += [f"modifier {number}" for number in range(len(named) + 1, len(values) + 1)]
    status = "POINT" if str(behaviors[code].get("type", "")).startswith("Point") else ""
    seconds = round(float(time) - late, 6)
    return seconds, str(subject or ""), code, tuple(zip(named, values)), status, str(comment or "")


def _paired(where: str, rows: Iterable[Row], rater: str | None) -> list[Mark]:
    """Marks of START and STOP, by turns where the rows do not say which, and of points."""
    marks: list[Mark] = []
    open_states: dict[tuple, int] = {}
    for time, subject, code, modifiers, status, comment in sorted(rows, key=lambda row: row[0]):
        key = subject, code, modifiers
        if key in open_states and status in ("", "STOP"):
            place = open_states.pop(key)
            begun = marks[place]
            fields = dict(begun.fields)
            if comment:
                fields["comment"] = "; ".join(filter(None, [fields.get("comment"), comment]))
            duration = round(time - begun.onset, 6)
            marks[place] = Mark(begun.onset, duration, code, None, rater, fields)
            continue
        if status == "STOP":
            raise UserError(
                f"{where}: {code!r} stops at {time:g} s and has not begun; correct it in BORIS"
            )
        if key in open_states:
            raise UserError(
                f"{where}: {code!r} starts at {time:g} s and has not stopped; correct it in BORIS"
            )
        fields = {name: value for name, value in modifiers if value not in EMPTY}
        fields |= {"comment": comment} if comment else {}
        fields |= {"subject": subject} if subject not in EMPTY else {}
        if status != "POINT":
            open_states[key] = len(marks)
        duration_or_open = 0.0 if status == "POINT" else None
        marks.append(Mark(time, duration_or_open, code, None, rater, fields))
    return marks


def _export(path: Path) -> list[tuple[Marks, str]]:
    """Tabular and aggregated events; version 7's tabular ones have the observation above them."""
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    first = text.splitlines()[0]
    separator = max("\t;,", key=first.count)
    lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    heads = [
        number for number, line in enumerate(lines) if "Behavior" in line and "Subject" in line
    ]
    if not heads:
        raise UserError(f"{path}: no row names the columns Subject and Behavior; export it again")
    above = {line[0].strip(): line[1].strip() for line in lines[: heads[0]] if len(line) > 1}
    columns = [cell.strip() for cell in lines[heads[0]]]
    observations: dict[str, list[tuple[int, dict[str, str]]]] = {}
    for number, line in enumerate(lines[heads[0] + 1 :], start=heads[0] + 2):
        if len(line) < len(columns) and any(line):
            raise UserError(
                f"{path}: row {number} has {len(line)} cells, the header has {len(columns)}; export"
                " it again"
            )
        if any(line):
            cells = {**above, **dict(zip(columns, (from_cell(cell.strip()) for cell in line)))}
            observations.setdefault(cells.get(FIRST, path.stem), []).append((number, cells))
    found = []
    for name, rows in observations.items():
        files = {
            _file_name(cells.get(column, ""))
            for _, cells in rows
            for column in ("Media file name", "Media file", "Media file path")
        } - {"", "NA", "Not found"}
        media = next(iter(files)) if len(files) == 1 else ""
        raters = [cells[key] for key in columns for _, cells in rows if key.lower() in RATERS]
        rater = next(filter(None, raters), None)
        events = [row for number, cells in rows for row in _export_row(path, number, cells)]
        marks = _paired(f"{path}: observation {name!r}", events, rater)
        found.append((Marks(Path(media).stem or name, marks, media), name))
    return found


def _export_row(path: Path, number: int, cells: dict[str, str]) -> list[Row]:
    """START, STOP or POINT of a tabular row; START and STOP, or POINT, of an aggregated one."""
    joined = cells.get("Modifiers", "").split("|")
    modifiers = tuple(
        (f"modifier {place}", value.strip())
        for place, value in enumerate(
            [cells[key] for key in cells if key.startswith("Modifier #")] or joined, start=1
        )
    )
    own = cells.get("Subject", ""), cells["Behavior"], modifiers
    kind = (cells.get("Behavior type") or cells.get("Status") or "").upper()
    try:
        late = float(cells.get("Time offset (s)") or 0)
        if "Start (s)" not in cells:
            time = round(seconds_of(cells["Time"]) - late, 6)
            if kind not in ("START", "STOP", "POINT", ""):
                raise ValueError(f"{kind!r} is none of START, STOP, POINT")
            return [(time, *own, kind or "POINT", cells.get("Comment", ""))]
        begin = round(seconds_of(cells["Start (s)"]) - late, 6)
        comment = cells.get("Comment start", cells.get("Comment", ""))
        if kind.startswith("POINT"):
            return [(begin, *own, "POINT", comment)]
        start: Row = (begin, *own, "START", comment)
        if cells.get("Stop (s)") in ("", "NA", None):
            return [start]
        end = round(seconds_of(cells["Stop (s)"]) - late, 6)
        return [start, (end, *own, "STOP", cells.get("Comment stop", ""))]
    except (KeyError, ValueError) as error:
        raise UserError(f"{path}: row {number}: {error}") from None


def _file_name(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def write(table: EventTable, path: Path, media: str | Path = "") -> list[str]:
    """Write events as a project; what it cannot hold is returned, a line each.

    Args:
        table: the events.
        path: of the .boris; its name without suffix is the observations'.
        media: the video, which BORIS looks for beside the project.
    """
    notes: list[str] = []
    signs = list(dict.fromkeys(event.sign for event in in_order(table.events)))
    sets = {
        sign: [
            name
            for name in MODIFIERS
            if any(getattr(one, name) is not None for one in table.events if one.sign == sign)
        ]
        for sign in signs
    }
    points = {
        sign for sign in signs if all(one.duration == 0 for one in table.events if one.sign == sign)
    }
    raters = list(dict.fromkeys(event.rater for event in in_order(table.events))) or [None]
    observations, left = {}, 0
    for rater in raters:
        own = in_order([event for event in table.events if event.rater == rater])
        rows, out = _rows(own, sets, points)
        left += out
        name = path.stem if len(raters) == 1 else f"{path.stem} {rater or 'unknown'}"
        variables = {RATERS[0]: rater or "", CLIP: path.stem}
        observations[name] = _observed(rows, variables, Path(media).name, table.duration)
    content = {
        "time_format": "hh:mm:ss",
        "project_date": datetime.now().isoformat(timespec="seconds"),
        "project_name": path.stem,
        "project_description": "",
        "project_format_version": VERSION,
        "subjects_conf": {},
        "behaviors_conf": {
            str(number): _behavior(sign, sets[sign], sign in points, table.events)
            for number, sign in enumerate(signs)
        },
        "observations": observations,
        "behavioral_categories": [],
        "independent_variables": {
            str(number): {
                **{"label": label, "description": "", "type": "text"},
                **{"default value": "", "possible values": ""},
            }
            for number, label in enumerate((RATERS[0], CLIP))
        },
        "coding_map": {},
        "behaviors_coding_map": [],
        "converters": {},
    }
    write_json(path, content)
    if left:
        notes.append(
            f"{left} events overlap another of the same sign and modifiers, or follow one without"
            " an end, which START and STOP cannot show: left out"
        )
    texts = {getattr(event, name) for event in table.events for name in MODIFIERS}
    if any(text is not None and _modifier(text) != str(text) for text in texts):
        notes.append("commas and | in modifiers became blanks and /, as BORIS joins lists by them")
    if any(event.tier for event in table.events):
        notes.append("tiers have no place in a BORIS project")
    if not media:
        notes.append("the project names no video, so that its observations are live ones")
    return notes


def _rows(
    events: Sequence[Event], sets: dict[str, list[str]], points: set[str]
) -> tuple[list[list[Any]], int]:
    """Events of one observation by time, and how many of them START and STOP cannot show."""
    rows: list[tuple[float, int, list[Any]]] = []
    until: dict[tuple[str, str], float] = {}
    left = 0
    for event in events:
        texts = [_modifier(getattr(event, name)) for name in sets[event.sign]]
        modifiers = "|".join(texts)
        key = event.sign, modifiers
        onset, comment = round(event.onset, 3), event.comment or ""
        if onset < until.get(key, onset):
            left += 1
            continue
        place = len(rows)
        rows.append((onset, place, [onset, "", event.sign, modifiers, comment]))
        if event.duration is None:
            until[key] = float("inf")
        elif event.sign not in points:
            end = until[key] = round(event.offset, 3)
            rows.append((end, place, [end, "", event.sign, modifiers, ""]))
    return [row for _, _, row in sorted(rows, key=lambda row: row[:2])], left


def _modifier(value: object) -> str:
    """A value as a modifier: BORIS joins them by | and lists by commas."""
    return "None" if value is None else str(value).replace("|", "/").replace(",", " ")


def _behavior(
    sign: str, names: Sequence[str], point: bool, events: Sequence[Event]
) -> dict[str, Any]:
    modifiers = {}
    for number, name in enumerate(names):
        found = {_modifier(getattr(event, name)) for event in events if event.sign == sign}
        numeric = name == "confidence"
        modifiers[str(number)] = {
            "name": name,
            "type": NUMERIC if numeric else SINGLE,
            "values": [] if numeric else sorted(found - {"None"}),
        }
    return {
        "type": POINT if point else STATE,
        "key": sign[:1].lower(),
        "code": sign,
        "description": "",
        "category": "",
        "modifiers": modifiers,
        "excluded": "",
        "coding map": "",
    }


def _observed(
    rows: list[list[Any]], variables: dict[str, str], media: str, length: float | None
) -> dict[str, Any]:
    about: dict[str, Any] = {
        "type": "MEDIA" if media else "LIVE",
        "file": {"1": [media], "2": []} if media else [],
        "date": datetime.now().isoformat(timespec="seconds"),
        "description": "",
        "time offset": 0.0,
        "events": rows,
        "independent_variables": variables,
        "visualize_spectrogram": False,
        "close_behaviors_between_videos": False,
        "media_info": {"offset": {}},
    }
    if media:
        about["media_info"] = {
            "length": {} if length is None else {media: length},
            "fps": {},
            "hasVideo": {media: True},
            "hasAudio": {media: False},
            "offset": {"1": 0.0, "2": 0.0},
        }
    else:
        about["scan_sampling_time"] = 0
    return about
