"""The search's part of the report: who was compared at each rung, and the range tests."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lrtui.report.model import RangeTest, Rung, RungRun
from lrtui.sweep.state import group_of, group_text, shown_state

if TYPE_CHECKING:
    from lrtui.frontend.snapshot import Snapshot
    from lrtui.metrics import RunSeries
    from lrtui.sweep.events import Plan, RungClosed
    from lrtui.sweep.state import Run, Sweep

_RANGE_POINTS = 400
_CLOSE = 1e-6


def rung_of(sweep: Sweep, closed: RungClosed) -> Rung:
    """Return the runs compared at a rung, the best first, with the result of each."""
    named = [*closed.kept, *closed.pruned]
    rows = [_at_rung(sweep, closed, run) for run in named if run in sweep.runs]
    for run in sweep.trained():
        if run.id not in named and group_of(run.setting) == closed.group:
            rows += _beside(closed, run)
    return Rung(
        group=group_text(closed.group),
        level=closed.level,
        kept=closed.kept,
        pruned=closed.pruned,
        cut=closed.cut,
        why=closed.why,
        runs=tuple(rows),
    )


def _at_rung(sweep: Sweep, closed: RungClosed, run_id: str) -> RungRun:
    run = sweep.runs[run_id]
    if run_id in closed.kept:
        place = f"{closed.kept.index(run_id) + 1} of {len(closed.kept) + len(closed.pruned)}"
        return _judged(run, closed.level, "kept", place)
    why = run.ending.why if run.ending is not None else ""
    if shown_state(run) not in {"pruned", "diverged"}:
        why = f"below the cut; since then {shown_state(run)}"
    return _judged(run, closed.level, "pruned", why)


def _beside(closed: RungClosed, run: Run) -> list[RungRun]:
    """Return a run that was not compared at a rung: it joined late, or it died on the way; [] if it has no part in it."""
    here = [a for a in run.attempts if math.isclose(a.until, closed.level, rel_tol=_CLOSE)]
    if not here:
        return []
    went_on = any(attempt.until > closed.level * (1 + _CLOSE) for attempt in run.attempts)
    if went_on:
        return [_judged(run, closed.level, "kept", "joined late, above the cut")]
    if run.ending is None:
        return []
    died = run.ending.kind != "pruned" or run.ending.rule != "beaten"
    return [_judged(run, closed.level, run.ending.kind if died else "pruned", run.ending.why)]


def _judged(run: Run, level: float, fate: str, why: str) -> RungRun:
    untils = {attempt.number: attempt.until for attempt in run.attempts}
    values = [
        r.value
        for r in run.reached
        if math.isclose(untils.get(r.attempt, 0), level, rel_tol=_CLOSE)
    ]
    return RungRun(
        run=run.id,
        lr=run.setting.lr,
        seed=run.seed,
        value=values[-1] if values else None,
        fate=fate,
        why=why,
    )


def ranges(snapshot: Snapshot, plan: Plan) -> list[RangeTest]:
    """Return the range tests with what the rules read from them, and their curves."""
    found = []
    for run in snapshot.sweep.runs.values():
        if not run.is_range_test:
            continue
        told = snapshot.sweep.ranges.get(run.id)
        found.append(
            RangeTest(
                run=run.id,
                group=group_text(group_of(run.setting)),
                from_=run.setting.lr,
                to=run.lr_to,
                steps=run.lr_steps,
                valley=told.valley if told else None,
                steep=told.steep if told else None,
                minimum=told.minimum if told else None,
                slide=told.slide if told else None,
                diverged=told.diverged if told else None,
                points=told.points if told else 0,
                why=told.why if told and told.why else run.ending.why if run.ending else run.why,
                curve=tuple(_curve(run, snapshot.series.get(run.id), plan.loss)),
            )
        )
    return found


def _curve(run: Run, series: RunSeries | None, loss: str) -> list[tuple[float, float]]:
    """Return (lr, loss) of a range test; where its script prints no lr it is taken to have raised it evenly."""
    if series is None:
        return []
    losses, lrs = series.get(loss), series.get("lr")
    at = dict(zip(lrs.x, lrs.y, strict=True))
    rise = math.log(run.lr_to / run.setting.lr) / max(1, run.lr_steps - 1) if run.lr_to > 0 else 0.0
    every = max(1, -(-len(losses) // _RANGE_POINTS))
    pairs = [
        (at.get(x, run.setting.lr * math.exp(min(rise * i, 100.0))), y)
        for i, (x, y) in enumerate(zip(losses.x, losses.y, strict=True))
        if i % every == 0 and math.isfinite(y)
    ]
    return [pair for pair in pairs if 0 < pair[0] < math.inf]
