"""The curve of a range test: the loss against log10(lr), with what the four rules suggest.

The bare batch losses are faint, with gaps where they leave the chart; their smoothed mean, which the rules read, is bright.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lrtui.frontend.state_style import BAD, OK, WARN
from lrtui.metrics import Series
from lrtui.sweep.allowed import state_text
from lrtui.text.clean import clean
from lrtui.text.format import lr_rounded
from lrtui.tui.charts import axes
from lrtui.tui.charts.axes import Limits
from lrtui.tui.charts.curves import smoothed
from lrtui.tui.charts.plot import Curve, Glyph, Picture
from lrtui.tui.styled_text import ACCENT, RULE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lrtui.metrics import RunSeries
    from lrtui.sweep.events import Plan, RangeTested
    from lrtui.sweep.state import Run
    from lrtui.tui.view_model import ViewModel

_MOST = 400
"""Points that are drawn."""
_SMOOTHING = 0.98
_ROOMY = 70
"""Cells from which on a title may be long."""
RULES = (("valley", "v", OK), ("steep", "s", WARN), ("minimum", "m", ACCENT), ("slide", "i", WARN))
"""(rule, its letter on the chart, its colour)"""


def inputs(model: ViewModel) -> tuple[object, ...]:
    """Return what the chart depends on."""
    run, snapshot = model.test, model.snapshot
    if run is None or snapshot is None:
        return (None,)
    series = snapshot.series.get(run.id)
    version = series.version if series is not None else 0
    return run.id, run.state, version, snapshot.sweep.ranges.get(run.id)


def steps_done(model: ViewModel, run: Run) -> str:
    """Return how far a range test is: 43/100."""
    snapshot = model.snapshot
    series = snapshot.series.get(run.id) if snapshot else None
    plan = snapshot.sweep.plan if snapshot else None
    count = len(series.get(plan.loss)) if series is not None and plan is not None else 0
    return f"{count}/{run.lr_steps}"


def suggestions(tested: RangeTested) -> list[tuple[str, float, str, str]]:
    """Return (rule, LR, letter, colour) of the rules that found something."""
    found = [(rule, getattr(tested, rule), letter, colour) for rule, letter, colour in RULES]
    return [each for each in found if each[1] is not None and each[1] > 0]


def points(plan: Plan, run: Run, series: RunSeries | None) -> tuple[list[float], list[float]]:
    """Return log10(lr) and loss of each step; for a script that prints no lr, an even rise on the log scale is assumed."""
    if series is None or not run.setting.lr > 0 or not run.lr_to > 0:
        return [], []
    losses = series.get(plan.loss)
    given = series.get("lr")
    rates = dict(zip(given.x, given.y, strict=True))
    first, last = math.log10(run.setting.lr), math.log10(run.lr_to)
    rise = (last - first) / max(1, run.lr_steps - 1)
    found = []
    for step, (level, loss) in enumerate(zip(losses.x, losses.y, strict=True)):
        rate = rates.get(level, math.nan)
        found.append((math.log10(rate) if 0 < rate < math.inf else first + rise * step, loss))
    return [x for x, _ in found][-_MOST:], [y for _, y in found][-_MOST:]


def picture(model: ViewModel, width: int, height: int) -> Picture:
    """Return the chart for `width` x `height` cells with its frame."""
    run, snapshot = model.test, model.snapshot
    plan = snapshot.sweep.plan if snapshot else None
    if run is None or snapshot is None or plan is None:
        note = "there is no range test in this sweep"
        return Picture("range test", (), Limits(0, 1), Limits(0, 1), (), (), note=note)
    x, loss = points(plan, run, snapshot.series.get(run.id))
    mean = smoothed(_as_series(x, loss), _MOST, _SMOOTHING)[1]
    tested = snapshot.sweep.ranges.get(run.id)
    xs = _stretch(run)
    ys = _limits_of(mean, loss)
    bare = [value if ys.low <= value <= ys.high else math.nan for value in loss]
    curves = [Curve("", RULE, x, bare), Curve("", run_colour(model, run), x, mean, bold=True)]
    glyphs: list[Glyph] = []
    if tested is not None:
        for rule, lr, letter, colour in reversed(suggestions(tested)):
            at = math.log10(lr)
            if rule == "valley":
                curves.insert(0, Curve("", colour, [at, at], [ys.low, ys.high]))
            glyphs.append(Glyph(at, _at(x, mean, at, ys), letter, colour, bold=True))
    return Picture(
        title=_title(model, run, plan, width),
        curves=tuple(curves) if x else (),
        x_limits=xs,
        y_limits=ys,
        x_ticks=axes.log_ticks(xs, max(2, width // 10)),
        y_ticks=axes.ticks(ys, max(3, height // 3)),
        legend=_legend(tested),
        note="" if x else _note(run),
        glyphs=tuple(glyphs) if x else (),
    )


def run_colour(model: ViewModel, run: Run) -> str:
    """Return the colour of a range test's curve."""
    return model.mark(run.id).colour


def _as_series(x: Sequence[float], y: Sequence[float]) -> Series:
    from array import array

    return Series("loss", array("d", x), array("d", y))


def _stretch(run: Run) -> Limits:
    if not 0 < run.setting.lr < run.lr_to < math.inf:
        return Limits(-7.0, 1.0)
    return Limits(math.log10(run.setting.lr), math.log10(run.lr_to))


def _limits_of(mean: Sequence[float], loss: Sequence[float]) -> Limits:
    """Return limits of the loss in which its fall fills the chart, however far it rose in the end."""
    finite = [value for value in mean if math.isfinite(value)]
    if not finite:
        return Limits(0.0, 1.0)
    bare = sorted(value for value in loss if math.isfinite(value))
    low, start = min(finite), finite[0]
    roof = max(start, low) + max(start - low, abs(start) / 4)
    return axes.stepped(min(low, bare[len(bare) // 20]), min(max(finite), roof))


def _at(x: Sequence[float], mean: Sequence[float], place: float, ys: Limits) -> float:
    """Return the curve's height at an LR."""
    near = min(range(len(x)), key=lambda i: abs(x[i] - place), default=None)
    return mean[near] if near is not None and math.isfinite(mean[near]) else ys.low


def _title(model: ViewModel, run: Run, plan: Plan, width: int) -> str:
    many = f" {run.id}" if len(model.tests) > 1 else ""
    step = f", step {steps_done(model, run)}" if run.alive else ""
    axes = f": {clean(plan.loss, 20)} against lr" if width >= _ROOMY else ""
    return f"range test{many}{step}{axes}"


def _legend(tested: RangeTested | None) -> tuple[tuple[str, str], ...]:
    if tested is None:
        return ()
    named = [
        (f"{letter} {rule} {lr_rounded(lr)}", colour)
        for rule, lr, letter, colour in suggestions(tested)
    ]
    return tuple(named) or ((clean(tested.why) or "no suggestion", BAD),)


def _note(run: Run) -> str:
    if run.ending is not None:
        return clean(state_text(run), 60)
    return "no step yet" if run.alive else "the range test has not begun"
