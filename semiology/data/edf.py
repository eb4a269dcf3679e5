"""When an EEG began: the start of an EDF or BDF file, from its header."""

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from semiology.errors import UserError


def edf_start(path: str | Path) -> datetime:
    """Start of an EDF, EDF+C, BDF or BDF+C file's first sample: the header's date and time and, in
    EDF+, the first record's own fraction of a second.

    That fraction stands in the first annotation of the first record only; mne 1.13.2 and edfio
    0.4.18 subtract it from the onsets and leave the start as it is in the header.

    Raises:
        UserError: no such file, no EDF, a date that is none, a file with gaps (EDF+D).
    """
    path = Path(path)
    try:
        with open(path, "rb") as stream:
            head = stream.read(256)
            signals = int(head[252:256])
            own = stream.read(256 * signals)
            if head[:8] not in (b"0       ", b"\xffBIOSEMI") or len(own) < 256 * signals:
                raise ValueError("its header is another file's")
            start = _header_start(head)
            kind = head[192:197].decode("ascii", "replace")
            late = _first_onset(head, own, stream) if kind[3:4] == "+" else 0.0
    except OSError as error:
        raise UserError(
            f"{path.name}: cannot be read ({error.strerror}); check the path"
        ) from error
    except ValueError as error:
        raise UserError(f"{path.name}: is no EDF or BDF file ({error}); name an EEG") from error
    if kind[3:5] == "+D":
        raise UserError(
            f"{path.name}: is an EDF+D with gaps in it, so its seconds are not those of a clock;"
            " save it without gaps, or as one file a stretch"
        )
    return start + timedelta(seconds=late)


def _header_start(head: bytes) -> datetime:
    """Date and time of an EDF header; the year by `Startdate` where it is there, else 1985 to 2084
    as EDF+ says.
    """
    day, month, year = (int(each) for each in re.split(r"\D", head[168:176].decode("ascii")))
    hour, minute, second = (int(each) for each in re.split(r"\D", head[176:184].decode("ascii")))
    year += 1900 if year >= 85 else 2000
    stated = re.match(r"Startdate (\d{2})-([A-Z]{3})-(\d{4})", head[88:168].decode("latin-1"))
    if stated:
        date = datetime.strptime(f"{stated[1]} {stated[2]} {stated[3]}", "%d %b %Y")
        day, month, year = date.day, date.month, date.year
    return datetime(year, month, day, hour, minute, second)


def _first_onset(head: bytes, own: bytes, stream: Any) -> float:
    """Seconds from the header's start to the first record, by the first annotation of an EDF+."""
    signals, width = int(head[252:256]), 3 if head[:1] == b"\xff" else 2
    labels = [own[16 * i : 16 * i + 16].decode("latin-1").strip() for i in range(signals)]
    samples = [int(own[216 * signals + 8 * i :][:8]) for i in range(signals)]
    place = next((i for i, label in enumerate(labels) if label.endswith("Annotations")), None)
    if place is None:
        return 0.0
    stream.seek(int(head[184:192]) + width * sum(samples[:place]))
    first = re.match(rb"([+-]\d+(?:\.\d*)?)[\x14\x15]", stream.read(width * samples[place]))
    return float(first[1]) if first else 0.0
