"""The metric predicted over the LR and one axis of [search]: the data of the heat maps in monitor and report.

Where there are two axes, each map shows the other one at its recommended value.
"""

from __future__ import annotations

from dataclasses import dataclass

from lrtui.analysis.averages import quantile
from lrtui.analysis.verdict.answer import Verdict
from lrtui.analysis.verdict.best_place import place_of, surface_of
from lrtui.analysis.verdict.scale import scale_of
from lrtui.sweep.axis_places import share_of
from lrtui.sweep.events import Axis, Setting
from lrtui.sweep.state import Sweep

COLUMNS, ROWS = 41, 21
BANDS = (0.4, 0.65, 0.82, 0.94)
"""The shares of a map's places that lie below each of its limits, so that its top stands out however flat it is."""
_MARGIN = 0.1
"""Decades of the LR beyond what was trained."""


@dataclass(frozen=True, slots=True)
class HeatMap:
    """The predicted value of the metric at the full length."""

    axis: Axis
    lrs: tuple[float, ...]
    """log10 of the LR of each column, ascending and even."""
    shares: tuple[float, ...]
    """The place of each row along the axis, ascending and even: `axis_places` has its value."""
    values: tuple[tuple[float, ...], ...]
    """By row and column."""
    limits: tuple[float, ...]
    """Values that part the map into bands, the worst first; equal ones are given once."""

    def place(self, setting: Setting) -> float | None:
        """Return a setting's place along the axis; None if it does not name it."""
        value = setting.axes.get(self.axis.name)
        return None if value is None else share_of(self.axis, value)


def heat_maps(sweep: Sweep, found: Verdict) -> tuple[HeatMap, ...]:
    """Return a map for each axis of a group's search; () if it has none, or while too little is known."""
    plan = sweep.plan
    if plan is None or not plan.axes:
        return ()
    seen, surface = surface_of(sweep, found.group)
    if surface is None:
        return ()
    scale, tried = scale_of(sweep, plan), [each.place[0] for each in seen]
    low, high = min(tried) - _MARGIN, max(tried) + _MARGIN
    lrs = _even(low, high, COLUMNS)
    shares = _even(0.0, 1.0, ROWS)
    at = place_of(plan, found.setting or Setting(1.0), None)
    deepest = min(each.place[-1] for each in seen)
    maps = []
    for number, axis in enumerate(plan.axes, 1):
        scores = [
            [
                surface.height((lr, *at[1:number], share, *at[number + 1 : -1], deepest))
                for lr in lrs
            ]
            for share in shares
        ]
        ordered = sorted(score for row in scores for score in row)
        limits = dict.fromkeys(scale.value(quantile(ordered, band)) for band in BANDS)
        values = tuple(tuple(scale.value(score) for score in row) for row in scores)
        maps.append(HeatMap(axis, lrs, shares, values, tuple(limits)))
    return tuple(maps)


def _even(low: float, high: float, count: int) -> tuple[float, ...]:
    return tuple(low + (high - low) * i / (count - 1) for i in range(count))
