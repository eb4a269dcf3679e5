"""Options of de-identification: what is covered, and how videos are read."""

from dataclasses import dataclass
from typing import Literal

from semiology.errors import UserError
from semiology.video import Reading
from semiology.video.decode import Fields


@dataclass(frozen=True)
class DeidentifyOptions:
    """Options of covering. [our choice]

    Attributes:
        lost: what happens to a frame with no head of the patient: "cover" all of it, or "keep" it
            but for other people's faces.
        lost_after: s from the nearest frame in which the patient's head was found to where it
            counts as lost.
        grow: times the size of the box around face or head joints that is covered.
        pixel_aspect: "W:H", width of a stored pixel over its height, where the header states none
            or a wrong one. The copy has square pixels.
        fields: of interlaced videos: "auto" makes one frame of both fields, "both" a frame of every
            field, "off" leaves them woven.
    """

    lost: Literal["cover", "keep"] = "cover"
    lost_after: float = 0.5
    grow: float = 1.5
    pixel_aspect: str | None = None
    fields: Fields = "auto"

    @property
    def reading(self) -> Reading:
        """How the videos are read."""
        return Reading(self.pixel_aspect, self.fields)

    def __post_init__(self) -> None:
        _ = self.reading
        if self.lost not in ("cover", "keep"):
            raise UserError(f"deidentify: lost={self.lost!r}; give cover or keep")
        if not 0 <= self.lost_after <= 60:
            raise UserError(f"deidentify: lost_after={self.lost_after:g}; give seconds, 0 to 60")
        if not 1 <= self.grow <= 10:
            raise UserError(f"deidentify: grow={self.grow:g}; give a factor from 1 to 10")
