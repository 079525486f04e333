"""Decoding and resizing in threads, ahead of the model that waits for them."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def ahead(function: Callable[[T], R], items: Iterable[T], threads: int, window: int) -> Iterator[R]:
    """Results of function(item), in the order of items, computed by threads ahead of the consumer.

    At most `window` items are taken and not yet handed on, which bounds the memory. What the function or the
    items raise comes out at the place where it happened. A consumer that stops early waits for no more than
    the items being worked on.
    """
    pool = ThreadPoolExecutor(threads)
    pending: deque[Future[R]] = deque()
    try:
        for future in _submitted(pool, function, items):
            pending.append(future)
            if len(pending) >= window:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _submitted(pool: ThreadPoolExecutor, function: Callable[[T], R], items: Iterable[T]) -> Iterator[Future[R]]:
    """A future for each item; if the items end with an exception, one more that raises it."""
    try:
        for item in items:
            yield pool.submit(function, item)
    except Exception as error:  # noqa: BLE001 - raised again behind the results of the items before it
        failed: Future[R] = Future()
        failed.set_exception(error)
        yield failed
