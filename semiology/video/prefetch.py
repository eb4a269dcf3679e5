"""Work that overlaps: a thread that makes things ahead of the one that takes them, a bounded queue
between, and calls several at a time.

PyAV, MediaPipe and torch let go of Python's lock while they compute, so threads share the cores
without copying a picture to another process.
"""

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from semiology.errors import UserError

# frames that a queue holds: two and a half seconds of a 25 Hz camera, 200 MB of full HD. [our
# choice]
QUEUE_LENGTH = 64

Thing = TypeVar("Thing")
Made = TypeVar("Made")


class Stalled(UserError):
    """A stream that gave nothing for too long."""


class BoundedQueue:
    """A queue of at most `limit` things between a thread that reads and one that works.

    Where it is full, the reader waits; or, with `drop`, the oldest thing is dropped and counted in
    `dropped`, so that a slow worker is late by no more than the queue.
    """

    def __init__(self, limit: int = QUEUE_LENGTH, drop: bool = False):
        self.limit, self.drop, self.dropped = limit, drop, 0
        self._things: deque = deque()
        self._change = threading.Condition()
        self._closed = False

    def put(self, thing: object) -> bool:
        """Add one; False where nobody wants more."""
        with self._change:
            while len(self._things) >= self.limit and not self.drop and not self._closed:
                self._change.wait()
            if self._closed:
                return False
            if len(self._things) >= self.limit:
                self._things.popleft()
                self.dropped += 1
            self._things.append(thing)
            self._change.notify_all()
            return True

    def get(self, patience: float | None = None) -> object:
        """Take the oldest; waits for it up to `patience` s, then raises `Stalled`."""
        with self._change:
            if not self._change.wait_for(lambda: self._things, patience):
                raise Stalled(f"nothing came for {patience:g} s: the stream stalled")
            thing = self._things.popleft()
            self._change.notify_all()
            return thing

    def close(self) -> None:
        """Tell the reader that nobody wants more."""
        with self._change:
            self._closed = True
            self._change.notify_all()


@dataclass(frozen=True)
class _End:
    """The last thing in a queue: why no more come."""

    error: BaseException | None = None


def prefetch(things: Iterable[Thing], depth: int) -> Iterator[Thing]:
    """The same things in the same order, made by a thread that is at most `depth` of them ahead of
    who takes them.

    An error in the making is raised when all that came before it has been taken. When the taker is
    done with it (closes the generator, or is interrupted), the thread ends with the thing at hand,
    and what it iterates over is closed in it.
    """
    waiting = BoundedQueue(depth)

    def make() -> None:
        try:
            making = iter(things)
            try:
                for thing in making:
                    if not waiting.put(thing):
                        break
            finally:
                if (close := getattr(making, "close", None)) is not None:
                    close()
        except BaseException as error:  # whatever it is, it belongs to who takes the things
            waiting.put(_End(error))
        else:
            waiting.put(_End())

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    thing: object = None
    try:
        while not isinstance(thing := waiting.get(), _End):
            yield thing  # type: ignore[misc]
        if thing.error is not None:
            raise thing.error
    finally:
        # an error refers to this frame: if the frame refers to it too, what they hold stays until
        # Python's collector comes by
        thing = None
        if (
            not sys.is_finalizing()
        ):  # at the very end of Python such threads stand still: waiting for one would be for ever
            waiting.close()
            thread.join()


def threaded_map(call: Callable[[Thing], Made], things: Iterable[Thing]) -> Iterator[Made]:
    """What `call` returns for each thing, in their order, from as many threads as torch may use
    here; in each, torch computes on one core.

    So what comes out does not depend on the number of cores: on two, torch adds up in another
    order. As many things wait as there are threads.
    """
    import torch

    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    waiting: deque[Future[Made]] = deque()
    try:
        for thing in things:
            waiting.append(pool.submit(call, thing))
            if len(waiting) >= 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # what a thread was told is what later threads begin with
