"""Killed as it enters a system call: a few calls here, all of them with --campaign or by `python -m tests.faults.each_call`."""

import pytest

from tests.faults.each_call import TRIALS, needs_strace

EVERY = 16
"""A sample is the first call and each 16th."""


@pytest.mark.campaign
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", TRIALS)
def test_a_death_at_any_call_loses_nothing_and_doubles_nothing(
    name, tmp_path, monkeypatch, campaign, no_charts
):
    needs_strace()
    monkeypatch.chdir(tmp_path)
    whole = tmp_path / "whole"
    whole.mkdir()
    points, killed = TRIALS[name](whole, None)
    assert len(points) > 10
    assert not killed
    deaths = 0
    chosen = points if campaign else [points[0], *points[EVERY // 2 :: EVERY]]
    for number, point in enumerate(chosen):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        deaths += TRIALS[name](folder, point)[1]
    # Waits make the count of a call vary from run to run: only the first is reached in each.
    assert deaths >= (0.7 * len(chosen) if campaign else 1)
