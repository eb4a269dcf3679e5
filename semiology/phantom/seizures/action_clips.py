"""Short labelled clips of the phases of seizures, of persons who are in no cohort: to pretrain a
snippet network on.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from semiology.errors import UserError
from semiology.files import write_text
from semiology.phantom.cohort import NOTICE
from semiology.phantom.drawing.clip import draw_frames, draw_subject
from semiology.phantom.drawing.filming import check_film, develop, with_image_size
from semiology.phantom.seizures.phases import RAMP
from semiology.phantom.seizures.recording import act, bit_rate, draw_recording
from semiology.phantom.shared.design import generator
from semiology.video import write_video

ACTIONS = ("hyperkinetic", "tonic", "clonic", "still")
TONIC = 0.12  # proportion of a seizure that its tonic phase takes, at least
FPS = 15.0  # Hz, as snippets are made of [T]


def make_actions(
    out: str | Path,
    *,
    people: int = 40,
    clips: int = 1,
    seconds: float = 4.0,
    test: float = 0.15,
    width: int = 176,
    height: int = 144,
    seed: int = 0,
    progress: bool = True,
) -> Path:
    """Render SYNTHETIC clips: out/train and out/test, in each
    <hyperkinetic|tonic|clonic|still>/*.mp4 at 15 Hz; no person is in both.

    No person is in a cohort of any seed. A clip lies within one phase; `still` is a patient at rest
    or after a seizure. A clip that exists is not rendered again.

    Args:
        out: the folder.
        people: number of persons. clips: of each person in each class.
        seconds: of a clip.
        test: proportion of the persons whose clips go to test/, one at least.
        width: px. height: px.

    Raises:
        UserError: a number that makes no sense, a full disk.
    """
    check_film(FPS, width, height)
    if people < 2 or clips < 1 or not 1 <= seconds <= 30 or not 0 < test < 1:
        raise UserError(
            f"phantom: people={people}, clips={clips}, seconds={seconds:g}, test={test:g}; give 2,"
            " 1, 1 to 30, 0 to 1 or more"
        )
    out = Path(out)
    held_out = min(people - 1, max(1, round(test * people)))
    for person in tqdm(range(people), desc="phantom clips", unit="person", disable=not progress):
        folder = out / ("test" if person < held_out else "train")
        film_person(folder, seed, person, clips, seconds, (width, height))
    write_text(out / "README.md", f"# Clips of what a seizure is made of\n\n{NOTICE}\n")
    return out


def film_person(
    folder: Path, seed: int, person: int, clips: int, seconds: float, size: tuple[int, int]
) -> None:
    """Render all clips of one person: of each seizure that is drawn only the needed frames."""
    for clip in range(clips):
        paths = {
            action: folder / action / f"person-{person:04d}_{clip:02d}.mp4" for action in ACTIONS
        }
        if all(path.is_file() for path in paths.values()):
            continue
        rng = generator(seed, 11, person, clip)
        subject = draw_subject(generator(seed, 14, person))
        subject = replace(subject, view=with_image_size(subject.view, *size))
        rest, lasting = seconds + 2 * RAMP, (seconds + 2 * RAMP) / TONIC
        recording = draw_recording(rng, subject, rest + lasting, [("TCS", rest, lasting)], FPS)
        onset, seizure = recording.seizures[0]
        recording = replace(recording, seizures=((onset, replace(seizure, moments=())),))
        spans = {phase.kind: (onset + phase.start, onset + phase.stop) for phase in seizure.phases}
        postictal = spans["postictal"]
        at_rest = rng.random() < 0.5 or postictal[1] - postictal[0] < rest
        spans["still"] = (0.0, onset) if at_rest else postictal
        for number, (action, path) in enumerate(paths.items()):
            start, stop = spans[action]
            first = round((start + RAMP + rng.random() * (stop - start - rest)) * FPS)
            frames = act(recording, range(first, first + round(seconds * FPS)))
            drawn = draw_frames(subject, recording.light, frames, range(len(frames.time)))
            noise = np.random.default_rng(recording.noise_seed + number)
            write_video(
                path,
                develop(drawn, subject.view, recording.light, noise),
                FPS,
                bit_rate=bit_rate(recording),
            )
