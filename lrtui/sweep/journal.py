"""Reads a journal: whole lines only; bad lines are counted, never raised.

The supervisor recovers through it and the front ends tail it; only the supervisor appends (`sweep.journal_writer`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from lrtui.sweep.events import AnyEvent
from lrtui.sweep.files import open_regular
from lrtui.sweep.format1 import EventReader

_CHUNK = 1 << 20
_LONGEST = 1 << 20
"""A line longer than this, in bytes, is not an event; it is skipped."""
PER_POLL = 8 << 20
"""At most this many bytes are read per poll; 1,000 runs make about 1 MB."""
_FAULTS = 100
"""At most this many bad lines are remembered by number; all are counted."""


class JournalTail:
    """Follows one journal from its beginning."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader = EventReader()
        self.offset = 0
        """Where the next unread line begins."""
        self.bad = 0
        """The number of whole lines that were not events."""
        self.bad_why = ""
        """What was wrong with the latest bad line."""
        self.lines = 0
        """Whole lines read, good and bad."""
        self.faults: list[tuple[int, ValueError]] = []
        """(line, what was wrong) of the first bad lines."""

    def poll(self) -> list[AnyEvent]:
        """Return the events on the lines completed since the last call, of PER_POLL bytes at most; [] if there is no journal."""
        events: list[AnyEvent] = []
        end_at = self.offset + PER_POLL
        try:
            fd = open_regular(self.path)
        except OSError:
            return events
        try:
            while self.offset < end_at and (chunk := os.pread(fd, _CHUNK, self.offset)):
                end = chunk.rfind(b"\n") + 1
                if end == 0:
                    if len(chunk) < _LONGEST:
                        break
                    self.offset += len(chunk)
                    self._bad(ValueError("a line longer than 1 MiB"), self.lines + 1)
                    continue
                self.offset += end
                events.extend(self._decode(chunk[:end]))
        except OSError:
            return events
        finally:
            os.close(fd)
        return events

    def rest(self) -> Iterator[AnyEvent]:
        """Yield the events on all lines completed since the last call: for callers that need the whole journal without holding it in memory."""
        before = -1
        while before != self.offset:
            before = self.offset
            yield from self.poll()

    def _decode(self, chunk: bytes) -> list[AnyEvent]:
        events: list[AnyEvent] = []
        for line in chunk[:-1].split(b"\n"):
            self.lines += 1
            if not line.strip():
                continue
            try:
                events.append(self._reader.event(line))
            except ValueError as error:
                self._bad(error, self.lines)
        return events

    def _bad(self, why: ValueError, line: int) -> None:
        self.bad += 1
        self.bad_why = str(why)
        if len(self.faults) < _FAULTS:
            self.faults.append((line, why))
