"""SIGTERM and Ctrl-C during the training: noted, and obeyed between two steps."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


class Stop:
    """While entered, a SIGTERM or SIGINT sets `asked` instead of ending the process."""

    def __init__(self, tell: Callable[[], object] = lambda: None) -> None:
        """Create the flag; `tell` is called inside the signal handler."""
        self._tell = tell
        self.asked = False
        self.exit_code = 0
        """0 after SIGTERM, 130 after Ctrl-C."""

    def __enter__(self) -> Self:
        signal.signal(signal.SIGTERM, self._note)
        signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *exception: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def _note(self, signum: int, frame: FrameType | None) -> None:
        del frame
        self.asked = True
        self.exit_code = 130 if signum == signal.SIGINT else 0
        self._tell()
