"""A scripted chat server on loopback."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Server(ThreadingHTTPServer):
    """`script(server, body)` gives a status and bytes (a dictionary goes as JSON, a list piece by piece, 50 ms apart)
    and headers, or None: hang up. What was asked is kept in order, and how many requests were open at a time at most.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, script):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = script
        self.bodies, self.headers_seen = [], []
        self.open = self.most_open = 0
        self.lock = threading.Lock()
        self.name = f"openai:http://127.0.0.1:{self.server_port}/v1#tiny"

    @property
    def prompts(self):
        return [body["messages"][0]["content"] for body in self.bodies]

    def handle_error(self, request, client_address):
        """A client that was killed, or did not want to wait."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        with server.lock:
            server.bodies.append(body)
            server.headers_seen.append((self.path, dict(self.headers)))
            server.open += 1
            server.most_open = max(server.most_open, server.open)
        answer = server.script(server, body)
        with server.lock:
            server.open -= 1
        if answer is None:
            self.close_connection = True
            return
        status, data, *headers = answer
        data = json.dumps(data).encode() if isinstance(data, dict) else data
        self.send_response(status)
        for name, value in [("Content-Length", str(len(b"".join(data) if isinstance(data, list) else data))), *headers]:
            self.send_header(name, value)
        self.end_headers()
        for piece in data if isinstance(data, list) else [data]:
            self.wfile.write(piece)
            time.sleep(0.05 if isinstance(data, list) else 0)

    def log_message(self, *arguments):
        """Silence."""


@pytest.fixture
def serve():
    """Starts a server that answers as the script says."""
    servers = []

    def start(script):
        server = Server(script)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def says():
    """What an OpenAI-compatible server sends for a text."""
    return lambda text: (200, {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]})


@pytest.fixture
def slowly():
    def script(seconds, answer):
        def run(server, body):
            time.sleep(seconds)
            return answer(server, body)

        return run

    return script
