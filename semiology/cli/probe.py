"""semiology probe RUN --target COLUMN"""

from pathlib import Path

from semiology.cli import options, parser
from semiology.experiments.probe import probe_run


def run(arguments: list[str]) -> int:
    made = parser("probe", probe_run)
    made.add_argument("run", type=Path, help="folder of the run")
    made.add_function_arguments(probe_run, skip={"run"})
    parsed = made.instantiate_classes(made.parse_args(arguments))
    probing = probe_run(**options(parsed))
    print(probing.text())
    print(
        f"\n{(parsed.out or parsed.run / 'probe') / probing.name}: the table (.csv) and everything"
        " else (.json)"
    )
    return 0
