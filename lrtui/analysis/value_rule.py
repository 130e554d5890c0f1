"""What counts as a run's value: `value = "last"`, `"best"` or `"mean N"` of the experiment file.

The supervisor journals values by this rule, and with them decides the rungs and the verdict; the leaderboard, the report and
log mode show values by it. All of them read a `RunSeries`, so the same files give the same value everywhere.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lrtui.analysis.averages import mean

if TYPE_CHECKING:
    from lrtui.metrics import RunSeries
    from lrtui.sweep.events import Plan

_RULE = re.compile(r"last|best|mean (?P<count>[1-9][0-9]{0,8})")


@dataclass(frozen=True, slots=True)
class RunValue:
    """What a run is worth at a length of training."""

    level: float
    """Of the last evaluation that counts, in the plan's unit, whatever the rule: how far the run had come, not when it was best."""
    value: float
    """Of the objective; may be nan or infinite."""
    val_loss: float | None
    """The last one at or before `level`, which may be nan or infinite; None if there is none."""


def is_rule(text: str) -> bool:
    """Return whether a text is a value rule."""
    return _RULE.fullmatch(text) is not None


def run_value(plan: Plan, series: RunSeries, upto: float = math.inf) -> RunValue | None:
    """Return a run's value over its evaluations at or before the level `upto`; None if there is none."""
    found = series.window(plan.metric, upto, _evaluations(plan.value))
    if not found:
        return None
    level = found[-1][0]
    value = mean([each for _, each in found])
    if plan.value == "best":
        best = series.best(plan.metric, plan.goal, upto)
        value = value if best is None else best[1]
    loss = series.at("val_loss", level)
    return RunValue(level, value, loss[1] if loss else None)


def _evaluations(rule: str) -> int:
    """Return over how many of the last evaluations a rule averages."""
    match = _RULE.fullmatch(rule)
    return int(match["count"]) if match and match["count"] else 1
