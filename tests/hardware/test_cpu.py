"""The machine is measured on real processes; a pid that is somebody else's by now is nobody's."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

from lrtui.hardware.cpu import Meter
from lrtui.workers import keeper
from tests.until import until

BUSY = "import sys; data = bytearray(60 << 20); print(flush=True)\nwhile True: pass"
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {BUSY!r}]).wait()"


@pytest.fixture
def worker():
    child = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, start_new_session=True
    )
    assert child.stdout is not None
    child.stdout.readline()
    yield child
    os.killpg(child.pid, 9)
    child.wait()


def test_a_worker_is_charged_for_what_its_children_do(worker):
    who = {"r01": (worker.pid, keeper.start_time(worker.pid))}
    meter = Meter()
    first = meter.read(who)
    assert first.cpu is None
    assert first.workers["r01"].cpu is None
    assert first.workers["r01"].memory_mib >= 60
    assert 0 < first.memory_used_mib < first.memory_total_mib
    (child,) = psutil.Process(worker.pid).children()
    used = child.cpu_times().user
    until(lambda: child.cpu_times().user > used + 0.2)
    later = meter.read(who)
    assert 0 < later.workers["r01"].cpu <= 150
    assert 0 < later.cpu <= 100


def test_a_recycled_pid_is_not_taken_for_the_worker(worker):
    start = keeper.start_time(worker.pid)
    assert Meter().read({"r01": (worker.pid, start - 1), "r02": (4194300, 5)}).workers == {}
