import os

import pytest
import torch

from vlmkit.errors import VlmkitError
from vlmkit.models.devices import half_precision, mixed_precision, pick_device, process_count


def test_the_best_device_is_the_default(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device() == pick_device("auto") == torch.device("cpu")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert pick_device() == torch.device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert pick_device() == torch.device("cuda")


def test_worker_processes_share_the_gpus_by_rank(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for rank, device in enumerate(["cuda:0", "cuda:1", "cuda:0"]):
        monkeypatch.setenv("LOCAL_RANK", str(rank))
        assert pick_device("cuda") == torch.device(device)
    assert pick_device("cuda:1") == torch.device("cuda:1")
    assert pick_device("cpu") == torch.device("cpu")


def test_a_gpu_is_named_by_number(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert pick_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(VlmkitError, match="no device cuda:2 on this machine"):
        pick_device("cuda:2")


@pytest.mark.parametrize("option", ["gpu", "", "cuda:x", "meta"])
def test_what_is_no_device_is_refused_with_a_hint(option):
    with pytest.raises(VlmkitError) as raised:
        pick_device(option)
    assert "--device" in raised.value.hint


def test_a_cpu_computes_in_float32():
    assert half_precision(torch.device("cpu")) == torch.float32
    with mixed_precision(torch.device("cpu")):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


@pytest.mark.parametrize(("capability", "dtype"), [((7, 5), torch.float32), ((8, 0), torch.bfloat16)])
def test_a_gpu_computes_in_bfloat16_where_it_can(monkeypatch, capability, dtype):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert half_precision(torch.device("cuda")) == dtype


def test_one_process_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    assert process_count() == process_count("cuda") == 8
    assert process_count("cuda:3") == 1


def test_one_process_a_usable_core(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 5, 7}, raising=False)
    assert process_count("cpu") == 3
