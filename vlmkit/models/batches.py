"""Running a model over a batch in which one item may be bad."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from vlmkit.errors import VlmkitError

T = TypeVar("T")
R = TypeVar("R")

# Not one item's fault: no memory, a device that failed (nothing runs on it from then on), or a user's error.
_NOT_THE_ITEM = (MemoryError, torch.OutOfMemoryError, torch.AcceleratorError, VlmkitError)


def bisect_failures(function: Callable[[Sequence[T]], Sequence[R]], items: Sequence[T]) -> list[R | Exception]:
    """One result an item, or the exception that the item alone raises; a batch that raises is split in halves.

    Memory and device errors and VlmkitError pass through.
    """
    try:
        return list(function(items))
    except _NOT_THE_ITEM:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a bad sample makes a library raise
        if len(items) <= 1:
            return [error] * len(items)
    middle = len(items) // 2
    return bisect_failures(function, items[:middle]) + bisect_failures(function, items[middle:])
