"""The measurements of one run as columns, read by ranking, charts and report."""

from __future__ import annotations

import bisect
import math
import operator
import threading
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from msgspec import Struct

from lrtui.metrics.line import LONG, MOST_NAMES, Column, Columns, Found, Measurement, Sparse

ROOM = 3 << 15
"""The most numbers of a run in memory: its levels, axes and metrics. A run of more is coarsened to at most half of it."""
MOST_ROWS = ROOM // 4
"""The most lines of a run in memory, whatever is in them."""

_MANY = 16
"""The number of lines from which they are added by column."""

Axis = Literal["level", "step", "epoch", "tokens", "time"]
Goal = Literal["max", "min"]


class Series(Struct, frozen=True):
    """Points of one metric, ascending in x; y may hold nan and infinities. Arrays of type 'd', of equal length."""

    name: str
    x: array[float]
    y: array[float]

    def __len__(self) -> int:
        return len(self.x)


class _Column:
    """One metric of a run: its values, and their rows as segments of consecutive rows (8 bytes each)."""

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
        """The highest level so far."""
        self.messy = False
        """Whether a value was added below `top`; it is sorted at the next read."""
        self.scanned = 0
        """The number of values that `best` covers."""
        self.best: dict[Goal, int] = {}
        """Position of the best finite value, by goal."""

    def append(self, row: int, value: float) -> None:
        if row != self.next_row:
            self.segment_row.append(row)
            self.segment_at.append(len(self.values))
        self.next_row = row + 1
        self.values.append(value)

    def extend(self, row: int, values: array[float]) -> None:
        """Append values in `row` and the following rows."""
        self.append(row, values[0])
        self.next_row += len(values) - 1
        self.values.extend(values[1:])

    def extend_at(self, rows: array[int], values: array[float]) -> None:
        """Append values in these rows (ascending, type 'I')."""
        if len(rows) < LONG:
            for row, value in zip(rows, values, strict=True):
                self.append(row, value)
            return
        import numpy as np  # only where a run is this long

        found = np.frombuffer(rows, dtype=np.uintc)
        begins = np.flatnonzero(np.diff(found, prepend=found[:1]) != 1)
        if found[0] == self.next_row:
            begins = begins[1:]
        self.segment_row.frombytes(found[begins].tobytes())
        self.segment_at.frombytes((begins + len(self.values)).astype(np.uintc).tobytes())
        self.next_row = int(found[-1]) + 1
        self.values.extend(values)

    def put(self, row: int, level: float, value: float) -> None:
        """Add a value whose level is not above `top`: the same level is overwritten, a lower one is sorted later."""
        if level == self.top and self.values and not self.messy:
            self.values[-1] = value
            self.scanned = 0
        else:
            self.append(row, value)
            self.messy = True

    def row(self, position: int) -> int:
        """Return the row of a value."""
        segment = bisect.bisect_right(self.segment_at, position) - 1
        return self.segment_row[segment] + position - self.segment_at[segment]

    def rows(self) -> array[int]:
        """Return the row of every value."""
        rows = array("I")
        for begin, row, end in self.segments():
            rows.extend(range(row, row + end - begin))
        return rows

    def segments(self) -> Iterator[tuple[int, int, int]]:
        """Yield (first position, its row, position after the last)."""
        ends = [*self.segment_at, len(self.values)][1:]
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

    def keep(self, kept: array[int]) -> _Column:
        """Return the column reduced to these rows (ascending, type 'I'), renumbered."""
        column = _Column()
        column.top = self.top
        if len(kept) and len(self.segment_at) >= LONG:
            column.extend_at(*_reduced(self, kept))
            return column
        for begin, row, end in self.segments():
            first = bisect.bisect_left(kept, row)
            last = bisect.bisect_left(kept, row + end - begin, first)
            if first < last:
                shift = begin - row
                column.extend(first, _at(self.values, kept[first:last], shift))
        return column

    def rebuild(self, pairs: Iterable[tuple[int, float]]) -> _Column:
        """Return a column of (row, value) pairs, which are ascending in level."""
        column = _Column()
        for row, value in pairs:
            column.append(row, value)
        column.top = self.top
        return column


class RunSeries:
    """The measurements of one run with its attempts merged; a later attempt hides earlier lines from its first step on.

    One thread extends, others read: every reader gets copies. A line takes 8 bytes for its level and for each axis and metric; beyond
    `room` numbers lines are coarsened, so that memory stays bounded: metrics with few values, such as evaluations, keep all of them,
    those with many keep the extremes and the end of each of some 2,000 parts, of fewer if lines hold many numbers. The files keep everything.
    """

    def __init__(self, room: int = ROOM) -> None:
        """Hold nothing yet, and about `room` numbers at most."""
        self.version = 0
        """Grows with every change."""
        self.level = 0.0
        """The highest level of the run; 0 if nothing was measured."""
        self.bad = 0
        """The number of unreadable lines; set by the caller of `extend`."""
        self.misses: tuple[str, ...] = ()
        """The near misses of the latest attempt, in words."""
        self._lock = threading.Lock()
        self._room = room
        self._few = room // 16
        """A metric with at most this many values keeps them all."""
        self._look_at = self._few
        """The number of lines above which it is asked whether they still fit."""
        self._levels = array("d")
        self._axes: dict[str, array[float]] = {}
        self._aliases: set[str] = set()
        """Axes that equal the level in every line and need no array."""
        self._unsorted: set[str] = set()
        """Axes that decreased at some point."""
        self._columns: dict[str, _Column] = {}
        self._firsts: dict[int, float] = {}
        """The level of each attempt's first line."""
        self._attempt = 0
        self._attempt_row = 0
        self._time_base = 0.0
        """The training time of the previous attempts; `time` starts at 0 in each."""

    def __len__(self) -> int:
        return len(self._levels)

    @property
    def attempt(self) -> int:
        """The latest attempt that measured something; 0 for none."""
        return self._attempt

    # ------------------------------------------------ writing

    def extend(self, attempt: int, found: Sequence[Found]) -> None:
        """Append measurements of an attempt. A reader waits for at most 2,000 lines (about 2 ms), 8,000 in columns, or one coarsening (about 3 ms).

        What is kept does not depend on how the lines were divided among calls.
        """
        single: list[Measurement] = []
        for each in found:
            if isinstance(each, Columns):
                self._append(attempt, single)
                self._append(attempt, each)
                single = []
            else:
                single.append(each)
        self._append(attempt, single)

    def _append(self, attempt: int, lines: Columns | list[Measurement]) -> None:
        start = 0
        most = 8000 if isinstance(lines, Columns) else 2000
        while start < len(lines):
            with self._lock:
                end = start + min(most, self._look_at + 1 - len(self._levels))
                part = lines.part(start, end) if isinstance(lines, Columns) else lines[start:end]
                self._extend(attempt, part)
                if len(self._levels) > self._look_at:
                    self._fit()
                self.version += 1
            start = end

    def _extend(self, attempt: int, lines: Columns | list[Measurement]) -> None:
        if attempt not in self._firsts:
            self._begin(attempt, next(iter(lines)).level)
        floor = min((at for number, at in self._firsts.items() if number > attempt), default=None)
        if floor is not None:
            lines = [m for m in lines if m.level < floor]
        if isinstance(lines, list):
            if len(lines) < _MANY or not _alike(lines):
                for measurement in lines:
                    self._add(measurement)
                return
            lines = Columns.of(lines)
        self._add_columns(lines)

    def _begin(self, attempt: int, level: float) -> None:
        """Record an attempt's first line; a later attempt's hides earlier lines at or above it."""
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

    def _add_columns(self, lines: Columns) -> None:
        """Add lines by column, in a tenth of the time."""
        levels = array("d", lines.levels)
        row = len(self._levels)
        self._levels.extend(levels)
        self.level = max(self.level, _greatest(levels))
        for name, places in lines.axes.items():
            self._put_axes(name, row, places)
        columns = self._columns
        ascending = _ascending(levels)
        for name, values in lines.values.items():
            column = columns.get(name)
            if column is None:
                if len(columns) >= MOST_NAMES or all(value is None for value in values):
                    continue
                column = columns[name] = _Column()
            dense = _dense(values)
            if dense is not None and ascending and levels[0] > column.top:
                column.extend(row, dense)
                column.top = levels[-1]
            elif not (isinstance(values, Sparse) and _extended(column, row, levels, values)):
                _put_each(column, row, levels, values)

    def _put_axes(self, name: str, row: int, places: Column) -> None:
        """Write the values of an axis to `row` and the following rows."""
        axis = self._axes.get(name)
        if axis is None and name in self._aliases and _equal(places, self._levels[row:]):
            return
        values = _with_nan(places)
        base = self._time_base if name == "time" else 0.0
        if axis is None or values is None or not row:
            for at, value in enumerate(places, row):
                if value is not None:
                    self._put_axis(name, at, value + base)
            return
        if not values:
            return
        if len(axis) < row:
            axis.extend([math.nan] * (row - len(axis)))
        if base:
            values = _moved(values, base)
        if values[0] < axis[-1] or _falls(values):
            self._unsorted.add(name)
        axis.extend(values)

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
        """Remove every row at or above `level`."""
        self._keep(array("I", (row for row, at in enumerate(self._levels) if at < level)))

    def _fit(self) -> None:
        """Coarsen the run if it has more numbers than room for them."""
        columns = [c for name in list(self._columns) if (c := self._column(name)) is not None]
        rows = len(self._levels)
        held = (self._levels, *self._axes.values(), *(column.values for column in columns))
        most = min(self._room // 4, self._room * rows // sum(map(len, held)))
        if rows > most:
            self._coarsen(columns, most // 2)
            self._look_at = max(most, 2 * len(self._levels))  # never again at every line
        else:
            self._look_at = max(most, rows + rows // 8)

    def _coarsen(self, columns: list[_Column], wanted: int) -> None:
        """Remove rows in which no metric has an extreme of its part of the run; the parts are as many as leave about `wanted` rows."""
        import numpy as np  # only where a run is this long

        levels = np.frombuffer(self._levels)
        telling = np.zeros(len(levels), dtype=bool)
        telling[[0, -1]] = True
        many = [column for column in columns if len(column.values) > self._few]
        count = max(self._few // 24, min(self._few // 3, wanted // (2 * len(many) + 1)))
        parts = _parts(levels, count)
        for column in columns:
            rows = _rows(column)
            if len(rows) > self._few:
                everywhere = len(rows) == len(levels) and len(column.segment_at) == 1
                own = parts if everywhere else _parts(levels[rows], count)
                rows = rows[_telling(own, np.frombuffer(column.values))]
            telling[rows] = True
        kept = array("I", np.flatnonzero(telling).astype(np.uintc).tobytes())
        before = bisect.bisect_left(kept, self._attempt_row)
        self._keep(kept)
        self._attempt_row = before

    def _keep(self, kept: array[int]) -> None:
        """Remove every row except these (ascending, type 'I')."""
        self._columns = {name: self._settled(c).keep(kept) for name, c in self._columns.items()}
        for name, axis in self._axes.items():
            self._axes[name] = _at(axis, kept[: bisect.bisect_left(kept, len(axis))])
        self._levels = _at(self._levels, kept)
        self.level = _greatest(self._levels)
        for column in self._columns.values():
            last = len(column.values) - 1
            column.top = self._levels[column.row(last)] if last >= 0 else -math.inf

    def _settled(self, column: _Column) -> _Column:
        """Return the column ordered by level; of several values at one level the last written is kept."""
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
        """Return a metric's points, ascending along the axis; empty if there are none."""
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

    def first(self, name: str) -> float:
        """Return the level of the first evaluation; infinite without one."""
        return self.after(name, -math.inf) or math.inf

    def after(self, name: str, level: float) -> float | None:
        """Return the level of the first evaluation beyond `level`."""
        with self._lock:
            column = self._column(name)
            if column is None:
                return None
            position = self._position(column, level)
            return None if position == len(column.values) else self._levels[column.row(position)]

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
        """Return levels per second over the last `window` seconds of the current attempt; None if unknown.

        `time` is the worker's own clock: a run that makes no progress keeps its last rate.
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
        """Return the number of values of a sorted column at or before a level."""
        count = len(column.values)
        if upto >= column.top:
            return count
        return bisect.bisect_right(range(count), upto, key=lambda p: self._levels[column.row(p)])


def _at(values: array[float], rows: array[int], shift: int = 0) -> array[float]:
    """Return the values at these rows (type 'I'), each moved by `shift`."""
    if len(rows) < LONG:
        return array("d", [values[row + shift] for row in rows])
    import numpy as np  # only where a run is this long

    at = np.frombuffer(rows, dtype=np.uintc).astype(np.intp)
    return array("d", np.frombuffer(values)[at + shift].tobytes())


def _rows(column: _Column) -> Any:
    """Return the row of every value, as numpy's."""
    import numpy as np  # only where a run is this long

    at = np.frombuffer(column.segment_at, dtype=np.uintc).astype(np.intp)
    row = np.frombuffer(column.segment_row, dtype=np.uintc).astype(np.intp)
    lengths = np.diff(at, append=len(column.values))
    return np.arange(len(column.values)) + np.repeat(row - at, lengths)


def _greatest(levels: array[float]) -> float:
    if len(levels) < LONG:
        return max(levels, default=0.0)
    import numpy as np  # only where a run is this long

    return float(np.frombuffer(levels).max())


def _reduced(column: _Column, kept: array[int]) -> tuple[array[int], array[float]]:
    """Return a column reduced to these rows (ascending, type 'I'): the new rows, and the values."""
    import numpy as np  # only where a run is this long

    wanted, rows = np.frombuffer(kept, dtype=np.uintc), _rows(column)
    found = np.searchsorted(wanted, rows)
    left = wanted[np.minimum(found, len(wanted) - 1)] == rows
    values = np.frombuffer(column.values)[left]
    return array("I", found[left].astype(np.uintc).tobytes()), array("d", values.tobytes())


def _extended(column: _Column, row: int, levels: array[float], values: Sparse) -> bool:
    """Append the values of some of the lines from `row` on; return False if their levels do not ascend beyond those before."""
    at = _at(levels, values.at)
    if not at or at[0] <= column.top or not _ascending(at):
        return not at
    column.extend_at(_shifted(values.at, row), values.values)
    column.top = at[-1]
    return True


def _put_each(column: _Column, row: int, levels: array[float], values: Column) -> None:
    """Add values one by one."""
    for at, (level, value) in enumerate(zip(levels, values, strict=True), row):
        if value is None:
            continue
        if level > column.top:
            column.top = level
            column.append(at, value)
        else:
            column.put(at, level, value)


def _shifted(rows: array[int], by: int) -> array[int]:
    if len(rows) < LONG:
        return array("I", [row + by for row in rows])
    import numpy as np  # only where a run is this long

    return array("I", (np.frombuffer(rows, dtype=np.uintc) + np.uintc(by)).tobytes())


def _equal(places: Column, levels: array[float]) -> bool:
    """Return whether the lines with a value on an axis have their level there."""
    some = _dense(places)
    if isinstance(places, Sparse):
        some, levels = places.values, _at(levels, places.at)
    if some is None or len(some) < LONG:
        return some == levels
    import numpy as np  # only where a run is this long

    return np.array_equal(np.frombuffer(some), np.frombuffer(levels))


def _moved(values: array[float], by: float) -> array[float]:
    if len(values) < LONG:
        return array("d", [value + by for value in values])
    import numpy as np  # only where a run is this long

    return array("d", (np.frombuffer(values) + by).tobytes())


def _alike(lines: list[Measurement]) -> bool:
    """Return whether most lines have most names, so that columns are not mostly empty."""
    names = {name for line in lines for name in line.values}
    return len(names) * len(lines) <= 4 * sum(len(line.values) for line in lines)


def _dense(values: Column) -> array[float] | None:
    """Return the values as an array; None where one is missing."""
    if isinstance(values, array):
        return values
    if isinstance(values, Sparse):
        return None
    try:
        return array("d", values)  # type: ignore[arg-type]  # tried here
    except TypeError:
        return None


def _with_nan(places: Column) -> array[float] | None:
    """Return an axis' values up to the last line that has one, nan for lines without; None if that is not worth it."""
    if not isinstance(places, Sparse):
        return _dense(places)
    if not places.at:
        return array("d")
    if len(places) < LONG:
        return None
    import numpy as np  # only where a run is this long

    whole = np.full(places.at[-1] + 1, math.nan)
    whole[np.frombuffer(places.at, dtype=np.uintc)] = np.frombuffer(places.values)
    return array("d", whole.tobytes())


def _ascending(values: array[float]) -> bool:
    if len(values) < LONG:
        return all(map(operator.lt, values, values[1:]))
    import numpy as np  # only where a run is this long

    found = np.frombuffer(values)
    return bool((found[1:] > found[:-1]).all())


def _falls(values: array[float]) -> bool:
    if len(values) < LONG:
        return any(map(operator.gt, values, values[1:]))
    import numpy as np  # only where a run is this long

    found = np.frombuffer(values)
    return bool((found[1:] < found[:-1]).any())


def _parts(levels: Any, count: int) -> Any:
    """Return the part of each level, of `count` equal stretches."""
    import numpy as np  # only where a run is this long

    span = max(levels[-1] - levels[0], 1e-300)
    return ((levels - levels[0]) / span * (count - 1)).astype(np.int32)


def _telling(parts: Any, values: Any) -> Any:
    """Return the positions of the lowest, the highest and the last value of each part (ascending), and of the first that is not finite."""
    import numpy as np  # only where a run is this long

    finite = np.isfinite(values)
    if finite.all():
        return np.concatenate((_ends(parts), *_extremes(parts, values)))
    found, wild = np.flatnonzero(finite), np.flatnonzero(~finite)
    some = [found[at] for at in _extremes(parts[found], values[found])] if len(found) else []
    return np.concatenate((_ends(parts), *some, wild[_begins(parts[wild])]))


def _extremes(parts: Any, values: Any) -> tuple[Any, Any]:
    """Return the positions of the first of the lowest and of the last of the highest values of each part."""
    import numpy as np  # only where a run is this long

    begins = _begins(parts)
    sizes = np.diff(begins, append=len(parts))
    low = np.flatnonzero(values == np.repeat(np.minimum.reduceat(values, begins), sizes))
    high = np.flatnonzero(values == np.repeat(np.maximum.reduceat(values, begins), sizes))
    return low[_begins(parts[low])], high[_ends(parts[high])]


def _ends(parts: Any) -> Any:
    """Return the last position of each part."""
    import numpy as np  # only where a run is this long

    return np.append(np.flatnonzero(parts[1:] != parts[:-1]), len(parts) - 1)


def _begins(parts: Any) -> Any:
    """Return the first position of each part."""
    import numpy as np  # only where a run is this long

    return np.append([0], np.flatnonzero(parts[1:] != parts[:-1]) + 1)


def _best_position(column: _Column, goal: Goal) -> int | None:
    """Return the position of the best finite value, examining only values added since the last call."""
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
    pick, better = (max, operator.gt) if goal == "max" else (min, operator.lt)
    if end - begin >= LONG:
        return _best_of_many(values, goal, begin, end, known)
    part = values[begin:end]
    # The sum says at once that nearly every stretch is finite.
    finite = part if math.isfinite(sum(part)) else array("d", filter(math.isfinite, part))
    if not finite:
        return known
    top = pick(finite)
    if known is not None and not better(top, values[known]):
        return known
    return begin + part.index(top)


def _best_of_many(
    values: array[float], goal: Goal, begin: int, end: int, known: int | None
) -> int | None:
    """Return what `_best_of` returns, for columns so long that numpy is worth its import."""
    import numpy as np

    part = np.frombuffer(values)[begin:end]
    finite = np.flatnonzero(np.isfinite(part))
    if not len(finite):
        return known
    part = part[finite]
    at = int(part.argmax() if goal == "max" else part.argmin())
    top = float(part[at])
    if known is not None and not (top > values[known] if goal == "max" else top < values[known]):
        return known
    return begin + int(finite[at])
