"""The help: every key and every symbol of a state, in two columns where they fit; `/` filters it."""

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
    from collections.abc import Iterator

    from rich.segment import Segment
    from textual.app import ComposeResult
    from textual.events import Key
    from textual.strip import Strip

    from lrtui.tui.view_model import ViewModel

_COLUMN = 57
_NOTHING = [ink(" " * _COLUMN)]
_STEPS = {"j": 1, "down": 1, "k": -1, "up": -1, "pagedown": 10, "pageup": -10}
_ENDS = {"g": 0, "home": 0, "G": 10**6, "end": 10**6}


def _columns(wanted: str, most: int) -> list[list[list[Segment]]]:
    """Return at most `most` columns, as low as can be, of one line per key or state that contains the text; each begins with the heading of a group."""
    groups = _groups(wanted)
    tallest = max(map(len, groups), default=0)
    for rows in range(tallest, sum(map(len, groups)) + 1):
        columns: list[list[list[Segment]]] = []
        for group in groups:
            if columns and len(columns[-1]) + len(group) <= rows:
                columns[-1] += group
            else:
                columns.append(list(group))
        if len(columns) <= most:
            return columns
    return []


def _groups(wanted: str) -> list[list[list[Segment]]]:
    """Return the lines of each group that has any, its heading first."""
    groups: list[list[list[Segment]]] = []
    for group, entries in groupby(_all(), key=lambda entry: entry[0]):
        found = [e for e in entries if wanted.lower() in f"{group} {e[1]} {e[3]}".lower()]
        lines = [
            [ink(f" {symbol:>6}  ", colour), ink(fit(text, _COLUMN - 9), FAINT)]
            for _, symbol, colour, text in found
        ]
        if lines:
            groups.append([[ink(fit(group, _COLUMN), TEXT, bold=True)], *lines])
    return groups


def _all() -> Iterator[tuple[str, str, str, str]]:
    """Yield (group, key or symbol, its colour, what it does or means)."""
    for key in KEYMAP:
        yield key.group, key.shown, ACCENT, key.help
    for face in LOOKS.values():
        yield "States", face.symbol, face.colour, face.word


class Sheet(Lines):
    """The keys, in as many columns as fit."""

    top = 0
    filter: str | None = None
    """What was typed after `/`; None while letters scroll."""

    @override
    def draw(self, model: ViewModel, width: int, height: int) -> list[Strip]:
        columns = _columns(self.filter or "", max(1, width // _COLUMN))
        rows = max(map(len, columns), default=0)
        body = height - 1
        self.top = max(0, min(self.top, rows - body))
        strips = []
        for row in range(self.top, min(rows, self.top + body)):
            cells = [column[row] if row < len(column) else _NOTHING for column in columns]
            strips.append(line(*(segment for cell in cells for segment in cell)))
        if not columns:
            strips = [line(ink(" no key matches", FAINT))]
        strips += [line(ink(" "))] * (body - len(strips))
        if self.filter is not None:
            return [*strips, line(ink(f" /{self.filter}_", TEXT), ink("  Esc: all keys", RULE))]
        more = "j k: more   " if rows > body else ""
        return [*strips, line(ink(f" {more}/: find   Esc: back", RULE))]


class Help(ModalScreen[None]):
    """The help screen; Esc, `?` and `q` close it."""

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
        columns = max(1, (width - 4) // _COLUMN)
        rows = max(map(len, _columns("", columns)))
        sheet = self.query_one("#sheet", Sheet)
        sheet.styles.width = min(columns * _COLUMN, max(10, width - 4))
        sheet.styles.height = min(rows + 1, max(2, height - 2))

    def on_key(self, event: Key) -> None:
        """Scroll, filter, or close."""
        event.stop()
        event.prevent_default()
        sheet = self.query_one("#sheet", Sheet)
        if event.key in _STEPS and (sheet.filter is None or len(event.key) > 1):
            sheet.top = max(0, sheet.top + _STEPS[event.key])
        elif sheet.filter is not None:
            sheet.top, sheet.filter = 0, _typed(sheet.filter, event)
        elif event.key in _ENDS:
            sheet.top = _ENDS[event.key]
        elif event.key == "slash":
            sheet.filter = ""
        elif event.key in {"escape", "q", "question_mark"}:
            self.dismiss(None)
        sheet.redraw()


def _typed(text: str, event: Key) -> str | None:
    """Return the filter after a key; None when it is given up."""
    if event.key == "escape" or (event.key == "backspace" and not text):
        return None
    if event.key == "backspace":
        return text[:-1]
    return text + (event.character or "") if event.is_printable else text
