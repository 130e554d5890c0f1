"""Makes pictures from measurements: which metric, which runs, thinned, smoothed, within limits that seldom move.

Pure apart from `Framing`, which remembers limits. Called in the drawing thread; numpy is imported by the first call.
"""

from __future__ import annotations

import bisect
import math
from array import array
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from lrtui.frontend.run_filter import matches
from lrtui.metrics import Series, thin
from lrtui.metrics.deciding import is_accuracy
from lrtui.sweep.state import group_of, group_text
from lrtui.text.clean import clean
from lrtui.text.format import amount_short, number, run_name
from lrtui.tui.charts import axes
from lrtui.tui.charts.axes import Limits
from lrtui.tui.charts.plot import MOST_POINTS, Curve, Picture
from lrtui.tui.view_model import USUAL_WEIGHT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lrtui.metrics import Axis, RunSeries
    from lrtui.sweep.state import Run
    from lrtui.tui.view_model import ViewModel

_USUAL = ("val_loss", "val_acc", "train_loss", "train_acc")
MOST_SMOOTHED = 5000
"""Points of a smoothed curve of which only a part is shown."""
MOST_DRAWN = 100
"""Curves of watched runs in a chart: the best ones."""
FINE_POINTS = 1200
"""Points of a curve in a picture of 1600 pixels."""
_SAME = 0.999
"""A run that ended within this share of the cursor's place does not count as ended before it."""
_SPARE = ("lr", "grad_norm", "images_per_second", "test_acc")
"""Metrics that come after all others."""
_IN_DECADES = {"lr", "learning_rate", "grad_norm"}
"""Metrics that span decades: on a log axis until `y` makes it linear."""


class Framing(Struct):
    """Remembers a chart's limits, so that they stay while they fit."""

    y: dict[tuple[str, bool], Limits] = field(default_factory=dict)
    x: dict[str, float] = field(default_factory=dict)


def measured(model: ViewModel) -> dict[str, RunSeries]:
    """Return what each run measured, without range tests: their lengths have no common meaning."""
    if model.snapshot is None:
        return {}
    known = model.snapshot.series
    return {run.id: known[run.id] for run in model.snapshot.sweep.trained() if run.id in known}


def drawn(model: ViewModel) -> dict[str, RunSeries]:
    """Return the data of each run's curves: samples of a long run until it is fully read."""
    sketches = model.snapshot.sketches if model.snapshot else {}
    return {run: sketches.get(run, series) for run, series in measured(model).items()}


def metric_names(model: ViewModel) -> list[str]:
    """Return every metric that some run has measured, the most used first."""
    if model.snapshot is None or model.snapshot.sweep.plan is None:
        return []
    plan = model.snapshot.sweep.plan
    names: dict[str, None] = {}
    for series in drawn(model).values():
        names.update(dict.fromkeys(series.names()))
    first = [n for n in dict.fromkeys((*_USUAL, plan.metric, plan.loss)) if n in names]
    last = [n for n in _SPARE if n in names and n not in first]
    return [*first, *(n for n in names if n not in first and n not in last), *last]


def metric_ring(shown: int, names: Sequence[str], objective: str) -> list[str]:
    """Return the metrics that the first of `shown` charts goes through; beside others it leaves the objective to the second."""
    others = [n for n in names if n != objective]
    return [objective, *others] if shown == 1 else others or list(names) or [objective]


def metric_for(slot: int, shown: int, names: Sequence[str], objective: str, chosen: str) -> str:
    """Return the metric of a chart: the first shows the chosen one, the second the objective, further ones what comes next."""
    if slot == 1 and shown > 1:
        return objective
    ring = metric_ring(shown, names, objective)
    at = ring.index(chosen) if chosen in ring else 0
    return ring[(at + max(0, slot - 1)) % len(ring)]


def axis_for(model: ViewModel) -> Axis:
    """Return the x axis that the key `a` has turned to; "level" is the plan's own unit."""
    snapshot = model.snapshot
    if snapshot is None or snapshot.sweep.plan is None:
        return "level"
    given: set[str] = set()
    for series in drawn(model).values():
        given.update(series.axes())
    others: tuple[Axis, ...] = ("epoch", "step", "time")
    ring: list[Axis] = [
        "level",
        *(a for a in others if a in given and a != snapshot.sweep.plan.unit),
    ]
    return ring[model.view.axis % len(ring)]


def inputs(model: ViewModel, metric: str) -> tuple[object, ...]:
    """Return the inputs of a chart: while they are equal, it need not be redrawn."""
    snapshot, view = model.snapshot, model.view
    if snapshot is None:
        return ()
    versions = tuple((run, series.version) for run, series in drawn(model).items())
    smooth = view.weight if view.smooth else 0.0
    shown = (absent(model), view.pinned, view.selected, view.window, view.cursor)
    return (
        metric,
        versions,
        smooth,
        view.log_y,
        view.axis,
        shown,
        len(model.marks),
        bool(model.tests),
        _states(model),
    )


def absent(model: ViewModel) -> frozenset[str]:
    """Return the runs whose curves are not drawn: hidden one by one, by the leaderboard's filter, or of another level of a study than the one under the cursor."""
    hidden, wanted = model.view.hidden, model.view.filter
    if model.snapshot is None:
        return hidden
    if model.is_study:
        level, kept = model.group, {model.view.pinned}
        others = (r.id for r in model.snapshot.sweep.trained() if group_of(r.setting) != level)
        hidden |= frozenset(others) - kept
    rows = model.snapshot.standings
    if wanted:
        test = matches(wanted)
        hidden |= frozenset(run for row in rows if not test(row) for run in row.runs)
    if model.is_watched and len(rows) > MOST_DRAWN:
        left = [run for row in rows for run in row.runs if run not in hidden]
        hidden |= frozenset(left[MOST_DRAWN:]) - {model.view.pinned, model.view.selected}
    return hidden


def _states(model: ViewModel) -> tuple[object, ...]:
    return tuple(run.state for run in model.snapshot.sweep.trained()) if model.snapshot else ()


def picture(
    model: ViewModel,
    metric: str,
    columns: int,
    rows: int,
    framing: Framing,
    *,
    alone: bool = True,
    fine: bool = False,
) -> Picture:
    """Return the chart of one metric for a canvas of about `columns` x `rows` cells.

    Beside other charts an accuracy stays linear when `y` makes the losses logarithmic. `fine` curves have the points of a picture in
    pixels; smoothed ones stay as they are seen, since a mean over other parts is another curve.
    """
    snapshot, view = model.snapshot, model.view
    if snapshot is None or snapshot.sweep.plan is None or not metric:  # a folder without runs yet
        return Picture("", (), Limits(0, 1), Limits(0, 1), (), (), note="nothing to show yet")
    plan = snapshot.sweep.plan
    axis = axis_for(model)
    log = _is_log(model, metric, alone=alone)
    points = min(MOST_POINTS // 2, max(16, columns))
    out = absent(model)
    shown = [run for run in _ordered(model) if run not in out]
    series = drawn(model)
    curves = []
    for run in shown:
        weight = view.weight if view.smooth else 0
        whole = series[run].get(metric, axis)
        most = FINE_POINTS // 2 if fine and not weight else points
        x, y = _points(whole, most, weight, _window(model), quick=snapshot.reading)
        if log:
            y = [math.log10(v) if v > 0 and math.isfinite(v) else math.nan for v in y]
        if len(x):
            mark = model.mark(run)
            curves.append(Curve(mark.letter, mark.colour, x, y, bold=run == view.selected))
    if _window(model) is None:
        end = _x_end(model, axis, curves, framing)
        xs = Limits(0, end)
    else:
        end = axis_end(model)
        xs = Limits(end * view.window[0], end * view.window[1])
        framing = Framing()  # limits that belong to the whole would not fit a part
    ys = _y_limits(metric, curves, framing, log=log, loss=_is_loss(model, metric))
    if fine:
        columns, rows = max(columns, 80), max(rows, 24)
    x_ticks = (axes.time_ticks if axis == "time" else axes.ticks)(xs, max(2, columns // 10))
    y_ticks = (axes.log_ticks if log else axes.ticks)(ys, max(4, rows // 3))
    unit = plan.unit if axis == "level" else axis
    title = clean(metric) + (" (log)" if log else "") + f" by {unit}"
    if axis == "level" and _window(model) is None and xs.high < plan.horizon:
        title += f", of {amount_short(plan.horizon)}"
    if model.is_study and (level := group_text(model.group)):
        title += f", {clean(level, 40)}"
    note = "" if curves else _why_empty(model, metric)
    cursor = None if view.cursor is None else view.cursor * end
    legend = _legend(model)
    if cursor is not None:
        title += f" at {amount_short(cursor)}"
        there = readings(model, [metric], cursor)
        there.sort(key=lambda each: each[1][0].ended is not None)
        legend = tuple(
            (f"{model.mark(run.id).letter} {found.words}", model.mark(run.id).colour)
            for run, (found,) in there
            if found.words
        )
    if model.is_watched and MOST_DRAWN <= len(shown) < len(snapshot.standings):
        title += f", the best {MOST_DRAWN} of {len(snapshot.standings)}"
    if not snapshot.sketches.keys().isdisjoint(shown):
        title += ", sampled"
    return Picture(title, tuple(curves), xs, ys, x_ticks, y_ticks, legend, note, cursor=cursor)


def _is_log(model: ViewModel, metric: str, *, alone: bool) -> bool:
    if metric.rpartition("/")[2] in _IN_DECADES:
        return not model.view.log_y
    return model.view.log_y and (alone or not is_accuracy(metric))


def _why_empty(model: ViewModel, metric: str) -> str:
    if model.snapshot is not None and model.snapshot.reading:
        return "reading ..."
    if model.tests and not measured(model):
        return "a range test comes first: t shows its curve"
    ended = model.snapshot is not None and model.snapshot.sweep.closed is not None
    return f"no run printed {clean(metric)}" if ended else f"no {clean(metric)} yet"


def _ordered(model: ViewModel) -> list[str]:
    """Return the runs with measurements by LR, the pinned and the selected one last: on top."""
    if model.snapshot is None:
        return []
    sweep, view = model.snapshot.sweep, model.view
    runs = [run for run in sweep.trained() if run.id in model.snapshot.series]
    runs.sort(key=lambda r: (r.id == view.selected, r.id == view.pinned, r.setting.lr))
    return [run.id for run in runs]


def _legend(model: ViewModel) -> tuple[tuple[str, str], ...]:
    if model.snapshot is None:
        return ()
    runs = sorted(model.snapshot.sweep.trained(), key=lambda run: run.setting.lr)
    out = absent(model)
    return tuple(
        (run_name(model.mark(run.id).letter, run.setting.lr), model.mark(run.id).colour)
        for run in runs
        if run.id not in out
    )


class Reading(Struct, frozen=True):
    """A run's value of a metric at one place of the x axis."""

    raw: float | None
    """None if there was nothing yet."""
    smooth: float
    step: float | None
    epoch: float | None
    time: float | None
    ended: float | None = None
    """Where on the x axis the run had ended before."""

    @property
    def words(self) -> str:
        """The value, or where the run had ended; "" if there was nothing yet."""
        if self.ended is not None:
            return f"ended at {amount_short(self.ended)}"
        if self.raw is None:
            return ""
        return number(self.raw) if math.isfinite(self.raw) else "no value"


def axis_name(model: ViewModel) -> str:
    """Return what the x axis counts."""
    axis = axis_for(model)
    plan = model.snapshot.sweep.plan if model.snapshot else None
    return plan.unit if plan and axis == "level" else axis


def axis_end(model: ViewModel) -> float:
    """Return where the whole x axis ends: like the charts, but for what these remember of an earlier end."""
    axis = axis_for(model)
    ends = [] if axis == "level" else [_end(model, s, axis) for s in drawn(model).values()]
    return _x_end(model, axis, [Curve("", "", [end], [0.0]) for end in ends], Framing())


def kept_in_place(before: ViewModel, model: ViewModel) -> ViewModel:
    """Return the model with cursor and window where they stood before, though the x axis may have become longer."""
    view = model.view
    if view.cursor is None and view.window == (0.0, 1.0):
        return model
    was, now = axis_end(before), axis_end(model)
    if was == now or before.snapshot is None:
        return model
    part = was / now
    low, high = (min(1.0, end * part) for end in view.window)
    whole = view.window == (0.0, 1.0) or high <= low
    return replace(
        model,
        view=replace(
            view,
            cursor=None if view.cursor is None else min(1.0, view.cursor * part),
            window=(0.0, 1.0) if whole else (low, high),
        ),
    )


def cursor_at(model: ViewModel) -> float | None:
    """Return where the cursor stands, in the unit of the x axis; None if there is none."""
    share = model.view.cursor
    return None if share is None else share * axis_end(model)


def newest(model: ViewModel) -> float:
    """Return where the newest points are on the whole x axis, 0 to 1: those of living runs if there are any."""
    if model.snapshot is None:
        return 1.0
    axis, runs = axis_for(model), model.snapshot.sweep.runs
    ends = {run: _end(model, series, axis) for run, series in drawn(model).items()}
    live = [end for run, end in ends.items() if runs[run].alive and end > 0]
    return min(1.0, max(live or ends.values(), default=1.0) / axis_end(model))


def _end(model: ViewModel, series: RunSeries, axis: Axis) -> float:
    """Return a run's progress on the x axis."""
    if axis == "level":
        return series.level
    plan = model.snapshot.sweep.plan if model.snapshot else None
    found = (series.get(name, axis).x for name in ({plan.metric, plan.loss} if plan else ()))
    return max((x[-1] for x in found if len(x)), default=0.0)


def readings(
    model: ViewModel, metrics: Sequence[str], where: float | None
) -> list[tuple[Run, list[Reading]]]:
    """Return the values of each visible and read run for each metric at `where`, living runs first; the latest ones for None."""
    if model.snapshot is None:
        return []
    axis, out = axis_for(model), absent(model)
    known = model.snapshot.series.keys() - model.snapshot.sketches.keys()
    runs = [r for r in model.snapshot.sweep.trained() if r.id in known]
    weight = model.view.weight or USUAL_WEIGHT
    found = []
    for run in sorted(runs, key=lambda run: (not run.alive, run.setting.lr)):
        if run.id in out:
            continue
        series = model.snapshot.series[run.id]
        end = _end(model, series, axis)
        gone = where is not None and run.ending is not None and end < where * _SAME
        ended = end if gone else None
        values = [_reading(series, metric, axis, where, weight) for metric in metrics]
        found.append((run, [replace(value, ended=ended) for value in values]))
    return found


def _reading(
    series: RunSeries, metric: str, axis: Axis, where: float | None, weight: float
) -> Reading:
    whole = series.get(metric, axis)
    inside = math.inf if where is None else where * (1 + 1e-9)  # a share of the axis is not exact
    index = bisect.bisect_right(whole.x, inside) - 1
    if index < 0:
        return Reading(None, math.nan, None, None, None)
    upto = Series(metric, whole.x[: index + 1], whole.y[: index + 1])
    axes_of: tuple[Axis, ...] = ("step", "epoch", "time")
    others = (series.get(metric, name).x for name in axes_of)
    step, epoch, time = (x[index] if len(x) == len(whole) else None for x in others)
    return Reading(whole.y[index], smoothed(upto, 500, weight)[1][-1], step, epoch, time)


def _window(model: ViewModel) -> tuple[float, float] | None:
    """Return the part of the x axis that is shown, in its unit; None for the whole."""
    low, high = model.view.window
    if (low, high) == (0.0, 1.0):
        return None
    end = axis_end(model)
    return low * end, high * end


def _points(
    whole: Series,
    columns: int,
    weight: float,
    window: tuple[float, float] | None,
    *,
    quick: bool,
) -> tuple[Sequence[float], Sequence[float]]:
    if window is not None and not weight:
        whole = _part(whole, *window)
    if weight:
        x, y = smoothed(whole, columns if window is None else MOST_SMOOTHED, weight)
        if window is None:
            return x, y
        whole = _part(Series(whole.name, array("d", x), array("d", y)), *window)
    thinned = thin(whole, columns, quick=quick)
    return thinned.x, thinned.y


def _part(whole: Series, low: float, high: float) -> Series:
    """Return the points between two places."""
    first, last = bisect.bisect_left(whole.x, low), bisect.bisect_right(whole.x, high)
    return Series(whole.name, whole.x[first:last], whole.y[first:last])


def smoothed(series: Series, columns: int, weight: float) -> tuple[list[float], list[float]]:
    """Return the exponential moving average over the points, or over the means of `columns` parts where there are more.

    Debiased at the start (as TensorBoard does). A value that is not finite is a gap and does not count.
    """
    import numpy as np  # not before the first paint

    x = np.asarray(series.x, dtype=float)
    y = np.asarray(series.y, dtype=float)
    most = 2 * columns
    if len(x) > most:
        starts = np.linspace(0, len(x), most + 1).astype(np.intp)[:-1]
        finite = np.isfinite(y)
        with np.errstate(all="ignore"):
            sums = np.add.reduceat(np.where(finite, y, 0.0), starts)
            y = sums / np.add.reduceat(finite.astype(float), starts)
        x = x[np.append(starts[1:] - 1, len(x) - 1)]
    mean, count, out = 0.0, 0, []
    for value in y.tolist():
        if not math.isfinite(value):
            out.append(math.nan)
            continue
        count += 1
        mean = weight * mean + (1 - weight) * value
        out.append(mean / (1 - weight**count))
    return x.tolist(), out


def _is_loss(model: ViewModel, metric: str) -> bool:
    plan = model.snapshot.sweep.plan if model.snapshot else None
    return "loss" in metric or bool(plan and plan.goal == "min" and metric == plan.metric)


def _x_end(model: ViewModel, axis: Axis, curves: Iterable[Curve], framing: Framing) -> float:
    """Return the right end of the x axis: the horizon, or what it will be on an axis that is not planned."""
    snapshot = model.snapshot
    plan = snapshot.sweep.plan if snapshot else None
    if snapshot is None or plan is None:
        return 1.0
    furthest = max((s.level for s in drawn(model).values()), default=0.0)
    if axis == "level":
        return axes.shortened(max(plan.horizon, furthest) or 1.0, furthest)
    end = max((c.x[-1] for c in curves if math.isfinite(c.x[-1])), default=0.0)
    planned = end * plan.horizon / furthest if furthest > 0 else end
    framing.x[axis] = axes.reach(max(end, min(planned, 100 * end)), framing.x.get(axis))
    return framing.x[axis]


def _y_limits(
    metric: str, curves: Sequence[Curve], framing: Framing, *, log: bool, loss: bool
) -> Limits:
    """Return the y limits; a loss that explodes leaves at the top instead of flattening the others."""
    lows, highs, starts = [], [], []
    for curve in curves:
        finite = [v for v in curve.y if math.isfinite(v)]
        if finite:
            lows.append(min(finite))
            highs.append(max(finite))
            starts.append(finite[0])
    if not lows:
        return Limits(-1.0, 0.0) if log else Limits(0.0, 1.0)
    low, high = min(lows), max(highs)
    if loss and len(curves) > 1:
        start = sorted(starts)[len(starts) // 2]
        roof = start + 0.5 if log else start + 0.5 * max(start - low, 0.0)
        high = min(high, max(roof, sorted(highs)[(len(highs) - 1) // 2]))
    before = framing.y.get((metric, log))
    limits = (axes.stepped_log if log else axes.stepped)(low, max(low, high), before)
    framing.y[metric, log] = limits
    return limits
