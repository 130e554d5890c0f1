"""A study: LR* against its factor as a chart, and beside it the best LR by level in a table, with a text on the trend."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from textual.strip import Strip
from typing_extensions import override

from lrtui.frontend.state_style import OK, WARN
from lrtui.sweep.state import group_text
from lrtui.text.clean import clean
from lrtui.tui.panels.chart_panel import ChartPanel
from lrtui.tui.panels.lines import rule
from lrtui.tui.styled_text import FAINT, TEXT, fit, ink, line, width_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lrtui.analysis.study import Factor
    from lrtui.tui.charts.plot import Picture
    from lrtui.tui.view_model import ViewModel

_LEAST_CHART = 32
"""The width in cells below which there is no chart beside the table."""
_ROOMY, _WIDE = 100, 140
"""Cells from which on the table has the metric, and what the rules predict."""


class Study(ChartPanel):
    """The factor that the run under the cursor varies."""

    @override
    def inputs(self, model: ViewModel) -> tuple[object, ...]:
        return model.factor, model.group, model.judging

    @override
    def paint(self, model: ViewModel, width: int, height: int) -> list[Strip]:
        from lrtui.tui.charts import plot, study_chart  # numpy is imported with the first chart

        factor = model.factor
        if factor is None:
            said = "computing the verdict ..." if model.judging else "no level has an answer yet"
            return [rule("study", width), line(ink(f" {said}", FAINT))]
        rows = _rows(model, factor, width)
        table = sum(_widths(rows)) + 2 * len(rows[0])
        chart = width - table
        if chart < _LEAST_CHART:
            return _table(model, factor, rows, width)[:height]
        picture = study_chart.picture(factor, height)
        left = plot.draw(picture, chart, height, quick=True)
        right = _table(model, factor, rows, table)[:height]
        right += [line(ink(" "))] * (height - len(right))
        return [Strip([*a, *b]) for a, b in zip(left, right, strict=True)]

    @override
    def pictures(self, model: ViewModel) -> list[Picture]:
        from lrtui.tui.charts import study_chart

        factor = model.factor
        return [study_chart.picture(factor, self.size.height)] if factor is not None else []


def _rows(model: ViewModel, factor: Factor, width: int) -> list[tuple[str, ...]]:
    """Return the table's cells, the titles first; metric and what the rules predict only where there is room beside the chart."""
    from lrtui.analysis.study import level_cells, level_range  # not before the first paint

    plan = model.snapshot.sweep.plan if model.snapshot else None
    metric = clean(plan.metric, 12) if plan else ""
    sure = all(level.by_noise for level in factor.levels if level.lr is not None)
    rows = [(clean(factor.name, 12), "LR*", "90 % range" if sure else "range", metric, "rules")]
    for level in factor.levels:
        own, lr, _, value, rules = level_cells(level)
        rows.append((clean(own, 20), lr, level_range(level), value, rules))
    columns = 3 if width < _ROOMY else 4 if width < _WIDE else 5
    columns -= columns == 5 and not any(row[4] for row in rows[1:])
    return [row[:columns] for row in rows]


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(width_of(row[place]) for row in rows) for place in range(len(rows[0]))]


def _table(
    model: ViewModel, factor: Factor, rows: Sequence[Sequence[str]], width: int
) -> list[Strip]:
    """Return the best LR by level, the level of the run under the cursor bright, and the text on the trend below."""
    from lrtui.analysis.study import remarks  # see _rows

    widths, under = _widths(rows), group_text(model.group)
    strips = [rule("best LR by level", width)]
    for index, row in enumerate(rows):
        text = "  ".join(fit(cell, size) for cell, size in zip(row, widths, strict=True))
        here = index > 0 and factor.levels[index - 1].group == under
        strips.append(line(ink(fit(f" {text}", width), TEXT if index else FAINT, bold=here)))
    trend, *notes = remarks(factor)
    for index, words in enumerate((trend, *notes)):
        colour = FAINT if index else WARN if factor.provisional else OK
        strips += [
            line(ink(fit(f" {text}", width), colour, bold=not index))
            for text in textwrap.wrap(clean(words), max(20, width - 2), subsequent_indent="  ")
        ]
    return strips
