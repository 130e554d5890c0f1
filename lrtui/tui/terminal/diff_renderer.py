"""Sends the terminal only the changed cells, and never more frames than it can take.

Textual writes whole spans: 14 KB for an update in which a few hundred bytes change, and behind a slow link its queue fills and
then blocks the keys (measured with 8.2.8). Here a grid remembers what was sent. An update is painted into a second grid; the
writer asks for the difference when it has caught up, so updates in between replace each other: the latest frame wins.
`App._display` is a private hook: if it does not look as expected, or LRTUI_PLAIN is set, Textual writes as usual.
"""

from __future__ import annotations

import os
import re
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.cells import cell_len
from textual import constants
from textual._compositor import ChopsUpdate, LayoutUpdate
from typing_extensions import override

from lrtui.tui.terminal import ascii_fallback
from lrtui.tui.terminal.driver import SYNC_END, SYNC_START, TerminalDriver
from lrtui.tui.themes import reduced

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.color import Color, ColorSystem
    from rich.segment import Segment
    from rich.style import Style
    from textual.driver import Driver

Cell = tuple[str, "Style | None"]
"""The content of a cell; "" to the right of a wide character."""
_NOTHING: Cell = ("\0", None)
"""Differs from every cell: the terminal's content here is unknown."""
_SHORT_GAP = 4
"""The number of unchanged cells that are cheaper to rewrite than to skip."""
_ALL = 1 << 30
_RESIZE_SECONDS = 0.1
"""The time between two layouts while the terminal is being resized."""
_SYNCED = 200
"""The size in bytes from which a frame is worth the 16 bytes that make the terminal show it at once."""
_MOST_IN_CELL = 8
"""The longest cell in characters: a letter and its combining characters."""
_NO_COLOUR = bool(os.environ.get("NO_COLOR"))


class Grid:
    """The actual and the wanted content of the terminal. Painted in one thread, sent in another."""

    def __init__(self, width: int, height: int, *, plain: bool = False) -> None:
        self.width = width
        self.height = height
        self._plain = plain
        """Whether every cell is shown in ASCII."""
        self._sent: list[list[Cell]] = [[_NOTHING] * width for _ in range(height)]
        self._wanted: list[list[Cell]] = [[_NOTHING] * width for _ in range(height)]
        self._waits: dict[int, int] = {}
        """Rows that may differ, and the number of frames sent without them."""
        self._lock = threading.Lock()

    def put(self, x: int, y: int, segments: Iterable[Segment]) -> None:
        """Paint segments from (x, y) to the right."""
        if not 0 <= y < self.height:
            return
        with self._lock:
            row = self._wanted[y]
            self._waits.setdefault(y, 0)
            for text, style, control in segments:
                if control:
                    continue
                if not self._plain and _NARROW(text) and x >= 0 and x + len(text) <= self.width:
                    x = _put_narrow(row, x, text, style)
                    continue
                for char in text:
                    x = self._put(row, x, char, style)

    def _put(self, row: list[Cell], x: int, char: str, style: Style | None) -> int:
        """Paint one character; return where the next one goes."""
        size = 1 if _is_narrow(char) else cell_len(char)
        if size == 0:
            if char >= "\xa0" and not self._plain:
                _combine(row, x - 1, char)
            return x
        if self._plain:
            for each in ascii_fallback.plain(char):
                if 0 <= x < self.width:
                    row[x] = (each, style)
                x += 1
            return x
        if 0 <= x < self.width:
            if row[x][0] == "":  # the right half of a wide character, which goes with its left one
                row[x - 1] = (" ", row[x - 1][1])
            after = x + size
            if after < self.width and row[after][0] == "":
                row[after] = (" ", row[after][1])
            if size == 1:
                row[x] = (char, style)
            elif after <= self.width:
                row[x : x + 2] = (char, style), ("", style)
            else:
                row[x] = (" ", style)
        return x + size

    def difference(self, colours: ColorSystem | None, room: int = _ALL) -> str:
        """Return about `room` bytes that bring the terminal closer to the wanted content; "" if there is no difference.

        If not everything fits, the cheapest rows come first, and those that have waited long: the response to a key is a row
        or two, a chart is many.
        """
        with self._lock:
            out: list[str] = []
            pen = _Pen(colours)
            for y in self._order(room):
                if room <= 0:
                    self._waits[y] += 1
                    continue
                text = self._row(y, pen, room)
                room -= len(text)
                out.append(text)
                if self._sent[y] == self._wanted[y]:
                    del self._waits[y]
                else:
                    self._waits[y] += 1
            text = "".join(out)
            return f"{text}\x1b[0m" if text else ""

    def _order(self, room: int) -> list[int]:
        """Return the rows that differ, in sending order; drop those that do not."""
        changes = {}
        for y in sorted(self._waits):
            sent, wanted = self._sent[y], self._wanted[y]
            if sent == wanted:
                del self._waits[y]
            else:
                changes[y] = sum(a != b for a, b in zip(sent, wanted, strict=True))
        if 4 * sum(changes.values()) < room:
            return list(changes)
        return sorted(changes, key=lambda y: changes[y] / (1 + self._waits[y]))

    def _row(self, y: int, pen: _Pen, room: int) -> str:
        """Return the changes of one row, up to `room` bytes, and record them as sent."""
        sent, wanted = self._sent[y], self._wanted[y]
        out: list[str] = []
        length = 0
        for start, end in list(_stretches(sent, wanted)):
            out.append(f"\x1b[{start + 1}G" if out else f"\x1b[{y + 1};{start + 1}H")
            sure = True
            for x in range(start, end):
                char, style = wanted[x]
                if not char:  # came with the wide character to its left
                    sent[x] = wanted[x]
                    continue
                if length > room:
                    return "".join(out)
                if not sure:
                    out.append(f"\x1b[{x + 1}G")
                look = pen.take(style)
                out.append(look + char)
                length += len(look) + len(char)
                # Terminals disagree on the width of unusual characters, so the cursor is set again after them.
                sure = len(char) == 1 and _is_narrow(char)
                sent[x] = wanted[x]
        return "".join(out)

    def forget(self) -> None:
        """Mark the terminal's content as unknown, so that everything is sent again."""
        with self._lock:
            self._sent = [[_NOTHING] * self.width for _ in range(self.height)]
            self._waits = dict.fromkeys(range(self.height), 0)


_NARROW = re.compile(r"[ -~\u2500-\u259f\u2800-\u28ff]*").fullmatch
"""Whether each character of a text takes one cell, as `_is_narrow` says of one."""


def _put_narrow(row: list[Cell], x: int, text: str, style: Style | None) -> int:
    """Paint a text whose characters take one cell each, and all have room; return where the next one goes."""
    after = x + len(text)
    if text and row[x][0] == "":  # the right half of a wide character, which goes with its left one
        row[x - 1] = (" ", row[x - 1][1])
    if text and after < len(row) and row[after][0] == "":
        row[after] = (" ", row[after][1])
    row[x:after] = [(char, style) for char in text]
    return after


def _is_narrow(char: str) -> bool:
    """Return without a table lookup whether a character takes one cell: ASCII, boxes, blocks and braille do."""
    return " " <= char < "\x7f" or "\u2500" <= char < "\u25a0" or "\u2800" <= char < "\u2900"


def _combine(row: list[Cell], x: int, char: str) -> None:
    """Add a combining character to the one at x."""
    if 0 < x < len(row) and row[x][0] == "":
        x -= 1
    if 0 <= x < len(row) and row[x] is not _NOTHING and len(row[x][0]) < _MOST_IN_CELL:
        row[x] = (row[x][0] + char, row[x][1])


def _stretches(sent: list[Cell], wanted: list[Cell]) -> Iterable[tuple[int, int]]:
    """Yield (start, end) of the parts of a row to write; none starts in the right half of a wide character."""
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


class _CellStyle(NamedTuple):
    """A style as the numbers of escape sequences; "" for the default."""

    manner: str
    """Attributes such as bold and reverse."""
    front: str
    back: str


_USUAL = _CellStyle("", "", "")
_cell_styles: dict[tuple[Style, ColorSystem], _CellStyle] = {}


class _Pen:
    """Tracks the current style of the terminal."""

    def __init__(self, colours: ColorSystem | None) -> None:
        self._colours = colours
        self._cell_style: _CellStyle | None = None
        self._style: Style | None = None

    def take(self, style: Style | None) -> str:
        """Return the escape sequence that switches to a style; "" if it is active, only colours if only they differ."""
        if style is self._style and self._cell_style is not None:
            return ""  # most cells are as the one before, and a style's hash costs
        self._style = style
        look = _cell_style(style, self._colours)
        before, self._cell_style = self._cell_style, look
        if look == before:
            return ""
        if before is None or look.manner != before.manner or "" in look[1:]:
            numbers = ["0", *filter(None, look)]
        else:
            numbers = [new for new, old in zip(look, before, strict=True) if new != old]
        return f"\x1b[{';'.join(numbers)}m"


def _cell_style(style: Style | None, colours: ColorSystem | None) -> _CellStyle:
    if style is None or colours is None:
        return _USUAL
    found = _cell_styles.get((style, colours))
    if found is None:
        if len(_cell_styles) > 4096:
            _cell_styles.clear()
        bare = style.without_color.update_link(None)
        found = _cell_styles[style, colours] = _CellStyle(
            bare.render("\0", color_system=colours).partition("\0")[0][2:-1],
            _numbers(style.color, colours, front=True),
            _numbers(style.bgcolor, colours, front=False),
        )
    return found


def _numbers(colour: Color | None, colours: ColorSystem, *, front: bool) -> str:
    if colour is None or _NO_COLOUR:  # Textual would send shades of grey
        return ""
    return ";".join(reduced(colour, colours).get_ansi_codes(front))


class DiffRenderer:
    """A mixin before App that replaces how updates reach the terminal."""

    most_bytes = 0
    """The bytes that may be sent per second; 0 for no limit."""
    _grid: Grid | None = None
    _resized_at = 0.0
    _plain = bool(os.environ.get("LRTUI_PLAIN"))

    @override
    def get_driver_class(self) -> type[Driver]:  # type: ignore[misc]
        if self._plain or constants.DRIVER:  # textual-serve sets its own driver
            return super().get_driver_class()  # type: ignore[misc,no-any-return]
        return TerminalDriver

    @override
    def _display(self, screen: Any, renderable: Any) -> None:  # type: ignore[misc]
        app: Any = self
        if self._plain or app.is_headless or not self._paint(app, renderable):
            super()._display(screen, renderable)  # type: ignore[misc]
            return
        try:
            self._send_frame(app)
        finally:
            app.post_display_hook()

    def _paint(self, app: Any, update: Any) -> bool:
        """Paint an update into the grid; return False if Textual should write it itself."""
        if update is None or app._batch_count or not app._running or app._closed:  # noqa: SLF001
            return False
        if not isinstance(update, (ChopsUpdate, LayoutUpdate)):
            self.repaint_all()
            return False
        width, height = app.size
        if self._grid is None or (self._grid.width, self._grid.height) != (width, height):
            self._grid = Grid(width, height, plain=ascii_fallback.wanted())
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

    def _send_frame(self, app: Any) -> None:
        """Send the changes when the line is free; a driver without a writer sends them at once."""
        driver = app._driver  # noqa: SLF001
        if driver is None:
            return
        writer = getattr(driver, "writer", None)
        if writer is not None:
            writer.source = self._next_frame
            writer.wake()
        elif text := self._next_frame(_ALL):
            driver.write(text)
            driver.flush()

    def _next_frame(self, room: int) -> str:
        """Return about `room` bytes of the pending changes."""
        app: Any = self
        if self._grid is None:
            return ""
        text = self._grid.difference(app.console._color_system, room)  # noqa: SLF001
        sync = app._sync_available and len(text) > _SYNCED  # noqa: SLF001
        return f"{SYNC_START}{text}{SYNC_END}" if sync else text

    @override
    def _check_resize(self) -> None:  # type: ignore[misc]
        """Lay out for a new size, but not for every intermediate one."""
        app: Any = self
        rest = self._resized_at + _RESIZE_SECONDS - time.monotonic()
        if app._resize_timer is not None:  # noqa: SLF001
            app._resize_timer.stop()  # noqa: SLF001
            app._resize_timer = None  # noqa: SLF001
        if rest > 0 and not app.is_headless:
            app._resize_timer = app.set_timer(rest, self._check_resize)  # noqa: SLF001
            return
        self._resized_at = time.monotonic()
        super()._check_resize()  # type: ignore[misc]

    def repaint_all(self) -> None:
        """Send everything again with the next frame."""
        if self._grid is not None:
            self._grid.forget()
