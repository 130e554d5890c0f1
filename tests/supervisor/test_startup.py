"""What an attempt starts from."""

from pathlib import Path

import pytest

from lrtui.supervisor.startup import last_checkpoint
from lrtui.sweep.events import Setting
from lrtui.sweep.state import Attempt, Run


@pytest.mark.parametrize(
    ("sources", "left", "expected"),
    [
        ([None], [], None),
        ([None], [1], 1),
        ([None, 1, 2], [1, 2], 2),
        ([None, 1, 1], [1], 1),
        ([None, None], [1], None),  # restarted from the beginning, and lost before a checkpoint
        ([None, None], [1, 2], 2),
        ([None, None, 2], [1, 2], 2),
    ],
)
def test_a_run_never_goes_on_from_what_a_restart_abandoned(
    tmp_path: Path, sources, left, expected
) -> None:
    attempts = tuple(
        Attempt(number, "", 1.0, resumed_from=source) for number, source in enumerate(sources, 1)
    )
    for number in left:
        (tmp_path / f"a{number}").mkdir()
        (tmp_path / f"a{number}" / "checkpoint").touch()
    run = Run("r01", Setting(1e-3), 0, "user", "queued", 1.0, attempts=attempts, resume=True)
    assert last_checkpoint(tmp_path, run) == expected
