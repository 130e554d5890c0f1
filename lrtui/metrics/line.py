"""Measurements and their lengths: one at a time (`Measurement`), or many in columns (`Columns`)."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import TypeAlias

import msgspec
from msgspec import Struct

MOST_NAMES = 256
"""Metrics that one run may have; further names are ignored, so that a script cannot fill the memory with them."""
LONG = 1000
"""The number of lines from which numpy is worth its import."""
AXES = ("step", "epoch", "tokens", "time")
"""Fields of a metric line that are positions; every other number is a metric."""


class Measurement(msgspec.Struct, frozen=True, gc=False):
    """One metric line. A msgspec.Struct since it is made in 0.2 us, a frozen dataclass in 1.3."""

    level: float
    """The length at which it was measured, in the plan's unit; finite, not negative."""
    step: float | None
    epoch: float | None
    tokens: float | None
    time: float | None
    """Seconds since the attempt began."""
    values: dict[str, float]
    """Every other number by its name; nan and infinities are data."""


class Sparse(Struct, frozen=True):
    """A column of `count` lines, only some of which have a value; iterates like a list with None for the others."""

    at: array[int]
    """The indices of the lines with a value, ascending from 0; type 'I'."""
    values: array[float]
    """The values of these lines; type 'd'."""
    count: int

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[float | None]:
        column: list[float | None] = [None] * self.count
        for at, value in zip(self.at, self.values, strict=True):
            column[at] = value
        return iter(column)

    def part(self, begin: int, end: int) -> Sparse:
        """Return the lines from `begin` to before `end`."""
        first, last = bisect_left(self.at, begin), bisect_left(self.at, end)
        at = array("I", (each - begin for each in self.at[first:last]))
        return Sparse(at, self.values[first:last], min(end, self.count) - begin)


Column: TypeAlias = "list[float | None] | array[float] | Sparse"


class Columns(Struct, frozen=True):
    """Consecutive measurements by column, each as long as `levels`; arrays of type 'd', or other columns if a line lacks a value."""

    levels: list[float] | array[float]
    axes: dict[str, Column]
    """By the names of AXES."""
    values: dict[str, Column]

    def __len__(self) -> int:
        return len(self.levels)

    def __iter__(self) -> Iterator[Measurement]:
        """Yield the measurements one by one."""
        absent: Column = [None] * len(self.levels)
        axes = [self.axes.get(axis, absent) for axis in AXES]
        rows = zip(*self.values.values(), strict=True) if self.values else ((),) * len(self.levels)
        for level, step, epoch, tokens, time, row in zip(self.levels, *axes, rows, strict=True):
            values = dict(zip(self.values, row, strict=True))
            if None in row:
                values = {name: value for name, value in values.items() if value is not None}
            yield Measurement(level, step, epoch, tokens, time, values)

    def part(self, begin: int, end: int) -> Columns:
        """Return the lines from `begin` to before `end`."""
        return Columns(
            self.levels[begin:end],
            {name: _part(column, begin, end) for name, column in self.axes.items()},
            {name: _part(column, begin, end) for name, column in self.values.items()},
        )

    @classmethod
    def of(cls, lines: list[Measurement]) -> Columns:
        """Return measurements by column."""
        names = dict.fromkeys(name for line in lines for name in line.values)
        return cls(
            [m.level for m in lines],
            {
                "step": [m.step for m in lines],
                "epoch": [m.epoch for m in lines],
                "tokens": [m.tokens for m in lines],
                "time": [m.time for m in lines],
            },
            {name: [m.values.get(name) for m in lines] for name in names},
        )


def _part(column: Column, begin: int, end: int) -> Column:
    return column.part(begin, end) if isinstance(column, Sparse) else column[begin:end]


Found = Measurement | Columns
"""What reading a file brings."""


def one_by_one(found: Iterable[Found]) -> list[Measurement]:
    """Return what was found as single measurements."""
    lines: list[Measurement] = []
    for each in found:
        if isinstance(each, Columns):
            lines.extend(each)
        else:
            lines.append(each)
    return lines
