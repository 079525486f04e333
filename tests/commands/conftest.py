"""Datasets that several commands are tried on."""

import pytest


@pytest.fixture
def two(tmp_path, write_tar):
    """Two folders with two shards each; keys repeat from shard to shard."""
    for name in ("one", "two"):
        for shard in range(2):
            samples = {key: {"txt": f"{name} {shard} {key}".encode()} for key in ("a", "b")}
            write_tar(tmp_path / f"{name}/{shard:05d}.tar", samples)
    return tmp_path / "one", tmp_path / "two"
