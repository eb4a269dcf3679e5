"""A recording of any length: a patient at rest, with seizures at known times, rendered chunk by
chunk in bounded memory.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semiology.data.events import Event, write_events
from semiology.errors import UserError
from semiology.phantom.drawing.clip import Performance, Subject, draw_frames, draw_subject, enact
from semiology.phantom.drawing.filming import (
    CHUNK,
    FPS,
    Light,
    View,
    check_film,
    develop,
    draw_light,
    with_image_size,
)
from semiology.phantom.drawing.motion import Rest, draw_rest, rest_actions, rest_angles
from semiology.phantom.seizures.phases import (
    Kind,
    Seizure,
    draw_seizure,
    seizure_actions,
    seizure_angles,
)
from semiology.phantom.shared.design import generator
from semiology.video import write_video

SHORTEST = 5.0  # s, of a seizure whose phases can still be distinguished [our choice]
CALM = 2.0  # s at least between two seizures


@dataclass(frozen=True)
class Recording:
    """All random choices of one video. Rendering draws nothing more but sensor noise."""

    subject: Subject
    light: Light
    rest: Rest
    seizures: tuple[tuple[float, Seizure], ...]  # onset (s of the video), in order
    frames: int
    fps: float
    noise_seed: int

    @property
    def duration(self) -> float:
        """Length of the video, s."""
        return self.frames / self.fps

    def seen_by(self, view: View, light: Light) -> "Recording":
        """The same performance by another camera."""
        return replace(
            self,
            subject=replace(self.subject, view=view),
            light=light,
            noise_seed=self.noise_seed + 1,
        )


def draw_recording(
    rng: np.random.Generator,
    subject: Subject,
    duration: float,
    seizures: Sequence[tuple[Kind, float, float]],
    fps: float,
) -> Recording:
    """Draw a video of `duration` s at `fps` Hz. `seizures`: type, onset and duration (s); what lies
    between them is rest.
    """
    return Recording(
        subject=subject,
        light=draw_light(rng, subject.view),
        rest=draw_rest(rng, duration),
        seizures=tuple(
            (onset, draw_seizure(rng, kind, lasting))
            for kind, onset, lasting in sorted(seizures, key=lambda s: s[1])
        ),
        frames=round(duration * fps),
        fps=fps,
        noise_seed=int(rng.integers(2**31)),
    )


def act(recording: Recording, frames: range) -> Performance:
    """The performance in some frames, which does not depend on the other frames."""
    time = np.arange(frames.start, frames.stop) / recording.fps
    joint_angles, clench = rest_angles(recording.rest, time)
    facial = rest_actions(recording.rest, time)
    for onset, seizure in recording.seizures:
        if time[0] < onset + seizure.duration + CALM and time[-1] > onset - CALM:
            facial = seizure_actions(seizure, time - onset, facial)
            joint_angles, clench = seizure_angles(seizure, time - onset, joint_angles, clench)
    return enact(recording.subject, time, joint_angles, clench, facial)


def film(recording: Recording) -> Iterator[NDArray]:
    """The video's frames (height, width, 3) uint8, one by one."""

    def drawn() -> Iterator[NDArray]:
        for start in range(0, recording.frames, CHUNK):
            chunk = act(recording, range(start, min(start + CHUNK, recording.frames)))
            yield from draw_frames(
                recording.subject, recording.light, chunk, range(len(chunk.time))
            )

    return develop(
        drawn(),
        recording.subject.view,
        recording.light,
        np.random.default_rng(recording.noise_seed),
    )


def bit_rate(recording: Recording) -> int:
    """Bits a second, fewer where there are fewer frames."""
    return int(recording.light.bit_rate(recording.subject.view) * recording.fps / FPS)


def events(recording: Recording) -> list[Event]:
    """Every seizure, with its type as the class, and each of its phases under its own name, in
    seconds of the video.
    """
    result = []
    for onset, seizure in recording.seizures:
        result.append(Event(onset, seizure.duration, "seizure", seizure.kind))
        result += [
            Event(onset + phase.start, phase.stop - phase.start, phase.kind)
            for phase in seizure.phases
        ]
    return result


def render_long(
    path: str | Path,
    minutes: float,
    seizures: Sequence[tuple[Kind, float, float]],
    seed: int = 0,
    *,
    fps: float = FPS,
    width: int = 352,
    height: int = 288,
) -> list[Event]:
    """Render one long SYNTHETIC video of a patient in bed, frame by frame: rest (breathing, small
    movements, an arm that reaches, turning over) with seizures at known times. Memory does not grow
    with its length.

    Args:
        path: of the video, .mp4 or another that `write_video` knows; its truth goes beside it, to
            <name>_events.tsv: each seizure as "seizure" with its type as the class, and each of its
            phases.
        seizures: (type, onset, duration): "FOS" or "TCS", seconds of the video, seconds.
        seed: of person, room, camera and movement.
        fps: Hz. width, height: px.

    Returns:
        The events that are in the table.

    Raises:
        UserError: a length, rate or size that is not possible; seizures that overlap, leave the
            video, or last under 5 s.
    """
    path = Path(path)
    check_film(fps, width, height)
    if not minutes > 0 or round(minutes * 60 * fps) < 1:
        raise UserError(f"phantom: minutes={minutes:g}; give more than 0")
    until = 0.0
    for kind, onset, lasting in sorted(seizures, key=lambda seizure: seizure[1]):
        if kind not in ("FOS", "TCS"):
            raise UserError(f"phantom: seizure type {kind!r}; give FOS or TCS")
        if lasting < SHORTEST or onset < until or onset + lasting > 60 * minutes:
            what = f"{SHORTEST:g} s or longer, {CALM:g} s apart, within {60 * minutes:g} s"
            raise UserError(
                f"phantom: a seizure at {onset:g} s that lasts {lasting:g} s; seizures are {what}"
            )
        until = onset + lasting + CALM
    subject = draw_subject(generator(seed, 12))
    subject = replace(subject, view=with_image_size(subject.view, width, height))
    recording = draw_recording(generator(seed, 13), subject, 60 * minutes, seizures, fps)
    write_video(path, film(recording), fps, bit_rate=bit_rate(recording))
    truth = events(recording)
    write_events(path.with_name(f"{path.stem}_events.tsv"), truth, recording.duration)
    return truth
