"""Label Studio: timelines of videos (TimelineLabels), as JSON and JSON-MIN exports, and to import.

Its frames count from 1 and a range holds both its ends, so that {start: 26, end: 50} of 25 frames a
second is second 1 to 2. They are no frames of the video: the player takes the time and the frame
rate that the labelling configuration states, 24 where it states none [C: Label Studio, its Video
tag; issues 3315 and 7759]. An export does not hold that rate; where the task's data have it (fps,
frame_rate, framerate), times are seconds.

Fields of a mark are results of the same region: TextArea, Choices, Number, Rating with
perRegion="true"; what stands in a region's own notes is its comment. JSON-MIN loses these.

Written: a task whose data are the video's name and fps, an annotation a rater; an instant or an
unknown end is one frame, with "end" instant or unknown.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from semiology.data.events import Event, EventTable, in_order
from semiology.data.marks.frames import FIELDS_WRITTEN, fields_of, spans, video_of
from semiology.data.marks.mark import ENDS, Mark, Marks, WallClock, file_name
from semiology.errors import UserError
from semiology.files import read_json, write_json

REMEDY = "export it again as JSON"
RATES = ("fps", "frame_rate", "framerate", "frameRate")  # of a task's data
VIDEOS = ("video", "videos", "video_url", "url")
UPLOADED = re.compile(r"[0-9a-f]{8}-(?=.)")  # Label Studio puts it before an upload's name
ASSUMED = 25.0  # frames a second of a task without a video [our choice]
CONTROLS = ("text", "choices", "number", "rating")  # what a field's value is called


def recognises(path: Path) -> bool:
    """Whether a .json is an export with timelines, or tasks of Label Studio."""
    content = read_json(path, object, what="a file of marks", remedy="export it again")
    return isinstance(content, list) and all(
        isinstance(task, dict) and ("data" in task or _timelines(task)) for task in content
    )


def read(path: Path, start: WallClock | None = None) -> list[Marks]:
    """The timelines of each video of an export.

    Raises:
        UserError: no export, a task without a video, a range that ends before it begins.
    """
    recordings: dict[tuple[str, str], list[Mark]] = {}
    notes: dict[tuple[str, str], dict[str, None]] = {}
    for task in read_json(path, list, what="an export of Label Studio", remedy=REMEDY):
        try:
            data = task.get("data") or task
            media = _video(data)
            rate = next((float(data[key]) for key in RATES if data.get(key)), None)
            scale = rate or 1.0
            whole = "data" in task
            marks = list(_annotated(task, scale) if whole else _minimal(task, scale))
        except UserError as error:
            raise UserError(f"{path}: task {task.get('id')}: {error}") from None
        except (KeyError, TypeError, AttributeError, ValueError, ZeroDivisionError) as error:
            raise UserError(f"{path}: is no export of Label Studio ({error!r}); {REMEDY}") from None
        key = media, "" if rate else "Label Studio"
        recordings.setdefault(key, []).extend(marks)
        own = notes.setdefault(key, {})
        if rate:
            own[f"frames became seconds at {rate:g} frames a second, as the task states"] = None
        if not whole:
            own["JSON-MIN does not say which mark a field is of: fields are left out"] = None
    return [
        Marks(
            *(Path(media).stem or path.stem, marks, media),
            notes=tuple(notes[media, frames]),
            frames=frames,
        )
        for (media, frames), marks in recordings.items()
    ]


def _video(data: Mapping[str, Any]) -> str:
    """Name of a task's video, without what Label Studio put before it."""
    texts = [str(data[key]) for key in VIDEOS if isinstance(data.get(key), str)]
    texts += [text for key, text in data.items() if isinstance(text, str) and "." in text]
    if not texts:
        raise UserError("its data name no video")
    name = file_name(texts[0].partition("?d=")[2] or texts[0])
    return UPLOADED.sub("", name, count=1) if "/upload/" in texts[0] else name


def _annotated(task: Mapping[str, Any], rate: float) -> Iterable[Mark]:
    for annotation in task.get("annotations") or []:
        if annotation.get("was_cancelled"):
            continue
        who = annotation.get("completed_by")
        who = who.get("email", who.get("id")) if isinstance(who, dict) else who
        regions: dict[str, list[Mapping[str, Any]]] = {}
        for number, result in enumerate(annotation.get("result") or []):
            regions.setdefault(str(result.get("id", number)), []).append(result)
        for results in regions.values():
            fields = {}
            for result in results:
                value = result.get("value") or {}
                name = next((key for key in CONTROLS if key in value), None)
                if name:
                    own = value[name] if isinstance(value[name], list) else [value[name]]
                    fields[str(result["from_name"])] = "; ".join(map(str, own))
                if note := (result.get("meta") or {}).get("text"):
                    fields["comment"] = "; ".join(note) if isinstance(note, list) else str(note)
            for result in results:
                if "timelinelabels" in (result.get("value") or {}):
                    tier = str(result.get("from_name", ""))
                    yield from _ranges(result["value"], tier, fields, who, rate)


def _timelines(task: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Names and ranges of the timelines in a task of JSON-MIN."""
    return [
        (name, one)
        for name, ranges in task.items()
        if isinstance(ranges, list)
        for one in ranges
        if isinstance(one, dict) and "timelinelabels" in one
    ]


def _minimal(task: Mapping[str, Any], rate: float) -> Iterable[Mark]:
    for name, value in _timelines(task):
        yield from _ranges(value, name, {}, task.get("annotator"), rate)


def _ranges(
    value: Mapping[str, Any], tier: str, fields: Mapping[str, str], who: Any, rate: float
) -> Iterable[Mark]:
    """A mark for each range and each of its labels; in frames from 0 where the rate is 1."""
    own = dict(fields)
    end, rater, tier = own.pop("end", ""), own.pop("rater", None), own.pop("tier", tier)
    if rater is None and who is not None:
        rater = str(who) if "@" in str(who) else f"annotator {who}"
    for one in value["ranges"]:
        first, last = float(one["start"]) - 1, float(one["end"])
        begin, until = round(first / rate, 6), round(last / rate, 6)
        lasts = ENDS[end] if end in ENDS else round(until - begin, 6)
        for label in value["timelinelabels"]:
            yield Mark(begin, lasts, str(label), tier, rater, own)


def write(table: EventTable, path: Path, media: str | Path = "") -> tuple[int, list[str]]:
    """Write events as a task to import; how many are in it, and what it cannot hold.

    Args:
        table: the events.
        path: of the .json.
        media: path of the video, whose frame rate the ranges get.
    """
    video = video_of(media)
    rate = ASSUMED if video is None or video.rate is None else video.rate
    kept, notes = spans(table, rate)
    if video is None:
        notes.append(f"no video is named: {rate:g} frames a second, as the task's fps states")
    raters = list(dict.fromkeys(event.rater for event, _, _ in kept)) or [None]
    annotations: list[dict[str, Any]] = []
    for rater in raters:
        own = [span for span in kept if span[0].rater == rater]
        results = [
            result
            for number, (event, begin, end) in enumerate(own, start=1)
            for result in _results(f"{len(annotations) + 1}_{number}", event, begin + 1, end)
        ]
        annotations.append({"result": results})
    name = Path(media).name or f"{path.stem}.mp4"
    write_json(path, [{"data": {"video": name, "fps": rate}, "annotations": annotations}])
    signs = dict.fromkeys(event.sign for event in in_order(table.events))
    names = [key for key in FIELDS_WRITTEN if any(key in fields_of(one) for one, _, _ in kept)]
    more = f", and per region the TextAreas {', '.join(names)}" if names else ""
    notes.append(f"its labelling configuration needs the labels {', '.join(signs)}{more}")
    return len(kept), notes


def _results(key: str, event: Event, start: int, end: int) -> list[dict[str, Any]]:
    """The region of an event, and its fields."""
    ranges = {"ranges": [{"start": start, "end": end}]}
    about = {"id": key, "to_name": "video", "origin": "manual"}
    region = {"from_name": "sign", "type": "timelinelabels"}
    return [
        {**about, **region, "value": {**ranges, "timelinelabels": [event.sign]}},
        *(
            {**about, "from_name": name, "type": "textarea", "value": {**ranges, "text": [text]}}
            for name, text in fields_of(event).items()
        ),
    ]
