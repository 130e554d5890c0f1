"""The curve of a range test, with its suggestions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from lrtui.tui.panels.drawn import Drawn
from lrtui.tui.range_curve import inputs, picture

if TYPE_CHECKING:
    from textual.strip import Strip

    from lrtui.tui.charts import Picture
    from lrtui.tui.scene import Scene


class RangeTest(Drawn):
    """The test behind the run under the cursor, or the one that `t` has turned to."""

    @override
    def inputs(self, scene: Scene) -> tuple[object, ...]:
        return inputs(scene)

    @override
    def paint(self, scene: Scene, width: int, height: int) -> list[Strip]:
        from lrtui.tui import charts  # numpy comes with the first chart

        return charts.draw(picture(scene, width, height), width, height, quick=True)

    @override
    def pictures(self, scene: Scene) -> list[Picture]:
        return [picture(scene, self.size.width, self.size.height)]
