"""The recipe of a phantom cohort with myoclonus: who has how much of it at which visit, how two
raters score that, and the contents of each clip.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from semiology.errors import UserError
from semiology.phantom.cohort import (
    Clip,
    Contents,
    Recipe,
    Video,
    make_cohort,
    numbered,
    recording_file,
)
from semiology.phantom.drawing.blanket import check_cover
from semiology.phantom.drawing.filming import FPS, check_film
from semiology.phantom.myoclonus.exam import PANELS, Exam, act, draw_exam, draw_examined, film
from semiology.phantom.myoclonus.jerks import LARGEST, PULLED, SMALLEST, Burden, burden
from semiology.phantom.myoclonus.tables import (
    HIGHEST,
    MYOCLONUS_JSON,
    MYOCLONUS_README,
    clip_facts,
    jerk_truth,
)
from semiology.phantom.shared.design import block_randomised, generator
from semiology.phantom.shared.tracker_noise import as_tracked
from semiology.phantom.shared.truth import joint_tracks

BLOCK = 12  # participants over whom the severities are spread evenly
MILDEST = 0.05  # severity of a patient at the first visit, at least
CHANGE = (
    0.75,
    0.25,
)  # severity at a visit against that before: mean and standard deviation; most get better
RATER_BIAS, RATER_SCATTER, RATER_STEP = (0.0, 3.0), 6.0, 4  # points of HIGHEST


@dataclass(frozen=True)
class MyoclonusRecipe(Recipe):
    """Examinations of patients with myoclonus and of controls: what `make_myoclonus` makes.

    Args:
        visits: of each participant: baseline, week-12, week-24, ...
        seconds: of a clip; there is one for each panel and visit.
        panels: what the participants do: rest, stimulus (claps), action (arms held out, reaching),
            functional (drinking).
        controls: proportion of participants without any jerk, in tenths.
        amplitude: of every jerk, torso lengths (0.005 to 0.10): each then pulls one joint alone,
            all joints alike, whatever the severity.
        rate: jerks a minute, where `amplitude` is given.
        render: videos; false: the eleven joints' tracks.
        noise: px, standard deviation of the jitter of a simulated tracker, whose errors are added
            to the tracks; 0: the truth.
        blanket: over the body: "none", "half" (legs and belly) or "all" (up to the shoulders). It
            moves with the arms beneath; the truth is that without it.
        fps: frames a second.
        width: of the image, px.
        height: of the image, px.
        seed: of everything random.
    """

    visits: int = 2
    seconds: float = 40.0
    panels: Sequence[str] = ("rest", "action")
    controls: float = 0.2
    amplitude: float | None = None
    rate: float = 20.0
    render: bool = True
    noise: float = 0.0
    blanket: str = "none"
    fps: float = FPS
    width: int = 352
    height: int = 288
    seed: int = 0

    kind = "myoclonus"
    version = 2
    readme = MYOCLONUS_README
    floats = ("seconds", "controls", "rate", "noise", "fps")

    def check(self) -> None:
        """Raise UserError where a field makes no sense."""
        check_film(self.fps, self.width, self.height)
        check_cover(self.blanket)
        if self.visits < 1 or not 5 <= self.seconds <= 600 or self.seed < 0:
            raise UserError(
                f"phantom: visits={self.visits}, seconds={self.seconds:g}, seed={self.seed}; give 1"
                " or more, 5 to 600, 0 or more"
            )
        if (
            not self.panels
            or len(set(self.panels)) < len(self.panels)
            or not set(self.panels) <= set(PANELS)
        ):
            raise UserError(
                f"phantom: panels={','.join(self.panels)}; give some of {', '.join(PANELS)}, each"
                " once"
            )
        if not 0 <= self.controls <= 1:
            raise UserError(
                f"phantom: controls={self.controls:g}; give a proportion between 0 and 1"
            )
        if self.amplitude is not None and not SMALLEST <= self.amplitude <= LARGEST:
            raise UserError(
                f"phantom: amplitude={self.amplitude:g}; give {SMALLEST:g} to {LARGEST:g} torso"
                " lengths"
            )
        if not 0 < self.rate <= 60:
            raise UserError(
                f"phantom: rate={self.rate:g}; give jerks a minute, above 0 and at most 60"
            )
        if self.noise < 0 or (self.noise and self.render):
            raise UserError(
                f"phantom: noise={self.noise:g}; give 0 px or more, and render=false: a video's"
                " tracks have noise of their own"
            )

    def columns(self) -> dict[str, dict]:
        """Definitions of the scores and covariates, with the order of the visits."""
        visits = {visit_name(v): f"{12 * v} weeks after the first" for v in range(self.visits)}
        return MYOCLONUS_JSON | {"visit": {"Role": "covariate", "Levels": visits}}

    def clips(self) -> list[tuple[int, str]]:
        """A participant's visits, from 0, with each of the panels."""
        return [(visit, panel) for visit in range(self.visits) for panel in self.panels]

    def draw(self, key: tuple) -> Clip:
        """Draw one clip. `key`: subject and visit, both from 0, and the panel's name."""
        subject, visit, panel = key
        trajectory, name = draw_trajectory(self, subject), visit_name(visit)
        clip_id = f"sub-{subject + 1:02d}_{name}_{panel}"
        exam = plan_exam(self, subject, visit, panel)
        graded = self.amplitude is None  # jerks of one amplitude do not depend on the severity
        row = {
            "clip_id": clip_id,
            "participant_id": f"sub-{subject + 1:02d}",
            **recording_file(clip_id, self.render),
            "start": "0",
            "end": f"{exam.frames / exam.fps:.3f}",
            "panel": panel,
            "item": PANELS[panel],
            "visit": name,
            "severity_true": f"{HIGHEST * trajectory.severities[visit]:.2f}" if graded else "n/a",
            "umrs_rater_1": str(trajectory.ratings[visit][0]) if graded else "n/a",
            "umrs_rater_2": str(trajectory.ratings[visit][1]) if graded else "n/a",
            "light": "infrared" if exam.light.night else "daylight",
            "synthetic": "yes",
        }
        noise = generator(self.seed, 23, subject, visit, list(PANELS).index(panel))
        contents = partial(render, self, exam, trajectory.severities[visit], noise)
        return Clip(row, contents, group="control" if trajectory.control else "patient")


@dataclass(frozen=True)
class Trajectory:
    """One participant's severity at each visit, in [0, 1], and the points of two raters."""

    control: bool
    severities: tuple[float, ...]
    ratings: tuple[tuple[int, int], ...]
    side: str  # of the arm that jerks more
    one_sided: float


def draw_trajectory(recipe: MyoclonusRecipe, subject: int) -> Trajectory:
    """Draw a participant (from 0): the same whatever the number of visits and subjects."""
    rng = generator(recipe.seed, 21, subject)
    control = block_randomised(recipe.seed, 101, subject, 10) < round(10 * recipe.controls)
    severity = (
        MILDEST
        + (1 - MILDEST)
        * (block_randomised(recipe.seed, 100, subject, BLOCK) + rng.random())
        / BLOCK
    )
    side, one_sided = ("left", "right")[rng.integers(2)], float(rng.uniform(0.5, 0.85))
    severities, ratings = [], []
    for _ in range(recipe.visits):
        severities.append(0.0 if control else float(severity))
        rated = HIGHEST * severities[-1] + np.array(RATER_BIAS) + RATER_SCATTER * rng.normal(size=2)
        steps = np.clip(RATER_STEP * np.round(rated / RATER_STEP), 0, HIGHEST)
        ratings.append((int(steps[0]), int(steps[1])))
        severity = np.clip(severity * rng.normal(*CHANGE), 0.2 * severity, min(1.0, 1.4 * severity))
    return Trajectory(control, tuple(severities), tuple(ratings), side, one_sided)


def plan_exam(recipe: MyoclonusRecipe, subject: int, visit: int, panel: str) -> Exam:
    """Draw one clip (subjects and visits count from 0)."""
    trajectory = draw_trajectory(recipe, subject)
    how = burden(trajectory.severities[visit], panel, trajectory.side, trajectory.one_sided)
    if recipe.amplitude is not None:
        even = {joint: 0.0 if trajectory.control else 1 / len(PULLED) for joint in PULLED}
        how = Burden(0.0 if trajectory.control else recipe.rate, recipe.amplitude, 0.0, even, 0.0)
    examined = draw_examined(generator(recipe.seed, 20, subject), recipe.width, recipe.height)
    examined = replace(examined, blanket=recipe.blanket)
    rng = generator(recipe.seed, 22, subject, visit, list(PANELS).index(panel))
    return draw_exam(rng, examined, panel, how, recipe.seconds, recipe.fps)


def render(
    recipe: MyoclonusRecipe, exam: Exam, severity: float, noise: np.random.Generator
) -> Contents:
    """Render one clip: its video, or tracks with noise, its joints and its jerks."""
    tracks = joint_tracks(exam.subject, act(exam, range(exam.frames)), exam.fps)
    if recipe.render:
        rate = int(exam.light.bit_rate(exam.subject.view) * exam.fps / FPS)
        recording: Video | xr.Dataset = Video(film(exam), recipe.fps, rate)
    else:
        flat = tracks.drop_vars(["position_3d", "space_3d"])
        recording = as_tracked(flat, recipe.noise, noise) if recipe.noise else flat
    return Contents(
        recording,
        {".nc": tracks, "_jerks.tsv": jerk_truth(exam).to_csv(sep="\t", index=False)},
        {"severity": severity, **clip_facts(exam)},
    )


def visit_name(visit: int) -> str:
    """Name of a visit (from 0): baseline, week-12, week-24, ..."""
    return f"week-{12 * visit:02d}" if visit else "baseline"


def make_myoclonus(
    out: str | Path, *, subjects: int = 12, jobs: int = 1, progress: bool = True, **recipe: Any
) -> Path:
    """Make a SYNTHETIC cohort of patients with myoclonus, as videos or as tracks: jerks of known
    time, joint and amplitude.

    Each patient has a true severity at each visit, from which rate, amplitude and distribution of
    the jerks follow; two raters score it with errors. Subject number s is the same person with the
    same jerks whatever `subjects`, `render`, `noise` and `jobs` are. A second call continues where
    the first was interrupted; clips of another recipe are made again.

    Args:
        out: folder of the cohort; made if it does not exist.
        subjects: number of participants.
        jobs: processes.
        progress: whether a progress bar is printed.
        recipe: fields of `MyoclonusRecipe`.

    Returns:
        The folder.

    Raises:
        UserError: a parameter that makes no sense, a folder that holds another cohort, a full disk.
    """
    chosen, participants = MyoclonusRecipe(**recipe), numbered(subjects)
    return make_cohort(out, chosen, participants, jobs=jobs, progress=progress)
