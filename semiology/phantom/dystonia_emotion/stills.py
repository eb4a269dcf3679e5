"""Still images of phantom persons who are in no cohort, in folders by class: to pretrain an
appearance network without a real data set.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from joblib import delayed
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from semiology.errors import UserError
from semiology.files import atomic_path, write_text
from semiology.parallel import Workers, run_parallel
from semiology.phantom.cohort import NOTICE
from semiology.phantom.drawing.clip import Performance, Plan, draw_plan, draw_subject, film, perform
from semiology.phantom.drawing.episodes import POSTURES, Episode
from semiology.phantom.drawing.face import EXPRESSIONS
from semiology.phantom.drawing.filming import FPS
from semiology.phantom.shared.design import generator
from semiology.phantom.shared.truth import face_truth

POSES = ("rest", "reach", "dystonic")
SLOT = 2.0  # s of performance that one image is taken from
SMALLEST, LARGEST = 64, 224  # px, sides of an image: what VGG-19 reads of a body at most


def make_stills(
    out: str | Path,
    *,
    subjects: int = 40,
    per_class: int = 200,
    seed: int = 0,
    looks: float = 0.0,
    jobs: int = 1,
    progress: bool = True,
) -> Path:
    """Render SYNTHETIC still images: out/expression/<neutral|fear|anger|smile>/*.png,
    out/posture/<rest|reach|dystonic>/*.png.

    No person is in a cohort of any seed. Faces are cut out as a face detector would, square and a
    little off; bodies with the whole upper body in. A reach has the arm in the posture of a
    dystonic one, but an open, straight hand. How much of an expression appears in the landmarks and
    how much in skin and eyes differs between persons. An image that exists is not rendered again.

    Args:
        subjects: number of persons.
        per_class: images in each class, spread over the persons.
        looks: as in `DystoniaEmotionRecipe`.
        jobs: processes.

    Raises:
        UserError: fewer than one person or image, a full disk.
    """
    out = Path(out)
    photograph = partial(photograph_person, out, seed, looks=looks)
    return photograph_all(out, subjects, per_class, photograph, progress, jobs)


def photograph_all(
    out: Path,
    subjects: int,
    per_class: int,
    photograph: Callable[[int, int], None],
    progress: bool,
    jobs: int = 1,
) -> Path:
    """`photograph(person, images)` of each person, the images of a class spread over the
    persons; returns the folder.

    Raises:
        UserError: fewer than one person or image.
    """
    if subjects < 1 or per_class < 1:
        raise UserError(
            f"stills: subjects={subjects}, per_class={per_class}; give 1 or more of each"
        )
    write_text(out / "README.md", f"# Still pictures\n\n{NOTICE}\n")
    rounds = np.bincount(np.arange(per_class) % subjects, minlength=subjects)
    calls = [delayed(photograph)(subject, int(rounds[subject])) for subject in range(subjects)]
    done = run_parallel(calls, Workers(jobs=jobs))
    for _ in tqdm(done, "phantom stills", subjects, unit="person", disable=not progress):
        pass
    return out


def photograph_person(out: Path, seed: int, subject: int, rounds: int, looks: float = 0.0) -> None:
    """Take `rounds` images of every class of one person."""
    names = [
        (expression, POSES[i % len(POSES)])
        for _ in range(rounds)
        for i, expression in enumerate(EXPRESSIONS)
    ]
    wanted = {pose: rounds for pose in POSES}
    files: list[tuple[Path, Path | None]] = []
    for i, (expression, pose) in enumerate(names):
        body = (
            out / "posture" / pose / f"person-{subject:04d}_{i:04d}.png"
            if wanted[pose] > 0
            else None
        )
        wanted[pose] -= 1
        files.append((out / "expression" / expression / f"person-{subject:04d}_{i:04d}.png", body))
    if all(path is None or path.is_file() for pair in files for path in pair):
        return
    rng = generator(seed, 7, subject)
    plan = replace(draw_session(rng, names), looks=looks)
    performance = perform(plan)
    face = face_truth(plan, performance)
    open_face = (face.confidence.mean("keypoint").to_numpy() > 0.7).astype(float)
    frames = []
    for i in range(len(names)):
        middle = np.arange(round((i + 0.35) * SLOT * FPS), round((i + 0.65) * SLOT * FPS))
        frames.append(int(middle[np.argmax(open_face[middle] + 0.5 * rng.random(len(middle)))]))
    for image, frame, (face_file, body_file) in zip(film(plan, performance, frames), frames, files):
        points = face.position.transpose("time", "keypoint", "space").to_numpy()[frame]
        save(crop(image, points, 1.75 * rng.uniform(0.9, 1.15), rng), face_file)
        if body_file is not None:
            points = body_points(performance, plan.subject.person.body.head[1], frame)
            save(crop(image, points, rng.uniform(1.15, 1.35), rng), body_file)


def draw_session(rng: np.random.Generator, names: list[tuple[str, str]]) -> Plan:
    """A performance in which a named expression and pose follow another every SLOT seconds."""
    duration = SLOT * len(names)
    plan = draw_plan(
        rng,
        draw_subject(rng),
        seconds=(duration, duration),
        dystonia=False,
        emotion=False,
        difficulty=0.0,
        appearance=float(rng.uniform(0, 1)),
        caregivers=0.0,
    )
    faces, arms = [], []
    for i, (expression, pose) in enumerate(names):
        start, stop = i * SLOT, (i + 1) * SLOT
        if expression != "neutral":
            faces.append(
                Episode(start, stop, 0.4, expression, "", float(rng.uniform(0.6, 1)), True)
            )
        if pose != "rest":
            posture, side = (
                list(POSTURES)[rng.integers(len(POSTURES))],
                ("left", "right")[rng.integers(2)],
            )
            arms.append(
                Episode(
                    start,
                    stop,
                    0.4,
                    posture,
                    side,
                    float(rng.uniform(0.75, 1)),
                    True,
                    hand=float(pose == "dystonic"),
                )
            )
    return replace(plan, lead=0.0, tail=0.0, arms=tuple(arms), faces=tuple(faces))


def body_points(performance: Performance, half_head: float, frame: int) -> NDArray:
    """Joints, finger tips and the top of the head (point, 2) px, as far as they stand within the
    image.
    """
    joints = {
        name: points[frame]
        for name, points in performance.figure.joints.items()
        if not name.endswith("_palm")
    }
    top = joints["head"] + half_head * performance.figure.head[frame, :, 1]
    points = performance.camera.project(np.stack([*joints.values(), top]))
    return np.clip(points, 0, [performance.camera.width, performance.camera.height])


def crop(image: NDArray, points: NDArray, margin: float, rng: np.random.Generator) -> NDArray:
    """A square around `points` (point, 2) px, `margin` times as wide as they need and a little off;
    pixels of the edge repeat beyond it.
    """
    low, high = points.min(0), points.max(0)
    side = margin * float((high - low).max())
    centre = (low + high) / 2 + rng.uniform(-0.05, 0.05, 2) * side
    columns = np.clip(
        np.arange(round(centre[0] - side / 2), round(centre[0] + side / 2)), 0, image.shape[1] - 1
    )
    rows = np.clip(
        np.arange(round(centre[1] - side / 2), round(centre[1] + side / 2)), 0, image.shape[0] - 1
    )
    return image[np.ix_(rows, columns)]


def save(pixels: NDArray, path: Path) -> None:
    """Write square pixels (side, side, 3) uint8 as a PNG of SMALLEST to LARGEST px."""
    image = Image.fromarray(pixels)
    side = min(max(image.width, SMALLEST), LARGEST)
    if side != image.width:
        image = image.resize((side, side), Image.Resampling.BICUBIC)
    with atomic_path(path) as temporary:
        image.save(temporary, compress_level=1)  # a fifth of the time for a tenth more
