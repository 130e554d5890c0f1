"""Applies the health rules to the runs: pure functions from measurements to events."""

from __future__ import annotations

from collections.abc import Mapping

from lrtui.analysis.chance import Chance, chance_in, learns
from lrtui.analysis.health import Finding, Signs
from lrtui.sweep import events as ev
from lrtui.sweep.events import AnyEvent
from lrtui.sweep.state import Run, State, Sweep, group_of


def judged(sweep: Sweep, run: Run, signs: Mapping[str, Signs], now: float) -> list[AnyEvent]:
    """Return the events that follow from a run's signs: flags, each once, and its stop if a rule may stop it.

    `signs` are those of all living runs. If the experiment keeps all runs, only the rule `nan` stops one; a run that the user added
    or restarted is never stopped.
    """
    plan, own = sweep.plan, signs.get(run.id)
    if plan is None or own is None or run.is_range_test or run.state not in _JUDGED:
        return []
    chance = chance_in(sweep)
    stalled = own.stalled(now) if run.state is State.RUNNING else None
    lower_learns = chance is not None and _lower_learns(sweep, run, own, signs, chance)
    found = [*own.findings(), own.at_chance(lower_learns=lower_learns), stalled]
    known = {rule for rule, _ in run.flags}
    events: list[AnyEvent] = []
    for finding in found:
        if finding is None or finding.rule in known:
            continue
        number = run.attempts[-1].number
        events.append(ev.RunFlagged(run=run.id, attempt=number, rule=finding.rule, why=finding.why))
        if _may_stop(plan, run, finding) and finding.kind is not None:
            says_rule = finding.rule in {"nan", finding.kind}
            why = finding.why if says_rule else f"{finding.rule}: {finding.why}"
            stopping = ev.RunStopping(
                run=run.id, attempt=number, kind=finding.kind, why=why, rule=finding.rule
            )
            return [*events, stopping]
    return events


_JUDGED = frozenset({State.RUNNING, State.FROZEN})


def _may_stop(plan: ev.Plan, run: Run, finding: Finding) -> bool:
    if finding.kind is None or run.origin == "user":
        return False
    return finding.rule == "nan" or plan.keep != "all"


def _lower_learns(
    sweep: Sweep, run: Run, own: Signs, signs: Mapping[str, Signs], chance: Chance
) -> bool:
    """Return whether a lower LR of the same group was clearly above chance at this length or before."""
    group = group_of(run.setting)
    sign = -1.0 if sweep.plan is not None and sweep.plan.goal == "min" else 1.0
    for other in sweep.trained():
        if other.setting.lr >= run.setting.lr or group_of(other.setting) != group:
            continue
        told = [
            sign * r.value for r in other.reached if r.value is not None and r.level <= own.level
        ]
        if any(learns(value, chance, clearly=True) for value in told):
            return True
        alive = signs.get(other.id)
        if alive is None or alive.latest is None or alive.level > own.level:
            continue
        if learns(alive.latest, chance, clearly=True):
            return True
    return False
