"""vlmkit synth-text expand, from seeds to dense captions, with a scripted server that is paid once for each prompt."""

import json
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

LIMITS = ("--min-words", 10, "--max-words", 40, "--max-new-tokens", 64)


def dense(seed):
    return f"There is {seed} on a wide green lawn. Behind it stands a low brick wall, and the sky above is pale."


class Handler(BaseHTTPRequestHandler):
    """Answers after `server.pause_s`: by `server.fault` if the prompt names it, else with a dense caption."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = body["messages"][0]["content"]
        with self.server.lock:
            self.server.begun[prompt] += 1
        time.sleep(self.server.pause_s)
        status, text = 200, dense(prompt)
        if sum(self.server.begun.values()) > self.server.forgets_after:
            status = 404
        elif "busy" in prompt:
            status = 429
        elif "short" in prompt:
            text = "A lawn."
        data = json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments):
        """Silence."""


class Server(ThreadingHTTPServer):
    daemon_threads, request_queue_size = True, 64

    def handle_error(self, request, client_address):
        """A client that was killed."""


@pytest.fixture
def server():
    found = Server(("127.0.0.1", 0), Handler)
    found.begun, found.lock, found.pause_s, found.forgets_after = Counter(), threading.Lock(), 0.0, 1000
    found.model = ("--model", f"openai:http://127.0.0.1:{found.server_port}/v1#tiny", "--prompt", "{caption}")
    threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield found
    found.shutdown()
    found.server_close()


@pytest.fixture
def seeds(tmp_path, write_tar):
    for shard in range(2):
        keys = range(30 * shard, 30 * shard + 30)
        write_tar(tmp_path / f"in/{shard:05d}.tar", {f"{n:03d}": {"txt": f"dog {n}".encode()} for n in keys})
    return tmp_path / "in"


def test_seeds_become_dense_captions(vlmkit, server, seeds, tmp_path, members, rows):
    done = vlmkit("synth-text", "expand", seeds, tmp_path / "out", *server.model, *LIMITS)
    assert done.status == 0, done.err
    found = members(tmp_path / "out/00001.tar")
    assert list(found)[:2] == ["030.txt", "030.json"]
    assert found["030.txt"][512:].rstrip(b"\0").decode() == dense("dog 30")
    row = rows(tmp_path / "out/00001.parquet")["030"]
    assert (row["words"], row["attempts"], row["seed_overlap"], row["step"]) == (22, 1, 1, "synth-text expand")
    assert sum(server.begun.values()) == 60


def test_reasons_are_counted_and_faults_are_bad(vlmkit, server, tmp_path, write_tar, rows, monkeypatch):
    monkeypatch.setattr("vlmkit.models.served.LONGEST_WAIT_S", 0.01)
    texts = {"a": "dog", "b": "busy dog", "c": "short dog", "d": "dog too"}
    data = write_tar(tmp_path / "in/00000.tar", {key: {"txt": text.encode()} for key, text in texts.items()}).parent
    done = vlmkit("synth-text", "expand", data, tmp_path / "out", *server.model, *LIMITS, "--retries", 1, "--json")
    assert done.status == 3, "a quarter got no answer"
    said = json.loads(done.err.splitlines()[-1])
    assert (said["samples_out"], said["bad"], said["reasons"]) == (2, 1, {"server busy": 1, "words >= 10": 1})
    assert rows(tmp_path / "out/00000.parquet")["c"]["answer"] == "A lawn."
    assert server.begun["short dog"] == 2


@pytest.mark.slow
def test_a_killed_run_pays_once_but_for_what_was_in_flight(vlmkit, server, seeds, tmp_path, script):
    """Killed three times at a slow server, then finished: the bytes are those of an undisturbed run."""
    line = [script, "synth-text", "expand", str(seeds), str(tmp_path / "out"), *server.model, *map(str, LIMITS)]
    line += ["--batch-size", "4", "--quiet"]
    server.pause_s = 0.15
    for kill in range(3):
        answered = sum(server.begun.values())
        process = subprocess.Popen(line)
        while sum(server.begun.values()) < answered + 9 + 4 * kill:
            assert process.poll() is None, "it ended before it was killed"
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    server.pause_s = 0.0
    assert subprocess.run(line).returncode == 0
    assert set(server.begun) == {f"dog {n}" for n in range(60)}
    assert sum(server.begun.values()) <= 60 + 3 * 4
    vlmkit("synth-text", "expand", seeds, tmp_path / "whole", *server.model, *LIMITS, "--batch-size", 4)
    for name in ("00000.tar", "00001.tar", "00000.parquet", "00001.parquet"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_a_run_that_ends_with_an_error_pays_nothing_twice(vlmkit, server, seeds, tmp_path):
    """The server forgets its model in the middle of the first shard."""
    line = ("synth-text", "expand", seeds, tmp_path / "out", *server.model, *LIMITS, "--batch-size", 1)
    server.forgets_after = 20
    failed = vlmkit(*line)
    assert failed.status == 1
    assert failed.err.splitlines()[0].startswith("vlmkit synth-text expand: http://127.0.0.1:")
    assert "knows no model tiny" in failed.err
    server.forgets_after = 1000
    assert vlmkit(*line).status == 0
    assert sorted(server.begun.values()) == [1] * 59 + [2]


def test_answers_may_be_kept_elsewhere(vlmkit, server, seeds, tmp_path):
    line = ("synth-text", "expand", seeds, *server.model, *LIMITS, "--answers", tmp_path / "answers")
    for target in ("x.tar", "y.tar"):
        assert vlmkit(*line[:3], tmp_path / target, *line[3:]).status == 0
    assert set(server.begun.values()) == {1}


def test_no_server_is_told(vlmkit, seeds, tmp_path, monkeypatch):
    monkeypatch.setattr("vlmkit.models.served.LONGEST_WAIT_S", 0.01)
    done = vlmkit("synth-text", "expand", seeds, tmp_path / "out", "--model", "openai:http://127.0.0.1:9/v1#m")
    assert done.status == 1
    assert "no server answers at http://127.0.0.1:9/v1" in done.err.splitlines()[0]
    assert not (tmp_path / "out").exists()


def test_a_dry_run_writes_nothing(vlmkit, server, seeds, tmp_path):
    done = vlmkit("synth-text", "expand", seeds, tmp_path / "out", *server.model, *LIMITS, "--dry-run")
    assert done.status == 0
    assert not (tmp_path / "out").exists()


def test_a_pipe_of_seeds(vlmkit, server, seeds, tmp_path, members):
    stream = vlmkit("cat", seeds, "-", "--quiet").out
    done = vlmkit("synth-text", "expand", "-", "-", *server.model, *LIMITS, stdin=stream)
    assert done.status == 0, done.err
    assert sum(name.endswith(".txt") for name in members(done.out)) == 60


def test_the_help_shows_an_example(vlmkit):
    for words in (("synth-text", "--help"), ("synth-text", "expand", "--help")):
        done = vlmkit(*words)
        assert done.status == 0
    assert "Example: vlmkit synth-text expand seeds/ dense/" in done.out.decode()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--model", "builtin:conse"), "builtin:conse does not answer prompts"),
        (("--model", "path:none"), "no model weights in none"),
        (("--prompt", "dnese"), "no prompt is called 'dnese'"),
        (("--model", "tiny"), "not a model name: tiny"),
    ],
)
def test_what_can_not_be(vlmkit, seeds, tmp_path, options, says):
    done = vlmkit("synth-text", "expand", seeds, tmp_path / "out", *options)
    assert done.status == 1
    assert done.err.splitlines()[0].startswith("vlmkit synth-text expand: ")
    assert says in done.err.splitlines()[0]
    assert len(done.err.splitlines()) == 2
    assert not (tmp_path / "out").exists()
