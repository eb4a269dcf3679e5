"""The verbs of the command line, one file each: parse, call one public function, print, give the
exit status.
"""

from collections.abc import Callable, Mapping

from jsonargparse import ArgumentParser, Namespace

from semiology.errors import UserError

Action = Callable[[list[str]], int]


def parser(verb: str, function: Callable) -> ArgumentParser:
    """A parser for a verb: its help is the first paragraph of the public function's docstring;
    `--config FILE` reads YAML.
    """
    first = (function.__doc__ or "").split("\n\n")[0]
    made = ArgumentParser(prog=f"semiology {verb}", description=" ".join(first.split()))
    made.add_argument(
        "--config", action="config", help="YAML file with these options; options given after it win"
    )
    return made


def options(parsed: Namespace, *without: str) -> dict:
    """The parsed options as keyword arguments."""
    return {name: value for name, value in vars(parsed).items() if name not in ("config", *without)}


def act(verb: str, actions: Mapping[str, tuple[str, Action]], arguments: list[str]) -> int:
    """Hand the arguments after an action's name to it; without one, or with --help, list the
    actions: name -> what it does, its function.

    Raises:
        UserError: there is no such action.
    """
    if not arguments or arguments[0] in ("-h", "--help"):
        width = max(map(len, actions)) + 2
        print(
            f"usage: semiology {verb} ACTION [options]     (semiology {verb} ACTION --help for its"
            " options)\n"
        )
        print("\n".join(f"  {name:<{width}}{what}" for name, (what, _) in actions.items()))
        return 0
    if arguments[0] not in actions:
        raise UserError(f"{arguments[0]!r} is not one of {', '.join(actions)}")
    return actions[arguments[0]][1](arguments[1:])
