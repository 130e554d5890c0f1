"""A wall clock that is set a year forward or back under everybody: supervisor, workers and commands."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from lrtui.sweep.layout import Layout
from lrtui.sweep.mailbox import ensure_supervisor
from tests.faults.labs import careful
from tests.faults.oracle import sound
from tests.until import until

YEAR = 365 * 24 * 3600


@pytest.fixture
def clock(tmp_path, monkeypatch):
    """Return a file whose seconds everybody's clock is ahead."""
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("needs a C compiler")
    library = tmp_path / "clock.so"
    source = str(Path(__file__).with_name("clock.c"))
    words = [compiler, "-shared", "-fPIC", "-o", str(library), source, "-ldl"]
    if subprocess.run(words, check=False).returncode:
        pytest.skip("cannot compile a library")
    file = tmp_path / "clock"
    file.write_text("0")
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("TEST_CLOCK", str(file))
    return file


@pytest.mark.parametrize("jump", [YEAR, -YEAR])
def test_a_clock_that_is_set_by_a_year_ends_nothing_and_spends_nothing(lab, clock, jump):
    lab.hold(3)
    lab.start(words=careful(lab), steps=10, lrs="1e-3, 3e-4", extra='budget = "2h"')
    lab.running(steps=3)
    clock.write_text(str(jump))
    paused = lab.lrtui("pause", str(lab.directory), "r01")
    assert paused.returncode == 0, paused.stderr
    lab.release()
    resumed = lab.lrtui("resume", str(lab.directory), "r01")
    assert resumed.returncode == 0, resumed.stderr
    assert lab.closed().code == 0
    assert lab.events("BudgetReached") == []
    sound(lab)
    numbers = [event.n for kind in ("RunLaunched", "RunEnded") for event in lab.events(kind)]
    assert len(set(numbers)) == len(numbers)
    shown = lab.lrtui("status", str(lab.directory))
    assert shown.returncode == 0
    assert "-" not in shown.stdout.split("ETA")[-1][:3]
    assert lab.lrtui("report", str(lab.directory)).returncode == 0


def test_a_beat_from_the_future_is_no_sign_of_life(lab):
    """The supervisor died, and then the clock was set back: its last beat is not fresh for a year."""
    lab.hold(2)
    lab.start(words=careful(lab))
    lab.running(steps=2)
    lab.kill_supervisor()
    ahead = time.time() + YEAR
    os.utime(Layout(lab.directory).beat, (ahead, ahead))
    assert "alive" not in lab.lrtui("status", str(lab.directory)).stdout.partition("supervisor:")[2]
    ensure_supervisor(lab.directory)
    until(lambda: lab.events("RunAdopted"))
    lab.release()
    assert lab.closed().code == 0
    sound(lab)
