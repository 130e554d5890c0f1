"""The metric lines of one attempt, wherever its worker put them: metrics.jsonl, printed, or saved from a capped log."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lrtui.metrics.line import Decoder, Measurement, Pattern
from lrtui.metrics.tail import Hole, Mark, Tail
from lrtui.sweep.events import Unit
from lrtui.sweep.layout import AttemptLayout


class _Saved(msgspec.Struct):
    """A line of printed.jsonl: what stood in output.log at `offset` before its middle was given back."""

    offset: int
    line: str


class LogState(msgspec.Struct, array_like=True):
    """How far the lines of an attempt were read."""

    metrics: Mark
    output: Mark
    printed: Mark
    names: list[str]
    last_saved: tuple[int, int]
    bad: int


_saved = msgspec.json.Decoder(_Saved)


class MetricLog:
    """Follows the metric lines of one attempt, wherever its worker put them."""

    def __init__(self, attempt_dir: Path, unit: Unit, parse: str | None = None) -> None:
        files = AttemptLayout(attempt_dir)
        self._metrics = Tail(files.metrics)
        self._output = Tail(files.output)
        self._printed = Tail(files.printed)
        self._decoder = Decoder(unit)
        self._pattern = Pattern(parse)
        self._last_saved = (0, 0)
        """(offset, bytes) of the last line taken from printed.jsonl."""
        self._passed_hole = False
        self._bad = 0

    @property
    def bad(self) -> int:
        """Lines of metrics.jsonl that were no metric line; text in output.log is not bad."""
        return self._bad + self._metrics.long

    @property
    def more(self) -> bool:
        """Whether the last poll left something unread."""
        tails = (self._metrics, self._output, self._printed)
        return self._passed_hole or any(tail.more for tail in tails)

    @property
    def offset(self) -> int:
        """Bytes that were read, or passed over."""
        return self._metrics.offset + self._output.offset

    def state(self) -> LogState | None:
        """Return how far this was read, to `resume` another time; None where the files are not what was read."""
        metrics, output, printed = self._metrics.mark(), self._output.mark(), self._printed.mark()
        if metrics is None or output is None or printed is None:
            return None
        names = sorted(self._decoder.known)
        return LogState(metrics, output, printed, names, self._last_saved, self._bad)

    def resume(self, state: LogState, *, whole: bool) -> bool:
        """Go on where another log was, if the files are the same; where not (False), this log is of no use any more.

        The files of an attempt that was read `whole` must not even have grown.
        """
        self._decoder.known.update(state.names)
        self._last_saved, self._bad = state.last_saved, state.bad
        tails = (self._metrics, self._output, self._printed)
        marks = (state.metrics, state.output, state.printed)
        return all(t.resume(m, whole=whole) for t, m in zip(tails, marks, strict=True))

    def poll(self, max_bytes: int = 1 << 22) -> list[Measurement]:
        """Return what was measured since the last call, reading about `max_bytes` of each file; never raises."""
        found: list[Measurement] = []
        self._passed_hole = False
        for block in self._metrics.blocks(max_bytes):
            self._read_metrics(block, found)
        if self._metrics.hole is not None:
            self._bad += 1
            self._metrics.jump(self._metrics.hole.end, skipping=True)
            self._passed_hole = True
        for block in self._output.blocks(max_bytes):
            self._read_text(block, found)
        if self._output.hole is not None:
            self._cross(self._output.hole, max_bytes, found)
        return found

    def _read_metrics(self, block: bytes, found: list[Measurement]) -> None:
        decode = self._decoder.decode
        for line in block.split(b"\n"):
            if not line:
                continue
            measurement = decode(line)
            if measurement is not None:
                found.append(measurement)
            elif line.strip():
                self._bad += 1

    def _read_text(self, block: bytes, found: list[Measurement]) -> None:
        """Take the JSON metric lines and the pattern's matches out of a script's output."""
        if not self._pattern and b"{" not in block:
            return
        for line in block.split(b"\n"):
            if b"{" in line and self._read_printed(line, found):
                continue
            for fields in self._pattern.fields(line):
                measurement = self._decoder.fields(fields)
                if measurement is not None:
                    found.append(measurement)

    def _read_printed(self, line: bytes, found: list[Measurement]) -> bool:
        """Append the metric lines among the parts of one line (a progress bar may stand before them)."""
        before = len(found)
        for part in line.split(b"\r"):
            text = part.strip()
            if text.startswith(b"{") and text.endswith(b"}"):
                measurement = self._decoder.decode(text)
                if measurement is not None:
                    found.append(measurement)
        return len(found) > before

    def _cross(self, hole: Hole, max_bytes: int, found: list[Measurement]) -> None:
        """Take the lines that the keeper saved from a hole; once all are read, go on behind it.

        The keeper saves (and syncs) before it punches, so whoever sees the hole finds the lines. Some may have been saved
        from beyond the hole, for the next one: reading goes on behind the last of them.
        """
        for block in self._printed.blocks(max_bytes):
            for record in block.split(b"\n"):
                self._take(record, hole.line, found)
        if self._printed.more:
            return
        offset, length = self._last_saved
        if offset >= hole.end:
            self._output.jump(offset, skipping=True)
        else:
            self._output.jump(hole.end, skipping=offset + length + 1 > hole.end)
        self._passed_hole = True

    def _take(self, record: bytes, since: int, found: list[Measurement]) -> None:
        try:
            saved = _saved.decode(record)
        except (ValueError, RecursionError):
            return
        if saved.offset >= since:
            line = saved.line.encode("utf-8", "replace")
            self._last_saved = (saved.offset, len(line))
            self._read_text(line, found)
