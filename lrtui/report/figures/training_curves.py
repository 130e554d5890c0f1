"""The objective over training, a line for each run from cold to hot, with the learning rates at the lines' ends.

Drawn by `draw`.
"""

from __future__ import annotations

import math
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lrtui.report.document import OWN, units
from lrtui.report.figures.axes_and_panels import (
    MOST_PANELS,
    empty,
    finite,
    label,
    limits,
    log_values,
    name_axes,
    panels_in_rows,
    places_by_rank,
)
from lrtui.report.figures.style import MUTED
from lrtui.report.model import Curve, Report
from lrtui.report.palette import heat
from lrtui.text.format import amount_short, lr_text

MOST_LABELS = 16
_STYLES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.5, 1.2, 1.5)))


def curves_chart(made: Report) -> Figure:
    """Return the objective over training, one panel for each group, lines from cold to hot by LR."""
    order = {each.group: n for n, each in enumerate(made.groups)}
    found: dict[str, list[Curve]] = {}
    for each in made.curves:
        if each.metric == made.metric and finite(each.y):
            found.setdefault(each.group, []).append(each)
    groups = sorted(found, key=lambda group: order.get(group, len(order)))
    shown = groups[:MOST_PANELS]
    if not shown:
        return empty(f"no run has printed {label(made.metric or 'a metric', 40)} yet")
    figure, axes = panels_in_rows(len(shown), 3.6, right=0.75, bottom=0.6)
    places = places_by_rank(made)
    ends = [finite(each.y)[-1] for group in shown for each in found[group]]
    values = [y for group in shown for each in found[group] for y in finite(each.y)]
    low, high, log = limits(values, made.goal, ends)
    end = _x_end(made.horizon, max(x for group in shown for each in found[group] for x in each.x))
    for ax, group in zip(axes, shown, strict=True):
        if log:
            log_values(ax)
        ax.set_ylim(low, high)
        ax.set_xlim(0, end)
        for level in {rung.level for rung in made.rungs if rung.group == group}:
            ax.axvline(level, color=MUTED, lw=0.8, ls=(0, (1, 2)))
        _lines(ax, made, found[group], places)
        if len(shown) > 1:
            ax.set_title(label(group or OWN, 44), loc="left", fontsize=8.5)
        ax.tick_params(length=3)
    unit = units(made)
    if end < (made.horizon or 0):
        unit += f" (of {amount_short(made.horizon)})"
    name_axes(axes, unit, made.metric)
    if any(rung.group in shown for rung in made.rungs):
        figure.text(0.99, 0.01, "dotted: rungs", ha="right", va="bottom", fontsize=8, color=MUTED)
    return figure


def _x_end(horizon: float | None, furthest: float) -> float:
    """Return the right end of the x axis: the horizon, or a little beyond the runs where a stopped sweep left most of it empty."""
    if not horizon:
        return furthest
    return horizon if furthest > 0.7 * horizon else 1.05 * furthest


def _lines(ax: Axes, made: Report, runs: list[Curve], places: dict[float, float]) -> None:
    lrs = sorted({each.lr for each in runs})
    first: dict[float, tuple[float, float]] = {}
    for each in sorted(runs, key=lambda run: (run.lr, run.seed, run.run)):
        y = [math.nan if v is None or not finite([v]) else v for v in each.y]
        line = _STYLES[lrs.index(each.lr) % len(_STYLES)]
        again = each.lr in first
        few = len(y) < 3
        ax.plot(
            each.x, y, color=heat(places.get(each.lr, 0.5)), ls=line, lw=0.9 if again else 1.5,
            alpha=0.6 if again else 1.0, marker="." if few else "", solid_capstyle="round",
        )  # fmt: skip
        known = [(x, v) for x, v in zip(each.x, y, strict=True) if math.isfinite(v)]
        first.setdefault(each.lr, known[-1])
    sign = -1 if made.goal == "max" else 1
    low, high = ax.get_ylim()
    inside = [lr for lr in first if low <= first[lr][1] <= high]
    best = sorted(inside, key=lambda lr: (sign * first[lr][1], lr))[:MOST_LABELS]
    _end_labels(ax, {lr: first[lr] for lr in best}, places)
    beyond = len(first) - len(inside)
    notes = [f"labels: the best {len(best)} of {len(inside)}"] if len(inside) > len(best) else []
    notes += [f"{beyond} outside of the chart"] if beyond else []
    ax.text(1.0, 1.0, "; ".join(notes), transform=ax.transAxes, ha="right", va="bottom", fontsize=7, color=MUTED)  # fmt: skip


def _end_labels(
    ax: Axes, ends: dict[float, tuple[float, float]], places: dict[float, float]
) -> None:
    """Write each LR right of the panel at the height where its line ends, pushed apart where they would overlap."""
    box = ax.get_position()
    tall = box.height * ax.figure.get_size_inches()[1]  # type: ignore[union-attr]
    wide = 72 * box.width * ax.figure.get_size_inches()[0]  # type: ignore[union-attr]  # points
    gap = 0.125 / tall
    low, high = ax.get_ylim()
    log = ax.get_yscale() == "log"

    def height(y: float) -> float:
        share = (
            math.log(max(y, low) / low) / math.log(high / low) if log else (y - low) / (high - low)
        )
        return min(max(share, 0.0), 1.0)

    order = sorted(ends, key=lambda lr: (height(ends[lr][1]), lr))
    at = apart([height(ends[lr][1]) for lr in order], gap)
    right = ax.get_xlim()[1]
    for lr, y in zip(order, at, strict=True):
        x, value = ends[lr]
        colour = heat(places.get(lr, 0.5))
        ax.annotate(
            lr_text(lr), (1.0, y), xycoords="axes fraction", xytext=(13, 0), textcoords="offset points", va="center", fontsize=8
        )  # fmt: skip
        ax.plot(
            [1 + 3 / wide, 1 + 10 / wide],
            [height(value), y],
            transform=ax.transAxes,
            color=colour,
            lw=1.0,
            clip_on=False,
        )
        if x < right:
            ax.plot([x], [value], ls="", marker="o", ms=3.5, color=colour)


def apart(wanted: list[float], gap: float) -> list[float]:
    """Return ascending places at least `gap` apart, as near to those wanted as one pass up and one down bring them."""
    at = list(wanted)
    for i in range(1, len(at)):
        at[i] = max(at[i], at[i - 1] + gap)
    top = 1.0
    for i in reversed(range(len(at))):
        at[i] = min(at[i], top)
        top = at[i] - gap
    return at
