"""Still images of faces as the weakness cohort films them, of persons who are not in it: training
data of an expression network for that cohort.
"""

from functools import partial
from pathlib import Path

from semiology.phantom.drawing.clip import draw_frames
from semiology.phantom.drawing.filming import FPS, develop
from semiology.phantom.dystonia_emotion.stills import crop, photograph_all, save
from semiology.phantom.shared.design import generator
from semiology.phantom.shared.truth import landmark_tracks
from semiology.phantom.weakness.exam import (
    LOSS,
    Weakness,
    act,
    draw_exam,
    draw_sitter,
    draw_unevenness,
)

CLASSES = {
    "neutral": "rest",
    "fear": "fear",
    "anger": "anger",
    "smile": "happiness",
}  # as `make_stills` calls them -> panel
SECONDS = 3.0  # of the performance that a person's images of one class are taken from
SETTLED = 1.2  # s, after which they are taken
STRENGTH = 0.6, 1.1  # of the expressions, which differ between persons
HEALTHY = Weakness(0.0, "both", 0.0, dict.fromkeys(LOSS, 1.0))


def make_face_stills(
    out: str | Path,
    *,
    subjects: int = 40,
    per_class: int = 200,
    size: int = 256,
    seed: int = 0,
    jobs: int = 1,
    progress: bool = True,
) -> Path:
    """Render SYNTHETIC still images of healthy faces:
    out/expression/<neutral|fear|anger|smile>/*.png.

    No person is in a cohort of any seed. An image that exists is not rendered again.

    Args:
        subjects: number of persons.
        per_class: images in each class, spread over the persons.
        size: px of the image that the face is cut out of.
        jobs: processes.

    Raises:
        UserError: fewer than one person or image, a full disk.
    """
    out = Path(out)
    photograph = partial(photograph_face, out, seed, size=size)
    return photograph_all(out, subjects, per_class, photograph, progress, jobs)


def photograph_face(out: Path, seed: int, number: int, rounds: int, size: int) -> None:
    """Take `rounds` images of every class of one person."""
    rng = generator(seed, 33, number)
    subject, uneven = draw_sitter(rng, size), draw_unevenness(rng)
    for number_of_class, (name, panel) in enumerate(CLASSES.items()):
        files = [
            out / "expression" / name / f"person-{number:04d}_{i:04d}.png" for i in range(rounds)
        ]
        if all(path.is_file() for path in files):
            continue
        rng = generator(seed, 33, number, number_of_class)
        exam = draw_exam(
            rng, subject, panel, HEALTHY, uneven, float(rng.uniform(*STRENGTH)), SECONDS, FPS
        )
        performance = act(exam)
        points = (
            landmark_tracks(subject, performance, FPS)
            .position.transpose("time", "keypoint", "space")
            .to_numpy()
        )
        frames = [int(frame) for frame in rng.integers(round(SETTLED * FPS), exam.frames, rounds)]
        drawn = draw_frames(subject, exam.light, performance, frames)
        for image, frame, path in zip(develop(drawn, subject.view, exam.light, rng), frames, files):
            save(crop(image, points[frame], 1.75 * rng.uniform(0.9, 1.15), rng), path)
