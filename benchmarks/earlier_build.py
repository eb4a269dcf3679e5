"""The code as it was at an earlier commit, in a folder of its own, beside this one in the same
environment: what benchmarks measure this build against.

    with earlier_build() as earlier:
        for build in (earlier, THIS_BUILD):  # in turns
            run_in(build, *SEMIOLOGY, "loso", "--config", "configs/demo.yaml")
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BEFORE = "7f5cd6f"  # the last commit before speed, size on disk and a GPU were worked on
THIS_BUILD = Path(__file__).resolve().parent.parent
SEMIOLOGY = ("-m", "semiology.cli.main")  # its command line, as arguments of Python


@dataclass(frozen=True)
class Ran:
    """What a command took, and what it printed."""

    wall: float  # s
    cpu: float  # s, user and system, of its process and of those that it waited for
    output: str


@contextmanager
def earlier_build(commit: str = BEFORE) -> Iterator[Path]:
    """The folder of a checkout of `commit`, which is removed afterwards.

    Raises:
        SystemExit: this is no git repository, or it does not hold the commit.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the folder is removed, too
    with tempfile.TemporaryDirectory(prefix="semiology-") as parent:
        folder = Path(parent) / commit
        try:
            _git("worktree", "add", "--detach", str(folder), commit)
        except (OSError, subprocess.CalledProcessError) as error:
            why = (getattr(error, "stderr", "") or str(error)).strip()
            raise SystemExit(
                f"commit {commit} is needed, to compare with, and cannot be checked out: {why};"
                " in a shallow clone run `git fetch --unshallow`"
            ) from None
        try:
            yield folder
        finally:
            _git("worktree", "remove", "--force", str(folder))


def run_in(
    build: Path, *arguments: str, threads: int | None = None, cwd: Path | None = None
) -> Ran:
    """Run Python with these arguments and the package of a build's folder.

    Args:
        build: folder of a checkout.
        arguments: of Python.
        threads: that each of its processes computes with; None leaves this to torch.
        cwd: folder to run in; the build's own by default.

    Raises:
        SystemExit: its exit status is not 0.
    """
    environment = {**os.environ, "PYTHONPATH": str(build)}
    if threads is not None:
        environment |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as printed:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=cwd or build,
            env=environment,
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
        # of this child alone, whatever else runs meanwhile
        _, status, used = os.wait4(process.pid, 0)
        wall, process.returncode = time.perf_counter() - began, os.waitstatus_to_exitcode(status)
        printed.seek(0)
        output = printed.read()
    if process.returncode:
        raise SystemExit(
            f"{build}: python {' '.join(arguments)} ended with {process.returncode}:\n"
            f"{output[-2000:]}"
        )
    return Ran(wall, used.ru_utime + used.ru_stime, output)


def _git(*arguments: str) -> None:
    subprocess.run(
        ["git", "-C", str(THIS_BUILD), *arguments], check=True, capture_output=True, text=True
    )
