"""semiology reproduce hou2022|myasthenia --cohort DIR --store DIR --out RUN, or semiology reproduce
gestures --features DIR --out RUN
"""

from collections.abc import Callable

from semiology.cli import act, options, parser


def run(arguments: list[str]) -> int:
    papers = {
        "hou2022": (
            "--cohort DIR --store DIR --out RUN: Hou et al. 2022, Table 1, on your videos",
            _hou2022,
        ),
        "gestures": (
            "--features DIR --out RUN: GESTURES (MICCAI 2021) on its public features",
            _gestures,
        ),
        "myasthenia": (
            (
                "--cohort DIR [--store DIR] --out RUN: diagnosis and severity from the face, then"
                " unseen people"
            ),
            _myasthenia,
        ),
    }
    return act("reproduce", papers, arguments)


def _hou2022(arguments: list[str]) -> int:
    from semiology.experiments.reproduce.hou2022 import reproduce_hou2022

    return _on_a_cohort("hou2022", reproduce_hou2022, arguments)


def _myasthenia(arguments: list[str]) -> int:
    from semiology.experiments.reproduce.myasthenia import reproduce_myasthenia

    return _on_a_cohort("myasthenia", reproduce_myasthenia, arguments)


def _on_a_cohort(paper: str, reproduce: Callable, arguments: list[str]) -> int:
    made = parser(f"reproduce {paper}", reproduce)
    made.add_function_arguments(reproduce)
    parsed = made.parse_args(arguments)
    found = reproduce(**options(parsed))
    print(found)
    print(f"\nreproduction: {parsed.out / 'reproduction.json'}")
    return 1 if found.not_run else 0


def _gestures(arguments: list[str]) -> int:
    from semiology.experiments.reproduce.comparison import CORRELATION
    from semiology.experiments.reproduce.gestures import GesturesProtocol, reproduce_gestures

    made = parser("reproduce gestures", reproduce_gestures)
    made.add_class_arguments(GesturesProtocol, None)
    made.add_argument(
        "--correlation",
        type=float,
        default=CORRELATION,
        help="of being right in two seizures of one patient [choice]",
    )
    instantiated = made.instantiate_classes(made.parse_args(arguments))
    protocol = GesturesProtocol(
        **{name: getattr(instantiated, name) for name in GesturesProtocol.__dataclass_fields__}
    )
    found = reproduce_gestures(protocol, instantiated.correlation)
    print(found)
    print(f"\nreproduction: {protocol.out}/reproduction.json, report: {protocol.out}/report.html")
    return 0
