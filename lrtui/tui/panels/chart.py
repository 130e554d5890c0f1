"""A chart of one metric with all runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from lrtui.tui.charts.curves import Framing, inputs, metric_for, metric_names, picture
from lrtui.tui.panels.chart_panel import ChartPanel

if TYPE_CHECKING:
    from textual.strip import Strip

    from lrtui.tui.charts.plot import Picture
    from lrtui.tui.view_model import ViewModel


class Chart(ChartPanel):
    """One of up to four charts; its slot decides which metric it shows."""

    def __init__(self, slot: int) -> None:
        super().__init__(id=f"chart{slot}")
        self.slot = slot
        self.shown = 1
        """The number of charts on the screen."""
        self._framing = Framing()
        self._canvas = range(0)
        """The first and the last column of the x axis in the panel."""

    def place_at(self, x: int) -> float | None:
        """Return the position of a column on the whole x axis, 0 to 1; None if there is no chart."""
        if len(self._canvas) < 2:
            return None
        low, high = self.model.view.window
        across = (x - self._canvas.start) / (len(self._canvas) - 1)
        return low + max(0.0, min(across, 1.0)) * (high - low)

    @override
    def inputs(self, model: ViewModel) -> tuple[object, ...]:
        return (*inputs(model, self._metric(model)), self.shown)

    @override
    def paint(self, model: ViewModel, width: int, height: int) -> list[Strip]:
        from lrtui.tui.charts import plot  # numpy and plotext are imported with the first chart

        shown = self._picture(model, width, height, self._framing)
        self._canvas = plot.canvas_columns(shown, width)
        reading = model.snapshot is not None and model.snapshot.reading
        return plot.draw(shown, width, height, quick=reading)

    @override
    def pictures(self, model: ViewModel) -> list[Picture]:
        framing = Framing(dict(self._framing.y), dict(self._framing.x))
        width, height = self.size
        return [self._picture(model, width or 80, height or 30, framing, fine=True)]

    def _picture(
        self, model: ViewModel, width: int, height: int, framing: Framing, *, fine: bool = False
    ) -> Picture:
        alone = self.shown == 1
        metric = self._metric(model)
        return picture(model, metric, width - 8, height - 3, framing, alone=alone, fine=fine)

    def _metric(self, model: ViewModel) -> str:
        plan = model.snapshot.sweep.plan if model.snapshot else None
        objective = plan.metric if plan else ""
        names = metric_names(model) or ([plan.loss] if plan else [])
        return metric_for(self.slot, self.shown, names, objective, model.view.metric)
