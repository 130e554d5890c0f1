"""Files of binary records with a length before each: followed like text, but reading ends at a damaged record."""

from __future__ import annotations

from pathlib import Path

from lrtui.metrics.sources.source import LONGEST, Followed, Row, Start, Values

Step = tuple[float, Values]
"""The position of what a record measured, and what it measured, that position included."""


class DamagedError(ValueError):
    """The rest of a file cannot be read."""


class Framed(Followed):
    """Follows a file of binary records. Consecutive records of one position become one row."""

    def __init__(self, path: Path, start: Start | None = None) -> None:
        """Follow a file."""
        super().__init__(path, start)
        self.settings: dict[str, object] = {}
        """The settings that the run was started with, as far as the file has them; nested, with untrusted text."""
        self.exit_code: int | None = None
        """How the run ended; None if the file does not say it."""
        self._buffer = b""
        self._begin = 0
        """The offset at which the buffer begins."""
        self._pass_over = 0
        """Bytes left to skip of a record that is too long."""
        self._damaged = ""

    @property
    def more(self) -> bool:
        """Whether the last read stopped at its budget."""
        return self._file.more and not self._damaged

    @property
    def why(self) -> str:
        """Why the rest of the file cannot be read; "" while it can."""
        return self._damaged or self._file.why

    def read(self, budget: int = 1 << 20, *, last: bool = False) -> list[Row]:
        """Return the new rows; a record that is cut off is not read, even with `last`."""
        del last
        if self._pass_over:
            passed = self._file.skip(self._pass_over)
            self._pass_over -= passed
            self._begin += passed
        data, anew = self._file.read(budget)
        if anew:
            self.__init__(self.path)  # type: ignore[misc]  # a different file of that name
            data, _ = self._file.read(budget)
        if self._damaged:
            return []
        if self._pass_over:
            passed = min(self._pass_over, len(data))
            self._pass_over, self._begin, data = (
                self._pass_over - passed,
                self._begin + passed,
                data[passed:],
            )
        self._buffer += data
        rows: list[Row] = []
        try:
            self._records(rows)
        except DamagedError as error:
            self._damaged = str(error)
        return rows

    def _records(self, rows: list[Row]) -> None:
        """Append what the whole records in the buffer measured."""
        at, position, values = 0, None, Values()
        while (framed := self._frame(self._buffer, at, self._begin + at)) is not None:
            length, record = framed
            at += length
            if at > len(self._buffer):
                self._pass_over = at - len(self._buffer)
            if record is None:
                continue
            self.at += 1
            if not self.first:
                self.first = _name(record)
                if self._known and self.first != self._known:
                    self._taken = 0
            if self.at <= self._taken or self._begin + at <= self._file.older:
                continue
            step = self._step(record)
            if step is None:
                continue
            if values and step[0] != position:
                rows.append(Row(self.at - 1, values))
                values = {}
            position = step[0]
            values = {**values, **step[1]}
        if values:
            rows.append(Row(self.at, values))
        end = min(at, len(self._buffer))
        self._begin += end
        self._buffer = self._buffer[end:]

    def _step(self, record: bytes) -> Step | None:
        try:
            return self._measured(record)
        except (ValueError, RecursionError):
            self.bad += 1
            return None

    def _frame(self, buffer: bytes, at: int, offset: int) -> tuple[int, bytes | None] | None:
        """Return the length of the frame at `at` in the buffer (`offset` in the file) and the record that it completes; None if bytes are missing.

        Raises:
            DamagedError: it is not a record.

        """
        raise NotImplementedError

    def _measured(self, record: bytes) -> Step | None:
        """Return what a record measured; None if it is not a measurement.

        Raises:
            ValueError: it cannot be read.

        """
        raise NotImplementedError


def _name(record: bytes) -> int:
    import zlib

    return zlib.crc32(record[:LONGEST]) | 1 << 32
