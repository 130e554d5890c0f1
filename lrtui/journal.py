"""Reading a journal: whole lines only, bad ones counted, nothing raised.

The supervisor recovers through it and the watcher tails through it; the supervisor alone appends (`supervisor.journal`).
"""

from __future__ import annotations

import os
from pathlib import Path

from lrtui.events import AnyEvent, decode_event

_CHUNK = 1 << 20
_LONGEST = 1 << 20
"""A line beyond this is no event of ours; it is skipped."""


class JournalTail:
    """Follows one journal from its beginning."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        """Where the next unread line begins."""
        self.bad = 0
        """Whole lines that were no event."""
        self.bad_why = ""
        """What was wrong with the latest bad line."""

    def poll(self) -> list[AnyEvent]:
        """Return the events on the lines completed since the last call; [] where there is no journal."""
        events: list[AnyEvent] = []
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return events
        try:
            while chunk := os.pread(fd, _CHUNK, self.offset):
                end = chunk.rfind(b"\n") + 1
                if end == 0:
                    if len(chunk) < _LONGEST:
                        break
                    self.offset += len(chunk)
                    self._bad("a line longer than 1 MiB")
                    continue
                self.offset += end
                events.extend(self._decode(chunk[:end]))
        except OSError:
            return events
        finally:
            os.close(fd)
        return events

    def _decode(self, chunk: bytes) -> list[AnyEvent]:
        events: list[AnyEvent] = []
        for line in chunk.split(b"\n"):
            if not line.strip():
                continue
            try:
                events.append(decode_event(line))
            except ValueError as error:
                self._bad(str(error))
        return events

    def _bad(self, why: str) -> None:
        self.bad += 1
        self.bad_why = why
