"""An export that finds no room says where in one line, leaves nothing half, and is finished by the same command."""

import random
import subprocess

import pytest


@pytest.mark.parametrize("kind", ["llava", "jsonl", "parquet"])
def test_no_room_is_one_line_that_names_the_folder(script, tmp_path, write_tar, picture, kind):
    # pictures of noise, and json of as much: whichever file it goes into, that one is too large
    noise = random.Random(0)
    words = " ".join(str(noise.random()) for _ in range(30_000)).encode()
    source = write_tar(tmp_path / "in/00000.tar", {"a": {"png": picture(), "txt": words}})
    command = f"{script} cat {source.parent} {tmp_path}/out --to {kind} --quiet"
    full = subprocess.run(["bash", "-c", f"ulimit -f 20; {command}"], capture_output=True, text=True, check=False)
    assert full.returncode == 1
    first, hint = full.stderr.splitlines()
    assert first.endswith(f": {tmp_path}/out")
    assert "run the same command again" in hint
    assert [path.name for path in (tmp_path / "out").iterdir() if path.name != ".vlmkit"] == []
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / ".vlmkit" / "manifest.json").exists()
