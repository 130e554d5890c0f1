"""Writes the report of a closed sweep in a separate process, which needs more memory than a supervisor may use.

The loop calls `tick` and continues meanwhile: commands that arrive while the report is written are handled at once.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

MOST_SECONDS = 60.0
"""A report that takes longer (seconds) is given up, so that the supervisor can end."""

log = logging.getLogger("lrtui.supervisor")


def begin(directory: Path) -> subprocess.Popen[bytes]:
    """Start `lrtui report DIR`."""
    command = [sys.executable, "-m", "lrtui", "report", str(directory)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


class ReportProcess:
    """Writes one report for each time that the sweep closes, one after the other."""

    def __init__(self, begin: Callable[[], subprocess.Popen[bytes]]) -> None:
        self._begin = begin
        self._process: subprocess.Popen[bytes] | None = None
        self._began_at = 0.0
        self._of = 0
        """The closing event whose report was begun."""

    def tick(self, closed: int) -> bool:
        """Start or check the report of the sweep that event number `closed` closed (0: open); return whether no report is pending."""
        if self._process is not None and not self._has_ended(self._process):
            return False
        self._process = None
        if closed in {0, self._of}:
            return True
        self._of, self._began_at = closed, time.monotonic()
        try:
            self._process = self._begin()
        except OSError as error:
            log.error("the report was not written: %s", error)
        return self._process is None

    def _has_ended(self, process: subprocess.Popen[bytes]) -> bool:
        if process.poll() is not None:
            return True
        if time.monotonic() - self._began_at <= MOST_SECONDS:
            return False
        process.kill()
        process.wait()
        log.error("the report was not written in %g s", MOST_SECONDS)
        return True
