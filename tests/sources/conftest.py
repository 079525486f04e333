"""Pictures and conversations to read, made on the spot."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from vlmkit.jobs.step import Dropped, Kept, Outcome


def picture_bytes(
    kind: str = "JPEG", size: tuple[int, int] = (40, 30), color: tuple[int, int, int] = (9, 120, 60)
) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, kind)
    return file.getvalue()


def verdict(outcome: Outcome) -> str:
    """`kept`, or the reason; with ` (bad)` if the bytes are at fault."""
    if isinstance(outcome, Kept):
        return "kept"
    assert isinstance(outcome, Dropped)
    return outcome.reason + (" (bad)" if outcome.bad else "")


def verdicts(outcomes: Any) -> dict[str, str]:
    return {outcome.sample.key: verdict(outcome) for outcome in outcomes}


def kept(outcomes: Any) -> list[Any]:
    return [outcome.sample for outcome in outcomes if isinstance(outcome, Kept)]


@pytest.fixture(scope="session")
def picture() -> Callable[..., bytes]:
    return picture_bytes


@pytest.fixture(scope="session", name="verdicts")
def _verdicts() -> Callable[[Any], dict[str, str]]:
    return verdicts


@pytest.fixture(scope="session", name="kept")
def _kept() -> Callable[[Any], list[Any]]:
    return kept


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, bytes | str | list[Any]], Path]:
    """Writes a file below `data/` of the test's folder: bytes, text, or anything else as JSON."""

    def write_file(name: str, content: bytes | str | list[Any] | dict[str, Any]) -> Path:
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, bytes | str) else json.dumps(content)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write_file
