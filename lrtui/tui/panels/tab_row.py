"""The tabs: what the large area can show, numbered, the present one marked; at the right, how the charts are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from lrtui.tui.charts.curves import axis_name
from lrtui.tui.panels.lines import Lines
from lrtui.tui.styled_text import ACCENT, FAINT, RULE, TEXT, ink, line, width_of
from lrtui.tui.view_model import TABS, UNNUMBERED

if TYPE_CHECKING:
    from textual.strip import Strip

    from lrtui.tui.view_model import Pane, ViewModel


class Tabs(Lines):
    """One row."""

    @override
    def draw(self, model: ViewModel, width: int, height: int) -> list[Strip]:
        segments, at = [], 0
        for pane, text in tabs(model, width):
            here, empty = pane == model.view.pane, pane not in model.panes
            colour = ACCENT if here else RULE if empty else FAINT
            segments.append(ink(text, colour, bold=here, reverse=here))
            at += width_of(text)
        setting = chart_setting(model) if model.view.pane == "charts" else ""
        if setting and at + width_of(setting) + 2 < width:
            segments += [ink(" " * (width - at - width_of(setting) - 1)), ink(setting, TEXT)]
        return [line(*segments)]

    def pane_at(self, x: int) -> Pane | None:
        """Return the pane whose tab is in a column; None between and after them."""
        for pane, text in tabs(self.model, self.size.width):
            x -= width_of(text)
            if x < 0:
                return pane
        return None


def tabs(model: ViewModel, width: int) -> list[tuple[Pane, str]]:
    """Return the panes with the texts of their tabs, short ones if the long ones do not fit; a pane without a number comes last."""
    here = model.view.pane
    for long in (True, False):
        gap = " " if long else ""
        shown = [
            (pane, f" {number} {names[0] if long else names[1]}{gap}")
            for number, (pane, names) in enumerate(TABS.items(), 1)
            if (pane != "study" or model.is_study) and (pane in model.panes or not model.is_watched)
        ]
        if here in UNNUMBERED:
            shown.append((here, f" {UNNUMBERED[here]}{gap}"))
        if sum(width_of(text) for _, text in shown) <= width:
            return shown
    known = {pane for pane, _ in shown}
    few = [(pane, f" {number} ") for number, pane in enumerate(TABS, 1) if pane in known]
    if here in UNNUMBERED:
        named = [*few, (here, f" {UNNUMBERED[here]} ")]
    else:
        named = [(pane, f"{text}{TABS[pane][1]} " if pane == here else text) for pane, text in few]
    return named if sum(width_of(text) for _, text in named) <= width else few


def chart_setting(model: ViewModel) -> str:
    """Return how the charts are drawn: smooth 0.6  x epoch  y log."""
    view = model.view
    smooth = f"smooth {view.weight:g}  " if view.smooth else ""
    return f"{smooth}x {axis_name(model)}  y {'log' if view.log_y else 'linear'}"
