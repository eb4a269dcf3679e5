"""CVAT: tracks of a video ("CVAT for video 1.1", annotations.xml), read and written.

A track is a mark from its first box to the one that is outside, by its label; where it disappears
and comes back, and where an attribute changes, a new one begins. Attributes are fields. A track
without an outside box lasts to its last box, or where that is a key frame to the task's last frame.
Numbers are of the video's frames, from 0 [C: CVAT 2.x, dump_as_cvat_interpolation], so that their
times need the video: the file does not hold its frame rate.

Written: a box of the whole image for each event; an instant or an unknown end is one frame, with
the attribute "end" instant or unknown.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from semiology.data.events import EventTable
from semiology.data.marks.frames import FIELDS_WRITTEN, fields_of, spans, video_of
from semiology.data.marks.mark import ENDS, Mark, Marks, WallClock, file_name
from semiology.errors import UserError
from semiology.files import read_xml, write_text

REMEDY = 'export the task as "CVAT for video 1.1"'


def read(path: Path, start: WallClock | None = None) -> list[Marks]:
    """The tracks of each task of an annotations.xml, in frames.

    Raises:
        UserError: no XML of CVAT, images instead of a video, a box without a frame.
    """
    root = read_xml(path, "annotations", what="annotations.xml of CVAT", remedy=REMEDY)
    if root.find("image") is not None:
        raise UserError(f"{path}: holds images and no tracks; {REMEDY}")
    tasks = {task.findtext("id", ""): task for task in root.iterfind("meta/project/tasks/task")}
    single = root.find("meta/task")
    if single is None:
        single = root.find("meta/job")
    marks: dict[str, list[Mark]] = {key: [] for key in tasks} or {"": []}
    for track in root.iterfind("track"):
        key = track.get("task_id", "") if tasks else ""
        task = tasks.get(key, single)
        try:
            found = list(_marks(track, task))
        except (TypeError, ValueError) as error:
            raise UserError(
                f"{path}: track {track.get('id')}: a frame cannot be read ({error}); {REMEDY}"
            ) from None
        except UserError as error:
            raise UserError(f"{path}: track {track.get('id')}: {error}") from None
        marks.setdefault(key, []).extend(found)
    result = []
    for key, own in marks.items():
        task = tasks.get(key, single)
        media = "" if task is None else file_name(task.findtext("source", ""))
        result.append(Marks(Path(media).stem or path.stem, own, media, frames="video"))
    return result


def _marks(track: ET.Element, task: ET.Element | None) -> Iterator[Mark]:
    """A mark of each stretch of frames in which a track is there, with one set of attributes."""
    text = "" if task is None else task.findtext("frame_filter", "")
    step = int(found[1]) if (found := re.search(r"step=(\d+)", text)) else 1
    stop = "" if task is None else task.findtext("stop_frame", "")
    worker = None if task is None else task.findtext("assignee/username") or None
    shapes = sorted(
        (shape for shape in track if shape.get("frame") is not None),
        key=lambda shape: int(shape.get("frame", "")),
    )
    begun: tuple[int, dict[str, str]] | None = None
    for shape in shapes:
        frame = int(shape.get("frame", ""))
        own = {
            one.get("name", ""): (one.text or "").strip()
            for one in shape.iterfind("attribute")
            if (one.text or "").strip()
        }
        gone = shape.get("outside") == "1"
        if begun is not None and (gone or own != begun[1]):
            yield _mark(track, begun, frame, worker)
            begun = None
        if begun is None and not gone:
            begun = frame, own
    if begun is not None:
        last = int(shapes[-1].get("frame", ""))
        if stop.isdigit() and shapes[-1].get("keyframe") == "1":
            last = max(last, int(stop))
        yield _mark(track, begun, last + step, worker)


def _mark(
    track: ET.Element, begun: tuple[int, dict[str, str]], end: int, worker: str | None
) -> Mark:
    begin, fields = begun[0], dict(begun[1])
    kind, rater, tier = (fields.pop(name, None) for name in ("end", "rater", "tier"))
    lasts = ENDS[kind] if kind in ENDS else end - begin
    return Mark(begin, lasts, track.get("label", ""), tier, rater or worker, fields)


def write(table: EventTable, path: Path, media: str | Path = "") -> tuple[int, list[str]]:
    """Write events as annotations.xml, to upload to a task of the video as "CVAT 1.1"; how many
    are in it, and what it cannot hold.

    Args:
        table: the events.
        path: of the .xml.
        media: path of the video.

    Raises:
        UserError: the video is not there, or its frames have no times.
    """
    video = video_of(media)
    if video is None or video.rate is None:
        what = f"the frames of {media} have no times" if video else "the video is not there"
        raise UserError(f"CVAT counts the frames of a video and {what}; name it (--videos)")
    kept, notes = spans(table, video.rate, video.frames)
    root = ET.Element("annotations")
    ET.SubElement(root, "version").text = "1.1"
    task = ET.SubElement(ET.SubElement(root, "meta"), "task")
    facts = {"name": path.stem, "mode": "interpolation", "start_frame": "0"}
    if video.frames is not None:
        facts |= {"size": str(video.frames), "stop_frame": str(video.frames - 1)}
    for name, text in (facts | {"source": Path(media).name}).items():
        ET.SubElement(task, name).text = text
    size = ET.SubElement(task, "original_size")
    for name, length in (("width", video.width), ("height", video.height)):
        ET.SubElement(size, name).text = str(length)
    labels = ET.SubElement(task, "labels")
    signs: dict[str, set[str]] = {}
    for event, _, _ in kept:
        signs.setdefault(event.sign, set()).update(fields_of(event))
    for sign, own in signs.items():
        label = ET.SubElement(labels, "label")
        ET.SubElement(label, "name").text = sign
        attributes = ET.SubElement(label, "attributes")
        for name in sorted(own):
            about = ET.SubElement(attributes, "attribute")
            kind = {"name": name, "mutable": "False", "input_type": "text", "default_value": ""}
            for key, value in kind.items():
                ET.SubElement(about, key).text = value
    for number, (event, begin, end) in enumerate(kept):
        track = ET.SubElement(
            root, "track", {"id": str(number), "label": event.sign, "source": "manual"}
        )
        frames = [(begin, "0")]
        if video.frames is None or end < video.frames:
            frames.append((end, "1"))
        for frame, outside in frames:
            box = {"frame": str(frame), "keyframe": "1", "outside": outside, "occluded": "0"}
            box |= {"xtl": "0.00", "ytl": "0.00", "z_order": "0"}
            box |= {"xbr": f"{video.width:.2f}", "ybr": f"{video.height:.2f}"}
            shape = ET.SubElement(track, "box", box)
            for name, text in fields_of(event).items():
                ET.SubElement(shape, "attribute", {"name": name}).text = text
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    write_text(path, f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n')
    names = [name for name in FIELDS_WRITTEN if any(name in one for one in signs.values())]
    more = f" with the text attributes {', '.join(names)}" if names else ""
    notes.append(f"its task needs the labels {', '.join(signs)}{more}")
    return len(kept), notes
