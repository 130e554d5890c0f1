"""What every reader of one file offers: the records that came since the last look, numbered, with what they measured."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol

from lrtui.metrics.sources.growing import Growing, Seen

LONGEST = 1 << 20
"""The longest record that is read, in bytes; longer ones are passed over and counted as bad."""

Values = dict[str, float]
"""What one record measured, by name; what was not measured is absent. Whole numbers may be int."""


class Row(NamedTuple):
    """What one record, or several of one position, measured."""

    at: int
    """How many records of the file are read with this one: where to go on after it."""
    values: Values


class Start(NamedTuple):
    """Where reading begins."""

    at: int = 0
    """Records that were taken before, by a reader whose `first` was `first`."""
    first: int = 0
    before: Seen | None = None
    """How the file was when the attempt began: what stood in it then is passed over."""


class Source(Protocol):
    """Follows one file."""

    path: Path
    at: int
    """Records of the file that were read."""
    first: int
    """Names the first record: a file that is written anew and begins with another one has another history. 0: not known yet."""
    bad: int
    """Records that are none: torn, too long, of another kind."""

    @property
    def more(self) -> bool:
        """Whether the last read stopped at its budget."""

    @property
    def why(self) -> str:
        """Why the file, or the rest of it, cannot be read; "" while it can."""

    def read(self, budget: int = 1 << 20, *, last: bool = False) -> list[Row]:
        """Return what came since the last call, reading about `budget` bytes; never raises.

        `last`: nothing will come any more, so a last record without its end counts.
        """


class Followed:
    """What a reader knows of the file that it follows."""

    def __init__(self, path: Path, start: Start | None = None) -> None:
        """Follow a file."""
        start = start or Start()
        self.path = path
        self.at = 0
        self.first = 0
        self.bad = 0
        self._file = Growing(path, start.before)
        self._taken = start.at
        """Records up to here were returned before, if the first one is `_known`."""
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
    """The lines of a growing text file, numbered, through rewrites that keep its history. Each format says what a line measured."""

    def __init__(self, path: Path, start: Start | None = None) -> None:
        """Follow a file."""
        super().__init__(path, start)
        self._rest = b""
        self._begin = 0
        """The offset at which the rest begins."""
        self._long = False
        """Whether the rest is that of a line which is too long."""

    def read(self, budget: int = 1 << 20, *, last: bool = False) -> list[Row]:
        """Return what came since the last call."""
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
        """Forget what was read of the file: it begins anew."""

    def _measured(self, line: bytes) -> Values | None:
        """Return what a line measured; {} for a line that should have and did not, None for one that need not."""
        raise NotImplementedError


def named(values: Values) -> int:
    """Return a number that names a record, the same in every process; never 0."""
    import zlib

    text = repr(sorted(values.items()))
    return zlib.crc32(text.encode("utf-8", "replace")) | 1 << 32


def number_of(text: str) -> float | None:
    """Return the number in a cell, an int where it is written as one; None where it is no number."""
    from lrtui.metrics.capture.values import number

    if len(text) < 16 and text.lstrip("-").isdecimal():
        return int(text)
    return number(text)
