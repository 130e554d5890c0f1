"""A real pseudo-terminal with the monitor in it, and an emulator that says what a user would see."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import pyte

from tests.tui.at_rest import ASK, MARK
from tests.until import PATIENCE_SECONDS

ROOT = Path(__file__).resolve().parents[2]
_KITTY = re.compile(rb"\x1b\[[<>=?][0-9;]*[a-zA-Z]")
"""Private sequences that pyte would print."""
CHILD = "import sys; from pathlib import Path; from lrtui import tui; sys.exit(tui.run(Path(sys.argv[1]), view_only=True))"

AT_REST = "from tests.tui import at_rest; at_rest.install()\n"


class Terminal:
    """The monitor, or another command, on a pty of its own; use it in a `with`."""

    def __init__(
        self,
        directory: Path,
        width: int,
        height: int,
        code: str = CHILD,
        command: Sequence[str] = (),
        **env: str,
    ) -> None:
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        clean = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TMUX")}
        self._state = tempfile.TemporaryDirectory(prefix="lrtui-state-")
        remembered = Path(self._state.name, "lrtui", "monitor.json")
        remembered.parent.mkdir()
        remembered.write_text('{"hinted": true}')
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.began = time.perf_counter()
        self.child = subprocess.Popen(
            [*(command or (sys.executable, "-c", AT_REST + code)), str(directory)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=ROOT,
            env={
                **clean,
                "TERM": "xterm-256color",
                "COLORTERM": "truecolor",
                "XDG_STATE_HOME": self._state.name,
                "XDG_CACHE_HOME": self._state.name,
                "TEST_LOOKS": str(Path(self._state.name, "looks")),
                **env,
            },
            start_new_session=True,
        )
        self.master = master
        self.screen = pyte.Screen(width, height)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = bytearray()
        self.last_byte = self.began

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.until(lambda: self.child.poll() is not None, 5)
            finally:
                self.child.kill()
        self.child.wait()
        os.close(self.master)
        os.close(self.slave)
        self._state.cleanup()

    @property
    def text(self) -> str:
        return "\n".join(self.screen.display)

    def pump(self, seconds: float) -> int:
        """Read for a while; return how many bytes came."""
        before = len(self.raw)
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self.read(left)
        return len(self.raw) - before

    def read(self, timeout: float, most: int = 65536) -> bool:
        """Read what is there, at most so many bytes; return whether anything came in time."""
        if not select.select([self.master], [], [], timeout)[0]:
            return False
        try:
            data = os.read(self.master, most)
        except OSError:
            time.sleep(min(timeout, 0.01))
            return False
        self.last_byte = time.perf_counter()
        self.raw += data
        self._stream.feed(_KITTY.sub(b"", data))
        return True

    def until(self, condition: Callable[[], bool], deadline: float = PATIENCE_SECONDS) -> float:
        """Read until the condition holds; return the seconds since the start, or fail with the screen."""
        deadline = max(deadline, PATIENCE_SECONDS)
        end = time.perf_counter() + deadline
        while not condition():
            if time.perf_counter() > end:
                raise AssertionError(f"not within {deadline} s; the screen:\n{self.text}")
            ended = self.child.poll() is not None
            if not self.read(0.02) and ended and not condition():
                raise AssertionError(f"it ended before; the screen:\n{self.text}")
        return time.perf_counter() - self.began

    def shows(self, text: str, deadline: float = PATIENCE_SECONDS) -> float:
        return self.until(lambda: text in self.text, deadline)

    def rest(self) -> None:
        """Read until all that was typed has had its effect, and is on the screen (see `at_rest`)."""
        mark = MARK.encode()
        marks = self.raw.count(mark)
        self.press(ASK)
        self.until(lambda: self.raw.count(mark) > marks)

    def idle(self, looks: int = 4) -> int:
        """Read until the monitor has looked at the directory `looks` times more; return how many bytes came."""
        before = len(self.raw)
        wanted = self._looks() + looks
        self.until(lambda: self._looks() >= wanted)
        return len(self.raw) - before

    def _looks(self) -> int:
        file = Path(self._state.name, "looks")
        return file.stat().st_size if file.exists() else 0

    def ended(self) -> int:
        """Read until the child has ended, and all that it wrote; return its exit code."""
        self.until(lambda: self.child.poll() is not None)
        while self.read(0):
            pass
        return self.child.returncode

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self, field: str = "VmRSS") -> float:
        status = Path(f"/proc/{self.child.pid}/status").read_text()
        return next(
            int(row.split()[1]) / 1024 for row in status.splitlines() if row.startswith(field)
        )
