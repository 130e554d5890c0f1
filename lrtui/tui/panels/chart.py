"""A chart of one metric with every run on it, drawn in a thread and only when what it shows has changed."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from typing_extensions import override

from lrtui.tui.curves import Framing, inputs, metric_for, metric_names, picture
from lrtui.tui.panels.lines import Lines

if TYPE_CHECKING:
    from textual.strip import Strip

    from lrtui.tui.scene import Scene

_REST_SECONDS = 0.5
"""Between two drawings of one chart while a directory is being read; the last look always draws."""


class Chart(Lines):
    """One of up to four charts; its slot decides what it shows."""

    def __init__(self, slot: int) -> None:
        super().__init__(id=f"chart{slot}")
        self.slot = slot
        self.shown = 1
        """How many charts share the screen."""
        self._framing = Framing()
        self._drawn: tuple[object, ...] = ()
        self._busy = False
        self._rests_until = 0.0

    @override
    def redraw(self) -> None:
        """Begin to draw if the picture would differ; what changes meanwhile is drawn afterwards."""
        width, height = self.size
        scene, snapshot = self.scene, self.scene.snapshot
        if self._busy or not (width and height and self.display) or snapshot is None:
            return
        names = metric_names(scene)
        plan = snapshot.sweep.plan
        objective = plan.metric if plan else ""
        metric = metric_for(self.slot, self.shown, names, objective, scene.view.turn)
        if snapshot.reading and time.monotonic() < self._rests_until:
            return
        key = (*inputs(scene, metric), self.shown, snapshot.reading, width, height)
        if key != self._drawn:
            self._drawn = key
            self._busy = True
            self.run_worker(self._draw(scene, metric, width, height), exit_on_error=True)

    async def _draw(self, scene: Scene, metric: str, width: int, height: int) -> None:
        try:
            strips = await asyncio.to_thread(self._strips_of, scene, metric, width, height)
            if self.is_mounted and (width, height) == tuple(self.size):
                self.put(strips)
        finally:
            self._busy = False
            self._rests_until = time.monotonic() + _REST_SECONDS
        self.redraw()

    def _strips_of(self, scene: Scene, metric: str, width: int, height: int) -> list[Strip]:
        from lrtui.tui import charts  # numpy and plotext come with the first chart

        alone = self.shown == 1
        shown = picture(scene, metric, width - 8, height - 3, self._framing, alone=alone)
        reading = scene.snapshot is not None and scene.snapshot.reading
        return charts.draw(shown, width, height, quick=reading)
