"""VIA 3 (VGG Image Annotator, for video and audio): projects as .json, read.

A mark is a temporal segment: `z` is [begin, end] in seconds, `xy` is empty [C: VIA 3.0.13,
_via_metadata.js]. What was chosen stands in `av` by the identifier of the attribute, as the key of
an option, or as text. Regions of frames and attributes of whole files have no duration.
"""

from pathlib import Path
from typing import Any

from semiology.data.marks.mark import Mark, Marks, WallClock, file_name, labelled
from semiology.errors import UserError
from semiology.files import read_json

REMEDY = "save the project again in VIA"
CHECKBOX = 2  # type of an attribute of which several options may be chosen, joined by commas


def recognises(path: Path) -> bool:
    """Whether a .json is a project of VIA 3."""
    content = read_json(path, object, what="a file of marks", remedy="export it again")
    return isinstance(content, dict) and {"project", "view", "metadata"} <= set(content)


def read(path: Path, start: WallClock | None = None) -> list[Marks]:
    """The temporal segments of each file of a project.

    Raises:
        UserError: no project, a segment of a file that is none, or that ends before it begins.
    """
    content = read_json(path, what="a project of VIA 3", remedy=REMEDY)
    try:
        names = {str(key): str(one["fname"]) for key, one in content["file"].items()}
        media = {
            str(view): file_name(names[str(one["fid_list"][0])])
            for view, one in content["view"].items()
        }
        attributes = {str(key): one for key, one in content["attribute"].items()}
        found: dict[str, list[Mark]] = {view: [] for view in media}
        others = 0
        for key, one in content["metadata"].items():
            times = [float(time) for time in one.get("z") or []]
            if len(times) not in (1, 2) or one.get("xy"):
                others += 1
                continue
            try:
                mark = _mark(times, one.get("av") or {}, attributes)
            except UserError as error:
                raise UserError(f"{path}: segment {key}: {error}") from None
            found[str(one["vid"])].append(mark)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise UserError(f"{path}: is no project of VIA 3 ({error!r}); {REMEDY}") from None
    notes = (f"{others} regions and attributes of files have no duration: left out",)
    return [
        Marks(Path(media[view]).stem, marks, media[view], notes=notes if others else ())
        for view, marks in found.items()
    ]


def _mark(times: list[float], chosen: dict[str, Any], attributes: dict[str, Any]) -> Mark:
    values = {}
    for key, value in chosen.items():
        about = attributes[key]
        options = {str(option): str(text) for option, text in (about.get("options") or {}).items()}
        parts = str(value).split(",") if about.get("type") == CHECKBOX else [str(value)]
        values[str(about["aname"])] = ", ".join(options.get(part, part) for part in parts if part)
    tier, text, fields = labelled(values)
    lasts = round(times[-1] - times[0], 6)
    return Mark(round(times[0], 6), lasts, text, tier or None, fields.pop("rater", None), fields)
