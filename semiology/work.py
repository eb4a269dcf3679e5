"""Work in parallel: calls that know nothing of each other, dealt to worker processes by joblib; a worker's death costs its task only."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import joblib
from joblib.externals.loky.process_executor import BrokenProcessPool

from semiology.errors import UserError

Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]  # what joblib.delayed(function)(...) makes


@dataclass(frozen=True, kw_only=True)
class Workers:
    """By whom work is done: what a run's settings have in common. No prediction depends on it.

    Attributes:
        jobs: tasks (folds, clips) at a time; -1 uses every core.
        backend: who runs them: "loky", processes on this machine.
        retries: times that a task is started again whose worker died; then it counts as failed and the others go on.

    Raises:
        UserError: a number that is not possible.
    """

    jobs: int = 1
    backend: Literal["loky"] = "loky"
    retries: int = 2

    def __post_init__(self) -> None:
        if self.jobs == 0:
            raise UserError("jobs: 0; a number of tasks at a time, or -1 for every core")
        if self.retries < 0:
            raise UserError(f"retries: {self.retries}; 0 or more")


def work(calls: Sequence[Call], workers: Workers, lost: Callable[[int, str], Any] | None = None) -> Iterator[Any]:
    """What the calls return, in the order in which they are done. `calls` are made by `joblib.delayed(function)(...)`.

    A call whose worker dies (out of memory, killed) is started again, and with it those that were under way in the other workers: a dead
    process breaks the pool. After `workers.retries` times what is left runs one call at a time, so that the one that kills its worker is
    known and fails alone. What a call raises is raised here, as it is, and ends the work.

    Args:
        calls: what is to be done; each may be done more than once.
        workers: by whom.
        lost: number of a call in `calls` and one line -> what stands for its result, where its worker died each time.

    Raises:
        UserError: there is no `lost`, and a call was lost; after all others have returned.
    """
    left, failed = dict(enumerate(calls)), ""
    for _ in range(1 + workers.retries):
        try:
            yield from _round(left, workers)
            return
        except BrokenProcessPool:
            continue
    for number, call in list(left.items()):
        try:
            yield from _round({number: call}, workers)
        except BrokenProcessPool:
            failed = f"its worker process died {2 + workers.retries} times (out of memory?); give it more memory or less to do"
            if lost is not None:
                yield lost(number, failed)
        left.pop(number, None)
    if failed and lost is None:
        raise UserError(f"a task was lost: {failed}")


def _round(left: dict[int, Call], workers: Workers) -> Iterator[Any]:
    """Results of the calls that are left; each is taken from `left` as it is done."""
    parallel = joblib.Parallel(n_jobs=workers.jobs, return_as="generator_unordered")
    for number, result in parallel(joblib.delayed(_numbered)(number, call) for number, call in list(left.items())):
        del left[number]
        yield result


def _numbered(number: int, call: Call) -> tuple[int, Any]:
    function, positional, named = call
    return number, function(*positional, **named)
