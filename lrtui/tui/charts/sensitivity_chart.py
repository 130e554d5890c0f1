"""The sensitivity chart: the final metric against log10(lr), with seed bars, dead runs and the LRs that are equal.

A pure function of the verdicts. ● was trained to the end, ○ was stopped before and is compared at its own length, ◆ is the
verdict's pick, what died lies crossed at the bottom; the letter is the run's. A bar spans the seeds. The thick part of the axis is
the equal range.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lrtui.frontend.state_style import BAD, OK
from lrtui.sweep.state import group_text
from lrtui.text.clean import clean
from lrtui.text.format import decades, lr_text
from lrtui.tui.charts import axes
from lrtui.tui.charts.axes import Limits
from lrtui.tui.charts.plot import Curve, Glyph, Picture, Span
from lrtui.tui.styled_text import FAINT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lrtui.analysis.verdict import Point, Verdict
    from lrtui.tui.view_model import ViewModel

DEAD = "\N{MULTIPLICATION SIGN}"
_MARGIN = 0.25
"""Decades left free at both ends."""
_FRAME = 10
"""Cells that gutter, frame and gaps take of a chart's width."""
_ROOMY = 70
"""Cells from which on the legend may be long."""


def inputs(model: ViewModel) -> tuple[object, ...]:
    """Return what the chart depends on."""
    group, verdicts = model.group, model.verdicts
    points = verdicts.points.get(group, ())
    marks = tuple(model.mark(point.runs[0]) for point in points)
    answer, maps = verdicts.groups.get(group), verdicts.maps.get(group, ())
    return group, answer, points, maps, marks, len(verdicts.groups), _under(model)


def has_points(model: ViewModel) -> bool:
    """Return whether some LR has a value."""
    shown = (point for points in model.verdicts.points.values() for point in points)
    return any(point.mean is not None for point in shown)


def picture(model: ViewModel, width: int, height: int) -> Picture:
    """Return the chart of the group under the cursor, for `width` x `height` cells with its frame."""
    points = [
        point
        for point in model.verdicts.points.get(model.group, ())
        if point.lr > 0 and math.isfinite(point.lr)
    ]
    verdict = model.verdicts.groups.get(model.group)
    xs = limits_of([point.lr for point in points])
    values = [value for point in points if not point.dead for value in _values(point)]
    ys = axes.stepped(min(values), max(values)) if values else Limits(0.0, 1.0)
    return Picture(
        title=_title(model, verdict, width),
        curves=(*_line(points), *_bars(model, points)),
        x_limits=xs,
        y_limits=ys,
        x_ticks=axes.log_ticks(xs, max(2, width // 10)),
        y_ticks=axes.ticks(ys, max(3, height // 3)),
        legend=_legend(verdict, width),
        note="" if values or any(p.dead for p in points) else _nothing(model),
        glyphs=tuple(_glyph(model, point, verdict, ys) for point in points if _is_shown(point)),
        spans=interval(verdict, xs),
    )


def _nothing(model: ViewModel) -> str:
    return "computing the verdict ..." if model.judging else "no value to compare yet"


def limits_of(lrs: Sequence[float]) -> Limits:
    """Return the limits of an axis of log10(lr) with a margin."""
    places = [math.log10(lr) for lr in lrs]
    if not places:
        return Limits(-5.0, 0.0)
    return Limits(min(places) - _MARGIN, max(places) + _MARGIN)


def _under(model: ViewModel) -> str:
    return model.view.selected


def _values(point: Point) -> list[float]:
    found = [*point.values, *([point.mean] if point.mean is not None else [])]
    return [value for value in found if math.isfinite(value)]


def _is_shown(point: Point) -> bool:
    return bool(point.dead) or (point.mean is not None and math.isfinite(point.mean))


def _line(points: Sequence[Point]) -> list[Curve]:
    """Return the faint line through what was trained to the end."""
    full = [
        (math.log10(p.lr), p.mean) for p in points if p.full and not p.dead and p.mean is not None
    ]
    return [Curve("", FAINT, [x for x, _ in full], [y for _, y in full])] if len(full) > 1 else []


def _bars(model: ViewModel, points: Sequence[Point]) -> list[Curve]:
    return [
        Curve("", model.mark(p.runs[0]).colour, [math.log10(p.lr)] * 2, [min(seen), max(seen)])
        for p in points
        if not p.dead and len(seen := _values(p)) > 1 and min(seen) < max(seen)
    ]


def _glyph(model: ViewModel, point: Point, verdict: Verdict | None, ys: Limits) -> Glyph:
    x, mark = math.log10(point.lr), model.mark(point.runs[0])
    bold = model.view.selected in point.runs
    if point.dead or point.mean is None:
        return Glyph(x, ys.low, f"{DEAD}{mark.letter}", BAD, bold=bold)
    picked = verdict is not None and verdict.lr == point.lr
    symbol = "◆" if picked else "●" if point.full else "○"
    return Glyph(x, point.mean, f"{symbol}{mark.letter}", mark.colour, bold=bold or picked)


def interval(verdict: Verdict | None, xs: Limits) -> tuple[Span, ...]:
    """Return the 90 % interval, to the chart's end where it is open, and on it what is equal."""
    if verdict is None:
        return ()
    spans = []
    if verdict.low and verdict.high:
        low = xs.low if "below" in verdict.open_sides else math.log10(verdict.low)
        high = xs.high if "above" in verdict.open_sides else math.log10(verdict.high)
        spans.append(Span(low, high, "═", FAINT))
    if verdict.equal and verdict.equal[0] > 0:
        low, high = verdict.equal
        spans.append(Span(math.log10(low), math.log10(high), "━", OK))
    return tuple(spans)


def _title(model: ViewModel, verdict: Verdict | None, width: int) -> str:
    """Return the fullest title that fits beside the legend."""
    plan = model.snapshot.sweep.plan if model.snapshot else None
    name = f"{clean(plan.metric, 30) if plan else 'value'} against lr"
    equal = verdict.equal if verdict is not None else None
    told = short = ""
    if equal and equal[0] > 0:
        wide = decades(math.log10(equal[1] / equal[0]))
        told, short = f", equal over {wide} decades", f", equal {wide} dec"
    group = f" · {clean(group_text(model.group))}" if len(model.verdicts.groups) > 1 else ""
    room = width - _FRAME - sum(len(text) + 1 for text, _ in _legend(verdict, width))
    forms = (
        f"sensitivity: {name}{told}{group}",
        f"{name}{told}{group}",
        f"{name}{told}",
        f"{name}{short}",
        name,
    )
    return next((form for form in forms if len(form) <= room), name[: max(0, width - _FRAME)])


def _legend(verdict: Verdict | None, width: int) -> tuple[tuple[str, str], ...]:
    if verdict is None or verdict.lr is None:
        return ()
    so_far = " so far" if verdict.provisional and width >= _ROOMY else ""
    return ((f"◆ {lr_text(verdict.lr)}{so_far}", OK),)
