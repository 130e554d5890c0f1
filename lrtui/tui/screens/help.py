"""The help: every key, from the table of keys."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from textual.containers import Vertical
from textual.screen import ModalScreen
from typing_extensions import override

from lrtui.frontend.state_style import LOOKS
from lrtui.tui.keymap import KEYMAP
from lrtui.tui.panels.lines import Lines
from lrtui.tui.styled_text import ACCENT, FAINT, RULE, TEXT, fit, ink, line

if TYPE_CHECKING:
    from rich.segment import Segment
    from textual.app import ComposeResult
    from textual.events import Key
    from textual.strip import Strip

    from lrtui.tui.view_model import ViewModel

_COLUMN = 58


def _entries() -> list[list[Segment]]:
    """Return one line per key under the headings of the groups."""
    lines: list[list[Segment]] = []
    for group, keys in groupby(KEYMAP, key=lambda key: key.group):
        lines.append([ink(fit(group, _COLUMN), TEXT, bold=True)])
        lines.extend(
            [ink(f" {key.shown:>6}  ", ACCENT), ink(fit(key.help, _COLUMN - 9), FAINT)]
            for key in keys
        )
    lines.append([ink(fit("States", _COLUMN), TEXT, bold=True)])
    lines.extend(
        [ink(f" {face.symbol:>6}  ", face.colour), ink(fit(face.word, _COLUMN - 9), FAINT)]
        for face in LOOKS.values()
    )
    return lines


class Sheet(Lines):
    """The keys, in as many columns as fit."""

    top = 0

    @override
    def draw(self, model: ViewModel, width: int, height: int) -> list[Strip]:
        entries = _entries()
        columns = max(1, width // _COLUMN)
        rows = -(-len(entries) // columns)
        self.top = max(0, min(self.top, rows - (height - 1)))
        strips = []
        for row in range(self.top, min(rows, self.top + height - 1)):
            cells = [entries[i] for i in range(row, len(entries), rows)]
            strips.append(line(*(segment for cell in cells for segment in cell)))
        more = "   j k: more" if rows > height - 1 else ""
        return [*strips, line(ink(f" Esc: back{more}", RULE))]


class Help(ModalScreen[None]):
    """The help screen; any key that does not scroll closes it."""

    @override
    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Sheet(id="sheet")

    def on_mount(self) -> None:
        """Set the size."""
        self._fit()

    def on_resize(self) -> None:
        """Fit the new size."""
        self._fit()

    def _fit(self) -> None:
        width, height = self.app.size
        columns = max(1, (width - 6) // _COLUMN)
        rows = -(-len(_entries()) // columns)
        sheet = self.query_one("#sheet", Sheet)
        sheet.styles.width = min(columns * _COLUMN, max(10, width - 6))
        sheet.styles.height = min(rows + 1, max(2, height - 4))

    def on_key(self, event: Key) -> None:
        """Scroll or close."""
        event.stop()
        event.prevent_default()
        sheet = self.query_one("#sheet", Sheet)
        step = {"j": 1, "down": 1, "k": -1, "up": -1, "pagedown": 10, "pageup": -10}.get(event.key)
        if step is None:
            self.dismiss(None)
            return
        sheet.top = max(0, sheet.top + step)
        sheet.redraw()
