"""Answers of a model in words -> classes, by a strict rule: an answer is a class only if the whole
of it is the name of that class, or one of the words stated for it. Nothing is searched for inside a
sentence: "no seizure is visible, but yes, he jerks" is neither yes nor no.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from semiology.errors import UserError
from semiology.files import parse_json, read_yaml

NONE = "no answer"  # key of the file of answers for what is stated as none
# of two classes of which one is called by a word of each list; the words of both then count
# [our choice]
NEGATIVE = ("no", "false", "0", "0.0", "absent", "negative")
POSITIVE = ("yes", "true", "1", "1.0", "present", "positive")
NUMBERS = {"0", "0.0", "1", "1.0"}  # words of these that are grades too
# what says in as many words that there is no answer [our choice]
NO_ANSWER = (
    *("", "n/a", "na", "nan", "none", "null", "-", "no answer", "unanswered", "refused", "refusal"),
    *("unknown", "unclear", "uncertain", "not sure", "i don't know", "cannot tell"),
    *("cannot determine", "unable to determine", "not visible", "not assessable"),
)
KEYS = ("answer", "label", "prediction", "class", "response")  # of a JSON object's answer
FENCE = re.compile(r"```(?:json)?\s*(.*?)\s*```", re.DOTALL)
AROUND = " \t\r\n\"'`*_.,;:!"  # taken off at both ends


def plain(text: str) -> str:
    """An answer without what does not matter: letter case, blanks, quotation and punctuation marks
    around it.

    >>> plain(' **Yes**. ')
    'yes'
    """
    return " ".join(
        text.strip(AROUND).lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").split()
    )


def inside(text: str, sign: str) -> str:
    """The answer in a JSON object, in a fence or not: the value under the sign's name or one of
    `KEYS`, if there is one of these only; any other text as it is.

    >>> inside('{"answer": "yes", "justification": "jerks of both arms"}', "clonic")
    'yes'
    """
    fenced = FENCE.fullmatch(text.strip())
    body = fenced[1] if fenced else text.strip()
    if not body.startswith("{"):
        return body if fenced else text
    try:
        content = parse_json(body)
    except ValueError:
        return text
    if not isinstance(content, dict):
        return text
    wanted = {sign.lower(), *KEYS}
    values = [value for name, value in content.items() if str(name).lower() in wanted]
    if len(values) != 1 or isinstance(values[0], dict | list):
        return text
    return "" if values[0] is None else str(values[0])


def _as_written(value: object) -> str:
    """A word of YAML, which makes true and false of yes and no without quotes."""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _word(text: str) -> str:
    """In plain form; of a pattern its asterisks and marks stay."""
    return " ".join(text.lower().split()) if {*"*?"} & {*text} else plain(text)


@dataclass(frozen=True)
class Words:
    """Words and patterns of a user's file, in plain form, beside the names of the classes.

    Attributes:
        file: where they are from.
        entries: class or `NONE` -> words, or patterns with * and ?.
    """

    file: str
    entries: dict[str, list[str]]


def read_words(path: str | Path) -> Words:
    """Read a YAML file: class -> list of answers, or of patterns such as "yes, *"; `no answer` ->
    those that are none.

    Raises:
        UserError: it is no such file, or a word stands under two classes.
    """
    content = read_yaml(path, remedy='write "class: [words]"')
    entries: dict[str, list[str]] = {}
    for name, words in content.items():
        if not isinstance(words, list) or not all(isinstance(one, str | int) for one in words):
            raise UserError(f'{path}: {name}: a list of answers is due, such as ["yes, *"]')
        entries[_as_written(name)] = [_word(_as_written(one)) for one in words]
    owners: dict[str, str] = {}
    for name, words in entries.items():
        for word in words:
            if owners.setdefault(word, name) != name:
                raise UserError(f"{path}: {word!r} is under {owners[word]} and {name}; keep one")
    return Words(str(path), entries)


class Mapping:
    """Which class an answer is, for one sign: the user's words first, then the classes' names and,
    of two classes such as no and yes, all words of `NEGATIVE` and `POSITIVE`, then `NO_ANSWER`.
    """

    def __init__(self, sign: str, classes: Sequence[str], words: Words | None = None):
        self.sign = sign
        self.classes = tuple(classes)
        self.own = {
            name: entries
            for name, entries in (words.entries if words else {}).items()
            if name == NONE or name in classes
        }
        self.file = words.file if words else ""
        self.known: dict[str, str | None] = dict.fromkeys(NO_ANSWER)
        if len(classes) == 2 and classes[0].lower() in NEGATIVE and classes[1].lower() in POSITIVE:
            self.known |= dict.fromkeys(NEGATIVE, classes[0]) | dict.fromkeys(POSITIVE, classes[1])
        self.known |= {plain(name): name for name in classes}

    def find(self, text: str) -> tuple[str | None, bool]:
        """The class of an answer, None for none; and whether that is stated: an answer that is
        neither a class nor stated as none is unmapped.

        Raises:
            UserError: patterns of two classes match it.
        """
        answer = plain(inside(text, self.sign))
        if found := list(self._own(answer)):
            if len(set(found)) > 1:
                raise UserError(
                    f"{self.file}: answer {answer[:80]!r} matches words of {found[0]} and"
                    f" {found[1]}; make the patterns narrower"
                )
            return (None if found[0] == NONE else found[0]), True
        return self.known.get(answer), answer in self.known

    def _own(self, answer: str) -> Iterable[str]:
        for name, entries in self.own.items():
            if any(answer == word or fnmatchcase(answer, word) for word in entries):
                yield name


def one_spelling(truths: Iterable[str]) -> dict[str, str]:
    """Each spelling of a class -> the commonest of it: of truths that differ in letter case alone,
    and of the words of `NEGATIVE`, or of `POSITIVE`, where all truths are words of these two.

    >>> one_spelling(["yes", "Yes", "yes", "1", "no"])
    {'yes': 'yes', 'Yes': 'yes', '1': 'yes', 'no': 'no'}
    """
    counts = Counter(truths)
    binary = {name.lower() for name in counts} <= {*NEGATIVE, *POSITIVE}

    def side(name: str) -> str:
        return str(name.lower() in POSITIVE) if binary else name.lower()

    commonest = {side(name): name for name, _ in reversed(counts.most_common())}
    return {name: commonest[side(name)] for name in counts}


def doubtful(classes: Sequence[str]) -> str:
    """Classes of which a reader should know, as a sentence: others beside yes or no. "" of none.

    >>> doubtful(["no", "yes", "yess"])
    '3 classes: yess beside no, yes; if two are meant, correct the cells'
    """
    known = [name for name in classes if name.lower() in {*NEGATIVE, *POSITIVE} - NUMBERS]
    others = [name for name in classes if name not in known]
    if len(classes) < 3 or not known:
        return ""
    return (
        f"{len(classes)} classes: {', '.join(others)} beside {', '.join(known)}; if two are meant,"
        " correct the cells"
    )


def classes_of(truths: Iterable[str]) -> tuple[str, ...]:
    """The classes in their order, from the truths: of a word of `NEGATIVE` and one of `POSITIVE`
    the negative one first, else by number or alphabet.

    >>> classes_of(["yes", "no"])
    ('no', 'yes')
    """
    values = sorted(set(truths))
    if len(values) == 2 and {value.lower() for value in values} <= {*NEGATIVE, *POSITIVE}:
        return tuple(sorted(values, key=lambda value: value.lower() in POSITIVE))
    try:
        return tuple(sorted(values, key=float))
    except ValueError:
        return tuple(values)
