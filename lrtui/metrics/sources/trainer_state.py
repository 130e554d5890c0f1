"""trainer_state.json of Hugging Face's Trainer: its log_history, rewritten at each save and repeated in each checkpoint's folder."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from lrtui.metrics.capture.objects import flattened
from lrtui.metrics.sources.growing import Seen, seen
from lrtui.metrics.sources.source import Row, Start, named
from lrtui.sweep.files import open_regular

_MOST_BYTES = 64 << 20


class _State(msgspec.Struct):
    """The part of the file that is needed."""

    log_history: list[dict[str, object]]


_decoder = msgspec.json.Decoder(_State)


class TrainerState:
    """Follows a trainer_state.json."""

    more = False

    def __init__(self, path: Path, start: Start | None = None) -> None:
        """Follow a file."""
        start = start or Start()
        self.path = path
        self.at = start.at
        self.first = start.first
        self.bad = 0
        self.why = ""
        self._before = start.before
        self._last: Seen | None = None

    def read(self, budget: int = 1 << 20, *, last: bool = False) -> list[Row]:
        """Return the new rows; the file is read whole, whatever the budget."""
        del budget
        now = seen(self.path)
        if now is None or now in {self._last, self._before}:
            return []
        content = self._content(now)
        try:
            history = _decoder.decode(content).log_history if content else []
        except (ValueError, RecursionError):  # it is being written
            self.bad += last
            return []
        self._last = now
        records = [flattened(each, set()) for each in history]
        if records and named(records[0]) != self.first:
            self.at, self.first = 0, named(records[0])
        new = [Row(n, values) for n, values in enumerate(records, 1) if n > self.at and values]
        self.at = max(self.at, len(records))
        return new

    def _content(self, now: Seen) -> bytes:
        self.why = "" if now.size <= _MOST_BYTES else "has more than 64 MiB"
        if self.why:
            return b""
        try:
            fd = open_regular(self.path)
        except OSError as error:
            self.why = error.strerror or "is no regular file"
            return b""
        with open(fd, "rb") as file:
            return file.read(min(now.size, os.fstat(fd).st_size))
