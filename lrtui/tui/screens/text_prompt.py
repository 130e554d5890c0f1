"""A question answered by typing; the text is checked and its interpretation echoed at each key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input
from typing_extensions import override

from lrtui.frontend.state_style import BAD, OK
from lrtui.tui.screens.confirm import Text
from lrtui.tui.styled_text import FAINT, TEXT

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult
    from textual.events import Key


class Ask(ModalScreen[str | None]):
    """Returns the valid text, or None if cancelled."""

    AUTO_FOCUS = "Input"

    def __init__(
        self, title: str, value: str, note: str, check: Callable[[str], tuple[bool, str]]
    ) -> None:
        """Create the prompt; `check` returns whether a text is valid, and a message about it."""
        super().__init__()
        self.title_text = title
        self.value = value
        self.note = note
        self.check = check

    @override
    def compose(self) -> ComposeResult:
        field = Input(self.value, id="answer", select_on_focus=True)
        field.cursor_blink = False
        width = max(46, len(self.title_text), len(self.note))
        with Vertical(classes="dialog"):
            yield Text([(self.title_text.ljust(width), TEXT), (self.note.ljust(width), FAINT)])
            yield field
            yield Text([(" " * width, FAINT)], id="echo")
            yield Text([("Enter accept   Esc cancel".ljust(width), FAINT)])

    def on_mount(self) -> None:
        """Show the message for the initial text."""
        self._echo(self.value)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show the message for the typed text."""
        self._echo(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Close with a valid text; keep the prompt open otherwise."""
        if self.check(event.value)[0]:
            self.dismiss(event.value)

    def on_key(self, event: Key) -> None:
        """Cancel on Escape."""
        if event.key == "escape":
            event.stop()
            self.dismiss(None)

    def _echo(self, text: str) -> None:
        good, said = self.check(text)
        self.query_one("#echo", Text).write([(said, OK if good else BAD)])
