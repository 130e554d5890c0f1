"""A question about a named run, answered by a single key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.containers import Vertical
from textual.screen import ModalScreen
from typing_extensions import override

from lrtui.tui.panels.lines import Lines
from lrtui.tui.styled_text import ACCENT, FAINT, TEXT, fit, ink, line, width_of

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.events import Key
    from textual.strip import Strip

    from lrtui.tui.view_model import ViewModel


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer."""

    keys: tuple[str, ...]
    """Textual's names of the keys that give this answer."""
    shown: str
    label: str
    result: str


class Text(Lines):
    """Fixed lines, as (text, colour)."""

    def __init__(self, lines: list[tuple[str, str]], id: str | None = None) -> None:  # noqa: A002  # Textual's word
        super().__init__(id=id)
        self.lines = lines

    def on_mount(self) -> None:
        """Set the size."""
        self.styles.height = max(1, len(self.lines))
        self.styles.width = max((width_of(text) for text, _ in self.lines), default=1)

    @override
    def draw(self, model: ViewModel, width: int, height: int) -> list[Strip]:
        return [line(ink(fit(text, width), colour)) for text, colour in self.lines]

    def write(self, lines: list[tuple[str, str]]) -> None:
        """Replace the lines."""
        self.lines = lines
        self.redraw()


class Choices(Lines):
    """The answers in one row."""

    def __init__(self, choices: tuple[Choice, ...]) -> None:
        super().__init__()
        self.choices = choices

    def on_mount(self) -> None:
        """Set the size."""
        self.styles.width = sum(width_of(f"{c.shown} {c.label}   ") for c in self.choices)

    @override
    def draw(self, model: ViewModel, width: int, height: int) -> list[Strip]:
        segments = []
        for choice in self.choices:
            segments += [ink(choice.shown, ACCENT, bold=True), ink(f" {choice.label}   ", FAINT)]
        return [line(*segments)]


class Question(ModalScreen[str]):
    """Returns the result of the answer; "" for no."""

    def __init__(self, title: str, lines: tuple[str, ...], choices: tuple[Choice, ...]) -> None:
        super().__init__()
        self.title_text = title
        self.body = lines
        self.choices = choices

    @override
    def compose(self) -> ComposeResult:
        lines = [(self.title_text, TEXT), *((text, FAINT) for text in self.body), ("", FAINT)]
        with Vertical(classes="dialog"):
            yield Text(lines)
            yield Choices(self.choices)

    def on_key(self, event: Key) -> None:
        """Answer if the key is one of the choices; ignore other keys."""
        event.stop()
        event.prevent_default()
        for choice in self.choices:
            if event.key in choice.keys:
                self.dismiss(choice.result)


NO = Choice(("n", "N", "escape", "c", "q"), "n", "no", "")


def yes_or_no(title: str, *lines: str) -> Question:
    """Return a question that y or Enter confirms."""
    return Question(title, lines, (Choice(("y", "Y", "enter"), "y", "yes", "yes"), NO))


def leave(live: int) -> Question:
    """Return the question asked on quitting while runs are live."""
    runs = "1 run continues" if live == 1 else f"{live} runs continue"
    return Question(
        "Quit the monitor?",
        (f"If you detach, {runs} without this terminal.",),
        (
            Choice(("d", "enter", "y", "q"), "d", "detach (Enter)", "detach"),
            Choice(("s",), "s", "stop all", "stop"),
            Choice(("c", "escape", "n"), "c", "cancel", ""),
        ),
    )
