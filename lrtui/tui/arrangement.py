"""The layout of the panels at each size: pure arithmetic, so that it can be tested without a screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lrtui.tui.view_model import Pane, ViewModel

SMALL = (60, 16)
"""Below this width only the leaderboard and the message line are shown."""
LARGE = (120, 30)
"""From this width on there are two charts side by side, and panes below the leaderboard."""
WIDE = 150
"""From this width on there are three panes below."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Heights in rows; 0: not shown."""

    status: int
    main: int
    """The charts, or the pane shown instead."""
    leaderboard: int
    below: int
    """The panes that `beside` returns."""
    alert: int
    keys: int
    charts: int
    """The number of charts in the main area."""


def arrange(width: int, height: int, rows: int, charts: int) -> Arrangement:
    """Return the heights for a screen of `width` x `height` with `rows` rows in the leaderboard."""
    if width < SMALL[0] or height < SMALL[1]:
        alert = 1 if height >= 4 else 0
        return Arrangement(0, 0, height - alert, 0, alert, 0, 1)
    body = height - 3
    if width < LARGE[0] or height < LARGE[1]:
        table = min(max(rows, 8) + 1, max(6, body - 11))
        return Arrangement(1, body - table, table, 0, 1, 1, 1)
    below = min(14, max(6, body // 4))
    table = min(max(rows, 4) + 1, (body - below) * 2 // 5)
    shown = charts if charts < 4 or body - below - table >= 20 else 2
    return Arrangement(1, body - below - table, table, below, 1, 1, shown)


def beside(model: ViewModel, width: int) -> tuple[Pane, ...]:
    """Return the panes below the leaderboard: the first two or three that have content."""
    from lrtui.tui.charts.sensitivity_chart import has_points

    chart: list[Pane] = ["sensitivity"] if has_points(model) else ["range"] if model.tests else []
    search: list[Pane] = ["search"] if model.is_search else []
    values: list[Pane] = ["values"] if model.view.cursor is not None else []
    panes: list[Pane] = [*values, "output", *chart, *search, "settings"]
    return tuple(panes[: 3 if width >= WIDE else 2])
