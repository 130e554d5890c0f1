"""The runs' part of the report: the leaderboard, each run by itself, and the curves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec import UNSET

from lrtui.analysis.ranking import flag_texts
from lrtui.analysis.value_rule import run_value
from lrtui.frontend.failure import about_output
from lrtui.report.model import Curve, Row, RunRow
from lrtui.sweep.state import group_of, group_text, shown_state

if TYPE_CHECKING:
    from lrtui.analysis.ranking import Standing
    from lrtui.frontend.snapshot import Snapshot
    from lrtui.metrics import RunSeries
    from lrtui.sweep.events import Plan
    from lrtui.sweep.state import Run

_CURVE_COLUMNS, _CURVE_POINTS = 200, 30_000
"""The most points of one curve, and of all curves together."""


def board_row(snapshot: Snapshot, plan: Plan, row: Standing) -> Row:
    """Return a row of the leaderboard."""
    run = snapshot.sweep.runs.get(row.runs[0])
    every = [snapshot.sweep.runs[each] for each in row.runs if each in snapshot.sweep.runs]
    return Row(
        rank=row.rank,
        run=row.runs[0],
        runs=row.runs,
        lr=row.lr,
        optimizer=row.setting.optimizer,
        schedule=row.setting.schedule,
        values=row.setting.named,
        state=str(run.state) if run else row.state,
        kind=run.ending.kind if run and run.ending else None,
        epoch=row.level if plan.unit == "epoch" else UNSET,
        step=row.level if plan.unit == "step" else UNSET,
        tokens=row.level if plan.unit == "tokens" else UNSET,
        metric=plan.metric,
        value=row.value,
        at=row.value_at,
        mean=row.mean,
        se=row.se,
        seeds=row.seeds,
        val_loss=row.val_loss,
        best=row.best,
        best_at=row.best_at,
        test=_tests_at(snapshot.series.get(row.runs[0]), row.value_at),
        spent=sum(each.spent for each in every),
        why=row.why,
    )


def run_row(snapshot: Snapshot, plan: Plan, run: Run) -> RunRow:
    """Return one run by itself: a line of report.csv."""
    series = snapshot.series.get(run.id)
    known = None if series is None or run.is_range_test else run_value(plan, series)
    why = run.ending.why if run.ending is not None else run.why
    return RunRow(
        run=run.id,
        lr=run.setting.lr,
        optimizer=run.setting.optimizer,
        schedule=run.setting.schedule,
        values=run.setting.named,
        seed=run.seed,
        range_test=run.is_range_test,
        origin=run.origin,
        state=shown_state(run),
        why="; ".join(part for part in (why, *flag_texts(run, why)) if part),
        value=known.value if known else None,
        level=known.level if known else None,
        val_loss=known.val_loss if known else None,
        test=_tests_at(series, known.level if known else None),
        spent=run.spent,
        attempts=len(run.attempts),
        output=tuple(about_output(snapshot, run)),
    )


def _tests_at(series: RunSeries | None, level: float | None) -> dict[str, float]:
    """Return a run's test metrics at a length."""
    if series is None or level is None:
        return {}
    names = [name for name in series.names() if name.lower().startswith("test")]
    found = {name: series.at(name, level) for name in names}
    return {name: at[1] for name, at in found.items() if at is not None}


def curves(snapshot: Snapshot, plan: Plan) -> list[Curve]:
    """Return the objective and the training loss of each run, thinned to its highs and lows; None is a gap."""
    from lrtui.metrics import thin

    runs = [run for run in snapshot.sweep.trained() if run.id in snapshot.series]
    metrics = list(dict.fromkeys(name for name in (plan.metric, plan.loss) if name))
    most = _CURVE_POINTS // max(1, 3 * len(runs) * len(metrics))
    columns = min(_CURVE_COLUMNS, max(10, most))
    found = []
    for run in runs:
        for metric in metrics:
            series = thin(snapshot.series[run.id].get(metric), columns, 0.0, plan.horizon or None)
            if len(series):
                found.append(
                    Curve(
                        run=run.id,
                        lr=run.setting.lr,
                        group=group_text(group_of(run.setting)),
                        seed=run.seed,
                        metric=metric,
                        x=tuple(series.x),
                        y=tuple(value if math.isfinite(value) else None for value in series.y),
                    )
                )
    return found
