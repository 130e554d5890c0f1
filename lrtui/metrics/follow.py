"""Following one growing file by whole lines, across the hole that a capped log has in its middle."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec

LONGEST = 1 << 20
"""Bytes of the longest line that is read; longer ones are passed over."""
_CHUNK = 1 << 18
NULS = b"\0" * 512
"""So many NULs in a row are a capped log's missing middle, not text."""


class Hole(msgspec.Struct, frozen=True):
    """A missing range of a file: a line begins at `line` and breaks off at the hole; data goes on at `end`."""

    line: int
    end: int


class Tail:
    """Follows one growing file by whole lines. What it returned is never returned again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        """Where the next unread line begins (or goes on, while `skipping`)."""
        self.skipping = False
        """Whether everything up to the next newline is passed over."""
        self.long = 0
        """Lines that were longer than LONGEST."""
        self.hole: Hole | None = None
        """Set while the file cannot be read on: the caller moves on with `jump`."""
        self.more = False
        """Whether the last read stopped for its budget, not for the end of the file."""
        self._seen: tuple[int, int] = (-1, -1)
        """(inode, size) up to which there is nothing more to read."""
        self._inode = 0

    def blocks(self, budget: int) -> Iterator[bytes]:
        """Yield blocks of whole lines, each ending in a newline, about `budget` bytes in all."""
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
        """Go on behind a hole."""
        self.offset = offset
        self.skipping = skipping
        self.hole = None
        self._seen = (-1, -1)

    def _open(self) -> int | None:
        """Return a descriptor where there may be something new; a file put in the place of ours is read anew."""
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
            ):  # amid a long line it reads on, or it would never get over it
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
        """Consume the whole lines of `data` and return them; None where it has no newline."""
        end = data.rfind(b"\n") + 1
        if end == 0:
            return None
        self.offset += end
        if not self.skipping:
            return data[:end]
        self.skipping = False
        return data[data.find(b"\n") + 1 : end]

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
    """Return where data goes on behind the NULs that begin at `at`, whether punched out or (in a copy) written."""
    size = os.fstat(fd).st_size
    most = at + (1 << 26)
    while at < size:
        try:
            data = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but hole up to the end
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
