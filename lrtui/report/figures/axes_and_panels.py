"""Shared by the charts: panels beside each other, axes of learning rates and of values, short labels.

Called by `sensitivity`, `curves` and `ranges`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, NullLocator

from lrtui.frontend.run_colors import spread
from lrtui.report.figures.style import MUTED
from lrtui.report.model import Report
from lrtui.text.clean import clean
from lrtui.text.format import lr_rounded

WIDTH = 7.4
"""Inches; 9-point text then looks right beside the text of the page."""
MOST_PANELS = 12
MOST_TICKS = 24


def panels_in_rows(
    count: int, height: float, *, right: float = 0.2, bottom: float = 0.95
) -> tuple[Figure, list[Axes]]:
    """Return a figure with one panel, or two in a row; margins in inches."""
    columns = 1 if count < 2 else 2
    rows = -(-count // columns)
    each = height if count < 2 else 0.72 * height
    between, top = 0.7, 0.42
    total = rows * each + between * (rows - 1) + top + bottom
    figure = Figure(figsize=(WIDTH, total))
    grid = figure.subplots(rows, columns, squeeze=False)
    figure.subplots_adjust(
        left=0.72 / WIDTH,
        right=1 - right / WIDTH,
        bottom=bottom / total,
        top=1 - top / total,
        hspace=between / each,
        wspace=(0.62 + right) / (WIDTH / columns),
    )
    axes = [ax for row in grid for ax in row]
    for spare in axes[count:]:
        spare.set_visible(False)
    return figure, axes[:count]


def empty(text: str) -> Figure:
    """Return an empty chart with the reason."""
    figure, (ax,) = panels_in_rows(1, 1.6, bottom=0.2)
    ax.set_axis_off()
    ax.text(0.5, 0.5, text, ha="center", va="center", color=MUTED, transform=ax.transAxes)
    return figure


def label(text: str, limit: int = 60) -> str:
    """Return text for a chart: short, and without what XML cannot hold."""
    text = re.sub("[\ufffe\uffff]", "\ufffd", clean(text))
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def finite(values: Sequence[Any]) -> list[float]:
    """Return the values that can be drawn."""
    return [float(v) for v in values if isinstance(v, (int, float)) and abs(v) < 1e300]


def places_by_rank(made: Report) -> dict[float, float]:
    """Return each LR's place on the scale from cold to hot, by its rank."""
    return spread(point.lr for each in made.sensitivity for point in each.points)


def log_axis(ax: Axes, lrs: Sequence[float], *, margin: float = 0.0, narrow: bool = False) -> None:
    """Let x be log10(lr): decades are labelled; over less than two of them the LRs themselves."""
    xs = sorted({math.log10(lr) for lr in lrs})
    low, high = xs[0] - margin, xs[-1] + margin
    decades = list(range(math.ceil(low), math.floor(high) + 1))
    if len(decades) >= 2:
        every = max(1, -(-len(decades) // (5 if narrow else 9)))
        ticks = [float(d) for d in decades[::every]]
        words = [f"1e{int(t):+03d}" for t in ticks]
        if len(xs) <= MOST_TICKS:
            ax.xaxis.set_minor_locator(FixedLocator([x for x in xs if x not in ticks]))
    else:
        ticks, words = xs[:: max(1, len(xs) // 5)], []
        words = [lr_rounded(10**t) for t in ticks]
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_major_formatter(FixedFormatter(words))
    ax.set_xlim(low, high)


def log_values(ax: Axes) -> None:
    """Let y be logarithmic, with plain numbers at its ticks."""
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _tick(value)))
    ax.yaxis.set_minor_locator(NullLocator())


def _tick(value: float) -> str:
    return f"{value:g}" if 1e-3 <= value < 1e4 else f"{value:.0e}"


def name_axes(axes: Sequence[Axes], x: str, y: str) -> None:
    """Name the axes of panels that share them: x below the last row, y beside the first column."""
    for n, ax in enumerate(axes):
        if n >= len(axes) - (2 if len(axes) > 1 else 1):
            ax.set_xlabel(x)
        if n % 2 == 0:
            name_y(ax, y)


def name_y(ax: Axes, text: str) -> None:
    """Name the y axis at a fixed place, inside the figure whatever the width of its numbers."""
    inches = ax.get_position().width * WIDTH
    ax.set_ylabel(label(text, 40))
    ax.yaxis.set_label_coords(-0.56 / inches, 0.5)


def limits(
    values: Sequence[float], goal: str, important: Sequence[float] = ()
) -> tuple[float, float, bool]:
    """Return limits of y, and whether it should be a log axis; outliers on the bad side stay outside.

    On the bad side the axis ends at four times the distance between the best and the median, where values go far beyond.
    """
    ordered = sorted(finite([*values, *important]), reverse=goal == "max")
    if not ordered:
        return 0.0, 1.0, False
    best, middle, worst = ordered[0], ordered[len(ordered) // 2], ordered[-1]
    if goal == "min" and best > 0 and worst / best > 30:
        return best / 1.15, min(worst, best * 1e6) * 1.15, True
    reach = 4 * abs(middle - best)
    if reach and abs(worst - best) > reach:
        worst = best - reach if goal == "max" else best + reach
    low, high = min(best, worst), max(best, worst)
    pad = 0.07 * (high - low) or 0.05 * abs(high) or 0.5
    return low - pad, high + pad, False
