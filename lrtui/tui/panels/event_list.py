"""The events, with their time and whether a person caused them; follows the end unless scrolled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from lrtui.tui.panels.lines import Lines, rule, window_at_end
from lrtui.tui.styled_text import FAINT, TEXT, fit, ink, line

if TYPE_CHECKING:
    from textual.strip import Strip

    from lrtui.tui.view_model import ViewModel

_WHEN = 17
"""The width of date, time and the space after them, in cells."""


class Journal(Lines):
    """A titled pane of one line per event."""

    @override
    def draw(self, model: ViewModel, width: int, height: int) -> list[Strip]:
        lines = model.pages.journal
        up = model.view.scroll_of("journal")
        shown, up = window_at_end(lines, up, height - 1)
        room = width - _WHEN - 1
        body = [
            line(ink(f" {text[:_WHEN]}", FAINT), ink(fit(model.named(text[_WHEN:]), room), TEXT))
            for text in shown
        ]
        note = f"{up} lines below" if up else "follow"
        return [rule("journal", width, note), *(body or [line(ink(" nothing yet", FAINT))])]
