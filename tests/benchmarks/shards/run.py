"""The shard engine beside `cp` and webdataset: `python tests/benchmarks/shards/run.py > table.md`, about five minutes.

Every contestant runs once a round, each round on all of them; the table has the medians.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from data import pictures, texts, write_shards
from measure import Command, Contestant, peak_anonymous_mb

SAMPLES, TEXTS, SHARDS = 20_000, 200_000, 4
LOOPS = str(Path(__file__).with_name("loops.py"))
VLMKIT = [sys.executable, "-m", "vlmkit"]
KEEP_ALL, KEEP_HALF = ("--where", "json.chance < 2"), ("--where", "json.chance < 0.5")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", default=tempfile.gettempdir(), help="where data and outputs go, on the disk")
    parser.add_argument("--memory-folder", default="/dev/shm", help="and a tmpfs; empty for none")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="vlmkit-benchmark-", dir=options.folder) as folder:
        room = Path(folder)
        make_data(room)
        print(machine(room, load, options.rounds))
        print(on_disk(room, options.rounds))
        print(f"| anonymous memory of a pass over a 2 GB shard | | | | | {memory(room):.0f} MB | < 150 MB |\n")
        if options.memory_folder:
            with tempfile.TemporaryDirectory(prefix="vlmkit-benchmark-", dir=options.memory_folder) as tmpfs:
                for name in ("pictures", "tiny"):
                    shutil.copytree(room / name, Path(tmpfs) / name)
                print(in_memory(Path(tmpfs), max(options.rounds // 2, 1)))


def make_data(room: Path) -> None:
    write_shards(room / "pictures", pictures(SAMPLES), SAMPLES, SHARDS)
    write_shards(room / "tiny", pictures(SHARDS), SHARDS, SHARDS)
    write_shards(room / "texts", texts(TEXTS), TEXTS, SHARDS)
    write_shards(room / "tiny-texts", texts(SHARDS), SHARDS, SHARDS)
    write_shards(room / "large", pictures(36_000), 36_000, 1)


def on_disk(room: Path, rounds: int) -> str:
    cp, ours, theirs = _cp(room), _filter(room, "keep all", KEEP_ALL), _loop(room, "webdataset-all")
    our_half, their_half = _filter(room, "keep half", KEEP_HALF), _loop(room, "webdataset-half")
    walk, read, their_read = _loop(room, "vlmkit-walk"), _loop(room, "vlmkit-read"), _loop(room, "webdataset-read")
    words = _filter(room, "words", ("--min-words", "3"), "texts", workers=1)
    _rounds([cp, ours, theirs, our_half, their_half, walk, read, their_read, words], rounds)
    lines = [
        "| on the disk | work | start-up | samples/s | processors | ratio | bar |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        _row("`cp` and `sync`", cp, f"{theirs.work / cp.work:.1f} x webdataset"),
        _row("webdataset, two processes: read and write all", theirs),
        _row(
            "`vlmkit filter`, two workers: metadata, keeps all",
            ours,
            f"{theirs.work / ours.work:.1f} x webdataset, {cp.work / ours.work:.2f} of `cp`",
            ">= 10, >= 0.6",
        ),
        _row("webdataset, two processes: read, write half", their_half),
        _row(
            "`vlmkit filter`, two workers: metadata, keeps half",
            our_half,
            f"{their_half.work / our_half.work:.1f} x webdataset",
            ">= 8",
        ),
        _row("webdataset, two processes: read", their_read),
        _row("vlmkit, two processes: read", walk, f"{their_read.work / walk.work:.1f} x webdataset", ">= 15"),
        _row(
            "vlmkit, two processes: read, all data asked for", read, f"{their_read.work / read.work:.1f} x webdataset"
        ),
        _row(
            "`vlmkit filter --min-words 3`, txt and json, one worker",
            words,
            f"{TEXTS / words.cpu_work:,.0f} a core-second",
            ">= 50,000",
            TEXTS,
        ),
    ]
    return "\n".join(lines)


def in_memory(room: Path, rounds: int) -> str:
    cp, ours, theirs = _cp(room), _filter(room, "keep all", KEEP_ALL), _loop(room, "webdataset-all")
    _rounds([cp, ours, theirs], rounds)
    ratio = f"{theirs.work / ours.work:.1f} x webdataset, {cp.work / ours.work:.2f} of `cp`"
    lines = [
        "| on a tmpfs | work | start-up | samples/s | processors | ratio | bar |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        _row("`cp`", cp, f"{theirs.work / cp.work:.1f} x webdataset"),
        _row("webdataset, two processes: read and write all", theirs),
        _row("`vlmkit filter`, two workers: metadata, keeps all", ours, ratio),
    ]
    return "\n".join(lines)


def memory(room: Path) -> float:
    command = [*VLMKIT, "filter", str(room / "large"), str(room / "out"), *KEEP_ALL, "--workers", "1", "--quiet"]
    shutil.rmtree(room / "out", ignore_errors=True)
    return peak_anonymous_mb(command)


def machine(room: Path, load: float, rounds: int) -> str:
    system = subprocess.run(["stat", "-f", "-c", "%T", str(room)], capture_output=True, text=True).stdout.strip()
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), ": unknown")
    size = sum(path.stat().st_size for path in (room / "pictures").iterdir()) / 1e9
    return (
        f"{time.strftime('%Y-%m-%d')}, {len(os.sched_getaffinity(0))} cores ({model.split(':')[1].strip()}), Linux "
        f"{platform.release()}, {system}, Python {platform.python_version()}; load {load:.1f} at the beginning, "
        f"{os.getloadavg()[0]:.1f} when the data were made; medians of {rounds}; {SAMPLES:,} samples, {size:.2f} GB, "
        "read from the page cache.\n"
    )


def _cp(room: Path) -> Contestant:
    def command(name: str) -> list[Command]:
        return [["cp", *map(str, sorted((room / name).iterdir())), str(room / "out")]]

    return Contestant("cp", command("pictures"), command("tiny"), room / "out")


def _filter(
    room: Path, name: str, rule: tuple[str, ...], source: str = "pictures", workers: int = SHARDS // 2
) -> Contestant:
    def command(source: str) -> list[Command]:
        places = [str(room / source), str(room / "out")]
        return [[*VLMKIT, "filter", *places, *rule, "--workers", str(workers), "--quiet"]]

    tiny = "tiny-texts" if source == "texts" else "tiny"
    return Contestant(name, command(source), command(tiny), room / "out")


def _loop(room: Path, loop: str) -> Contestant:
    """Two processes over two shards each."""

    def commands(name: str) -> list[Command]:
        shards = sorted(map(str, (room / name).iterdir()))
        return [[sys.executable, LOOPS, loop, str(room / "out"), *part] for part in (shards[::2], shards[1::2])]

    return Contestant(loop, commands("pictures"), commands("tiny"), room / "out")


def _rounds(contestants: list[Contestant], rounds: int) -> None:
    for number in range(rounds):
        for contestant in contestants:
            contestant.run()
        print(f"round {number + 1} of {rounds}, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)


def _row(what: str, found: Contestant, ratio: str = "", bar: str = "", samples: int = SAMPLES) -> str:
    rate = f"{samples / found.work:,.0f}"
    cells = (what, f"{found.work:.2f} s", f"{found.start:.2f} s", rate, f"{found.cpu_work:.2f} s", ratio, bar)
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
