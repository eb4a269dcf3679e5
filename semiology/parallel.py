"""Joining a cluster that runs: what joblib has to be told so that it deals calls to the workers of
Ray or of Dask.

No cluster is started here: who starts one decides who may reach its ports. On one machine joblib's
own processes do the same work.

Work in parallel: calls that know nothing of each other, dealt to worker processes by joblib; a
worker's death costs its task only.
"""

import logging
import os
import socket
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


@dataclass(frozen=True)
class Pool:
    """What works: `config` for joblib.parallel_config, how many calls run at a time, and what a
    worker's death raises.
    """

    config: dict[str, Any]
    jobs: int
    died: tuple[type[BaseException], ...]


@contextmanager
def ray_pool(address: str, jobs: int, gpus: float, retries: int) -> Iterator[Pool]:
    """Processes on a Ray cluster; Ray starts a dead one again, with the call it was at, `retries`
    times.

    Args:
        address: host:port of the cluster's head, of which this machine is a node; or "auto", for
            the cluster that this machine is part of.
        jobs: processes, two or more; -1 for as many as there are CPUs, or places for their GPUs.
        gpus: of a process; a share below one (0.5: two processes share a GPU), or a whole number;
            Ray hides the others.
        retries: of one call.

    Raises:
        UserError: Ray is not installed; no cluster at this address; it has no place for so many
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
            True  # as each call ends, Ray's pool calls joblib back; its backend does not say so
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
        places = sum(_slots(node["Resources"], gpus) for node in ray.nodes() if node["Alive"])
        wanted = places if jobs == -1 else jobs
        if wanted > places or wanted < 2:
            told = f" with {gpus:g} GPUs each" if gpus else ""
            raise UserError(
                f"jobs {jobs}: the Ray cluster at {address} has place for {places} tasks{told}; two"
                " or more, at most so many"
            )
        # max_restarts: of the process, -1 without end; max_task_retries: of the call it was at
        asked = {"max_restarts": -1, "max_task_retries": retries} | (
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
        yield Pool({"backend": "ray", "n_jobs": wanted, "ray_remote_args": asked}, wanted, died)
    finally:
        ray.shutdown()


def _check_reachable(address: str) -> None:
    """Ray itself tries for two minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError, OverflowError) as error:
        raise UserError(
            f"address {address}: nobody answers there; give host:port of what `ray start --head`"
            " started"
        ) from error


def _slots(has: dict[str, float], gpus: float) -> int:
    """How many processes fit on a node: one a CPU; a share of a GPU is a share of one and the same."""
    own = has.get("GPU", 0)
    fits = (
        own * floor(1 / gpus + 1e-9) if 0 < gpus < 1 else own // gpus if gpus else has.get("CPU", 0)
    )
    return int(min(fits, has.get("CPU", 0)))


@contextmanager
def dask_pool(address: str, gpus: float) -> Iterator[Pool]:
    """All workers of a Dask cluster; its scheduler starts the calls of a dead one again, by default
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

    class Telling(DaskDistributedBackend):
        """joblib waits without end for a call that the scheduler gave up: its own backend passes on
        what calls return or raise, no more.
        """

        def effective_n_jobs(self, n_jobs: int) -> int:
            return max(
                2, super().effective_n_jobs(n_jobs)
            )  # of 1, joblib makes no use of the cluster

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

    joblib.register_parallel_backend("dask", Telling)
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
                f"address {address}: the Dask scheduler has had no worker for {WORKER_TIMEOUT} s; start `dask"
                " worker`"
            ) from error


def _resources(client: Any, address: str, gpus: float) -> dict[str, Any]:
    """What a call asks of its worker; raises UserError where no worker is fit."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    if any(
        worker["nthreads"] > 1 for worker in workers
    ):  # random numbers of training are drawn from one state a process
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


Call = tuple[
    Callable[..., Any], tuple[Any, ...], dict[str, Any]
]  # what joblib.delayed(function)(...) makes
LOST_MESSAGE = "its worker process died each time that it was tried (out of memory?)"


@dataclass(frozen=True, kw_only=True)
class Workers:
    """By whom work is done: what the settings of all runs have in common. No prediction depends on
    it.

    Attributes:
        jobs: tasks (folds, clips) at a time; -1 uses every core, or all of a Ray cluster. Dask
            always takes all of its workers.
        backend: who runs them: "loky", processes on this machine; "ray" or "dask", the workers of a
            cluster.
        address: of the cluster: "auto" or host:port for Ray, tcp://host:port or a scheduler file
            for Dask.
        gpus_per_task: of a cluster: 0.5 lets two tasks share a GPU. 0 asks for none; tasks then use
            what their process sees.
        retries: times that a task is started again whose worker died; then it counts as failed and
            the others go on. Dask counts itself.

    Raises:
        UserError: a number that is not possible, or settings of a cluster without one.
    """

    jobs: int = 1
    backend: Literal["loky", "ray", "dask"] = "loky"
    address: str | None = None
    gpus_per_task: float = 0.0
    retries: int = 2

    def __post_init__(self) -> None:
        if self.jobs == 0 or self.jobs < -1:
            raise UserError(f"jobs: {self.jobs}; a number of tasks at a time, or -1 for every core")
        if self.retries < 0:
            raise UserError(f"retries: {self.retries}; 0 or more")
        if self.gpus_per_task < 0 or (self.gpus_per_task > 1 and self.gpus_per_task % 1):
            raise UserError(
                f"gpus_per_task: {self.gpus_per_task:g}; a share of one GPU, 0.5 for example, or a"
                " whole number"
            )
        if self.backend == "loky" and (self.address or self.gpus_per_task):
            raise UserError(
                "address and gpus_per_task: go with --backend ray or --backend dask; loky has no"
                " cluster and deals no GPUs"
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
    """What the calls return, in the order in which they are done. `calls` are made by
    `joblib.delayed(function)(...)`.

    A call whose worker dies (out of memory, killed) is started again. Ray and Dask do so themselves
    while the others go on. A dead process of this machine breaks joblib's pool: what was under way
    in the others is started again with it. Where calls die nevertheless, those that may have been
    under way run one at a time, so that the one that kills its worker is known and fails alone.

    What a call raises is raised here, as it is, and ends the work.

    Args:
        calls: what is to be done; each may be done more than once. Ray and Dask pickle them:
            functions of a module, and plain arguments.
        workers: by whom. A cluster's work in this process's working directory, and need the same
            code installed.
        lost: number of a call in `calls` and one line -> what stands for its result, where its
            worker died each time.

    Raises:
        UserError: no such cluster, see `ray_pool` and `dask_pool`; a call was lost and there is no
            `lost`, after all others have returned.
    """
    left, given_up = dict(enumerate(calls)), False
    with _pool(workers) as pool:
        patience = retries = workers.retries if workers.backend == "loky" else 0
        while left:
            try:
                yield from _run_round(left, pool)
            except pool.died:
                patience -= 1
                if patience >= 0:
                    continue
                patience = retries
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
            f"a task was lost: {LOST_MESSAGE}; run the same command again for it alone, with more memory or"
            " fewer jobs"
        )


def _pool(workers: Workers) -> AbstractContextManager[Pool]:
    if workers.backend == "ray":
        return ray_pool(workers.address or "", workers.jobs, workers.gpus_per_task, workers.retries)
    if workers.backend == "dask":
        return dask_pool(workers.address or "", workers.gpus_per_task)
    config = {"backend": "loky", "n_jobs": workers.jobs}
    return nullcontext(
        Pool(
            config, joblib.cpu_count() if workers.jobs == -1 else workers.jobs, (BrokenProcessPool,)
        )
    )


def _run_round(left: dict[int, Call], pool: Pool, only: int | None = None) -> Iterator[Any]:
    """Results of the calls that are left, or of one; each is taken from `left` as it is done. Up to
    twice `pool.jobs` are handed out.
    """
    numbers = list(left) if only is None else [only]
    with joblib.parallel_config(**pool.config):
        parallel = joblib.Parallel(
            return_as="generator_unordered", pre_dispatch="2 * n_jobs", batch_size=1
        )
    asker = _process()
    for number, result in parallel(
        joblib.delayed(_numbered)(asker, os.getcwd(), number, left[number]) for number in numbers
    ):
        del left[number]
        yield result


def _process() -> tuple[str, int]:
    return socket.gethostname(), os.getpid()


def _numbered(asker: tuple[str, int], folder: str, number: int, call: Call) -> tuple[int, Any]:
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
        if _process() == asker:
            raise
        os._exit(
            1
            # stopped from outside is dead as any other; who asked for the work is told of Ctrl-C itself
        )
