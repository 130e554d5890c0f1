"""Sends the terminal only the cells that changed, and never more frames than it takes.

Textual writes whole spans: 14 KB for an update in which a few hundred bytes change, and behind a slow link its queue fills and
then blocks the keys (measured with 8.2.8). Here a grid remembers what was sent. An update is painted into a second grid; the
difference is written when the writer has caught up, so what comes meanwhile replaces it: the latest frame wins.
`App._display` is a private hook: where it does not look as expected, or LRTUI_PLAIN is set, Textual's own way is taken.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from textual._compositor import ChopsUpdate, LayoutUpdate
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.color import ColorSystem
    from rich.segment import Segment
    from rich.style import Style

Cell = tuple[str, "Style | None"]
"""What stands in a cell; "" to the right of a wide character."""
_NOTHING: Cell = ("\0", None)
"""Differs from every cell: what the terminal shows here is not known."""
_SHORT_GAP = 4
"""Unchanged cells that cost less to write again than to jump over."""
_BACKLOG = 3
"""Writes in the writer's queue from which on a frame waits."""
_NO_COLOUR = bool(os.environ.get("NO_COLOR"))
SYNC_START, SYNC_END = "\x1b[?2026h", "\x1b[?2026l"


class Grid:
    """What the terminal shows, and what it should show."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self.sent: list[list[Cell]] = [[_NOTHING] * width for _ in range(height)]
        self.wanted: list[list[Cell]] = [[_NOTHING] * width for _ in range(height)]
        self.dirty: set[int] = set()

    def put(self, x: int, y: int, segments: Iterable[Segment]) -> None:
        """Paint segments from (x, y) to the right."""
        if not 0 <= y < self.height:
            return
        row = self.wanted[y]
        self.dirty.add(y)
        for text, style, control in segments:
            if control:
                continue
            for char in text:
                size = 1 if " " <= char < "\x7f" or "\u2500" <= char < "\u2900" else cell_len(char)
                if size == 0:
                    if 0 < x <= self.width and row[x - 1] is not _NOTHING:
                        before, look = row[x - 1]
                        row[x - 1] = (before + char, look)
                    continue
                if x < self.width:
                    row[x] = (char, style)
                    if size == 2 and x + 1 < self.width:
                        row[x + 1] = ("", style)
                x += size

    def difference(self, colours: ColorSystem | None) -> str:
        """Return what brings the terminal from what it shows to what it should; afterwards they are the same."""
        out: list[str] = []
        pen: str | None = None
        for y in sorted(self.dirty):
            sent, wanted = self.sent[y], self.wanted[y]
            if sent == wanted:
                continue
            for start, end in _stretches(sent, wanted):
                out.append(f"\x1b[{y + 1};{start + 1}H")
                for text, style in wanted[start:end]:
                    sgr = _sgr(style, colours)
                    if sgr != pen:
                        out.append(f"\x1b[0m{sgr}")
                        pen = sgr
                    out.append(text)
            self.sent[y] = list(wanted)
        self.dirty.clear()
        if out:
            out.append("\x1b[0m")
        return "".join(out)

    def forget(self) -> None:
        """Take the terminal's content as unknown: everything is sent again."""
        self.sent = [[_NOTHING] * self.width for _ in range(self.height)]
        self.dirty = set(range(self.height))


def _stretches(sent: list[Cell], wanted: list[Cell]) -> Iterable[tuple[int, int]]:
    """Yield (start, end) of what to write in one row; never beginning in the right half of a wide character."""
    start = end = -1
    for x, cell in enumerate(wanted):
        if cell == sent[x] or cell is _NOTHING:
            continue
        if start >= 0 and x - end <= _SHORT_GAP and _NOTHING not in wanted[end:x]:
            end = x + 1
            continue
        if start >= 0:
            yield start, end
        start, end = x, x + 1
        while start and wanted[start][0] == "":
            start -= 1
    if start >= 0:
        yield start, end


_sgr_cache: dict[tuple[Style | None, ColorSystem | None], str] = {}


def _sgr(style: Style | None, colours: ColorSystem | None) -> str:
    """Return the escape sequence that turns a style on."""
    if style is None:
        return ""
    if _NO_COLOUR:
        style = style.without_color  # Textual would send shades of grey
    key = (style, colours)
    found = _sgr_cache.get(key)
    if found is None:
        if len(_sgr_cache) > 4096:
            _sgr_cache.clear()
        found = style.render("\0", color_system=colours).partition("\0")[0] if colours else ""
        _sgr_cache[key] = found
    return found


class Frames:
    """Mix into an App, before it: replaces how updates reach the terminal."""

    _grid: Grid | None = None
    _frame_waits = False
    _plain = bool(os.environ.get("LRTUI_PLAIN"))

    @override
    def _display(self, screen: Any, renderable: Any) -> None:  # type: ignore[misc]
        app: Any = self
        if self._plain or app.is_headless or not self._paint(app, renderable):
            super()._display(screen, renderable)  # type: ignore[misc]
            return
        try:
            self.send_frame()
        finally:
            app.post_display_hook()

    def _paint(self, app: Any, update: Any) -> bool:
        """Paint an update into the grid; return False where Textual should write it itself."""
        if update is None or app._batch_count or not app._running or app._closed:  # noqa: SLF001
            return False
        if not isinstance(update, (ChopsUpdate, LayoutUpdate)):
            self.repaint_all()
            return False
        width, height = app.size
        if self._grid is None or (self._grid.width, self._grid.height) != (width, height):
            self._grid = Grid(width, height)
        grid = self._grid
        if isinstance(update, LayoutUpdate):
            for y, strips in enumerate(update.strips, update.region.y):
                x = update.region.x
                for strip in strips:
                    grid.put(x, y, strip)
                    x += strip.cell_length
            return True
        for y, start, end in update.spans:
            for chop_end, (x, chop) in zip(
                update.chop_ends[y], update.chops[y].items(), strict=False
            ):
                if chop is None or x > end or chop_end <= start:
                    continue
                grid.put(x, y, chop if chop_end <= end else chop.crop(0, end - x))
        return True

    def send_frame(self) -> None:
        """Write what has changed, now or when the writer has caught up."""
        app: Any = self
        driver = app._driver  # noqa: SLF001
        if self._grid is None or driver is None:
            return
        writer = getattr(driver, "_writer_thread", None)
        if writer is not None and writer._queue.qsize() > _BACKLOG:  # noqa: SLF001
            if not self._frame_waits:
                self._frame_waits = True
                app.set_timer(0.05, self._send_late)
            return
        text = self._grid.difference(app.console._color_system)  # noqa: SLF001
        if text:
            sync = app._sync_available  # noqa: SLF001
            driver.write(f"{SYNC_START}{text}{SYNC_END}" if sync else text)
            driver.flush()

    def _send_late(self) -> None:
        self._frame_waits = False
        self.send_frame()

    def repaint_all(self) -> None:
        """Send everything again with the next frame."""
        if self._grid is not None:
            self._grid.forget()
