"""GPUs are read without CUDA; whatever the driver does, nothing is raised."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from lrtui.hardware import gpu

FAKE = """
class NVMLError(Exception): pass
NVML_TEMPERATURE_GPU = 0
class O:
    def __init__(self, **k): self.__dict__.update(k)
def nvmlInit(): {init}
def nvmlDeviceGetCount(): return {count}
def nvmlDeviceGetHandleByIndex(i):
    if i == 1: raise NVMLError("GPU is lost")
    return i
def nvmlDeviceGetMemoryInfo(h): return O(used=3 << 30, total=24 << 30)
def nvmlDeviceGetUtilizationRates(h):
    if h == 2: raise NVMLError("Not Supported")
    return O(gpu=93, memory=20)
def nvmlDeviceGetComputeRunningProcesses(h): return [O(pid=42), O(pid=7)]
def nvmlDeviceGetName(h): return b"Tesla \\x1b[31mX" if h else "NVIDIA H100"
def nvmlDeviceGetUUID(h): return f"GPU-{{h}}"
"""
ASK = """
import ctypes, sys
ctypes.CDLL = lambda name: None
from lrtui.hardware import gpu
for g in gpu.read(): print(g.index, g.name, g.memory_used_mib, g.memory_total_mib, g.utilisation, g.uuid, g.processes)
print(len(gpu.read()), "torch" in sys.modules, "numpy" in sys.modules)
"""


def ask(tmp_path, **fake) -> list[str]:
    (tmp_path / "pynvml.py").write_text(FAKE.format(**({"init": "pass", "count": 3} | fake)))
    path = os.pathsep.join([str(tmp_path), os.getcwd()])
    command = [sys.executable, "-c", ASK]
    run = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": path}
    )
    return run.stdout.splitlines()


def test_gpus_are_read_and_a_lost_one_is_left_out(tmp_path):
    assert ask(tmp_path) == [
        "0 NVIDIA H100 3072 24576 93 GPU-0 (7, 42)",
        "2 Tesla [31mX 3072 24576 None GPU-2 (7, 42)",
        "2 False False",
    ]


@pytest.mark.parametrize(
    "fault",
    [{"init": "raise NVMLError('driver mismatch')"}, {"count": "(_ for _ in ()).throw(OSError())"}],
)
def test_a_broken_driver_is_no_gpu(tmp_path, fault):
    assert ask(tmp_path, **fault) == ["0 False False"]


def test_reading_here_raises_nothing():
    assert isinstance(gpu.read(), tuple)
