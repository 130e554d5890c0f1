"""The interface of all readers of one file: the new records, numbered, with what they measured."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol

from lrtui.metrics.sources.growing import Growing, Seen

LONGEST = 1 << 20
"""The longest record that is read, in bytes; longer ones are skipped and counted as bad."""

Values = dict[str, float]
"""The values of one record by name; missing ones are absent. Integers may be int."""


class Row(NamedTuple):
    """The values of one record, or of several at one position."""

    at: int
    """The number of records read up to and including this one, at which reading continues."""
    values: Values


class Start(NamedTuple):
    """Where reading begins."""

    at: int = 0
    """The number of records that a reader with the same `first` has taken before."""
    first: int = 0
    before: Seen | None = None
    """The file's state when the attempt began: what it held then is skipped."""


class Source(Protocol):
    """Follows one file."""

    path: Path
    at: int
    """The number of records read."""
    first: int
    """Identifies the first record: a rewritten file that begins with a different one has a different history. 0: not known yet."""
    bad: int
    """The number of invalid records: torn, too long, of another kind."""

    @property
    def more(self) -> bool:
        """Whether the last read stopped at its budget."""

    @property
    def why(self) -> str:
        """Why the file, or the rest of it, cannot be read; "" while it can."""

    def read(self, budget: int = 1 << 20, *, last: bool = False) -> list[Row]:
        """Return the new rows, reading about `budget` bytes; never raises.

        `last`: the file is complete, so a last record without a newline counts.
        """


class Followed:
    """The state that all readers share."""

    def __init__(self, path: Path, start: Start | None = None) -> None:
        """Follow a file."""
        start = start or Start()
        self.path = path
        self.at = 0
        self.first = 0
        self.bad = 0
        self._file = Growing(path, start.before)
        self._taken = start.at
        """The number of records returned before, if the first one is `_known`."""
        self._known = start.first

    @property
    def more(self) -> bool:
        """Whether the last read stopped at its budget."""
        return self._file.more

    @property
    def why(self) -> str:
        """Why the file cannot be read; "" while it can."""
        return self._file.why


class Lines(Followed):
    """Follows the numbered lines of a growing text file, through rewrites that keep its history; subclasses parse a line."""

    def __init__(self, path: Path, start: Start | None = None) -> None:
        """Follow a file."""
        super().__init__(path, start)
        self._rest = b""
        self._begin = 0
        """The offset of the incomplete last line."""
        self._long = False
        """Whether the incomplete last line is too long."""

    def read(self, budget: int = 1 << 20, *, last: bool = False) -> list[Row]:
        """Return the new rows."""
        data, anew = self._file.read(budget)
        if anew:
            self._taken, self._known = max(self.at, self._taken), self.first or self._known
            self.at = self.first = self._begin = 0
            self._rest, self._long = b"", False
            self._anew()
        block = self._rest + data
        end = max(block.rfind(b"\n"), block.rfind(b"\r")) + 1
        if last and not self.more and block:
            end = len(block)
        self._rest = block[end:]
        rows: list[Row] = []
        for line in block[:end].splitlines(keepends=True):
            content = line.rstrip(b"\r\n")
            older = self._begin + len(content) <= self._file.older
            self._begin += len(line)
            if self._long or len(content) > LONGEST:
                self.bad, self._long = self.bad + 1, False
            elif content.strip(b" \t\0"):
                self._take(content, rows, older=older)
        if len(self._rest) > LONGEST:
            self._begin += len(self._rest)
            self._rest, self._long = b"", True
        return rows

    def _take(self, line: bytes, rows: list[Row], *, older: bool) -> None:
        values = self._measured(line)
        if values is None:
            return
        if not values:
            self.bad += not older
            return
        self.at += 1
        if not self.first:
            self.first = named(values)
            if self._known and self.first != self._known:
                self._taken = 0
            self._known = 0
        if self.at > self._taken and not older:
            rows.append(Row(self.at, values))

    def _anew(self) -> None:
        """Reset after the file was replaced or rewritten."""

    def _measured(self, line: bytes) -> Values | None:
        """Return what a line measured; {} if it should have values and has none, None if it need not."""
        raise NotImplementedError


def named(values: Values) -> int:
    """Return a number that identifies a record, the same in every process; never 0."""
    import zlib

    text = repr(sorted(values.items()))
    return zlib.crc32(text.encode("utf-8", "replace")) | 1 << 32


def number_of(text: str) -> float | None:
    """Return the number in a cell, an int if it is written as one; None if it is not a number."""
    from lrtui.metrics.capture.values import number

    if len(text) < 16 and text.lstrip("-").isdecimal():
        return int(text)
    return number(text)
