"""A case of `field_files`: a file as another program writes it, its right values, and how what was
read is compared with them.
"""

import contextlib
import io
import math
import re
import signal
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from environments import Failed

from semiology import UserError
from semiology.cli.main import main

SLOW = 120  # s; no case may take longer
TEMPORARY = re.compile(
    rf"{re.escape(tempfile.gettempdir())}/\w+/"
)  # folders, left out of sentences
RIGHT, REFUSED, SILENT = "right", "refused rightly", "WRONG AND SILENT"
MISLED, CRASHED, NOT_RUN = "WRONG SENTENCE", "TRACEBACK", "not run"
THEY_FAIL = "THEY FAIL"  # another program cannot open what we wrote
GOOD = (RIGHT, REFUSED)
Values = Mapping[str, Any]


class NotRun(Exception):
    """A case whose program is not installed here."""


@dataclass(frozen=True)
class Case:
    """A file and its right values.

    Attributes:
        kind: what it is about.
        name: what is special in the file.
        read: makes the file in an empty folder, has it read by a public function or command, and
            returns what was read by name.
        right: the right values by name, computed by hand; empty where the file must be refused.
        refused: pattern of the sentence with which it may be refused as well; "" where it may not.
        within: tolerance of numbers.
    """

    kind: str
    name: str
    read: Callable[[Path], Values]
    right: Values
    refused: str = ""
    within: float = 1e-3


@dataclass(frozen=True)
class Verdict:
    """How a case came out, and what was read, for the table."""

    case: Case
    outcome: str
    found: str


CASES: list[Case] = []


def case(kind: str, name: str, refused: str = "", within: float = 1e-3, **right: Any) -> Callable:
    """Add the decorated function, folder -> values, to the cases."""

    def add(read: Callable[[Path], Values]) -> Callable[[Path], Values]:
        CASES.append(Case(kind, name, read, right, refused, within))
        return read

    return add


def compare(case: Case, folder: Path) -> Verdict:
    """Run one case in an empty folder."""
    signal.signal(signal.SIGALRM, _too_slow)
    signal.alarm(SLOW)
    try:
        found = case.read(folder)
    except NotRun as error:
        return Verdict(case, NOT_RUN, str(error))
    except Failed as error:
        return Verdict(case, THEY_FAIL, TEMPORARY.sub("", str(error)))
    except UserError as error:
        sentence = TEMPORARY.sub("", str(error))
        good = case.refused and re.search(case.refused, sentence, re.I | re.S)
        return Verdict(case, REFUSED if good else MISLED, sentence)
    except Exception as error:  # whatever it is: a user would see it
        return Verdict(case, CRASHED, TEMPORARY.sub("", f"{type(error).__name__}: {error}"))
    finally:
        signal.alarm(0)
    if not case.right:
        return Verdict(case, SILENT, f"not refused: {shown(found)}")
    wrong = [name for name in case.right if not same(found.get(name), case.right[name], case)]
    return Verdict(case, SILENT if wrong else RIGHT, shown({n: found.get(n) for n in case.right}))


def same(found: Any, right: Any, case: Case) -> bool:
    """Whether a value is the right one; numbers to the case's tolerance, NaN where NaN is right."""
    try:
        one, other = np.asarray(found, float), np.asarray(right, float)
    except (TypeError, ValueError):
        return bool(found == right)
    return one.shape == other.shape and np.allclose(one, other, 0, case.within, equal_nan=True)


def shown(values: Values) -> str:
    """Values as a line."""
    return ", ".join(f"{name} {_short(value)}" for name, value in values.items())


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list):
        some = ", ".join(_short(entry) for entry in value[:6])
        return f"[{some}{', ...' if len(value) > 6 else ''}]"
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{value:.5g}"
    return str(value)


def _too_slow(*_: object) -> None:
    raise TimeoutError(f"not done after {SLOW} s")


def command(*arguments: object) -> str:
    """What `semiology` prints with these arguments, both streams.

    Raises:
        UserError: exit status 2; what it printed.
    """
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            status: object = main([str(argument) for argument in arguments])
        except SystemExit as stopped:  # of the parser, for options that it does not take
            status = stopped.code
    if status == 2:
        raise UserError(printed.getvalue().strip())
    return printed.getvalue()
