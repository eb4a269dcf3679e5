"""One leave-one-subject-out run by loky, by Ray and by Dask, on two worker processes each; then
again with a worker killed in the middle.

    python benchmarks/cluster.py          (pip install 'semiology[ray,dask]')

Six phantom people by their true joints, as tracks; a small AGCN, two seeds, twelve folds. Both
clusters are started here, of two nodes or workers of one process each, reachable with a token of
this run (Ray) or from this machine only (Dask), and stopped afterwards. One thread a worker
everywhere. A worker is killed by SIGKILL half a second after the fifth fold was begun, in the
process that began it.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from attribution_people import make_cohort
from joblib import delayed
from record import record

from semiology.evaluation.run.settings import Model, Protocol, Task
from semiology.experiments import loso
from semiology.models.networks import Network
from semiology.models.training.reading import Reading, Schedule
from semiology.parallel import Call, Workers, run_parallel

RUN = Path("runs/cluster")
PEOPLE, EPOCHS, KILLED_AT = 6, 20, 5
WAIT = 180.0  # s, for a cluster's process to come up
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(
        32
    ),  # Ray listens on all interfaces: who has no token is turned away
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # its default is 15; loky's and Dask's workers have 0
    "RAY_raylet_start_wait_time_s": str(int(WAIT)),
}


def main() -> int:
    if missing := [package for package in ("ray", "distributed") if find_spec(package) is None]:
        print(
            f"cluster: {' and '.join(missing)} not installed; pip install 'semiology[ray,dask]'",
            file=sys.stderr,
        )
        return 2
    os.environ.update(ENVIRONMENT)
    if not (RUN / "cohort/clips.tsv").is_file():
        make_cohort(RUN / "cohort", PEOPLE)
    runs = {}
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(prefix="cluster", ignore_cleanup_errors=True)
            )
        )
        backends: dict[str, dict[str, Any]] = {"loky": {}}
        backends["ray"] = {"address": stack.enter_context(ray_nodes(folder))}
        backends["dask"] = {"address": stack.enter_context(dask_workers(folder))}
        for backend, address in backends.items():
            workers = {"jobs": 2, "backend": backend, **address}
            list(
                run_parallel([delayed(warm)()] * 4, Workers(**workers))
            )  # loky's and Dask's processes stay, with their imports
            for how in ("undisturbed", "killed"):
                runs[backend, how] = once(f"{backend}-{how}", workers, how == "killed")
                print(f"{backend:<6}{how:<12}{runs[backend, how]}", flush=True)
    expected = (RUN / "loky-undisturbed/predictions.csv").read_bytes()
    same = sum(
        (RUN / f"{backend}-{how}/predictions.csv").read_bytes() == expected for backend, how in runs
    )
    figures = {
        backend: {
            "seconds": runs[backend, "undisturbed"]["seconds"],
            "extra_s_of_a_death": round(
                runs[backend, "killed"]["seconds"] - runs[backend, "undisturbed"]["seconds"], 1
            ),
            "folds": runs[backend, "killed"]["folds"],
            "folds_started_again": (
                runs[backend, "killed"]["started"] - runs[backend, "killed"]["folds"]
            ),
        }
        for backend in backends
    }
    killed = all(runs[backend, "killed"]["killed"] for backend in backends)
    again = ", ".join(
        f"{backend} {row['folds_started_again']} ({row['extra_s_of_a_death']:+.0f} s)"
        for backend, row in figures.items()
    )
    return record(
        "cluster",
        figures,
        "6 of 6 runs with the same predictions.csv, byte for byte; a worker killed in three of"
        " them",
        same == len(runs) == 6 and killed,
        headline=f"{same} of 6 the same; folds started again after a death: {again}",
        seed=0,
    )


def protocol(out: Path, workers: dict[str, Any]) -> Protocol:
    network = Network("agcn", {"widths": [16, 32, 32]})
    task = Task(Reading("dystonia", part="body", rate=12.5, window=64))
    return Protocol(
        cohort=str(RUN / "cohort"),
        out=str(out),
        tasks={"dystonia (pose)": task},
        models={"agcn": Model(network, schedule=Schedule(epochs=EPOCHS, patience=None))},
        seeds=(0, 1),
        validation=0.0,
        final=False,
        **workers,
    )


def once(name: str, workers: dict[str, Any], kill: bool) -> dict[str, Any]:
    """One run, from the beginning: its seconds, folds, how many were started, and whether a worker
    was killed meanwhile.
    """
    out = RUN / name
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    starts, killed = (out / "starts.txt").resolve(), []
    starts.touch()

    def noted(calls: Sequence[Call], *arguments: Any, **named: Any) -> Iterator[Any]:
        return run_parallel([delayed(note)(starts, call) for call in calls], *arguments, **named)

    loso.work = (
        noted  # the run itself is not changed: each of its calls leaves a line where it starts
    )
    watcher = threading.Thread(target=kill_one, args=(starts, killed), daemon=True)
    if kill:
        watcher.start()
    began = time.monotonic()
    result = loso.run_loso(protocol(out, workers))
    seconds = time.monotonic() - began
    folds = len(list((out / "folds").rglob("*.json")))
    started = len(starts.read_text().splitlines())
    return {
        "seconds": round(seconds, 1),
        "folds": folds,
        "started": started,
        "killed": bool(killed),
        "failed": result.failed,
    }


def note(starts: Path, call: Call) -> Any:
    with starts.open("a") as file:
        file.write(f"{os.getpid()}\n")
    function, positional, named = call
    return function(*positional, **named)


def kill_one(starts: Path, killed: list[int]) -> None:
    until(lambda: len(starts.read_text().splitlines()) >= KILLED_AT)
    time.sleep(0.5)
    process = int(starts.read_text().splitlines()[KILLED_AT - 1])
    os.kill(process, signal.SIGKILL)
    killed.append(process)


def warm() -> None:
    pass


@contextmanager
def ray_nodes(folder: Path) -> Iterator[str]:
    """Two nodes of one process each on this machine; the address of the first."""
    ray = str(Path(sys.executable).parent / "ray")
    with socket.socket() as free:
        free.bind(("", 0))
        port = free.getsockname()[1]
    common = ("--num-cpus", "1", "--num-gpus", "0", "--block")
    head = (
        ray,
        "start",
        "--head",
        "--port",
        str(port),
        "--include-dashboard",
        "false",
        "--temp-dir",
        str(folder / "ray"),
        *common,
    )
    with running(folder / "ray_head.log", "Ray runtime started", *head):
        address = f"127.0.0.1:{port}"
        with running(
            folder / "ray_node.log",
            "Ray runtime started",
            ray,
            "start",
            "--address",
            address,
            *common,
        ):
            yield address


@contextmanager
def dask_workers(folder: Path) -> Iterator[str]:
    """A scheduler and two workers of one thread on this machine; the file of its address."""
    dask, file = str(Path(sys.executable).parent / "dask"), str(folder / "scheduler.json")
    common = ("--scheduler-file", file, "--no-dashboard", "--host", "127.0.0.1")
    worker = (dask, "worker", *common, "--nthreads", "1", "--local-directory", str(folder))
    with ExitStack() as stack:
        stack.enter_context(
            running(folder / "dask.log", "Scheduler at", dask, "scheduler", *common, "--port", "0")
        )
        for number in range(2):
            stack.enter_context(running(folder / f"dask_{number}.log", "Registered to", *worker))
        yield file


@contextmanager
def running(log: Path, word: str, *command: str) -> Iterator[None]:
    """A process of a cluster, from when it has written `word`; it and what it started end
    afterwards.
    """
    with log.open("w") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        until(lambda: word in log.read_text() or process.poll() is not None)
        if process.poll() is not None:
            raise SystemExit(
                f"cluster: {' '.join(command[:2])} did not start:\n{log.read_text()[-2000:]}"
            )
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def until(condition: Any) -> None:
    deadline = time.monotonic() + WAIT
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"cluster: waited {WAIT:.0f} s")
        time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
