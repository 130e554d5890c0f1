import pytest

from tests.tui import conftest, recordings
from tests.tui.conftest import _same_clock, monitor, sent, told

__all__ = ["_same_clock", "monitor", "sent", "told"]


@pytest.fixture(autouse=True)
def _judged_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conftest, "judge", recordings.judgement)
