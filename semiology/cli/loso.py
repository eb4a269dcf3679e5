"""semiology loso --config FILE [--jobs N ...]"""

from semiology.cli import parser
from semiology.evaluation.run.settings import Protocol
from semiology.evaluation.statistics.results import table_text
from semiology.experiments.loso import run_loso
from semiology.files import read_json


def run(arguments: list[str]) -> int:
    result = run_loso(read_protocol(arguments))
    if result.report:
        print(table_text(read_json(result.run / "metrics.json")))
        print(
            f"\naudit: {result.audit} (semiology audit {result.run} says why)\nreport:"
            f" {result.report}"
        )
    for task, why in {**result.refused, **result.failed}.items():
        print(f"not evaluated: {task}: {why}")
    return 1 if result.refused or result.failed else 0


def read_protocol(arguments: list[str]) -> Protocol:
    """A protocol from options and `--config FILE`."""
    made = parser("loso", run_loso)
    made.add_class_arguments(Protocol, None)
    instantiated = made.instantiate_classes(made.parse_args(arguments))
    return Protocol(**{name: getattr(instantiated, name) for name in Protocol.__dataclass_fields__})
