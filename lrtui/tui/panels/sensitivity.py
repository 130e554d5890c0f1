"""The final metric against the learning rate; of a search with axes beside it, a heat map for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.strip import Strip
from typing_extensions import override

from lrtui.tui.charts import heat_map_chart
from lrtui.tui.charts.sensitivity_chart import inputs, picture
from lrtui.tui.panels.chart_panel import ChartPanel

if TYPE_CHECKING:
    from lrtui.tui.charts.plot import Picture
    from lrtui.tui.view_model import ViewModel

_LEAST = 30
"""Cells that a map needs beside another."""


class Sensitivity(ChartPanel):
    """The LRs of the group under the cursor."""

    @override
    def inputs(self, model: ViewModel) -> tuple[object, ...]:
        return inputs(model)

    @override
    def paint(self, model: ViewModel, width: int, height: int) -> list[Strip]:
        from lrtui.tui.charts import plot  # numpy is imported with the first chart

        shown = self._pictures(model, width, height)
        each, rest = divmod(width, len(shown))
        drawn = [
            plot.draw(one, each + (rest if one is shown[-1] else 0), height, quick=True)
            for one in shown
        ]
        return [
            Strip([part for strip in row for part in strip]) for row in zip(*drawn, strict=True)
        ]

    @override
    def pictures(self, model: ViewModel) -> list[Picture]:
        return self._pictures(model, *self.size)

    def _pictures(self, model: ViewModel, width: int, height: int) -> list[Picture]:
        maps = heat_map_chart.pictures(model, width, height)
        return maps[: max(1, width // _LEAST)] or [picture(model, width, height)]
