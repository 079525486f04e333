"""Several processes on one machine: each is told its rank as torchrun and accelerate launch tell it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager

from vlmkit.errors import RunAgain, VlmkitError
from vlmkit.training.preemption import preemptions

_POLL_S = 0.1

Process = subprocess.Popen[bytes]


def is_launched(environment: Mapping[str, str]) -> bool:
    """Whether a launcher (accelerate launch, torchrun, or `launch` here) has started this process as one of several."""
    return int(environment.get("WORLD_SIZE") or 1) > 1


def launch(processes: int, arguments: list[str]) -> int:
    """Runs this command line in `processes` processes that train together; returns the first one's exit status.

    Raises RunAgain if they were asked to stop and have saved; VlmkitError if one died: then the others are stopped.
    """
    started = [_start(rank, processes, port, arguments) for port in [_free_port()] for rank in range(processes)]
    with _passed_on(started) as asked:
        try:
            return _outcome(_wait(started), bool(asked))
        finally:
            for process in started:
                process.kill()
                process.wait()


def _start(rank: int, processes: int, port: int, arguments: list[str]) -> Process:
    """accelerate launch itself would want MPI for several processes on CPUs; and it ends them half a minute after a
    preemption signal, saved or not."""
    told = {
        "RANK": rank,
        "LOCAL_RANK": rank,
        "WORLD_SIZE": processes,
        "LOCAL_WORLD_SIZE": processes,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
    }
    threads = {"OMP_NUM_THREADS": max(1, (os.cpu_count() or 1) // processes)}
    environment = {name: str(value) for name, value in threads.items()} | dict(os.environ)
    environment |= {name: str(value) for name, value in told.items()}
    return subprocess.Popen([sys.executable, "-m", "vlmkit", *arguments], env=environment)


def _wait(started: list[Process]) -> list[int]:
    """The exit statuses of all, or of those that had ended when one of them failed."""
    while True:
        ended = [process.poll() for process in started]
        statuses = [status for status in ended if status is not None]
        if len(statuses) == len(started) or any(status not in (0, 3, RunAgain.status) for status in statuses):
            return statuses
        time.sleep(_POLL_S)


def _outcome(statuses: list[int], asked_to_stop: bool) -> int:
    failed = next((status for status in statuses if status not in (0, 3, RunAgain.status)), None)
    if failed is not None and not asked_to_stop:  # else it was asked before it could listen
        said = f"was ended by {signal.Signals(-failed).name}" if failed < 0 else "failed"
        raise VlmkitError(f"one of the processes {said}", "what it said stands above; run again, it goes on from here")
    if failed is not None or RunAgain.status in statuses:
        raise RunAgain("interrupted", "run the same command again: it goes on from here")
    return statuses[0]


def _passed_on(started: list[Process]) -> AbstractContextManager[list[int]]:
    """Preemption signals go to all processes, which save and end. Those that came."""

    def pass_on(number: int) -> None:
        for process in started:
            process.send_signal(number)

    return preemptions(pass_on)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
