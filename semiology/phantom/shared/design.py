"""Who has which sign: labels by subject and clip, at a stated prevalence, from the seed alone."""

from dataclasses import dataclass

import numpy as np

from semiology.errors import UserError

# [P] Hou et al. 2022: 19 patients, 9 with dystonia, 9 with emotional signs, 2 of them with both
PATIENTS = 19
DYSTONIA = EMOTION = 9 / PATIENTS
BOTH_OF_CHANCE = (2 / PATIENTS) / (
    DYSTONIA * EMOTION
)  # how often both occur, against what chance would give
SHOWN = (
    0.85  # share of a positive participant's clips that show the sign [choice]; at least one does
)


@dataclass(frozen=True)
class Signs:
    dystonia: bool
    emotion: bool


def generator(seed: int, *place: int) -> np.random.Generator:
    """Random numbers that depend on the seed and the place (subject, clip, purpose) alone, not on
    what was drawn elsewhere.
    """
    return np.random.default_rng([seed, *place])


def deal(seed: int, pack: int, subject: int, cards: int) -> int:
    """A number below `cards` for each subject, as from a shuffled pack: none comes again before all
    were dealt.
    """
    turn, place = divmod(subject, cards)
    return int(generator(seed, 8, pack, turn).permutation(cards)[place])


def check_prevalence(dystonia: float, emotion: float) -> None:
    for name, share in (("dystonia", dystonia), ("emotion", emotion)):
        if not 0 <= share <= 1:
            raise UserError(
                f"phantom: {name}={share:g} is no prevalence; give a share between 0 and 1"
            )


def traits(seed: int, subject: int, dystonia: float, emotion: float) -> Signs:
    """Which signs participant number `subject` (from 0) tends to show.

    In every 19 participants the counts are as near to the prevalences as whole people allow (9, 9
    and 2 with both at the defaults), and the first few are spread over the four kinds; a
    participant's traits do not depend on how many participants there are.
    """
    both = float(
        np.clip(
            BOTH_OF_CHANCE * dystonia * emotion,
            max(dystonia + emotion - 1, 0),
            min(dystonia, emotion),
        )
    )
    block, place = divmod(subject, PATIENTS)
    golden = (np.arange(PATIENTS) * (np.sqrt(5) - 1) / 2 + generator(seed, 1, block).random()) % 1
    level = (np.argsort(np.argsort(golden))[place] + 0.5) / PATIENTS
    return Signs(
        dystonia=bool(level < dystonia),
        emotion=bool(level < both or dystonia <= level < dystonia + emotion - both),
    )


def labels(seed: int, subject: int, clips: int, dystonia: float, emotion: float) -> list[Signs]:
    """What is scored in each clip of a participant: of a positive one most clips, and one at least,
    show the sign.
    """
    trait = traits(seed, subject, dystonia, emotion)
    rng = generator(seed, 2, subject)
    shown = rng.random((clips, 2)) < SHOWN
    shown[rng.integers(clips), 0] = shown[rng.integers(clips), 1] = True
    return [Signs(trait.dystonia and bool(d), trait.emotion and bool(e)) for d, e in shown]


def rendered_at_random(
    seed: int, subject: int, clip: int, dystonia: float, emotion: float
) -> Signs:
    """Signs of a null cohort's clip: drawn clip by clip, without a look at the labels."""
    first, second = generator(seed, 3, subject, clip).random(2)
    return Signs(bool(first < dystonia), bool(second < emotion))
