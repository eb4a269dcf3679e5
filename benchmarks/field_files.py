"""What other programs write, as made files: each is read with its right values, computed by hand,
or refused with the sentence that explains why; nothing wrong is silent.

    python benchmarks/field_files.py [--only WORDS]

The programs themselves, in environments of their own made once in the user's cache (2.5 GB), write
files that are read here and open files that were written here. Where one cannot be installed its
cases are reported as not run, and the target is not met.
"""

import argparse
import logging
import resource
import sys
import tempfile
import time
from collections import Counter
from importlib import import_module
from pathlib import Path

from field_case import CASES, CRASHED, GOOD, NOT_RUN, SILENT, Verdict, compare, shown
from record import record

CASES_IN = (
    "field_missing",
    "field_times",
    "field_labels",
    "field_people",
    "field_tables",
    "field_videos",
    "field_programs",
    "field_opened",
)
MEMORY = 8 * 2**30  # bytes; what asks for more gets a MemoryError, not the machine
WIDTH = 100  # columns of what was read


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases whose kind or name holds this")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    begin = time.perf_counter()
    verdicts = []
    for module in CASES_IN:
        import_module(module)
    for case in CASES:
        if arguments.only not in f"{case.kind}: {case.name}":
            continue
        with tempfile.TemporaryDirectory() as folder:
            verdict = compare(case, Path(folder))
        print(line(verdict), flush=True)
        verdicts.append(verdict)
    seconds = time.perf_counter() - begin
    counts = Counter(verdict.outcome for verdict in verdicts)
    good = sum(counts[outcome] for outcome in GOOD)
    print("\n".join(table(verdicts)))
    print(f"{seconds:.0f} s")
    if arguments.only:
        return int(good < len(verdicts))
    failing = {
        f"{v.case.kind}: {v.case.name}": f"{v.outcome}: {v.found}; right: {wanted(v)}"
        for v in verdicts
        if v.outcome not in GOOD
    }
    figures = {
        "cases": len(verdicts),
        "outcomes": dict(counts),
        "failing": failing,
        "seconds": round(seconds, 1),
    }
    return record(
        "field-files",
        figures,
        "all right, none silent",
        good == len(verdicts),
        headline=f"{good} of {len(verdicts)} right, {counts[SILENT]} wrong and silent,"
        f" {counts[CRASHED]} tracebacks, {counts[NOT_RUN]} not run, in {seconds:.0f} s",
    )


def line(verdict: Verdict) -> str:
    """One case: outcome, what was read, and where that is not right the right values."""
    good = verdict.outcome in GOOD
    return (
        f"{verdict.outcome:<16} {verdict.case.kind}: {verdict.case.name}\n"
        f"{'':<16}   read: {verdict.found[:WIDTH]}"
        + ("" if good else f"\n{'':<16}   right: {wanted(verdict)}")
    )


def wanted(verdict: Verdict) -> str:
    """The right values, or the sentence, of a case."""
    case = verdict.case
    refused = f"refused, naming {case.refused!r}" if case.refused else ""
    return " or ".join(filter(None, [shown(case.right), refused]))


def table(verdicts: list[Verdict]) -> list[str]:
    """Cases of each kind, and how many of them are right."""
    kinds = dict.fromkeys(verdict.case.kind for verdict in verdicts)
    lines = ["", f"{'':<20}{'cases':>7}{'right':>7}"]
    for kind in kinds:
        own = [verdict for verdict in verdicts if verdict.case.kind == kind]
        right = sum(verdict.outcome in GOOD for verdict in own)
        lines.append(f"{kind:<20}{len(own):>7}{right:>7}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
