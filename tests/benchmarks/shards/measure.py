"""Runs contestants in turn and takes the time of each: the wall, the processors, the memory."""

import os
import resource
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

Command = list[str]


@dataclass
class Contestant:
    """Processes that run side by side. `start_up` are the same on one sample a shard: what it takes is no work."""

    name: str
    processes: list[Command]
    start_up: list[Command]
    output: Path
    seconds: list[float] = field(default_factory=list)
    start_up_seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    start_up_cpu_seconds: list[float] = field(default_factory=list)

    def run(self) -> None:
        for commands, walls, cpus in (
            (self.start_up, self.start_up_seconds, self.start_up_cpu_seconds),
            (self.processes, self.seconds, self.cpu_seconds),
        ):
            wall, cpu = timed(commands, self.output)
            walls.append(wall)
            cpus.append(cpu)

    @property
    def start(self) -> float:
        return median(self.start_up_seconds)

    @property
    def work(self) -> float:
        """Seconds, start-up excluded; the median."""
        return max(median(self.seconds) - self.start, 1e-3)

    @property
    def cpu_work(self) -> float:
        return max(median(self.cpu_seconds) - median(self.start_up_cpu_seconds), 1e-3)


def timed(commands: list[Command], output: Path) -> tuple[float, float]:
    """Wall and processor seconds of commands that run side by side, until their output is on the disk."""
    shutil.rmtree(output, ignore_errors=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    if any("loops.py" in part or part == "cp" for command in commands for part in command):
        output.mkdir()
    os.sync()
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    running = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for command in commands]
    if sum(process.wait() for process in running):
        sys.exit(f"failed: {commands}")
    subprocess.run(["sync", "-f", str(output)], check=True)
    seconds, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def peak_anonymous_mb(command: Command) -> float:
    """The most anonymous memory (MB) that a command has at one moment, as /proc says it a hundred times a second."""
    process, peak = subprocess.Popen(command), 0
    while process.poll() is None:
        try:
            lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        except OSError:
            break
        peak = max([peak, *(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))])
        time.sleep(0.01)
    if process.wait():
        sys.exit(f"failed: {command}")
    return peak / 1e3 * 1.024
