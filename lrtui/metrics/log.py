"""The metric lines of one attempt, wherever its worker put them: metrics.jsonl, printed, or saved from a capped log."""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path

import msgspec

from lrtui.metrics.capture import Capture, Reading
from lrtui.metrics.line import Found, Measurement, one_by_one
from lrtui.metrics.read_lines import taken
from lrtui.metrics.sources.matching import MOST_FILES
from lrtui.metrics.tail import Hole, Tail
from lrtui.sweep.files import read_end
from lrtui.sweep.layout import AttemptLayout


class _Saved(msgspec.Struct):
    """A line of printed.jsonl: the line of output.log at `offset`, saved before the log's middle was deleted."""

    offset: int
    line: str


class _Exit(msgspec.Struct):
    """The part of exit.json that is needed here."""

    code: int | None = None


_saved = msgspec.json.Decoder(_Saved)
_exit = msgspec.json.Decoder(_Exit)


class MetricLog:
    """Follows the metric lines of one attempt, wherever its worker put them."""

    def __init__(
        self,
        attempt_dir: Path,
        reading: Reading,
        until: float = math.inf,
        *,
        by_column: bool = False,
    ) -> None:
        """Follow the attempt in a directory, which was started to train for `until`; `by_column` is for users of `read`."""
        files = AttemptLayout(attempt_dir)
        self._exit = files.exit
        self._until = min(until, reading.horizon)
        self._ended = False
        """Whether the worker has ended and all its output was read."""
        self._metrics = Tail(files.metrics)
        self._output = Tail(files.output)
        self._printed = Tail(files.printed)
        self._read = Tail(files.read)
        self.capture = Capture(reading, by_column=by_column)
        self._last_saved = (0, 0)
        """(offset, bytes) of the last line taken from printed.jsonl."""
        self._passed_hole = False
        self._bad = 0

    @property
    def bad(self) -> int:
        """The number of invalid lines in metrics.jsonl; text in output.log does not count."""
        return self._bad + self._metrics.long

    @property
    def more(self) -> bool:
        """Whether the last poll left something unread."""
        tails = (self._metrics, self._output, self._printed, self._read)
        return self._passed_hole or any(tail.more for tail in tails)

    @property
    def offset(self) -> int:
        """The number of bytes read or skipped."""
        return self._metrics.offset + self._output.offset + self._read.offset

    def left(self) -> int:
        """Return how many bytes are left to read or skip."""
        left = 0
        for tail in (self._metrics, self._output, self._read):
            with contextlib.suppress(OSError):
                left += max(0, os.stat(tail.path).st_size - tail.offset)
        return left

    def poll(self, max_bytes: int = 1 << 22) -> list[Measurement]:
        """Return the new measurements, reading about `max_bytes` of each file; never raises."""
        return one_by_one(self.read(max_bytes))

    def read(self, max_bytes: int = 1 << 22) -> list[Found]:
        """Return what `poll` returns, by column if that is faster."""
        found: list[Found] = []
        self._passed_hole = False
        # Checked first: all that a worker wrote is there before its exit.json.
        ended = not self._ended and os.path.exists(self._exit)
        for block in self._metrics.blocks(max_bytes):
            self._bad += self.capture.metric_lines(block, found)
        if self._metrics.hole is not None:
            self._bad += 1
            self._metrics.jump(self._metrics.hole.end, skipping=True)
            self._passed_hole = True
        for block in self._output.blocks(max_bytes):
            self.capture.text(block, found)
        if self._output.hole is not None:
            self._cross(self._output.hole, max_bytes, found)
        for block in self._read.blocks(max_bytes):
            for line in block.split(b"\n"):
                self._take_read(line, found)
        if ended and not self.more:
            self._end(found)
        return found

    def _take_read(self, line: bytes, found: list[Found]) -> None:
        """Take a line of read.jsonl."""
        said = taken(line) if line else None
        if said is None:
            self._bad += bool(line)
        elif said.note:
            self.capture.misses.say(said.note)
        elif said.values is not None and 0 <= said.file < MOST_FILES:
            self.capture.row(said.file, said.values, found, line[line.find(b'"row":') + 6 : -1])

    def _end(self, found: list[Found]) -> None:
        """Take the records that were held back; a last line without a newline counts unless the worker was killed while writing it."""
        self._ended = True
        try:
            code = _exit.decode(read_end(self._exit, 1 << 12)).code
        except (ValueError, RecursionError):
            code = None
        if code == 0:
            self._bad += self.capture.metric_lines(self._metrics.rest(), found)
            self.capture.text(self._output.rest(), found)
        self.capture.end(found, self._until, ok=code == 0)

    def _cross(self, hole: Hole, max_bytes: int, found: list[Found]) -> None:
        """Take the lines that the keeper saved from a hole; once all are read, continue after it.

        The keeper saves (and syncs) the lines before it punches the hole, so a reader that sees the hole finds them. Some may
        lie beyond the hole, saved for the next one: reading continues after the last of them.
        """
        for block in self._printed.blocks(max_bytes):
            for record in block.split(b"\n"):
                self._take(record, hole.line, found)
        if self._printed.more:
            return
        offset, length = self._last_saved
        if offset >= hole.end:
            self._output.jump(offset, skipping=True)
        else:
            self._output.jump(hole.end, skipping=offset + length + 1 > hole.end)
        self._passed_hole = True

    def _take(self, record: bytes, since: int, found: list[Found]) -> None:
        try:
            saved = _saved.decode(record)
        except (ValueError, RecursionError):
            return
        if saved.offset >= since:
            line = saved.line.encode("utf-8", "replace")
            self._last_saved = (saved.offset, len(line))
            self.capture.text(line, found)
