"""One myoclonic jerk of one joint, and the settings of the detection."""

import math
from dataclasses import dataclass, fields

from semiology.errors import UserError


@dataclass(frozen=True)
class Jerk:
    """A brief displacement of one joint, from `onset` on, in a clip.

    Attributes:
        joint: name of the keypoint.
        segment: part of the body that it belongs to (`kinematics.SEGMENTS`); "" where none is
            known.
        side: the patient's: "left", "right", or "" on the midline.
        onset: s from the clip's start; the last moment at which the joint had covered less than a
            fifth of the amplitude.
        peak: s; when the joint was farthest from its position before, or came to rest there.
        duration: s, from onset to the return, or to the peak where the joint stays.
        amplitude: torso lengths, from before the jerk to its peak; NaN where unknown.
        direction: unit vector of that displacement: x to the right of the image, y down, and z away
            from the camera where tracks are in space; empty where unknown.
        snr: peak band-limited acceleration divided by the noise level; NaN where unknown.
    """

    joint: str
    segment: str
    side: str
    onset: float
    peak: float
    duration: float
    amplitude: float = math.nan
    direction: tuple[float, ...] = ()
    snr: float = math.nan

    @property
    def end(self) -> float:
        """End of the jerk, s from the clip's start."""
        return self.onset + self.duration

    @property
    def part(self) -> str:
        """Part of the body; the joint's own name where it belongs to none."""
        return self.segment or self.joint


def sorted_jerks(jerks: list[Jerk]) -> list[Jerk]:
    """Jerks by onset, then joint, then peak: the order of the tables."""
    return sorted(jerks, key=lambda jerk: (jerk.onset, jerk.joint, jerk.peak))


@dataclass(frozen=True)
class JerkSettings:
    """Settings of the jerk detection. All defaults are our choice; Hyppoenen et al. 2020 state
    neither filter nor threshold.

    A myoclonic contraction lasts less than 100 ms (ILAE: Blume et al. 2001, doi
    10.1046/j.1528-1157.2001.22001.x), the movement that it causes some 50 to 250 ms.

    Attributes:
        threshold: multiple of the noise level that the peak acceleration reaches. In white noise
            |acceleration| in the plane is Rayleigh distributed: P(> 5.5) = exp(-15), one frame of
            one joint in four million. Trackers err more often; chosen on tracks of real people.
        cutoff: Hz, -3 dB point of the acceleration's filter. 6 is 0.24 of 25 frames per second;
            slower tracks get 0.24 of their rate.
        transience: factor by which the peak acceleration exceeds the mean acceleration over
            `detection.MOMENT`, the joint's and that of the joints of its limb: a jerk leaves them
            with the velocity that they had, a voluntary turn does not.
        shortest: s; a shorter movement is a tracking error.
        longest: s; a longer movement is voluntary.
        largest: torso lengths; a larger brief movement is taken for a flick or kick (dancers do 0.5
            to 1 within 0.2 s), or for a tracker that lost its joint.
        fastest: torso lengths per second between two frames; above it, some 4 m/s, the tracker
            jumped, or a limb swings too fast to detect jerks in it.
        confidence: 0 to 1; a position of lower confidence is not used.

    Raises:
        UserError: a value that is not positive, a confidence outside of 0 to 1.
    """

    threshold: float = 5.5
    cutoff: float = 6.0
    transience: float = 3.0
    shortest: float = 0.05
    longest: float = 0.3
    largest: float = 0.5
    fastest: float = 8.0
    confidence: float = 0.5

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (math.isfinite(value) and value > 0) and field.name != "confidence":
                raise UserError(f"jerk settings: {field.name}={value:g}; give a number above 0")
        if not 0 <= self.confidence <= 1:
            raise UserError(f"jerk settings: confidence={self.confidence:g}; give 0 to 1")
        if self.shortest >= self.longest:
            raise UserError(
                f"jerk settings: shortest={self.shortest:g} s is not below"
                f" longest={self.longest:g} s"
            )
