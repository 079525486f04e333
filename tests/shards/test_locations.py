"""Every way to say where shards lie, and what a user hears who got it wrong."""

import io
import sys
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from vlmkit.errors import VlmkitError
from vlmkit.shards.dataset import plan_path
from vlmkit.shards.locations import Location, locate, open_shard, shard_name


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`pool/` with six tars and what else lies in such folders; the working directory is its parent."""
    folder = tmp_path / "pool"
    folder.mkdir()
    for number in (3, 0, 1, 10, 2):
        (folder / f"{number:05}.tar").write_bytes(bytes(1024))
    for name in ("zz.tar.gz", "00000.parquet", "00000_stats.json", "._00000.tar", ".part.tar", "notes.txt"):
        (folder / name).touch()
    monkeypatch.chdir(tmp_path)
    return folder


def names(location: Location) -> list[str]:
    return [shard.name for shard in location.shards]


def refusal(*texts: str) -> VlmkitError:
    with pytest.raises(VlmkitError) as error:
        locate(list(texts))
    assert error.value.message
    assert error.value.hint
    assert "\n" not in error.value.message
    return error.value


# The ways


def test_a_folder_is_its_tars_in_name_order(pool):
    (location,) = locate(["pool"])
    assert names(location) == ["00000", "00001", "00002", "00003", "00010", "zz"]
    assert location.folder == Path("pool")
    assert location.source == "pool"
    assert not location.is_stream


def test_a_slash_at_the_end_says_nothing(pool):
    (with_slash,), (without,) = locate(["pool/"]), locate(["pool"])
    assert names(with_slash) == names(without)
    assert with_slash.source == without.source == "pool"


def test_a_tar(pool):
    (location,) = locate(["pool/00002.tar"])
    assert [(shard.name, shard.path) for shard in location.shards] == [("00002", "pool/00002.tar")]
    assert (location.source, location.folder) == ("00002", None)


@pytest.mark.parametrize("path", ["a/x.tar", "x.tar.gz", "x.tgz", "x.tar.zst", "s3://bucket/a/x.tar", "x", "x/"])
def test_a_shard_is_named_by_its_file_without_suffixes(path):
    assert shard_name(path) == "x"


def test_dots_inside_a_name_stay():
    assert shard_name("laion.v1.tar") == "laion.v1"


def test_a_brace_range_keeps_its_order(pool):
    (location,) = locate(["pool/{00003..00001}.tar"])
    assert names(location) == ["00003", "00002", "00001"]
    assert location.source == "00003-00001"
    (several,) = locate(["pool/{00000..00001}.tar"])
    assert names(several) == ["00000", "00001"]
    (listed,) = locate(["pool/{00010,00002}.tar"])
    assert names(listed) == ["00010", "00002"]


def test_a_glob_is_in_name_order(pool):
    (location,) = locate(["pool/0000[0-2]*.tar"])
    assert names(location) == ["00000", "00001", "00002"]
    (all_of_them,) = locate(["pool/*.tar"])
    assert names(all_of_them) == ["00000", "00001", "00002", "00003", "00010"]
    assert all_of_them.source == "input"


def test_a_glob_inside_a_brace(pool):
    (location,) = locate(["pool/{0000,zz}*.tar*"])
    assert names(location) == ["00000", "00001", "00002", "00003", "zz"]


def test_a_file_whose_name_looks_like_a_glob_is_that_file(pool):
    (pool / "x[1].tar").touch()
    assert names(locate(["pool/x[1].tar"])[0]) == ["x[1]"]


def test_several_joined_or_given_are_several_inputs(pool):
    assert [names(location) for location in locate(["pool/00000.tar::pool/{00001..00002}.tar", "pool/00003.tar"])] == [
        ["00000"],
        ["00001", "00002"],
        ["00003"],
    ]


def test_a_list_names_one_location_a_line(pool, tmp_path):
    (tmp_path / "more.txt").write_text("pool/00010.tar\n")
    (tmp_path / "list.txt").write_text(
        "# first\n\n  pool/00000.tar  \npool/00001.tar::pool/00002.tar\n  # x\n@more.txt\n"
    )
    assert [names(location) for location in locate(["@list.txt"])] == [["00000"], ["00001"], ["00002"], ["00010"]]


def test_a_stream(pool):
    (location,) = locate(["-"])
    assert location.is_stream
    assert (location.source, location.folder) == ("stdin", None)


def test_a_stream_beside_files(pool):
    assert [location.is_stream for location in locate(["pool/00000.tar", "-"])] == [False, True]


def test_an_overlay_lies_over_what_stands_before_it(pool, tmp_path):
    for name in ("captions", "boxes"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "00001.tar").touch()
    (location,) = locate(["pool/+captions/+boxes/"])
    assert names(location) == ["00000", "00001", "00002", "00003", "00010", "zz"]
    assert [overlay.folder for overlay in location.overlays] == [Path("captions"), Path("boxes")]
    assert (location.source, location.folder) == ("pool", Path("pool"))
    assert location.text == "pool/+captions/+boxes/"
    two = locate(["pool/+captions", "boxes"])
    assert [len(location.overlays) for location in two] == [1, 0]


@pytest.mark.parametrize("base", ["pool/00001.tar", "pool/{00001..00002}.tar", "pool/0000[12].tar"])
def test_an_overlay_lies_over_tars_too(pool, base):
    (location,) = locate([f"{base}/+pool"])
    assert names(location)[0] == "00001"
    assert location.overlays[0].folder == Path("pool")


def test_a_url_is_taken_as_it_is():
    (location,) = locate(["s3://bucket/laion/{00000..00002}.tar"])
    assert [shard.path for shard in location.shards] == [f"s3://bucket/laion/0000{n}.tar" for n in range(3)]
    assert names(location) == ["00000", "00001", "00002"]
    assert location.source == "00000-00002"


@pytest.mark.parametrize(
    ("text", "source"), [("laion.v1", "laion-v1"), (".", "input"), ("a b", "a b"), ("x.tar.d", "x-tar-d")]
)
def test_a_source_can_stand_in_a_key(pool, tmp_path, text, source):
    (tmp_path / text).mkdir(exist_ok=True)
    (tmp_path / text / "0.tar").touch()
    assert locate([text])[0].source == source


def test_a_dataset_that_kept_nothing_is_an_input_without_shards(tmp_path):
    plan_path(tmp_path).parent.mkdir()
    plan_path(tmp_path).write_text("{}")
    assert locate([str(tmp_path)])[0].shards == ()


# What goes wrong


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["nowhere"], "no such folder or tar: nowhere"),
        (["pool/00099.tar"], "no such folder or tar: pool/00099.tar"),
        (["pool/{00002..00004}.tar"], "no such folder or tar: pool/00004.tar"),
        (["pool/x*.tar"], "no file matches pool/x*.tar"),
        (["pool/{00000..00002.tar"], "pool/{00000..00002.tar: unbalanced braces"),
        (["pool/00000.tar::"], "no such folder or tar: "),
        ([""], "no such folder or tar: "),
        (["@nowhere.txt"], "no list of inputs at nowhere.txt"),
        (["@pool"], "no list of inputs at pool"),
        (["@"], "no list of inputs at "),
        (["@pool/binary"], "no list of inputs at pool/binary"),
        (["@pool/self.txt"], "@pool/self.txt names itself"),
        (["pool/+nowhere"], "no such folder or tar: nowhere"),
        (["-/+pool"], "-/+pool: nothing can be laid over a stream"),
        (["-", "pool", "-"], "- is named twice, and standard input can be read once"),
        (["-::-"], "- is named twice, and standard input can be read once"),
    ],
)
def test_a_wrong_location_is_told_in_one_line_with_a_hint(pool, texts, message):
    (pool / "binary").write_bytes(b"\xff\xfe\x00")
    (pool / "self.txt").write_text("pool/00000.tar\n@pool/self.txt\n")
    assert refusal(*texts).message == message


def test_a_folder_without_tars_is_refused(tmp_path):
    (tmp_path / "a.jpg").touch()
    (tmp_path / ".a.tar").touch()
    assert refusal(str(tmp_path)).message == f"no tars in {tmp_path}"


@pytest.mark.parametrize("text", ["pool", "pool/*", "pool/00000.tar*", "pool/{00000,00000}.tar"])
def test_two_shards_of_one_name_can_not_be_one_input(pool, text):
    (pool / "00000.tar.gz").touch()
    assert "have the same shard name" in refusal(text).message


def test_as_several_inputs_they_can(pool):
    (pool / "00000.tar.gz").touch()
    assert len(locate(["pool/00000.tar::pool/00000.tar.gz"])) == 2


# Opening


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("pool/gone.tar", "pool/gone.tar: No such file or directory"),
        ("pool", "pool: Is a directory"),
        ("file:///gone.tar", "file:///gone.tar: No such file or directory"),
        ("memory://gone.tar", "memory://gone.tar: "),
        ("nosuch://a/b.tar", "nosuch://a/b.tar: Protocol not known: nosuch"),
    ],
)
def test_a_tar_that_can_not_be_opened_is_told_with_a_hint(pool, path, message):
    with pytest.raises(VlmkitError) as error:
        open_shard(path)
    assert error.value.message.startswith(message)
    assert error.value.hint


def test_a_url_whose_protocol_needs_a_package_says_which(monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    with pytest.raises(VlmkitError, match="s3fs") as error:
        open_shard("s3://bucket/x.tar")
    assert "install" in error.value.hint


def test_a_url_is_read_through_fsspec(tar_of: Callable, read: Callable):
    with fsspec.open("memory://pool/x.tar", "wb") as file:
        file.write(tar_of({"a": {"txt": b"x"}}))
    with open_shard("memory://pool/x.tar") as file:
        samples, reader = read(file)
    assert [sample.key for sample in samples] == ["a"]
    assert reader.unbroken


def test_a_compressed_url_is_decompressed(tar_of: Callable, read: Callable):
    import gzip

    with fsspec.open("memory://pool/x.tar.gz", "wb") as file:
        file.write(gzip.compress(tar_of({"a": {"txt": b"x"}})))
    with open_shard("memory://pool/x.tar.gz") as file:
        assert [sample.key for sample in read(file)[0]] == ["a"]


def test_a_stream_is_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"bytes")))
    assert open_shard("-").read() == b"bytes"


def test_a_terminal_is_no_tar(monkeypatch):
    terminal = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stdin", terminal)
    with pytest.raises(VlmkitError, match="a terminal"):
        open_shard("-")


@pytest.fixture
def remote_pool():
    """A folder of a store with three tars, something else, and one folder below."""
    store = fsspec.filesystem("memory")
    for name in ("in/00000.tar", "in/00001.tar", "in/00010.tar", "in/00000.parquet", "in/old/00099.tar"):
        store.pipe_file(f"/{name}", b"")
    yield "memory://in"
    store.rm("/in", recursive=True)


@pytest.mark.parametrize("text", ["memory://in", "memory://in/"])
def test_a_folder_of_a_store_is_its_tars_in_name_order(remote_pool, text):
    (location,) = locate([text])
    assert names(location) == ["00000", "00001", "00010"]
    assert str(location.folder) == "memory://in"
    assert location.source == "in"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("memory://in/0000*.tar", ["00000", "00001"]),
        ("memory://in/{00000..00001}.tar", ["00000", "00001"]),
        ("memory://in/00010.tar", ["00010"]),
        ("memory://in/*/*.tar", ["00099"]),
    ],
)
def test_patterns_and_ranges_of_a_store(remote_pool, text, found):
    (location,) = locate([text])
    assert names(location) == found
    assert all(shard.path.startswith("memory://in/") for shard in location.shards)
    assert location.folder is None


def test_an_overlay_of_a_store(remote_pool):
    (location,) = locate(["memory://in/+memory://in/old/"])
    assert (location.text, str(location.overlays[0].folder)) == ("memory://in/+memory://in/old/", "memory://in/old")


@pytest.mark.parametrize("text", ["memory://none", "memory://in/none/", "memory://in/*.zip"])
def test_what_a_store_does_not_have(remote_pool, text):
    with pytest.raises(VlmkitError, match=r"no such folder or tar|no file matches"):
        locate([text])


def test_a_list_in_a_store(remote_pool):
    fsspec.filesystem("memory").pipe_file("/in/list.txt", b"memory://in/00001.tar\nmemory://in/00010.tar\n")
    assert [name for location in locate(["@memory://in/list.txt"]) for name in names(location)] == ["00001", "00010"]
