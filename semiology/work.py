"""Work in parallel: calls that know nothing of each other, dealt to worker processes by joblib; a worker's death costs its task only."""

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import joblib
from joblib.externals.loky.process_executor import BrokenProcessPool

from semiology.errors import UserError
from semiology.parallel import Pool, dask_pool, ray_pool

Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]  # what joblib.delayed(function)(...) makes
LOST = "its worker process died each time that it was tried (out of memory?)"


@dataclass(frozen=True, kw_only=True)
class Workers:
    """By whom work is done: what the settings of all runs have in common. No prediction depends on it.

    Attributes:
        jobs: tasks (folds, clips) at a time; -1 uses every core, or all of a Ray cluster. Dask always takes all of its workers.
        backend: who runs them: "loky", processes on this machine; "ray" or "dask", the workers of a cluster.
        address: of the cluster: "auto" or host:port for Ray, tcp://host:port or a scheduler file for Dask.
        gpus_per_task: of a cluster: 0.5 lets two tasks share a GPU. 0 asks for none; tasks then use what their process sees.
        retries: times that a task is started again whose worker died; then it counts as failed and the others go on. Dask counts itself.

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
            raise UserError(f"gpus_per_task: {self.gpus_per_task:g}; a share of one GPU, 0.5 for example, or a whole number")
        if self.backend == "loky" and (self.address or self.gpus_per_task):
            raise UserError("address and gpus_per_task: go with --backend ray or --backend dask; loky has no cluster and deals no GPUs")
        if self.backend != "loky" and not self.address:
            raise UserError(f"backend {self.backend}: give --address of a cluster that runs; on this machine alone leave --backend out")
        if self.backend == "ray" and self.jobs == 1:
            raise UserError("jobs: 1; Ray's pool has two processes or more: give --jobs 2, or -1 for the whole cluster")


def work(calls: Sequence[Call], workers: Workers, lost: Callable[[int, str], Any] | None = None) -> Iterator[Any]:
    """What the calls return, in the order in which they are done. `calls` are made by `joblib.delayed(function)(...)`.

    A call whose worker dies (out of memory, killed) is started again. Ray and Dask do so themselves while the others go on. A dead process
    of this machine breaks joblib's pool: what was under way in the others is started again with it. Where calls die nevertheless, those
    that may have been under way run one at a time, so that the one that kills its worker is known and fails alone.

    What a call raises is raised here, as it is, and ends the work.

    Args:
        calls: what is to be done; each may be done more than once. Ray and Dask pickle them: functions of a module, and plain arguments.
        workers: by whom. A cluster's work in this process's working directory, and need the same code installed.
        lost: number of a call in `calls` and one line -> what stands for its result, where its worker died each time.

    Raises:
        UserError: no such cluster, see `ray_pool` and `dask_pool`; a call was lost and there is no `lost`, after all others have returned.
    """
    left, given_up = dict(enumerate(calls)), False
    with _pool(workers) as pool:
        patience = retries = workers.retries if workers.backend == "loky" else 0
        while left:
            try:
                yield from _round(left, pool)
            except pool.died:
                patience -= 1
                if patience >= 0:
                    continue
                patience = retries
                for number in list(left)[: 2 * pool.jobs]:
                    try:
                        yield from _round(left, pool, number)
                    except pool.died:
                        del left[number]
                        given_up = True
                        if lost is not None:
                            yield lost(number, LOST)
    if given_up and lost is None:
        raise UserError(f"a task was lost: {LOST}; run the same command again for it alone, with more memory or fewer jobs")


def _pool(workers: Workers) -> AbstractContextManager[Pool]:
    if workers.backend == "ray":
        return ray_pool(workers.address or "", workers.jobs, workers.gpus_per_task, workers.retries)
    if workers.backend == "dask":
        return dask_pool(workers.address or "", workers.gpus_per_task)
    config = {"backend": "loky", "n_jobs": workers.jobs}
    return nullcontext(Pool(config, joblib.cpu_count() if workers.jobs == -1 else workers.jobs, (BrokenProcessPool,)))


def _round(left: dict[int, Call], pool: Pool, only: int | None = None) -> Iterator[Any]:
    """Results of the calls that are left, or of one; each is taken from `left` as it is done. Up to twice `pool.jobs` are handed out."""
    numbers = list(left) if only is None else [only]
    with joblib.parallel_config(**pool.config):
        parallel = joblib.Parallel(return_as="generator_unordered", pre_dispatch="2 * n_jobs", batch_size=1)
    asker = _process()
    for number, result in parallel(joblib.delayed(_numbered)(asker, os.getcwd(), number, left[number]) for number in numbers):
        del left[number]
        yield result


def _process() -> tuple[str, int]:
    return socket.gethostname(), os.getpid()


def _numbered(asker: tuple[str, int], folder: str, number: int, call: Call) -> tuple[int, Any]:
    if not Path(folder).is_dir():
        raise UserError(f"{socket.gethostname()}: has no {folder}; a cluster's workers need the run, cohort and store at the same paths")
    os.chdir(folder)
    function, positional, named = call
    try:
        return number, function(*positional, **named)
    except KeyboardInterrupt:  # also what Lightning makes of SIGTERM, by which queues of clusters end a worker
        if _process() == asker:
            raise
        os._exit(1)  # stopped from outside is dead as any other; who asked for the work is told of Ctrl-C itself
