"""The new bytes of one file that another program appends to, truncates, replaces or rewrites."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

from lrtui.sweep.files import open_regular

_HEAD = 256
_TAIL = 64


class Seen(NamedTuple):
    """A file's state at one moment."""

    inode: int
    """0 for a copy that does not exist yet."""
    size: int
    changed: int
    """Its mtime in nanoseconds."""


def seen(path: Path | str) -> Seen | None:
    """Return a regular file's present state; None if it does not exist, or is a link, a fifo, a folder or the like."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return _of(status) if stat.S_ISREG(status.st_mode) else None


class Growing:
    """Follows the bytes of one file."""

    def __init__(self, path: Path, before: Seen | None = None) -> None:
        """Follow a file; what it held at the time of `before` counts as older, unless the file is rewritten."""
        self.path = path
        self.offset = 0
        self.older = 0
        """The number of bytes at the beginning of the file that are older, which the caller ignores."""
        self.more = False
        """Whether the last read stopped at its budget."""
        self.why = ""
        """Why the file cannot be read; "" while it can."""
        self._before = before
        self._last: Seen | None = None
        self._inode = 0
        self._head = b""
        self._tail = b""

    def read(self, budget: int) -> tuple[bytes, bool]:
        """Return the new bytes, at most `budget`, and whether the file was replaced or rewritten and is read from its start; never raises."""
        if not self.more and self._last is not None and seen(self.path) == self._last:
            return b"", False
        self.more = False
        try:
            fd = open_regular(self.path)
        except FileNotFoundError:
            return b"", False
        except OSError as error:
            self.why = error.strerror or "is no regular file"
            return b"", False
        self.why = ""
        try:
            return self._read(fd, budget)
        except OSError as error:
            self.why = error.strerror or "cannot be read"
            return b"", False
        finally:
            os.close(fd)

    def skip(self, length: int) -> int:
        """Skip up to `length` bytes, as far as the file has them; return how many were skipped."""
        passed = min(length, max(0, self._last.size - self.offset)) if self._last else 0
        self.offset += passed
        self._tail = b""
        return passed

    def _read(self, fd: int, budget: int) -> tuple[bytes, bool]:
        now = _of(os.fstat(fd))
        anew = self.offset > 0 and not self._same(fd, now)
        if anew:
            self.offset, self.older = 0, 0
            self._head = self._tail = b""
        elif self._inode == 0 and self._before is not None:
            self.older = _older(self._before, now)
        data = os.pread(fd, budget, self.offset)
        if self.offset < _HEAD:
            self._head = (self._head + data)[:_HEAD]
        self._tail = (self._tail + data)[-_TAIL:]
        self.offset += len(data)
        self._inode = now.inode
        self.more = self.offset < now.size and bool(data)
        self._last = now
        return data, anew

    def _same(self, fd: int, now: Seen) -> bool:
        """Return whether the file still begins with what was read."""
        if now.inode != self._inode or now.size < self.offset:
            return False
        tail = os.pread(fd, len(self._tail), self.offset - len(self._tail))
        return os.pread(fd, len(self._head), 0) == self._head and tail == self._tail


def _of(status: os.stat_result) -> Seen:
    return Seen(status.st_ino, status.st_size, status.st_mtime_ns)


def _older(before: Seen, now: Seen) -> int:
    """Return the number of bytes that are unchanged since `before`: 0 for a file that was replaced, truncated or rewritten."""
    if before.inode == 0:  # a copy of that file
        return before.size if now.size >= before.size else 0
    touched = now.changed != before.changed
    rewritten = now.size < before.size or (now.size == before.size and touched)
    return 0 if now.inode != before.inode or rewritten else before.size
