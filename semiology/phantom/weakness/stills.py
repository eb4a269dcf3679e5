"""Still pictures of other people's faces as the weakness cohort films them: what an expression
network for that cohort is trained on.
"""

from pathlib import Path

from semiology.phantom.drawing.clip import draw_frames
from semiology.phantom.drawing.filming import FPS, develop
from semiology.phantom.dystonia_emotion.stills import crop, photograph_everybody, save
from semiology.phantom.shared.design import generator
from semiology.phantom.shared.truth import landmark_tracks
from semiology.phantom.weakness.exam import act, draw_exam, draw_sitter
from semiology.phantom.weakness.weakness import LOSS, Weakness, draw_unevenness

CLASSES = {
    "neutral": "rest",
    "fear": "fear",
    "anger": "anger",
    "smile": "happiness",
}  # as `make_stills` calls them -> panel
SECONDS, SETTLED = (
    3.0,
    1.2,
)  # of the performance that a person's pictures of one class are taken from; after which s of it
STRENGTH = 0.6, 1.1  # of the expressions, as people differ
HEALTHY = Weakness(0.0, "both", 0.0, dict.fromkeys(LOSS, 1.0))


def make_face_stills(
    out: str | Path,
    *,
    subjects: int = 40,
    per_class: int = 200,
    size: int = 256,
    seed: int = 0,
    progress: bool = True,
) -> Path:
    """Render SYNTHETIC still pictures of healthy faces:
    out/expression/<neutral|fear|anger|smile>/*.png.

    The people are none of a cohort's, whatever its seed. An existing picture is kept.

    Args:
        subjects: how many people.
        per_class: pictures in each class, spread over the people.
        size: px of the picture that the face is cut out of.

    Raises:
        UserError: fewer than one person or picture, a full disk.
    """
    out = Path(out)
    return photograph_everybody(
        out,
        subjects,
        per_class,
        lambda person, rounds: photograph_face(out, seed, person, rounds, size),
        progress,
    )


def photograph_face(out: Path, seed: int, number: int, rounds: int, size: int) -> None:
    """Take `rounds` pictures of every class of one person."""
    rng = generator(seed, 33, number)
    subject, uneven = draw_sitter(rng, size), draw_unevenness(rng)
    for place, (name, panel) in enumerate(CLASSES.items()):
        files = [
            out / "expression" / name / f"person-{number:04d}_{i:04d}.png" for i in range(rounds)
        ]
        if all(path.is_file() for path in files):
            continue
        rng = generator(seed, 33, number, place)
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
        for picture, frame, path in zip(
            develop(drawn, subject.view, exam.light, rng), frames, files
        ):
            save(crop(picture, points[frame], 1.75 * rng.uniform(0.9, 1.15), rng), path)
