"""What the training processes measured: metric lines read from an attempt's files, kept as columns of one run.

The supervisor follows living attempts with a `MetricLog` each; the watcher fills a `RunSeries` per run, from which ranking,
charts and report read. Reading never raises and never holds more than a few MiB: the files are a worker's, and a worker may
write anything. Nothing here imports numpy until a chart is thinned.

A *level* is a length of training in the plan's unit (epochs, steps or tokens).
"""

from __future__ import annotations

import bisect
import contextlib
import errno
import math
import operator
import os
import re
import stat
import threading
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from lrtui.layout import AttemptLayout

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

Unit = Literal["epoch", "step", "tokens"]
Axis = Literal["level", "step", "epoch", "tokens", "time"]
Goal = Literal["max", "min"]

AXES = ("step", "epoch", "tokens", "time")
"""Fields of a metric line that say where it stands; every other number is a metric."""

LONGEST = 1 << 20
"""Bytes of the longest line that is read; longer ones are passed over."""
MOST_NAMES = 256
"""Metrics that one run may have; further names are ignored, so that a script cannot fill our memory with them."""

_CHUNK = 1 << 18
_LONGEST_TEXT = 1 << 16
"""Bytes of a text line that a user's `parse` pattern sees."""
_NULS = b"\0" * 512
"""So many NULs in a row are a capped log's missing middle, not text."""
_NAME = re.compile(r"[A-Za-z0-9_./-]{1,64}")
_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_BARE = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b')

_numbers = msgspec.json.Decoder(dict[str, float])
_anything = msgspec.json.Decoder()


class Measurement(msgspec.Struct, frozen=True, gc=False):
    """One metric line. A msgspec.Struct since it is made in 0.2 us, a frozen dataclass in 1.3."""

    level: float
    """Value of the plan's unit; finite, not negative."""
    step: float | None
    epoch: float | None
    tokens: float | None
    time: float | None
    """Seconds since the attempt began."""
    values: dict[str, float]
    """Every other number by its name; nan and infinities are data."""


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one metric, ascending in x; y may hold nan and infinities. Arrays of type 'd', of equal length."""

    name: str
    x: array[float]
    y: array[float]

    def __len__(self) -> int:
        return len(self.x)


# ---------------------------------------------------------------- one line


class _Decoder:
    """Turns a line into a Measurement, or None where it is no metric line."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._known: set[str] = set()
        """Names seen so far that are well formed: checking a line against them costs 0.1 us."""

    def decode(self, line: bytes) -> Measurement | None:
        """Return what one line of JSON measured."""
        try:
            fields: dict[str, float] | None = _numbers.decode(line)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            fields = _lenient(line)
        if fields is None:
            return None
        step = fields.pop("step", None)
        epoch = fields.pop("epoch", None)
        tokens = fields.pop("tokens", None)
        time = fields.pop("time", None)
        unit = self._unit
        level = step if unit == "step" else epoch if unit == "epoch" else tokens
        if level is None or not 0.0 <= level < math.inf:
            return None
        if not self._known.issuperset(fields):
            fields = self._named(fields)
        return Measurement(level, step, epoch, tokens, time, fields)

    def fields(self, fields: dict[str, float]) -> Measurement | None:
        """Return what named numbers (of a pattern) measured."""
        level = fields.get(self._unit)
        if level is None or not 0.0 <= level < math.inf:
            return None
        step, epoch, tokens, time = (fields.pop(axis, None) for axis in AXES)
        return Measurement(level, step, epoch, tokens, time, self._named(fields))

    def _named(self, fields: dict[str, float]) -> dict[str, float]:
        kept = {}
        for name, value in fields.items():
            if name in self._known:
                kept[name] = value
            elif len(self._known) < MOST_NAMES and _NAME.fullmatch(name):
                self._known.add(name)
                kept[name] = value
        return kept


def _lenient(line: bytes) -> dict[str, float] | None:
    """Return the numbers of a JSON object that holds other things too: "NaN" as a word or a string, null, text."""
    try:
        found = _anything.decode(line)
    except RecursionError:
        return None
    except ValueError:  # msgspec's errors and UnicodeDecodeError are ValueErrors
        if b"NaN" not in line and b"Infinity" not in line:
            return None
        found = _with_bare_words(line)
    if not isinstance(found, dict):
        return None
    numbers: dict[str, float] = {}
    for name, value in found.items():
        number = _number(value)
        if number is not None:
            numbers[name] = number
    return numbers


def _with_bare_words(line: bytes) -> Any:
    """Decode a line on which Python's json wrote NaN or Infinity bare; None where it is not JSON even so."""
    quoted = _BARE.sub(
        lambda match: match[0] if match[0].startswith(b'"') else b'"%b"' % match[0], line
    )
    try:
        return _anything.decode(quoted)
    except (ValueError, RecursionError):
        return None


def _number(value: object) -> float | None:
    """Return the number that a decoded JSON value stands for; None for what is no number."""
    if isinstance(value, str):
        return _WORDS.get(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


class _Pattern:
    """A user's regular expression for scripts that print text: its named groups are the fields."""

    def __init__(self, pattern: str | None) -> None:
        self._regex: re.Pattern[str] | None = None
        if pattern is not None:
            # A bad pattern is refused when the experiment is loaded; here it merely matches nothing.
            with contextlib.suppress(re.error, RecursionError, OverflowError):
                self._regex = re.compile(pattern)

    def __bool__(self) -> bool:
        return self._regex is not None

    def fields(self, line: bytes) -> Iterator[dict[str, float]]:
        """Yield the numbers of each match on a line; a progress bar's line holds several, split by CR."""
        if self._regex is None:
            return
        for part in line.split(b"\r"):
            match = self._regex.search(part[:_LONGEST_TEXT].decode("utf-8", "replace"))
            if match:
                yield _group_numbers(match)


def _group_numbers(match: re.Match[str]) -> dict[str, float]:
    numbers = {}
    for name, text in match.groupdict().items():
        with contextlib.suppress(ValueError, TypeError):
            numbers[name] = float(text.rstrip(",;"))
    return numbers


# ---------------------------------------------------------------- one file


class _Hole(msgspec.Struct, frozen=True):
    """A missing range of a file: a line begins at `line` and breaks off at the hole; data goes on at `end`."""

    line: int
    end: int


class _Tail:
    """Follows one growing file by whole lines. What it returned is never returned again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        """Where the next unread line begins (or goes on, while `skipping`)."""
        self.skipping = False
        """Whether everything up to the next newline is passed over."""
        self.long = 0
        """Lines that were longer than LONGEST."""
        self.hole: _Hole | None = None
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
            if budget <= 0:
                self.more = True
                return
            began = self.offset
            chunk = os.pread(fd, want, began)
            budget -= len(chunk)
            nuls = chunk.find(_NULS)
            block = self._whole(chunk if nuls < 0 else chunk[:nuls])
            if block:
                yield block
            if nuls >= 0:
                self.hole = _Hole(self.offset, _end_of_hole(fd, began + nuls))
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


# ---------------------------------------------------------------- one attempt


class _Saved(msgspec.Struct):
    """A line of printed.jsonl: what stood in output.log at `offset` before its middle was given back."""

    offset: int
    line: str


_saved = msgspec.json.Decoder(_Saved)


class MetricLog:
    """Follows the metric lines of one attempt, wherever its worker put them."""

    def __init__(self, attempt_dir: Path, unit: Unit, parse: str | None = None) -> None:
        files = AttemptLayout(attempt_dir)
        self._metrics = _Tail(files.metrics)
        self._output = _Tail(files.output)
        self._printed = _Tail(files.printed)
        self._decoder = _Decoder(unit)
        self._pattern = _Pattern(parse)
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

    def _cross(self, hole: _Hole, max_bytes: int, found: list[Measurement]) -> None:
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


# ---------------------------------------------------------------- one run


class _Column:
    """One metric of a run: values, and the rows they stand in as segments of consecutive rows (8 bytes each)."""

    __slots__ = (
        "best",
        "messy",
        "next_row",
        "scanned",
        "segment_at",
        "segment_row",
        "top",
        "values",
    )

    def __init__(self) -> None:
        self.values = array("d")
        self.segment_row = array("I")
        self.segment_at = array("I")
        self.next_row = -1
        self.top = -math.inf
        """Highest level so far."""
        self.messy = False
        """Whether a value came below `top`: settled when it is next read."""
        self.scanned = 0
        """How many values `best` covers."""
        self.best: dict[Goal, int] = {}
        """Position of the best finite value, by goal."""

    def append(self, row: int, value: float) -> None:
        if row != self.next_row:
            self.segment_row.append(row)
            self.segment_at.append(len(self.values))
        self.next_row = row + 1
        self.values.append(value)

    def put(self, row: int, level: float, value: float) -> None:
        """Take a value whose level is not above `top`: the same level is overwritten, a lower one is sorted later."""
        if level == self.top and self.values and not self.messy:
            self.values[-1] = value
            self.scanned = 0
        else:
            self.append(row, value)
            self.messy = True

    def row(self, position: int) -> int:
        """Return the row in which a value stands."""
        segment = bisect.bisect_right(self.segment_at, position) - 1
        return self.segment_row[segment] + position - self.segment_at[segment]

    def rows(self) -> array[int]:
        """Return the row of every value."""
        rows = array("I")
        for begin, row, end in self.segments():
            rows.extend(range(row, row + end - begin))
        return rows

    def segments(self) -> Iterator[tuple[int, int, int]]:
        """Yield (first position, its row, position behind the last)."""
        ends = [*self.segment_at[1:], len(self.values)]
        yield from zip(self.segment_at, self.segment_row, ends, strict=True)

    def gather(self, source: array[float]) -> array[float]:
        """Return `source` at the rows of the values; nan where it is shorter."""
        gathered = array("d")
        for begin, row, end in self.segments():
            part = source[row : row + end - begin]
            gathered.extend(part)
            missing = end - begin - len(part)
            if missing:
                gathered.extend([math.nan] * missing)
        return gathered

    def rebuild(self, pairs: Iterable[tuple[int, float]]) -> _Column:
        """Return a column of (row, value) pairs, which are ascending in level."""
        column = _Column()
        for row, value in pairs:
            column.append(row, value)
        column.top = self.top
        return column


class RunSeries:
    """All that one run measured, its attempts merged; lines of a later attempt hide earlier ones from its first step on.

    One thread extends, others read: every reader gets copies. 100,000 lines of two metrics take about 5 MB.
    """

    def __init__(self) -> None:
        self.version = 0
        """Grows with every change."""
        self.level = 0.0
        """How far the run has come; 0 where nothing was measured."""
        self.bad = 0
        """Lines that could not be read; whoever extends sets it."""
        self._lock = threading.Lock()
        self._levels = array("d")
        self._axes: dict[str, array[float]] = {}
        self._aliases: set[str] = set()
        """Axes that have equalled the level in every line: no array of their own."""
        self._unsorted: set[str] = set()
        """Axes that went back at some point."""
        self._columns: dict[str, _Column] = {}
        self._firsts: dict[int, float] = {}
        """The level of each attempt's first line."""
        self._attempt = 0
        self._attempt_row = 0
        self._time_base = 0.0
        """Training time of the attempts before; `time` begins anew in each."""

    def __len__(self) -> int:
        return len(self._levels)

    # ------------------------------------------------ writing

    def extend(self, attempt: int, measurements: list[Measurement]) -> None:
        """Append what an attempt measured. A reader waits at most for 2,000 lines (about 4 ms)."""
        for start in range(0, len(measurements), 2000):
            with self._lock:
                self._extend(attempt, measurements[start : start + 2000])
                self.version += 1

    def _extend(self, attempt: int, measurements: list[Measurement]) -> None:
        if attempt not in self._firsts:
            self._begin(attempt, measurements[0].level)
        floor = min((at for number, at in self._firsts.items() if number > attempt), default=None)
        for measurement in measurements:
            if floor is None or measurement.level < floor:
                self._add(measurement)

    def _begin(self, attempt: int, level: float) -> None:
        """Note an attempt's first line; a later attempt's hides what stands at or above it."""
        self._firsts[attempt] = level
        if attempt < self._attempt:
            return
        if self.level >= level and self._levels:
            self._hide(level)
        self._attempt = attempt
        self._attempt_row = len(self._levels)
        self._time_base = next((t for t in reversed(self._axes.get("time", ())) if t == t), 0.0)  # noqa: PLR0124  # nan

    def _add(self, m: Measurement) -> None:
        level = m.level
        row = len(self._levels)
        self._levels.append(level)
        self.level = max(self.level, level)
        if m.time is not None:
            self._put_axis("time", row, m.time + self._time_base)
        if m.step is not None:
            self._put_axis("step", row, m.step)
        if m.epoch is not None:
            self._put_axis("epoch", row, m.epoch)
        if m.tokens is not None:
            self._put_axis("tokens", row, m.tokens)
        columns = self._columns
        for name, value in m.values.items():
            column = columns.get(name)
            if column is None:
                if len(columns) >= MOST_NAMES:
                    continue
                column = columns[name] = _Column()
            if level > column.top:
                column.top = level
                column.append(row, value)
            else:
                column.put(row, level, value)

    def _put_axis(self, name: str, row: int, value: float) -> None:
        axis = self._axes.get(name)
        if axis is None:
            same = name != "time" and value == self._levels[row]
            if same and (row == 0 or name in self._aliases):
                self._aliases.add(name)
                return
            axis = self._own_axis(name, row)
        if len(axis) < row:
            axis.extend([math.nan] * (row - len(axis)))
        if row and value < axis[-1]:
            self._unsorted.add(name)
        axis.append(value)

    def _own_axis(self, name: str, row: int) -> array[float]:
        """Return a new array for an axis that differs from the level from `row` on."""
        axis = self._levels[:row] if name in self._aliases else array("d", [math.nan]) * row
        self._aliases.discard(name)
        self._axes[name] = axis
        return axis

    def _hide(self, level: float) -> None:
        """Forget every row at or above `level`."""
        kept = [row for row, at in enumerate(self._levels) if at < level]
        moved = {row: new for new, row in enumerate(kept)}
        self._columns = {
            name: column.rebuild(
                (moved[row], value)
                for row, value in zip(column.rows(), column.values, strict=True)
                if row in moved
            )
            for name, column in ((n, self._settled(c)) for n, c in self._columns.items())
        }
        for name, axis in self._axes.items():
            self._axes[name] = array("d", (axis[row] for row in kept if row < len(axis)))
        self._levels = array("d", (self._levels[row] for row in kept))
        self.level = max(self._levels, default=0.0)
        for column in self._columns.values():
            last = len(column.values) - 1
            column.top = self._levels[column.row(last)] if last >= 0 else -math.inf

    def _settled(self, column: _Column) -> _Column:
        """Return the column in order of level; of several values at one level the last written stays."""
        if not column.messy:
            return column
        latest: dict[float, tuple[int, float]] = {}
        for row, value in zip(column.rows(), column.values, strict=True):
            latest[self._levels[row]] = (row, value)
        return column.rebuild(latest[level] for level in sorted(latest))

    # ------------------------------------------------ reading

    def names(self) -> list[str]:
        """Return the metrics' names in the order in which they first appeared."""
        with self._lock:
            return [name for name, column in self._columns.items() if column.values]

    def axes(self) -> list[Axis]:
        """Return the axes that the lines gave, besides the level."""
        known: tuple[Axis, ...] = ("step", "epoch", "tokens", "time")
        with self._lock:
            return [name for name in known if name in self._axes or name in self._aliases]

    def get(self, name: str, axis: Axis = "level") -> Series:
        """Return a metric's points, ascending along the axis; empty where there are none."""
        with self._lock:
            column = self._column(name)
            if column is None:
                return Series(name, array("d"), array("d"))
            y = column.values[:]
            if axis == "level" or axis in self._aliases:
                return Series(name, column.gather(self._levels), y)
            x = column.gather(self._axes.get(axis, array("d")))
            unsorted = axis in self._unsorted
        if unsorted or any(map(math.isnan, x)):
            pairs = sorted(
                (p for p in zip(x, y, strict=True) if not math.isnan(p[0])), key=lambda p: p[0]
            )
            x, y = array("d", (p[0] for p in pairs)), array("d", (p[1] for p in pairs))
        return Series(name, x, y)

    def last(self, name: str) -> tuple[float, float] | None:
        """Return (level, value) of the latest evaluation, finite or not."""
        return self.at(name, math.inf)

    def at(self, name: str, level: float) -> tuple[float, float] | None:
        """Return (level, value) of the last evaluation at or before `level`."""
        found = self.window(name, level, 1)
        return found[0] if found else None

    def window(self, name: str, upto: float, count: int | None = None) -> list[tuple[float, float]]:
        """Return (level, value) of the last `count` evaluations (all by default) at or before `upto`, in order."""
        with self._lock:
            column = self._column(name)
            if column is None:
                return []
            end = self._position(column, upto)
            begin = 0 if count is None else max(0, end - count)
            return [(self._levels[column.row(p)], column.values[p]) for p in range(begin, end)]

    def best(self, name: str, goal: Goal, upto: float = math.inf) -> tuple[float, float] | None:
        """Return (level, value) of the best finite evaluation at or before `upto`; the first of equals."""
        with self._lock:
            column = self._column(name)
            if column is None:
                return None
            if upto >= column.top:
                position = _best_position(column, goal)
            else:
                position = _best_of(column.values, goal, 0, self._position(column, upto), None)
            if position is None:
                return None
            return self._levels[column.row(position)], column.values[position]

    def rate(self, window: float = 60.0) -> float | None:
        """Return levels per second over the last `window` seconds of the current attempt; None where unknown.

        `time` is the worker's own: a run that stands still keeps the rate it had.
        """
        with self._lock:
            times = self._axes.get("time", array("d"))
            end = min(len(times), len(self._levels))
            if end <= self._attempt_row:
                return None
            since = bisect.bisect_left(times, times[end - 1] - window, self._attempt_row, end)
            since = max(self._attempt_row, min(since, end - 2))
            seconds, levels = times[end - 1], self._levels[end - 1]
            if since < end - 1:
                seconds, levels = seconds - times[since], levels - self._levels[since]
            elif len(self._firsts) > 1:
                return None
        return levels / seconds if seconds > 0 and levels > 0 else None

    def _column(self, name: str) -> _Column | None:
        column = self._columns.get(name)
        if column is None or not column.values:
            return None
        if column.messy:
            column = self._columns[name] = self._settled(column)
        return column

    def _position(self, column: _Column, upto: float) -> int:
        """Return how many values of a settled column stand at or before a level."""
        count = len(column.values)
        if upto >= column.top:
            return count
        return bisect.bisect_right(range(count), upto, key=lambda p: self._levels[column.row(p)])


def _best_position(column: _Column, goal: Goal) -> int | None:
    """Return the position of the best finite value, looking only at values that came since the last call."""
    count = len(column.values)
    if column.scanned == 0:
        column.best.clear()
    if column.scanned < count:
        for each in ("max", "min"):
            which: Goal = "max" if each == "max" else "min"
            found = _best_of(column.values, which, column.scanned, count, column.best.get(which))
            if found is not None:
                column.best[which] = found
        column.scanned = count
    return column.best.get(goal)


def _best_of(
    values: array[float], goal: Goal, begin: int, end: int, known: int | None
) -> int | None:
    """Return the position of the best finite value in [begin, end) or at `known`."""
    better = operator.gt if goal == "max" else operator.lt
    best = known
    for position in range(begin, end):
        value = values[position]
        if math.isfinite(value) and (best is None or better(value, values[best])):
            best = position
    return best


# ---------------------------------------------------------------- for a chart


def thin(series: Series, columns: int, lo: float | None = None, hi: float | None = None) -> Series:
    """Return the points that a chart of `columns` columns needs: the lowest and the highest of each, in order of x.

    Non-finite values come out as one nan per gap. lo and hi bound x; the default is all of it. At most three points a
    column are returned. Costs about 1 ms for 100,000 points.
    """
    import numpy as np  # 50 ms and 15 MB that supervisor and first paint do without

    x = np.frombuffer(series.x, dtype=np.float64) if len(series.x) else np.empty(0)
    y = np.frombuffer(series.y, dtype=np.float64) if len(series.y) else np.empty(0)
    begin = 0 if lo is None else int(np.searchsorted(x, lo, "left"))
    end = len(x) if hi is None else int(np.searchsorted(x, hi, "right"))
    x, y = x[begin:end], y[begin:end]
    finite = np.isfinite(y)
    if len(x) > 2 * columns:
        bounds = (float(x[0]) if lo is None else lo, float(x[-1]) if hi is None else hi)
        kept = _extremes(x, y, max(1, columns), bounds)
        x, y, finite = x[kept], y[kept], finite[kept]
    shown = finite.copy()
    shown[1:] |= finite[:-1]  # of several missing in a row the first stays
    if len(shown) and not finite[0]:
        shown[0] = True
    out = np.where(finite, y, np.nan)[shown]
    return Series(series.name, array("d", x[shown].tobytes()), array("d", out.tobytes()))


def _extremes(x: Any, y: Any, columns: int, bounds: tuple[float, float]) -> Any:
    """Return the indices, ascending, of each column's lowest, highest and first missing point."""
    import numpy as np  # see thin

    left, right = bounds
    width = (right - left) / columns or 1.0
    finite = np.isfinite(y)
    where = np.clip((x - left) / width, 0, columns - 1).astype(np.int64)
    kept = [_firsts(np.flatnonzero(~finite), where)]
    numbered = np.flatnonzero(finite)
    if len(numbered):
        values, column = y[numbered], where[numbered]
        starts = np.flatnonzero(np.diff(column, prepend=-1))
        sizes = np.diff(starts, append=len(column))
        for reduce in (np.minimum, np.maximum):
            extreme = np.repeat(reduce.reduceat(values, starts), sizes)
            kept.append(_firsts(numbered[values == extreme], where))
    return np.unique(np.concatenate(kept))


def _firsts(indices: Any, where: Any) -> Any:
    """Return the first index of each column."""
    import numpy as np  # see thin

    return indices[np.flatnonzero(np.diff(where[indices], prepend=-1))]
