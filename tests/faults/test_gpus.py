"""GPUs that come and go under a sweep. The driver is a library of our own, behind NVML's real Python binding."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.oracle import sound
from tests.until import until

WORKER = """
import json, os, sys, time
given = os.environ["CUDA_VISIBLE_DEVICES"]
def need_gpu():
    if not os.path.exists(os.path.join(os.environ["TEST_GPUS"], given)):
        sys.exit(f"RuntimeError: CUDA error: unspecified launch failure (GPU {given})")
for step in range(1, 4):
    need_gpu()
    print(json.dumps({"step": step, "val_acc": 0.1 * step, "train_loss": 1 / step}), flush=True)
    while os.path.exists(os.environ["HOLD"] + given):
        time.sleep(0.02)
    need_gpu()
"""


@pytest.fixture
def gpus(tmp_path, monkeypatch):
    """Return a folder with two GPUs; runs on GPU n wait while there is a file hold`n`."""
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("needs a C compiler")
    library, folder = tmp_path / "driver", tmp_path / "gpus"
    library.mkdir()
    folder.mkdir()
    source = str(Path(__file__).with_name("nvml.c"))
    words = [compiler, "-shared", "-fPIC", "-w", "-o", str(library / "libnvidia-ml.so.1"), source]
    if subprocess.run(words, check=False).returncode:
        pytest.skip("cannot compile a library")
    for index in range(2):
        (folder / f"{index}").write_text("10")
        (tmp_path / f"hold{index}").touch()
    monkeypatch.setenv("LD_LIBRARY_PATH", str(library))
    monkeypatch.setenv("TEST_GPUS", str(folder))
    monkeypatch.setenv("HOLD", str(tmp_path / "hold"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return folder


@pytest.fixture
def start(lab, tmp_path):
    script = tmp_path / "worker.py"
    script.write_text(WORKER)

    def begin():
        rates = ", ".join(f"{count}e-4" for count in range(1, 13))
        lab.start(words=[sys.executable, str(script)], steps=3, lrs=rates)
        until(lambda: sum(run.state == "running" for run in lab.sweep.alive()) == 2)
        return lab

    return begin


def release(folder, *gpus):
    for gpu in gpus:
        (folder / f"hold{gpu}").unlink()


def devices(lab):
    return [run.attempts[0].devices for run in lab.sweep.runs.values() if run.attempts]


def test_after_a_gpu_has_vanished_the_others_carry_the_sweep_on(gpus, start, tmp_path):
    lab = start()
    assert devices(lab)[:2] == [(0,), (1,)]
    (gpus / "1").unlink()
    release(tmp_path, 0, 1)
    assert lab.closed().code == 1
    endings = {run.id: run.ending.kind for run in lab.sweep.runs.values()}
    assert endings.pop("r02") == "failed"
    assert set(endings.values()) == {"finished"}
    assert "unspecified launch failure (GPU 1)" in lab.run("r02").ending.why
    assert devices(lab)[2:] == [(0,)] * 10
    (warned,) = [event.text for event in lab.events("Warned") if "GPU" in event.text]
    assert warned.startswith("GPU 1 no longer responds")
    sound(lab, kinds=("finished", "failed"), lines=False)


def test_one_that_comes_back_is_used_again(gpus, start, tmp_path):
    lab = start()
    (gpus / "1").rename(tmp_path / "away")
    release(tmp_path, 1)
    until(lambda: [event for event in lab.events("Warned") if "GPU 1" in event.text])
    assert devices(lab) == [(0,), (1,)]
    (tmp_path / "away").rename(gpus / "1")
    until(lambda: devices(lab)[2:3] == [(1,)])
    release(tmp_path, 0)
    lab.closed()


def test_when_all_vanish_the_queue_stops_instead_of_failing_to_its_end(gpus, start, tmp_path):
    lab = start()
    for file in list(gpus.iterdir()):
        os.unlink(file)
    release(tmp_path, 0, 1)
    until(lambda: lab.sweep.brake is not None, 30)
    assert any(run.state == "queued" for run in lab.sweep.runs.values())
    assert all("CUDA error" in run.ending.why for run in lab.sweep.runs.values() if run.ending)
