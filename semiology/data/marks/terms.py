"""A centre's words for the cohort's: `terms.yaml`.

terms:
  tonisch: tonic                                  # their word: our sign
  "Arm links: klonisch": {sign: clonic, side: left, body_part: arm}  # tier: word
  Pflege: null                                    # no sign: left out
fields: {Seite: side}                             # their tiers, modifiers, columns: ours
values: {links: left, rechts: right}              # what stands in these
hed:                                              # HED tags of our signs, for the tables' sidecars
  schemas: ["8.4.0", "sc:score_2.1.0"]
  tags: {tonic: "sc:Semiology-tonic"}
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from semiology.data.events import SIDES, Event, plain_text
from semiology.data.marks.mark import FIELDS, Mark
from semiology.errors import UserError
from semiology.files import read_yaml

KEYS = ("terms", "fields", "values", "hed")
TARGETS = ("sign", "level", "side", "body_part")


@dataclass
class Terms:
    """What words of files mean.

    Attributes:
        terms: "tier: text", text or tier -> fields of an event; None leaves the mark out.
        fields: their names of fields -> ours.
        values: their values of level, side and body part -> ours.
        hed: our signs -> their HED tags.
        schemas: of these tags, see `hed.check_tags`.
        unknown: words that were met and are not in `terms`, with how often; they stay signs by
            their own name.
        unused: fields that an event has no place for, with how often.
        sides: sides that are none of `SIDES`, with how often; they stay as they are.
    """

    terms: Mapping[str, Mapping[str, str] | None] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    hed: Mapping[str, str] = field(default_factory=dict)
    schemas: tuple[str, ...] = ()
    unknown: Counter[str] = field(default_factory=Counter)
    unused: Counter[str] = field(default_factory=Counter)
    sides: Counter[str] = field(default_factory=Counter)

    def event(self, mark: Mark, rater: str | None) -> Event | None:
        """The event that a mark is; None where its term is to be left out.

        Args:
            mark: of a file.
            rater: whose mark it is; by default whom the file names.

        Raises:
            UserError: a confidence that is none.
        """
        found: dict[str, str] = {}
        for name, value in mark.fields.items():
            ours = self.fields.get(name, name.strip().lower().replace(" ", "_"))
            if ours in FIELDS and value:
                found[ours] = self.values.get(value, value)
            elif value:
                self.unused[name] += 1
        keys = [f"{mark.tier}: {mark.text}", mark.text, mark.tier or ""]
        known = next((key for key in keys if key in self.terms), None)
        if known is None:
            signs = {one["sign"] for one in self.terms.values() if one}
            if mark.name not in signs:  # a sign of ours needs no term
                self.unknown[mark.name] += 1
            target: Mapping[str, str] | None = {"sign": mark.name}
        else:
            target = self.terms[known]
        if target is None:
            return None
        found |= target
        if "side" in found and found["side"] not in SIDES:
            self.sides[found["side"]] += 1
        if known is not None and known == mark.tier and mark.text and "comment" not in found:
            found["comment"] = mark.text  # the tier is the sign, so the text says more
        confidence = found.pop("confidence", None)
        try:
            number = None if confidence is None else float(confidence.replace(",", "."))
        except ValueError:
            raise UserError(
                f"the mark {mark.name!r} at {mark.onset:g} s has a confidence of {confidence!r};"
                " give 0 to 1"
            ) from None
        texts = {name: plain_text(text) for name, text in found.items()}
        return Event(
            onset=mark.onset,
            duration=mark.duration,
            sign=plain_text(texts.pop("sign", None)) or "",
            level=texts.pop("level", None),
            confidence=number,
            rater=rater or mark.rater or texts.get("rater"),
            source=texts.pop("source", None) or "person",
            tier=plain_text(mark.tier),
            **{name: texts.get(name) for name in ("side", "body_part", "comment")},
        )


def read_terms(path: str | Path) -> Terms:
    """Read `terms.yaml`.

    Raises:
        UserError: no such file, not YAML, keys that are none of its own, a term without a sign.
    """
    content = read_yaml(path, dict, what="a file of terms")
    if unknown := [key for key in content if key not in KEYS]:
        raise UserError(f"{path}: no key {unknown[0]!r}; keys are {', '.join(KEYS)}")
    terms = {
        str(word): _target(path, str(word), value)
        for word, value in _mapping(path, content, "terms").items()
    }
    fields = {str(name): str(ours) for name, ours in _mapping(path, content, "fields").items()}
    if wrong := [ours for ours in fields.values() if ours not in FIELDS]:
        raise UserError(f"{path}: fields: {wrong[0]!r} is none of {', '.join(FIELDS)}")
    values = {str(name): str(ours) for name, ours in _mapping(path, content, "values").items()}
    return Terms(terms, fields, values, *_hed(path, _mapping(path, content, "hed")))


def _hed(path: str | Path, content: dict) -> tuple[dict[str, str], tuple[str, ...]]:
    """HED tags of signs, and their schemas."""
    tags, schemas = content.get("tags") or {}, content.get("schemas") or []
    if (
        not set(content) <= {"tags", "schemas"}
        or not (isinstance(tags, dict) and isinstance(schemas, list))
        or not all(isinstance(text, str) for text in [*tags.values(), *schemas])
        or (tags and not schemas)
    ):
        raise UserError(
            f'{path}: hed: give schemas: ["8.4.0", "sc:score_2.1.0"] and tags: {{sign: tag}}'
        )
    return {str(sign): text for sign, text in tags.items()}, tuple(schemas)


def _mapping(path: str | Path, content: dict, key: str) -> dict:
    found = content.get(key) or {}
    if not isinstance(found, dict):
        raise UserError(f"{path}: {key}: one line a word, `theirs: ours`")
    return found


def _target(path: str | Path, word: str, value: Any) -> dict[str, str] | None:
    if value is None:
        return None
    target = {"sign": value} if isinstance(value, str) else value
    if (
        not isinstance(target, dict)
        or "sign" not in target
        or not all(key in TARGETS and isinstance(text, str) for key, text in target.items())
    ):
        raise UserError(
            f"{path}: terms: {word!r}: give a sign, {{sign: tonic, side: left}} with"
            f" {', '.join(TARGETS)}, or null to leave it out"
        )
    return target
