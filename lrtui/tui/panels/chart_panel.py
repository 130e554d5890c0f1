"""The base of the chart panels: drawn in a thread, and only when their inputs have changed."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from msgspec.structs import replace
from typing_extensions import override

from lrtui.tui.panels.lines import Lines
from lrtui.tui.view_model import View

if TYPE_CHECKING:
    from textual.strip import Strip

    from lrtui.tui.charts.plot import Picture
    from lrtui.tui.view_model import ViewModel

_FRAME_SECONDS = 0.01
"""What the terminal's writer gets before a chart is drawn again: both need the interpreter, and a key's first bytes are few."""
_REST_SECONDS, _LONGEST_REST = 0.5, 2.0
"""The time between two drawings of a chart while a directory is being read; the last snapshot is always drawn, and what a key asks for."""
_RESTS = 15
"""How many times as long as its drawing took a chart rests then: what it takes of the interpreter's time is taken from the reading."""


class ChartPanel(Lines):
    """A chart: `inputs` returns what it depends on, `paint` draws it."""

    def __init__(self, id: str | None = None) -> None:  # noqa: A002  # Textual's word
        super().__init__(id=id)
        self._drawn: tuple[object, ...] = ()
        self._busy = False
        self._rests_until = 0.0
        self._asked = View()
        """What the user had chosen when it was drawn."""

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
        if not self._busy and self._changed():
            self._busy = True
            self.run_worker(self._draw(), exit_on_error=True)

    @override
    def fit(self) -> None:
        """Keep the picture: the next one comes from the thread."""

    @property
    def is_current(self) -> bool:
        """Whether the picture is that of the model, or none is shown."""
        return not self._busy and not self._changed()

    def _changed(self) -> tuple[object, ...]:
        """Return what the picture depends on if it is to be drawn now; else ()."""
        width, height = self.size
        snapshot = self.model.snapshot
        if not (width and height and self.display) or snapshot is None:
            return ()
        resting = snapshot.reading and time.monotonic() < self._rests_until
        if resting and _asked(self.model.view) == self._asked:
            return ()
        key = (*self.inputs(self.model), snapshot.reading, width, height)
        return key if key != self._drawn else ()

    async def _draw(self) -> None:
        """Draw what is wanted once the frame with everything else is on its way, so that no key waits for a chart."""
        try:
            if self._strips:
                await self._frame_shown()
            if wanted := self._changed():
                self._drawn = wanted
                self._asked = _asked(self.model.view)
                width, height = self.size
                began = time.monotonic()
                strips = await asyncio.to_thread(self.paint, self.model, width, height)
                if self.is_mounted and (width, height) == tuple(self.size):
                    self.put(strips)
                    now = time.monotonic()
                    rest = min(max(_REST_SECONDS, _RESTS * (now - began)), _LONGEST_REST)
                    self._rests_until = now + rest
                else:
                    self._drawn = ()  # hidden or resized meanwhile
        finally:
            self._busy = False
        self.redraw()

    async def _frame_shown(self) -> None:
        shown = asyncio.Event()
        if self.call_after_refresh(shown.set):
            await shown.wait()
            await asyncio.sleep(_FRAME_SECONDS)


def _asked(view: View) -> View:
    """Return what the user chose: not the run under a cursor that is on the leader by itself."""
    return view if view.moved else replace(view, selected="")
