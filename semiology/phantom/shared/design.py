"""Assignment of signs to subjects and clips at a stated prevalence, from the seed alone."""

from dataclasses import dataclass

import numpy as np

from semiology.errors import UserError

# [P] Hou et al. 2022: 19 patients, 9 with dystonia, 9 with emotional signs, 2 of them with both
PATIENTS = 19
DYSTONIA = EMOTION = 9 / PATIENTS
BOTH_TO_CHANCE = (2 / PATIENTS) / (DYSTONIA * EMOTION)  # both signs: observed to independent
# proportion of a positive participant's clips with the sign [our choice]; at least one has it
CLIPS_WITH_SIGN = 0.85


@dataclass(frozen=True)
class Signs:
    """Whether each of the two signs is there."""

    dystonia: bool
    emotion: bool


def generator(seed: int, *key: int) -> np.random.Generator:
    """Random numbers that depend on the seed and the key (purpose, subject, clip, ...) alone, not
    on what was drawn elsewhere.
    """
    return np.random.default_rng([seed, *key])


def block_randomised(seed: int, variable: int, subject: int, values: int) -> int:
    """A number below `values` for each subject (from 0), by permuted blocks: within a block of as
    many subjects each number is assigned once. `variable` separates one assignment from another.
    """
    block, position = divmod(subject, values)
    return int(generator(seed, 8, variable, block).permutation(values)[position])


def check_prevalence(dystonia: float, emotion: float) -> None:
    """Raise UserError where a prevalence is not in [0, 1]."""
    for name, value in (("dystonia", dystonia), ("emotion", emotion)):
        if not 0 <= value <= 1:
            raise UserError(
                f"phantom: {name}={value:g} is no prevalence; give a proportion between 0 and 1"
            )


def traits(seed: int, subject: int, dystonia: float, emotion: float) -> Signs:
    """Which signs participant number `subject` (from 0) tends to show.

    In every 19 participants the counts are as near to the prevalences as whole numbers allow (9, 9
    and 2 with both at the defaults), and the first few are spread over the four combinations. A
    participant's traits do not depend on the number of participants.
    """
    both = float(
        np.clip(
            BOTH_TO_CHANCE * dystonia * emotion,
            max(dystonia + emotion - 1, 0),
            min(dystonia, emotion),
        )
    )
    block, position = divmod(subject, PATIENTS)
    golden = (np.arange(PATIENTS) * (np.sqrt(5) - 1) / 2 + generator(seed, 1, block).random()) % 1
    quantile = (np.argsort(np.argsort(golden))[position] + 0.5) / PATIENTS
    return Signs(
        dystonia=bool(quantile < dystonia),
        emotion=bool(quantile < both or dystonia <= quantile < dystonia + emotion - both),
    )


def labels(seed: int, subject: int, clips: int, dystonia: float, emotion: float) -> list[Signs]:
    """Labels of each clip of a participant: most clips of a positive one have the sign, at least
    one does.
    """
    trait = traits(seed, subject, dystonia, emotion)
    rng = generator(seed, 2, subject)
    present = rng.random((clips, 2)) < CLIPS_WITH_SIGN
    present[rng.integers(clips), 0] = present[rng.integers(clips), 1] = True
    return [Signs(trait.dystonia and bool(d), trait.emotion and bool(e)) for d, e in present]


def random_signs(seed: int, subject: int, clip: int, dystonia: float, emotion: float) -> Signs:
    """Signs rendered in a null cohort's clip: drawn clip by clip, independent of the labels."""
    first, second = generator(seed, 3, subject, clip).random(2)
    return Signs(bool(first < dystonia), bool(second < emotion))
