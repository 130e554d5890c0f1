"""The progress of the search: verdict, range tests, rungs, budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from lrtui.tui.panels.lines import Lines, rule
from lrtui.tui.search_text import budget, rows, wrap
from lrtui.tui.styled_text import FAINT, ink, line

if TYPE_CHECKING:
    from textual.strip import Strip

    from lrtui.tui.view_model import ViewModel


class Search(Lines):
    """A titled pane; in the large area, PgDn scrolls to the lines that do not fit."""

    @override
    def draw(self, model: ViewModel, width: int, height: int) -> list[Strip]:
        if model.snapshot is None:
            return [rule("search", width)]
        lines = [words for row in rows(model) for words in wrap(row, width - 2)]
        body = height - 1
        top = model.view.scroll_of("search")
        top = max(0, min(top, len(lines) - body))
        below = len(lines) - top - body
        spent = budget(model.snapshot)
        note = f"{spent} ↓{below}" if below > 0 else spent
        strips = [
            line(ink(" "), *(ink(word.text, word.colour) for word in words))
            for words in lines[top : top + body]
        ]
        return [rule("search", width, note), *(strips or [line(ink(" nothing yet", FAINT))])]


def lines_of(model: ViewModel, width: int) -> int:
    """Return the total number of lines."""
    return sum(len(wrap(row, width - 2)) for row in rows(model))
