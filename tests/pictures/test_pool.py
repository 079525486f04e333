import threading
import time

import pytest

from vlmkit.pictures import pool
from vlmkit.pictures.pool import ahead


def counted(numbers, taken):
    for number in numbers:
        taken.append(number)
        yield number


def test_results_come_in_the_order_of_the_items():
    def slow_when_even(number):
        time.sleep(0.01 * (number % 2 == 0))
        return number * 10

    assert list(ahead(slow_when_even, range(30), window=8, threads=4)) == [10 * n for n in range(30)]


def test_items_run_while_the_consumer_is_busy():
    done = threading.Event()
    results = ahead(lambda number: done.set() if number == 3 else None, range(4), window=4, threads=2)
    next(results)
    assert done.wait(5)


@pytest.mark.parametrize("window", [1, 2, 7])
def test_no_more_than_the_window_is_in_flight(window):
    taken = []
    for handed_on, _ in enumerate(ahead(str, counted(range(40), taken), window=window, threads=3)):
        assert len(taken) - handed_on <= window
    assert len(taken) == 40


def test_no_items_give_no_results():
    assert list(ahead(str, [], window=4, threads=2)) == []


def test_an_exception_comes_out_at_its_items_place():
    results = ahead(lambda number: 1 // (number - 3), range(10), window=8, threads=4)
    assert [next(results) for _ in range(3)] == [-1, -1, -1]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert list(results) == []


def test_items_before_a_broken_source_still_come_out():
    def source():
        yield from range(3)
        raise OSError("the stream broke")

    results = ahead(str, source(), window=8, threads=2)
    assert [next(results) for _ in range(3)] == ["0", "1", "2"]
    with pytest.raises(OSError, match="the stream broke"):
        next(results)


def test_a_consumer_that_stops_early_leaves_no_thread_behind():
    before = threading.active_count()
    taken = []

    def slow(number):
        time.sleep(0.02)
        return number

    results = ahead(slow, counted(range(10_000), taken), window=300, threads=2)
    assert next(results) == 0
    start = time.perf_counter()
    results.close()
    assert time.perf_counter() - start < 0.5
    assert len(taken) <= 300
    assert threading.active_count() == before


def test_large_pictures_are_not_gathered(monkeypatch):
    """Of 30 each, 100 in flight are three; one that is larger than all room goes alone."""
    monkeypatch.setattr(pool, "MOST_PIXELS_AHEAD", 100)
    sizes = [30] * 20 + [500] + [30] * 20
    taken = []
    for handed_on, _ in enumerate(ahead(str, counted(sizes, taken), window=16, pixels=lambda size: size)):
        waiting = taken[handed_on:-1]  # the last was looked at, and waits for room
        assert sum(waiting) <= 100 or len(waiting) == 1
    assert taken == sizes


def test_small_pictures_are_bounded_by_their_number(monkeypatch):
    monkeypatch.setattr(pool, "MOST_PIXELS_AHEAD", 100)
    taken = []
    results = ahead(str, counted([1] * 40, taken), window=16, pixels=lambda size: size)
    next(results)
    assert len(taken) == 16
    results.close()
