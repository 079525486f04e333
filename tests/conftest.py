"""What tests share: pictures and tars made on the spot (tars by the standard library), and the command line."""

import io
import json
import os
import signal
import sys
import sysconfig
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import settings
from PIL import Image

# Properties are tried on the same examples everywhere, for as long as a busy machine takes.
settings.register_profile("vlmkit", deadline=None, derandomize=True, database=None, print_blob=True)
settings.load_profile("vlmkit")

PREEMPTION = (signal.SIGTERM, signal.SIGUSR1)


def pytest_collection_modifyitems(items):
    """The longest first, so that processes that share the tests end together."""
    items.sort(key=lambda item: ("quickstart" not in item.name, item.get_closest_marker("slow") is None))


@dataclass(frozen=True)
class Done:
    """How a command ended: its exit status, and what it wrote."""

    status: int
    out: bytes
    err: str


def _picture(kind="PNG", size=(8, 8), color=(9, 120, 60), **options):
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, kind, **options)
    return file.getvalue()


def _write_tar(path, samples, format=tarfile.USTAR_FORMAT):
    """A tar of `{key: {field: bytes}}` by the standard library, with headers that vlmkit would not write."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=format) as tar:
        for key, fields in samples.items():
            for field, data in fields.items():
                info = tarfile.TarInfo(f"{key}.{field}")
                info.size, info.mtime, info.mode, info.uid, info.uname = len(data), 1_234_567_890, 0o600, 4711, "else"
                tar.addfile(info, io.BytesIO(data))
    return path


def _members(tar):
    """The members of a tar (a path, or bytes) by name, in order: each its raw run of bytes, headers and padding too."""
    data = tar if isinstance(tar, bytes) else Path(tar).read_bytes()
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        found = opened.getmembers()
        return {info.name: data[info.offset : info.offset_data + info.size + -info.size % 512] for info in found}


def _rows(table):
    """The rows of a table by key, without nulls."""
    rows = pq.read_table(table).to_pylist()
    return {row["key"]: {name: value for name, value in row.items() if value is not None} for row in rows}


@pytest.fixture(scope="session")
def picture():
    return _picture


@pytest.fixture(scope="session")
def write_tar():
    return _write_tar


@pytest.fixture(scope="session")
def members():
    return _members


@pytest.fixture(scope="session")
def rows():
    return _rows


@pytest.fixture(scope="session")
def script():
    """The path of the installed command."""
    return str(Path(sysconfig.get_path("scripts")) / "vlmkit")


@pytest.fixture(scope="session")
def open_clip_folder(tmp_path_factory) -> Path:
    """A random open_clip model of about 2 million weights; open_clip brings the tokenizer."""
    import open_clip
    import torch

    folder = tmp_path_factory.mktemp("open_clip")
    model = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
        "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
    }
    preprocess = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "interpolation": "bicubic"}
    config = {"model_cfg": model, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    torch.manual_seed(0)
    torch.save(open_clip.CLIP(**model).state_dict(), folder / "open_clip_pytorch_model.bin")
    return folder


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Installs a package of one module with an entry point, for this process and for those that it starts."""
    modules = []

    def install(group, name, code, attribute):
        site = tmp_path / "site"
        about = site / f"{name}-1.0.dist-info"
        about.mkdir(parents=True)
        (site / f"{name}_plugin.py").write_text(code)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[{group}]\n{name} = {name}_plugin:{attribute}\n")
        monkeypatch.syspath_prepend(site)
        monkeypatch.setenv("PYTHONPATH", str(site), prepend=os.pathsep)
        modules.append(f"{name}_plugin")

    yield install
    for module in modules:
        sys.modules.pop(module, None)


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch):
    """No hub, no scheduler, wide lines: whatever machine the tests run on."""
    for name in [name for name in os.environ if name.startswith("SLURM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def vlmkit(monkeypatch):
    """Runs a command line in this process, and without more unless it says --workers, as on a machine of one core:
    `vlmkit("filter", folder, out, "--min-words", 3, stdin=b"")`.
    """

    def run(*arguments, stdin=b""):
        from vlmkit.cli import app

        words = [str(argument) for argument in arguments]
        out, err = io.TextIOWrapper(io.BytesIO()), io.StringIO()
        with monkeypatch.context() as patch:
            patch.setattr(os, "sched_getaffinity", lambda pid: {0})
            patch.setattr(sys, "argv", ["vlmkit", *words])
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            with pytest.raises(SystemExit) as ended:
                app(words)(words, prog_name="vlmkit")
        out.flush()
        return Done(ended.value.code, out.buffer.getvalue(), err.getvalue())

    handlers = [signal.getsignal(name) for name in PREEMPTION]
    yield run
    for name, handler in zip(PREEMPTION, handlers, strict=True):
        signal.signal(name, handler)
