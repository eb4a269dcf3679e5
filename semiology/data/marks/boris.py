"""BORIS projects (.boris, format 7.0, which versions 7 to 9 write); its exports: `boris_export`.

A state lasts from its START to its STOP, which are events of one subject, behavior and modifiers,
by turns; an instant is a point event. Times hold the observation's time offset, which is taken off,
so that they are seconds of player 1's video; other players' offsets move their own videos only.
A queue of videos in player 1 is one recording, called as the observation.

Written: an observation a rater, with the independent variables "rater" and "clip_id"; signs are
behaviors, level, side and so on their modifiers. One code is a state or an instant, never both, so
an instant of a sign that also lasts is a state with START and STOP at one time.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from semiology.data.events import Event, EventTable, in_order
from semiology.data.marks.mark import RATERS, Marks, WallClock, file_name
from semiology.data.marks.states import Row, paired, raters_apart
from semiology.errors import UserError
from semiology.files import read_json, write_json

VERSION = "7.0"  # of the format: that of BORIS 7, 8 and 9 [C: BORIS 8.27.4]
STATE, POINT = "State event", "Point event"
CLIP = "clip_id"  # an independent variable that names the recording where no video does
SINGLE, NUMERIC = 0, 2  # types of sets of modifiers
MODIFIERS = ("level", "side", "body_part", "confidence", "source")


def read(path: Path, start: WallClock | None = None) -> list[Marks]:
    """The marks of each observation of a project.

    Raises:
        UserError: no project, an event without a time or of a behavior that is not defined.
    """
    return raters_apart(_project(path))


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
    media = file_name(videos[0]) if len(videos) == 1 else ""
    if len(videos) > 1:
        notes.append(f"{name}: {len(videos)} videos in a row are one recording of this name")
    rater = next((variables[key] for key in RATERS if key in variables), None)
    clip_id = Path(media).stem or variables.get(CLIP, name)
    length = sum(lengths) if lengths and len(lengths) == len(videos) else None
    return Marks(clip_id, paired(where, rows, rater, "BORIS"), media, length, tuple(notes))


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
    return Row(
        *(seconds, str(subject or ""), code, tuple(zip(named, values)), status, str(comment or ""))
    )


def write(table: EventTable, path: Path, media: str | Path = "") -> tuple[int, list[str]]:
    """Write events as a project; how many are in it, and what it cannot hold.

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
    return len(table.events) - left, notes


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
