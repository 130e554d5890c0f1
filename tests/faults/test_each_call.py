"""Killed as it enters a system call: a few calls here, all of them by `python -m tests.faults.each_call`."""

import pytest

from tests.faults.each_call import TRIALS, needs_strace

SHARES = (0.15, 0.4, 0.65, 0.9)


@pytest.mark.parametrize("name", TRIALS)
def test_a_death_at_any_call_loses_nothing_and_doubles_nothing(name, tmp_path, monkeypatch):
    needs_strace()
    monkeypatch.chdir(tmp_path)
    whole = tmp_path / "whole"
    whole.mkdir()
    points, killed = TRIALS[name](whole, None)
    assert len(points) > 10
    assert not killed
    deaths = 0
    for share in SHARES:
        folder = tmp_path / f"{share}"
        folder.mkdir()
        deaths += TRIALS[name](folder, points[int(len(points) * share)])[1]
    assert deaths >= len(SHARES) - 1  # waits make a run's count vary a little
