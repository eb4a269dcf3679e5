"""A phantom cohort on disk: participants.tsv, clips.tsv, clips.json, videos and the truth of each
clip.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from semiology.data.tracks import save_tracks
from semiology.errors import UserError
from semiology.phantom.drawing.clip import (
    Performance,
    Plan,
    draw_plan,
    draw_subject,
    perform,
    pictures,
)
from semiology.phantom.drawing.filming import CONTAINERS, FPS, RESOLUTIONS, recorded_by
from semiology.phantom.shared.cohort import (
    CLIPS_JSON,
    README,
    is_made,
    make_clips,
    recipe_name,
    write_tables,
    write_truth,
)
from semiology.phantom.shared.design import (
    DYSTONIA,
    EMOTION,
    Signs,
    check_prevalence,
    deal,
    generator,
    labels,
    rendered_at_random,
)
from semiology.phantom.shared.truth import body_truth, face_truth, story
from semiology.video import write_video

VERSION = (
    2  # raise when the same recipe draws or renders something else: older clips are then made anew
)


@dataclass(frozen=True)
class Recipe:
    """All that a phantom cohort depends on, its number of subjects aside; see `make_phantom`."""

    clips_per_subject: int = 2
    seconds: tuple[float, float] = (30.0, 90.0)
    seed: int = 0
    dystonia: float = DYSTONIA
    emotion: float = EMOTION
    difficulty: float = 0.5
    appearance: float = 0.25
    null: bool = False

    def __post_init__(self) -> None:
        check_prevalence(self.dystonia, self.emotion)
        for name in ("difficulty", "appearance"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(
                    f"phantom: {name}={getattr(self, name):g}; give a number between 0 and 1"
                )
        if not 2 <= self.seconds[0] <= self.seconds[1]:
            raise UserError(
                f"phantom: seconds={self.seconds[0]:g},{self.seconds[1]:g}; give the shortest and"
                " the longest clip, 2 s or more"
            )
        if self.clips_per_subject < 1 or self.seed < 0:
            raise UserError("phantom: clips_per_subject has to be 1 or more and seed 0 or more")

    def name(self) -> str:
        """A digest that names the recipe in each clip's truth."""
        return recipe_name(self, VERSION)


def plan_clip(recipe: Recipe, subject: int, clip: int) -> tuple[Plan, Signs]:
    """Draw one clip (subjects and clips count from 0): what will be rendered, and what the table
    will say of it.
    """
    scored = labels(
        recipe.seed, subject, recipe.clips_per_subject, recipe.dystonia, recipe.emotion
    )[clip]
    shown = (
        rendered_at_random(recipe.seed, subject, clip, recipe.dystonia, recipe.emotion)
        if recipe.null
        else scored
    )
    who = draw_subject(generator(recipe.seed, 4, subject))
    recorder = (
        deal(recipe.seed, 0, subject, len(RESOLUTIONS)),
        deal(recipe.seed, 1, subject, len(CONTAINERS)),
    )
    plan = draw_plan(
        generator(recipe.seed, 5, subject, clip),
        replace(who, view=recorded_by(who.view, *recorder)),
        seconds=recipe.seconds,
        dystonia=shown.dystonia,
        emotion=shown.emotion,
        difficulty=recipe.difficulty,
        appearance=recipe.appearance,
    )
    return plan, scored


def clip_row(
    recipe: Recipe, subject: int, clip: int, plan: Plan, scored: Signs, performance: Performance
) -> dict[str, str]:
    """The clip's row of clips.tsv."""
    lots = generator(
        recipe.seed, 6, subject, clip
    )  # a null cohort's side and expression, where none may be rendered
    side, expression = (
        ("left", "right")[lots.integers(2)],
        ("fear", "anger", "smile")[lots.integers(3)],
    )
    if not recipe.null:
        side = plan.sign_of_arm.side if plan.sign_of_arm else side
        expression = plan.sign_of_face.kind if plan.sign_of_face else expression
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
    }


def make_clip(out: Path, recipe: Recipe, subject: int, clip: int) -> dict[str, str]:
    """Make one clip's video and truth unless they are there from the same recipe; returns its row
    of clips.tsv.

    The JSON truth is written last: where it is, the clip is whole.
    """
    plan, scored = plan_clip(recipe, subject, clip)
    performance = perform(plan)
    row = clip_row(recipe, subject, clip, plan, scored, performance)
    truth = out / "truth" / f"{row['clip_id']}.json"
    if is_made(truth, recipe.name(), out / row["video"]):
        return row
    truth.unlink(missing_ok=True)
    video = out / row["video"]
    write_video(
        video, pictures(plan, performance), FPS, bit_rate=plan.light.bit_rate(plan.subject.view)
    )
    save_tracks(body_truth(plan, performance), truth.with_suffix(".nc"))
    save_tracks(face_truth(plan, performance), truth.with_name(f"{row['clip_id']}_face.nc"))
    told = {
        "clip_id": row["clip_id"],
        "participant_id": row["participant_id"],
        "labels": {k: row[k] for k in LABELS},
    }
    write_truth(truth, {**told, **story(plan, performance)}, recipe, recipe.name())
    return row


LABELS = ("dystonia", "dystonia_side", "emotion", "expression")


def make_phantom(
    out: str | Path,
    *,
    subjects: int = 19,
    clips_per_subject: int = 2,
    seconds: tuple[float, float] = (30.0, 90.0),
    seed: int = 0,
    dystonia: float = DYSTONIA,
    emotion: float = EMOTION,
    difficulty: float = 0.5,
    appearance: float = 0.25,
    null: bool = False,
    jobs: int = 1,
    progress: bool = True,
) -> Path:
    """Render a SYNTHETIC cohort with its whole truth: what a clinical cohort looks like on disk,
    and what is really in each frame.

    Subject number s is the same person in the same clips whatever `subjects` and `jobs` are. A
    second call goes on where the first was interrupted; clips of another recipe are made anew.

    Args:
        out: folder of the cohort; made if it is not there.
        subjects: number of participants.
        clips_per_subject: seizures of each.
        seconds: shortest and longest main phase, s. [P] 30 to 90 s
        seed: of everything random.
        dystonia: share of participants with dystonia. [P] 9 of 19
        emotion: share with emotional signs. [P] 9 of 19
        difficulty: in [0, 1]; how much passing postures and grimaces resemble the held ones, see
            `semiology.phantom.drawing.episodes`.
        appearance: in [0, 1]; the share of a sign that shows in skin, eyes and hands only, where no
            joint and no landmark moves.
        null: labels are drawn without regard to what is rendered.
        jobs: processes.

    Returns:
        The folder.

    Raises:
        UserError: a parameter that makes no sense, a folder that holds another cohort, a full disk.
    """
    out = Path(out)
    recipe = Recipe(
        clips_per_subject,
        (float(seconds[0]), float(seconds[1])),
        seed,
        dystonia,
        emotion,
        difficulty,
        appearance,
        null,
    )
    if subjects < 1:
        raise UserError(f"phantom: subjects={subjects}; give 1 or more")
    places = [(subject, clip) for subject in range(subjects) for clip in range(clips_per_subject)]
    rows = make_clips(
        make_clip, out, recipe, places, jobs=jobs, progress=progress, what="phantom clips"
    )
    write_tables(out, rows, CLIPS_JSON, README, asdict(recipe))
    return out
