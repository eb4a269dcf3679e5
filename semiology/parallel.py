"""Joining a cluster that runs: what joblib has to be told so that it deals calls to the workers of Ray or of Dask.

No cluster is started here: who starts one decides who may reach its ports. On one machine joblib's own processes do the same work.
"""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import floor
from typing import Any

import joblib

from semiology.errors import UserError

WAIT = 60  # s, for the first worker of a Dask cluster [our choice]


@dataclass(frozen=True)
class Pool:
    """What works: `config` for joblib.parallel_config, how many calls run at a time, and what a worker's death raises."""

    config: dict[str, Any]
    jobs: int
    died: tuple[type[BaseException], ...]


@contextmanager
def ray_pool(address: str, jobs: int, gpus: float, retries: int) -> Iterator[Pool]:
    """Processes on a Ray cluster; Ray starts a dead one again, with the call it was at, `retries` times.

    Args:
        address: host:port of the cluster's head, of which this machine is a node; or "auto", for the cluster that this machine is part of.
        jobs: processes, two or more; -1 for as many as there are CPUs, or places for their GPUs.
        gpus: of a process; a share below one (0.5: two processes share a GPU), or a whole number; Ray hides the others.
        retries: of one call.

    Raises:
        UserError: Ray is not installed; no cluster at this address; it has no place for so many processes.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        from ray.util.joblib.ray_backend import RayBackend
    except ImportError as error:
        raise UserError("backend ray: Ray is not installed; pip install 'semiology[ray]'") from error

    class Streaming(RayBackend):
        supports_return_generator = True  # as each call ends, Ray's pool calls joblib back; its backend does not say so

    joblib.register_parallel_backend("ray", Streaming)
    if address != "auto" and "://" not in address:
        _knock(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError, AssertionError) as error:
        raise UserError(f"address {address}: no Ray cluster that this machine is part of, or of another token (RAY_AUTH_TOKEN)") from error
    try:
        places = sum(_places(node["Resources"], gpus) for node in ray.nodes() if node["Alive"])
        wanted = places if jobs == -1 else jobs
        if wanted > places or wanted < 2:
            told = f" with {gpus:g} GPUs each" if gpus else ""
            raise UserError(f"jobs {jobs}: the Ray cluster at {address} has place for {places} tasks{told}; two or more, at most so many")
        # max_restarts: of the process, -1 without end; max_task_retries: of the call it was at
        asked = {"max_restarts": -1, "max_task_retries": retries} | ({"num_gpus": gpus} if gpus else {})
        of = ray.exceptions
        died = (of.RayActorError, of.WorkerCrashedError, of.NodeDiedError, of.OutOfMemoryError, of.ObjectLostError)
        yield Pool({"backend": "ray", "n_jobs": wanted, "ray_remote_args": asked}, wanted, died)
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Ray itself tries for two minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError, OverflowError) as error:
        raise UserError(f"address {address}: nobody answers there; give host:port of what `ray start --head` started") from error


def _places(has: dict[str, float], gpus: float) -> int:
    """How many processes fit on a node: one a CPU; a share of a GPU is a share of one and the same."""
    own = has.get("GPU", 0)
    fits = own * floor(1 / gpus + 1e-9) if 0 < gpus < 1 else own // gpus if gpus else has.get("CPU", 0)
    return int(min(fits, has.get("CPU", 0)))


@contextmanager
def dask_pool(address: str, gpus: float) -> Iterator[Pool]:
    """All workers of a Dask cluster; its scheduler starts the calls of a dead one again, by default three times.

    Args:
        address: of its scheduler, "tcp://host:8786"; or a file that `dask scheduler --scheduler-file FILE` wrote.
        gpus: of a call, counted in the resource GPU that the workers were started with.

    Raises:
        UserError: Dask is not installed; no scheduler at this address; no worker, one with several threads, none with such a GPU.
    """
    try:
        from distributed import Client, KilledWorker
    except ImportError as error:
        raise UserError("backend dask: Dask is not installed; pip install 'semiology[dask]'") from error

    from joblib._dask import DaskDistributedBackend

    class Telling(DaskDistributedBackend):
        """joblib waits without end for a call that the scheduler gave up: its own backend passes on what calls return or raise, no more."""

        def effective_n_jobs(self, n_jobs: int) -> int:
            return max(2, super().effective_n_jobs(n_jobs))  # of 1, joblib makes no use of the cluster

        def submit(self, func: Any, callback: Any = None) -> Any:
            future = super().submit(func, callback)
            future.add_done_callback(lambda done: callback(done.exception()) if done.exception() else None)
            return future

        def retrieve_result_callback(self, out: Any) -> Any:
            if isinstance(out, BaseException):
                raise out
            return super().retrieve_result_callback(out)

    joblib.register_parallel_backend("dask", Telling)
    where: dict[str, Any] = {"scheduler_file": address} if os.path.isfile(address) else {"address": address}
    try:
        client = Client(**where, timeout=10, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UserError(f"address {address}: no Dask scheduler answers there; start one by `dask scheduler`") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=WAIT)
            config = {"backend": "dask", "n_jobs": -1, "client": client, "wait_for_workers_timeout": WAIT}
            yield Pool(config | _resources(client, address, gpus), len(client.scheduler_info(n_workers=-1)["workers"]), (KilledWorker,))
        except TimeoutError as error:
            raise UserError(f"address {address}: the Dask scheduler has had no worker for {WAIT} s; start `dask worker`") from error


def _resources(client: Any, address: str, gpus: float) -> dict[str, Any]:
    """What a call asks of its worker; raises UserError where no worker is fit."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    if any(worker["nthreads"] > 1 for worker in workers):  # random numbers of training are drawn from one state a process
        raise UserError(f"address {address}: its workers run several tasks in one process; start them by `dask worker --nthreads 1`")
    if gpus and not any(worker["resources"].get("GPU", 0) >= gpus for worker in workers):
        raise UserError(f"gpus_per_task {gpus:g}: no worker of {address} has it; start them by `dask worker --resources GPU=1`")
    return {"resources": {"GPU": gpus}} if gpus else {}
