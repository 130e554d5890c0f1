"""The output of the run under the cursor, following its end unless scrolled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from lrtui.frontend.state_style import OK
from lrtui.text.format import run_name
from lrtui.tui.panels.lines import Lines, rule, window_at_end
from lrtui.tui.styled_text import FAINT, TEXT, ink, line

if TYPE_CHECKING:
    from textual.strip import Strip

    from lrtui.tui.view_model import ViewModel


class Output(Lines):
    """A titled pane of lines."""

    @override
    def draw(self, model: ViewModel, width: int, height: int) -> list[Strip]:
        run = model.run
        if run is None:
            return [rule("output", width)]
        mark = model.mark(run.id)
        attempt = f", attempt {run.attempt.number}" if len(run.attempts) > 1 and run.attempt else ""
        title = f"{run_name(mark.letter, run.setting.lr)} · output{attempt}"
        large = model.view.pane == "output"
        up = model.view.scroll_of("output")
        lines = model.pages.output if model.pages.run == run.id else ()
        shown, up = window_at_end(lines, up, height - 1)
        note = f"{up} lines below" if up else "follow"
        find = model.view.find.lower() if large else ""
        body = [
            line(ink(">" if hit else " ", OK), ink(text, TEXT, bold=hit))
            for text in shown
            for hit in [bool(find) and find in text.lower()]
        ]
        if not lines:
            why = "no output yet" if run.attempts else "not started yet"
            body = [line(ink(f" {why}", FAINT))]
        return [rule(title, width, note, mark.colour), *body]
