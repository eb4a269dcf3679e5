"""What a study asks of its raters and lets them see: COHORT/review.yaml, all of it optional, and
the forms by which clips are rated.

    blind_to_model: false    # true: a model's events and probabilities are not shown
    blind_to_raters: true    # false: others' events are shown where one's own clip is done
    order: random            # of the clips to rate, of each rater his own; or table
    second_reading: 0.1      # share of the clips that each rater rates again
    seed: 0                  # of the order and of the share
    signs: [dystonia]        # to mark; a list of labels, or name -> {description, levels, hed};
                             # by default the cohort's labels
    scales: [umrs]           # built-in items beside the cohort's labels and scores
    keys: {dystonia: d}      # by which a sign is marked; else the digits, in order
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from semiology.data.cohort import Cohort
from semiology.data.cohort.label import Hed
from semiology.data.events import SIDES
from semiology.errors import UserError
from semiology.files import read_yaml
from semiology.severity.myoclonus.umrs import PARTS

STUDY = "review.yaml"
# of an event, beside its side [our choice]
BODY_PARTS = (
    *("eyes", "face", "head", "neck", "trunk", "arm", "hand", "leg", "foot", "whole body"),
)
DIGITS = "123456789"


class Sign(BaseModel):
    """A sign to mark: an event of it has an onset, an offset and, where the sign has levels, one of
    them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = ""
    description: str = ""
    levels: dict[str, str] = {}  # level -> its meaning
    hed: Hed = ""
    key: str | None = None


@dataclass(frozen=True)
class Item:
    """One item of a form: a label with levels, or a number from `minimum` to `maximum` in steps; an
    end, or the step, is None where it is not known.
    """

    name: str
    title: str
    levels: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None


@dataclass(frozen=True)
class Scale:
    """A built-in scale.

    Attributes:
        title: its name.
        source: where the items' ranges are from.
        items: in the order of the form.
    """

    title: str
    source: str
    items: tuple[Item, ...]


def _umrs() -> Scale:
    words = {part: part.replace("_", " ") for part in PARTS}
    items = [
        Item(f"umrs_{what}_{part}", f"{what} of jerks, {words[part]}", (), 0.0, 4.0, 1.0)
        for part in PARTS
        for what in ("frequency", "amplitude")
    ]
    source = (
        "frequency and amplitude of jerks, 0 to 4 for each part of the body: recalled from Frucht"
        " et al. 2002 (Adv Neurol 89:361) without the printed form, check it against that; the"
        " parts are ours (semiology.severity.myoclonus.umrs)"
    )
    return Scale("Unified Myoclonus Rating Scale", source, tuple(items))


SCALES = {"umrs": _umrs()}


class Study(BaseModel):
    """The content of review.yaml; see the module."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    blind_to_model: bool = False
    blind_to_raters: bool = True
    order: Literal["random", "table"] = "random"
    second_reading: Annotated[float, Field(ge=0, le=1)] = 0.1
    seed: int = 0
    signs: list[str] | dict[str, Sign] | None = None
    scales: list[str] = []
    keys: dict[str, Annotated[str, Field(min_length=1, max_length=1)]] = {}

    @field_validator("scales")
    @classmethod
    def _known(cls, scales: list[str]) -> list[str]:
        if unknown := [name for name in scales if name not in SCALES]:
            raise ValueError(f"no scale {unknown[0]!r} is built in; there is {', '.join(SCALES)}")
        return scales

    @classmethod
    def read(cls, cohort: Cohort) -> "Study":
        """The study of a cohort; the defaults where it has no review.yaml.

        Raises:
            UserError: not YAML, a name that is not known, a value that cannot be, a sign that the
                cohort has no label of, two signs by one key.
        """
        path = cohort.folder / STUDY
        if not path.is_file():
            return cls()
        try:
            study = cls.model_validate(read_yaml(path, what="the plan of a review"))
        except ValidationError as error:
            fault = error.errors()[0]
            where = ".".join(str(part) for part in fault["loc"])
            raise UserError(
                f"{path}: {where}: {fault['msg']}; correct it (docs/review.md)"
            ) from error
        if isinstance(study.signs, list) and (
            unknown := [name for name in study.signs if name not in cohort.labels]
        ):
            raise UserError(
                f"{path}: signs: the cohort has no label {unknown[0]!r}; give it as a name with"
                " description and levels, or correct it"
            )
        signs = study.marked(cohort)
        if unknown := [name for name in study.keys if name not in signs]:
            raise UserError(f"{path}: keys: {unknown[0]!r} is no sign to mark; correct it")
        if len(set(study.keys.values())) < len(study.keys):
            raise UserError(f"{path}: keys: two signs have one key; give each its own")
        return study

    def marked(self, cohort: Cohort) -> dict[str, Sign]:
        """Name -> sign to mark, each with its key while there are any left."""
        if isinstance(self.signs, dict):
            signs = {
                name: sign.model_copy(update={"name": name}) for name, sign in self.signs.items()
            }
        else:
            chosen = cohort.labels if self.signs is None else self.signs
            signs = {
                name: Sign(
                    name=name,
                    description=label.description or label.long_name or label.ilae_term,
                    levels=label.levels,
                    hed=label.hed,
                )
                for name, label in cohort.labels.items()
                if name in chosen
            }
        free = iter([digit for digit in DIGITS if digit not in self.keys.values()])
        keys = {name: self.keys.get(name) or next(free, None) for name in signs}
        return {name: sign.model_copy(update={"key": keys[name]}) for name, sign in signs.items()}

    def form(self, cohort: Cohort) -> dict[str, Item]:
        """Name -> item that each clip is rated by: the cohort's labels, its scores, and the
        built-in scales.
        """
        items = [
            *(
                Item(name, label.long_name or name, tuple(label.levels))
                for name, label in cohort.labels.items()
            ),
            *(
                Item(name, score.long_name or name, (), score.minimum, score.maximum)
                for name, score in cohort.scores.items()
            ),
            *(item for name in self.scales for item in SCALES[name].items),
        ]
        return {item.name: item for item in items}

    def facts(self, cohort: Cohort) -> dict[str, Any]:
        """What the page needs to know of the study, its forms and words."""
        return {
            "blind_to_model": self.blind_to_model,
            "blind_to_raters": self.blind_to_raters,
            "labels": {
                name: {
                    "title": label.long_name or name,
                    "description": label.description,
                    "levels": label.levels,
                    "hed": label.hed,
                }
                for name, label in cohort.labels.items()
            },
            "scores": {
                name: {
                    "title": score.long_name or name,
                    "min": score.minimum,
                    "max": score.maximum,
                    "step": None,
                    "description": score.description,
                }
                for name, score in cohort.scores.items()
            },
            "signs": [sign.model_dump() for sign in self.marked(cohort).values()],
            "sides": list(SIDES),
            "body_parts": list(BODY_PARTS),
            "scales": [
                {
                    "name": name,
                    "title": SCALES[name].title,
                    "source": SCALES[name].source,
                    "items": [
                        {
                            "name": item.name,
                            "title": item.title,
                            "min": item.minimum,
                            "max": item.maximum,
                            "step": item.step,
                        }
                        for item in SCALES[name].items
                    ],
                }
                for name in self.scales
            ],
        }

    def queue(self, clip_ids: Sequence[str], rater: str) -> list[tuple[str, int]]:
        """(clip_id, reading) in the order in which a rater rates: all clips, then a share of them
        again.

        A clip's place depends on the seed, the rater and its own id, so that clips which come later
        do not turn the order of the others round.
        """

        def drawn(clip_id: str, use: str) -> bytes:
            return hashlib.sha256(f"{self.seed} {rater} {use} {clip_id}".encode()).digest()

        def ordered(clips: Sequence[str], use: str) -> list[str]:
            return (
                list(clips)
                if self.order == "table"
                else sorted(clips, key=lambda clip_id: drawn(clip_id, use))
            )

        count = round(self.second_reading * len(clip_ids)) or int(self.second_reading > 0)
        again = set(sorted(clip_ids, key=lambda clip_id: drawn(clip_id, "share"))[:count])
        second = [clip_id for clip_id in clip_ids if clip_id in again]
        return [(clip_id, 1) for clip_id in ordered(clip_ids, "1")] + [
            (clip_id, 2) for clip_id in ordered(second, "2")
        ]
