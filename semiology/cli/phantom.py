"""semiology phantom OUT [--subjects 19 --seed 0 ...], and semiology phantom
seizures|actions|myoclonus|weakness OUT
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from semiology.cli import options, parser
from semiology.phantom import (
    make_actions,
    make_face_stills,
    make_myoclonus,
    make_phantom,
    make_seizures,
    make_stills,
    make_weakness,
)


@dataclass(frozen=True)
class Phantom:
    """What is made, what is said of it (with its folder and the options by name), and what makes
    stills of people who are not in it.
    """

    make: Callable[..., Path]
    said: str
    stills: Callable[..., Path] | None = None


PHANTOMS = {
    "": Phantom(
        make_phantom,
        "a synthetic cohort, {subjects} subjects; its truth is in {folder}/truth",
        make_stills,
    ),
    "seizures": Phantom(
        make_seizures,
        "seizures of {subjects} synthetic subjects; truth in {folder}/truth, phases in"
        " {folder}/events",
    ),
    "actions": Phantom(
        make_actions, "labelled clips of synthetic people who are in no cohort, to pretrain on"
    ),
    "myoclonus": Phantom(
        make_myoclonus,
        "myoclonus of {subjects} synthetic participants; every jerk is in {folder}/truth",
    ),
    "weakness": Phantom(
        make_weakness,
        "faces of {patients} synthetic patients and {controls} controls, panel by panel; landmarks"
        " and either side in {folder}/truth",
        make_face_stills,
    ),
}


def run(arguments: list[str]) -> int:
    name = arguments[0] if arguments and arguments[0] in PHANTOMS else ""
    phantom = PHANTOMS[name]
    made = parser(f"phantom {name}".strip(), phantom.make)
    if not name:
        made.epilog = (
            "semiology phantom seizures OUT: seizures of two types, any length; semiology phantom"
            " actions OUT: clips to pretrain on; semiology phantom myoclonus OUT: jerks of known"
            " time, joint and amplitude; semiology phantom weakness OUT: faces of known weakness"
            " and side"
        )
        made.add_argument(
            "--null",
            action="store_true",
            help="labels are drawn without regard to what is rendered",
        )
    made.add_function_arguments(phantom.make, as_positional=True, skip={"null"})
    if phantom.stills:
        made.add_argument(
            "--stills",
            type=int,
            default=0,
            help=(
                "also this many stills a class, in OUT_stills, of people who are not in the cohort"
            ),
        )
    parsed = made.parse_args(arguments[1:] if name else arguments)
    folder = phantom.make(**options(parsed, "stills"))
    print(f"{folder}: {phantom.said.format(folder=folder, **vars(parsed))}")
    if phantom.stills and parsed.stills:
        shared = {
            key: getattr(parsed, key) for key in ("size", "seed", "progress") if key in parsed
        }
        print(
            f"{phantom.stills(f'{folder}_stills', per_class=parsed.stills, **shared)}:"
            f" {parsed.stills} stills a class of other people"
        )
    return 0
