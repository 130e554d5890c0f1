"""The bytes that come to one file of another program, which may also cut it, replace it or write it anew."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

from lrtui.sweep.files import open_regular

_HEAD = 256
_TAIL = 64


class Seen(NamedTuple):
    """A file as it was at a moment."""

    inode: int
    """0 for a copy that is yet to be made."""
    size: int
    changed: int
    """Its mtime in nanoseconds."""


def seen(path: Path | str) -> Seen | None:
    """Return how a regular file is now; None where there is none, or it is a link, a fifo, a folder or anything else."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return _of(status) if stat.S_ISREG(status.st_mode) else None


class Growing:
    """Follows the bytes of one file."""

    def __init__(self, path: Path, before: Seen | None = None) -> None:
        """Follow a file; what stood in it at the moment `before` is older, unless it is written anew."""
        self.path = path
        self.offset = 0
        self.older = 0
        """The bytes at the beginning of the file that are older than this reader's interest."""
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
        """Return what came since the last call, at most `budget` bytes, and whether it is the beginning of other content; never raises."""
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
        """Pass over up to `length` bytes that would come next, as far as the file has them; return how many."""
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
        """Tell whether what was read still stands in the file."""
        if now.inode != self._inode or now.size < self.offset:
            return False
        tail = os.pread(fd, len(self._tail), self.offset - len(self._tail))
        return os.pread(fd, len(self._head), 0) == self._head and tail == self._tail


def _of(status: os.stat_result) -> Seen:
    return Seen(status.st_ino, status.st_size, status.st_mtime_ns)


def _older(before: Seen, now: Seen) -> int:
    """Return the bytes that are still those of before: none of a file that was replaced, cut or written anew."""
    if before.inode == 0:  # a copy of that file
        return before.size if now.size >= before.size else 0
    touched = now.changed != before.changed
    rewritten = now.size < before.size or (now.size == before.size and touched)
    return 0 if now.inode != before.inode or rewritten else before.size
