"""The main chart of the report: the final metric against log10(lr), with pick, interval and equal range.

Drawn by `draw`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from lrtui.report.document import OWN
from lrtui.report.figures.axes_and_panels import (
    MOST_PANELS,
    empty,
    finite,
    label,
    limits,
    log_axis,
    log_values,
    name_axes,
    panels_in_rows,
    places_by_rank,
)
from lrtui.report.figures.style import ACCENT, BAND, GROUND, INK, MUTED
from lrtui.report.model import Point, Report, Sensitivity, Verdict
from lrtui.report.palette import heat
from lrtui.text.format import decades, lr_text, number, tolerance

LEAST_FULL = 4
"""From this many LRs trained to the end on, only these set the axis of the sensitivity chart."""


def sensitivity_chart(made: Report) -> Figure:
    """Return the final metric against log10(lr), one panel for each group, the best groups first."""
    order = {each.group: n for n, each in enumerate(made.groups)}
    groups = [each for each in made.sensitivity if each.points]
    groups.sort(key=lambda each: order.get(each.group, len(order)))
    shown = groups[:MOST_PANELS]
    if all(p.mean is None for each in shown for p in each.points):
        return empty("no learning rate has a result yet")
    verdicts = {each.group: each for each in made.groups}
    figure, axes = panels_in_rows(len(shown), 3.5, bottom=1.15)
    low, high, log = limits(_worth_seeing(shown), made.goal)
    lrs = [p.lr for each in shown for p in each.points]
    places = places_by_rank(made)
    said: dict[str, Any] = {}
    for ax, each in zip(axes, shown, strict=True):
        found = verdicts[each.group]
        log_axis(ax, lrs, margin=0.3, narrow=len(shown) > 1)
        _leave_room(ax, low, high, log=log, below=0.3 if any(p.dead for p in each.points) else 0.14)
        said |= _verdict_marks(ax, found)
        said |= _points(ax, each.points, places, found.lr)
        if len(shown) > 1:
            ax.set_title(label(each.group or OWN, 44), loc="left", fontsize=8.5, pad=14)
        ax.tick_params(length=3)
    name_axes(axes, "learning rate", made.metric)
    if len(groups) > len(shown):
        figure.text(
            0.01, 0.99, f"the best {len(shown)} of {len(groups)} settings", va="top", fontsize=8
        )
    figure.legend(
        handles=list(said.values()),
        labels=list(said),
        loc="lower center",
        ncols=3,
        handlelength=1.8,
    )
    return figure


def _leave_room(ax: Axes, low: float, high: float, *, log: bool, below: float) -> None:
    """Set the limits of y, with room above for the pick's name, and below for the interval and the crosses."""
    if log:
        log_values(ax)
        ax.set_ylim(low / (high / low) ** below, high * (high / low) ** 0.1)
    else:
        ax.set_ylim(low - below * (high - low), high + 0.12 * (high - low))


def _worth_seeing(groups: Sequence[Sensitivity]) -> list[float]:
    """Return the values that the axis covers: those at the full length where a group has enough, for only these are compared."""
    alive = [[p for p in each.points if not p.dead] for each in groups]
    full = [[p for p in points if p.full] for points in alive]
    enough = max(map(len, full)) >= LEAST_FULL
    return finite(
        [v for points in (full if enough else alive) for p in points for v in (*p.values, p.mean)]
    )


def _verdict_marks(ax: Axes, found: Verdict) -> dict[str, Any]:
    """Shade the equal range with its width, and mark pick and interval; return what the legend says of it."""
    said: dict[str, Any] = {}
    top = ax.get_xaxis_transform()
    if found.equal and found.decades:
        left, right = (math.log10(end) for end in found.equal)
        ax.axvspan(left, right, color=BAND, alpha=0.16, lw=0)
        room = ax.get_xlim()[1] - right > 0.2 * (ax.get_xlim()[1] - ax.get_xlim()[0])
        ax.annotate(
            f"{decades(found.decades)} decades", (right if room else left, 0.98), xycoords=top, xytext=(3 if room else -3, 0),
            textcoords="offset points", ha="left" if room else "right", va="top", fontsize=8, color=MUTED,
        )  # fmt: skip
        within = f" within {tolerance(found.within)}" if found.within else ""
        said[f"equal{within}"] = Patch(facecolor=BAND, alpha=0.16)
    said |= interval(ax, found)
    if found.lr:
        x = math.log10(found.lr)
        ax.axvline(x, color=INK, lw=0.9, ls=(0, (3, 2)))
        so_far = "so far " if found.provisional else ""
        ax.annotate(
            f"{so_far}{lr_text(found.lr)}", (x, 1.0), xycoords=top, xytext=(0, 3), textcoords="offset points",
            ha="center", va="bottom", fontsize=8.5, fontweight="bold", color=INK,
        )  # fmt: skip
    return said


def interval(ax: Axes, found: Verdict) -> dict[str, Any]:
    """Draw the interval of a verdict, to the chart's edge where it is open; return what the legend says of it."""
    if not (found.low and found.high):
        return {}
    edges, top = ax.get_xlim(), ax.get_xaxis_transform()
    left = edges[0] if "below" in found.open else math.log10(found.low)
    right = edges[1] if "above" in found.open else math.log10(found.high)
    ax.plot([left, right], [0.035, 0.035], transform=top, color=ACCENT, lw=2)
    ends = [x for x in (left, right) if x not in edges]
    ax.plot(
        ends, [0.035] * len(ends), transform=top, color=ACCENT, ls="", marker="|", ms=7, mew=1.6
    )
    ax.set_xlim(edges)
    words = ", ".join(
        filter(None, ("best LR lies here", "90 %" * found.by_noise, found.noise.words))
    )
    return {words: Line2D([], [], color=ACCENT, lw=2, marker="|", ms=7, mew=1.6)}


def _points(
    ax: Axes, points: Sequence[Point], places: dict[float, float], pick: float | None
) -> dict[str, Any]:
    """Draw the result of each LR; return what the legend says of the marks that occur."""
    said: dict[str, Any] = {}
    alive = [(p, mean) for p in points if not p.dead for mean in finite([p.mean])]
    full = [(p.lr, mean) for p, mean in alive if p.full] or [(p.lr, mean) for p, mean in alive]
    xs, means = [math.log10(lr) for lr, _ in full], [mean for _, mean in full]
    ax.plot(xs, means, color=MUTED, lw=1.0, zorder=2)
    for point, mean in alive:
        said |= _result(ax, point, mean, heat(places[point.lr]), picked=point.lr == pick)
    for point in points:
        if point.dead:
            said |= _cross(ax, point)
    return said


def _result(ax: Axes, point: Point, y: float, colour: str, *, picked: bool) -> dict[str, Any]:
    """Draw the mean (y) of one LR with its seeds and its error; return what the legend says of the marks."""
    said: dict[str, Any] = {}
    x, solid = math.log10(point.lr), point.full
    low, high = ax.get_ylim()
    if y < low or y > high:
        _outside(ax, x, y, colour, above=y > high, solid=solid)
        return {"outside of the chart": Line2D([], [], ls="", marker="v", color=MUTED)}
    if point.se and finite([point.se]):
        ax.errorbar(x, y, yerr=point.se, color=colour, lw=1.4, capsize=3, zorder=3)
        said["± standard error over seeds"] = Line2D([], [], color=MUTED, lw=1.4, marker="|", ms=6)
    if len(point.values) > 1:
        seeds = finite(point.values)
        ax.plot(
            [x] * len(seeds), seeds, ls="", marker="_", ms=7, mew=1.0, color=colour, alpha=0.75, zorder=3
        )  # fmt: skip
        said["a seed"] = Line2D([], [], ls="", marker="_", ms=7, color=MUTED)
    size = 8.5 if picked else 6.5
    ax.plot(
        [x], [y], ls="", marker="o", ms=size, mew=1.6, mec=colour, mfc=colour if solid else GROUND, zorder=4
    )  # fmt: skip
    if picked:
        ax.plot([x], [y], ls="", marker="o", ms=13, mew=1.3, mec=INK, mfc="none", zorder=5)
        said["recommended"] = Line2D([], [], ls="", marker="o", ms=9, mec=INK, mfc="none")
    words = "trained to the end" if solid else "trained less: not comparable"
    said[words] = Line2D([], [], ls="", marker="o", mec=MUTED, mfc=MUTED if solid else "none")
    return said


def _outside(ax: Axes, x: float, y: float, colour: str, *, above: bool, solid: bool) -> None:
    """Mark a value beyond the axis at its edge, with the value."""
    place, marker = (0.97, "^") if above else (0.16, "v")
    ax.plot(
        [x],
        [place],
        ls="",
        marker=marker,
        mec=colour,
        mfc=colour if solid else GROUND,
        transform=ax.get_xaxis_transform(),
        zorder=4,
    )
    ax.annotate(number(y), (x, place), xycoords=ax.get_xaxis_transform(), xytext=(0, -11 if above else 6), textcoords="offset points", ha="center", fontsize=7)  # fmt: skip


def _cross(ax: Axes, point: Point) -> dict[str, Any]:
    """Put a cross with the reason at the bottom, for a learning rate that learned nothing."""
    x, top = math.log10(point.lr), ax.get_xaxis_transform()
    ax.plot([x], [0.1], ls="", marker="x", ms=7, mew=2, color=INK, transform=top, zorder=4)
    ax.annotate(
        label(point.dead, 14), (x, 0.1), xycoords=top, xytext=(0, 6), textcoords="offset points",
        ha="center", va="bottom", rotation=90, fontsize=7, color=MUTED,
    )  # fmt: skip
    return {
        "failed, diverged or learned nothing": Line2D(
            [], [], ls="", marker="x", ms=7, mew=2, color=INK
        )
    }
