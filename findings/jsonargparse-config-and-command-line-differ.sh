#!/usr/bin/env bash
# jsonargparse: the same text for the same option is one number on the command line, another in a
# config.
#
# Expected (a guess): `--n 010` and `n: 010` in a config are the same; quotes in a config make a
#   text; an option of type int has no None.
# What happens: for an option of type int or float, 010 is 10 on the command line and 8 in a config
#   (YAML 1.1's octal numbers), and '010' in quotes is 10 again. 1:30 is 90 in both (base 60).
#   `null` is refused on the command line and accepted as None in a config. A quoted '010' of type
#   `int | str` is the number 10, of `str | int` the text '010': the order of the union decides.
# Version: jsonargparse 4.53.0, which Lightning's command line is built on, PyYAML 6.0.4.
#   Date: 2026-11-29.
# Why it matters: who copies the options of a command into a config runs something else; a time
#   "1:30" in s, min or h is taken as 90 of them; and a participant 010, put in quotes with care,
#   becomes 10.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check jsonargparse==4.53.0 PyYAML==6.0.4
env/bin/python - <<'EOF'
from importlib.metadata import version

from jsonargparse import ArgumentError, ArgumentParser

print("jsonargparse", version("jsonargparse"), "PyYAML", version("PyYAML"))
REFUSED = "refused"


def read(kind, text, config):
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--n", type=kind)
    try:
        parsed = parser.parse_string(f"n: {text}") if config else parser.parse_args(["--n", text])
    except ArgumentError:
        return REFUSED
    return parsed.n


WANTED = [  # type, text, command line, config
    (int, "010", 10, 8),
    (float, "010", 10.0, 8.0),
    (str, "010", "010", REFUSED),
    (int, "1:30", 90, 90),
    (float, "1:30", 90.0, 90.0),
    (int, "null", REFUSED, None),
    (int, "'010'", REFUSED, 10),
    (int | str, "'010'", "'010'", 10),
    (str | int, "'010'", "'010'", "010"),
]
for kind, text, *wanted in WANTED:
    found = [read(kind, text, config) for config in (False, True)]
    name = getattr(kind, "__name__", kind) if isinstance(kind, type) else kind
    print(f"{name}, {text}: command line {found[0]!r}, config {found[1]!r}")
    assert found == wanted, "the behaviour has changed"
EOF
