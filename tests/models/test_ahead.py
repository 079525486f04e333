import threading
import time

import pytest

from vlmkit.models.ahead import ahead


def counted(numbers, taken):
    for number in numbers:
        taken.append(number)
        yield number


def test_results_come_in_the_order_of_the_items():
    def slow_when_even(number):
        time.sleep(0.01 * (number % 2 == 0))
        return number * 10

    assert list(ahead(slow_when_even, range(30), threads=4, window=8)) == [10 * n for n in range(30)]


def test_items_run_while_the_consumer_is_busy():
    done = threading.Event()
    results = ahead(lambda number: done.set() if number == 3 else None, range(4), threads=2, window=4)
    next(results)
    assert done.wait(5)


@pytest.mark.parametrize("window", [1, 2, 7])
def test_no_more_than_the_window_is_in_flight(window):
    taken = []
    for handed_on, _ in enumerate(ahead(str, counted(range(40), taken), threads=3, window=window)):
        assert len(taken) - handed_on <= window
    assert len(taken) == 40


def test_no_items_give_no_results():
    assert list(ahead(str, [], threads=2, window=4)) == []


def test_an_exception_comes_out_at_its_items_place():
    results = ahead(lambda number: 1 // (number - 3), range(10), threads=4, window=8)
    assert [next(results) for _ in range(3)] == [-1, -1, -1]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert list(results) == []


def test_items_before_a_broken_source_still_come_out():
    def source():
        yield from range(3)
        raise OSError("the stream broke")

    results = ahead(str, source(), threads=2, window=8)
    assert [next(results) for _ in range(3)] == ["0", "1", "2"]
    with pytest.raises(OSError, match="the stream broke"):
        next(results)


def test_a_consumer_that_stops_early_leaves_no_thread_behind():
    before = threading.active_count()
    taken = []

    def slow(number):
        time.sleep(0.02)
        return number

    results = ahead(slow, counted(range(10_000), taken), threads=2, window=300)
    assert next(results) == 0
    start = time.perf_counter()
    results.close()
    assert time.perf_counter() - start < 0.5
    assert len(taken) <= 300
    assert threading.active_count() == before
