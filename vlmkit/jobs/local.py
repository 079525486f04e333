"""Runs the shards of a job in processes of this machine."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from multiprocessing.queues import Queue, SimpleQueue
from threading import Thread

from vlmkit.errors import VlmkitError
from vlmkit.jobs.counts import Counts
from vlmkit.jobs.inputs import ShardInput
from vlmkit.jobs.progress import Advance, JobProgress, Ticker
from vlmkit.jobs.work import Work

Messages = SimpleQueue  # of Advance; None ends it


def run_local(work: Work, shards: list[ShardInput], workers: int, progress: JobProgress) -> list[Counts]:
    """Runs every shard; returns their counts. The first error of any of them ends the job and is raised."""
    # One thread a process: the cores are shared out by shard, and sums come out the same for any number of workers.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    workers = min(workers, len(shards))
    if workers <= 1:
        return [_run(work, shard, progress.advance) for shard in shards]
    context = multiprocessing.get_context("spawn")  # a fork would share the parent's threads and CUDA state
    with _unheard_by_children():
        resource_tracker.ensure_running()
    ranks = context.Queue()
    for rank in range(workers):
        ranks.put(rank)
    with _listening(context.SimpleQueue(), progress) as messages:
        pool = ProcessPoolExecutor(workers, context, _start_worker, (work, messages, ranks))
        return _results(pool, shards)


def _results(pool: ProcessPoolExecutor, shards: list[ShardInput]) -> list[Counts]:
    try:
        with _unheard_by_children():
            futures = [pool.submit(_run_in_worker, shard) for shard in shards]
            pool.submit(int)  # the pool looks again for what to watch: it may have looked before the last process came
        return [future.result() for future in as_completed(futures)]
    except BaseException as error:
        # An error, a signal, Ctrl-C: the workers are of no more use, and what they had not committed is made again.
        for process in multiprocessing.active_children():
            process.kill()
        if isinstance(error, BrokenProcessPool):
            hint = "if memory ran out: fewer --workers, or a smaller --batch-size; then run the same command again"
            raise VlmkitError("a worker process was killed", hint) from error
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _unheard_by_children() -> Iterator[None]:
    """Keeps from the processes that are started inside what reaches the whole group: the parent decides."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _listening(
    messages: "SimpleQueue[Advance | None]", progress: JobProgress
) -> Iterator["SimpleQueue[Advance | None]"]:
    """A thread that shows what the workers say while the block runs."""

    def listen() -> None:
        while (message := messages.get()) is not None:
            progress.advance(message)

    thread = Thread(target=listen, daemon=True)
    thread.start()
    yield messages
    messages.put(None)
    thread.join()


def _run(work: Work, shard: ShardInput, advance: Callable[[Advance], None]) -> Counts:
    ticker = Ticker(advance)
    counts = work.run(shard, ticker)
    ticker.flush(counts)
    return counts


# A worker's own work and queue: a pool hands them to it once, when it starts, and shards afterwards.
_worker: tuple[Work, Callable[[Advance], None]]


def _start_worker(work: Work, messages: "SimpleQueue[Advance | None]", ranks: "Queue[int]") -> None:
    global _worker
    _worker = work, messages.put
    os.environ["LOCAL_RANK"] = str(ranks.get())  # which GPU is this process's
    Thread(target=_die_with_parent, daemon=True).start()


def _run_in_worker(shard: ShardInput) -> Counts:
    return _run(_worker[0], shard, _worker[1])


def _die_with_parent() -> None:
    """A worker whose parent was killed must not go on writing beside the command that is run again."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
