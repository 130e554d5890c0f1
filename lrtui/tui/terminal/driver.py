"""The way to the terminal: a thread that writes, so that the app never waits for a line that is slow, cut or not read.

Two things go over it: Textual's own control sequences (few, kept in order, never dropped) and frames, which are not queued at
all: when the line has taken the last one, the next is asked for, so it shows the newest state. How much is sent at once follows
from how fast the line is: from the time that the terminal takes to answer a cursor report sent behind a frame, which counts
whatever lies in the buffers of ssh and the kernel, and where it answers none from the time that writing takes.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import select
import termios
import threading
import time
from collections import deque
from typing import IO, TYPE_CHECKING, Any

from textual import events
from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message
from typing_extensions import override

from lrtui.tui.terminal.pacing import Pace

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.message import Message

    Source = Callable[[int], str]
    """Returns the next part of what the terminal should show in about so many bytes; "" while nothing is left."""

SYNC_START, SYNC_END = "\x1b[?2026h", "\x1b[?2026l"
MOUSE_ON, MOUSE_OFF = "\x1b[?1000h\x1b[?1006h", "\x1b[?1006l\x1b[?1000l"
"""Presses, releases and the wheel, but no movements: those would fill a thin line."""
PROBE = "\x1b[6n"
"""Asks where the cursor is: the answer says that all before has been taken in."""
_FAREWELL_SECONDS = 0.7
"""So long the last words may take before what lies on the line is thrown away for them."""


class TerminalWriter(threading.Thread):
    """Writes to a terminal; stands in for Textual's writer thread, which lets the app wait when 30 writes wait."""

    def __init__(self, file: IO[str], most_bytes: int = 0) -> None:
        super().__init__(daemon=True, name="lrtui-writer")
        self.source: Source = _nothing
        """Where frames come from; called in this thread."""
        self.dead = False
        """Whether the terminal is gone."""
        self._fd, self._own = _descriptor(file)
        self._news = threading.Condition()
        self._texts: deque[bytes] = deque()
        self._wanted = False
        self._closed = False
        """Whether no more frames are sent."""
        self._ending = 0.0
        """When to throw away what is not taken; 0 while the writer is in use."""
        self._pace = Pace(most_bytes)

    # ------------------------------------------------ the app's side: none of it waits

    def write(self, text: str) -> None:
        """Send a text as it is, before the next frame."""
        with self._news:
            self._texts.append(text.encode("utf-8", "replace"))
            self._news.notify()

    def wake(self) -> None:
        """Ask the source for a frame as soon as the line is free."""
        with self._news:
            self._wanted = True
            self._news.notify()

    def answered(self) -> None:
        """Note that the terminal answered a probe."""
        with self._news:
            self._pace.answered(time.monotonic())
            self._news.notify_all()

    def settle(self, seconds: float) -> None:
        """Send no more frames and wait for answers under way: those that come later would be typed into the user's shell."""
        with self._news:
            self._closed = True
            self._news.wait_for(self._all_answered, seconds)

    def _all_answered(self) -> bool:
        return self.dead or not self._pace.awaits

    def stop(self) -> None:
        """Send what was written, no more frames, and end within about a second even where nobody reads."""
        with self._news:
            self._closed = True
            self._ending = time.monotonic() + _FAREWELL_SECONDS
            self._news.notify_all()
        if self.is_alive():
            self.join(_FAREWELL_SECONDS + 1)

    # ------------------------------------------------ the thread's side

    @override
    def run(self) -> None:
        """Write until `stop`, or until the terminal is gone."""
        try:
            while (data := self._next()) is not None:
                self._send(data)
        except OSError:  # hung up
            self.dead = True
        finally:
            if self._own:
                os.close(self._fd)

    def _next(self) -> bytes | None:
        """Wait for something to send; None at the end."""
        while True:
            with self._news:
                if self._texts:
                    found = b"".join(self._texts)
                    self._texts.clear()
                    return found
                if self._ending:
                    return None
                if not self._wanted or self._closed:
                    self._news.wait()
                    continue
                room, seconds = self._pace.room(time.monotonic())
                if room <= 0:
                    self._news.wait(seconds)
                    continue
                self._wanted = False
            text = self.source(room)
            if not text:
                continue
            self._wanted = True  # until the source has nothing left
            data = text.encode("utf-8", "replace")
            if self._pace.probes:
                data += PROBE.encode()
            self._pace.sends(len(data), time.monotonic())
            return data

    def _send(self, data: bytes) -> None:
        began = time.monotonic()
        view = memoryview(data)
        while view:
            ready = select.select((), (self._fd,), (), 0.1)[1]
            if ready:
                with contextlib.suppress(BlockingIOError):
                    # A descriptor that is not our own blocks: in small bites it does so only here, not in select.
                    view = view[os.write(self._fd, view if self._own else view[:256]) :]
            elif self._ending and time.monotonic() > self._ending:
                # Nobody reads. The line is emptied, so that the last words (the usual screen, the cursor) fit in.
                termios.tcflush(self._fd, termios.TCOFLUSH)
                self._ending = time.monotonic() + _FAREWELL_SECONDS
                with self._news:
                    last = b"".join(self._texts)[-2048:]
                    self._texts.clear()
                view = memoryview(SYNC_END.encode() + (last or view[-2048:].tobytes()))
        self._pace.wrote(len(data), time.monotonic() - began)


class HungUp(Message):
    """The terminal is gone: nobody sees the screen, nobody will type."""


class TerminalDriver(LinuxDriver):
    """Textual's driver with our way to the terminal, and back."""

    writer: TerminalWriter | None = None

    @override
    def run_input_thread(self) -> None:
        """Read what is typed until the end.

        In Textual's own loop a byte that is no UTF-8 ends the app, and a terminal that is gone, which may go without SIGHUP
        (nohup, a lost race at the start), is read for ever at full speed.
        """
        parser = XTermParser(self._debug)
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        poll = select.poll()
        poll.register(self.fileno, select.POLLIN)
        while not self.exit_event.is_set():
            if poll.poll(100):
                data = b""
                with contextlib.suppress(OSError):
                    data = os.read(self.fileno, 4096)
                if not data:
                    self._app.post_message(HungUp())
                    break
                for message in parser.feed(decode(data)):
                    self.process_message(message)
            for message in parser.tick():
                self.process_message(message)
        with contextlib.suppress(EOFError, ParseError):
            list(parser.feed(""))

    @property
    def _writer_thread(self) -> Any:
        return self.writer

    @_writer_thread.setter
    def _writer_thread(self, given: object) -> None:
        """Take Textual's writer thread for the wish to have one."""
        if given is None or self._file is None:
            self.writer = None
        else:
            self.writer = TerminalWriter(self._file, getattr(self._app, "most_bytes", 0))

    @override
    def stop_application_mode(self) -> None:
        if self.writer is not None:
            self.writer.settle(0.5)
        super().stop_application_mode()

    def capture(self, *, on: bool) -> None:
        """Have presses and the wheel reported, or leave the mouse to the terminal."""
        if not on:
            self._disable_mouse_support()
        self._mouse = on
        self._enable_mouse_support()

    @override
    def _enable_mouse_support(self) -> None:
        if self._mouse:
            self.write(MOUSE_ON)

    @override
    def _disable_mouse_support(self) -> None:
        if self._mouse:
            self.write(MOUSE_OFF)

    @override
    def _enable_mouse_pixels(self) -> None:
        """Cells are exact enough."""

    @override
    def process_message(self, message: Message) -> None:
        if isinstance(message, events.CursorPosition):
            if self.writer is not None:
                self.writer.answered()
            return
        super().process_message(message)

    def rescue(self) -> None:
        """Restore the terminal where the app hangs: called by whoever ends the process."""
        if self.attrs_before is not None:
            with contextlib.suppress(termios.error, OSError):
                termios.tcflush(self.fileno, termios.TCOFLUSH)
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
        if self.writer is not None:
            self.writer.write(
                f"{MOUSE_OFF}\x1b[?7h\x1b[<u\x1b[?2004l\x1b[?1049l\x1b[?25h\x1b[?1004l"
            )
            self.writer.stop()


def _descriptor(file: IO[str]) -> tuple[int, bool]:
    """Return a descriptor to write to and whether it is ours; not-blocking only then: others share the terminal's own."""
    fd = file.fileno()
    with contextlib.suppress(OSError):
        own = os.open(os.ttyname(fd), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        if os.fstat(own).st_rdev == os.fstat(fd).st_rdev:
            return own, True
        os.close(own)
    return fd, False


def _nothing(_room: int) -> str:
    return ""
