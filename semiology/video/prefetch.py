"""Threads that overlap work: an iterator that is consumed ahead of its user, a bounded queue, and a
map over several threads.

PyAV, MediaPipe and torch release Python's global lock while they compute, so threads share the
cores without copying a frame to another process.
"""

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from semiology.errors import UserError

# frames that a queue holds: two and a half seconds of a 25 Hz camera, 200 MB of full HD. [our
# choice]
QUEUE_LENGTH = 64

Item = TypeVar("Item")
Result = TypeVar("Result")


class Stalled(UserError):
    """A stream that gave nothing for too long."""


class BoundedQueue:
    """A queue of at most `limit` items between a producing and a consuming thread.

    Where it is full, the producer waits; or, with `drop`, the oldest item is dropped and counted in
    `dropped`, so that a slow consumer is late by no more than the queue.
    """

    def __init__(self, limit: int = QUEUE_LENGTH, drop: bool = False):
        self.limit, self.drop, self.dropped = limit, drop, 0
        self._items: deque = deque()
        self._change = threading.Condition()
        self._closed = False

    def put(self, item: object) -> bool:
        """Add an item; False where the queue was closed by its consumer."""
        with self._change:
            while len(self._items) >= self.limit and not self.drop and not self._closed:
                self._change.wait()
            if self._closed:
                return False
            if len(self._items) >= self.limit:
                self._items.popleft()
                self.dropped += 1
            self._items.append(item)
            self._change.notify_all()
            return True

    def get(self, timeout: float | None = None) -> object:
        """Take the oldest item.

        Args:
            timeout: s to wait for one; None waits forever.

        Raises:
            Stalled: none came in time.
        """
        with self._change:
            if not self._change.wait_for(lambda: self._items, timeout):
                raise Stalled(f"nothing came for {timeout:g} s: the stream stalled")
            item = self._items.popleft()
            self._change.notify_all()
            return item

    def close(self) -> None:
        """Refuse further items; a producer that waits is released."""
        with self._change:
            self._closed = True
            self._change.notify_all()


@dataclass(frozen=True)
class _End:
    """The last item of a queue, with the error that ended the iteration, if any."""

    error: BaseException | None = None


def prefetch(items: Iterable[Item], depth: int) -> Iterator[Item]:
    """The same items in the same order, produced by a thread at most `depth` items ahead.

    An error in the producer is raised after all items before it have been taken. When the consumer
    stops (closes the generator, or is interrupted), the thread ends with its current item, and the
    iterator is closed in that thread.
    """
    queue = BoundedQueue(depth)

    def produce() -> None:
        try:
            iterator = iter(items)
            try:
                for item in iterator:
                    if not queue.put(item):
                        break
            finally:
                if (close := getattr(iterator, "close", None)) is not None:
                    close()
        except BaseException as error:  # any: it is raised again in the consumer
            queue.put(_End(error))
        else:
            queue.put(_End())

    thread = threading.Thread(target=produce, daemon=True)
    thread.start()
    item: object = None
    try:
        while not isinstance(item := queue.get(), _End):
            yield item  # type: ignore[misc]
        if item.error is not None:
            raise item.error
    finally:
        # an error refers to this frame: if the frame refers to it too, what they hold stays in
        # memory until Python's garbage collector runs
        item = None
        # while Python shuts down, such threads stand still: waiting for one would never end
        if not sys.is_finalizing():
            queue.close()
            thread.join()


@contextmanager
def one_core() -> Iterator[None]:
    """In this thread torch computes on one core, so that results do not depend on the number of
    cores (on two, torch sums in another order) and a thread does not wait for another one's share.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)  # what is set last is what new threads inherit


def threaded_map(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """The function's results for the items, in their order, computed by as many threads as torch
    may use here; in each of them torch computes on one core.

    So the results do not depend on the number of cores (on two, torch sums in another order). At
    most twice as many items as threads are in memory.
    """
    import torch

    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    pending: deque[Future[Result]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= 2 * threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # the setting of the last thread is what new threads inherit
