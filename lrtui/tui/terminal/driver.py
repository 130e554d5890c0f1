"""Writes to the terminal in a thread, so that the app never waits for a connection that is slow, cut or not read.

It sends Textual's own control sequences (few, kept in order, never dropped) and frames, which are not queued: when the
connection has taken the last one, the next is requested, so it shows the newest state. The size of a frame's part follows from
the connection's speed, measured by how long the terminal takes to answer a request for the cursor position sent after a frame,
which includes the buffers of ssh and the kernel; if it does not answer, by how long writing takes.
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
    """Returns the next part of the terminal's content in about the given number of bytes; "" while nothing is pending."""

SYNC_START, SYNC_END = "\x1b[?2026h", "\x1b[?2026l"
MOUSE_ON, MOUSE_OFF = "\x1b[?1000h\x1b[?1006h", "\x1b[?1006l\x1b[?1000l"
"""Presses, releases and the wheel, but no movements, which would fill a slow connection."""
PROBE = "\x1b[6n"
"""Asks for the cursor position: the answer shows that everything before it was processed."""
_FAREWELL_SECONDS = 0.7
"""The time that the final output may take before pending output is discarded for it."""


class TerminalWriter(threading.Thread):
    """Writes to a terminal; replaces Textual's writer thread, which blocks the app when 30 writes are pending."""

    def __init__(self, file: IO[str], most_bytes: int = 0) -> None:
        super().__init__(daemon=True, name="lrtui-writer")
        self.source: Source = _nothing
        """The source of frames; called in this thread."""
        self.dead = False
        """Whether the terminal is gone."""
        self._fd, self._own = _descriptor(file)
        self._news = threading.Condition()
        self._texts: deque[bytes] = deque()
        self._wanted = False
        self._closed = False
        """Whether no more frames are sent."""
        self._ending = 0.0
        """The time at which to discard pending output; 0 while the writer is in use."""
        self._pace = Pace(most_bytes)

    # ------------------------------------------------ the app's side: never blocks

    def write(self, text: str) -> None:
        """Send a text unchanged, before the next frame."""
        with self._news:
            self._texts.append(text.encode("utf-8", "replace"))
            self._news.notify()

    def wake(self) -> None:
        """Request a frame from the source as soon as the connection is free."""
        with self._news:
            self._wanted = True
            self._news.notify()

    def answered(self) -> None:
        """Record that the terminal answered a probe."""
        with self._news:
            self._pace.answered(time.monotonic())
            self._news.notify_all()

    def settle(self, seconds: float) -> None:
        """Send no more frames and wait for pending answers, because later ones would be typed into the user's shell."""
        with self._news:
            self._closed = True
            self._news.wait_for(self._all_answered, seconds)

    def _all_answered(self) -> bool:
        return self.dead or not self._pace.awaits

    def stop(self) -> None:
        """Send the pending texts but no more frames, and end within about a second even if nothing is read."""
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
                    # A shared descriptor blocks; with small writes it blocks only here, not in select.
                    view = view[os.write(self._fd, view if self._own else view[:256]) :]
            elif self._ending and time.monotonic() > self._ending:
                # Nothing is read: discard pending output, so that the final output (main screen, cursor) fits.
                termios.tcflush(self._fd, termios.TCOFLUSH)
                self._ending = time.monotonic() + _FAREWELL_SECONDS
                with self._news:
                    last = b"".join(self._texts)[-2048:]
                    self._texts.clear()
                view = memoryview(SYNC_END.encode() + (last or view[-2048:].tobytes()))
        self._pace.wrote(len(data), time.monotonic() - began)


class HungUp(Message):
    """The terminal is gone: no more output is seen and no more input will come."""


class TerminalDriver(LinuxDriver):
    """Textual's driver with lrtui's writer and input thread."""

    writer: TerminalWriter | None = None

    @override
    def run_input_thread(self) -> None:
        """Read input until the end.

        In Textual's own loop a byte that is not UTF-8 ends the app, and a terminal that has gone, possibly without SIGHUP
        (nohup, a lost race at the start), is read forever at full speed.
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
        """Create a `TerminalWriter` when Textual sets its writer thread."""
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
        """Turn the reporting of presses and the wheel on, or leave the mouse to the terminal."""
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
        """Do nothing: positions in cells are exact enough."""

    @override
    def process_message(self, message: Message) -> None:
        if isinstance(message, events.CursorPosition):
            if self.writer is not None:
                self.writer.answered()
            return
        super().process_message(message)

    def rescue(self) -> None:
        """Restore the terminal when the app hangs; called before the process is ended."""
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
    """Return a descriptor to write to, and whether it is private: only a private one is non-blocking, since the terminal's is shared."""
    fd = file.fileno()
    with contextlib.suppress(OSError):
        own = os.open(os.ttyname(fd), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        if os.fstat(own).st_rdev == os.fstat(fd).st_rdev:
            return own, True
        os.close(own)
    return fd, False


def _nothing(_room: int) -> str:
    return ""
