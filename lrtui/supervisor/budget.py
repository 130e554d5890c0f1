"""How much a sweep has spent, and what happens when its budget is spent: pure functions, and the clock for budgets in hours."""

from __future__ import annotations

import time
from collections.abc import Callable

from lrtui.sweep import events as ev
from lrtui.sweep.events import AnyEvent
from lrtui.sweep.state import State, Sweep
from lrtui.text.format import amount, duration, plural


def overspent(sweep: Sweep, running: float, now: float) -> str | None:
    """Return why the budget is spent, None while it is not.

    `running` is the cost of the living attempts so far, in the plan's unit; `now` is the wall clock.
    """
    plan = sweep.plan
    if plan is None or sweep.budget_lifted or sweep.budget_reached is not None:
        return None
    if plan.budget is not None and sweep.spent + running >= plan.budget:
        return f"the budget of {amount(plan.budget)} {plural(plan.unit)} is spent"
    if plan.budget_seconds is not None and sweep.active_seconds(now) >= plan.budget_seconds:
        return f"the budget of {duration(plan.budget_seconds)} is spent"
    return None


def halted(sweep: Sweep, running: float, why: str) -> list[AnyEvent]:
    """Return the events that end a spent sweep: no more launches, and running runs write their checkpoints."""
    reached = ev.BudgetReached(spent=sweep.spent + running, why=why)
    return [reached, ev.BrakeSet(on=True, why=why), *halt_runs(sweep, why)]


def halt_runs(sweep: Sweep, why: str) -> list[AnyEvent]:
    """Return the events that stop all living runs so that they can be continued: paused, or killed if they have no checkpoint."""
    events: list[AnyEvent] = []
    can_pause = sweep.plan is not None and sweep.plan.checkpoints
    for run in sweep.alive():
        number = len(run.attempts)
        if run.state in (State.STOPPING, State.PAUSING):
            continue
        if can_pause and not run.is_range_test:
            events.append(ev.RunPausing(run=run.id, attempt=number, why=why, with_sweep=True))
        else:
            stopping = ev.RunStopping(
                run=run.id, attempt=number, kind="killed", why=why, with_sweep=True
            )
            events.append(stopping)
    return events


def steady_clock() -> Callable[[], float]:
    """Return a wall clock that advances monotonically from now, even if the machine's clock is set.

    A clock that is set a year forward must not spend a budget of hours.
    """
    ahead = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return lambda: time.clock_gettime(time.CLOCK_BOOTTIME) + ahead
