"""Datasets to export, and Hugging Face's loader to read what came of them."""

import json

import pytest


@pytest.fixture
def dataset(tmp_path, write_tar):
    """A folder of one shard for each list: `dataset("in", [{"png": b"", "json": {}}, ...])`, with keys 0000, 0001, …"""

    def make(name, *shards):
        number = 0
        for shard, samples in enumerate(shards):
            named = {}
            for fields in samples:
                named[f"{number:04d}"] = {
                    f: d if isinstance(d, bytes) else json.dumps(d).encode() for f, d in fields.items()
                }
                number += 1
            write_tar(tmp_path / name / f"{shard:05d}.tar", named)
        return tmp_path / name

    return make


@pytest.fixture
def load(tmp_path, monkeypatch):
    """All rows of files as Hugging Face's loader gives them: `load("webdataset", "out/*.tar", streaming=True)`."""
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()

    def read(kind, files, streaming=False):
        found = datasets.load_dataset(
            kind,
            data_files=str(tmp_path / files),
            split="train",
            streaming=streaming,
            cache_dir=str(tmp_path / "cache"),
        )
        return found.features, list(found)

    return read
