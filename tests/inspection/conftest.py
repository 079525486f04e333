"""Tars made member by member, good and bad, and datasets that vlmkit wrote."""

import io
import json
import shlex
import signal
import sys
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from vlmkit.cli import app
from vlmkit.inspection.check import Depth, check
from vlmkit.inspection.findings import Finding, Findings
from vlmkit.inspection.folders import find


def _pack(path: Path, members: Iterable[tuple[str, bytes] | tuple[str, bytes, bytes]], **how: object) -> Path:
    """A tar of (name, data) or (name, data, type) members, as Python's tarfile writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", **{"format": tarfile.USTAR_FORMAT, **how}) as tar:
        for name, data, *kind in members:
            info = tarfile.TarInfo(name)
            info.size, info.type = len(data), kind[0] if kind else tarfile.REGTYPE
            tar.addfile(info, io.BytesIO(data))
    return path


def _inspected(*inputs: object, decode: bool = False, webdataset: bool = False) -> tuple[list[Finding], Findings]:
    """The defects of the inputs, and all findings. The cross-reading is off where a test is not about it."""
    defects: list[Finding] = []
    findings = check(find([str(source) for source in inputs]), Depth(decode, webdataset), defects.append)
    assert len(defects) == findings.defects
    return defects, findings


def _lines(*inputs: object, **how: bool) -> list[str]:
    """The lines that `check` prints for the inputs, without the folder's path."""
    return [str(Finding(Path(f.path).name, f.offset, f.member, f.what)) for f in _inspected(*inputs, **how)[0]]


def _run(folder: Path, line: str, stdin: bytes = b"") -> bytes:
    """Runs a command in this process and in `folder`; returns what it wrote to stdout."""
    words, out = shlex.split(line), io.TextIOWrapper(io.BytesIO())
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["vlmkit", *words])
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        patch.setattr(sys, "stdout", out)
        with pytest.raises(SystemExit):
            app(words)(words, prog_name="vlmkit")
    for number, handler in handlers.items():
        signal.signal(number, handler)
    out.flush()
    return out.buffer.getvalue()


@pytest.fixture(scope="session")
def pack() -> Callable[..., Path]:
    return _pack


@pytest.fixture(scope="session")
def inspect() -> Callable[..., tuple[list[Finding], Findings]]:
    return _inspected


@pytest.fixture(scope="session")
def lines() -> Callable[..., list[str]]:
    return _lines


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, picture: Callable[..., bytes]) -> Path:
    """A folder with

    - `raw/`: 3 foreign shards of 40 samples with 1 to 5 words,
    - `clean/`, `rejects/`: what `vlmkit filter --min-words 3` makes of them: 72 of 120,
    - `stream.tar`: the same 72 through a pipe,
    - `half/`: the work of the first of two parts, `none/`: a filter that keeps nothing.
    """
    folder = tmp_path_factory.mktemp("made")
    for shard in range(3):
        members = []
        for n in range(40):
            fields = {"jpg": picture("JPEG", (40, 30)), "txt": b"word " * (n % 5 + 1)}
            fields["json"] = json.dumps({"n": n, "skill": "ab"[n % 2]}).encode()
            members += [(f"{shard}{n:04d}.{field}", data) for field, data in fields.items()]
        _pack(folder / f"raw/{shard:05d}.tar", members)
    _run(folder, "filter raw clean --min-words 3 --min-side 20 --workers 1 --rejects rejects --quiet")
    _run(folder, "filter - stream.tar --min-words 3 --quiet", _run(folder, "cat raw - --quiet"))
    _run(folder, "filter raw half --min-words 3 --part 0/2 --workers 1 --quiet")
    _run(folder, "filter raw none --min-words 99 --workers 1 --quiet")
    return folder
