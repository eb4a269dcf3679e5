"""Train on some participants, measure on others, and say so on the lifter's card."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from semiology.errors import UserError
from semiology.tracking.lift.lifter import Lifter
from semiology.tracking.lift.motions import Motion, read_motions
from semiology.tracking.lift.score import MeanDepth, evaluate
from semiology.tracking.lift.simulation import Cameras
from semiology.tracking.lift.training import Recipe, train_lifter

CAMERAS = 8  # of a test, the same for everybody; drawn from the recipe's views [our choice]
TEST_SEED = 1  # of the test's cameras and tracking errors: not the training's


def trial(
    training: Sequence[Motion], test: Sequence[Motion], recipe: Recipe | None = None, *, progress: bool = True
) -> tuple[Lifter, pd.DataFrame]:
    """A lifter trained on some recordings, with its errors on others on its card, and those errors as a table (see `examine`)."""
    recipe = recipe or Recipe()
    lifter = train_lifter(training, recipe, progress=progress)
    table = examine(lifter, training, test, recipe)
    held_out = {
        "participants": sorted(table["participant_id"].unique().tolist()),
        "frames_times_cameras": int(table["frames"].sum()),
        "error_mm": {name: round(float(value), 1) for name, value in participant_means(table).mean().items()},
        "cameras": cameras_of(recipe).text(),
    }
    return replace(lifter, card={**lifter.card, "held_out": held_out}), table


def examine(lifter: Lifter, training: Sequence[Motion], test: Sequence[Motion], recipe: Recipe) -> pd.DataFrame:
    """Errors of a lifter in mm, one row a participant and camera (`score.evaluate`), beside the mean depths of its training recordings.

    The tracker of the test jitters and drifts as the recipe's but loses no joint: every frame has all of them.
    """
    depths = MeanDepth.of(training, recipe.views.draw(64, torch.Generator().manual_seed(TEST_SEED + 1)))
    return evaluate(lifter, test, cameras_of(recipe), depths, replace(recipe.tracker, lost=0.0, covered=0.0), TEST_SEED)


def cameras_of(recipe: Recipe) -> Cameras:
    """The test's cameras."""
    return recipe.views.draw(CAMERAS, torch.Generator().manual_seed(TEST_SEED))


def participant_means(table: pd.DataFrame) -> pd.DataFrame:
    """One row a participant: means over cameras of the errors."""
    return table.drop(columns=["camera", "frames"]).groupby("participant_id").mean()


def train_and_test(
    inputs: Sequence[Path], out: Path, *, held_out: float = 0.2, about: str = "", recipe: Recipe | None = None, progress: bool = True
) -> Lifter:
    """Train a lifter on the user's own 3D skeletons and test it on participants who were not trained on.

    Args:
        inputs: .nc tracks with position_3d (m; x right, y down, z away), folders of them (each file counts as a participant), or a cohort
            whose clips are such tracks (clips.tsv says whose they are).
        out: FILE.safetensors; its card is written beside it, FILE.json.
        held_out: share of the participants to test on, drawn by the recipe's seed; at least one.
        about: data and licence in words, for the card.
        recipe: how to train.

    Raises:
        UserError: as `read_motions`; a single participant; a share outside 0 to 1.
    """
    recipe = recipe or Recipe()
    if not 0 < held_out < 1:
        raise UserError(f"lift train: held_out must lie between 0 and 1, got {held_out}")
    motions = read_motions(inputs)
    people = sorted({motion.participant_id for motion in motions})
    if len(people) < 2:
        raise UserError(f"lift train: recordings of {len(people)} participant; at least two are needed, one of them to test on")
    count = min(len(people) - 1, max(1, round(held_out * len(people))))
    tested = set(np.random.default_rng(recipe.seed).permutation(people)[:count].tolist())
    training = [motion for motion in motions if motion.participant_id not in tested]
    test = [motion for motion in motions if motion.participant_id in tested]
    lifter, _ = trial(training, test, recipe, progress=progress)
    lifter = replace(lifter, card={"about": about, **lifter.card})
    lifter.save(out)
    return lifter
