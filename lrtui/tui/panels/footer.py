"""The footer: the most important keys that fit, from the table of keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from lrtui.tui.keymap import KEYMAP
from lrtui.tui.panels.lines import Lines
from lrtui.tui.styled_text import ACCENT, FAINT, RULE, TEXT, ink, line, width_of

if TYPE_CHECKING:
    from textual.strip import Strip

    from lrtui.tui.view_model import ViewModel


class Keys(Lines):
    """One row of keys; keys that are disabled here are faint."""

    @override
    def draw(self, model: ViewModel, width: int, height: int) -> list[Strip]:
        chosen = []
        room = width - 1
        for key in sorted((k for k in KEYMAP if k.footer), key=lambda k: k.footer):
            room -= width_of(f"{key.shown} {key.label}") + 2
            if room < 0:
                break
            chosen.append(key)
        segments = [ink(" ")]
        for key in sorted(chosen, key=lambda k: (k.footer < 3, k.footer)):
            dead = key.acts and bool(model.view_only)
            segments.append(ink(key.shown, RULE if dead else ACCENT, bold=not dead))
            segments.append(
                ink(f" {key.label}  ", RULE if dead else FAINT if model.snapshot else TEXT)
            )
        return [line(*segments)]
