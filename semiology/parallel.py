"""Run independent calls in parallel, in worker processes of joblib on this machine, or on the
workers of a Ray or Dask cluster; the death of a worker costs its call only.

No cluster is started here: whoever starts one decides who may reach its ports. On one machine
joblib's own processes do the same work.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from math import floor
from pathlib import Path
from typing import Any, Literal

import joblib
from joblib.externals.loky.process_executor import BrokenProcessPool

from semiology.errors import UserError

WORKER_TIMEOUT = 60  # s, for the first worker of a Dask cluster [our choice]
ORPHAN_CHECK = 2.0  # s between two looks of a worker for the process that started it [our choice]
LOST_MESSAGE = "its worker process died at every attempt (out of memory?)"


Call = tuple[
    Callable[..., Any], tuple[Any, ...], dict[str, Any]
]  # what joblib.delayed(function)(...) makes


@dataclass(frozen=True)
class Pool:
    """A set of workers: `config` for joblib.parallel_config, the number of calls at a time, and the
    errors that a worker's death raises.
    """

    config: dict[str, Any]
    jobs: int
    died: tuple[type[BaseException], ...]


@dataclass(frozen=True, kw_only=True)
class Workers:
    """Where and how many calls run in parallel; part of the settings of every run. No prediction
    depends on it.

    Attributes:
        jobs: tasks (folds, clips) at a time; -1 uses every core, or all of a Ray cluster. Dask
            always uses all of its workers.
        backend: "loky", processes on this machine; "ray" or "dask", the workers of a cluster.
        address: of the cluster: "auto" or host:port for Ray, tcp://host:port or a scheduler file
            for Dask.
        gpus_per_task: of a cluster: 0.5 lets two tasks share a GPU. 0 requests none; tasks then use
            the GPUs that their process sees.
        retries: times that a task whose worker died is started again; then it counts as failed and
            the others go on. Dask has its own count.

    Raises:
        UserError: a number that is not possible, or settings of a cluster without one.
    """

    jobs: int = 1
    backend: Literal["loky", "ray", "dask"] = "loky"
    address: str | None = None
    gpus_per_task: float = 0.0
    retries: int = 2

    @property
    def processes(self) -> int:
        """Processes on this machine that `jobs` means."""
        return joblib.cpu_count() if self.jobs == -1 else self.jobs

    def __post_init__(self) -> None:
        if self.jobs == 0 or self.jobs < -1:
            raise UserError(f"jobs: {self.jobs}; a number of tasks at a time, or -1 for every core")
        if self.retries < 0:
            raise UserError(f"retries: {self.retries}; 0 or more")
        if self.gpus_per_task < 0 or (self.gpus_per_task > 1 and self.gpus_per_task % 1):
            raise UserError(
                f"gpus_per_task: {self.gpus_per_task:g}; a fraction of one GPU such as 0.5,"
                " or a whole number"
            )
        if self.backend == "loky" and (self.address or self.gpus_per_task):
            raise UserError(
                "address and gpus_per_task: go with --backend ray or --backend dask; loky has no"
                " cluster and assigns no GPUs"
            )
        if self.backend != "loky" and not self.address:
            raise UserError(
                f"backend {self.backend}: give --address of a cluster that runs; on this machine"
                " alone leave --backend out"
            )
        if self.backend == "ray" and self.jobs == 1:
            raise UserError(
                "jobs: 1; Ray's pool has two processes or more: give --jobs 2, or -1 for the whole"
                " cluster"
            )


def run_parallel(
    calls: Sequence[Call], workers: Workers, lost: Callable[[int, str], Any] | None = None
) -> Iterator[Any]:
    """Results of the calls, in the order in which they finish.

    A call whose worker dies (out of memory, killed) is started again. Ray and Dask do so themselves
    while the others go on. A dead process on this machine breaks joblib's pool: the calls that were
    running in the other processes are started again with it. After all retries, the calls that may
    have been running are run one at a time, so that the one that kills its worker is identified
    and fails alone.

    An error that a call raises is raised here unchanged, and ends the iteration.

    Args:
        calls: from `joblib.delayed(function)(...)`; each may run more than once. Ray and Dask
            pickle them: functions of a module, and plain arguments.
        workers: where they run. Those of a cluster run in this process's working directory, and
            need the same code installed.
        lost: (number of a call in `calls`, reason) -> result of a call whose worker died each time.

    Raises:
        UserError: no such cluster, see `ray_pool` and `dask_pool`; a call was lost and there is no
            `lost`, after all others have returned.
    """
    left, given_up = dict(enumerate(calls)), False
    with _pool(workers) as pool:
        attempts = retries = workers.retries if workers.backend == "loky" else 0
        while left:
            try:
                yield from _run_round(left, pool)
            except pool.died:
                attempts -= 1
                if attempts >= 0:
                    continue
                attempts = retries
                for number in list(left)[: 2 * pool.jobs]:
                    try:
                        yield from _run_round(left, pool, number)
                    except pool.died:
                        del left[number]
                        given_up = True
                        if lost is not None:
                            yield lost(number, LOST_MESSAGE)
    if given_up and lost is None:
        raise UserError(
            f"a task was lost: {LOST_MESSAGE}; run the same command again for"
            " it alone, with more memory or fewer jobs"
        )


def _pool(workers: Workers) -> AbstractContextManager[Pool]:
    if workers.backend == "ray":
        return ray_pool(workers.address or "", workers.jobs, workers.gpus_per_task, workers.retries)
    if workers.backend == "dask":
        return dask_pool(workers.address or "", workers.gpus_per_task)
    config = {
        "backend": "loky",
        "n_jobs": workers.jobs,
        "initializer": _begin_worker,  # before a worker imports what its first call needs
        "initargs": (os.getpid(),),
    }
    return nullcontext(Pool(config, workers.processes, (BrokenProcessPool,)))


def _run_round(left: dict[int, Call], pool: Pool, only: int | None = None) -> Iterator[Any]:
    """Results of the remaining calls, or of one; each is removed from `left` as it finishes. At
    most twice `pool.jobs` are submitted at a time.
    """
    numbers = list(left) if only is None else [only]
    with joblib.parallel_config(**pool.config):
        parallel = joblib.Parallel(
            return_as="generator_unordered", pre_dispatch="2 * n_jobs", batch_size=1
        )
    caller = _process_id()
    for number, result in parallel(
        joblib.delayed(_numbered)(caller, os.getcwd(), number, left[number]) for number in numbers
    ):
        del left[number]
        yield result


def _process_id() -> tuple[str, int]:
    return socket.gethostname(), os.getpid()


def _begin_worker(parent: int) -> None:
    """Prepare this worker of joblib: it shows no progress, as several would write over each other's
    bars, and it ends, in the middle of what it does, when the process that started it is gone:
    joblib's own workers would finish their call first, which may take hours.
    """
    os.environ["TQDM_DISABLE"] = "1"

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(ORPHAN_CHECK)
        os._exit(1)

    if os.name == "posix":  # elsewhere the number of a parent that is gone stays
        threading.Thread(target=watch, daemon=True).start()


def _numbered(caller: tuple[str, int], folder: str, number: int, call: Call) -> tuple[int, Any]:
    if not Path(folder).is_dir():
        raise UserError(
            f"{socket.gethostname()}: has no {folder}; a cluster's workers need the run, cohort and"
            " store at the same paths"
        )
    os.chdir(folder)
    function, positional, named = call
    try:
        return number, function(*positional, **named)
    except (
        KeyboardInterrupt
    ):  # also what Lightning makes of SIGTERM, by which queues of clusters end a worker
        if _process_id() == caller:
            raise
        os._exit(
            1
            # a worker stopped from outside counts as dead; the calling process gets Ctrl-C itself
        )


@contextmanager
def ray_pool(address: str, jobs: int, gpus: float, retries: int) -> Iterator[Pool]:
    """Processes on a Ray cluster; Ray restarts a dead one, with the call that it was running,
    `retries` times.

    Args:
        address: host:port of the cluster's head, of which this machine is a node; or "auto", for
            the cluster that this machine is part of.
        jobs: processes, two or more; -1 for as many as the CPUs and GPUs of the cluster allow.
        gpus: of a process; a fraction below one (0.5: two processes share a GPU), or a whole
            number; Ray hides the other GPUs.
        retries: of one call.

    Raises:
        UserError: Ray is not installed; no cluster at this address; it has no room for so many
            processes.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        from ray.util.joblib.ray_backend import RayBackend
    except ImportError as error:
        raise UserError(
            "backend ray: Ray is not installed; pip install 'semiology[ray]'"
        ) from error

    class Streaming(RayBackend):
        supports_return_generator = (
            True  # Ray's pool calls joblib back as each call ends; its backend does not declare it
        )

    joblib.register_parallel_backend("ray", Streaming)
    if address != "auto" and "://" not in address:
        _check_reachable(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError, AssertionError) as error:
        raise UserError(
            f"address {address}: no Ray cluster that this machine is part of, or of another token"
            " (RAY_AUTH_TOKEN)"
        ) from error
    try:
        slots = sum(_slots(node["Resources"], gpus) for node in ray.nodes() if node["Alive"])
        wanted = slots if jobs == -1 else jobs
        if wanted > slots or wanted < 2:
            each = f" with {gpus:g} GPUs each" if gpus else ""
            raise UserError(
                f"jobs {jobs}: the Ray cluster at {address} has room for {slots} tasks{each}; give"
                " two or more, and not more than that"
            )
        # max_restarts: of the process, -1 for no limit; max_task_retries: of its current call
        remote_arguments = {"max_restarts": -1, "max_task_retries": retries} | (
            {"num_gpus": gpus} if gpus else {}
        )
        of = ray.exceptions
        died = (
            of.RayActorError,
            of.WorkerCrashedError,
            of.NodeDiedError,
            of.OutOfMemoryError,
            of.ObjectLostError,
        )
        yield Pool(
            {"backend": "ray", "n_jobs": wanted, "ray_remote_args": remote_arguments}, wanted, died
        )
    finally:
        ray.shutdown()


def _check_reachable(address: str) -> None:
    """Try to connect to an address for ten seconds; Ray itself would try for two minutes.

    Raises:
        UserError: nothing listens there.
    """
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError, OverflowError) as error:
        raise UserError(
            f"address {address}: nothing answers there; give host:port of what `ray start --head`"
            " started"
        ) from error


def _slots(has: dict[str, float], gpus: float) -> int:
    """Number of processes that fit on a node: one per CPU; a fraction of a GPU is a fraction of one
    GPU.
    """
    own = has.get("GPU", 0)
    fits = (
        own * floor(1 / gpus + 1e-9) if 0 < gpus < 1 else own // gpus if gpus else has.get("CPU", 0)
    )
    return int(min(fits, has.get("CPU", 0)))


@contextmanager
def dask_pool(address: str, gpus: float) -> Iterator[Pool]:
    """All workers of a Dask cluster; its scheduler repeats the calls of a dead one, by default
    three times.

    Args:
        address: of its scheduler, "tcp://host:8786"; or a file that `dask scheduler
            --scheduler-file FILE` wrote.
        gpus: of a call, counted in the resource GPU that the workers were started with.

    Raises:
        UserError: Dask is not installed; no scheduler at this address; no worker, one with several
            threads, none with such a GPU.
    """
    try:
        from distributed import Client, KilledWorker
    except ImportError as error:
        raise UserError(
            "backend dask: Dask is not installed; pip install 'semiology[dask]'"
        ) from error

    from joblib._dask import DaskDistributedBackend

    class FailureReporting(DaskDistributedBackend):
        """Reports calls that the scheduler gave up, for which joblib would wait forever: its own
        backend passes on only what calls return or raise.
        """

        def effective_n_jobs(self, n_jobs: int) -> int:
            return max(
                2, super().effective_n_jobs(n_jobs)
            )  # with 1, joblib does not use the cluster

        def submit(self, func: Any, callback: Any = None) -> Any:
            future = super().submit(func, callback)
            future.add_done_callback(
                lambda done: callback(done.exception()) if done.exception() else None
            )
            return future

        def retrieve_result_callback(self, out: Any) -> Any:
            if isinstance(out, BaseException):
                raise out
            return super().retrieve_result_callback(out)

    joblib.register_parallel_backend("dask", FailureReporting)
    where: dict[str, Any] = (
        {"scheduler_file": address} if os.path.isfile(address) else {"address": address}
    )
    try:
        client = Client(**where, timeout=10, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UserError(
            f"address {address}: no Dask scheduler answers there; start one by `dask scheduler`"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=WORKER_TIMEOUT)
            config = {
                "backend": "dask",
                "n_jobs": -1,
                "client": client,
                "wait_for_workers_timeout": WORKER_TIMEOUT,
            }
            yield Pool(
                config | _resources(client, address, gpus),
                len(client.scheduler_info(n_workers=-1)["workers"]),
                (KilledWorker,),
            )
        except TimeoutError as error:
            raise UserError(
                f"address {address}: the Dask scheduler has had no worker for"
                f" {WORKER_TIMEOUT} s; start `dask worker`"
            ) from error


def _resources(client: Any, address: str, gpus: float) -> dict[str, Any]:
    """The resources that a call requests of its worker.

    Raises:
        UserError: no worker has them, or workers run several calls in one process.
    """
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    if any(
        worker["nthreads"] > 1 for worker in workers
    ):  # the random numbers of training come from one state per process
        raise UserError(
            f"address {address}: its workers run several tasks in one process; start them by `dask"
            " worker --nthreads 1`"
        )
    if gpus and not any(worker["resources"].get("GPU", 0) >= gpus for worker in workers):
        raise UserError(
            f"gpus_per_task {gpus:g}: no worker of {address} has it; start them by `dask worker"
            " --resources GPU=1`"
        )
    return {"resources": {"GPU": gpus}} if gpus else {}
