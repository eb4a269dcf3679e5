"""The command line: one file a group of verbs. A verb parses its arguments, calls one public
function, prints what came out, and returns the exit status.

The docstring of a verb's or an action's function is what help prints about it: the whole of it by
`semiology VERB --help`, its first sentence in a list. Heavy modules are imported inside these
functions, so that a list of verbs needs none of them.
"""

import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from semiology.errors import UserError

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

Parser = TypeVar("Parser", bound="ArgumentParser")
Command = Callable[[list[str]], int]  # the arguments of a verb or an action -> the exit status


def description(command: Command) -> str:
    """What help prints about a verb or an action: its docstring as one paragraph."""
    return " ".join((command.__doc__ or "").split())


def summary(command: Command) -> str:
    """The first sentence of the description, without its full stop."""
    return re.split(r"\.(?: (?=[A-Z])|$)", description(command))[0]


def parser(verb: str, command: Command) -> "ArgumentParser":
    """A parser for a verb or an action; `--config FILE` reads options from YAML."""
    from jsonargparse import ArgumentParser

    from semiology.data.result import guard_parsing

    mode = guard_parsing()
    parser = ArgumentParser(
        prog=f"semiology {verb}", description=description(command), parser_mode=mode
    )
    parser.add_argument(
        "--config", action="config", help="YAML file with these options; options given after it win"
    )
    return with_our_words(parser)


def with_our_words(parser: "Parser") -> "Parser":
    """The parser, which says in our terms what a config may not hold, and asks for quotes where
    YAML made a number of a name such as 01.
    """
    from semiology.data.result import in_our_words

    fail, parse, build = parser.error, parser.parse_args, parser.instantiate_classes

    def error(message: str, ex: Exception | None = None) -> NoReturn:
        if found := re.search(r"Expected a <class 'str'>. Got value: (-?[\d.]\S*)", message):
            message += (
                f"\n  YAML made the number {found[1]} of a name; write names of digits in quotes,"
                " as '01'"
            )
        fail(in_our_words(message) if "is not allowed" in message else message, ex)

    def parse_args(*arguments: Any, **named: Any) -> "Namespace":
        try:
            return parse(*arguments, **named)
        except ImportError as denied:  # that jsonargparse did not catch itself
            error(str(denied), denied)
        except RuntimeError as wrong:  # jsonargparse changes a map while it goes through it
            error("a map stands where a list of values belongs", wrong)

    def instantiate_classes(*arguments: Any, **named: Any) -> "Namespace":
        try:
            return build(*arguments, **named)
        except TypeError as wrong:  # a value of a kind that jsonargparse does not check before
            error(in_our_words(str(wrong)), wrong)

    parser.error, parser.parse_args = error, parse_args  # type: ignore[method-assign]
    parser.instantiate_classes = instantiate_classes
    return parser


def options(parsed: "Namespace", *without: str) -> dict:
    """The parsed options as keyword arguments."""
    return {name: value for name, value in vars(parsed).items() if name not in ("config", *without)}


def allowing_named(
    arguments: list[str], pose: str, option: str = "--pose"
) -> AbstractContextManager[None]:
    """A context in which the module of a pose backend of the user's own may be imported, if the
    command line itself names it: `--pose package.module:Class`. One that a config names needs
    --allow.
    """
    from semiology.data.result import allowing

    module, own, _ = pose.partition(":")
    named = f"{option}={pose}" in arguments or (option, pose) in pairwise(arguments)
    if not (own and named):
        return nullcontext()
    print(f"{option}: the code of {module} runs", file=sys.stderr)
    return allowing([module])


def list_actions(actions: Mapping[str, Command]) -> str:
    """One line an action: its name and its summary."""
    width = max(map(len, actions)) + 2
    return "\n".join(f"  {name:<{width}}{summary(action)}" for name, action in actions.items())


def act(verb: str, command: Command, actions: Mapping[str, Command], arguments: list[str]) -> int:
    """Call the action that the first argument names, with the other arguments; without arguments,
    or with --help, print the verb's description and its actions.

    Raises:
        UserError: there is no such action.
    """
    if not arguments or arguments[0] in ("-h", "--help"):
        print(
            f"usage: semiology {verb} ACTION [options]     (semiology {verb} ACTION --help for its"
            f" options)\n\n{description(command)}\n\n{list_actions(actions)}"
        )
        return 0
    if arguments[0] not in actions:
        raise UserError(f"{arguments[0]!r} is not one of {', '.join(actions)}")
    return actions[arguments[0]](arguments[1:])


def print_terms(unknown: Counter[str], unused: Counter[str], sides: Counter[str]) -> None:
    """Print which words, fields and sides of files of marks are none of ours, and how often."""
    from semiology.data.events import SIDES

    for words, what in (
        (unknown, "terms that are not in the file of terms, kept as signs"),
        (unused, "fields that events have no place for, left out"),
        (
            sides,
            f"sides that are none of {', '.join(SIDES)}, kept (map them in terms.yaml: values)",
        ),
    ):
        if words:
            print(f"{what}: " + ", ".join(f"{word} ({n})" for word, n in words.most_common()))


def say_size(run: Path) -> None:
    """Print on stderr how large a run is: a sign within a second, before what reads and computes is
    imported.
    """
    from semiology.evaluation.run.files import run_size

    if size := run_size(run):
        say(size)


def say(line: str) -> None:
    """Print a line on stderr at once; one that cannot be printed costs no result."""
    with suppress(OSError):
        print(line, file=sys.stderr, flush=True)


def cohort_folder(inputs: list[Path]) -> Path | None:
    """The folder among the inputs, or None where all of them are videos.

    Raises:
        UserError: a folder that is not alone.
    """
    folders = [path for path in inputs if path.is_dir()]
    if folders and len(inputs) > 1:
        raise UserError(
            f"{folders[0]}: give the folder of one cohort alone, or videos without folders"
        )
    return folders[0] if folders else None


def refuse_missing(videos: list[Path]) -> None:
    """Check that there is a video to work on; where some of several are missing, each is listed
    with the clips that failed.

    Raises:
        UserError: none of the files exists.
    """
    if not any(path.exists() for path in videos):
        raise UserError(f"{', '.join(map(str, videos))}: no such file")
