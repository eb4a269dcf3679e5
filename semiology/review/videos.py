"""The frames of a cohort's clips, by clip_id, and how a page counts them.

A page counts the frames of a clip without gaps, from the number of the first. In the video numbers
skip where the next file of a recording begins, or frames were lost; in nearly all clips both are
the same. Tracks, corrections and the journal hold the video's numbers.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from semiology.data.cohort import clip_source
from semiology.errors import UserError
from semiology.review.clips import standing
from semiology.review.frames import ClipVideo, Frames
from semiology.review.session import ReviewSession
from semiology.review.sheet import Sheet
from semiology.video import Reading, VideoError


class Videos:
    """The frames of the clips.

    Args:
        session: whose cohort the clips are of.
        sheet: knows how the frames of the clips' tracks were read.
        reading: of clips that are not tracked yet; their own pixel aspect goes before it.
    """

    def __init__(self, session: ReviewSession, sheet: Sheet, reading: Reading):
        self.session, self.sheet, self.reading = session, sheet, reading
        self.frames = Frames()

    def of(self, clip_id: str) -> ClipVideo:
        """What a clip shows.

        Raises:
            UserError: it has no video; its recording is not known.
        """
        cohort, clip = self.session.cohort, self.session.clips[clip_id]
        source = clip_source(cohort.folder, clip)
        if source is None:
            raise UserError(f"clip {clip_id}: has no video, but tracks or features of its own")
        reading = self.sheet.reading(cohort, clip) or replace(
            self.reading, pixel_aspect=clip.pixel_aspect or self.reading.pixel_aspect
        )
        return ClipVideo(clip_id, source, clip.start, clip.end, reading)

    def facts(self, clip_id: str) -> dict[str, Any]:
        """Duration (s), width and height (px), fps (Hz), number of the first frame and of frames
        of a clip; or its fault, and no frames.
        """
        try:
            video = self.of(clip_id)
            times, (width, height) = self.frames.times(video), self.frames.size(video)
            first = int(self.frames.numbers(video)[0])
        except UserError as error:
            none = dict.fromkeys(("duration", "width", "height", "fps"))
            return {**none, "first": 0, "count": 0, "fault": plain_text(error)}
        period = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
        return {
            "duration": float(times[-1]) + period,
            "width": width,
            "height": height,
            "fps": 1 / period if period else None,
            "first": first,
            "count": len(times),
            "fault": None,
        }

    def numbers(self, clip_id: str, first: int, count: int) -> np.ndarray:
        """(count,) the video's numbers of the page's frames first ... first + count - 1; -1 for
        those that the clip does not have.
        """
        numbers = self.frames.numbers(self.of(clip_id))
        places = np.arange(first, first + count) - numbers[0]
        inside = (places >= 0) & (places < len(numbers))
        return np.where(inside, numbers[np.where(inside, places, 0)], -1)

    def number(self, clip_id: str, frame: int) -> int:
        """The video's number of a frame of the page.

        Raises:
            UserError: the clip does not have it.
        """
        return _number(clip_id, self.frames.numbers(self.of(clip_id)), frame)

    def on_page(self, clip_id: str, numbers: Iterable[int]) -> list[int]:
        """The page's numbers of the video's."""
        own = self.frames.numbers(self.of(clip_id))
        return (own[0] + np.searchsorted(own, list(numbers))).tolist()

    def action_in_video(self, clip_id: str, action: dict[str, Any]) -> dict[str, Any]:
        """An action of the page with the video's numbers; what is no number is left to be refused.
        A frame between two tracked ones becomes the one whose tracks it shows, see `standing`.

        Raises:
            UserError: the clip does not have such a frame.
        """

        own, part = self.frames.numbers(self.of(clip_id)), action.get("part")
        tracked = self.session.files.tracked(clip_id, part) if isinstance(part, str) else None
        shown = own if tracked is None else tracked.frames

        def number(values: Any, *names: str) -> Any:
            if not isinstance(values, dict):
                return values
            found = {name: values[name] for name in names if type(values.get(name)) is int}
            wanted = np.array([_number(clip_id, own, frame) for frame in found.values()], int)
            places = standing(shown, wanted)
            numbers = np.where(places < 0, wanted, shown[places] if len(shown) else 0)
            return values | dict(zip(found, numbers.tolist()))

        changed = number(action, "first", "last")
        if isinstance(points := action.get("points"), list):
            changed = {**changed, "points": [number(point, "frame") for point in points]}
        return changed

    def facts_on_page(self, clip_id: str, facts: Mapping[str, Any]) -> dict[str, Any]:
        """What a session states of corrections, with the page's numbers."""
        ends = {"corrected": 1, "swapped": 2}  # how many numbers a row begins with
        return dict(facts) | {
            name: [[*self.on_page(clip_id, row[:count]), *row[count:]] for row in facts[name]]
            for name, count in ends.items()
            if facts.get(name)
        }


def _number(clip_id: str, numbers: np.ndarray, frame: int) -> int:
    """The video's number of a frame of the page, of a clip's `numbers`."""
    place = frame - int(numbers[0])
    if not 0 <= place < len(numbers):
        raise UserError(f"frame {frame}: clip {clip_id} does not have it")
    return int(numbers[place])


def plain_text(error: UserError) -> str:
    """What is wrong, without the name of a video, by which a patient may be known."""
    return error.fault if isinstance(error, VideoError) else str(error)
