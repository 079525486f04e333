"""README's examples run as they stand."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BIN = Path(sys.executable).parent


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("readme")


@pytest.mark.slow
def test_the_examples_run_one_after_the_other(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("easy_vqa")
    monkeypatch.setenv("PATH", f"{BIN}:/usr/bin:/bin")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    script = "set -euo pipefail\n" + "\n".join(blocks("bash"))
    done = subprocess.run(["bash", "-c", script], cwd=room, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for folder in ("clean", "unique", "good", "big"):
        assert (room / folder / ".vlmkit" / "manifest.json").exists(), folder


def test_the_table_of_commands_is_the_list_of_commands() -> None:
    from vlmkit.cli import COMMANDS

    listed = re.search(r"## The commands\n\n(.*?)\n\n", README, re.DOTALL)
    assert listed is not None
    assert re.findall(r"^\| `(\w[\w-]*)` \|", listed[1], re.MULTILINE) == list(COMMANDS)


@pytest.mark.slow
def test_quickstart_ends_with_a_table_of_every_stage_and_can_be_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{BIN}:/usr/bin:/bin")
    monkeypatch.setenv("VLMKIT_VENV", "none")
    command = ["bash", str(ROOT / "recipes" / "quickstart.sh"), str(tmp_path / "work")]
    first = subprocess.run(command, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    table = first.stdout[first.stdout.index("8. Every stage") :]
    assert table == again.stdout[again.stdout.index("8. Every stage") :]
    for number in ("38,575", "1,000", "100", "50"):
        assert number in table, table
