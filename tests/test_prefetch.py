import gc
import subprocess
import sys
import threading
from itertools import count
from pathlib import Path

import pytest

from semiology.video.prefetch import prefetch, threaded_map


def test_items_come_in_order_and_at_most_depth_of_them_ahead():
    produced = []

    def items():
        for number in range(20):
            produced.append(number)
            yield number

    for number in prefetch(items(), 3):
        assert (
            len(produced) <= number + 1 + 3 + 1
        )  # taken, waiting, and the one that waits for room
    assert produced == list(range(20))
    assert list(prefetch([], 3)) == []


def test_the_producer_works_in_another_thread_beside_the_consumer():
    both = threading.Barrier(2, timeout=10)  # broken unless both are there at once

    def items():
        yield 1
        both.wait()
        yield 2

    taken = []
    for number in prefetch(items(), 1):
        if number == 1:
            both.wait()
        taken.append(number)
    assert taken == [1, 2]


def test_an_error_in_the_making_is_raised_after_what_came_before_it():
    def items():
        yield from (1, 2)
        raise ValueError("the third cannot be produced")

    taken = []
    with pytest.raises(ValueError, match="third"):
        for number in prefetch(items(), 8):
            taken.append(number)
    assert taken == [1, 2]


def test_an_error_on_the_way_closes_the_makers_before_it_at_once():
    def items():
        yield from count()

    def halves(numbers):
        for number in numbers:
            yield 1 / (3 - number)

    before = threading.active_count()
    gc.disable()
    try:
        with pytest.raises(ZeroDivisionError) as caught:
            list(prefetch(halves(prefetch(items(), 2)), 2))
        del caught
        assert threading.active_count() == before
    finally:
        gc.enable()


@pytest.mark.parametrize("fault", ["begin", "close"])
def test_what_cannot_be_begun_or_closed_is_an_error_and_no_endless_wait(fault):
    class Things:
        def __iter__(self):
            if fault == "begin":
                raise OSError("no such video")
            return self

        def __next__(self):
            raise StopIteration

        def close(self):
            raise OSError("no such video")

    with pytest.raises(OSError, match="no such video"):
        list(prefetch(Things(), 2))


def test_python_exits_although_items_are_left():
    code = (
        "from itertools import count; from semiology.video.prefetch import prefetch; begun"
        " = prefetch(count(), 2); print(next(begun))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        timeout=60,
    )
    assert (ran.returncode, ran.stdout) == (0, "0\n"), ran.stderr


def test_when_the_consumer_stops_all_producers_are_closed_and_no_thread_is_left():
    closed = []

    def items():
        try:
            yield from count()
        finally:
            closed.append(threading.current_thread())

    def squares(numbers):
        for number in numbers:
            yield number**2

    before = threading.active_count()
    chain = prefetch(squares(prefetch(items(), 2)), 2)
    assert [next(chain) for _ in range(3)] == [0, 1, 4]
    chain.close()
    assert len(closed) == 1 and closed[0] is not threading.current_thread()
    assert threading.active_count() == before


def test_several_calls_at_a_time_keep_the_order_and_torch_computes_on_one_core_in_each():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    both = threading.Barrier(2, timeout=10)

    def call(number: int) -> tuple[int, int]:
        both.wait()
        return number, torch.get_num_threads()

    try:
        assert list(threaded_map(call, range(6))) == [(number, 1) for number in range(6)]
        assert torch.get_num_threads() == 2
        with pytest.raises(ZeroDivisionError):
            list(threaded_map(lambda number: 1 / number, [1, 0, 1]))
    finally:
        torch.set_num_threads(before)
