"""Finds the lines of Python's tracebacks in an output: their numbers are not measurements."""

from __future__ import annotations

import re

_BEGINS = re.compile(r"(.*?)Traceback \(most recent call last\)")
"""The first line of a traceback, after a launcher's prefix."""


class Tracebacks:
    """Follows an output line by line."""

    def __init__(self) -> None:
        self._before: str | None = None
        """The prefix of each line of the present traceback; None outside one."""

    def holds(self, line: str) -> bool:
        """Return whether the next line belongs to a traceback; the line of the exception, its last, does too."""
        if (begins := _BEGINS.match(line)) is not None:
            self._before = begins[1]
            return True
        if self._before is None:
            return False
        if not line.removeprefix(self._before).startswith((" ", "\t")):
            self._before = None
        return True
