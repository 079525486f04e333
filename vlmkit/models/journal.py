"""Answers that cost money, written down before they are used."""

import json
import os
import threading
import uuid
from pathlib import Path

from vlmkit.shards.disk import Naming


class Journal:
    """Answers by a digest of what was asked, as JSON lines in a folder.

    Each process adds to a file of its own, so that several may share the folder, and knows what the others had
    written when it began. A line that a kill cut off is no answer. Only the answers' places are held in memory.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places: dict[str, tuple[Path, int]] = {}
        self._lock = threading.Lock()
        self._own: int | None = None
        self._path = folder / f"{uuid.uuid4().hex}.jsonl"
        for path in sorted(folder.glob("*.jsonl")):
            self._read(path)

    def get(self, key: str) -> str | None:
        place = self._places.get(key)
        if place is None:
            return None
        with open(place[0], "rb") as file:
            file.seek(place[1])
            answer: str = json.loads(file.readline())["answer"]
        return answer

    def add(self, key: str, answer: str) -> None:
        """With the system when this returns, so that no kill of this process loses it."""
        line = json.dumps({"key": key, "answer": answer}).encode() + b"\n"
        with self._lock:
            if self._own is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._own = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
            start = os.lseek(self._own, 0, os.SEEK_END)
            try:
                with Naming(self._path):
                    while line:
                        line = line[os.write(self._own, line) :]
            except OSError:
                os.ftruncate(self._own, start)  # half a line would spoil the one behind it
                raise
            self._places[key] = self._path, start

    def close(self) -> None:
        with self._lock:
            if self._own is not None:
                os.close(self._own)
            self._own = None

    def _read(self, path: Path) -> None:
        with open(path, "rb") as file:
            start = 0
            for line in file:
                if line.endswith(b"\n"):
                    self._places[json.loads(line)["key"]] = path, start
                start += len(line)
