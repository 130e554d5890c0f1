"""A list to choose from: typing filters it, the arrows move, Enter chooses the line under the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input
from typing_extensions import override

from lrtui.tui.panels.lines import Lines
from lrtui.tui.screens.confirm import Text
from lrtui.tui.styled_text import FAINT, TEXT, fit, ink, line, width_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.events import Key, MouseDown
    from textual.strip import Strip

    from lrtui.tui.view_model import ViewModel

_STEPS = {"down": 1, "up": -1, "pagedown": 8, "pageup": -8, "tab": 1, "shift+tab": -1}


class Entry(NamedTuple):
    """One line of the list."""

    value: str
    text: str
    note: str


class Choices(Lines):
    """The entries that match the typed text, one of them under the cursor."""

    def __init__(self, entries: Sequence[Entry], current: str) -> None:
        super().__init__(id="choices")
        self.entries = list(entries)
        self.shown = list(entries)
        values = [entry.value for entry in entries]
        self.at = values.index(current) if current in values else 0
        self.first = 0

    @property
    def chosen(self) -> str | None:
        """The value under the cursor; None if nothing matches."""
        return self.shown[self.at].value if self.shown else None

    def narrow(self, text: str) -> None:
        """Show only the entries that contain every word of a text."""
        words = text.lower().split()
        before = self.chosen
        self.shown = [e for e in self.entries if all(word in e.text.lower() for word in words)]
        values = [entry.value for entry in self.shown]
        self.at = values.index(before) if before in values else 0
        self.redraw()

    def move(self, step: int) -> None:
        """Move the cursor."""
        self.at = max(0, min(self.at + step, len(self.shown) - 1))
        self.redraw()

    @override
    def draw(self, model: ViewModel, width: int, height: int) -> list[Strip]:
        if not self.shown:
            return [line(ink(fit(" no match", width), FAINT))]
        self.first = max(min(self.first, self.at), self.at - height + 1)
        strips = []
        for index, entry in enumerate(self.shown[self.first : self.first + height], self.first):
            here = index == self.at
            room = max(1, width - width_of(entry.note) - 3)
            text = ink(f" {fit(entry.text, room)} ", TEXT, reverse=here, bold=here)
            strips.append(line(text, ink(f"{entry.note} ", FAINT, reverse=here)))
        return strips


class Pick(ModalScreen[str | None]):
    """Returns the chosen value, or None if cancelled."""

    AUTO_FOCUS = "Input"

    def __init__(self, title: str, entries: Sequence[Entry], current: str) -> None:
        super().__init__()
        self.title_text = title
        self.choices = Choices(entries, current)

    @override
    def compose(self) -> ComposeResult:
        field = Input(id="answer", placeholder="type to filter")
        field.cursor_blink = False
        with Vertical(classes="dialog"):
            yield Text([(self.title_text.ljust(50), TEXT)])
            yield field
            yield self.choices
            yield Text([("↑ ↓ move   Enter choose   Esc cancel".ljust(50), FAINT)])

    def on_mount(self) -> None:
        """Set the size."""
        self._fit()

    def on_resize(self) -> None:
        """Fit the new size."""
        self._fit()

    def _fit(self) -> None:
        entries = self.choices.entries
        width = max([50, *(width_of(e.text + e.note) + 4 for e in entries)])
        self.choices.styles.width = min(width, max(20, self.app.size.width - 6))
        self.choices.styles.height = max(1, min(len(entries), self.app.size.height - 8))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter the list."""
        self.choices.narrow(event.value)

    def on_input_submitted(self) -> None:
        """Choose the line under the cursor, if there is one."""
        if self.choices.chosen is not None:
            self.dismiss(self.choices.chosen)

    def on_key(self, event: Key) -> None:
        """Move the cursor or cancel."""
        if event.key == "escape":
            event.stop()
            self.dismiss(None)
        elif event.key in _STEPS:
            event.stop()
            event.prevent_default()
            self.choices.move(_STEPS[event.key])

    def on_mouse_down(self, event: MouseDown) -> None:
        """Choose the clicked line."""
        widget, region = self.get_widget_at(event.screen_x, event.screen_y)
        at = self.choices.first + event.screen_y - region.y
        if widget is self.choices and at < len(self.choices.shown):
            self.dismiss(self.choices.shown[at].value)

    def on_mouse_scroll_down(self) -> None:
        """Move down."""
        self.choices.move(1)

    def on_mouse_scroll_up(self) -> None:
        """Move up."""
        self.choices.move(-1)
