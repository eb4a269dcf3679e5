"""The recipe of a phantom cohort of facial weakness: patients and controls, what each does panel by
panel, as videos or as landmarks with a tracker's noise; and what the columns of its tables mean.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from semiology.errors import UserError
from semiology.phantom.cohort import (
    NOTICE,
    SYNTHETIC,
    Clip,
    Contents,
    Recipe,
    Video,
    make_cohort,
    recording_file,
)
from semiology.phantom.drawing.clip import Performance, Subject
from semiology.phantom.drawing.filming import FPS, check_film
from semiology.phantom.drawing.kinematics import SIDES
from semiology.phantom.shared.design import generator
from semiology.phantom.shared.tracker_noise import as_tracked
from semiology.phantom.shared.truth import joint_tracks, landmark_tracks
from semiology.phantom.weakness.exam import (
    PANELS,
    SEVERE,
    WILLING,
    Exam,
    Weakness,
    act,
    draw_exam,
    draw_sitter,
    draw_unevenness,
    draw_weakness,
    film,
)

# three items of 0 to 3, as ptosis, lid closure and facial muscles are in the QMG [our choice]
CLINICIAN_POINTS = 9

WEAKNESS_JSON: dict[str, dict] = {
    "diagnosis": {
        "Role": "label",
        "LongName": "Diagnosis",
        "Description": f"Whether the face tires and is weak as in myasthenia. {NOTICE}",
        "Levels": {"control": "a healthy face", "patient": "a weak face"},
    },
    "severity": {
        "Role": "label",
        "LongName": "Severity",
        "Description": f"Of a patient's weakness; not scored in controls. {NOTICE}",
        "Levels": {"mild": "a degree below 0.5", "severe": "a degree of 0.5 or more"},
    },
    "weaker_side": {
        "Role": "label",
        "LongName": "Weaker side of the face",
        "Description": f"The participant's side that is weak where one side alone is. {NOTICE}",
        "Levels": {
            "none": "both sides alike, or a control",
            "left": "the left side",
            "right": "the right side",
        },
        "Mirror": {"left": "right", "right": "left"},
    },
    "panel": {
        "Role": "covariate",
        "Levels": {
            "rest": "at rest",
            "happiness": "smiles as broadly as possible",
            "anger": "looks angry",
            "fear": "looks afraid",
            "upgaze": "looks up for the whole clip",
            "closure": "shuts the eyes tightly, again and again",
        },
    },
    "visit": {"Role": "covariate", "Levels": {"baseline": "the only visit"}},
    "weakness_true": {
        "Role": "score",
        "LongName": "True weakness",
        "Description": f"Of the weaker side when strength has run out. {NOTICE}",
        "Units": "1",
        "Minimum": 0,
        "Maximum": 1,
        "Of": "weakness",
    },
    "clinician_score": {
        "Role": "score",
        "LongName": "A clinician's score of the participant's facial weakness",
        "Description": f"The true weakness in whole points, with an error. {NOTICE}",
        "Units": "points",
        "Minimum": 0,
        "Maximum": CLINICIAN_POINTS,
        "Rater": "simulated clinician",
        "Of": "weakness",
    },
    "synthetic": SYNTHETIC,
}

WEAKNESS_README = f"""# Phantom cohort of facial weakness

{NOTICE}

- `participants.tsv`, `clips.tsv`, `clips.json`: a cohort as `semiology cohort check` reads it; a \
clip is a participant in one panel.
- `videos/` or `tracks/`: the rendered clips, or the 23 landmarks as a tracker would give them.
- `truth/<clip_id>_face.nc`: the 23 landmarks, in pixels and in metres (camera axes: x right, y \
down, z away); of videos the eleven joints
  too, `truth/<clip_id>.nc`. Confidence is 0 where a point is hidden or out of the picture; its \
position is true all the same.
- `truth/<clip_id>_sides.tsv`: in each frame the effort meant, how far strength has run out, and \
how weak either side is.
- `truth/<clip_id>.json`: the participant's weakness (degree, side, share that shows only after \
effort, by region), camera, light, recipe.
"""

PATIENTS, CONTROLS = 70, 69  # [P] the myasthenia study
GROUPS = ("patient", "control")
SHORTEST = 2.0  # s, of a clip in which a panel can be done
RATER_ERROR = 0.8  # standard deviation of the clinician's error, points [our choice]


@dataclass(frozen=True)
class WeaknessRecipe(Recipe):
    """Faces filmed in six panels, of patients and controls: what `make_weakness` makes.

    Args:
        seconds: of a clip.
        fps: frames a second.
        size: px of the square image's side.
        render: videos; false: tracks of the 23 landmarks as a tracker would give them, in no time.
        noise: of these tracks, px of jitter, see `tracker_noise`; the default backend has about
            0.15 in these images; 0: the truth.
        seed: of everything random.
    """

    seconds: float = 6.0
    fps: float = FPS
    size: int = 256
    render: bool = True
    noise: float = 0.15
    seed: int = 0

    kind = "weakness"
    version = 2
    readme = WEAKNESS_README
    floats = ("seconds", "fps", "noise")

    def check(self) -> None:
        """Raise UserError where a field makes no sense."""
        check_film(self.fps, self.size, self.size)
        if not SHORTEST <= self.seconds <= 600 or self.seed < 0 or not 0 <= self.noise <= 20:
            raise UserError(
                f"phantom weakness: seconds={self.seconds:g}, noise={self.noise:g},"
                f" seed={self.seed}; give clips of {SHORTEST:g} to 600 s, noise of 0 to 20 px, and"
                " a seed of 0 or more"
            )

    def columns(self) -> dict[str, dict]:
        """Definitions of the labels, scores and covariates."""
        return WEAKNESS_JSON

    def clips(self) -> list[tuple[str]]:
        """The panels, in which every participant is filmed once."""
        return [(panel,) for panel in PANELS]

    def draw(self, key: tuple) -> Clip:
        """Draw one clip. `key`: group, number in the group (from 0) and the panel's name."""
        group, number, panel = key
        who = draw_participant(self, group, number)
        noise = generator(self.seed, 32, GROUPS.index(group), number, list(PANELS).index(panel))
        contents = partial(render, self, examine(self, who, panel), noise)
        return Clip(clip_row(self, who, panel), contents, group=group)


@dataclass(frozen=True)
class Participant:
    """Number `number` (from 0) of a group; the same person in every panel."""

    group: str
    number: int
    subject: Subject
    weakness: Weakness
    uneven: NDArray  # see `weakness.draw_unevenness`
    willing: float  # how strongly expressions are made, about 1
    clinician: int  # points

    @property
    def participant_id(self) -> str:
        """Identifier in the tables, such as patient-001."""
        return f"{self.group}-{self.number + 1:03d}"


def draw_participant(recipe: WeaknessRecipe, group: str, number: int) -> Participant:
    """Draw number `number` (from 0) of a group: body, camera, weakness and score."""
    rng = generator(recipe.seed, 30, GROUPS.index(group), number)
    subject = draw_sitter(rng, recipe.size)
    weakness = draw_weakness(rng, recipe.seed, group, number)
    uneven, willing = draw_unevenness(rng), float(1 + rng.normal(0, WILLING[0]))
    clinician = round(
        float(
            np.clip(
                CLINICIAN_POINTS * weakness.degree + rng.normal(0, RATER_ERROR), 0, CLINICIAN_POINTS
            )
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
        **recording_file(clip_id, recipe.render),
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


def render(recipe: WeaknessRecipe, exam: Exam, noise: np.random.Generator) -> Contents:
    """Render one clip: its video and joints, or its tracks with noise, its landmarks and sides."""
    performance = act(exam)
    face = landmark_tracks(exam.subject, performance, recipe.fps)
    truth: dict[str, xr.Dataset | str] = {
        "_face.nc": face,
        "_sides.tsv": sides(exam).to_csv(sep="\t", index=False, float_format="%.4f"),
    }
    if recipe.render:
        recording: Video | xr.Dataset = Video(film(exam, performance), recipe.fps)
        truth[".nc"] = joint_tracks(exam.subject, performance, recipe.fps)
    else:
        recording = as_tracked(face, recipe.noise, noise) if recipe.noise else face
    return Contents(recording, truth, clip_facts(exam, performance))


def sides(exam: Exam) -> pd.DataFrame:
    """Each frame's time (s), the intended effort, how far strength has run out, and the
    weakness of either side, all in [0, 1].
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


def clip_facts(exam: Exam, performance: Performance) -> dict:
    """Weakness, strength, light and camera of a clip, for JSON."""
    camera, light = performance.camera, exam.light
    weak = {
        "degree": exam.weakness.degree,
        "side": exam.weakness.side,
        "fatigable": exam.weakness.fatigable,
    }
    return {
        "panel": exam.panel,
        "weakness": {**weak, "regions": exam.weakness.regions},
        "strength": exam.strength,
        "fps": exam.fps,
        "frames": exam.frames,
        "noise_of_light": light.noise,
        "camera": camera.parameters(),
    }


def make_weakness(
    out: str | Path,
    *,
    patients: int = PATIENTS,
    controls: int = CONTROLS,
    jobs: int = 1,
    progress: bool = True,
    **recipe: Any,
) -> Path:
    """Render a SYNTHETIC cohort of facial weakness that is graded, one-sided or of both sides, and
    grows over a task, with its complete truth.

    Every participant is filmed once in each panel: rest, happiness, anger, fear, upgaze, closure.
    Patient and control number s are the same people whatever their numbers and `jobs` are. A second
    call continues where the first was interrupted; clips of another recipe are made again.

    Args:
        out: folder of the cohort; made if it does not exist.
        patients: participants whose face is weak. [P] 70 of the myasthenia study
        controls: participants whose face is not. [P] 69
        jobs: processes.
        progress: whether a progress bar is printed.
        recipe: fields of `WeaknessRecipe`.

    Returns:
        The folder.

    Raises:
        UserError: a parameter that makes no sense, a folder that holds another cohort, a full disk.
    """
    chosen = WeaknessRecipe(**recipe)
    if patients < 0 or controls < 0 or patients + controls < 1:
        raise UserError(
            f"phantom weakness: patients={patients}, controls={controls}; give 0 or more of each,"
            " and one in sum"
        )
    participants = [
        (group, number)
        for group, count in zip(GROUPS, (patients, controls))
        for number in range(count)
    ]
    return make_cohort(out, chosen, participants, jobs=jobs, progress=progress)
