"""The canvas of a chart: what `plot` draws on, and `braille` for it."""

from __future__ import annotations

from typing import NamedTuple


class Point(NamedTuple):
    """A finite place in the unit square, (0, 0) at the lower left."""

    x: float
    y: float
    joined: bool
    """Whether a line leads here from the point before."""


class Cell(NamedTuple):
    """A character and the number of the curve that it belongs to, glyphs and then shades numbered after the curves; -1 for none."""

    char: str
    owner: int


Canvas = list[list[Cell]]
EMPTY = Cell(" ", -1)
