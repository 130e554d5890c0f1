"""The folder of a wave is listed when it may hold something new."""

import dataclasses

import pytest

from lrtui.workers.slurm import waves


@pytest.fixture
def clock(monkeypatch):
    """Return a clock by which the folder is listed for 15 s after a change."""
    now = [1000.0]
    monkeypatch.setattr(waves.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(waves, "TIMING", dataclasses.replace(waves.TIMING, queue=15.0))
    return now


def test_a_folder_is_listed_after_a_change_and_seldom_else(tmp_path, monkeypatch, clock):
    wave = waves.begin(tmp_path / "w1", "n", (("r01/a1",), ("r02/a1",)))
    listed, listdir = [], waves.os.listdir
    monkeypatch.setattr(waves.os, "listdir", lambda path: listed.append(path) or listdir(path))

    def looks(seconds):
        before = len(listed)
        for _ in range(seconds):
            wave.look()
            clock[0] += 1.0
        return len(listed) - before

    assert looks(15) == 15
    assert looks(60) == 4
    wave.files.beat(1).write_text("{}")
    assert looks(1) == 1
    assert wave.begun == {1}
    before = len(listed)
    wave.look(anew=True)
    assert len(listed) == before + 1
