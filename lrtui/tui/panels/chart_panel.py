"""The base of the chart panels: drawn in a thread, and only when their inputs have changed."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from typing_extensions import override

from lrtui.tui.panels.lines import Lines

if TYPE_CHECKING:
    from textual.strip import Strip

    from lrtui.tui.charts.plot import Picture
    from lrtui.tui.view_model import ViewModel

_REST_SECONDS = 0.5
"""The time between two drawings of a chart while a directory is being read; the last snapshot is always drawn."""


class ChartPanel(Lines):
    """A chart: `inputs` returns what it depends on, `paint` draws it."""

    def __init__(self, id: str | None = None) -> None:  # noqa: A002  # Textual's word
        super().__init__(id=id)
        self._drawn: tuple[object, ...] = ()
        self._busy = False
        self._rests_until = 0.0

    def inputs(self, model: ViewModel) -> tuple[object, ...]:
        """Return what the picture depends on besides its size; it is only redrawn when this changes."""
        raise NotImplementedError

    def paint(self, model: ViewModel, width: int, height: int) -> list[Strip]:
        """Return the picture; called in a thread, where numpy and plotext may be imported."""
        raise NotImplementedError

    def pictures(self, model: ViewModel) -> list[Picture]:  # noqa: ARG002  # of panels that draw
        """Return the pictures for an export, with more points than cells show; [] for text panels. Called in a thread."""
        return []

    @override
    def redraw(self) -> None:
        """Start drawing if the picture has changed; changes meanwhile are drawn afterwards."""
        width, height = self.size
        model, snapshot = self.model, self.model.snapshot
        if self._busy or not (width and height and self.display) or snapshot is None:
            return
        if snapshot.reading and time.monotonic() < self._rests_until:
            return
        key = (*self.inputs(model), snapshot.reading, width, height)
        if key != self._drawn:
            self._drawn = key
            self._busy = True
            self.run_worker(self._draw(model, width, height), exit_on_error=True)

    async def _draw(self, model: ViewModel, width: int, height: int) -> None:
        try:
            strips = await asyncio.to_thread(self.paint, model, width, height)
            if self.is_mounted and (width, height) == tuple(self.size):
                self.put(strips)
                self._rests_until = time.monotonic() + _REST_SECONDS
            else:
                self._drawn = ()  # hidden or resized meanwhile
        finally:
            self._busy = False
        self.redraw()
