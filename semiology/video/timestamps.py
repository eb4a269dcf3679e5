"""When each frame is shown: the decoder's order, and the time stamps that can be believed.

FFmpeg's decoders give frames in the order in which they are shown, whatever the container. Time
stamps are less certain. AVI and ASF hold no presentation times: FFmpeg makes them up in decoding
order, so with B-frames they jump to and fro, and a file that was copied from such a one carries
them along. There the decoding time is believed: it rises in the decoder's order, ahead of the true
time by the codec's reorder depth. [our choice, after FFmpeg 8.1's behaviour: docs/video.md]
"""

import itertools
import statistics
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from av.packet import Packet
from av.video.frame import VideoFrame

# frames held back: a wrong time is noticed by what follows it, and the frame interval is known on
# both sides
LOOK_AHEAD = 8
# s; a time stamp that falls back by more starts another recording that was joined on
JUMP_BACK = 1.0
# s, half of what MPEG's 33-bit clock counts to: FFmpeg takes a time that falls back for the clock's
# wrap and adds the whole
JUMP_AHEAD = 2**32 / 90_000
# frames in turn that fall back by more than as many intervals, where single ones may: FFmpeg infers
# times that are a frame or two early [our choice]
FALLEN = 3
DEFAULT_PERIOD = 0.04  # s; interval of a video that states none

Content = TypeVar("Content")


@dataclass(slots=True)
class Stamped(Generic[Content]):
    """One frame as the decoder gave it.

    Attributes:
        pts: its presentation time stamp, s; None where it has none.
        dts: its decoding time stamp, s; None where it has none.
        content: the frame.
    """

    pts: float | None
    dts: float | None
    content: Content


@dataclass(slots=True)
class Timed(Generic[Content]):
    """One frame with the time at which it is shown.

    Attributes:
        time: s, on the file's own clock.
        period: s, median interval of the 16 frames around.
        content: the frame.
    """

    time: float
    period: float
    content: Content


def timestamp(unit: VideoFrame | Packet, kind: str = "pts") -> float | None:
    """Presentation ("pts") or decoding ("dts") time in s of a frame or packet; None without one."""
    stamp = getattr(unit, kind)
    return None if stamp is None else float(stamp * unit.time_base)


def presentation_times(
    frames: Iterable[Stamped[Content]],
    *,
    by_dts: bool = False,
    inferred: bool = False,
    interval: float = DEFAULT_PERIOD,
) -> Iterator[Timed[Content]]:
    """The frames in the order in which they come, each with a time that is later than the last.

    - A frame whose stamp leaps over just one frame, and is taken back by the next, is that frame:
      in MPEG program streams some key frames have the time of a later one.
    - A frame without a time stamp, and one that repeats the stamp of its predecessor, lies between
      its neighbours: evenly, and no further from its predecessor than one interval.
    - Presentation times that fall back while decoding times rise are made up in decoding order:
      from there on, decoding times count.
    - Times that fall back by more than `JUMP_BACK`, or twice in turn and decoding times with them,
      or that leap half a day ahead, belong to a recording that was joined on, or to a clock that
      was set: it goes on where the first one ended. A single frame whose times fall back counts as
      one without.

    Args:
        frames: in the decoder's order.
        by_dts: believe decoding times from the beginning.
        inferred: time stamps that fall back a little are inferred by FFmpeg (MPEG-1/2 packs have
            times for some frames only) and count as absent, unless `FALLEN` in turn fall back far.
        interval: s between frames, until two times are known.
    """
    clock: _Clock[Content] = _Clock(by_dts, inferred, interval)
    for frame in frames:
        clock.take(frame)
        yield from clock.released(LOOK_AHEAD)
    clock.settle(None)
    yield from clock.released(0)


class _Clock(Generic[Content]):
    """Frames on their way through `presentation_times`: those without a time yet (`run`), those
    that have one (`held`), and the times of those released (`past`).
    """

    def __init__(self, by_dts: bool, inferred: bool, interval: float):
        self.by_dts, self.inferred, self.interval = by_dts, inferred, interval
        self.run: list[Stamped[Content]] = []
        self.held: deque[tuple[float, Stamped[Content]]] = deque()
        self.past: deque[float] = deque(maxlen=LOOK_AHEAD)
        self.anchor: tuple[float, Stamped[Content]] | None = None  # the last frame released
        self.last: float | None = None  # s, time of the last frame that has one
        self.stamp: float | None = None  # s, the last time stamp believed, shifted
        self.dts: float | None = None
        self.back: Stamped[Content] | None = None  # the last frame, where its stamp fell back
        self.shift = 0.0

    def take(self, frame: Stamped[Content]) -> None:
        """Give a frame its time, or let it wait for the next one's."""
        stamp, before, back = self._stamp(frame), self.dts, self.back
        self.dts, self.back = before if frame.dts is None else frame.dts, None
        step = 0.0 if stamp is None or self.stamp is None else stamp + self.shift - self.stamp
        if back is not None and step <= 0:  # two in turn: another recording began with the first
            self.run.remove(back)
            self._begin(back)
            self.take(frame)
            return
        if step < -JUMP_BACK or step > JUMP_AHEAD:
            self._begin(frame)
        elif step < 0 and not self.inferred and not self.by_dts and _rises(before, frame.dts):
            self._believe_dts(frame)
        elif stamp is not None and step <= 0 and self._leapt(stamp + self.shift):
            self._place(frame, stamp + self.shift)
        elif stamp is None or (step <= 0 and self.stamp is not None):
            self.back = frame if step < 0 and not self.inferred else None
            self.run.append(frame)
            if self.inferred and self._fell():
                fallen = self.run[-FALLEN:]
                del self.run[-FALLEN:]
                self._begin(fallen[0])
                for each in fallen[1:]:
                    self.take(each)
            elif len(self.run) > LOOK_AHEAD:
                self.settle(None)
        else:
            self._place(frame, stamp + self.shift)

    def _fell(self) -> bool:
        """Whether the last frames come at the usual interval, by their stamps, but long before the
        last that was believed.
        """
        stamps = [self._stamp(frame) for frame in self.run[-FALLEN:]]
        known = [stamp + self.shift for stamp in stamps if stamp is not None]
        if len(known) < FALLEN or self.stamp is None:
            return False
        period = self.period()
        steps = [later - earlier for earlier, later in itertools.pairwise(known)]
        even = all(0.5 * period < step < 1.5 * period for step in steps)
        return even and self.stamp - known[0] > FALLEN * period

    def _leapt(self, time: float) -> bool:
        """Whether the last frame's stamp was wrong, as it leapt over the one frame that lies
        between this time (s) and its predecessor's; it then is put there.
        """
        if self.run or not self.held or len(self.past) + len(self.held) < 2:
            return False
        before = self.held[-2][0] if len(self.held) > 1 else self.past[-1]
        if not 1.5 < (time - before) / self.period() < 2.5:
            return False
        self.last = self.stamp = (before + time) / 2
        self.held[-1] = (self.last, self.held[-1][1])
        return True

    def _stamp(self, frame: Stamped[Content]) -> float | None:
        return frame.dts if self.by_dts else frame.pts

    def _place(self, frame: Stamped[Content], stamp: float) -> None:
        """Give a frame the time of its stamp, and those that wait for it theirs."""
        self.settle(stamp)
        time = stamp
        if self.last is not None and time <= self.last:  # a long run had no time stamps: catch up
            time = self.last + self.period() / 2
        self.held.append((time, frame))
        self.last, self.stamp = time, stamp

    def _begin(self, frame: Stamped[Content]) -> None:
        """A recording that was joined on begins with this frame, after one interval."""
        self.settle(None)
        stamp = self._stamp(frame)
        assert self.last is not None and stamp is not None
        self.shift = self.last + self.period() - stamp
        self._place(frame, stamp + self.shift)

    def settle(self, following: float | None) -> None:
        """Give the waiting frames their times, before the `following` one (s), where it is known.

        Decoding times of a codec's last frames are absent, and so are all times of a bare stream.
        """
        if not self.run:
            return
        step, gaps = self.period(), len(self.run) + 1
        if self.last is None:
            self.last = -step if following is None else following - gaps * step
        elif following is not None:
            between = (following - self.last) / gaps
            step = min(step, between) if between > 0 else step / 2
        for frame in self.run:
            self.last += step
            self.held.append((self.last, frame))
        self.run.clear()

    def released(self, ahead: int) -> Iterator[Timed[Content]]:
        """The frames that have more than `ahead` behind them."""
        while len(self.held) > ahead:
            time, frame = self.anchor = self.held.popleft()
            self.past.append(time)
            yield Timed(time, self.period(), frame.content)

    def period(self) -> float:
        """Median interval of the frames just past and those held back, s."""
        times = [*self.past, *(time for time, _ in self.held)]
        steps = [later - earlier for earlier, later in itertools.pairwise(times) if later > earlier]
        return statistics.median(steps) if steps else self.interval

    def _believe_dts(self, frame: Stamped[Content]) -> None:
        """Go over to decoding times, also for the frames that were not released yet."""
        waiting = [*(earlier for _, earlier in self.held), *self.run, frame]
        self.held.clear()
        self.run.clear()
        self.by_dts, self.shift, self.stamp, self.last = True, 0.0, None, None
        if self.anchor is not None and self.anchor[1].dts is not None:
            self.last = self.stamp = self.anchor[0]
            self.shift = self.anchor[0] - self.anchor[1].dts
        self.dts = None
        for each in waiting:
            self.take(each)


def _rises(before: float | None, after: float | None) -> bool:
    return before is not None and after is not None and before < after
