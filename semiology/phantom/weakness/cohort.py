"""A phantom cohort of facial weakness: patients and controls, what each shows panel by panel, as
videos or as noisy landmarks.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from semiology.data.tracks import save_tracks
from semiology.errors import UserError
from semiology.files import write_text
from semiology.phantom.drawing.clip import Performance, Subject
from semiology.phantom.drawing.filming import FPS, check_film
from semiology.phantom.drawing.kinematics import SIDES
from semiology.phantom.shared.cohort import (
    is_made,
    make_clips,
    recipe_name,
    write_tables,
    write_truth,
)
from semiology.phantom.shared.design import generator
from semiology.phantom.shared.tracker_noise import as_tracked
from semiology.phantom.shared.truth import joint_tracks, landmark_tracks
from semiology.phantom.weakness.exam import PANELS, WILLING, Exam, act, draw_exam, draw_sitter, film
from semiology.phantom.weakness.tables import CLINICIAN_POINTS, WEAKNESS_JSON, WEAKNESS_README
from semiology.phantom.weakness.weakness import SEVERE, Weakness, draw_unevenness, draw_weakness
from semiology.video import write_video

VERSION = (
    1  # raise when the same recipe draws or renders something else: older clips are then made anew
)
PATIENTS, CONTROLS = 70, 69  # [P] the myasthenia study
GROUPS = ("patient", "control")
SHORTEST = 2.0  # s, of a clip in which a panel can be done
DOUBT = 0.8  # sd of the clinician's error, points [our choice]


@dataclass(frozen=True)
class WeaknessRecipe:
    """All that a cohort of weak faces depends on, its numbers of participants aside; see
    `make_weakness`.
    """

    seconds: float = 6.0
    fps: float = FPS
    size: int = 256
    render: bool = True
    noise: float = 0.15
    seed: int = 0

    def __post_init__(self) -> None:
        check_film(self.fps, self.size, self.size)
        if not SHORTEST <= self.seconds <= 600 or self.seed < 0 or not 0 <= self.noise <= 20:
            said = f"seconds={self.seconds:g}, noise={self.noise:g}, seed={self.seed}"
            raise UserError(
                f"phantom weakness: {said}; give clips of {SHORTEST:g} to 600 s, noise of 0 to 20"
                " px, and a seed of 0 or more"
            )

    def name(self) -> str:
        """A digest that names the recipe in each clip's truth."""
        return recipe_name(self, VERSION, "weakness")


@dataclass(frozen=True)
class Participant:
    """Number `number` (from 0) of a group, whatever is asked of them."""

    group: str
    number: int
    subject: Subject
    weakness: Weakness
    uneven: NDArray  # see `weakness.draw_unevenness`
    willing: float  # how strongly expressions are shown, about 1
    clinician: int  # points

    @property
    def participant_id(self) -> str:
        return f"{self.group}-{self.number + 1:03d}"


def draw_participant(recipe: WeaknessRecipe, group: str, number: int) -> Participant:
    rng = generator(recipe.seed, 30, GROUPS.index(group), number)
    subject = draw_sitter(rng, recipe.size)
    weakness = draw_weakness(rng, recipe.seed, group, number)
    uneven, willing = draw_unevenness(rng), float(1 + rng.normal(0, WILLING[0]))
    clinician = round(
        float(
            np.clip(CLINICIAN_POINTS * weakness.degree + rng.normal(0, DOUBT), 0, CLINICIAN_POINTS)
        )
    )
    return Participant(group, number, subject, weakness, uneven, willing, clinician)


def examine(recipe: WeaknessRecipe, who: Participant, panel: str) -> Exam:
    """Draw the participant's clip of a panel."""
    rng = generator(recipe.seed, 31, GROUPS.index(who.group), who.number, list(PANELS).index(panel))
    return draw_exam(
        rng, who.subject, panel, who.weakness, who.uneven, who.willing, recipe.seconds, recipe.fps
    )


def clip_row(recipe: WeaknessRecipe, who: Participant, panel: str) -> dict[str, str]:
    """The clip's row of clips.tsv."""
    clip_id = f"{who.participant_id}_{panel}"
    weak, patient = who.weakness, who.group == "patient"
    return {
        "clip_id": clip_id,
        "participant_id": who.participant_id,
        **(
            {"video": f"videos/{clip_id}.mp4"}
            if recipe.render
            else {"tracks": f"tracks/{clip_id}.nc"}
        ),
        "start": "0",
        "end": f"{round(recipe.seconds * recipe.fps) / recipe.fps:.3f}",
        "panel": panel,
        "visit": "baseline",
        "diagnosis": who.group,
        "severity": ("severe" if weak.degree >= SEVERE else "mild") if patient else "n/a",
        "weaker_side": weak.side if weak.side in SIDES else "none",
        "weakness_true": f"{weak.degree:.4f}",
        "clinician_score": str(who.clinician),
        "synthetic": "yes",
    }


def make_clip(
    out: Path, recipe: WeaknessRecipe, group: str, number: int, panel: str
) -> dict[str, str]:
    """Make one clip and its truth unless they are there from the same recipe; returns its row of
    clips.tsv.

    The JSON truth is written last: where it is, the clip is whole.
    """
    who = draw_participant(recipe, group, number)
    exam, row = examine(recipe, who, panel), clip_row(recipe, who, panel)
    clip = out / (row["video"] if recipe.render else row["tracks"])
    truth = out / "truth" / f"{row['clip_id']}.json"
    if is_made(truth, recipe.name(), clip):
        return row
    truth.unlink(missing_ok=True)
    performance = act(exam)
    face = landmark_tracks(exam.subject, performance, recipe.fps)
    if recipe.render:
        write_video(clip, film(exam, performance), recipe.fps)
        save_tracks(joint_tracks(exam.subject, performance, recipe.fps), truth.with_suffix(".nc"))
    else:
        rng = generator(recipe.seed, 32, GROUPS.index(group), number, list(PANELS).index(panel))
        save_tracks(as_tracked(face, recipe.noise, rng) if recipe.noise else face, clip)
    save_tracks(face, truth.with_name(f"{row['clip_id']}_face.nc"))
    write_text(
        truth.with_name(f"{row['clip_id']}_sides.tsv"),
        sides(exam).to_csv(sep="\t", index=False, float_format="%.4f"),
    )
    told = {
        **{key: row[key] for key in ("clip_id", "participant_id", "panel")},
        **story(exam, performance),
    }
    write_truth(truth, told, recipe, recipe.name())
    return row


def sides(exam: Exam) -> pd.DataFrame:
    """Each frame's time (s), the effort meant, how far strength has run out, and the weakness of
    either side, all 0 to 1.
    """
    left, right = exam.weakness.over(exam.tired).T
    return pd.DataFrame(
        {
            "time": exam.time,
            "effort": exam.effort,
            "tired": exam.tired,
            "left": left,
            "right": right,
        }
    )


def story(exam: Exam, performance: Performance) -> dict:
    """What is to be seen in the clip, for JSON."""
    camera, light = performance.camera, exam.light
    weak = {
        "degree": exam.weakness.degree,
        "side": exam.weakness.side,
        "fatigable": exam.weakness.fatigable,
    }
    said = {
        "weakness": {**weak, "regions": exam.weakness.regions},
        "strength": exam.strength,
        "fps": exam.fps,
        "frames": exam.frames,
    }
    return {**said, "noise_of_light": light.noise, "camera": camera.story()}


def make_weakness(
    out: str | Path,
    *,
    patients: int = PATIENTS,
    controls: int = CONTROLS,
    seconds: float = 6.0,
    fps: float = FPS,
    size: int = 256,
    render: bool = True,
    noise: float = 0.15,
    seed: int = 0,
    jobs: int = 1,
    progress: bool = True,
) -> Path:
    """Render a SYNTHETIC cohort of facial weakness that is graded, one-sided or of both sides, and
    grows over a task; with its whole truth.

    Everybody is filmed once in each panel: rest, happiness, anger, fear, upgaze, closure. Patient
    and control number s are the same people whatever their numbers and `jobs` are. A second call
    goes on where the first was interrupted; clips of another recipe are made anew.

    Args:
        out: folder of the cohort; made if it is not there.
        patients: participants whose face is weak. [P] 70 of the myasthenia study
        controls: participants whose face is not. [P] 69
        seconds: of a clip.
        fps: frames a second.
        size: px of the square picture's side.
        render: videos; if not, tracks of the 23 landmarks as a tracker would give them, in no time.
        noise: of these tracks, px of jitter, see `tracker_noise`; the default backend has about
            0.15 in these pictures; 0: the truth.
        seed: of everything random.
        jobs: processes.

    Returns:
        The folder.

    Raises:
        UserError: a parameter that makes no sense, a folder that holds another cohort, a full disk.
    """
    out = Path(out)
    recipe = WeaknessRecipe(float(seconds), float(fps), size, render, float(noise), seed)
    if patients < 0 or controls < 0 or patients + controls < 1:
        raise UserError(
            f"phantom weakness: patients={patients}, controls={controls}; give 0 or more of each,"
            " and one in sum"
        )
    people = [
        (group, number)
        for group, count in zip(GROUPS, (patients, controls))
        for number in range(count)
    ]
    places = [(*person, panel) for person in people for panel in PANELS]
    rows = make_clips(
        make_clip, out, recipe, places, jobs=jobs, progress=progress, what="phantom weakness"
    )
    groups = {row["participant_id"]: row["diagnosis"] for row in rows}
    write_tables(out, rows, WEAKNESS_JSON, WEAKNESS_README, asdict(recipe), groups)
    return out
