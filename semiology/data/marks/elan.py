"""ELAN's .eaf, as its schema EAFv3.0 has it (versions 2.x too): aligned and referring annotations,
tiers that depend on others, time slots without a value.

Read: an annotation with times of its own is a mark, also on tiers of Time Subdivision and Included
In, and so is each part of a Symbolic Subdivision, which shares its parent's time equally. What is
associated with an annotation (Symbolic Association) says more about it: its field by that name.
Time slots without a value: `elan_times`. Time 0 of the
annotations is second TIME_ORIGIN / 1000 of the first video [C: ELAN, JFXMediaPlayer.playInterval].

Written: a tier for each tier, sign and rater; ELAN's tiers hold no overlaps, so those go to a
second tier, "sign (2)". What an event has beside its sign stands on tiers associated with it, such
as "side@tonic"; an instant or an unknown end is 1 ms long, and "end@tonic" says which it is.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

from semiology.data.events import Event, EventTable, in_order
from semiology.data.marks.elan_times import SUBDIVISION, Span, aligned, referring
from semiology.data.marks.mark import ENDS, Mark, Marks, WallClock
from semiology.errors import UserError
from semiology.files import read_xml, write_text

SHORTEST = 1  # ms; ELAN has no annotation without length
WRITTEN = ("level", "side", "body_part", "confidence", "source", "comment")
SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
ASSOCIATION = "Symbolic_Association"
# ELAN's own constraints, as each of its files states them [C: EAFv3.0]
CONSTRAINTS = {
    "Time_Subdivision": "Time subdivision of parent annotation's time interval, no time gaps"
    " allowed within this interval",
    SUBDIVISION: "Symbolic subdivision of a parent annotation. Annotations refering to the same"
    " parent are ordered",
    ASSOCIATION: "1-1 association with a parent annotation",
    "Included_In": "Time alignable annotations within the parent annotation's time interval, gaps"
    " are allowed",
}


def read(path: Path, start: WallClock | None = None) -> list[Marks]:
    """The marks of an .eaf.

    Raises:
        UserError: no XML or another one's, an annotation that refers to none, times that are none
            or run backwards, a tier of which no time is known.
    """
    root = read_xml(path, "ANNOTATION_DOCUMENT", what=".eaf", remedy="save it again in ELAN")
    notes: list[str] = []
    media, origin = _media(root, notes)
    kinds = {
        kind.get("LINGUISTIC_TYPE_ID"): kind.get("CONSTRAINTS")
        for kind in root.iter("LINGUISTIC_TYPE")
    }
    entries = _vocabulary_entries(root)
    open_slots, spans = aligned(path, root)
    parts = referring(path, root, kinds, spans)
    fields: dict[str, dict[str, str]] = {}
    marks: list[tuple[ET.Element, ET.Element, Span]] = []
    for tier in root.iter("TIER"):
        for one in tier.iter("ALIGNABLE_ANNOTATION"):
            marks.append((tier, one, spans[one.get("ANNOTATION_ID", "")]))
        for one in tier.iter("REF_ANNOTATION"):
            key = one.get("ANNOTATION_ID", "")
            if key in spans:
                marks.append((tier, one, spans[key]))
            else:
                name = tier.get("TIER_ID", "").partition("@")[0].strip()
                fields.setdefault(parts[key], {})[name] = _text(one, entries)
    if open_slots:
        notes.append(f"{open_slots} times without a value were spread between their neighbours")
    found, joined = [], False
    for tier, one, (begin, end) in marks:
        own = fields.get(one.get("ANNOTATION_ID", ""), {})
        duration: float | None = round(end - begin, 6) / 1000
        if own.get("end") in ENDS:
            duration = ENDS[own["end"]]
        rater = tier.get("ANNOTATOR") or tier.get("PARTICIPANT") or root.get("AUTHOR") or None
        joined |= not tier.get("ANNOTATOR") and bool(tier.get("PARTICIPANT"))
        try:
            found.append(
                Mark(
                    round(begin + origin, 6) / 1000,
                    duration,
                    _text(one, entries),
                    tier.get("TIER_ID") or None,
                    rater,
                    {name: text for name, text in own.items() if name != "end" and text},
                )
            )
        except UserError as error:
            raise UserError(f"{path}: tier {tier.get('TIER_ID')!r}: {error}") from None
    if joined:
        notes.append("tiers name no annotator: their participants are taken for raters")
    return [Marks(Path(media).stem or path.stem, found, media, notes=tuple(notes))]


def _media(root: ET.Element, notes: list[str]) -> tuple[str, int]:
    """Name of the first video, else of the first file, and ms of it at time 0."""
    files = list(root.iter("MEDIA_DESCRIPTOR"))
    videos = [file for file in files if file.get("MIME_TYPE", "").startswith("video")] or files
    if not videos:
        return "", 0
    url = videos[0].get("MEDIA_URL") or videos[0].get("RELATIVE_MEDIA_URL") or ""
    name = unquote(url).replace("\\", "/").rpartition("/")[2]
    origins = [int(file.get("TIME_ORIGIN") or 0) for file in videos]
    if len(set(origins)) > 1:
        notes.append(f"{len(videos)} videos with offsets of their own: times are seconds of {name}")
    return name, origins[0]


def _vocabulary_entries(root: ET.Element) -> dict[str, str]:
    """Value of each entry of a controlled vocabulary by its identifier."""
    found = {}
    for entry in root.iter("CV_ENTRY_ML"):
        value = entry.find("CVE_VALUE")
        if value is not None and value.text:
            found[entry.get("CVE_ID", "")] = value.text
    return found


def _text(one: ET.Element, entries: dict[str, str]) -> str:
    text = " ".join((one.findtext("ANNOTATION_VALUE") or "").split())
    return text or entries.get(one.get("CVE_REF", ""), "")


def write(table: EventTable, path: Path, media: str | Path = "") -> tuple[int, list[str]]:
    """Write events as an .eaf; how many are in it, and what it cannot hold.

    Args:
        table: the events.
        path: of the .eaf.
        media: the video, which ELAN looks for beside the .eaf.
    """
    kept = [event for event in table.events if event.onset >= 0]
    root = _document(media)
    slots = ET.SubElement(root, "TIME_ORDER")
    times: list[tuple[int, str]] = []
    number = 0
    for (name, rater), events in _tiers(kept).items():
        about = {"TIER_ID": name, "LINGUISTIC_TYPE_REF": "mark"}
        about |= {"ANNOTATOR": rater} if rater else {}
        tier = ET.SubElement(root, "TIER", about)
        children: dict[str, list[tuple[str, str]]] = {}
        for event in events:
            number += 1
            key, begin, end = f"a{number}", f"ts{2 * number - 1}", f"ts{2 * number}"
            times += zip(_milliseconds(event), (begin, end))
            _annotate(tier, event.sign, ANNOTATION_ID=key, TIME_SLOT_REF1=begin, TIME_SLOT_REF2=end)
            for field, value in _fields(event).items():
                children.setdefault(field, []).append((key, value))
        for field, found in children.items():
            own = {"TIER_ID": f"{field}@{name}", "LINGUISTIC_TYPE_REF": "about"}
            child = ET.SubElement(root, "TIER", about | own | {"PARENT_REF": name})
            for key, value in found:
                number += 1
                _annotate(child, value, ANNOTATION_ID=f"a{number}", ANNOTATION_REF=key)
    for moment, key in sorted(times, key=lambda time: time[0]):
        ET.SubElement(slots, "TIME_SLOT", {"TIME_SLOT_ID": key, "TIME_VALUE": str(moment)})
    for kind, more in (
        ("mark", {"TIME_ALIGNABLE": "true"}),
        ("about", {"TIME_ALIGNABLE": "false", "CONSTRAINTS": ASSOCIATION}),
    ):
        about = {"LINGUISTIC_TYPE_ID": kind, "GRAPHIC_REFERENCES": "false", **more}
        ET.SubElement(root, "LINGUISTIC_TYPE", about)
    for constraint, words in CONSTRAINTS.items():
        ET.SubElement(root, "CONSTRAINT", {"STEREOTYPE": constraint, "DESCRIPTION": words})
    ET.indent(root, "    ")
    text = ET.tostring(root, encoding="unicode")
    write_text(path, f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n')
    return len(kept), _lost(table, kept)


def _document(media: str | Path) -> ET.Element:
    root = ET.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": "",
            "DATE": datetime.now(UTC).isoformat(timespec="seconds"),
            "FORMAT": "3.0",
            "VERSION": "3.0",
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "xsi:noNamespaceSchemaLocation": SCHEMA,
        },
    )
    header = ET.SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    if media:
        name = Path(media).name
        kind = {".mpg": "mpeg", ".mpeg": "mpeg"}.get(Path(media).suffix.lower(), "mp4")
        urls = {"MEDIA_URL": f"file:///./{name}", "RELATIVE_MEDIA_URL": f"./{name}"}
        ET.SubElement(header, "MEDIA_DESCRIPTOR", urls | {"MIME_TYPE": f"video/{kind}"})
    return root


def _annotate(tier: ET.Element, value: str, **attributes: str) -> None:
    kind = "REF_ANNOTATION" if "ANNOTATION_REF" in attributes else "ALIGNABLE_ANNOTATION"
    one = ET.SubElement(ET.SubElement(tier, "ANNOTATION"), kind, attributes)
    ET.SubElement(one, "ANNOTATION_VALUE").text = value


def _milliseconds(event: Event) -> tuple[int, int]:
    """Begin and end of the annotation of an event."""
    begin = round(1000 * event.onset)
    return begin, max(round(1000 * event.offset) if event.duration else 0, begin + SHORTEST)


def _fields(event: Event) -> dict[str, str]:
    """What stands on the tiers that are associated with an event's."""
    found = {
        name: str(getattr(event, name)) for name in WRITTEN if getattr(event, name) is not None
    }
    if event.duration:
        return found
    return found | {"end": "unknown" if event.duration is None else "instant"}


def _lost(table: EventTable, kept: Sequence[Event]) -> list[str]:
    """What an .eaf does not hold of a table, or holds otherwise."""
    before = len(table.events) - len(kept)
    points = sum(event.duration == 0 for event in kept)
    unknown = sum(event.duration is None for event in kept)
    times = [event.onset for event in kept] + [event.offset for event in kept if event.duration]
    inexact = sum(abs(1000 * time - round(1000 * time)) > 1e-3 for time in times)
    notes = {
        f"{before} events begin before the recording, where ELAN has no time: left out": before,
        f"{points} instants are {SHORTEST} ms long, with end@... instant": points,
        f"{unknown} events without an end are {SHORTEST} ms long, with end@... unknown": unknown,
        f"{inexact} times rounded to ms": inexact,
        "the recording's length has no place in an .eaf": table.duration is not None,
    }
    return [note for note, holds in notes.items() if holds]


def _tiers(events: Iterable[Event]) -> dict[tuple[str, str | None], list[Event]]:
    """(name, rater) -> events that do not overlap, by onset. Names are unique."""
    several = len({event.rater for event in events}) > 1
    tiers: dict[tuple[str, str | None], list[Event]] = {}
    free: dict[tuple[str, str | None], float] = {}
    for event in in_order(list(events)):
        base = event.tier or event.sign
        base = f"{base} {event.rater}" if several and event.rater and not event.tier else base
        end = event.onset + max(event.duration or 0.0, SHORTEST / 1000)
        number = 1
        while True:
            name = base if number == 1 else f"{base} ({number})"
            key = name, event.rater
            taken = any(other == name and rater != event.rater for other, rater in tiers)
            if not taken and free.get(key, 0.0) <= round(event.onset, 3):
                break
            number += 1
        tiers.setdefault(key, []).append(event)
        free[key] = round(end, 3)
    return tiers
