"""Draws curves as text: the only user of plotext.

A `Picture` and a size give strips. Curves are brought to the unit square first, finite points only, since plotext 6.1.0 aborts the
process on a NaN in a line and raises on infinities. plotext draws the canvas of up to ten curves; beyond that
`lrtui.tui.charts.braille` does, twenty times faster. Frame, ticks and letters are drawn here for both, so the pictures do not
differ. Called in a thread; plotext is imported by the first call.
"""

from __future__ import annotations

import bisect
import itertools
import math
import re
import threading
from typing import TYPE_CHECKING

from msgspec import Struct
from rich.segment import Segment

from lrtui.tui.charts.axes import Limits, Tick
from lrtui.tui.charts.canvas import EMPTY, Canvas, Cell, Point
from lrtui.tui.styled_text import FAINT, RULE, TEXT, ink, style, width_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from textual.strip import Strip

PLOTEXT_CURVES = 10
"""Up to this many curves plotext draws (16 ms for eight of 240 points); 32 would take it 188 ms."""
MOST_POINTS = 240
"""Maximum number of points of a curve: plotext calls C once per point."""
_LETTERS = 3
"""Cells kept free at the right end for the letters."""
_lock = threading.Lock()


class Curve(Struct, frozen=True):
    """One run's line. y may be nan: a gap."""

    letter: str
    colour: str
    x: Sequence[float]
    y: Sequence[float]
    bold: bool = False


class Glyph(Struct, frozen=True):
    """A point marked by characters, drawn over the curves; the first character is at the point."""

    x: float
    y: float
    text: str
    colour: str
    bold: bool = False


class Span(Struct, frozen=True):
    """A stretch of the x axis that is drawn with a character of its own."""

    low: float
    high: float
    char: str
    colour: str


class Shade(Struct, frozen=True):
    """How one band of a field looks."""

    char: str
    colour: str
    bold: bool = False


class Field(Struct, frozen=True):
    """A surface below the curves, over the whole canvas."""

    values: tuple[tuple[float, ...], ...]
    """By row, from the lower one up, and column; two of each at least."""
    limits: tuple[float, ...]
    """Ascending values that part the bands."""
    shades: tuple[Shade, ...]
    """Of the bands, one more than limits."""


class Picture(Struct, frozen=True):
    """What a chart shows; equal pictures look the same, so they are not drawn twice."""

    title: str
    curves: tuple[Curve, ...]
    x_limits: Limits
    y_limits: Limits
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    legend: tuple[tuple[str, str], ...] = ()
    """(text, colour), cold to hot."""
    note: str = ""
    """Written in the middle if there is no curve."""
    glyphs: tuple[Glyph, ...] = ()
    spans: tuple[Span, ...] = ()
    cursor: float | None = None
    """The x position of a vertical line across the canvas."""
    field: Field | None = None


def draw(picture: Picture, width: int, height: int, *, quick: bool = False) -> list[Strip]:
    """Return `height` strips of `width` cells; never raises or aborts, whatever the numbers.

    `quick` leaves plotext, whose import takes 170 ms, for later: while a directory is being read.
    """
    from textual.strip import Strip

    gutter = _gutter(picture)
    columns, rows = width - gutter - 2, height - 3
    if columns < 8 or rows < 2:
        return [Strip([Segment(" " * max(0, width), style(TEXT))]) for _ in range(height)]
    lines = [list(unit(curve, picture.x_limits, picture.y_limits)) for curve in picture.curves]
    canvas = paint(lines, columns - _LETTERS, rows, quick=quick)
    canvas = [row + [EMPTY] * (columns - len(row)) for row in canvas]
    if picture.field is not None:
        _write_field(canvas, picture, picture.field)
    _write_cursor(canvas, picture)
    _write_letters(canvas, picture, lines)
    _write_glyphs(canvas, picture)
    if picture.note:
        _write_note(canvas, picture)
    body = [
        Strip([*_left(picture, row, rows, gutter), *_cells(cells, picture), ink("│", RULE)])
        for row, cells in enumerate(canvas)
    ]
    strips = [_top(picture, width, gutter), *body, *_bottom(picture, columns, gutter)]
    return [strip.adjust_cell_length(width, style(TEXT)) for strip in strips]


def canvas_columns(picture: Picture, width: int) -> range:
    """Return the columns from the left end of the x axis to its right one."""
    left = _gutter(picture) + 1
    return range(left, max(left, width - 1 - _LETTERS))


def _gutter(picture: Picture) -> int:
    """Return how many cells the labels of the y axis take."""
    widest = max((width_of(tick.label) for tick in picture.y_ticks), default=0)
    return max(5, min(widest + 1, 9))


def unit(curve: Curve, xs: Limits, ys: Limits) -> Iterator[Point]:
    """Yield the curve's finite points in the unit square; what leaves it runs along its edge."""
    joined = False
    for x, y in zip(curve.x, curve.y, strict=False):
        across, up = _part(float(x), xs), _part(float(y), ys)
        if across is None or up is None:
            joined = False
            continue
        yield Point(across, up, joined)
        joined = True


def _part(value: float, limits: Limits) -> float | None:
    """Return where between the limits a value lies, 0 to 1; None if it is not finite."""
    if not math.isfinite(value):
        return None
    span = limits.high / 2 - limits.low / 2
    if not span > 0 or not math.isfinite(span):
        return 0.5
    return min(max((value / 2 - limits.low / 2) / span, 0.0), 1.0)


def paint(lines: list[list[Point]], columns: int, rows: int, *, quick: bool = False) -> Canvas:
    """Return the cells of a canvas with all lines on it, the last on top."""
    if not any(lines):
        return [[EMPTY] * columns for _ in range(rows)]
    if not quick and len(lines) <= PLOTEXT_CURVES and max(map(len, lines)) <= 2 * MOST_POINTS:
        return _paint_plotext(lines, columns, rows)
    from lrtui.tui.charts import braille  # numpy is not imported before the first paint

    return braille.paint(lines, columns, rows)


def _paint_plotext(lines: list[list[Point]], columns: int, rows: int) -> Canvas:
    with _lock:
        import plotext  # 120 to 170 ms, after the first paint
        from plotext._plotter.plot import plot_class  # plotext.figure is one global

        plotext.terminal.limit(False, False)
        figure = plot_class(parent=plotext.terminal)
        figure.theme("simple").plot_size(columns, rows).axes(False).legend(False)
        for axis in (0, 1):
            figure.ruler(axis, 0).lim(0, 1).ticks([])
        for number, points in enumerate(lines):
            if points:
                figure.draw(_signal(plotext, figure, points, number))
        text: str = figure.build().string()
    return _parse(text, columns, rows)


def _signal(plotext: object, figure: object, points: list[Point], number: int) -> object:
    """Return a plotext line whose colour is the curve's number, beyond the 16 named ones."""
    pen = plotext.marker("braille", plotext.pixel(foreground=16 + number))  # type: ignore[attr-defined]
    xs, ys = [point.x for point in points], [point.y for point in points]
    signal = figure.signal(xs, ys, marker=pen).lines(True)  # type: ignore[attr-defined]
    for index, point in enumerate(points):
        if index and not point.joined:
            signal.line(index, False)
    return signal


_SGR = re.compile(r"\x1b\[([0-9;]*)m")


def _parse(text: str, columns: int, rows: int) -> Canvas:
    """Return the cells of plotext's string: SGR sequences name the curve, everything else is a cell."""
    canvas: Canvas = []
    for row in text.split("\n")[:rows]:
        cells: list[Cell] = []
        owner = -1
        parts = _SGR.split(row)
        for index, part in enumerate(parts):
            if index % 2:
                code = part.split(";")
                owner = int(code[2]) - 16 if code[:2] == ["38", "5"] and len(code) == 3 else -1
            else:
                cells.extend(Cell(char, owner) if char != " " else EMPTY for char in part)
        canvas.append((cells + [EMPTY] * columns)[:columns])
    return canvas + [[EMPTY] * columns for _ in range(rows - len(canvas))]


# ---------------------------------------------------------------- around the canvas


def _write_letters(canvas: Canvas, picture: Picture, lines: list[list[Point]]) -> None:
    """Write each run's letter after its last point; runs that end together have theirs in the order of their values."""
    rows, columns = len(canvas), len(canvas[0])
    ends: list[tuple[int, int, float]] = []
    for number, points in enumerate(lines):
        if points and (letter := picture.curves[number].letter):
            column = round(points[-1].x * (columns - _LETTERS - 1)) + 1
            wanted = (1 - points[-1].y) * (rows - 1)
            ends.append((min(column, columns - len(letter)), number, wanted))
    for together in _touching(sorted(ends), picture):
        last = sorted(together, key=lambda end: end[1])[
            -rows:
        ]  # only the topmost runs if there are too few rows
        last.sort(key=lambda end: (end[2], end[1]))
        for (column, number, _), row in zip(
            last, spread([end[2] for end in last], rows), strict=True
        ):
            for offset, char in enumerate(picture.curves[number].letter):
                canvas[row][column + offset] = Cell(char, number)


def _touching(
    ends: list[tuple[int, int, float]], picture: Picture
) -> Iterator[list[tuple[int, int, float]]]:
    """Yield the ends whose letters would share columns, group by group; `ends` ascend in their columns."""
    group: list[tuple[int, int, float]] = []
    free = 0
    for end in ends:
        if group and end[0] >= free:
            yield group
            group = []
        group.append(end)
        free = max(free, end[0] + len(picture.curves[end[1]].letter))
    if group:
        yield group


def spread(wanted: Sequence[float], rows: int) -> list[int]:
    """Return a row below `rows` for each wanted one: in their ascending order, none twice, as near to them as that allows."""
    blocks: list[tuple[float, int]] = []
    """(mean of what its letters want as their block's first row, letters)"""
    for place in wanted:
        first, size = place, 1
        while blocks and first < blocks[-1][0] + blocks[-1][1]:
            before, more = blocks.pop()
            first = (before * more + (first - more) * size) / (more + size)
            size += more
        blocks.append((first, size))
    found: list[int] = []
    for first, size in blocks:
        start = max(math.floor(first + 0.5), len(found) and found[-1] + 1)
        found += range(start, start + size)
    for index, row in enumerate(found):
        found[index] = max(index, min(row, rows - len(found) + index))
    return found


def _write_field(canvas: Canvas, picture: Picture, field: Field) -> None:
    """Write each cell's band where no curve is."""
    first = len(picture.curves) + len(picture.glyphs)
    rows, columns = len(canvas), len(canvas[0]) - _LETTERS
    for row, cells in enumerate(canvas):
        line = _between(field.values, 1 - row / (rows - 1))
        for column in range(columns):
            if cells[column].owner < 0:
                value = _at(line, column / (columns - 1))
                band = bisect.bisect_right(field.limits, value)
                cells[column] = Cell(field.shades[band].char, first + band)


def _between(values: Sequence[Sequence[float]], part: float) -> list[float]:
    """Return the row at a place between the first and the last one, 0 to 1."""
    at = part * (len(values) - 1)
    low = min(int(at), len(values) - 2)
    return [a + (b - a) * (at - low) for a, b in zip(values[low], values[low + 1], strict=True)]


def _at(values: Sequence[float], part: float) -> float:
    at = part * (len(values) - 1)
    low = min(int(at), len(values) - 2)
    return values[low] + (values[low + 1] - values[low]) * (at - low)


def _write_cursor(canvas: Canvas, picture: Picture) -> None:
    """Write the cursor's line where no curve is."""
    across = None if picture.cursor is None else _part(picture.cursor, picture.x_limits)
    if across is None:
        return
    column = round(across * (len(canvas[0]) - _LETTERS - 1))
    for row in canvas:
        if row[column].owner < 0:
            row[column] = Cell("┊", -1)


def _write_glyphs(canvas: Canvas, picture: Picture) -> None:
    """Write the glyphs; the further characters of one give way to another glyph."""
    rows, columns = len(canvas), len(canvas[0])
    heads: set[tuple[int, int]] = set()
    tails: list[tuple[int, int, Cell]] = []
    for number, glyph in enumerate(picture.glyphs, len(picture.curves)):
        across, up = _part(glyph.x, picture.x_limits), _part(glyph.y, picture.y_limits)
        if across is None or up is None or not glyph.text:
            continue
        row, column = round((1 - up) * (rows - 1)), round(across * (columns - _LETTERS - 1))
        canvas[row][column] = Cell(glyph.text[0], number)
        heads.add((row, column))
        tails += [(row, column + i, Cell(char, number)) for i, char in enumerate(glyph.text) if i]
    for row, column, cell in tails:
        if (row, column) not in heads and column < columns:
            canvas[row][column] = cell


def _write_note(canvas: Canvas, picture: Picture) -> None:
    row = len(canvas) // 2
    start = max(0, (len(canvas[0]) - len(picture.note)) // 2)
    for offset, char in enumerate(picture.note[: len(canvas[0]) - start]):
        canvas[row][start + offset] = Cell(char, -1)


def _cells(cells: list[Cell], picture: Picture) -> Iterator[Segment]:
    """Yield the segments of one row, one for each stretch of a curve."""
    shades = picture.field.shades if picture.field is not None else ()
    pens: list[Curve | Glyph | Shade] = [*picture.curves, *picture.glyphs, *shades]
    start = 0
    for index in range(1, len(cells) + 1):
        if index < len(cells) and cells[index].owner == cells[start].owner:
            continue
        owner = cells[start].owner
        text = "".join(cell.char for cell in cells[start:index])
        if owner < 0:
            yield Segment(text, style(FAINT))
        else:
            yield Segment(text, style(pens[owner].colour, bold=pens[owner].bold))
        start = index


def _left(picture: Picture, row: int, rows: int, gutter: int) -> list[Segment]:
    for tick in picture.y_ticks:
        part = _part(tick.at, picture.y_limits)
        if part is not None and round((1 - part) * (rows - 1)) == row:
            return [ink(tick.label.rjust(gutter)[:gutter], FAINT), ink("┤", RULE)]
    return [Segment(" " * gutter, style(FAINT)), ink("│", RULE)]


def _top(picture: Picture, width: int, gutter: int) -> Strip:
    from textual.strip import Strip

    room = width - gutter - 2
    title = f" {picture.title} "
    segments = [Segment(" " * gutter, style(FAINT)), ink("┌", RULE), ink(title, TEXT, bold=True)]
    room -= width_of(title)
    legend: list[Segment] = []
    for text, colour in picture.legend:
        if width_of(text) + 1 > room - 1:
            break
        legend.append(ink(f"{text} ", colour))
        room -= width_of(text) + 1
    return Strip(
        [
            *segments,
            ink("─" * max(0, room - bool(legend)), RULE),
            ink(" " * bool(legend and room > 0), RULE),
            *legend,
            ink("┐", RULE),
        ]
    )


def _bottom(picture: Picture, columns: int, gutter: int) -> list[Strip]:
    from textual.strip import Strip

    axis = ["─"] * columns
    labels = [" "] * (gutter + columns + 2)
    free = 0
    for tick in picture.x_ticks:
        part = _part(tick.at, picture.x_limits)
        if part is None:
            continue
        column = round(part * (columns - _LETTERS - 1))
        start = max(
            free, min(gutter + 1 + column - len(tick.label) // 2, len(labels) - len(tick.label))
        )
        if start > gutter + 1 + column:
            continue
        axis[column] = "┴"
        labels[start : start + len(tick.label)] = tick.label
        free = start + len(tick.label) + 1
    pad = Segment(" " * gutter, style(FAINT))
    line = _coloured_axis(axis, picture, columns)
    return [
        Strip([pad, ink("└", RULE), *line, ink("┘", RULE)]),
        Strip([ink("".join(labels)[: gutter + columns + 2], FAINT)]),
    ]


def _coloured_axis(axis: list[str], picture: Picture, columns: int) -> Iterator[Segment]:
    """Yield the x axis, its spans in their own characters and colours."""
    colours = [RULE] * columns
    for span in picture.spans:
        low, high = _part(span.low, picture.x_limits), _part(span.high, picture.x_limits)
        if low is None or high is None:
            continue
        first, last = (round(part * (columns - _LETTERS - 1)) for part in (low, high))
        for column in range(first, last + 1):
            axis[column], colours[column] = span.char, span.colour
    for colour, cells in itertools.groupby(zip(colours, axis, strict=True), key=lambda c: c[0]):
        yield ink("".join(char for _, char in cells), colour)
