"""The curve of a range test with its suggestions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from lrtui.tui.charts.range_chart import inputs, picture
from lrtui.tui.panels.chart_panel import ChartPanel

if TYPE_CHECKING:
    from textual.strip import Strip

    from lrtui.tui.charts.plot import Picture
    from lrtui.tui.view_model import ViewModel


class RangeTest(ChartPanel):
    """The range test of the run under the cursor, or the one chosen with `t`."""

    @override
    def inputs(self, model: ViewModel) -> tuple[object, ...]:
        return inputs(model)

    @override
    def paint(self, model: ViewModel, width: int, height: int) -> list[Strip]:
        from lrtui.tui.charts import plot  # numpy is imported with the first chart

        return plot.draw(picture(model, width, height), width, height, quick=True)

    @override
    def pictures(self, model: ViewModel) -> list[Picture]:
        return [picture(model, self.size.width, self.size.height)]
