"""semiology localise --config FILE [--jobs N ...]"""

from semiology.cli import parser
from semiology.timeline.localise.report import table_text
from semiology.timeline.localise.run import localise
from semiology.timeline.localise.settings import Localisation


def run(arguments: list[str]) -> int:
    result = localise(read_settings(arguments))
    for person, why in result.failed.items():
        print(f"not left out: {person}: {why}")
    if result.failed:
        return 1
    print(f"{table_text(result.metrics)}\n\nreport: {result.run / 'report.md'}")
    return 0


def read_settings(arguments: list[str]) -> Localisation:
    """Settings from options and `--config FILE`."""
    made = parser("localise", localise)
    made.add_class_arguments(Localisation, None)
    instantiated = made.instantiate_classes(made.parse_args(arguments))
    return Localisation(
        **{name: getattr(instantiated, name) for name in Localisation.__dataclass_fields__}
    )
