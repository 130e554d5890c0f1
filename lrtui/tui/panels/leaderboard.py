"""The leaderboard: standings as `lrtui.analysis.ranking` orders them; values at unequal lengths are never compared.

The column of the metric holds the value that ranks; `now` is the latest one, faint, since it may be measured at another length. ★ is
the setting that the verdict names.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.segment import Segment
from typing_extensions import override

from lrtui.frontend.run_filter import matches
from lrtui.frontend.state_style import OK
from lrtui.text.clean import clean
from lrtui.text.format import run_name
from lrtui.tui.columns import Row, columns_for, spread
from lrtui.tui.panels.lines import Lines
from lrtui.tui.styled_text import FAINT, HIGHLIGHT, TEXT, fit, ink, line, style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.strip import Strip

    from lrtui.analysis.ranking import Standing
    from lrtui.tui.view_model import ViewModel

_ORDER = ("running", "starting", "stopping", "pausing", "frozen", "paused", "waiting", "queued")


def ordered(model: ViewModel) -> list[Standing]:
    """Return the standings with the user's filter and sort order; ranks do not change."""
    if model.snapshot is None:
        return []
    rows = list(model.snapshot.standings)
    if model.view.filter:
        rows = list(filter(matches(model.view.filter), rows))
    match model.view.sort:
        case "lr":
            rows.sort(key=lambda s: s.lr)
        case "progress":
            rows.sort(key=lambda s: (-s.level, s.rank))
        case "state":
            place = {state: index for index, state in enumerate(_ORDER)}
            rows.sort(key=lambda s: (place.get(s.state, len(place)), s.state, s.rank))
    return rows[::-1] if model.view.reverse else rows


def row_of(rows: Sequence[Standing], run: str) -> int:
    """Return the row of a run; the first row if it is not listed."""
    return next((index for index, row in enumerate(rows) if run in row.runs), 0)


class Leaderboard(Lines):
    """A table with a cursor that stays on its run."""

    def __init__(self) -> None:
        super().__init__(id="leaderboard")
        self._first = 0
        self._trends: dict[str, tuple[int, str]] = {}

    def run_at(self, y: int) -> str:
        """Return the run in a line; "" for none."""
        rows, at = ordered(self.model), self._first + y - 1
        return rows[at].runs[0] if y >= 1 and at < len(rows) else ""

    @property
    def notch(self) -> int:
        """The rows that one notch of the wheel moves the cursor: one, more if not all rows fit."""
        body = self.size.height - 1
        return 1 if len(ordered(self.model)) <= body else max(1, body // 4)

    @override
    def draw(self, model: ViewModel, width: int, height: int) -> list[Strip]:
        rows = ordered(model)
        if not rows:
            waiting = "no runs yet" if model.snapshot else "reading ..."
            if model.view.filter and model.snapshot and model.snapshot.standings:
                waiting = f"no run matches {model.view.filter} (/: change it, Esc: all)"
                return [line(ink(f" {waiting}", FAINT))]
            if model.tests:
                waiting = "no runs yet: the range test runs first (t: curve)"
            return [line(ink(f" {waiting}", FAINT))]
        columns = columns_for(model, rows, width)
        widths = spread(columns, width)
        head = "  ".join(
            fit(column.title, size, right=column.right)
            for column, size in zip(columns, widths, strict=True)
        )
        body = height - 1
        cursor = row_of(rows, model.view.selected)
        self._first = _window(self._first, cursor, body, len(rows))
        if model.view.filter and model.snapshot:
            narrowed = f"/{model.view.filter}  {len(rows)} of {len(model.snapshot.standings)}"
            head = f"{fit(head, max(0, width - len(narrowed) - 3))} {narrowed}"
        strips = [line(ink(f" {_more(head, self._first, body, len(rows), width - 1)}", FAINT))]
        for index, standing in enumerate(rows[self._first : self._first + body], self._first):
            row = Row(model, standing, self._trend)
            cells = [
                (fit(text, size, right=column.right), colour)
                for column, size in zip(columns, widths, strict=True)
                for text, colour in (column.cell(row),)
            ]
            strips.append(_line(cells, row, width, cursor=index == cursor))
        return strips

    def _trend(self, model: ViewModel, run: str) -> str:
        """Return a small curve of the objective, cached until the run measures more."""
        series = model.snapshot.series.get(run) if model.snapshot else None
        plan = model.snapshot.sweep.plan if model.snapshot else None
        if series is None or plan is None:
            return ""
        version, text = self._trends.get(run, (-1, ""))
        if version != series.version:
            text = spark(series.get(plan.metric).y, 12)
            self._trends[run] = (series.version, text)
        return text


_DOTS = ((0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08))
"""The bits of a braille cell's two columns, from the bottom."""


def spark(values: Sequence[float], cells: int) -> str:
    """Return the values as a line of dots, two to a cell; no dot for a value that is not finite."""
    count = min(2 * cells, len(values))
    picked = [values[(len(values) - 1) * i // max(1, count - 1)] for i in range(count)]
    finite = [v for v in picked if math.isfinite(v)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    span = (high / 2 - low / 2) or 1.0
    heights = [int((v / 2 - low / 2) / span * 3.999) if math.isfinite(v) else None for v in picked]
    bits = [0] * ((count + 1) // 2)
    for place, height in enumerate(heights):
        bits[place // 2] |= 0 if height is None else _DOTS[place % 2][height]
    return "".join(chr(0x2800 + each) if each else " " for each in bits)


def _window(first: int, cursor: int, body: int, rows: int) -> int:
    """Return the first visible row, moved just enough to keep the cursor on the screen."""
    first = min(max(first, cursor - body + 1), cursor)
    return max(0, min(first, rows - body))


def _more(head: str, first: int, body: int, rows: int, width: int) -> str:
    """Return the header, with the number of hidden rows at its right end."""
    below = rows - first - body
    note = (f"↑{first} " if first else "") + (f"↓{below}" if below > 0 else "")
    return fit(head, width - len(note) - 1) + " " + note if note else fit(head, width)


def _line(cells: list[tuple[str, str]], row: Row, width: int, *, cursor: bool) -> Strip:
    back = HIGHLIGHT if cursor else ""
    sign = "★" if row.recommended else "▌" if cursor else " "
    segments = [Segment(sign, style(OK if row.recommended else TEXT, bold=True, back=back))]
    for index, (text, own) in enumerate(cells):
        gap = "  " if index else ""
        colour = FAINT if row.hidden and index > 1 else own
        mark = style(colour, bold=cursor, reverse=cursor and index < 2, back=back)
        segments.append(Segment(clean(gap + text), mark))
    return line(*segments).adjust_cell_length(width, style(TEXT, back=back))


def shown_run(model: ViewModel, standing: Standing) -> str:
    """Return the run of a row that keys act on: a live one, else the first."""
    runs = model.snapshot.sweep.runs if model.snapshot else {}
    return next((r for r in standing.runs if r in runs and runs[r].alive), standing.runs[0])


def title_of(model: ViewModel, run: str) -> str:
    """Return the name of a run in questions: C 3.0e-03, epoch 14/30."""
    from lrtui.text.format import amount_short

    snapshot = model.snapshot
    if snapshot is None or run not in snapshot.sweep.runs:
        return run
    found = snapshot.sweep.runs[run]
    name = run_name(model.mark(run).letter, found.setting.lr)
    plan, series = snapshot.sweep.plan, snapshot.series.get(run)
    if plan is None or series is None:
        return name
    whole = amount_short(found.length(plan.horizon))
    return f"{name}, {plan.unit} {amount_short(series.level)}/{whole}"
