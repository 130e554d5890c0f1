"""Heat maps of a search beside the LR: the predicted metric over log10(lr) and each axis, with every place that was trained.

Drawn by `draw` in place of the sensitivity chart if the search has axes. The denser a place, the better; lines have the values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedFormatter, FixedLocator

from lrtui.report.document import OWN
from lrtui.report.figures.axes_and_panels import (
    MOST_PANELS,
    label,
    log_axis,
    name_y,
    panels_in_rows,
)
from lrtui.report.figures.lr_sensitivity import interval
from lrtui.report.figures.style import BAND, GROUND, INK
from lrtui.report.model import Map, Point, Report, Verdict
from lrtui.text.format import lr_text, number, setting_value

_DENSITY = 0.2
"""Of each band over the one below it."""


def heat_map_chart(made: Report) -> Figure:
    """Return a map for each axis of each group, the best groups first."""
    shown = made.maps[:MOST_PANELS]
    verdicts = {each.group: each for each in made.groups}
    points = {each.group: each.points for each in made.sensitivity}
    figure, axes = panels_in_rows(len(shown), 3.5, bottom=1.15)
    said: dict[str, Any] = {}
    for ax, each in zip(axes, shown, strict=True):
        verdict = verdicts[each.group]
        log_axis(ax, each.lrs, narrow=len(shown) > 1)
        _surface(ax, each, made.goal)
        said |= _points(ax, each, points[each.group], verdict)
        said |= interval(ax, verdict)
        if len(verdicts) > 1:
            ax.set_title(label(each.group or OWN, 44), loc="left", fontsize=8.5)
        ax.set_xlabel("learning rate")
        name_y(ax, each.axis)
    labels = [f"predicted {made.metric}: the denser the better", *said]
    handles = [Patch(facecolor=BAND, alpha=0.5), *said.values()]
    figure.legend(handles=handles, labels=labels, loc="lower center", ncols=2)
    return figure


def _surface(ax: Axes, one: Map, goal: str) -> None:
    """Fill the bands of the map, each denser than the one below, and write on their edges from which value on they begin."""
    sign = -1 if goal == "min" else 1
    rows = one.values
    x = [math.log10(lr) for lr in one.lrs]
    y = [place / (len(rows) - 1) for place in range(len(rows))]
    heights = [[sign * value for value in row] for row in rows]
    top = max(map(max, heights))
    for limit in one.limits:
        if sign * limit < top:
            ax.contourf(x, y, heights, levels=[sign * limit, math.inf], colors=[BAND], alpha=_DENSITY)  # fmt: skip
    levels = sorted({sign * limit for limit in one.limits if sign * limit < top})
    lines = ax.contour(x, y, heights, levels=levels, colors=[BAND], linewidths=0.8, linestyles="-")
    ax.clabel(lines, fmt=lambda value: number(sign * value), fontsize=7, colors=[INK])
    ax.yaxis.set_major_locator(FixedLocator([share for _, share in one.marks]))
    ax.yaxis.set_major_formatter(FixedFormatter([setting_value(value) for value, _ in one.marks]))
    ax.set_ylim(-0.03, 1.03)
    ax.grid(visible=False)


def _points(ax: Axes, one: Map, points: Sequence[Point], found: Verdict) -> dict[str, Any]:
    """Mark each place that was trained; return what the legend says of the marks that occur."""
    said: dict[str, Any] = {}
    for point, place in zip(points, one.places, strict=True):
        if place is None:
            continue
        x = math.log10(point.lr)
        if point.runs == found.runs:
            ax.annotate(
                lr_text(point.lr), (x, place), xytext=(0, 8), textcoords="offset points", ha="center",
                fontsize=8.5, fontweight="bold", color=INK, zorder=6,
            )  # fmt: skip
            look: dict[str, Any] = {"marker": "*", "ms": 14, "mec": GROUND, "mfc": INK, "zorder": 5}
            words = "recommended"
        elif point.dead or point.mean is None:
            look = {"marker": "x", "ms": 6, "mew": 1.6, "mec": INK}
            words = "failed, diverged or learned nothing"
        else:
            look = {"marker": "o", "ms": 5, "mec": INK, "mfc": INK if point.full else GROUND}
            words = "trained to the end" if point.full else "trained less"
        ax.plot([x], [place], ls="", **look)
        said[words] = Line2D([], [], ls="", **look)
    return said
