"""Range tests: the loss against the rising learning rate, with what each rule reads from it.

Drawn by `draw`, where there are any.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from lrtui.report.figures.axes_and_panels import (
    MOST_PANELS,
    label,
    log_axis,
    name_y,
    panels_in_rows,
)
from lrtui.report.figures.style import ACCENT, BAND, INK, MUTED
from lrtui.report.model import RangeTest, Report
from lrtui.search.range_test import smoothed

_RULES = (("valley", "valley", "-"), ("steep", "steep", (0, (5, 2))), ("minimum", "min / 10", (0, (1, 1.5))), ("slide", "slide", (0, (5, 2, 1, 2))))  # fmt: skip


def ranges_chart(made: Report, tests: Sequence[RangeTest]) -> Figure:
    """Return the loss against the rising LR, raw and smoothed, with what each rule suggests and the bracket."""
    figure, axes = panels_in_rows(min(len(tests), MOST_PANELS), 3.0, bottom=0.95)
    loss = str(made.settings.get("loss", "loss"))
    said: dict[str, Any] = {"smoothed loss": Line2D([], [], color=INK, lw=1.6)}
    for n, (ax, test) in enumerate(zip(axes, tests, strict=False)):
        log_axis(ax, [lr for lr, _ in test.curve], narrow=len(axes) > 1)
        _losses(ax, test.curve)
        said |= _rule_marks(ax, test)
        ax.set_xlabel("learning rate, raised step by step")
        if n % 2 == 0:
            name_y(ax, loss)
        if len(axes) > 1:
            ax.set_title(label(test.group or test.run, 44), loc="left", fontsize=8.5)
        ax.tick_params(length=3)
    figure.legend(handles=list(said.values()), labels=list(said), loc="lower center", ncols=4)
    return figure


def _losses(ax: Axes, curve: Sequence[tuple[float, float]]) -> None:
    """Draw the loss, raw and smoothed; where it leaves upwards it is cut off."""
    xs, losses = [math.log10(lr) for lr, _ in curve], [loss for _, loss in curve]
    smooth = smoothed(losses)
    start, lowest = smooth[0] if smooth else losses[0], min(smooth or losses)
    rise = max(start - lowest, 0.1 * abs(start), 1e-12)
    bottom = lowest - rise
    if min(losses) > bottom:
        bottom = min(*losses, lowest - 0.05 * rise)
    ax.set_ylim(bottom, start + 0.8 * rise)
    ax.plot(xs, losses, color=MUTED, lw=0.7, alpha=0.55)
    ax.plot(xs[: len(smooth)], smooth, color=INK, lw=1.6)


def _rule_marks(ax: Axes, test: RangeTest) -> dict[str, Any]:
    """Mark what each rule suggests, the bracket and where the loss has turned; return what the legend says of it."""
    said: dict[str, Any] = {}
    if test.valley:
        x = math.log10(test.valley)
        ax.axvspan(x - 1.5, x + 1.5, color=BAND, alpha=0.14, lw=0)
        said["bracket: valley ± 1.5 decades"] = Patch(facecolor=BAND, alpha=0.14)
    for rule, word, line in _RULES:
        lr: float | None = getattr(test, rule)
        if lr:
            strong = rule == "valley"
            look: dict[str, Any] = {
                "color": ACCENT if strong else MUTED,
                "lw": 1.8 if strong else 1.1,
                "ls": line,
            }
            ax.axvline(math.log10(lr), **look)
            said[word] = Line2D([], [], **look)
    if test.diverged:
        cross: dict[str, Any] = {"ls": "", "marker": "x", "ms": 7, "mew": 2, "color": INK}
        x, bottom = math.log10(test.diverged), ax.get_xaxis_transform()
        ax.plot([x], [0.05], transform=bottom, **cross)
        said["the loss has turned"] = Line2D([], [], **cross)
    return said
