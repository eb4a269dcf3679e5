"""Annotations of EDF+ and BDF+ files: every annotation signal, with gaps (EDF+D) or without.

Read: seconds count from the EEG's first sample, so that a start within a second (the first record's
own onset) is taken off; an annotation without a duration is an instant. What stands in brackets at
its end, as we write it, is fields: "tonic [side: left, rater: anna]"; "@@" names a channel.

Written: an annotations-only EDF+C file with the start of the EEG that it stands beside, in records
without duration, one an event. It names no patient.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from semiology.data.clock import edf_start
from semiology.data.events import BEYOND, Event, EventTable, in_order
from semiology.data.marks.mark import FIELDS, Mark, Marks, WallClock
from semiology.errors import UserError
from semiology.files import atomic_path

KINDS = {b"0       ": ("EDF", 2), b"\xffBIOSEMI": ("BDF", 3)}  # version -> name, bytes a sample
# onset, duration, texts: one time-stamped annotation list [P: Kemp and Olivan 2003, EDF+]
TAL = re.compile(rb"([+-]\d+(?:\.\d*)?)(?:\x15(\d+(?:\.\d*)?))?\x14((?:[^\x00\x14]*\x14)*)\x00")
ABOUT = re.compile(r"(.*\S)\s*\[((?:\w+: [^\[\],]*(?:, )?)+)\]", re.DOTALL)
NO_DATE = datetime(1985, 1, 1)  # EDF+'s own for a file without a date
WRITTEN = ("level", "side", "body_part", "confidence", "rater", "source", "comment")
MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]


@dataclass(frozen=True)
class Header:
    """What of a header is needed to find annotations.

    Attributes:
        size: bytes before the first record.
        records: how many the file has.
        duration: s, of a record.
        width: bytes of a record.
        places: (first byte, bytes) of each annotation signal in a record.
    """

    size: int
    records: int
    duration: float
    width: int
    places: tuple[tuple[int, int], ...]


def read(path: Path, start: WallClock | None = None) -> list[Marks]:
    """The annotations of a file.

    Raises:
        UserError: no EDF+ or BDF+, without annotations, cut off.
    """
    with open(path, "rb") as stream:
        header = _header(path, stream)
        first: float | None = None
        last = 0.0
        found: list[tuple[float, float | None, str]] = []
        for number, blocks in enumerate(_blocks(header, stream), start=1):
            for signal, block in enumerate(blocks):
                lists = _lists(path, number, block)
                if signal == 0:  # its first list is the record's own onset
                    if not lists:
                        raise UserError(f"{path}: record {number} has no onset; export it again")
                    last = lists[0][0]
                    first = last if first is None else first
                found += [(onset, lasts, text) for onset, lasts, texts in lists for text in texts]
    begin = first or 0.0
    marks = [_mark(onset - begin, lasts, text) for onset, lasts, text in found if text.strip()]
    length: float | None = last - begin + header.duration
    notes = ["times are seconds of the EEG, from its first sample"]
    beyond = sum(mark.onset + (mark.duration or 0.0) > length + BEYOND for mark in marks if length)
    if beyond or not length:
        length = None
    if beyond:
        notes.append(f"{beyond} annotations reach beyond the end of the EEG: kept")
    return [Marks(path.stem, marks, path.name, length, tuple(notes))]


def _header(path: Path, stream: BinaryIO) -> Header:
    head = stream.read(256)
    try:
        name, width = KINDS[head[:8]]
        signals = int(head[252:256])
        size, records, duration = int(head[184:192]), int(head[236:244]), float(head[244:252])
        own = stream.read(256 * signals)
        if signals < 0 or len(own) < 256 * signals:
            raise ValueError("its header is cut off")
        labels = [own[16 * i : 16 * i + 16].decode("latin-1").strip() for i in range(signals)]
        samples = [int(own[216 * signals + 8 * i :][:8]) for i in range(signals)]
        if min(samples, default=1) < 0 or not 0 <= duration < math.inf:
            raise ValueError("its header has sizes below 0")
    except (KeyError, ValueError) as error:
        why = "it begins as another file" if isinstance(error, KeyError) else error
        raise UserError(f"{path}: is no EDF or BDF file ({why}); export it again") from None
    kind = head[192:197].decode("latin-1")
    places = tuple(
        (width * sum(samples[:i]), width * samples[i])
        for i, label in enumerate(labels)
        if label == f"{name} Annotations"
    )
    if not kind.startswith(f"{name}+") or not places:
        raise UserError(
            f"{path}: is plain {name}, without annotations; export its notes as {name}+ or csv"
        )
    record = width * sum(samples)
    there = path.stat().st_size - size
    if records >= 0 and there < record * records:
        raise UserError(
            f"{path}: is cut off: {there // record} of {records} records are there; copy it again"
        )
    whole = there // record if records < 0 else records  # -1: still being recorded
    return Header(size, whole, duration, record, places)


def _blocks(header: Header, stream: BinaryIO) -> Iterator[list[bytes]]:
    """The bytes of each annotation signal, of each record."""
    for number in range(header.records):
        blocks = []
        for offset, length in header.places:
            stream.seek(header.size + number * header.width + offset)
            blocks.append(stream.read(length))
        yield blocks


def _lists(path: Path, number: int, block: bytes) -> list[tuple[float, float | None, list[str]]]:
    """Onset s, duration s and texts of each list in a signal of a record."""
    found, at = [], 0
    while at < len(block.rstrip(b"\0")):
        one = TAL.match(block, at)
        if one is None:
            raise UserError(
                f"{path}: an annotation of record {number} is cut off or damaged; export it again"
            )
        texts = [text.decode("utf-8", "replace") for text in one[3].split(b"\x14") if text]
        found.append((float(one[1]), None if one[2] is None else float(one[2]), texts))
        at = one.end()
        at += len(block) - at - len(block[at:].lstrip(b"\0"))
    return found


def _mark(onset: float, duration: float | None, text: str) -> Mark:
    text, _, channel = text.partition("@@")
    text = " ".join(text.split())
    fields = {"channel": channel.strip()} if channel.strip() else {}
    about = ABOUT.fullmatch(text)
    lasts: float | None = duration or 0.0
    if about:
        own = dict(pair.split(": ", 1) for pair in about[2].split(", ") if ": " in pair)
        if set(own) <= {*FIELDS, "end", "tier"}:
            text = about[1]
            lasts = None if own.pop("end", "") == "unknown" else lasts
            fields |= own
    rater, tier = fields.pop("rater", None), fields.pop("tier", None)
    return Mark(round(onset, 6), lasts, text, tier, rater, fields)


def write(table: EventTable, path: Path, media: str | Path = "") -> tuple[int, list[str]]:
    """Write events as an annotations-only EDF+C file; how many, and what it cannot hold.

    Args:
        table: the events.
        path: of the .edf.
        media: path of the EEG, whose start it gets; without one it has no date.

    Raises:
        UserError: the EEG cannot be read, or is an EDF+D.
    """
    notes = [] if media else ["no EEG is named: the file begins at EDF+'s 1985, without a date"]
    start = edf_start(media) if media else NO_DATE
    late = start.microsecond / 1e6
    own = f"{late:+.6f}".rstrip("0").rstrip(".").encode() + b"\x14\x14\x00"
    lists = [own + _list(event, late) for event in in_order(table.events)] or [own]
    samples = (max(map(len, lists)) + 1) // 2
    date = f"{start.day:02d}-{MONTHS[start.month - 1]}-{start.year}" if media else "X"
    fields = [
        *[("0", 8), ("X X X X", 80), (f"Startdate {date} X X X", 80)],
        *[(f"{start:%d.%m.%y}", 8), (f"{start:%H.%M.%S}", 8), ("512", 8), ("EDF+C", 44)],
        *[(str(len(lists)), 8), ("0", 8), ("1", 4), ("EDF Annotations", 16), ("", 80), ("", 8)],
        *[("-1", 8), ("1", 8), ("-32768", 8), ("32767", 8), ("", 80), (str(samples), 8), ("", 32)],
    ]
    with atomic_path(path) as temporary, open(temporary, "wb") as stream:
        for text, width in fields:
            stream.write(text.encode("ascii").ljust(width))
        for one in lists:
            stream.write(one.ljust(2 * samples, b"\0"))
    if rounded := sum(abs(event.onset - round(event.onset, 3)) > 1e-6 for event in table.events):
        notes.append(f"{rounded} onsets rounded to ms")
    texts = {getattr(one, name) for one in table.events for name in (*WRITTEN, "tier")}
    if any(text is not None and _inside(text) != str(text) for text in texts):
        notes.append("commas and brackets in fields became ;")
    if table.duration is not None:
        notes.append("the recording's length has no place among annotations")
    return len(table.events), notes


def _inside(value: object) -> str:
    """A value as it stands within brackets, between commas."""
    return re.sub(r"[][,]", ";", str(value))


def _list(event: Event, late: float) -> bytes:
    """One time-stamped annotation list."""
    about = {name: getattr(event, name) for name in (*WRITTEN, "tier")}
    about["end"] = "unknown" if event.duration is None else None
    details = ", ".join(
        f"{name}: {_inside(value)}" for name, value in about.items() if value is not None
    )
    text = f"{event.sign} [{details}]" if details else event.sign
    text = re.sub(r"[\x00-\x1f]|@@", " ", text)
    onset = f"{round(event.onset, 3) + late:+.6f}".rstrip("0").rstrip(".")
    lasts = ""
    if event.duration:
        lasts = "\x15" + f"{round(event.offset, 3) - round(event.onset, 3):.3f}"
    return f"{onset}{lasts}\x14{text}\x14\0".encode()
