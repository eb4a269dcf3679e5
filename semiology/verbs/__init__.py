"""The verbs of the command line, one file each: parse, call one public function, print, give the exit status."""

from collections.abc import Callable

from jsonargparse import ArgumentParser, Namespace


def parser(verb: str, function: Callable) -> ArgumentParser:
    """A parser for a verb: its help is the first paragraph of the public function's docstring; `--config FILE` reads YAML."""
    first = (function.__doc__ or "").split("\n\n")[0]
    made = ArgumentParser(prog=f"semiology {verb}", description=" ".join(first.split()))
    made.add_argument("--config", action="config", help="YAML file with these options; options given after it win")
    return made


def options(parsed: Namespace, *without: str) -> dict:
    """The parsed options as keyword arguments."""
    return {name: value for name, value in vars(parsed).items() if name not in ("config", *without)}
