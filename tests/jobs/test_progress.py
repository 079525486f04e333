"""What a person sees while a job runs and when it is done."""

import io
import sys

import pytest

from vlmkit.jobs import progress
from vlmkit.jobs.counts import Counts
from vlmkit.jobs.progress import JobProgress, Ticker, print_closing
from vlmkit.jobs.result import Result


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def stderr(monkeypatch):
    def replaced(file):
        monkeypatch.setattr(sys, "stderr", file)
        return file

    return replaced


def test_a_terminal_shows_a_bar_with_rates(stderr, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    file = stderr(Terminal())
    with JobProgress("filter", 1000) as bar:
        bar.advance((500, 40, 10))
    assert "40 samples" in file.getvalue()
    assert "25.0% kept" in file.getvalue()


def test_a_log_file_gets_a_plain_line_now_and_then(stderr, monkeypatch):
    file = stderr(io.StringIO())
    with JobProgress("filter", 1000) as shown:
        shown.advance((100, 4, 1))
        assert file.getvalue() == ""
        monkeypatch.setattr(progress, "_LINE_EVERY_S", 0)
        shown.advance((400, 36, 9))
    (line,) = file.getvalue().splitlines()
    assert line.startswith("vlmkit filter: 50%, 40 samples, ")
    assert line.endswith(" MB/s, 25.0% kept")


@pytest.mark.parametrize("file", [io.StringIO, Terminal])
def test_quiet_shows_neither(stderr, monkeypatch, file):
    monkeypatch.setattr(progress, "_LINE_EVERY_S", 0)
    out = stderr(file())
    with JobProgress("filter", 1000, quiet=True) as shown:
        shown.advance((500, 40, 10))
    assert out.getvalue() == ""


def test_a_ticker_passes_on_what_was_added():
    said = []
    ticker, counts = Ticker(said.append), Counts()
    for _ in range(3):
        counts.samples_in += 2
        counts.samples_out += 1
        counts.bytes_in += 10
        ticker.flush(counts)
    assert said == [(10, 2, 1)] * 3


def test_the_closing_table_is_plain_text_when_nobody_watches(stderr):
    file = stderr(io.StringIO())
    counts = Counts(samples_in=1200, samples_out=1000, bytes_in=2_000_000)
    counts.reasons.update({"words >= 3": 150, "no image": 50})
    print_closing("filter", counts, 2.0, ["look at [bold]this[/bold] :cat:"])
    words = [line.split() for line in file.getvalue().splitlines()]
    assert words == [
        ["vlmkit", "filter"],
        ["samples", "in", "1,200"],
        ["dropped:", "words", ">=", "3", "150", "12.5%"],
        ["dropped:", "no", "image", "50", "4.2%"],
        ["samples", "out", "1,000", "83.3%"],
        ["seconds", "2.0", "600/s,", "1.0", "MB/s"],
        ["note:", "look", "at", "[bold]this[/bold]", ":cat:"],
    ]


@pytest.mark.parametrize(
    ("counts", "status"),
    [
        (Counts(samples_in=100, bad=5), 0),
        (Counts(samples_in=100, bad=6), 3),
        (Counts(samples_in=0, bad=0), 0),
        (Counts(samples_in=100, damage=["x.tar: cut off"]), 3),
    ],
)
def test_the_exit_status_of_a_job_that_is_done(counts, status):
    assert Result(counts).status(max_bad=0.05) == status
    assert Result(counts, already_done=True).status(max_bad=0.05) == 0


def test_counts_add_up_and_go_into_json_and_back():
    one = Counts(samples_in=3, samples_out=2, bad=1, damage=["a"], earlier=[{"command": "cat"}], seconds=0.5)
    one.reasons["no text"] += 1
    total = Counts.total([one, one])
    assert (total.samples_in, total.bad, total.reasons["no text"], total.seconds) == (6, 2, 2, 1.0)
    assert total.earlier == [{"command": "cat"}], "one pipe has one history"
    assert Counts.from_json(total.as_json()) == total
    assert total.since(one) == Counts(samples_in=3, samples_out=2, bad=1, damage=["a"], reasons=one.reasons)
