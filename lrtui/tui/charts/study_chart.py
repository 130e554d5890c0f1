"""The chart of a study: LR* against the levels of a factor, both as logarithms, with the fitted power law and both rules for batch sizes.

● is LR*, filled for the experiment's own level; the line through it is the interval, with ▼ or ▲ at the chart's edge on a side that is open.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lrtui.frontend.state_style import BAD, OK, WARN
from lrtui.text.clean import clean
from lrtui.tui.charts import axes
from lrtui.tui.charts.axes import Limits, Tick
from lrtui.tui.charts.plot import Curve, Glyph, Picture
from lrtui.tui.charts.sensitivity_chart import DEAD
from lrtui.tui.styled_text import ACCENT, FAINT, TEXT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lrtui.analysis.study import Factor, Level

_MARGIN = 0.2
"""Decades left free above and below."""
_POINTS = 120
"""Of a line."""
_WIDEST_LABEL = 10


def picture(factor: Factor, height: int) -> Picture:
    """Return the chart of one factor for a panel of `height` lines."""
    places = _places(factor)
    ends = [
        math.log10(end)
        for level in factor.levels
        for end in (level.lr, level.low, level.high)
        if end is not None
    ]
    ys = Limits(min(ends) - _MARGIN, max(ends) + _MARGIN) if ends else Limits(-4.0, -1.0)
    side = 0.12 * (max(places) - min(places)) or 0.5
    ticks = [
        Tick(x, clean(level.text, _WIDEST_LABEL))
        for x, level in zip(places, factor.levels, strict=True)
    ]
    exponent = f"{factor.exponent.value:.2f}" if factor.exponent is not None else ""
    drawn = (
        ("fit", exponent, ACCENT, [each.fitted for each in factor.levels]),
        ("lin", "linear", WARN, [each.linear for each in factor.levels]),
        ("sqr", "square-root", FAINT, [each.root for each in factor.levels]),
    )
    lines = [(name, words, colour, ys_) for name, words, colour, ys_ in drawn if None not in ys_]
    return Picture(
        title=f"LR* against {clean(factor.name, 30)}",
        curves=(
            *(_line(name, colour, places, lrs, ys) for name, _, colour, lrs in lines),
            *(
                _interval(x, level, ys)
                for x, level in zip(places, factor.levels, strict=True)
                if level.lr is not None
            ),
        ),
        x_limits=Limits(min(places) - side, max(places) + side),
        y_limits=ys,
        x_ticks=tuple(ticks),
        y_ticks=axes.log_ticks(ys, max(3, height // 2)),
        legend=tuple((f"{name} {words}", colour) for name, words, colour, _ in lines),
        note="" if ends else "no level has an answer yet",
        glyphs=tuple(
            glyph
            for x, level in zip(places, factor.levels, strict=True)
            for glyph in _glyphs(x, level, ys)
        ),
    )


def _places(factor: Factor) -> list[float]:
    """Return where the levels are: the logarithms of numbers; names side by side."""
    numbers = [float(level.level) if factor.numeric else 0.0 for level in factor.levels]
    if all(0 < number < math.inf for number in numbers):
        return [math.log10(number) for number in numbers]
    return [float(index) for index in range(len(numbers))]


def _line(
    name: str, colour: str, places: Sequence[float], lrs: Sequence[float | None], ys: Limits
) -> Curve:
    """Return the straight line of a power law from the first to the last level, cut where it leaves the chart."""
    first, last = (math.log10(lr) if lr else math.nan for lr in (lrs[0], lrs[-1]))
    parts = [index / (_POINTS - 1) for index in range(_POINTS)]
    x = [places[0] + part * (places[-1] - places[0]) for part in parts]
    y = [first + part * (last - first) for part in parts]
    return Curve(name, colour, x, [each if ys.low <= each <= ys.high else math.nan for each in y])


def _interval(x: float, level: Level, ys: Limits) -> Curve:
    low, high = (min(max(end, ys.low), ys.high) for end in level.reach)
    return Curve("", TEXT if level.by_noise else FAINT, [x, x], [low, high])


def _glyphs(x: float, level: Level, ys: Limits) -> list[Glyph]:
    if level.lr is None:
        return [Glyph(x, ys.low, DEAD, BAD)]
    found = [Glyph(x, math.log10(level.lr), "●" if level.base else "○", OK, bold=True)]
    if "lower" in level.edges:
        found.append(Glyph(x, ys.low, "▼", WARN))
    if "upper" in level.edges:
        found.append(Glyph(x, ys.high, "▲", WARN))
    return found
