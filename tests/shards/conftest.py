"""Samples of every shape, and shards of them in memory."""

import io
from collections.abc import Callable, Iterable
from typing import BinaryIO

import pytest
from hypothesis import strategies as st

from vlmkit.shards.reader import ShardReader
from vlmkit.shards.sample import Sample, new_sample
from vlmkit.shards.writer import TarWriter

Fields = dict[str, bytes]
Samples = dict[str, Fields]

SIZES = [0, 1, 511, 512, 513, 1024, 5000]

# A base name has no dot. Line ends are left out because GNU tar lists one name a line.
_bases = st.text(st.sampled_from("abcXYZ019 _-+=~@(){}[]'\"\\*?!$&;:,%#éß中日😀\u0301"), min_size=1, max_size=12)
_long_bases = st.builds(lambda base, times: base * times, _bases, st.integers(1, 40))
_folders = st.one_of(st.just(""), st.sampled_from(["train/", "a b/c/", "v1.0/é/", "x" * 120 + "/", "0/" * 130]))
_keys = st.builds(str.__add__, _folders, st.one_of(_bases, _long_bases)).filter(lambda key: not key.startswith("__"))
_fields = st.sampled_from(["jpg", "png", "txt", "json", "cls", "0.jpg", "1.png", "mask.png", "rep.npy", "émoji"])
_data = st.one_of(
    st.binary(max_size=600),
    st.builds(lambda size, byte: byte * size, st.sampled_from(SIZES), st.binary(min_size=1, max_size=1)),
)


def _tar_of(samples: Samples) -> bytes:
    file = io.BytesIO()
    writer = TarWriter(file)
    for key, fields in samples.items():
        writer.write(new_sample(key, fields))
    writer.close()
    return file.getvalue()


def _read(tar: bytes | BinaryIO) -> tuple[list[Sample], ShardReader]:
    reader = ShardReader(io.BytesIO(tar) if isinstance(tar, bytes) else tar, "x.tar", "x")
    return list(reader), reader


def _contents(samples: Iterable[Sample]) -> list[tuple[str, list[tuple[str, bytes]]]]:
    return [(s.key, [(member.field, bytes(member.data)) for member in s.members]) for s in samples]


@pytest.fixture(scope="session")
def sample_sets() -> st.SearchStrategy[Samples]:
    """Samples by key: folders, spaces, unicode, names beyond 100 and 255 bytes, data around the block size."""
    return st.dictionaries(_keys, st.dictionaries(_fields, _data, min_size=1, max_size=4), max_size=5)


@pytest.fixture(scope="session")
def tar_of() -> Callable[[Samples], bytes]:
    """The shard that TarWriter makes of `{key: {field: bytes}}`."""
    return _tar_of


@pytest.fixture(scope="session")
def read() -> Callable[[bytes | BinaryIO], tuple[list[Sample], ShardReader]]:
    """The samples of a tar, and the reader, which knows how it ended."""
    return _read


@pytest.fixture(scope="session")
def contents() -> Callable[[Iterable[Sample]], list[tuple[str, list[tuple[str, bytes]]]]]:
    """What samples hold: `[(key, [(field, bytes), ...]), ...]`."""
    return _contents


@pytest.fixture(scope="session")
def listed() -> Callable[[Samples], list[tuple[str, list[tuple[str, bytes]]]]]:
    """The same of `{key: {field: bytes}}`."""
    return lambda samples: [(key, list(fields.items())) for key, fields in samples.items()]
