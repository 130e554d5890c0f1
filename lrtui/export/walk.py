"""The measurements of a run, position by position: what every target writes, read from the files in full.

The series of the monitor coarsen long runs, so an export reads the metric files itself, as a stream: memory does not grow with the
length of a run. Attempts are merged as in a series: a later attempt hides earlier lines from its first length on.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from lrtui.metrics import MetricLog, Reading
from lrtui.metrics.line import Found, Measurement, one_by_one
from lrtui.sweep.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path

    from lrtui.sweep.events import Plan
    from lrtui.sweep.state import Attempt, Run, Sweep

_WINDOW = 10_000
"""The number of lines held back, so that a late line is put in its place; one that is later still stays where it is."""
_FINEST = 10**9
_NEARLY = 1 - 1e-6
"""The distance of two steps, less what is lost in a difference such as 0.3 - 0.2."""
_LARGEST = 2**53


class Row(msgspec.Struct, gc=False):
    """The measurements of a run at one position."""

    attempt: int
    level: float
    """The length, in the plan's unit."""
    step: float | None
    epoch: float | None
    tokens: float | None
    time: float | None
    """Seconds of training since the run began, over all attempts."""
    wall: float
    """Unix time; estimated from the line's place in the attempt if it has no time."""
    values: dict[str, float]
    at: int = 0
    """The step for a tool that needs ascending integers; see `Steps`."""


@dataclass(frozen=True, slots=True)
class Steps:
    """How a position becomes an integer, the same for all runs of an experiment."""

    own: bool
    """Whether it is the script's own step: every line has one, an integer that never falls."""
    per_unit: int = 1
    """Otherwise it is the length times this: 1 if all lengths are integers, else 1,000 or more, to keep the closest two apart."""

    def of(self, row: Row) -> int:
        """Return the step of a row."""
        place = row.step if self.own and row.step is not None else row.level * self.per_unit
        return round(min(place, _LARGEST))

    def words(self, unit: str) -> str:
        """Return in words what a step is."""
        if self.own:
            return "the script's step"
        return unit if self.per_unit == 1 else f"{unit} times {self.per_unit:,}"


@dataclass(slots=True)
class _Scan:
    """Facts from a first reading of a run."""

    firsts: dict[int, float] = field(default_factory=dict)
    """The length of each attempt's first line."""
    lasts: dict[int, float] = field(default_factory=dict)
    """The greatest length of each attempt."""
    whole_steps: bool = True
    whole_levels: bool = True
    closest: float = math.inf
    """The smallest distance of consecutive lengths."""


class Walk:
    """Reads the runs of one experiment directory; writes nothing there."""

    def __init__(self, directory: Path, sweep: Sweep, plan: Plan, now: float) -> None:
        """Scan all runs; `now` is the time until which living attempts have measured."""
        self._layout = Layout(directory)
        self._plan = plan
        self._now = now
        self._scans = {run.id: self._scan(run) for run in sweep.runs.values()}
        self.steps = _steps(list(self._scans.values()))

    def rows(self, run: Run) -> Iterator[Row]:
        """Yield a run's measurements, ascending in length; `at` ascends strictly."""
        last = -1
        for row in _merged(_in_order(self._rows(run))):
            last = row.at = max(last + 1, self.steps.of(row))
            yield row

    def beside(self, row: Row) -> Iterator[tuple[str, float]]:
        """Yield a row's positions on the axes that `at` does not give."""
        unit = self._plan.unit
        told = "step" if self.steps.own else unit if self.steps.per_unit == 1 else ""
        places = {"step": row.step, "epoch": row.epoch, "tokens": row.tokens, unit: row.level}
        for name, place in places.items():
            if place is not None and name != told:
                yield name, place

    def _found(self, run: Run) -> Iterator[tuple[Attempt, Sequence[Found]]]:
        """Yield the content of the attempts' files, slice by slice."""
        reading = Reading.of(self._plan, range_test=run.is_range_test)
        before: MetricLog | None = None
        for attempt in run.attempts:
            root = self._layout.attempt(run.folder, attempt.number)
            log = MetricLog(root, reading, attempt.until, by_column=True)
            if before is not None:
                log.capture.go_on_from(before.capture)
            before = log
            more = True
            while more:
                found = log.read()
                yield attempt, found
                more = log.more

    def _scan(self, run: Run) -> _Scan:
        scan = _Scan()
        step = level = -math.inf
        number = 0
        for attempt, found in self._found(run):
            if attempt.number != number:
                number, step, level = attempt.number, -math.inf, -math.inf
            for each in found:
                lines = [each] if isinstance(each, Measurement) else each
                levels = [each.level] if isinstance(each, Measurement) else each.levels
                steps = (
                    [each.step]
                    if isinstance(each, Measurement)
                    else list(each.axes.get("step", [None] * len(lines)))
                )
                if scan.whole_steps:
                    scan.whole_steps = _ascend(steps, step)
                    step = steps[-1] or 0.0
                scan.firsts.setdefault(number, levels[0])
                scan.lasts[number] = max(scan.lasts.get(number, 0.0), *levels)
                scan.whole_levels = scan.whole_levels and all(map(float.is_integer, levels))
                gaps = (abs(b - a) for a, b in pairwise([level, *levels]) if a != b)
                scan.closest = min(scan.closest, min(gaps, default=math.inf))
                level = levels[-1]
        return scan

    def _rows(self, run: Run) -> Iterator[Row]:
        """Yield the rows that no later attempt hides, as they were written."""
        scan = self._scans[run.id]
        number, floor, base, time = 0, math.inf, 0.0, 0.0
        for attempt, found in self._found(run):
            if attempt.number != number:
                number, base = attempt.number, time
                later = (at for other, at in scan.firsts.items() if other > number)
                floor = min(later, default=math.inf)
            start, seconds = self._span(attempt)
            first, last = scan.firsts.get(number, 0.0), scan.lasts.get(number, 0.0)
            for line in one_by_one(found):
                if line.level >= floor:
                    continue
                if line.time is not None and math.isfinite(line.time):
                    time = base + line.time
                    trained, wall = time, start + line.time
                else:
                    share = (line.level - first) / (last - first) if last > first else 1.0
                    trained, wall = None, start + seconds * min(1.0, max(0.0, share))
                yield Row(
                    number, line.level, line.step, line.epoch, line.tokens, trained, wall, line.values
                )  # fmt: skip

    def _span(self, attempt: Attempt) -> tuple[float, float]:
        """Return when an attempt began, and for how many seconds it ran so far."""
        start = attempt.started_at or attempt.launched_at
        return start, max(0.0, (attempt.ended_at or self._now) - start)


def _ascend(steps: Sequence[float | None], before: float) -> bool:
    """Return whether every line has an integer step, and none falls."""
    for step in steps:
        if step is None or not before <= step < _LARGEST or step < 0 or step != int(step):
            return False
        before = step
    return True


def _steps(scans: list[_Scan]) -> Steps:
    found = [scan for scan in scans if scan.firsts]
    if all(scan.whole_steps for scan in found):
        return Steps(own=bool(found))
    if all(scan.whole_levels for scan in found):
        return Steps(own=False)
    closest = min(scan.closest for scan in found)
    fine = 1000
    while fine * closest < _NEARLY and fine < _FINEST:
        fine *= 10
    return Steps(own=False, per_unit=fine)


def _in_order(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield rows in order of length; those of one length in the order in which they were written."""
    waiting: list[tuple[float, int, Row]] = []
    for n, row in enumerate(rows):
        if n < _WINDOW:
            heapq.heappush(waiting, (row.level, n, row))
        else:
            yield heapq.heappushpop(waiting, (row.level, n, row))[2]
    while waiting:
        yield heapq.heappop(waiting)[2]


def _merged(rows: Iterator[Row]) -> Iterator[Row]:
    """Yield one row per position; of a metric that was written twice there, the last value."""
    held = next(rows, None)
    if held is None:
        return
    for row in rows:
        if row.level != held.level or not _same_place(held, row):
            yield held
            held = row
            continue
        values = {**held.values, **row.values}
        held = Row(
            row.attempt,
            row.level,
            held.step if row.step is None else row.step,
            held.epoch if row.epoch is None else row.epoch,
            held.tokens if row.tokens is None else row.tokens,
            held.time if row.time is None else row.time,
            row.wall,
            values,
        )
    yield held


def _same_place(one: Row, other: Row) -> bool:
    pairs = ((one.step, other.step), (one.epoch, other.epoch), (one.tokens, other.tokens))
    return all(a == b or a is None or b is None for a, b in pairs)
