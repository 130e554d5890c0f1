"""Explains why the run under the cursor waits, runs, was pruned or ended (the text of `lrtui explain`); without a run, why the sweep ended."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from typing_extensions import override

from lrtui.frontend.explain import explanation
from lrtui.text.format import run_name
from lrtui.tui.panels.lines import Lines, rule
from lrtui.tui.styled_text import FAINT, TEXT, ink, line

if TYPE_CHECKING:
    from textual.strip import Strip

    from lrtui.tui.view_model import ViewModel


class Explain(Lines):
    """A titled pane of sentences."""

    @override
    def draw(self, model: ViewModel, width: int, height: int) -> list[Strip]:
        run = model.run
        lines = sentences(model, width)
        top = max(0, min(model.view.scroll_of("explain"), len(lines) - height + 1))
        below = len(lines) - top - height + 1
        mark = model.mark(run.id if run else "")
        title = f"{run_name(mark.letter, run.setting.lr)} · why" if run else "why"
        body = [
            line(ink(f" {text}", TEXT if top + index == 0 else FAINT))
            for index, text in enumerate(lines[top : top + height - 1])
        ]
        return [rule(title, width, f"↓{below}" if below > 0 else "", mark.colour), *body]


def sentences(model: ViewModel, width: int) -> list[str]:
    """Return the explanation of the run, or why a sweep without runs ended, wrapped to the width."""
    run, snapshot = model.run, model.snapshot
    if snapshot is None:
        return []
    from lrtui.frontend.failure import ways_on  # not needed for the first paint

    closed = snapshot.sweep.closed
    texts = closed.why.splitlines() if closed else []
    texts += [
        f"{words}: {command}" for words, command in ways_on(snapshot.directory, snapshot.sweep)
    ]
    if run is not None:
        texts = explanation(snapshot.sweep, run, snapshot.directory)
    room = max(20, width - 2)
    texts = [model.named(text) for text in texts]
    return [part for text in texts for part in textwrap.wrap(text, room, subsequent_indent="  ")]
