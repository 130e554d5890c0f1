"""The measurements of a group's runs, and the length at which they can be compared.

`points` makes one point per LR of it, `case` takes the length, `observations` the gain from one length to the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from lrtui.analysis.averages import mean
from lrtui.analysis.common_length import NEAR, Entry, Place, gap_at, in_order, value_at
from lrtui.analysis.value_rule import WIDE
from lrtui.analysis.verdict.scale import CLOSE
from lrtui.sweep.events import GroupKey, Plan
from lrtui.sweep.state import Reached, Run, State, Sweep, group_of, setting_key

_Key = tuple[float, str, str, str, str]


def groups(sweep: Sweep) -> list[GroupKey]:
    """Return the groups, in the order in which they were queued."""
    return list(dict.fromkeys(group_of(run.setting) for run in sweep.trained()))


def runs_of(sweep: Sweep, group: GroupKey) -> list[Run]:
    """Return the runs of a group."""
    return [run for run in sweep.trained() if group_of(run.setting) == group]


@dataclass(frozen=True, slots=True)
class Result:
    """The measurement of one run at one length."""

    level: float
    """The length at which it was measured, which all that are compared there share."""
    value: float
    val_loss: float | None
    interpolated: bool = False
    """Whether the value lies between two evaluations, further apart than the points of a curve."""
    averaged: int = 1
    """The number of evaluations that the value is the mean of."""


@dataclass(frozen=True, slots=True)
class Results:
    """The measurements of a group's runs."""

    by_run: Mapping[str, Mapping[float, Result]]
    """Of each run by the length that it was started for; the full one under the horizon."""
    level: float | None
    """The length at which the LRs are compared; None if nothing can be compared yet."""
    early: tuple[Run, ...] = ()
    """Runs that ended by themselves before the length of the others."""
    leader: float | None = None
    """The LR that leads although its runs ended early: then all are compared at its length."""


def results_of(sweep: Sweep, plan: Plan, runs: list[Run]) -> Results:
    """Return what the runs of a group were measured at, and the length at which they can be compared.

    That is the horizon as soon as one came to it, else the deepest complete rung; where all ended by themselves before it, how
    far they all came. A run that ended early and leads at every common length makes its own length the one to compare at.
    """
    found: dict[str, dict[float, Result]] = {run.id: {} for run in runs}
    for rung in sorted({attempt.until for run in runs for attempt in run.attempts}):
        if rung < plan.horizon * (1 - CLOSE):
            seen = {run.id: at for run in runs if (at := _at_rung(sweep, run, rung)) is not None}
            _, level, _ = _compared(plan, runs, seen)
            _put(found, seen, rung, level)
    finals = {run.id: final for run in runs if (final := _countable_final(plan, run)) is not None}
    short, level, leader = _compared(plan, runs, finals)
    full = {run: final for run, final in finals.items() if run not in short}
    ended_early = [run for run in runs if run.id in full and _is_early(plan, run, full[run.id])]
    length = level if full and len(ended_early) == len(full) else plan.horizon
    _put(found, full, length, level)
    early = tuple(run for run in runs if run.id in short or run in ended_early)
    came = {run.id: run.reached[-1] for run in runs if run.reached}
    for own in {finals[run].level for run in short}:
        _put(found, came, own, own)
    if leader is not None:
        length = leader.level
    elif not full or (length < plan.horizon and any(run.state is not State.ENDED for run in runs)):
        rungs = [rung.level for rung in sweep.rungs if rung.group == group_of(runs[0].setting)]
        return Results(found, max(rungs, default=None), early)
    return Results(found, length, early, leader.key[0] if leader is not None else None)


def _at_rung(sweep: Sweep, run: Run, rung: float) -> Reached | None:
    """Return what a run was judged by at a rung: a value journalled elsewhere, when it was paused or lost, is no result."""
    untils = {attempt.number: attempt.until for attempt in run.attempts}
    closed = sweep.rung(group_of(run.setting), rung)
    judged = closed is not None and run.id in (*closed.kept, *closed.pruned)
    found = [
        reached
        for reached in run.reached
        if untils.get(reached.attempt) == rung
        and reached.value is not None
        and (judged or reached.level >= NEAR * rung)
    ]
    return found[-1] if found else None


def _compared(
    plan: Plan, runs: list[Run], seen: Mapping[str, Reached]
) -> tuple[frozenset[str], float, Place[_Key] | None]:
    """Return the runs that are too short for the others, the length at which the others are compared, and the leading LR if its runs are short."""
    by_setting: dict[_Key, list[Reached]] = {}
    for run in runs:
        if run.id in seen:
            by_setting.setdefault(setting_key(run.setting), []).append(seen[run.id])
    entries = [_entry(key, seeds) for key, seeds in by_setting.items()]
    if not entries:
        return frozenset(), 0.0, None
    places = in_order(entries, plan.goal)
    level = max(place.level for place in places if not place.short)
    short = frozenset(
        run.id for run in runs if run.id in seen and seen[run.id].level < level * (1 - CLOSE)
    )
    return short, level, places[0] if places[0].short else None


def _entry(key: _Key, seeds: list[Reached]) -> Entry[_Key]:
    longest = max(seed.level for seed in seeds)
    near = [seed for seed in seeds if seed.level >= NEAR * longest]

    def value(level: float) -> float | None:
        found = [at for seed in near if (at := value_at(seed.curve, level)) is not None]
        return mean(found) if found else None

    return Entry(key, min(seed.level for seed in near), value, key)


def _put(
    found: dict[str, dict[float, Result]], seen: Mapping[str, Reached], length: float, level: float
) -> None:
    """Add the values at `level` of all that came so far as the results at a length."""
    for run, reached in seen.items():
        value = value_at(reached.curve, level)
        if value is not None and reached.level >= level * (1 - CLOSE):
            wide = gap_at(reached.curve, level) > WIDE * reached.level
            found[run][length] = Result(level, value, reached.val_loss, wide, reached.averaged)


def final_of(run: Run) -> Reached | None:
    """Return what a finished run's last attempt measured."""
    if not run.finished or not run.attempts:
        return None
    last = run.reached[-1] if run.reached else None
    return last if last is not None and last.attempt == run.attempts[-1].number else None


def _countable_final(plan: Plan, run: Run) -> Reached | None:
    """Return what a finished run measured last; what it trained beyond the horizon does not make the others short."""
    final = final_of(run)
    if final is None or final.value is None:
        return None
    return replace(final, level=min(final.level, plan.horizon))


def _is_early(plan: Plan, run: Run, final: Reached) -> bool:
    """Return whether a script ended by itself clearly before the horizon."""
    early = run.ending is not None and run.ending.early
    return early and final.level < NEAR * plan.horizon
