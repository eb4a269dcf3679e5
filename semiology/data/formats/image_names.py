"""Which frame of its video an image shows, by the names of a video's images."""

import re
from collections.abc import Sequence
from pathlib import Path

from semiology.errors import UserError

# what programs add to the names of images: Roboflow behind, Label Studio (on upload) before
EXPORTED = re.compile(r"\.rf\.[0-9A-Za-z]+$")
UPLOADED = re.compile(r"^[0-9a-f]{8}-(?=.*\d)")
DIGITS = 18  # of a number in a name at most; longer ones are no counts [our choice]
CAMERA = re.compile(r"(?i)(cam|camera|view)[-_ ]?$")  # text before a camera's number
# a date, and the time of day behind it: what varies in them is no frame
CLOCK = re.compile(
    r"(?<!\d)(19|20)\d\d([-_.])(0\d|1[0-2])\2([0-2]\d|3[01])([-_ T]+\d\d([-_.:])\d\d\6\d\d)?(?!\d)"
)
RENAME = "name images by their frame alone (img0012.png), or give frame_index in a COCO file"


def frame_numbers(names: Sequence[str], path: Path) -> list[int]:
    """The frame that each image of a video shows, by the numbers in the images' names.

    With one number in each name, it is the frame's ("img0012.png" -> 12). With several, the names
    must be built alike and differ in one number only, which is the frame's: `img00012_cam2.png`
    beside `img00024_cam2.png`. The copy's code that Roboflow adds (`img00012_png.rf.CODE.jpg`) is
    no part of a name; the code that Label Studio puts before it (`1f3a9c02-img00012.png`) neither,
    where names are not readable with it. [our choice]

    Args:
        names: of all images of one video.
        path: of the file, for messages.

    Raises:
        UserError: a name without a number; several numbers of which none, or more than one, varies,
            or only a camera's, a date's or that of the time of day; two images of one frame.
    """
    whole = [_bare(name) for name in names]
    own = [UPLOADED.sub("", name) for name in whole]
    uploaded = own != whole and any(re.match(r"\d*[a-f]", name) for name in whole)
    try:
        numbers = _varying(whole, names, path)
    except UserError:
        if not uploaded:
            raise
        numbers = _varying(own, names, path)
    check_frames(numbers, names, path)
    return numbers


def check_frames(numbers: Sequence[int], names: Sequence[str], path: Path) -> None:
    """Check that every image of a video shows a frame of its own.

    Raises:
        UserError: two images of one frame, with both names.
    """
    first: dict[int, int] = {}
    for place, number in enumerate(numbers):
        if (other := first.setdefault(number, place)) != place:
            raise UserError(
                f"{path}: {Path(names[other]).name} and {Path(names[place]).name} are both frame"
                f" {number}; keep one image of a frame, and the images of one video in a file"
            )


def _bare(name: str) -> str:
    """The name without folder and suffix, and without what Roboflow adds."""
    bare = re.sub(r"\.[0-9]*[A-Za-z][0-9A-Za-z]*$", "", Path(name).name)
    return EXPORTED.sub("", bare)


def _varying(bare: Sequence[str], names: Sequence[str], path: Path) -> list[int]:
    """The number of each name that varies over the names."""
    parts = [re.split(r"(\d+)", name) for name in bare]
    first = Path(names[0]).name if names else ""
    if without := [
        name
        for name, part in zip(names, parts, strict=True)
        if len(part) == 1 or max(map(len, part[1::2])) > DIGITS
    ]:
        raise UserError(
            f"{path}: {Path(without[0]).name!r} names no frame; images of a video have their"
            " frame's number in their names (img0012.png)"
        )
    if all(len(part) == 3 for part in parts):
        return [int(part[1]) for part in parts]
    if len(parts) == 1:
        raise UserError(
            f"{path}: {first!r} has several numbers, and one name alone does not tell which is the"
            f" frame's; {RENAME}"
        )
    if other := [
        name for name, part in zip(names, parts, strict=True) if part[::2] != parts[0][::2]
    ]:
        raise UserError(
            f"{path}: {first!r} and {Path(other[0]).name!r} have several numbers and are not built"
            f" alike, so that it is not known which one is the frame's; {RENAME}"
        )
    columns = {
        tuple(int(part[place]) for part in parts): parts[0][place - 1]
        for place in range(1, len(parts[0]), 2)
    }  # the numbers, and the text before them
    varying = [numbers for numbers in columns if len(set(numbers)) > 1]
    of_clock = len(varying) == 1 and len({CLOCK.sub("", name) for name in bare}) == 1
    if len(varying) != 1 or of_clock or CAMERA.search(columns[varying[0]]):
        alone = (
            "only that of a date or time of day varies" if of_clock else "only the camera's varies"
        )
        what = {0: "none varies", 1: alone}.get(len(varying), "several vary")
        raise UserError(
            f"{path}: {first!r}, {Path(names[1]).name!r}, ...: of the numbers in these names"
            f" {what}, so that it is not known which one is the frame's; {RENAME}"
        )
    return list(varying[0])
