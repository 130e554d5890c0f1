"""One followed log file: its new rows, how much of it was read, and when it last grew."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lrtui.frontend.watch.rows import is_log_row
from lrtui.metrics.sources import Row, Seen, Source, seen, source_of
from lrtui.metrics.sources.framed import Framed

_SLICE = 1 << 17
"""Bytes read before the next file's turn."""
NO_LOG = "has no columns that lrtui knows as metrics"


@dataclass(slots=True, eq=False)
class Followed:
    """A log file of a run. It may be empty at first, and truncated, replaced or deleted later."""

    path: Path
    prefix: str
    at: float = 0.0
    """The length of its last row."""
    rows: int = 0
    grew_at: float = 0.0
    """Its mtime."""
    more: bool = False
    """Whether there is more to read at once."""
    why: str = ""
    """Why it, or the rest of it, is not read."""
    anew: bool = False
    """Whether the rows of the last read begin a different history: those before are void."""
    read_bytes: int = 0
    _source: Source | None = None
    _first: int = 0
    _seen: Seen | None = None

    @property
    def size(self) -> int:
        """Bytes at the last check."""
        return self._seen.size if self._seen is not None else 0

    @property
    def settings(self) -> Mapping[str, object]:
        """The settings of the run that the file contains."""
        return self._source.settings if isinstance(self._source, Framed) else {}

    @property
    def exit_code(self) -> int | None:
        """How the run ended; None if the file does not say it."""
        return self._source.exit_code if isinstance(self._source, Framed) else None

    def changed(self) -> bool | None:
        """Return whether the file was written since the last call; None if it is gone."""
        now = seen(self.path)
        if now is None:
            return None
        if now == self._seen:
            return False
        self._seen = now
        self.grew_at = min(now.changed / 1e9, time.time())
        return True

    def read(self) -> list[Row]:
        """Return the next slice of unread rows; never raises."""
        self.more = self.anew = False
        if self._source is None:
            self._source = source_of(self.path)
        source = self._source
        if source is None or self.why == NO_LOG:
            return []
        rows = source.read(_SLICE)
        self.more, self.why = source.more, source.why
        self.read_bytes = min(self.size, self.read_bytes + _SLICE) if self.more else self.size
        if rows and not self.rows and not any(is_log_row(row.values) for row in rows[:10]):
            self.more, self.why = False, NO_LOG
            return []
        self.anew = bool(self._first) and source.first not in {0, self._first}
        self._first = source.first or self._first
        self.rows = len(rows) if self.anew else self.rows + len(rows)
        return rows
