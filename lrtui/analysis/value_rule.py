"""The value of a run: `value = "auto"`, `"last"`, `"best"` or `"mean N"` of the experiment file.

The supervisor journals values by this rule, and decides rungs and verdict with them; the leaderboard, the report and log mode use
the same rule. All of them read a `RunSeries`, so the same files give the same value everywhere.
"""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lrtui.analysis.averages import mean
from lrtui.analysis.common_length import value_at

if TYPE_CHECKING:
    from lrtui.metrics import RunSeries
    from lrtui.sweep.events import Plan

_RULE = re.compile(r"auto|last|best|mean (?P<count>[1-9][0-9]{0,8})")
_LATE = 0.9
"""`auto` uses the evaluations after this share of a run's length."""
_ENOUGH = 20
"""The minimum number of evaluations to tell scatter from a trend."""
_MOST = 400
"""More values than these make the mean hardly less noisy."""
_POINTS = 24
"""Points of a curve besides its rungs."""
WIDE = 1.5 / _POINTS
"""Points of a curve lie closer together, as shares of its length, unless there was no evaluation between them."""


@dataclass(frozen=True, slots=True)
class RunValue:
    """The value of a run at a length of training."""

    level: float
    """Of the last evaluation that counts, in the plan's unit, whatever the rule: how far the run had come, not when it was best."""
    value: float
    """Of the objective; may be nan or infinite."""
    val_loss: float | None
    """The last one at or before `level`, which may be nan or infinite; None if there is none."""
    averaged: int = 1
    """The number of evaluations that the value is the mean of."""


def is_rule(text: str) -> bool:
    """Return whether a text is a value rule."""
    return _RULE.fullmatch(text) is not None


def run_value(plan: Plan, series: RunSeries, upto: float = math.inf) -> RunValue | None:
    """Return a run's value over its evaluations at or before the level `upto`; None if there is none."""
    found = series.window(plan.metric, upto, _evaluations(plan.value))
    if not found:
        return None
    level = found[-1][0]
    values = [each for _, each in found]
    if plan.value == "auto":
        values = _settled([each for at, each in found if at > _LATE * level])
    value = mean(values)
    if plan.value == "best":
        best = series.best(plan.metric, plan.goal, upto)
        value = value if best is None else best[1]
    loss = series.at("val_loss", level)
    return RunValue(level, value, loss[1] if loss else None, len(values))


def value_of(plan: Plan, series: RunSeries, level: float) -> float | None:
    """Return a run's value at a length, between two evaluations by interpolation; None if it was not evaluated before it."""
    before = run_value(plan, series, level)
    following = series.after(plan.metric, level)
    if before is None or following is None or before.level == level:
        return None if before is None else before.value
    after = run_value(plan, series, following)
    points = [(before.level, before.value)]
    points += (
        [(after.level, after.value)] if after is not None and math.isfinite(after.value) else []
    )
    return value_at(points, level)


def curve_of(
    plan: Plan, series: RunSeries, upto: float, rungs: tuple[float, ...]
) -> tuple[tuple[float, float], ...]:
    """Return (level, value) at some evaluations up to `upto`, ascending: those before each rung, and a few evenly spread ones."""
    last = series.at(plan.metric, upto)
    if last is None:
        return ()
    wanted = [last[0] * part / _POINTS for part in range(1, _POINTS + 1)]
    wanted += [rung for rung in rungs if rung < last[0]]
    found = (
        run_value(plan, series, level) for level in sorted({*wanted, series.first(plan.metric)})
    )
    return tuple(
        {each.level: each.value for each in found if each and math.isfinite(each.value)}.items()
    )


def _settled(late: list[float]) -> list[float]:
    """Return the values of a run's last stretch if they scatter more than they move; else only the last one.

    Losses of single batches are the usual case: the last one says more about its batch than about the learning rate.
    """
    count = len(late)
    if count < _ENOUGH or not all(map(math.isfinite, late)):
        return late[-1:]
    steps = [abs(b - a) for a, b in itertools.pairwise(late)]
    moved = abs(mean(late[count // 2 :]) - mean(late[: count // 2]))
    return late if mean(steps) > moved else late[-1:]


def _evaluations(rule: str) -> int:
    """Return the number of last evaluations that a rule looks at."""
    if rule == "auto":
        return _MOST
    match = _RULE.fullmatch(rule)
    return int(match["count"]) if match and match["count"] else 1
