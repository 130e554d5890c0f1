"""The chart of a study: LR* against the levels of a factor, both as logarithms, with the fitted power law and both rules for batch sizes.

● is LR*, filled for the experiment's own level; the line through it is the interval, with ▼ or ▲ at the chart's edge on a side that is open.
◆ is a level that is predicted, with its interval, at the end of the law that leads there; what was measured there to check it is a ○ with no line.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lrtui.frontend.state_style import BAD, OK, WARN
from lrtui.text.clean import clean
from lrtui.text.format import amount_short, exponent_text
from lrtui.tui.charts import axes
from lrtui.tui.charts.axes import Limits, Tick
from lrtui.tui.charts.plot import Curve, Glyph, Picture
from lrtui.tui.charts.sensitivity_chart import DEAD
from lrtui.tui.styled_text import ACCENT, FAINT, TEXT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lrtui.analysis.prediction import Prediction
    from lrtui.analysis.study import Factor, Level

_MARGIN = 0.2
"""Decades left free above and below."""
_POINTS = 120
"""Of a line."""
_WIDEST_LABEL = 10


def picture(factor: Factor, height: int) -> Picture:
    """Return the chart of one factor for a panel of `height` lines."""
    places = _places(factor)
    foreseen = factor.prediction if factor.prediction and factor.prediction.lr else None
    shown = [(each.lr, each.low, each.high) for each in factor.levels]
    if foreseen:
        shown.append((foreseen.lr, foreseen.low, foreseen.high))
    ends = [math.log10(end) for each in shown for end in each if end is not None]
    ys = Limits(min(ends) - _MARGIN, max(ends) + _MARGIN) if ends else Limits(-4.0, -1.0)
    across = [*places, *([math.log10(foreseen.target)] if foreseen else [])]
    side = 0.12 * (max(across) - min(across)) or 0.5
    ticks = [
        Tick(x, clean(level.text, _WIDEST_LABEL))
        for x, level in zip(places, factor.levels, strict=True)
    ]
    if foreseen:
        ticks.append(Tick(math.log10(foreseen.target), amount_short(foreseen.target)))
    fitted = exponent_text(factor.exponent.value) if factor.exponent is not None else ""
    drawn = (
        ("fit", fitted, ACCENT, [None if foreseen else each.fitted for each in factor.levels]),
        ("lin", "linear", WARN, [each.linear for each in factor.levels]),
        ("sqr", "square-root", FAINT, [each.root for each in factor.levels]),
    )
    lines = [(name, words, colour, ys_) for name, words, colour, ys_ in drawn if None not in ys_]
    return Picture(
        title=f"LR* against {clean(factor.name, 30)}",
        curves=(
            *(_line(name, colour, places, lrs, ys) for name, _, colour, lrs in lines),
            *(_law(foreseen, ys) if foreseen else ()),
            *(
                _interval(x, level, ys)
                for x, level in zip(places, factor.levels, strict=True)
                if level.lr is not None
            ),
        ),
        x_limits=Limits(min(across) - side, max(across) + side),
        y_limits=ys,
        x_ticks=tuple(ticks),
        y_ticks=axes.log_ticks(ys, max(3, height // 2)),
        legend=(
            *((("◆ predicted", ACCENT),) if foreseen else ()),
            *((f"{name} {words}", colour) for name, words, colour, _ in lines),
        ),
        note="" if ends else "no level has an answer yet",
        glyphs=(
            *(
                glyph
                for x, level in zip(places, factor.levels, strict=True)
                for glyph in _glyphs(x, level, ys)
            ),
            *(_foreseen(foreseen, factor, ys) if foreseen else ()),
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


def _law(foreseen: Prediction, ys: Limits) -> list[Curve]:
    """Return the law that the prediction follows, and the interval at its end."""
    x = [math.log10(level) for level, _ in foreseen.law]
    y = [math.log10(lr) for _, lr in foreseen.law]
    inside = [each if ys.low <= each <= ys.high else math.nan for each in y]
    ends = [math.log10(end) for end in (foreseen.low, foreseen.high) if end]
    at = math.log10(foreseen.target)
    return [Curve("law", ACCENT, x, inside), Curve("", ACCENT, [at] * len(ends), ends)]


def _foreseen(foreseen: Prediction, factor: Factor, ys: Limits) -> list[Glyph]:
    """Return LR* as it is predicted, and as it was measured if the level was trained."""
    at = math.log10(foreseen.target)
    found = [Glyph(at, math.log10(foreseen.lr), "◆", ACCENT, bold=True)] if foreseen.lr else []
    if factor.check is not None and factor.check.level.lr is not None:
        lr = min(max(math.log10(factor.check.level.lr), ys.low), ys.high)
        found.append(Glyph(at, lr, "○", OK, bold=True))
    return found


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
