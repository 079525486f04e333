import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from huggingface_hub import constants

from vlmkit.errors import VlmkitError
from vlmkit.models import loading
from vlmkit.models.load import load_dual_encoder
from vlmkit.models.names import ModelName

NAMES = ["open_clip:ViT-B-32/laion2b_s34b_b79k", "hf:openai/clip-vit-base-patch32"]
LOAD = """
import sys, time
import open_clip, transformers
from vlmkit.errors import VlmkitError
from vlmkit.models.load import load_dual_encoder
from vlmkit.models.names import ModelName
for text in sys.argv[1:]:
    start = time.perf_counter()
    try:
        load_dual_encoder(ModelName.parse(text), "cpu")
    except VlmkitError as error:
        print(error.message, error.hint, time.perf_counter() - start, sep="\\t")
"""


@pytest.mark.parametrize("environment", [{"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}])
def test_missing_weights_and_a_missing_hub_are_one_line_within_seconds(environment, tmp_path):
    environment = {**os.environ, "HF_HOME": str(tmp_path), "NO_PROXY": "127.0.0.1", **environment}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *NAMES], env=environment, capture_output=True, text=True, check=True
    )
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    for name, (message, hint, seconds) in zip(NAMES, lines, strict=True):
        assert message == f"no CLIP weights: {name} is not on this machine and the hub does not answer"
        assert hint == "use --clip-model builtin:conse (no download), or --clip-model path:FOLDER"
        assert float(seconds) < 10
    assert done.stderr == ""


@pytest.fixture
def hub(monkeypatch):
    """Point the library at a server on this machine that answers every request with a status."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    servers = []

    def start(status):
        class Answer(BaseHTTPRequestHandler):
            def do_HEAD(self):
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_):
                pass

        servers.append(HTTPServer(("127.0.0.1", 0), Answer))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{servers[-1].server_port}")

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(("status", "answers"), [(200, True), (404, True), (503, False)])
def test_a_hub_answers_when_it_has_something_to_say(hub, status, answers):
    hub(status)
    assert loading.hub_answers() is answers


def test_a_mute_hub_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(loading, "PROBE_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{mute.getsockname()[1]}")
        start = time.perf_counter()
        assert not loading.hub_answers()
        assert time.perf_counter() - start < 3


def test_without_a_hub_what_was_downloaded_before_is_used(clip_folder, tmp_path, monkeypatch):
    cached = tmp_path / "models--org--clip"
    shutil.copytree(clip_folder, cached / "snapshots" / "0123")
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("0123")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(loading, "hub_answers", lambda: False)
    assert load_dual_encoder(ModelName.parse("hf:org/clip"), "cpu").name == "hf:org/clip"
    with pytest.raises(VlmkitError, match="hf:org/clip@v2 is not on this machine and the hub does not answer"):
        load_dual_encoder(ModelName.parse("hf:org/clip@v2"), "cpu")


def test_the_librarys_switch_is_turned_back(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with loading.loading(ModelName("path", "somewhere"), "model", "give another"):
        assert constants.HF_HUB_OFFLINE
    assert not constants.HF_HUB_OFFLINE
