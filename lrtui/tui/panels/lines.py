"""The base of all panels: lines of styled text; only changed lines are repainted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.geometry import Region
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget
from typing_extensions import override

from lrtui.tui.styled_text import TEXT, ink, style
from lrtui.tui.themes import worn
from lrtui.tui.view_model import ViewModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.events import Resize, Show
    from textual.geometry import Size


class Lines(Widget, can_focus=False):
    """A panel: `draw` returns its lines for a model."""

    model: reactive[ViewModel] = reactive(
        ViewModel(), always_update=True, init=False, repaint=False
    )

    def __init__(self, id: str | None = None) -> None:  # noqa: A002  # Textual's word
        super().__init__(id=id)
        self._strips: list[Strip] = []
        self._fits: Size | None = None
        """The size that the lines were drawn for; None if they are outdated."""

    def draw(self, model: ViewModel, width: int, height: int) -> list[Strip]:
        """Return at most `height` lines of at most `width` cells."""
        raise NotImplementedError

    def watch_model(self) -> None:
        """Redraw after a change of the model."""
        self.redraw()

    def on_resize(self, _event: Resize) -> None:
        """Fit the new size."""
        self.redraw()

    def on_show(self, _event: Show) -> None:
        """Draw the panel when it becomes visible."""
        self.redraw()

    def redraw(self) -> None:
        """Draw the lines now, if the panel has any room."""
        width, height = self.size
        if width and height and self.display:
            self.put(self.draw(self.model, width, height))
        else:
            self._fits = None

    def fit(self) -> None:
        """Draw the lines for the panel's size within a frame: otherwise the first one would be blank, and sent."""
        self._strips = self.draw(self.model, *self.size)

    def put(self, strips: list[Strip]) -> None:
        """Replace the lines; only those that differ are repainted."""
        width, height = self._fits = self.size
        old = self._strips
        self._strips = strips
        for y in range(height):
            before = old[y] if y < len(old) else None
            after = strips[y] if y < len(strips) else None
            if before != after:
                self.refresh(Region(0, y, width, 1))

    @override
    def render_line(self, y: int) -> Strip:
        """Return one line in the panel's colours, exactly as wide as the panel."""
        if self._fits != self.size:
            self._fits = self.size
            self.fit()
        strip = self._strips[y] if y < len(self._strips) else Strip([ink(" ")])
        strip = worn(strip.adjust_cell_length(self.size.width, style(TEXT)), self.app.theme)
        return strip.apply_style(self.rich_style)


def rule(title: str, width: int, note: str = "", colour: str = TEXT) -> Strip:
    """Return the line above a pane: a rule with a title and, at the right, a note."""
    from lrtui.tui.styled_text import FAINT, RULE, fit, width_of

    note = f" {note} " if note else ""
    room = max(0, width - 3 - width_of(note))
    title = f" {title} "
    title = title if width_of(title) <= room else fit(title, room)
    bar = "─" * max(0, width - 2 - width_of(title) - width_of(note))
    return Strip([ink("──", RULE), ink(title, colour, bold=True), ink(bar, RULE), ink(note, FAINT)])


def window_at_end(lines: Sequence[str], up: int, height: int) -> tuple[Sequence[str], int]:
    """Return the `height` lines that end `up` lines above the end, and the number of lines below them."""
    up = max(0, min(up, len(lines) - height))
    end = len(lines) - up
    return lines[max(0, end - height) : end], up
