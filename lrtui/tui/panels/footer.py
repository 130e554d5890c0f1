"""The footer: the most important keys of the pane that fit, from the table of keys: moving first, keys that act on runs at the right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from lrtui.frontend import requests
from lrtui.sweep.allowed import Refusal
from lrtui.tui.keymap import KEYMAP
from lrtui.tui.panels.lines import Lines
from lrtui.tui.styled_text import ACCENT, FAINT, RULE, TEXT, ink, line, width_of

if TYPE_CHECKING:
    from textual.strip import Strip

    from lrtui.tui.keymap import Key
    from lrtui.tui.view_model import ViewModel


class Keys(Lines):
    """One row of keys; those that can do nothing now are faint."""

    @override
    def draw(self, model: ViewModel, width: int, height: int) -> list[Strip]:
        chosen = []
        room = width - 1
        shown = [k for k in KEYMAP if k.footer and (not k.on or model.view.pane in k.on)]
        if model.is_watched:
            shown = [k for k in shown if not k.acts and k.action != "explain"]
        for key in sorted(shown, key=lambda k: k.footer):
            if key.action == "restart_failed" and not can(model, key.action):
                continue
            room -= _size(key)
            if room < 0:
                break
            chosen.append(key)
        segments = [ink(" ")]
        order = sorted(chosen, key=lambda k: (k.acts, bool(k.on), k.footer))
        left = width - 1 - sum(map(_size, order))
        for place, key in enumerate(order):
            if key.acts and not order[place - 1].acts:  # at the right edge they stay in place
                segments.append(ink(" " * left))
            dead = key.acts and not can(model, key.action)
            segments.append(ink(key.shown, RULE if dead else ACCENT, bold=not dead))
            segments.append(
                ink(f" {key.label}  ", RULE if dead else FAINT if model.snapshot else TEXT)
            )
        return [line(*segments)]


def _size(key: Key) -> int:
    return width_of(f"{key.shown} {key.label}") + 2


def can(model: ViewModel, action: str) -> bool:
    """Return whether a command could be sent now, to the run under the cursor if it is about one."""
    run = model.run
    if model.snapshot is None or model.view_only:
        return False
    sweep = model.snapshot.sweep
    if sweep.closed is not None and sweep.stopping:
        return False
    if action == "restart_failed":
        return not isinstance(requests.restart_failed(sweep), Refusal)
    if run is None:
        return action == "new"
    match action:
        case "kill":
            asked: object = requests.kill(sweep, run)
        case "restart" if run.alive:
            asked = requests.kill_and_restart(sweep, run)
        case "restart":
            asked = requests.restart(sweep, run)
        case "pause":
            asked = requests.pause_or_resume(sweep, run)
        case _:
            asked = None
    return not isinstance(asked, Refusal)
