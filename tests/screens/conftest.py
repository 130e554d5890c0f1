from tests.tui.conftest import _same_clock, monitor, sent, told

__all__ = ["_same_clock", "monitor", "sent", "told"]
