"""When a pause sends its signal: never into a checkpoint that is being written, but not for ever later."""

import dataclasses
import math
import os
import signal
import time
from types import SimpleNamespace

import pytest

from lrtui.supervisor import termination
from lrtui.supervisor.termination import Termination
from lrtui.sweep.files import seconds_unchanged
from lrtui.sweep.state import State


class Pause:
    """A run that is to pause, and the signals that it gets. The clock stands still unless it is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, state: State = State.PAUSING) -> None:
        timing = dataclasses.replace(termination.TIMING, settle=1.0, grace=15.0)
        monkeypatch.setattr(termination, "TIMING", timing)
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        self.now, self.unchanged, self.sent = 100.0, math.inf, []
        run = SimpleNamespace(id="r01", attempt_key=("r01", 1), state=state)
        self._sweep = SimpleNamespace(alive=lambda: [run])
        self._stops = Termination(
            lambda _, number: self.sent.append(number), print, lambda _: self.unchanged
        )

    def tick(self) -> list[int]:
        self.sent.clear()
        self._stops.tick(self._sweep)
        return self.sent


def test_a_pause_waits_for_the_end_of_a_save(monkeypatch):
    pause = Pause(monkeypatch)
    pause.unchanged = 0.2
    assert pause.tick() == []
    pause.unchanged = 1.0
    assert pause.tick() == [signal.SIGTERM, signal.SIGCONT]
    assert pause.tick() == []


def test_a_checkpoint_written_without_end_delays_by_a_third_of_the_grace(monkeypatch):
    pause = Pause(monkeypatch)
    pause.unchanged = 0.0
    assert pause.tick() == []
    pause.now += 4.9
    assert pause.tick() == []
    pause.now += 0.2
    assert pause.tick() == [signal.SIGTERM, signal.SIGCONT]
    pause.now += 14.9
    assert pause.tick() == [], "the grace begins with the signal"
    pause.now += 0.2
    assert pause.tick() == [signal.SIGKILL]


def test_no_checkpoint_and_a_kill_wait_for_nothing(monkeypatch):
    assert Pause(monkeypatch).tick() == [signal.SIGTERM, signal.SIGCONT]
    kill = Pause(monkeypatch, State.STOPPING)
    kill.unchanged = 0.0
    assert kill.tick() == [signal.SIGTERM, signal.SIGCONT]


def test_a_folder_is_as_young_as_its_youngest_file(tmp_path):
    assert seconds_unchanged(tmp_path / "none") == math.inf
    inner = tmp_path / "checkpoint-50"
    inner.mkdir()
    young = inner / "optimizer.pt"
    young.touch()
    now = time.time()
    os.utime(tmp_path, (now - 500, now - 500))
    os.utime(young, (now - 100, now - 100))
    assert 100 <= seconds_unchanged(tmp_path) < 500
