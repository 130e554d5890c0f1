"""Short campaigns of spoiled files; `python -m tests.fuzz` and `python -m tests.fuzz.guided` do long ones."""

import subprocess
import sys

import pytest

from tests.fuzz.__main__ import campaign as spoil


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_no_spoiled_line_or_file_raises(campaign: bool) -> None:
    lines = 1_000_000 if campaign else 10_000
    tally = spoil(lines, lines // 10, seed=20261124)
    assert tally["lines"] >= lines
    assert tally["measured"] > 0, "all of them are refused: the seeds are not good"
    assert tally["events"] > 0
    assert tally["taken"] > 0
    assert tally["carried out"] > 0


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_inputs_that_find_their_own_way_raise_nothing(campaign: bool) -> None:
    pytest.importorskip("atheris", reason="there is no atheris for this machine")
    seconds = "600" if campaign else "1"
    words = [sys.executable, "-m", "tests.fuzz.guided", "--seconds", seconds]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout
    assert ended.stdout.count("places reached") == 7
