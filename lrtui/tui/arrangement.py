"""The layout of the panels at each size: pure arithmetic, so that it can be tested without a screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from lrtui.tui.charts.sensitivity_chart import has_points

if TYPE_CHECKING:
    from lrtui.tui.view_model import Pane, ViewModel

SMALL = (40, 16)
"""Below this size only the answer, the leaderboard and the message line are shown."""
LARGE = (120, 30)
"""From this size on there are two charts side by side, panes below the leaderboard, and a second row of the answer."""
WIDE = 150
"""From this width on there are three panes below."""


class Arrangement(Struct, frozen=True):
    """Heights in rows; 0: not shown."""

    answer: int
    tabs: int
    main: int
    """The charts, or the pane shown instead."""
    leaderboard: int
    below: int
    """The panes that `beside` returns."""
    message: int
    keys: int
    charts: int
    """The number of charts in the main area."""


def arrange(width: int, height: int, rows: int, charts: int) -> Arrangement:
    """Return the heights for a screen of `width` x `height` with `rows` rows in the leaderboard."""
    if width < SMALL[0] or height < SMALL[1]:
        message = 1 if height >= 4 else 0
        return Arrangement(1, 0, 0, height - 1 - message, 0, message, 0, 1)
    body = height - 4
    if width < LARGE[0] or height < LARGE[1]:
        table = min(max(rows, 8) + 1, max(6, body - 11))
        return Arrangement(1, 1, body - table, table, 0, 1, 1, 1)
    body -= 1
    below = min(14, max(6, body // 4))
    table = min(max(rows, 4) + 1, (body - below) * 2 // 5)
    shown = charts if charts < 4 or body - below - table >= 20 else 2
    return Arrangement(2, 1, body - below - table, table, below, 1, 1, shown)


def pane_of_phase(model: ViewModel) -> Pane:
    """Return the pane that the phase of the sweep is about: its range test, its curves, at the end its answer or its failure."""
    snapshot = model.snapshot
    if snapshot is None:
        return "charts"
    sweep = snapshot.sweep
    if sweep.closed is None:
        tested = model.tests and not any(run.attempts for run in sweep.trained())
        return "range" if tested else "charts"
    if any(level.lr for factor in model.verdicts.factors for level in factor.levels):
        return "study"
    if sweep.verdict is not None and (sweep.verdict.lr or sweep.verdict.equal):
        return "sensitivity"
    if model.run is None:
        return "explain"
    if model.run.failed and not any(series.names() for series in snapshot.series.values()):
        return "output"
    return "range" if not sweep.trained() else "charts"


def beside(model: ViewModel, width: int) -> tuple[Pane, ...]:
    """Return the panes below the leaderboard: the first two or three that have content and are not in the large area."""
    chart: list[Pane] = ["sensitivity"] if has_points(model) else ["range"] if model.tests else []
    search: list[Pane] = ["search"] if model.is_search else []
    values: list[Pane] = ["values"] if model.view.cursor is not None else []
    study: list[Pane] = ["study"] if model.is_study else []
    panes: list[Pane] = [*values, "output", *chart, *study, *search, "settings"]
    left = [pane for pane in panes if pane != model.view.pane]
    return tuple(left[: 3 if width >= WIDE else 2])
