"""Events as frames of a video, for programs that count in frames: Label Studio and CVAT."""

from dataclasses import dataclass
from pathlib import Path

from semiology.data.events import Event, EventTable, in_order
from semiology.video import probe

FIELDS_WRITTEN = (
    *("level", "side", "body_part", "confidence", "rater", "source", "comment", "tier", "end"),
)


@dataclass(frozen=True)
class Video:
    """What of a video is needed to count in its frames.

    Attributes:
        rate: frames a second, None where its frames have no times.
        width, height: px, as they are stored.
        frames: how many, None where the header does not give its length.
    """

    rate: float | None
    width: int
    height: int
    frames: int | None


def video_of(media: str | Path) -> Video | None:
    """Rate, size and length of a video; None where there is no such file.

    Raises:
        VideoError: it cannot be read.
    """
    if not media or not Path(media).is_file():
        return None
    info = probe(media)
    frames = info.duration and info.fps and round(info.duration * info.fps)
    return Video(info.fps, info.stored_width, info.stored_height, frames or None)


def spans(
    table: EventTable, rate: float, last: int | None = None
) -> tuple[list[tuple[Event, int, int]], list[str]]:
    """Events with their first frame, from 0, and the one after their last; at least one frame each.

    Args:
        table: the events.
        rate: frames a second.
        last: number of frames of the video, where it is known.

    Returns:
        The spans in order of onset, and what frames cannot hold, a line each.
    """
    found, before, beyond, inexact = [], 0, 0, 0
    for event in in_order(table.events):
        begin, lasts = round(event.onset * rate), event.duration
        end = max(round(event.offset * rate) if lasts else 0, begin + 1)
        if event.onset < 0:
            before += 1
            continue
        if last is not None and begin >= last:
            beyond += 1
            continue
        times = [event.onset, *([event.offset] if lasts else [])]
        inexact += sum(abs(time - round(time * rate) / rate) > 0.0005 for time in times)
        inexact += bool(lasts) and event.offset * rate < begin + 0.5
        found.append((event, begin, end if last is None else min(end, last)))
    points = sum(event.duration == 0 for event, _, _ in found)
    unknown = sum(event.duration is None for event, _, _ in found)
    notes = {
        f"{before} events begin before the recording, where there are no frames: left out": before,
        f"{beyond} events begin after the video's last frame: left out": beyond,
        f"{inexact} times moved to the nearest frame of {rate:g} a second": inexact,
        f"{points} instants are a frame long, with end: instant": points,
        f"{unknown} events without an end are a frame long, with end: unknown": unknown,
        "the recording's length has no place in it": table.duration is not None,
    }
    return found, [note for note, holds in notes.items() if holds]


def fields_of(event: Event) -> dict[str, str]:
    """What an event has beside sign and times, as texts, by name."""
    texts = {name: getattr(event, name, None) for name in FIELDS_WRITTEN}
    if not event.duration:
        texts["end"] = "unknown" if event.duration is None else "instant"
    return {name: str(text) for name, text in texts.items() if text is not None}
