"""The driver for a browser tab (`lrtui serve`): packets on pipes instead of a terminal.

It replaces `driver`, without its pacing: the connection is local. `diff_renderer` finds what changed on the screen here, too.
"""

from __future__ import annotations

import os
from functools import partial

from textual import messages
from textual.drivers.web_driver import WebDriver
from typing_extensions import override

from lrtui.tui.terminal.driver import MOUSE_OFF, MOUSE_ON


class BrowserDriver(WebDriver):
    """Textual's web driver; it ends with its server and does not report mouse movements."""

    _gone = False
    """Whether the pipe has no reader any more."""

    @override
    def start_application_mode(self) -> None:
        self._write = partial(self._put)
        super().start_application_mode()
        self.capture(on=self._mouse)

    def capture(self, *, on: bool) -> None:
        """Turn the reporting of presses and the wheel on, or leave the mouse to the browser for selecting text."""
        self._mouse = on
        self.write("\x1b[?1003l")  # Textual also requests movements
        self.write(MOUSE_ON if on else MOUSE_OFF)

    @override
    def run_input_thread(self) -> None:
        super().run_input_thread()
        self._leave()  # end of input: the server is gone

    def _put(self, data: bytes) -> int:
        """Write all bytes, which os.write alone does not guarantee; do nothing if the pipe has no reader."""
        rest = memoryview(data)
        while rest and not self._gone:
            try:
                rest = rest[os.write(self.fileno, rest) :]
            except OSError:
                self._gone = True
                self._leave()
        return len(data)

    def _leave(self) -> None:
        if not self.exit_event.is_set():
            self._app.post_message(messages.ExitApp())
