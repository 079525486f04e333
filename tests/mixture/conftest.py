"""Small datasets to mix."""

import pytest


@pytest.fixture
def texts(tmp_path, write_tar):
    """A folder of shards with the given numbers of samples: `texts("a", 3, 2)` has a-0-0 … a-0-2, a-1-0, a-1-1."""

    def make(name, *sizes, say="{}"):
        for shard, size in enumerate(sizes):
            keys = [f"{name}-{shard}-{number}" for number in range(size)]
            write_tar(tmp_path / name / f"{shard:05d}.tar", {key: {"txt": say.format(key).encode()} for key in keys})
        return tmp_path / name

    return make
