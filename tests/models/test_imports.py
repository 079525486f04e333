"""What a module pulls in: checked in a fresh interpreter, because the tests' own has everything."""

import subprocess
import sys

import pytest

HEAVY = {"torch", "torchvision", "transformers", "open_clip", "timm", "PIL", "numpy", "huggingface_hub", "duckdb"}


def imported_by(statement: str) -> set[str]:
    script = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_names_are_light():
    assert not HEAVY & imported_by("import vlmkit.models, vlmkit.models.names")


def test_the_classifier_runs_without_torchvision():
    pytest.importorskip("efficientnet_lite_pytorch")
    loads = "from vlmkit.models.efficientnet import EfficientNetLite; EfficientNetLite('cpu')"
    assert not {"torchvision", "timm", "open_clip", "transformers"} & imported_by(loads)
