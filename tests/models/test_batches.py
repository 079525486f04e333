import pytest
import torch

from vlmkit.errors import VlmkitError
from vlmkit.models.batches import bisect_failures


def test_one_bad_item_costs_no_other():
    calls = []

    def halve(numbers):
        calls.append(len(numbers))
        if 13 in numbers:
            raise ValueError("unlucky")
        return [number / 2 for number in numbers]

    results = bisect_failures(halve, list(range(64)))
    assert isinstance(results[13], ValueError)
    assert [r for i, r in enumerate(results) if i != 13] == [n / 2 for n in range(64) if n != 13]
    assert len(calls) == 1 + 2 * 6


def test_a_good_batch_runs_once():
    calls = []
    assert bisect_failures(lambda items: calls.append(1) or items, [1, 2, 3]) == [1, 2, 3]
    assert calls == [1]


def test_rows_of_a_tensor_are_results():
    rows = bisect_failures(lambda items: torch.arange(len(items)), "abc")
    assert [row.item() for row in rows] == [0, 1, 2]


def test_every_item_may_be_bad():
    results = bisect_failures(lambda items: 1 / 0, [1, 2, 3])
    assert [type(result) for result in results] == [ZeroDivisionError] * 3


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("full"), VlmkitError("no weights")])
def test_what_is_not_the_items_fault_passes_through(error):
    def fail(items):
        raise error

    with pytest.raises(type(error)):
        bisect_failures(fail, [1, 2])
