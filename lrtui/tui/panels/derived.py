"""Values derived from the curves: gap, roughness, time to a target. One row per run, by LR."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from lrtui.frontend.derived_values import derive, gap_name, target
from lrtui.text.clean import clean
from lrtui.text.format import amount_short, duration, number, run_name
from lrtui.tui.charts.curves import absent, inputs, measured
from lrtui.tui.panels.chart_panel import ChartPanel
from lrtui.tui.panels.lines import rule
from lrtui.tui.styled_text import FAINT, TEXT, fit, ink, line

if TYPE_CHECKING:
    from textual.strip import Strip

    from lrtui.frontend.derived_values import Derived as Row
    from lrtui.tui.view_model import ViewModel


class Derived(ChartPanel):
    """A titled table."""

    @override
    def inputs(self, model: ViewModel) -> tuple[object, ...]:
        return inputs(model, "")

    @override
    def paint(self, model: ViewModel, width: int, height: int) -> list[Strip]:
        plan = model.snapshot.sweep.plan if model.snapshot else None
        if model.snapshot is None or plan is None:
            return [rule("derived", width)]
        series, out = measured(model), absent(model) | model.snapshot.sketches.keys()
        wanted = target(plan, series.values())
        goal = "" if wanted is None else f"{clean(plan.metric, 20)} {number(wanted)}"
        head = f" {'run':<13}{'gap':>9}{'rough':>10}{'reached at':>13}{'after':>9}"
        strips = [
            rule(f"derived · target {goal}", width, gap_name(series.values())),
            line(ink(head, FAINT)),
        ]
        runs = model.snapshot.sweep.runs
        shown = sorted((r for r in series if r not in out), key=lambda r: runs[r].setting.lr)
        for run in shown:
            mark = model.mark(run)
            name = fit(run_name(mark.letter, runs[run].setting.lr), 13)
            row = derive(plan, series[run], wanted)
            strips.append(line(ink(f" {name}", mark.colour), ink(_cells(row, plan.unit), TEXT)))
        return strips[:height]


def _cells(row: Row, unit: str) -> str:
    gap = "" if row.gap is None else number(row.gap)
    rough = "" if row.rough is None else number(row.rough)
    level = "never" if row.level is None else f"{unit} {amount_short(row.level)}"
    after = "" if row.seconds is None else duration(row.seconds)
    return f"{gap:>9}{rough:>10}{level:>13}{after:>9}"
