"""Decoding and resizing in threads, ahead of the model that waits for them."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import NoReturn, TypeVar

T = TypeVar("T")
R = TypeVar("R")

THREADS = 4
MOST_PIXELS_AHEAD = 200_000_000  # 600 MB as RGB: where it binds, decoding is slower than any model


def ahead(
    function: Callable[[T], R],
    items: Iterable[T],
    window: int,
    pixels: Callable[[T], int] | None = None,
    threads: int = THREADS,
) -> Iterator[R]:
    """Results of function(item), in the order of items, computed by threads ahead of the consumer.

    What is taken and not yet handed on is bounded: by `window` items and, where `pixels` tells of an item how many it
    is decoded to, by MOST_PIXELS_AHEAD of them (a single item may have more). What the function or the items raise
    comes out at the place where it happened. A consumer that stops early waits for no more than the items being
    worked on.
    """
    pool = ThreadPoolExecutor(threads)
    pending: deque[tuple[Future[R], int]] = deque()
    try:
        for call, size in _calls(function, items, pixels):
            while pending and size + sum(other for _, other in pending) > MOST_PIXELS_AHEAD:
                yield pending.popleft()[0].result()
            pending.append((pool.submit(call), size))
            if len(pending) >= window:
                yield pending.popleft()[0].result()
        while pending:
            yield pending.popleft()[0].result()
    finally:
        pool.shutdown(cancel_futures=True)


def _calls(
    function: Callable[[T], R], items: Iterable[T], pixels: Callable[[T], int] | None
) -> Iterator[tuple[Callable[[], R], int]]:
    """What to run for each item, and its pixels; if the items end with an exception, last a call that raises it."""
    try:
        for item in items:
            yield partial(function, item), pixels(item) if pixels else 0
    except Exception as error:  # noqa: BLE001 - raised again behind the results of the items before it
        yield partial(_raise, error), 0


def _raise(error: Exception) -> NoReturn:
    raise error
