"""Why the run under the cursor waits, runs, was stopped or ended: the words of `lrtui explain`."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from typing_extensions import override

from lrtui.frontend.explain import explanation
from lrtui.sweep.state import lr_text
from lrtui.tui.panels.lines import Lines, rule
from lrtui.tui.styled_text import FAINT, TEXT, ink, line

if TYPE_CHECKING:
    from textual.strip import Strip

    from lrtui.tui.view_model import Scene


class Explain(Lines):
    """A titled pane of sentences."""

    @override
    def draw(self, scene: Scene, width: int, height: int) -> list[Strip]:
        run = scene.run
        if run is None:
            return [rule("explain", width)]
        mark = scene.mark(run.id)
        lines = sentences(scene, width)
        top = max(0, min(scene.view.scroll_of("explain"), len(lines) - height + 1))
        below = len(lines) - top - height + 1
        title = f"{mark.letter} {lr_text(run.setting.lr)} · why"
        body = [
            line(ink(f" {text}", TEXT if top + index == 0 else FAINT))
            for index, text in enumerate(lines[top : top + height - 1])
        ]
        return [rule(title, width, f"↓{below}" if below > 0 else "", mark.colour), *body]


def sentences(scene: Scene, width: int) -> list[str]:
    """Return the explanation in lines that fit."""
    run, snapshot = scene.run, scene.snapshot
    if run is None or snapshot is None:
        return []
    told = explanation(snapshot.sweep, run, snapshot.directory)
    room = max(20, width - 2)
    return [part for text in told for part in textwrap.wrap(text, room, subsequent_indent="  ")]
