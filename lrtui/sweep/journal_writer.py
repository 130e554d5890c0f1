"""Appending to the journal: one write per event, fsynced before its effect.

A torn tail left by a power cut is cut off when the journal is opened, and kept in journal.bad.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec

from lrtui.sweep.events import VERSION, AnyEvent, encode
from lrtui.sweep.files import read_untrusted, write_atomic
from lrtui.sweep.journal import JournalTail
from lrtui.sweep.layout import FORMAT, Layout
from lrtui.sweep.state import Sweep, fold


class Journal:
    """The journal of one directory, with the sweep that its events fold to."""

    def __init__(self, path: Path) -> None:
        """Open or create the journal and fold its events.

        Raises:
            OSError: it cannot be opened for appending.

        """
        self.path = path
        flags = os.O_CREAT | os.O_APPEND | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
        self._file = os.fdopen(os.open(path, flags, 0o600), "rb", buffering=0)
        self._fd = self._file.fileno()
        self._size = self._cut_torn_tail()
        os.fsync(self._fd)
        sync_directory(path.parent)
        tail = JournalTail(path)
        self.sweep: Sweep = fold(tail.rest())
        self.fresh: list[AnyEvent] = []
        """The events appended since the loop last sent alerts; the loop clears it each tick."""
        self._format = Layout(path.parent).format
        self._marked = False
        self.bad = tail.bad
        self.bad_why = tail.bad_why

    def append(self, *events: AnyEvent) -> Sweep:
        """Write events durably, all or none, and return the sweep after them.

        Raises:
            OSError: the disk is full or gone; journal and sweep are unchanged, so the caller must not act on the events.

        """
        if not events:
            return self.sweep
        full = [
            msgspec.structs.replace(event, v=VERSION, n=n, at=time.time())
            for n, event in enumerate(events, self.sweep.n + 1)
        ]
        self._mark_format()
        line = b"".join(encode(event) + b"\n" for event in full)
        try:
            written = 0
            while written < len(line):
                written += os.write(self._fd, line[written:])
            os.fsync(self._fd)
        except OSError:
            os.ftruncate(self._fd, self._size)
            raise
        self._size += len(line)
        self.sweep = fold(full, self.sweep)
        self.fresh += full
        return self.sweep

    def _mark_format(self) -> None:
        """Raise the number in `format` if needed, so that an lrtui that cannot read this journal's new lines refuses the directory."""
        if not self._marked and read_untrusted(self._format).strip() != FORMAT.encode():
            write_atomic(self._format, f"{FORMAT}\n".encode())
        self._marked = True

    def _cut_torn_tail(self) -> int:
        size = os.fstat(self._fd).st_size
        start = max(0, size - (1 << 20))
        tail = os.pread(self._fd, size - start, start)
        torn = len(tail) - (tail.rfind(b"\n") + 1)
        if torn:
            bad = os.open(
                self.path.with_name("journal.bad"),
                os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC,
                0o600,
            )
            os.write(bad, tail[-torn:] + b"\n")
            os.close(bad)
            os.ftruncate(self._fd, size - torn)
        return size - torn


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
