"""The charts of the report: sensitivity, curves, range tests; the only module that imports matplotlib.

Figures are drawn straight onto the SVG and Agg canvases, never through pyplot, so no window system is asked for and nothing
global is changed. Same content, same bytes: settings are matplotlib's defaults and ours whatever the user's matplotlibrc says,
ids come from a fixed salt, and no date is written. Text is never read as mathematics ("$" in a name).
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree as ET

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, NullLocator

from lrtui.report.document import units
from lrtui.report.inks import INKS, heat, variables
from lrtui.strategies.range_test import smoothed
from lrtui.sweep import lr_text
from lrtui.text import clean
from lrtui.verdict import number

WIDTH = 7.4
"""Inches; at 9 points a line of text stands well beside the page's."""
MOST_PANELS = 12
MOST_LABELS = 16
MOST_TICKS = 24
LEAST_FULL = 4
"""From so many LRs trained to the end on, the axis of the sensitivity chart is theirs alone."""
PNG_DPI = 160
_INK, _MUTED, _GRID, _GROUND, _CARD, _ACCENT, _BAND = (pair[0] for pair in INKS.values())
_STYLES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.5, 1.2, 1.5)))
_RC: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "lrtui",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.unicode_minus": False,
    "axes.edgecolor": _MUTED,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _GRID,
    "grid.linewidth": 0.8,
    "text.color": _INK,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
    "figure.facecolor": _GROUND,
    "axes.facecolor": "none",
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "path.simplify": True,
}
_NO_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}


@contextmanager
def style() -> Iterator[None]:
    """Draw and save inside of this: the same settings on every machine, and no warning about a glyph that a font lacks."""
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)
        yield


def draw(made: dict[str, Any]) -> dict[str, Figure]:
    """Return the charts by name, from what `content` returned: sensitivity and curves always, ranges where there are any."""
    found = {"sensitivity": _sensitivity(made), "curves": _curves(made)}
    tests = [each for each in made["ranges"] if len(each["curve"]) > 1]
    return found | ({"ranges": _ranges(made, tests)} if tests else {})


def png(figure: Figure) -> bytes:
    """Return a chart as a PNG on a light ground."""
    figure.set_canvas(FigureCanvasAgg(figure))
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=PNG_DPI, metadata={"Software": None})
    return data.getvalue()


def svg(figure: Figure, name: str, title: str) -> str:
    """Return a chart as an SVG file on a light ground."""
    root = _tree(figure, name, title)
    root.set("xmlns", "http://www.w3.org/2000/svg")
    root.set("xmlns:xlink", "http://www.w3.org/1999/xlink")
    for element in root.iter():
        if (target := element.attrib.pop("href", None)) is not None:
            element.set("xlink:href", target)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, "unicode") + "\n"


def inline(figure: Figure, name: str, title: str) -> str:
    """Return a chart for inside a page: the page's colours by name, its font, no ground of its own, no name spaces."""
    root = _tree(figure, name, title)
    names = {colour: f"var({css})" for css, colour in variables(dark=False).items()}
    known = re.compile("|".join(names))
    for element in root.iter():
        if "style" in element.attrib:
            text = known.sub(lambda found: names[found[0]], element.attrib["style"])
            element.set("style", re.sub(r"font: ([\d.]+px) [^;]*", r"font-size: \1", text))
    del root.attrib["width"], root.attrib["height"]
    return ET.tostring(root, "unicode", short_empty_elements=True)


# ---------------------------------------------------------------- SVG


def _tree(figure: Figure, name: str, title: str) -> ET.Element:
    """Return a chart's SVG without name spaces, metadata and ids that nobody asks for; the others begin with its name."""
    figure.set_canvas(FigureCanvasSVG(figure))
    data = io.StringIO()
    figure.savefig(data, format="svg", metadata=_NO_METADATA)
    root = ET.fromstring(data.getvalue())  # noqa: S314  # it was written by the line above
    _prune(root)
    text = ET.tostring(root, "unicode")
    wanted = set(re.findall(r'(?:url\(#|href="#)([^")]+)', text))
    for element in root.iter():
        own = element.attrib.pop("id", None)
        if own in wanted:
            element.set("id", f"{name}-{own}")
        for key, value in element.attrib.items():
            if "#" in value and key != "style":
                element.set(
                    key,
                    value.replace("url(#", f"url(#{name}-").replace(
                        "#", f"#{name}-", value.startswith("#")
                    ),
                )
    root.attrib.pop("version", None)
    root.set("role", "img")
    root.set("aria-label", _label(title, 200))
    return root


def _prune(element: ET.Element) -> None:
    element.tag = element.tag.rpartition("}")[2]
    for key in [key for key in element.attrib if key.startswith("{")]:
        element.set(key.rpartition("}")[2], element.attrib.pop(key))
    for child in list(element):
        _prune(child)
        if child.tag in {"metadata", "style"}:
            element.remove(child)
    element.tail = None
    if element.text is not None and not element.text.strip():
        element.text = None


# ---------------------------------------------------------------- panels


def _panels(
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


def _empty(text: str) -> Figure:
    figure, (ax,) = _panels(1, 1.6, bottom=0.2)
    ax.set_axis_off()
    ax.text(0.5, 0.5, text, ha="center", va="center", color=_MUTED, transform=ax.transAxes)
    return figure


def _label(text: str, limit: int = 60) -> str:
    """Return text for a chart: short, and without what XML cannot hold."""
    text = re.sub("[\ufffe\uffff]", "\ufffd", clean(text))
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _finite(values: Sequence[Any]) -> list[float]:
    return [float(v) for v in values if isinstance(v, (int, float)) and abs(v) < 1e300]


def _places(made: dict[str, Any]) -> dict[float, float]:
    """Return each LR's place on the scale from cold to hot, by its rank."""
    lrs = sorted({point["lr"] for each in made["sensitivity"] for point in each["points"]})
    return {lr: i / max(1, len(lrs) - 1) for i, lr in enumerate(lrs)}


def _log_axis(ax: Axes, lrs: Sequence[float], *, margin: float = 0.0, narrow: bool = False) -> None:
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
        words = [f"{10**t:.1e}" for t in ticks]
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_major_formatter(FixedFormatter(words))
    ax.set_xlim(low, high)


def _log_values(ax: Axes) -> None:
    """Let y be logarithmic, with plain numbers at its ticks."""
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _tick(value)))
    ax.yaxis.set_minor_locator(NullLocator())


def _tick(value: float) -> str:
    return f"{value:g}" if 1e-3 <= value < 1e4 else f"{value:.0e}"


def _name_y(ax: Axes, text: str) -> None:
    """Name the y axis at a fixed place: inside of the figure whatever the numbers beside it are."""
    inches = ax.get_position().width * WIDTH
    ax.set_ylabel(_label(text, 40))
    ax.yaxis.set_label_coords(-0.56 / inches, 0.5)


def _limits(
    values: Sequence[float], goal: str, important: Sequence[float] = ()
) -> tuple[float, float, bool]:
    """Return limits of y, and whether it should be a log axis; outliers on the bad side stay outside.

    On the bad side the axis ends at four times the distance between the best and the median, where values go far beyond.
    """
    ordered = sorted(_finite([*values, *important]), reverse=goal == "max")
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


# ---------------------------------------------------------------- sensitivity


def _sensitivity(made: dict[str, Any]) -> Figure:
    """Return the final metric against log10(lr), one panel for each group, the best groups first."""
    order = {each["group"]: n for n, each in enumerate(made["groups"])}
    groups = [each for each in made["sensitivity"] if each["points"]]
    groups.sort(key=lambda each: order.get(each["group"], len(order)))
    shown = groups[:MOST_PANELS]
    if not any(p["mean"] is not None or p["dead"] for each in shown for p in each["points"]):
        return _empty("no learning rate has a result yet")
    verdicts = {each["group"]: each for each in made["groups"]}
    figure, axes = _panels(len(shown), 3.5, bottom=1.15)
    low, high, log = _limits(_worth_seeing(shown), made["goal"])
    lrs = [p["lr"] for each in shown for p in each["points"]]
    places = _places(made)
    said: dict[str, Any] = {}
    for ax, each in zip(axes, shown, strict=True):
        found = verdicts.get(each["group"], {})
        _log_axis(ax, lrs, margin=0.3, narrow=len(shown) > 1)
        room = 0.3 if any(p["dead"] for p in each["points"]) else 0.14
        if log:
            _log_values(ax)
            ax.set_ylim(low / (high / low) ** room, high * (high / low) ** 0.1)
        else:
            ax.set_ylim(low - room * (high - low), high + 0.12 * (high - low))
        said |= _verdict_marks(ax, found)
        said |= _points(ax, each["points"], places, found.get("lr"))
        if len(shown) > 1:
            ax.set_title(_label(each["group"] or "-", 44), loc="left", fontsize=8.5, pad=14)
        ax.tick_params(length=3)
    for n, ax in enumerate(axes):
        if n >= len(axes) - (2 if len(axes) > 1 else 1):
            ax.set_xlabel("learning rate")
        if len(axes) == 1 or n % 2 == 0:
            _name_y(ax, made["metric"])
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


def _worth_seeing(groups: list[dict[str, Any]]) -> list[float]:
    """Return the values that the axis covers: those at the full length where a group has enough, for only these are compared."""
    alive = [[p for p in each["points"] if not p["dead"]] for each in groups]
    full = [[p for p in points if p["full"]] for points in alive]
    enough = max(map(len, full)) >= LEAST_FULL
    return _finite(
        [
            v
            for points in (full if enough else alive)
            for p in points
            for v in (*p["values"], p["mean"])
        ]
    )


def _verdict_marks(ax: Axes, found: dict[str, Any]) -> dict[str, Any]:
    """Shade the equal range with its width, and mark pick and interval; return what the legend says of it."""
    said: dict[str, Any] = {}
    top = ax.get_xaxis_transform()
    if found.get("equal") and found.get("decades"):
        left, right = (math.log10(end) for end in found["equal"])
        ax.axvspan(left, right, color=_BAND, alpha=0.16, lw=0)
        room = ax.get_xlim()[1] - right > 0.2 * (ax.get_xlim()[1] - ax.get_xlim()[0])
        ax.annotate(
            f"{found['decades']:.1f} decades", (right if room else left, 0.98), xycoords=top, xytext=(3 if room else -3, 0),
            textcoords="offset points", ha="left" if room else "right", va="top", fontsize=8, color=_MUTED,
        )  # fmt: skip
        within = f" within {found['within']:.3g}" if found.get("within") else ""
        said[f"equal{within}"] = Patch(facecolor=_BAND, alpha=0.16)
    if found.get("low") and found.get("high"):
        left, right = math.log10(found["low"]), math.log10(found["high"])
        ax.plot(
            [left, right],
            [0.035, 0.035],
            transform=top,
            color=_ACCENT,
            lw=2,
            marker="|",
            ms=7,
            mew=1.6,
        )
        words = (
            "best LR lies here, 90 %" if found.get("by_noise") else "between the pick's neighbours"
        )
        said[words] = Line2D([], [], color=_ACCENT, lw=2, marker="|", ms=7, mew=1.6)
    if found.get("lr"):
        x = math.log10(found["lr"])
        ax.axvline(x, color=_INK, lw=0.9, ls=(0, (3, 2)))
        so_far = "so far " if found.get("provisional") else ""
        ax.annotate(
            f"{so_far}{lr_text(found['lr'])}", (x, 1.0), xycoords=top, xytext=(0, 3), textcoords="offset points",
            ha="center", va="bottom", fontsize=8.5, fontweight="bold", color=_INK,
        )  # fmt: skip
    return said


def _points(
    ax: Axes, points: list[dict[str, Any]], places: dict[float, float], pick: float | None
) -> dict[str, Any]:
    """Draw the result of each LR; return what the legend says of the marks that occur."""
    said: dict[str, Any] = {}
    alive = [p for p in points if not p["dead"] and _finite([p["mean"]])]
    full = [p for p in alive if p["full"]] or alive
    ax.plot(
        [math.log10(p["lr"]) for p in full],
        [p["mean"] for p in full],
        color=_MUTED,
        lw=1.0,
        zorder=2,
    )
    low, high = ax.get_ylim()
    for point in alive:
        x, y, colour = math.log10(point["lr"]), point["mean"], heat(places[point["lr"]])
        solid = point["full"]
        if y < low or y > high:
            _outside(ax, x, y, colour, above=y > high, solid=solid)
            said["outside of the chart"] = Line2D([], [], ls="", marker="v", color=_MUTED)
            continue
        if point["se"] and _finite([point["se"]]):
            ax.errorbar(x, y, yerr=point["se"], color=colour, lw=1.4, capsize=3, zorder=3)
            said["± standard error over seeds"] = Line2D(
                [], [], color=_MUTED, lw=1.4, marker="|", ms=6
            )
        if len(point["values"]) > 1:
            seeds = _finite(point["values"])
            ax.plot(
                [x] * len(seeds),
                seeds,
                ls="",
                marker="_",
                ms=7,
                mew=1.0,
                color=colour,
                alpha=0.75,
                zorder=3,
            )
            said["a seed"] = Line2D([], [], ls="", marker="_", ms=7, color=_MUTED)
        size = 8.5 if point["lr"] == pick else 6.5
        ax.plot(
            [x], [y], ls="", marker="o", ms=size, mew=1.6, mec=colour, mfc=colour if solid else _GROUND, zorder=4
        )  # fmt: skip
        if point["lr"] == pick:
            ax.plot([x], [y], ls="", marker="o", ms=13, mew=1.3, mec=_INK, mfc="none", zorder=5)
            said["the pick"] = Line2D([], [], ls="", marker="o", ms=9, mec=_INK, mfc="none")
        words = "trained to the end" if solid else "trained less: not comparable"
        said[words] = Line2D([], [], ls="", marker="o", mec=_MUTED, mfc=_MUTED if solid else "none")
    for point in points:
        if point["dead"]:
            said |= _dead(ax, point)
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
        mfc=colour if solid else _GROUND,
        transform=ax.get_xaxis_transform(),
        zorder=4,
    )
    ax.annotate(number(y), (x, place), xycoords=ax.get_xaxis_transform(), xytext=(0, -11 if above else 6), textcoords="offset points", ha="center", fontsize=7)  # fmt: skip


def _dead(ax: Axes, point: dict[str, Any]) -> dict[str, Any]:
    """Put a cross with the cause of death at the bottom."""
    x, top = math.log10(point["lr"]), ax.get_xaxis_transform()
    ax.plot([x], [0.1], ls="", marker="x", ms=7, mew=2, color=_INK, transform=top, zorder=4)
    ax.annotate(
        _label(point["dead"], 14), (x, 0.1), xycoords=top, xytext=(0, 6), textcoords="offset points",
        ha="center", va="bottom", rotation=90, fontsize=7, color=_MUTED,
    )  # fmt: skip
    return {"dead": Line2D([], [], ls="", marker="x", ms=7, mew=2, color=_INK)}


# ---------------------------------------------------------------- curves


def _curves(made: dict[str, Any]) -> Figure:
    """Return the objective over training, one panel for each group, lines from cold to hot by LR."""
    order = {each["group"]: n for n, each in enumerate(made["groups"])}
    found: dict[str, list[dict[str, Any]]] = {}
    for each in made["curves"]:
        if each["metric"] == made["metric"] and _finite(each["y"]):
            found.setdefault(each["group"], []).append(each)
    groups = sorted(found, key=lambda group: order.get(group, len(order)))
    shown = groups[:MOST_PANELS]
    if not shown:
        return _empty(f"no run has printed {_label(made['metric'] or 'a metric', 40)} yet")
    figure, axes = _panels(len(shown), 3.6, right=0.75, bottom=0.6)
    places = _places(made)
    ends = [_finite(each["y"])[-1] for group in shown for each in found[group]]
    values = [y for group in shown for each in found[group] for y in _finite(each["y"])]
    low, high, log = _limits(values, made["goal"], ends)
    end = made["horizon"] or max(x for group in shown for each in found[group] for x in each["x"])
    for ax, group in zip(axes, shown, strict=True):
        if log:
            _log_values(ax)
        ax.set_ylim(low, high)
        ax.set_xlim(0, end)
        for level in {rung["level"] for rung in made["rungs"] if rung["group"] == group}:
            ax.axvline(level, color=_MUTED, lw=0.8, ls=(0, (1, 2)))
        _lines(ax, made, found[group], places)
        if len(shown) > 1:
            ax.set_title(_label(group or "-", 44), loc="left", fontsize=8.5)
        ax.tick_params(length=3)
    for n, ax in enumerate(axes):
        if n >= len(axes) - (2 if len(axes) > 1 else 1):
            ax.set_xlabel(units(made))
        if len(axes) == 1 or n % 2 == 0:
            _name_y(ax, made["metric"])
    if any(rung["group"] in shown for rung in made["rungs"]):
        figure.text(0.99, 0.01, "dotted: rungs", ha="right", va="bottom", fontsize=8, color=_MUTED)
    return figure


def _lines(
    ax: Axes, made: dict[str, Any], runs: list[dict[str, Any]], places: dict[float, float]
) -> None:
    lrs = sorted({each["lr"] for each in runs})
    first: dict[float, tuple[float, float]] = {}
    for each in sorted(runs, key=lambda run: (run["lr"], run["seed"], run["run"])):
        y = [math.nan if v is None or not _finite([v]) else v for v in each["y"]]
        line = _STYLES[lrs.index(each["lr"]) % len(_STYLES)]
        again = each["lr"] in first
        few = len(y) < 3
        ax.plot(
            each["x"], y, color=heat(places.get(each["lr"], 0.5)), ls=line, lw=0.9 if again else 1.5,
            alpha=0.6 if again else 1.0, marker="." if few else "", solid_capstyle="round",
        )  # fmt: skip
        known = [(x, v) for x, v in zip(each["x"], y, strict=True) if math.isfinite(v)]
        first.setdefault(each["lr"], known[-1])
    sign = -1 if made["goal"] == "max" else 1
    best = sorted(first, key=lambda lr: (sign * first[lr][1], lr))[:MOST_LABELS]
    _end_labels(ax, {lr: first[lr] for lr in best}, places)
    if len(first) > len(best):
        ax.text(1.0, 1.0, f"labels: the best {len(best)} of {len(first)}", transform=ax.transAxes, ha="right", va="bottom", fontsize=7, color=_MUTED)  # fmt: skip


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
    at = _apart([height(ends[lr][1]) for lr in order], gap)
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
        if x < right and low <= value <= high:
            ax.plot([x], [value], ls="", marker="o", ms=3.5, color=colour)


def _apart(wanted: list[float], gap: float) -> list[float]:
    """Return ascending places at least `gap` apart, as near to those wanted as one pass up and one down bring them."""
    at = list(wanted)
    for i in range(1, len(at)):
        at[i] = max(at[i], at[i - 1] + gap)
    top = 1.0
    for i in reversed(range(len(at))):
        at[i] = min(at[i], top)
        top = at[i] - gap
    return at


# ---------------------------------------------------------------- range tests

_RULES = (("valley", "valley", "-"), ("steep", "steep", (0, (5, 2))), ("minimum", "min / 10", (0, (1, 1.5))), ("slide", "slide", (0, (5, 2, 1, 2))))  # fmt: skip


def _ranges(made: dict[str, Any], tests: list[dict[str, Any]]) -> Figure:
    """Return the loss against the rising LR, raw and smoothed, with what each rule suggests and the bracket."""
    figure, axes = _panels(min(len(tests), MOST_PANELS), 3.0, bottom=0.95)
    loss = str(made["settings"].get("loss", "loss"))
    said: dict[str, Any] = {}
    for ax, test in zip(axes, tests, strict=False):
        lrs, losses = [p[0] for p in test["curve"]], [p[1] for p in test["curve"]]
        smooth = smoothed(losses)
        _log_axis(ax, lrs, narrow=len(axes) > 1)
        start, lowest = smooth[0] if smooth else losses[0], min(smooth or losses)
        rise = max(start - lowest, 0.1 * abs(start), 1e-12)
        ax.set_ylim(
            min(lowest, *losses, lowest - 0.05 * rise)
            if min(losses) > lowest - rise
            else lowest - rise,
            start + 0.8 * rise,
        )
        if test["valley"]:
            x = math.log10(test["valley"])
            ax.axvspan(x - 1.5, x + 1.5, color=_BAND, alpha=0.14, lw=0)
            said["bracket: valley ± 1.5 decades"] = Patch(facecolor=_BAND, alpha=0.14)
        ax.plot([math.log10(lr) for lr in lrs], losses, color=_MUTED, lw=0.7, alpha=0.55)
        ax.plot([math.log10(lr) for lr in lrs[: len(smooth)]], smooth, color=_INK, lw=1.6)
        for rule, word, line in _RULES:
            if test[rule]:
                strong = rule == "valley"
                ax.axvline(
                    math.log10(test[rule]),
                    color=_ACCENT if strong else _MUTED,
                    lw=1.8 if strong else 1.1,
                    ls=line,
                )
                said[word] = Line2D(
                    [], [], color=_ACCENT if strong else _MUTED, lw=1.8 if strong else 1.1, ls=line
                )
        if test["diverged"]:
            ax.plot(
                [math.log10(test["diverged"])],
                [0.05],
                ls="",
                marker="x",
                ms=7,
                mew=2,
                color=_INK,
                transform=ax.get_xaxis_transform(),
            )
            said["the loss has turned"] = Line2D([], [], ls="", marker="x", ms=7, mew=2, color=_INK)
        ax.set_xlabel("learning rate, raised step by step")
        if axes.index(ax) % 2 == 0:
            _name_y(ax, loss)
        if len(axes) > 1:
            ax.set_title(_label(test["group"] or test["run"], 44), loc="left", fontsize=8.5)
        ax.tick_params(length=3)
    said = {"smoothed loss": Line2D([], [], color=_INK, lw=1.6)} | said
    figure.legend(handles=list(said.values()), labels=list(said), loc="lower center", ncols=4)
    return figure
