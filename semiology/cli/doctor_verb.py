"""semiology doctor"""

from semiology.cli import parser
from semiology.cli.doctor import diagnose


def run(arguments: list[str]) -> int:
    parser("doctor", diagnose).parse_args(arguments)
    lines, faults = diagnose()
    print("\n".join(lines))
    print("\n".join(f"fault: {fault}" for fault in faults) or "all well")
    return 1 if faults else 0
