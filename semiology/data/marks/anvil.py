"""Anvil's .anvil, read, with the specification beside it where its tracks need that.

A track is primary (elements with start and end, in seconds), of points (time), a span (start and
end are numbers of elements of the track that it refers to) or a singleton (ref is the number of
one). Type and reference stand at the track, or in the specification, whose groups give names such
as gesture.phase. [C: Kipp's Anvil 5 and 6, as CLAN (elan2anvil), Advene and the NITE toolkit write
and read them]
"""

import xml.etree.ElementTree as ET
from pathlib import Path

from semiology.data.marks.mark import RATERS, Mark, Marks, WallClock, file_name, labelled
from semiology.errors import UserError
from semiology.files import read_xml

REMEDY = "save it again in Anvil"
Span = tuple[float, float]  # s


def read(path: Path, start: WallClock | None = None) -> list[Marks]:
    """The elements of all tracks.

    Raises:
        UserError: no .anvil, an element without times or that refers to none, tracks whose type
            nobody names.
    """
    root = read_xml(path, "annotation", what=".anvil", remedy=REMEDY)
    tracks = {track.get("name", ""): track for track in root.iterfind("body/track")}
    kinds = _kinds(path, root, tracks)
    video = root.find("head/video")
    media = "" if video is None else file_name(video.get("src", ""))
    infos = {info.get("key", "").lower(): info.text or "" for info in root.iterfind("head/info")}
    rater = next((infos[key].strip() for key in RATERS if infos.get(key)), None)
    spans: dict[str, dict[str, Span]] = {}
    marks = []
    for name, track in tracks.items():
        own = _spans(path, name, tracks, kinds, spans)
        for element in track.iterfind("el"):
            begin, end = own[element.get("index", "")]
            values = {
                one.get("name", ""): " ".join((one.text or "").split())
                for one in element.iterfind("attribute")
            }
            if comment := element.findtext("comment", "").strip():
                values["comment"] = " ".join(comment.split())
            _, text, fields = labelled(values)
            try:
                marks.append(
                    Mark(round(begin, 6), round(end - begin, 6), text, name or None, rater, fields)
                )
            except UserError as error:
                raise UserError(f"{path}: track {name!r}: {error}") from None
    others = len(root.findall("body/set/el"))
    notes = (f"{others} elements of sets have no time: left out",) if others else ()
    return [Marks(Path(media).stem or path.stem, marks, media, notes=notes)]


def _kinds(
    path: Path, root: ET.Element, tracks: dict[str, ET.Element]
) -> dict[str, tuple[str, str]]:
    """Type and reference of each track."""
    kinds = {name: (track.get("type", ""), track.get("ref", "")) for name, track in tracks.items()}
    if all(kind for kind, _ in kinds.values()):
        return kinds
    about = root.find("head/specification")
    name = "" if about is None else file_name(about.get("src", ""))
    specification = path.parent / name
    if not name or not specification.is_file():
        unknown = next(track for track, (kind, _) in kinds.items() if not kind)
        raise UserError(
            f"{path}: track {unknown!r} has no type; put the specification"
            f" {name or 'of the project'} beside the .anvil"
        )
    found: dict[str, tuple[str, str]] = {}

    def walk(group: ET.Element, prefix: str) -> None:
        for one in group:
            own = f"{prefix}{one.get('name', '')}"
            if one.tag == "group":
                walk(one, f"{own}.")
            elif one.tag in ("track-spec", "track"):
                found[own] = one.get("type", "primary"), one.get("ref", "")

    body = read_xml(specification, "annotation-spec", what="specification", remedy=REMEDY)
    walk(body if (inner := body.find("body")) is None else inner, "")
    return {
        name: kinds[name] if kinds[name][0] else found.get(name, ("primary", "")) for name in tracks
    }


def _spans(
    path: Path,
    name: str,
    tracks: dict[str, ET.Element],
    kinds: dict[str, tuple[str, str]],
    known: dict[str, dict[str, Span]],
    above: tuple[str, ...] = (),
) -> dict[str, Span]:
    """Begin and end of each element of a track, by its number; those of others are kept."""
    if name in known:
        return known[name]
    kind, other = kinds[name]
    own = {}
    upper: dict[str, Span] = {}
    if kind in ("span", "singleton"):
        if other not in tracks or other in (*above, name):
            raise UserError(f"{path}: track {name!r} refers to {other!r}, which is none; {REMEDY}")
        upper = _spans(path, other, tracks, kinds, known, (*above, name))
    for element in tracks[name].iterfind("el"):
        at = element.attrib
        try:
            if kind == "span":
                span = upper[at["start"]][0], upper[at["end"]][1]
            elif kind == "singleton":
                span = upper[at["ref"]]
            elif "time" in at:
                span = float(at["time"]), float(at["time"])
            else:
                span = float(at["start"]), float(at["end"])
            own[at["index"]] = span
        except (KeyError, ValueError) as error:
            raise UserError(
                f"{path}: track {name!r}, element {at.get('index')}: {error} is no time and no"
                f" element; {REMEDY}"
            ) from None
    known[name] = own
    return own
