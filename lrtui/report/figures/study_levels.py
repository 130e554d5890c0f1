"""How the best learning rate moves with a factor of a study: LR* and its interval at each level, and both rules for batch sizes.

Drawn by `draw` if a level has an answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, NullLocator

from lrtui.analysis.prediction import Prediction
from lrtui.report.figures.axes_and_panels import MOST_PANELS, label, name_y, panels_in_rows
from lrtui.report.figures.style import ACCENT, GROUND, INK, MUTED
from lrtui.report.model import Factor, FactorLevel
from lrtui.search.rounding import rounded
from lrtui.text.format import amount_short, lr_text

_RULES = (("fitted", "fitted exponent", "-"), ("linear", "linear rule", (0, (5, 2))), ("root", "square-root rule", (0, (1, 1.5))))  # fmt: skip


def study_chart(factors: Sequence[Factor]) -> Figure:
    """Return LR* against each factor, one panel for each; an interval that is open on a side ends in an arrow at the edge."""
    shown = factors[:MOST_PANELS]
    figure, axes = panels_in_rows(len(shown), 3.2, bottom=1.15)
    said: dict[str, Any] = {}
    for n, (ax, factor) in enumerate(zip(axes, shown, strict=True)):
        _axes(ax, factor)
        said |= _rules(ax, factor)
        said |= _levels(ax, factor)
        said |= _predicted(ax, factor)
        ax.set_xlabel(label(factor.name, 40))
        if n % 2 == 0:
            name_y(ax, "LR*")
    figure.legend(handles=list(said.values()), labels=list(said), loc="lower center", ncols=2)
    return figure


def _place(factor: Factor, number: int) -> float:
    """Return where a level is: numbers on a log axis, names side by side."""
    level = factor.levels[number].level
    if factor.numeric and not isinstance(level, str) and level > 0:
        return math.log10(level)
    return float(number)


def _axes(ax: Axes, factor: Factor) -> None:
    levels = factor.levels
    places = [_place(factor, n) for n in range(len(levels))]
    texts = [label(each.text, 14) for each in levels]
    foreseen = _foreseen(factor)
    if foreseen is not None:
        places.append(math.log10(foreseen.target))
        texts.append(amount_short(foreseen.target))
    ax.xaxis.set_major_locator(FixedLocator(places))
    ax.xaxis.set_major_formatter(FixedFormatter(texts))
    margin = 0.12 * (max(places) - min(places)) or 0.5
    ax.set_xlim(min(places) - margin, max(places) + margin)
    shown: list[FactorLevel | Prediction] = [*levels, *([foreseen] if foreseen else [])]
    ends = [end for each in shown for end in (each.lr, each.low, each.high) if end]
    low, high = math.log10(min(ends)) - 0.3, math.log10(max(ends)) + 0.3
    ax.set_yscale("log")
    ax.set_ylim(10**low, 10**high)
    steps = (1,) if high - low > 2.5 else (1, 2, 5)
    decades = range(math.floor(low), math.ceil(high) + 1)
    ax.yaxis.set_major_locator(FixedLocator([step * 10.0**d for d in decades for step in steps]))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: lr_text(rounded(value))))
    ax.yaxis.set_minor_locator(NullLocator())


def _rules(ax: Axes, factor: Factor) -> dict[str, Any]:
    """Draw the fitted exponent, and what the rules for batch sizes predict from the experiment's own level."""
    said: dict[str, Any] = {}
    for key, words, line in _RULES[1 if _foreseen(factor) else 0 :]:
        lrs = [getattr(each, key) for each in factor.levels]
        known = [(_place(factor, n), lr) for n, lr in enumerate(lrs) if lr]
        if known:
            look: dict[str, Any] = {"color": MUTED, "lw": 1.2, "ls": line}
            ax.plot(*zip(*known, strict=True), **look)
            said[words] = Line2D([], [], **look)
    return said


def _foreseen(factor: Factor) -> Prediction | None:
    """Return what is predicted for a level that is not among them; None if nothing is."""
    found = factor.prediction
    return found if found is not None and found.lr else None


def _predicted(ax: Axes, factor: Factor) -> dict[str, Any]:
    """Draw the law up to the predicted level, LR* and its interval there, and what was measured if the level was trained."""
    found = _foreseen(factor)
    if found is None:
        return {}
    x = math.log10(found.target)
    lr, *ends = (end or math.nan for end in (found.lr, found.low, found.high))
    ax.plot([math.log10(level) for level, _ in found.law], [lr for _, lr in found.law], color=MUTED, lw=1.2, ls=(0, (3, 1)))  # fmt: skip
    ax.plot([x, x], ends, color=ACCENT, lw=2, ls=(0, (1, 1)), marker="_", ms=7, mew=1.6)  # fmt: skip
    ax.plot([x], [lr], ls="", marker="D", ms=6, color=ACCENT, mfc=GROUND, zorder=4)
    said: dict[str, Any] = {
        "the law that the prediction follows": Line2D([], [], color=MUTED, lw=1.2, ls=(0, (3, 1))),
        "LR* as predicted, with its interval": Line2D(
            [], [], color=ACCENT, lw=2, ls=(0, (1, 1)), marker="D", ms=6, mfc="none"
        ),
    }
    if factor.check is not None and factor.check.level.lr:
        ax.plot([x], [factor.check.level.lr], ls="", marker="x", ms=7, mew=1.8, color=INK, zorder=5)  # fmt: skip
        said["LR* as measured there"] = Line2D([], [], ls="", marker="x", ms=7, color=INK)
    return said


def _levels(ax: Axes, factor: Factor) -> dict[str, Any]:
    """Draw LR* of each level with its interval; return what the legend says of the marks."""
    said: dict[str, Any] = {}
    bottom, top = ax.get_ylim()
    for n, each in enumerate(factor.levels):
        x = _place(factor, n)
        if not each.lr:
            ax.annotate("no answer", (x, 0.03), xycoords=ax.get_xaxis_transform(), ha="center", fontsize=7, color=MUTED)  # fmt: skip
            continue
        if each.low and each.high:
            ends = []
            for end, side, beyond, arrow in ((each.low, "lower", bottom, "v"), (each.high, "upper", top, "^")):  # fmt: skip
                opened = side in each.edges
                ends.append(beyond if opened else end)
                ax.plot([x], [ends[-1]], ls="", marker=arrow if opened else "_", ms=7, mew=1.6, color=ACCENT, clip_on=False)  # fmt: skip
                if opened:
                    said["open: best at the edge of its search"] = Line2D([], [], color=ACCENT, lw=2, marker="^", ms=7)  # fmt: skip
            ax.plot([x, x], ends, color=ACCENT, lw=2, alpha=1.0 if each.by_noise else 0.5)
            words = "LR* lies here, 90 %" if each.by_noise else "LR* lies here, noise unknown"
            said[words] = Line2D([], [], color=ACCENT, lw=2, marker="|", ms=7, alpha=1.0 if each.by_noise else 0.5)  # fmt: skip
        ax.plot([x], [each.lr], ls="", marker="o", ms=6.5, color=INK, mfc=INK if each.base else GROUND, zorder=4)  # fmt: skip
        own = "LR*, the experiment's own level" if each.base else "LR*"
        said[own] = Line2D([], [], ls="", marker="o", ms=6.5, color=INK, mfc=INK if each.base else "none")  # fmt: skip
    return said
