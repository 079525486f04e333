"""Remote files arrive whole or not at all, whatever stores and servers do. Nothing here leaves this machine."""

import contextlib
import gzip
import io
import itertools
import random
import re
import socket
import struct
import tarfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import fsspec
import pytest
from fsspec.spec import AbstractFileSystem
from hypothesis import given
from hypothesis import strategies as st

from vlmkit.errors import VlmkitError
from vlmkit.shards import remote, store
from vlmkit.shards.locations import open_shard
from vlmkit.shards.reader import ShardReader
from vlmkit.shards.remote import RemoteFile, RemoteObject

MB = 1 << 20
FAULTS = ("short", "empty", "reset", "timeout")


class Faulty(AbstractFileSystem):
    """A store whose answers fail as `faults` says: one word an answer, `fine` when it is used up."""

    protocol = "faulty"
    cachable = False
    objects: dict[str, bytes] = {}  # noqa: RUF012
    faults: list[str] = []  # noqa: RUF012
    asked: list[tuple[int, int]] = []  # noqa: RUF012
    version = "1"
    broken_from = 1 << 62  # no byte beyond this can be had

    def info(self, path, **options):
        if path not in self.objects:
            raise FileNotFoundError(path)
        return {"name": path, "size": len(self.objects[path]), "type": "file", "ETag": Faulty.version}

    def cat_file(self, path, start=None, end=None, **options):
        if path not in self.objects:  # a read ahead that an earlier test left
            raise FileNotFoundError(path)
        fault = Faulty.faults.pop() if Faulty.faults else "fine"
        Faulty.asked.append((start, end))
        if fault == "reset" or end > Faulty.broken_from:
            raise ConnectionResetError("reset by peer")
        if fault == "expired":
            raise PermissionError("the token has expired")
        if fault == "gone":
            raise FileNotFoundError(path)
        if fault == "timeout":
            raise TimeoutError
        if fault == "changed":
            Faulty.version = "2"
        data = self.objects[path][start:end]
        return {"short": data[: len(data) // 3], "empty": b""}.get(fault, data)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(store, "_PAUSE_S", 0)


@pytest.fixture(scope="module")
def faulty():
    fsspec.register_implementation("faulty", Faulty, clobber=True)

    numbers = itertools.count()

    def put(data, faults=(), name="x.tar"):
        path = f"{next(numbers)}/{name}"
        Faulty.objects, Faulty.faults, Faulty.asked = {path: data}, list(faults), []
        Faulty.version, Faulty.broken_from = "1", 1 << 62
        return f"faulty://{path}"

    return put


def noise(size, seed=0):
    return random.Random(seed).randbytes(size)


def read_all(file, sizes):
    """Everything, in reads of these sizes; each must give what it was asked for until the end."""
    parts = [b"-"]
    while parts[-1]:
        size = next(sizes)
        parts.append(file.read(size))
        assert len(parts[-1]) == size or file.tell() == file.size_bytes
    return b"".join(parts[1:])


@given(
    size=st.one_of(st.integers(0, 3 * MB), st.sampled_from([MB, MB + 1, 3 * MB, 20 * MB])),
    seed=st.integers(0, 1000),
    many=st.integers(0, 5),
)
def test_every_byte_arrives_through_faults(faulty, size, seed, many):
    chance = random.Random(seed)
    data = noise(size, seed)
    # Of blocks that are fetched at once one may meet all faults: five do not end the patience.
    faults = chance.sample([*chance.choices(FAULTS, k=many), *["fine"] * 20], 20 + many)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "_PAUSE_S", 0)
        with RemoteFile(faulty(data, faults)) as file:
            assert read_all(file, iter(lambda: chance.choice([1 << 12, 1 << 18, MB, 5 * MB]), None)) == data


@pytest.mark.parametrize("fault", [*FAULTS, "expired", "gone"])
def test_what_goes_on_failing_is_an_error_and_no_end(faulty, fault):
    url = faulty(noise(3 * MB), [fault] * 200)
    with RemoteFile(url) as file, pytest.raises(VlmkitError) as raised:
        list(iter(lambda: file.read(1 << 18), b""))
    assert not isinstance(raised.value, OSError), "readers of tars take an OSError for damage"
    assert raised.value.message.startswith(f"{url}: ")
    assert raised.value.hint


def test_a_retry_asks_for_what_is_missing_in_smaller_pieces(faulty):
    data = noise(8 * MB)
    remote_object = RemoteObject(faulty(data, ["reset", "short"]))
    assert remote_object.read(0, 8 * MB) == data
    first, second, third, *rest = Faulty.asked
    got = 8 * MB // 3
    assert first == (0, 8 * MB)
    assert second == (got, got + 2 * MB), "a third of it was there, and a quarter as much is asked for"
    assert third == (got, got + MB // 2)
    assert rest[-1][1] == 8 * MB


def test_an_object_that_changes_while_it_is_read_is_an_error_before_its_end(faulty):
    data = noise(3 * MB)
    with RemoteFile(faulty(data, ["changed"])) as file:
        with pytest.raises(VlmkitError, match="was changed while it was read"):
            list(iter(lambda: file.read(1 << 16), b""))
        assert file.tell() < len(data), "the last bytes are not given"


def test_an_object_that_is_another_when_it_is_asked_for_again(faulty):
    remote_object = RemoteObject(faulty(noise(MB), ["reset"]))
    Faulty.version = "2"
    with pytest.raises(VlmkitError, match="was changed while it was read"):
        remote_object.read(0, MB)


def test_no_more_is_fetched_ahead_than_fits(faulty):
    with RemoteFile(faulty(noise(100 * MB))) as file:
        file.read(1)
        deadline = time.monotonic() + 5
        while len(Faulty.asked) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05)
        assert sorted(Faulty.asked) == [(0, MB), (MB, 3 * MB), (3 * MB, 7 * MB), (7 * MB, 15 * MB)]
        file.read(15 * MB)
        time.sleep(0.05)
        assert max(end for _, end in Faulty.asked) <= 15 * MB + 4 * 8 * MB


def test_after_a_seek_just_what_is_read_is_fetched(faulty):
    data = noise(30 * MB)
    with RemoteFile(faulty(data)) as file:
        file.seek(-100, io.SEEK_END)
        assert file.read() == data[-100:]
        file.seek(7 * MB)
        assert file.read(10) == data[7 * MB : 7 * MB + 10]
        assert file.read(5) == data[7 * MB + 10 : 7 * MB + 15]
    assert Faulty.asked[:2] == [(30 * MB - 100, 30 * MB), (7 * MB, 7 * MB + 10)]


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_a_remote_tar_that_fails_in_the_middle_is_not_a_damaged_tar(faulty, suffix):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for number in range(40):
            info = tarfile.TarInfo(f"{number:05d}.jpg")
            info.size = 100_000
            tar.addfile(info, io.BytesIO(noise(100_000, number)))
    data = file.getvalue() if suffix == ".tar" else gzip.compress(file.getvalue(), 1)
    url = faulty(data, name=f"x{suffix}")
    with open_shard(url) as opened:
        reader = ShardReader(opened, "x")
        assert len(list(reader)) == 40
        assert reader.unbroken
    Faulty.broken_from = 2 * MB
    with open_shard(url) as opened:
        samples = iter(ShardReader(opened, "x"))
        assert next(samples).key == "00000"
        with pytest.raises(VlmkitError, match="reset by peer"):
            list(samples)


class Server(BaseHTTPRequestHandler):
    """Serves `data` in ranges, and misbehaves as `chance` says for a share of the answers."""

    data = b""
    share = 0.0
    chance = random.Random(0)
    ranges = True
    status = 0

    def do_HEAD(self):
        if self.status:
            return self.send_error(self.status)
        self._head(200, len(self.data))

    def do_GET(self):
        if self.status:
            return self.send_error(self.status)
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")) if self.ranges else None
        start, end = (int(match[1]), int(match[2]) + 1) if match else (0, len(self.data))
        body = self.data[start:end]
        fault = self.chance.choice(["error", "cut", "reset", "stall"]) if self.chance.random() < self.share else ""
        if fault == "error":
            return self.send_error(500)
        self._head(206 if match else 200, len(body), f"bytes {start}-{end - 1}/{len(self.data)}" if match else "")
        if not fault:
            with contextlib.suppress(OSError):
                self.wfile.write(body)
            return
        self.wfile.write(body[: self.chance.randrange(len(body))])
        self.wfile.flush()
        if fault == "stall":
            time.sleep(1)
        if fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def _head(self, status, length, content_range=""):
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.send_header("ETag", '"1"')
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()

    def log_message(self, *arguments): ...


@pytest.fixture
def serve():
    servers = []

    def start(data, **behaviour):
        handler = type("Handler", (Server,), {"data": data, "protocol_version": "HTTP/1.1", **behaviour})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/x.tar"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("seed", range(3))
def test_every_byte_arrives_from_a_bad_server(serve, monkeypatch, seed):
    """500s, bodies that are cut off, resets and stalls, at random offsets."""
    monkeypatch.setattr(remote, "STALL_S", 0.3)
    monkeypatch.setattr(store, "_TRIES", 20)  # so that chance alone never ends its patience
    data = noise(6 * MB, seed)
    with RemoteFile(serve(data, share=0.3, chance=random.Random(seed))) as file:
        assert read_all(file, iter(lambda: 1 << 18, None)) == data


def test_a_server_that_always_stalls_is_an_error(serve, monkeypatch):
    monkeypatch.setattr(remote, "STALL_S", 0.1)
    never = type("Never", (random.Random,), {"random": lambda self: 0.0, "choice": lambda self, options: "stall"})
    with RemoteFile(serve(noise(MB), share=1, chance=never(0))) as file, pytest.raises(VlmkitError) as raised:
        file.read(1)
    assert "x.tar" in raised.value.message


def test_a_server_that_gives_no_ranges_is_told_at_once(serve):
    with RemoteFile(serve(noise(4 * MB), ranges=False)) as file, pytest.raises(VlmkitError, match="no parts") as raised:
        file.read(1)
    assert "curl" in raised.value.hint


@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [
        (404, FileNotFoundError, "no such object"),
        (403, PermissionError, "permission denied"),
        (503, VlmkitError, "503"),
        (400, VlmkitError, "400"),
    ],
)
def test_what_a_server_refuses(serve, status, kind, says):
    with pytest.raises(kind, match=says) as raised:
        RemoteFile(serve(b"", status=status))
    assert isinstance(raised.value, VlmkitError)
    assert raised.value.hint


@pytest.mark.parametrize(
    ("url", "says"), [("abfs://container/x.tar", "adlfs"), ("nosuch://host/x.tar", "Protocol not known")]
)
def test_a_protocol_that_is_not_there(url, says):
    with pytest.raises(VlmkitError, match=says) as raised:
        open_shard(url)
    assert url in raised.value.message
    assert raised.value.hint
