"""Which lines of an output belong to Python's tracebacks: their numbers are of code, and none is a measurement."""

from __future__ import annotations

import re

_BEGINS = re.compile(r"(.*?)Traceback \(most recent call last\)")
"""The first line of a traceback, after what a launcher may put before each line."""


class Tracebacks:
    """Follows an output line by line."""

    def __init__(self) -> None:
        self._before: str | None = None
        """What stands before each line of the present traceback; None outside of one."""

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
