"""Every run's values at the chart's cursor, living runs first: raw, smoothed, and the place of the measurement. Without a cursor, the latest."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from typing_extensions import override

from lrtui.text.clean import clean
from lrtui.text.format import amount_short, duration, number, run_name
from lrtui.tui.charts.curves import (
    axis_name,
    cursor_at,
    inputs,
    metric_for,
    metric_names,
    readings,
)
from lrtui.tui.panels.chart_panel import ChartPanel
from lrtui.tui.panels.lines import rule
from lrtui.tui.styled_text import FAINT, TEXT, fit, ink, line

if TYPE_CHECKING:
    from textual.strip import Strip

    from lrtui.tui.charts.curves import Reading
    from lrtui.tui.view_model import ViewModel

_METRICS = 2
_CELL = 9


class Values(ChartPanel):
    """A titled table: one row per run, the living ones first, by LR."""

    @override
    def inputs(self, model: ViewModel) -> tuple[object, ...]:
        return tuple(inputs(model, metric) for metric in _metrics(model))

    @override
    def paint(self, model: ViewModel, width: int, height: int) -> list[Strip]:
        metrics = _metrics(model)
        where = cursor_at(model)
        at = "latest" if where is None else f"{axis_name(model)} {amount_short(where)}"
        head = "".join(
            f"{fit(clean(name), _CELL, right=True)}{'smooth':>{_CELL}}" for name in metrics
        )
        strips = [
            rule(f"values · {at}", width, "← → move, c: off"),
            line(ink(f" {'run':<13}{head}{'step':>9}{'epoch':>8}{'time':>9}", FAINT)),
        ]
        for run, found in readings(model, metrics, where):
            mark = model.mark(run.id)
            name = ink(f" {fit(run_name(mark.letter, run.setting.lr), 13)}", mark.colour)
            cells = "".join(_cell(reading) for reading in found)
            if found[0].ended is not None:
                cells = fit(f"   {found[0].words}", 2 * _CELL * len(found))
            strips.append(line(name, ink(cells, TEXT), ink(_where(found[0]), FAINT)))
        return strips[:height]


def _metrics(model: ViewModel) -> list[str]:
    plan = model.snapshot.sweep.plan if model.snapshot else None
    objective = plan.metric if plan else ""
    names = metric_names(model)
    return [metric_for(slot, _METRICS, names, objective, model.view.metric) for slot in (0, 1)]


def _cell(reading: Reading) -> str:
    smooth = "" if math.isnan(reading.smooth) else number(reading.smooth)
    return f"{fit(reading.words, _CELL - 1, right=True):>{_CELL}}{smooth:>{_CELL}}"


def _where(reading: Reading) -> str:
    step = "" if reading.step is None else amount_short(reading.step)
    epoch = "" if reading.epoch is None else f"{reading.epoch:.2f}"
    time = "" if reading.time is None else duration(reading.time)
    return f"{step:>9}{epoch:>8}{time:>9}"
