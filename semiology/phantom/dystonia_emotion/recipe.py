"""The recipe of a phantom cohort with dystonia and emotional signs: which clips there are, what is
drawn for each, its contents, and what the columns of its tables mean.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from semiology.errors import UserError
from semiology.phantom.cohort import (
    LIGHT,
    NOTICE,
    SYNTHETIC,
    Clip,
    Contents,
    Recipe,
    Video,
    make_cohort,
    numbered,
)
from semiology.phantom.drawing.clip import (
    Performance,
    Plan,
    draw_plan,
    draw_subject,
    film_as_drawn,
    perform,
)
from semiology.phantom.drawing.face import ACTIONS, LOOKS_ACTIONS
from semiology.phantom.drawing.filming import CONTAINERS, FPS, RESOLUTIONS, recorded_by
from semiology.phantom.shared.design import (
    DYSTONIA,
    EMOTION,
    Signs,
    block_randomised,
    check_prevalence,
    generator,
    labels,
    random_signs,
)
from semiology.phantom.shared.truth import body_truth, clip_facts, face_truth

DYSTONIA_EMOTION_JSON: dict[str, dict] = {
    "dystonia": {
        "Role": "label",
        "LongName": "Dystonia",
        "Description": f"A sustained twisted posture of one arm is in the clip. {NOTICE}",
        "ILAETerm": "dystonic",
        "HED": "Semiology-dystonic",
        "Levels": {
            "absent": "no sustained posture; the same postures may be visited in passing",
            "present": "one arm holds a twisted posture",
        },
    },
    "dystonia_side": {
        "Role": "label",
        "LongName": "Side of the dystonia",
        "Description": f"The patient's arm that holds the posture. {NOTICE}",
        "ILAETerm": "dystonic",
        "HED": "Semiology-dystonic",
        "Levels": {
            "none": "no dystonia",
            "left": "the patient's left arm",
            "right": "the patient's right arm",
        },
        "Mirror": {"left": "right", "right": "left"},
    },
    "emotion": {
        "Role": "label",
        "LongName": "Emotional signs",
        "Description": f"A sustained facial expression of an emotion is in the clip. {NOTICE}",
        "ILAETerm": "affective (emotional)",
        "HED": "Semiology-affective-emotional",
        "Levels": {
            "absent": "no sustained expression; grimaces may pass",
            "present": "an expression of fear, anger or joy is held",
        },
    },
    "expression": {
        "Role": "label",
        "LongName": "Facial expression",
        "Description": f"Which expression is held. {NOTICE}",
        "ILAETerm": "affective (emotional)",
        "HED": "Semiology-affective-emotional",
        "Levels": {"neutral": "none", "fear": "fear", "anger": "anger", "smile": "smile"},
    },
    "light": LIGHT,
    "caregiver": {
        "Role": "covariate",
        "Levels": {"yes": "a second person is in view for a while", "no": "the patient alone"},
    },
    "synthetic": SYNTHETIC,
}

DYSTONIA_EMOTION_README = f"""# Phantom cohort

{NOTICE}

- `participants.tsv`, `clips.tsv`, `clips.json`: a cohort as `semiology cohort check` reads it.
- `videos/`: the rendered clips. `start` and `end` in clips.tsv are the main phase; some videos \
begin before it or go on after it.
- `truth/<clip_id>.nc`: the eleven joints of the main phase, in square pixels and in metres \
(camera axes: x right, y down, z away). Confidence is 0
  where a joint is hidden or out of the picture; its position is true all the same.
- `truth/<clip_id>_face.nc`: the 23 landmarks of the face, in the same form.
- `truth/<clip_id>_looks.tsv`, of a recipe with `looks`: in each frame how strongly skin and eyes \
show it, and how far either hand is closed.
- `truth/<clip_id>.json`: what was rendered and when, who is in view, camera, light and the \
recipe. In a null cohort (`"null": true` in the
  recipe) the labels mean nothing, and what was rendered stands under `rendered`.
"""

LABELS = ("dystonia", "dystonia_side", "emotion", "expression")
THRESHOLD = 0.5  # a rater scores an emotion as present above this intensity [our choice]
INTENSITY_JSON = {
    "Role": "score",
    "LongName": "True intensity of the emotion",
    "Description": f"Of the expression that is held; a rater saw it with an error. {NOTICE}",
    "Units": "1",
    "Minimum": 0,
    "Maximum": 1,
    "Of": "emotion",
}


@dataclass(frozen=True)
class DystoniaEmotionRecipe(Recipe):
    """Clips with and without dystonia and emotional signs; see `make_phantom`.

    Args:
        clips_per_subject: seizures of each participant.
        seconds: shortest and longest main phase, s. [P] 30 to 90 s
        seed: of everything random.
        dystonia: proportion of participants with dystonia. [P] 9 of 19
        emotion: proportion with emotional signs. [P] 9 of 19
        difficulty: in [0, 1]; how much passing postures and grimaces resemble the held ones, see
            `semiology.phantom.drawing.episodes`.
        appearance: in [0, 1]; the proportion of a sign that appears in skin, eyes and hands only,
            where no joint and no landmark moves.
        null: labels are drawn without regard to what is rendered.
        looks: in [0, 1]; how strongly a held emotion shows beside the movement, in flushed or pale
            skin, furrows, wrinkles of the forehead, wet eyes and tears, and closed fists.
        graded: every clip holds an expression of some intensity: evenly spread above 0.5 where the
            design has the sign, below elsewhere. The label is a rater's, see `rater_error`.
        rater_error: of `graded`; standard deviation of the intensity that the rater sees, who
            scores the sign as present above 0.5.
    """

    clips_per_subject: int = 2
    seconds: tuple[float, float] = (30.0, 90.0)
    seed: int = 0
    dystonia: float = DYSTONIA
    emotion: float = EMOTION
    difficulty: float = 0.5
    appearance: float = 0.25
    null: bool = False
    looks: float = 0.0
    graded: bool = False
    rater_error: float = 0.0

    kind = ""
    version = 4
    readme = DYSTONIA_EMOTION_README
    floats = ("seconds",)

    def check(self) -> None:
        """Raise UserError where a field makes no sense."""
        check_prevalence(self.dystonia, self.emotion)
        for name in ("difficulty", "appearance", "looks"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(
                    f"phantom: {name}={getattr(self, name):g}; give a number between 0 and 1"
                )
        if not 2 <= self.seconds[0] <= self.seconds[1]:
            raise UserError(
                f"phantom: seconds={self.seconds[0]:g},{self.seconds[1]:g}; give the shortest and"
                " the longest clip, 2 s or more"
            )
        if self.rater_error < 0 or (self.rater_error and not self.graded):
            raise UserError(
                f"phantom: rater_error={self.rater_error:g}; give 0 or more, and graded: a rater"
                " errs about an intensity"
            )
        if self.graded and self.null:
            raise UserError("phantom: graded and null; a null cohort has no intensities, leave one")
        if self.clips_per_subject < 1 or self.seed < 0:
            raise UserError("phantom: clips_per_subject has to be 1 or more and seed 0 or more")

    def columns(self) -> dict[str, dict]:
        """Definitions of the labels and covariates, and of the intensity where there is one."""
        graded = {"emotion_intensity": INTENSITY_JSON} if self.graded else {}
        return DYSTONIA_EMOTION_JSON | graded

    def clips(self) -> list[tuple[int]]:
        """Numbers of a participant's clips, from 0."""
        return [(clip,) for clip in range(self.clips_per_subject)]

    def draw(self, key: tuple) -> Clip:
        """Draw one clip. `key`: subject and clip, both from 0."""
        subject, clip = key
        plan, scored = plan_clip(self, subject, clip)
        performance = perform(plan)
        row = clip_row(self, subject, clip, plan, scored, performance)
        return Clip(row, partial(render, self, plan, performance, row))


def plan_clip(recipe: DystoniaEmotionRecipe, subject: int, clip: int) -> tuple[Plan, Signs]:
    """Draw one clip (subjects and clips count from 0): what will be rendered, and what the table
    will say of it.
    """
    scored = labels(
        recipe.seed, subject, recipe.clips_per_subject, recipe.dystonia, recipe.emotion
    )[clip]
    rendered = (
        random_signs(recipe.seed, subject, clip, recipe.dystonia, recipe.emotion)
        if recipe.null
        else scored
    )
    who = draw_subject(generator(recipe.seed, 4, subject))
    recorder = (
        block_randomised(recipe.seed, 0, subject, len(RESOLUTIONS)),
        block_randomised(recipe.seed, 1, subject, len(CONTAINERS)),
    )
    plan = draw_plan(
        generator(recipe.seed, 5, subject, clip),
        replace(who, view=recorded_by(who.view, *recorder)),
        seconds=recipe.seconds,
        dystonia=rendered.dystonia,
        emotion=rendered.emotion or recipe.graded,
        difficulty=recipe.difficulty,
        appearance=recipe.appearance,
        looks=recipe.looks,
    )
    return rated(recipe, plan, scored, subject, clip) if recipe.graded else (plan, scored)


def rated(
    recipe: DystoniaEmotionRecipe, plan: Plan, scored: Signs, subject: int, clip: int
) -> tuple[Plan, Signs]:
    """The plan with its held expression at the clip's intensity, and what a rater scores of it."""
    rng = generator(recipe.seed, 15, subject, clip)
    low, high = (THRESHOLD, 1.0) if scored.emotion else (0.0, THRESHOLD)
    intensity = float(rng.uniform(low, high))
    faces = tuple(replace(e, strength=intensity) if e.sign else e for e in plan.faces)
    seen = intensity + rng.normal(0, recipe.rater_error)
    return replace(plan, faces=faces), replace(scored, emotion=bool(seen > THRESHOLD))


def clip_row(
    recipe: DystoniaEmotionRecipe,
    subject: int,
    clip: int,
    plan: Plan,
    scored: Signs,
    performance: Performance,
) -> dict[str, str]:
    """The clip's row of clips.tsv."""
    held = plan.sign_of_face
    # a null cohort has side and expression where none may be rendered
    rng = generator(recipe.seed, 6, subject, clip)
    side, expression = (
        ("left", "right")[rng.integers(2)],
        ("fear", "anger", "smile")[rng.integers(3)],
    )
    if not recipe.null:
        side = plan.sign_of_arm.side if plan.sign_of_arm else side
        expression = held.kind if held else expression
    view = plan.subject.view
    clip_id = f"sub-{subject + 1:02d}_sz-{clip + 1:02d}"
    return {
        "clip_id": clip_id,
        "participant_id": f"sub-{subject + 1:02d}",
        "video": f"videos/{clip_id}{view.container}",
        "start": f"{plan.lead:.2f}",
        "end": f"{plan.lead + plan.duration:.2f}",
        "dystonia": "present" if scored.dystonia else "absent",
        "dystonia_side": side if scored.dystonia else "none",
        "emotion": "present" if scored.emotion else "absent",
        "expression": expression if scored.emotion else "neutral",
        "light": "infrared" if plan.light.night else "daylight",
        "caregiver": "yes" if performance.caregiver_seen.any() else "no",
        "synthetic": "yes",
        **({"emotion_intensity": f"{held.strength:.4f}"} if recipe.graded and held else {}),
    }


def render(
    recipe: DystoniaEmotionRecipe, plan: Plan, performance: Performance, row: dict[str, str]
) -> Contents:
    """Render one clip: its video, joints, landmarks, looks if there are any, labels, episodes."""
    view = plan.subject.view
    frames, rate = film_as_drawn(plan, performance), plan.light.bit_rate(view)
    truth: dict[str, xr.Dataset | str] = {
        ".nc": body_truth(plan, performance),
        "_face.nc": face_truth(plan, performance),
    }
    if recipe.looks:
        table = looks_truth(plan, performance)
        truth["_looks.tsv"] = table.to_csv(sep="\t", index=False, float_format="%.4f")
    return Contents(
        Video(frames, FPS, rate, view.pixel_aspect, view.stored),
        truth,
        {"labels": {name: row[name] for name in LABELS}, **clip_facts(plan, performance)},
    )


def looks_truth(plan: Plan, performance: Performance) -> pd.DataFrame:
    """Each frame's time (s of the main phase), how strongly each of LOOKS_ACTIONS shows, and how
    far either hand is closed.
    """
    inside = (performance.time >= 0) & (performance.time < plan.duration)
    looks = {name: performance.actions[:, ACTIONS.index(name)] for name in LOOKS_ACTIONS}
    hands = {f"{side}_hand": closed for side, closed in performance.clench.items()}
    return pd.DataFrame({"time": performance.time, **looks, **hands})[inside]


def make_phantom(
    out: str | Path, *, subjects: int = 19, jobs: int = 1, progress: bool = True, **recipe: Any
) -> Path:
    """Render a SYNTHETIC cohort with its complete truth: what a clinical cohort looks like on disk,
    and what is really in each frame.

    Subject number s is the same person in the same clips whatever `subjects` and `jobs` are. A
    second call continues where the first was interrupted; clips of another recipe are made again.

    Args:
        out: folder of the cohort; made if it does not exist.
        subjects: number of participants.
        jobs: processes.
        progress: whether a progress bar is printed.
        recipe: fields of `DystoniaEmotionRecipe`.

    Returns:
        The folder.

    Raises:
        UserError: a parameter that makes no sense, a folder that holds another cohort, a full disk.
    """
    chosen, participants = DystoniaEmotionRecipe(**recipe), numbered(subjects)
    return make_cohort(out, chosen, participants, jobs=jobs, progress=progress)
