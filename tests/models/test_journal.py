"""Answers that were paid for are written down whole, or not at all."""

import resource
import signal

import pytest

from vlmkit.models.journal import Journal


@pytest.fixture
def limit():
    """Bounds the size of files, for this process, until the test ends."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_an_answer_that_does_not_fit_does_not_spoil_the_others(tmp_path, limit):
    journal = Journal(tmp_path)
    journal.add("a", "first")
    limit(100)
    with pytest.raises(OSError, match="File too large") as caught:
        journal.add("b", "x" * 500)
    assert caught.value.filename == str(next(tmp_path.glob("*.jsonl")))
    journal.add("c", "third")
    journal.close()
    again = Journal(tmp_path)
    assert [again.get(key) for key in "abc"] == ["first", None, "third"]
