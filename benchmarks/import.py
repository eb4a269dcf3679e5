"""What it costs to start: `import semiology` and `semiology --help`, beside an empty Python and
`import torch` in the same run.

Heavy packages are imported where they are used and nowhere else, so that a mistyped option is
answered at once.
"""

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from record import record

ROUNDS = 9  # of each, in turn, so that a busy moment meets all of them; the medians count
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import semiology": [sys.executable, "-c", "import semiology"],
    "semiology --help": [str(Path(sys.executable).with_name("semiology")), "--help"],
    "import torch": [sys.executable, "-c", "import torch"],
}
LIMITS = {"import semiology": 0.3, "semiology --help": 0.6}  # s


def main() -> int:
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, command in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - start)
    middle = {name: median(taken) for name, taken in seconds.items()}
    for name, taken in middle.items():
        to_empty, to_torch = (taken / middle[other] for other in ("python -c pass", "import torch"))
        print(
            f"{name:<18} {taken:.3f} s, {to_empty:.1f} times python -c pass, {to_torch:.3f} of"
            " import torch"
        )
    figures = {name: {"median_s": taken, "all_s": seconds[name]} for name, taken in middle.items()}
    return record(
        "import",
        figures,
        ", ".join(f"{name} under {limit} s" for name, limit in LIMITS.items()),
        all(middle[name] < limit for name, limit in LIMITS.items()),
        headline=", ".join(
            f"{name} {middle[name]:.3f} s ({middle[name] / middle['python -c pass']:.1f} times"
            f" python -c pass, {middle[name] / middle['import torch']:.3f} of import torch)"
            for name in LIMITS
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
