"""A short campaign of spoiled files; `python -m tests.fuzz` does a long one."""

import os

from tests.fuzz.__main__ import campaign


def test_no_spoiled_line_or_file_raises() -> None:
    lines = int(os.environ.get("LRTUI_FUZZ_LINES", "20000"))
    tally = campaign(lines, lines // 10, seed=20261124)
    assert tally["lines"] >= lines
    assert tally["measured"] > 0, "all of them are refused: the seeds are not good"
    assert tally["events"] > 0
    assert tally["taken"] > 0
    assert tally["obeyed"] > 0
