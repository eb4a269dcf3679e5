"""semiology audit RUN"""

from semiology.cli import options, parser
from semiology.evaluation.audit.check import text, verdict
from semiology.evaluation.audit.run import audit


def run(arguments: list[str]) -> int:
    made = parser("audit", audit)
    made.add_function_arguments(audit, as_positional=True)
    checks = audit(**options(made.parse_args(arguments)))
    print(text(checks))
    return 0 if verdict(checks) == "passed" else 1
