"""What the mouse does while it is on (`M`); every mouse action also has a key.

A click selects a row or a tab, or sets the charts' cursor; the wheel zooms a chart around the pointer, moves through the leaderboard and
scrolls text. Only presses and the wheel are reported (no movements), so moving the mouse sends nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lrtui.tui.actions import FROM_END, LEAST_WINDOW
from lrtui.tui.panels import LARGE, Chart, Leaderboard, Tabs

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.events import MouseDown, MouseEvent, MouseScrollDown, MouseScrollUp
    from textual.geometry import Size
    from textual.widget import Widget

    from lrtui.tui.view_model import Pane, ViewModel

_NOTCH = 0.8
"""The share of the x axis that remains after one notch of the wheel."""
_LINES = 3
"""Lines of text scrolled by one notch."""


def zoomed(window: tuple[float, float], centre: float, factor: float) -> tuple[float, float]:
    """Return the window scaled by `factor` around `centre`."""
    low, high = window
    size = max(LEAST_WINDOW, min((high - low) * factor, 1.0))
    if size >= 1:
        return 0.0, 1.0
    part = (centre - low) / (high - low)
    low = max(0.0, min(centre - part * size, 1 - size))
    return low, low + size


class Mouse:
    """The mouse handling of the app, as a mixin."""

    model: ViewModel
    change_view: Callable[..., None]
    say: Callable[..., None]
    action_move: Callable[[int], None]
    show_pane: Callable[[Pane], None]
    text_lines: Callable[[str, int], int]
    screen: Any
    _driver: Any

    def action_mouse(self) -> None:
        """Turn mouse reporting on or off."""
        capture = getattr(self._driver, "capture", None)
        if capture is None:
            self.say("the mouse cannot be switched in this mode (LRTUI_PLAIN)", bad=True)
            return
        on = not self.model.view.mouse
        capture(on=on)
        self.change_view(mouse=on)
        self.say(
            "mouse on; M turns it off for copying" if on else "mouse off; select text to copy it"
        )

    def on_mouse_down(self, event: MouseDown) -> None:
        """Select the clicked row, set the cursor in the clicked chart, or show the clicked tab."""
        panel, x, y = self._under(event)
        if isinstance(panel, Leaderboard):
            run = panel.run_at(y)
            if run:
                self.change_view(selected=run, moved=True, scroll=0, below=("", 0))
        elif isinstance(panel, Chart):
            place = panel.place_at(x)
            if place is not None:
                self.change_view(cursor=place)
        elif isinstance(panel, Tabs):
            pane = panel.pane_at(x)
            if pane is not None:
                self.show_pane(pane)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Go down, or zoom out."""
        self._wheel(event, 1)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Go up, or zoom in."""
        self._wheel(event, -1)

    def _under(self, event: MouseEvent) -> tuple[Widget, int, int]:
        """Return the widget under the pointer and the position in it; the terminal's events name no widget."""
        widget, region = self.screen.get_widget_at(event.screen_x, event.screen_y)
        return widget, event.screen_x - region.x, event.screen_y - region.y

    def _wheel(self, event: MouseScrollDown | MouseScrollUp, step: int) -> None:
        panel, x, _ = self._under(event)
        if isinstance(panel, Chart):
            place = panel.place_at(x)
            if place is not None:
                factor = _NOTCH if step < 0 else 1 / _NOTCH
                self.change_view(window=zoomed(self.model.view.window, place, factor))
        elif isinstance(panel, Leaderboard):
            self.action_move(step * panel.notch)
        elif (panel.id or "").removeprefix("large-") in LARGE:
            self._scroll((panel.id or "").removeprefix("large-"), step, panel.size)

    def _scroll(self, pane: str, step: int, size: Size) -> None:
        """Scroll the large pane or a small one."""
        most = max(0, self.text_lines(pane, size.width) - size.height + 1)
        change = _LINES * (-step if pane in FROM_END else step)
        now = max(0, min(min(self.model.view.scroll_of(pane), most) + change, most))
        if self.model.view.pane == pane:
            self.change_view(scroll=now)
        else:
            self.change_view(below=(pane, now))
