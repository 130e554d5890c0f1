"""The field for a learning rate: literal forms such as 625e-5, echoed as they will be shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input
from typing_extensions import override

from lrtui.tui.ink import FAINT, TEXT
from lrtui.tui.intents import echo_lr, read_lr
from lrtui.tui.screens.question import Text
from lrtui.tui.states import BAD, OK

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.events import Key


class AskLr(ModalScreen[float | None]):
    """Returns the LR, or None where the user thought better of it."""

    AUTO_FOCUS = "Input"

    def __init__(self, title: str, value: str, note: str) -> None:
        super().__init__()
        self.title_text = title
        self.value = value
        self.note = note

    @override
    def compose(self) -> ComposeResult:
        field = Input(self.value, id="lr", select_on_focus=True)
        field.cursor_blink = False
        width = max(46, len(self.title_text), len(self.note))
        with Vertical(classes="dialog"):
            yield Text([(self.title_text.ljust(width), TEXT), (self.note.ljust(width), FAINT)])
            yield field
            yield Text([(" " * width, FAINT)], id="echo")
            yield Text([("Enter start   Esc cancel".ljust(width), FAINT)])

    def on_mount(self) -> None:
        """Set up what needs a running app."""
        self._echo(self.value)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Echo what was typed."""
        self._echo(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Return a good LR; a bad one stays."""
        lr = read_lr(event.value)
        if not isinstance(lr, str):
            self.dismiss(lr)

    def on_key(self, event: Key) -> None:
        """Answer to the key."""
        if event.key == "escape":
            event.stop()
            self.dismiss(None)

    def _echo(self, text: str) -> None:
        good = not isinstance(read_lr(text), str)
        self.query_one("#echo", Text).write([(echo_lr(text), OK if good else BAD)])
