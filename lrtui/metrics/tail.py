"""Follows one growing file by whole lines (ended by a newline or a carriage return), across the hole in the middle of a capped log."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec

from lrtui.sweep.files import open_regular

LONGEST = 1 << 20
"""The longest line that is read, in bytes; longer ones are skipped."""
_ENDS = re.compile(rb"[\r\n]")
_CHUNK = 1 << 18
NULS = b"\0" * 512
"""This many consecutive NULs are the missing middle of a capped log, not text."""


class Hole(msgspec.Struct, frozen=True):
    """A missing range of a file: a line starts at `line` and is cut off at the hole; data continues at `end`."""

    line: int
    end: int


class Tail:
    """Follows one growing file by whole lines; each line is returned once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        """The offset of the next unread line (or of its rest, while `skipping`)."""
        self.skipping = False
        """Whether everything up to the next end of a line is skipped."""
        self.long = 0
        """The number of lines longer than LONGEST."""
        self.hole: Hole | None = None
        """Set while a hole blocks reading; the caller skips it with `jump`."""
        self.more = False
        """Whether the last read stopped at its budget, not at the end of the file."""
        self._seen: tuple[int, int] = (-1, -1)
        """(inode, size) up to which everything is read."""
        self._inode = 0

    def blocks(self, budget: int) -> Iterator[bytes]:
        """Yield blocks of whole lines, about `budget` bytes in all."""
        self.more = False
        try:
            fd = self._open()
        except OSError:
            return
        if fd is None:
            return
        try:
            yield from self._blocks(fd, budget)
        except OSError:
            return
        finally:
            os.close(fd)

    def jump(self, offset: int, *, skipping: bool) -> None:
        """Continue after a hole."""
        self.offset = offset
        self.skipping = skipping
        self.hole = None
        self._seen = (-1, -1)

    def sample(self, parts: int, size: int) -> Iterator[bytes]:
        """Yield the whole lines within `size` bytes at each of `parts` places, the start and the end of the file among them; all of a small file.

        The place of reading does not change.
        """
        try:
            fd = open_regular(self.path)
        except OSError:
            return
        try:
            last = os.fstat(fd).st_size - size
            if last < size * parts:
                parts, size, last = 1, last + size, 0
            for part in range(parts):
                at = last * part // max(1, parts - 1)
                data = os.pread(fd, size, at)
                block = data[data.find(b"\n") + 1 if at else 0 : data.rfind(b"\n") + 1]
                if block and NULS not in block:
                    yield block
        except OSError:
            return
        finally:
            os.close(fd)

    def rest(self) -> bytes:
        """Return the last line of a complete file if it has no newline; b"" if there is none."""
        if self.skipping or self.hole is not None:
            return b""
        try:
            fd = open_regular(self.path)
        except OSError:
            return b""
        try:
            data = os.pread(fd, LONGEST + 1, self.offset)
        except OSError:
            return b""
        finally:
            os.close(fd)
        self.offset += len(data)
        return data if len(data) <= LONGEST and NULS not in data else b""

    def _open(self) -> int | None:
        """Return a descriptor if there may be new data; a replaced file is read from its start."""
        status = os.lstat(self.path)
        if not stat.S_ISREG(status.st_mode) or (status.st_ino, status.st_size) == self._seen:
            return None
        fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            return None
        if status.st_size < self.offset or status.st_ino != self._inode:
            self.offset, self.skipping, self.hole = 0, False, None
        self._inode = status.st_ino
        return fd

    def _blocks(self, fd: int, budget: int) -> Iterator[bytes]:
        want = _CHUNK
        while self.hole is None:
            if (
                budget <= 0 and want == _CHUNK
            ):  # within a long line it continues, or it would never get past it
                self.more = True
                return
            began = self.offset
            chunk = os.pread(fd, want, began)
            budget -= len(chunk)
            nuls = chunk.find(NULS)
            block = self._whole(chunk if nuls < 0 else chunk[:nuls])
            if block:
                yield block
            if nuls >= 0:
                self.hole = Hole(self.offset, _end_of_hole(fd, began + nuls))
            elif len(chunk) < want:
                self._seen = (self._inode, began + len(chunk))
                return
            else:
                want = self._longer(want, len(chunk)) if block is None else _CHUNK

    def _whole(self, data: bytes) -> bytes | None:
        """Consume the whole lines of `data` and return them; None if no line ends in it."""
        end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if end == 0:
            return None
        self.offset += end
        if not self.skipping:
            return data[:end]
        self.skipping = False
        first = _ENDS.search(data)
        return data[first.end() if first else 0 : end]

    def _longer(self, want: int, held: int) -> int:
        """Return how much to read next, after a chunk without any newline."""
        if not self.skipping and want <= LONGEST:
            return LONGEST + 1
        if not self.skipping:
            self.long += 1
        self.skipping = True
        self.offset += held
        return _CHUNK


def _end_of_hole(fd: int, at: int) -> int:
    """Return the offset after the NULs at `at`, whether they are a hole or (in a copy) written."""
    size = os.fstat(fd).st_size
    most = at + (1 << 26)
    while at < size:
        try:
            data = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # a hole up to the end of the file
                return size
            data = at
        if data > at:
            at = data
            most = at + (1 << 26)
            continue
        block = os.pread(fd, LONGEST, at)
        text = block.lstrip(b"\0")
        at += len(block) - len(text)
        if text or not block or at > most:
            break
    return at
