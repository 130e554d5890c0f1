"""The charts that the monitor shows, as one PNG of 1600 x 900: what its key `w` writes beside the screen.

The monitor may not import matplotlib (half a second and 60 MB for its user, who looks at other things meanwhile), so this is a
process of its own: `python -m lrtui.report.figures.screen_charts` takes the pictures as JSON on stdin and gives the PNG on stdout. What is
drawn was decided there: curves thinned and smoothed, limits, ticks, colours of the theme. `lrtui/tui/screen_export.py` is the only caller.
"""

from __future__ import annotations

import io
import json
import math
import sys
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from lrtui.report.figures.axes_and_panels import label
from lrtui.report.figures.style import style
from lrtui.report.figures.training_curves import apart

WIDTH, HEIGHT, DPI = 1600, 900, 100
MOST_ENTRIES = 40
"""Of a legend; with more runs the letters at the lines' ends are too many to find as well."""
_LETTER = 0.026
"""Height of a letter as a share of the figure's."""


def draw(seen: dict[str, Any]) -> bytes:
    """Return the PNG of {"title", "ink", "faint", "rule", "ground", "pictures": [..]}, pictures as the monitor's `charts.Picture`."""
    pictures = seen["pictures"]
    with style():
        mpl.rcParams.update(_colours(seen))
        layout = ConstrainedLayoutEngine(w_pad=0.14, h_pad=0.12)
        figure = Figure(figsize=(WIDTH / DPI, HEIGHT / DPI), dpi=DPI, layout=layout)
        FigureCanvasAgg(figure)
        figure.suptitle(label(seen["title"], 120), x=0.012, ha="left", fontsize=15)
        columns = 1 if len(pictures) == 1 else 2
        rows = -(-len(pictures) // columns)
        grid = figure.subplots(rows, columns, squeeze=False)
        places = [ax for row in grid for ax in row]
        legends = [picture["legend"] for picture in pictures]
        shared = len(pictures) > 1 and all(legend == legends[0] for legend in legends)
        for ax, picture in zip(places, pictures, strict=False):
            _chart(ax, picture, seen, _LETTER * rows)
            if picture["legend"] and not shared:
                words = _legend(picture["legend"], WIDTH // columns)
                ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.07 * rows), **words)
        for ax in places[len(pictures) :]:
            ax.set_visible(False)
        if shared and legends[0]:
            figure.legend(loc="outside lower center", **_legend(legends[0], WIDTH))
        data = io.BytesIO()
        figure.savefig(data, format="png", metadata={"Software": None})
    return data.getvalue()


def _colours(seen: dict[str, Any]) -> dict[Any, Any]:
    ink, faint, rule, ground = (seen[name] for name in ("ink", "faint", "rule", "ground"))
    return {
        "font.size": 13.0,
        "axes.titlesize": 14.0,
        "legend.fontsize": 13.0,
        "figure.facecolor": ground,
        "savefig.facecolor": ground,
        "text.color": ink,
        "axes.labelcolor": ink,
        "axes.edgecolor": faint,
        "xtick.color": faint,
        "ytick.color": faint,
        "xtick.labelcolor": ink,
        "ytick.labelcolor": ink,
        "grid.color": rule,
        "grid.alpha": 0.45,
    }


def _chart(ax: Axes, picture: dict[str, Any], seen: dict[str, Any], letter: float) -> None:
    """Draw one chart."""
    ax.set_title(label(picture["title"], 150), loc="left", color=seen["ink"])
    ax.set_xlim(*picture["x_limits"])
    ax.set_ylim(*picture["y_limits"])
    for axis, ticks in ((ax.xaxis, picture["x_ticks"]), (ax.yaxis, picture["y_ticks"])):
        axis.set_major_locator(FixedLocator([at for at, _ in ticks]))
        axis.set_major_formatter(FixedFormatter([label(text, 20) for _, text in ticks]))
        axis.set_minor_locator(NullLocator())
    if picture["field"]:
        _field(ax, picture)
    ends = []
    for curve in picture["curves"]:
        x, y = _numbers(curve["x"]), _numbers(curve["y"])
        width, marker = (2.8 if curve["bold"] else 1.7), ("o" if len(x) == 1 else "")
        ax.plot(x, y, color=curve["colour"], lw=width, marker=marker, solid_capstyle="round")
        known = [(a, b) for a, b in zip(x, y, strict=True) if math.isfinite(a + b)]
        if known and curve["letter"]:
            ends.append((curve, *known[-1]))
    _letters(ax, ends, letter)
    if picture["cursor"] is not None:
        ax.axvline(picture["cursor"], color=seen["faint"], lw=1.2, ls=(0, (2, 2)))
    for span in picture["spans"]:
        ax.plot(
            [span["low"], span["high"]], [0, 0], color=span["colour"], lw=7, alpha=0.8,
            transform=ax.get_xaxis_transform(), clip_on=False, solid_capstyle="butt",
        )  # fmt: skip
    for glyph in picture["glyphs"]:
        weight = "bold" if glyph["bold"] else "normal"
        ax.annotate(
            label(glyph["text"], 30), (glyph["x"], glyph["y"]), xytext=(-5, 0), textcoords="offset points", va="center",
            color=glyph["colour"], weight=weight, annotation_clip=False,
        )  # fmt: skip
    if picture["note"]:
        ax.text(0.5, 0.5, label(picture["note"], 80), ha="center", color=seen["faint"], transform=ax.transAxes)  # fmt: skip


def _field(ax: Axes, picture: dict[str, Any]) -> None:
    """Fill the bands of a surface, the better the denser."""
    field = picture["field"]
    rows, columns = len(field["values"]), len(field["values"][0])
    (left, right), (low, high) = picture["x_limits"], picture["y_limits"]
    x = [left + (right - left) * i / (columns - 1) for i in range(columns)]
    y = [low + (high - low) * i / (rows - 1) for i in range(rows)]
    for number, limit in enumerate(field["limits"], 1):
        top = [*field["limits"], math.inf][number]
        colour = field["shades"][number]["colour"]
        ax.contourf(x, y, field["values"], levels=[limit, top], colors=[colour], alpha=0.75)


def _numbers(values: list[float | None]) -> list[float]:
    """Return what JSON carried: null is a gap."""
    return [math.nan if value is None else value for value in values]


def _letters(ax: Axes, ends: list[tuple[dict[str, Any], float, float]], height: float) -> None:
    """Write each run's letter right of its last point, pushed apart where several end together."""
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    together: dict[int, list[tuple[float, float, dict[str, Any]]]] = {}
    for curve, x, y in ends:
        across = (x - left) / (right - left)
        up = min(max((y - low) / (high - low), 0.0), 1.0)
        if 0 <= across <= 1:
            together.setdefault(round(across * 20), []).append((up, across, curve))
    for group in together.values():
        group = sorted(group[-int(1 / height) :], key=lambda end: end[:2])  # noqa: PLW2901  # the last lie on top
        for up, (_, across, curve) in zip(apart([end[0] for end in group], height), group, strict=True):  # fmt: skip
            ax.annotate(
                label(curve["letter"], 6), (across, up), xycoords="axes fraction", xytext=(6, 0), textcoords="offset points",
                va="center", color=curve["colour"], weight="bold", annotation_clip=False,
            )  # fmt: skip


def _legend(entries: list[list[str]], width: int) -> dict[str, Any]:
    """Return how a legend below the charts says what the colours mean."""
    shown = [(label(text, 40), colour) for text, colour in entries[:MOST_ENTRIES]]
    handles = [Line2D([], [], color=colour, lw=3, label=text) for text, colour in shown]
    if len(entries) > len(shown):
        handles.append(Line2D([], [], ls="", label=f"and {len(entries) - len(shown)} more"))
    widest = max(len(text) for text, _ in shown)
    columns = max(1, min(len(handles), width // (10 * widest + 80)))
    return {"handles": handles, "ncols": columns, "handlelength": 1.2, "columnspacing": 1.6}


if __name__ == "__main__":
    sys.stdout.buffer.write(draw(json.load(sys.stdin)))
