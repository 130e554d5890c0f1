"""The heat map of a search beside the LR: the predicted metric over log10(lr) and one axis, with every place that was trained.

The denser a place, the better; the legend has the value from which on each shade is drawn. ★ is the verdict's pick, ● was trained to
the end, ○ was stopped before, what died is crossed; the letter is the run's. The thick part of the lower edge is the LR's interval.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lrtui.frontend.state_style import BAD, OK
from lrtui.sweep.axis_places import round_values, share_of
from lrtui.text.clean import clean
from lrtui.text.format import amount, lr_text, number
from lrtui.tui.charts import axes
from lrtui.tui.charts.axes import Limits, Tick
from lrtui.tui.charts.plot import Field, Glyph, Picture, Shade
from lrtui.tui.charts.sensitivity_chart import DEAD, interval
from lrtui.tui.styled_text import ACCENT, TEXT, width_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lrtui.analysis.verdict import Point, Verdict
    from lrtui.analysis.verdict.heat_map import HeatMap
    from lrtui.tui.view_model import ViewModel

STAR = "★"
_FRAME = 12
"""Cells that gutter, frame and gaps take of a chart's width."""
_SHADES = " ░▒▓█"


def maps_of(model: ViewModel) -> tuple[HeatMap, ...]:
    """Return the maps of the group under the cursor; () if its search has no axes, or while too little is known."""
    return model.verdicts.maps.get(model.group, ())


def pictures(model: ViewModel, width: int, height: int) -> list[Picture]:
    """Return a chart for each axis, side by side in `width` x `height` cells."""
    maps = maps_of(model)
    each = width // max(1, len(maps))
    return [picture(model, found, each, height) for found in maps]


def picture(model: ViewModel, found: HeatMap, width: int, height: int) -> Picture:
    """Return the chart of one axis, for `width` x `height` cells with its frame."""
    verdict = model.verdicts.groups.get(model.group)
    plan = model.snapshot.sweep.plan if model.snapshot else None
    sign = -1 if plan is not None and plan.goal == "min" else 1
    xs = Limits(found.lrs[0], found.lrs[-1])
    name, metric = clean(found.axis.name, 20), clean(plan.metric, 20) if plan else "value"
    title, legend = f"predicted {metric}: {name} against lr", _legend(found, verdict)
    room = _FRAME + sum(width_of(text) + 1 for text, _ in legend)
    return Picture(
        title=title if width_of(title) + room < width else f"{name} against lr",
        curves=(),
        x_limits=xs,
        y_limits=Limits(0.0, 1.0),
        x_ticks=axes.log_ticks(xs, max(2, width // 10)),
        y_ticks=tuple(
            Tick(share_of(found.axis, value), amount(value))
            for value in round_values(found.axis, max(3, height // 3))
        ),
        legend=legend,
        glyphs=tuple(_glyphs(model, found, verdict)),
        spans=interval(verdict, xs),
        field=Field(
            tuple(tuple(sign * value for value in row) for row in found.values),
            tuple(sign * value for value in found.limits),
            _shades(len(found.limits)),
        ),
    )


def _shades(limits: int) -> tuple[Shade, ...]:
    """Return how each band looks, the worst first; where bands fell together, the emptier ones are missing."""
    last = len(_SHADES) - 1
    chosen = range(last - limits, last + 1)
    return tuple(Shade(_SHADES[each], ACCENT) for each in chosen)


def _legend(found: HeatMap, verdict: Verdict | None) -> tuple[tuple[str, str], ...]:
    bands = [
        (f"{shade.char} {number(limit)}", shade.colour)
        for shade, limit in zip(_shades(len(found.limits))[1:], found.limits, strict=True)
    ]
    if verdict is None or verdict.lr is None or verdict.setting is None:
        return tuple(bands[::-1])
    value = verdict.setting.axes.get(found.axis.name, math.nan)
    return ((f"{STAR} {lr_text(verdict.lr)}, {amount(value)}", OK), *bands[::-1])


def _glyphs(model: ViewModel, found: HeatMap, verdict: Verdict | None) -> list[Glyph]:
    """Return what was trained, the pick last and so on top."""
    points = model.verdicts.points.get(model.group, ())
    picked = verdict.setting if verdict is not None else None
    ordered: Sequence[Point] = sorted(points, key=lambda point: point.setting == picked)
    glyphs = []
    for point in ordered:
        place = found.place(point.setting)
        if place is None or not 0 < point.lr < math.inf:
            continue
        x, letter = math.log10(point.lr), model.mark(point.runs[0]).letter
        if point.setting == picked:
            glyphs.append(Glyph(x, place, f"{STAR}{letter}", OK, bold=True))
        elif point.dead or point.mean is None:
            glyphs.append(Glyph(x, place, f"{DEAD}{letter}", BAD))
        else:
            under = model.view.selected in point.runs
            glyphs.append(
                Glyph(x, place, f"{'●' if point.full else '○'}{letter}", TEXT, bold=under)
            )
    return glyphs
