"""What the runs of a group were measured at, and the length at which they can be compared.

`points` makes one point per LR of it, `case` takes the length, `observations` the gain from one length to the next.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from lrtui.analysis.verdict.scale import CLOSE
from lrtui.sweep.events import GroupKey, Plan
from lrtui.sweep.state import Reached, Run, State, Sweep, group_of


def groups(sweep: Sweep) -> list[GroupKey]:
    """Return the groups, in the order in which they were queued."""
    return list(dict.fromkeys(group_of(run.setting) for run in sweep.trained()))


def runs_of(sweep: Sweep, group: GroupKey) -> list[Run]:
    """Return the runs of a group."""
    return [run for run in sweep.trained() if group_of(run.setting) == group]


@dataclass(frozen=True, slots=True)
class Result:
    """What one run was measured at, at one length."""

    level: float
    value: float
    val_loss: float | None


def results_of(sweep: Sweep, plan: Plan, run: Run) -> dict[float, Result]:
    """Return a run's result at each length at which it was judged, the full one under the horizon."""
    found: dict[float, Result] = {}
    untils = {attempt.number: attempt.until for attempt in run.attempts}
    for reached in run.reached:
        until = untils.get(reached.attempt, 0.0)
        if until >= plan.horizon * (1 - CLOSE) or reached.value is None:
            continue
        closed = sweep.rung(group_of(run.setting), until)
        judged = closed is not None and run.id in (*closed.kept, *closed.pruned)
        if judged or reached.level >= 0.9 * until:
            found[until] = Result(until, reached.value, reached.val_loss)
    final = final_of(run)
    if final is not None and final.value is not None and math.isfinite(final.value):
        found[_length_of(plan, run, final)] = Result(final.level, final.value, final.val_loss)
    return {level: each for level, each in found.items() if math.isfinite(each.value)}


def final_of(run: Run) -> Reached | None:
    """Return what a finished run's last attempt measured."""
    if not run.finished or not run.attempts:
        return None
    last = run.reached[-1] if run.reached else None
    return last if last is not None and last.attempt == run.attempts[-1].number else None


def _length_of(plan: Plan, run: Run, final: Reached) -> float:
    """Return the length that a final value stands for: the horizon, unless the script ended by itself before it."""
    early = run.ending is not None and run.ending.early
    return final.level if early and final.level < 0.9 * plan.horizon else plan.horizon


def compared_at(
    sweep: Sweep, plan: Plan, runs: list[Run], results: Mapping[str, dict[float, Result]]
) -> float | None:
    """Return the length at which the LRs of a group are compared: the horizon as soon as one came to it, else the deepest
    complete rung; where all ended by themselves before it, the longest.
    """
    if any(plan.horizon in each for each in results.values()):
        return plan.horizon
    rungs = [rung.level for rung in sweep.rungs if rung.group == group_of(runs[0].setting)]
    if rungs or any(run.state is not State.ENDED for run in runs):
        return max(rungs, default=None)
    return max((level for run in runs if run.finished for level in results[run.id]), default=None)
