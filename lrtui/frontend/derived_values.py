"""Values derived from the curves: the gap between training and test, how unsteady a run is, how soon it reached a target.

gap       train_acc - test_acc (else val_acc), or val_loss - train_loss if there is no accuracy: overfitting when it grows
rough     mean change of the objective from one evaluation to the next, over the second half of what was measured
target    when the objective first was at least as good as TARGET of the way from the worst first value to the best of all
"""

from __future__ import annotations

import bisect
import itertools
import math
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lrtui.metrics import RunSeries
    from lrtui.sweep.events import Plan

TARGET = 0.95
_GAPS = (("train_acc", "test_acc", 1), ("train_acc", "val_acc", 1), ("train_loss", "val_loss", -1))


class Derived(Struct, frozen=True):
    """One run's derived values; None if unknown."""

    gap: float | None
    rough: float | None
    level: float | None
    """Where the target was reached, in the plan's unit."""
    seconds: float | None
    """When, since the run began."""


def target(plan: Plan, series: Iterable[RunSeries]) -> float | None:
    """Return the target value; None before anything was measured."""
    firsts, bests = [], []
    for each in series:
        values = [value for value in each.get(plan.metric).y if math.isfinite(value)]
        if values:
            firsts.append(values[0])
            bests.append(max(values) if plan.goal == "max" else min(values))
    if not bests:
        return None
    worst, best = (min(firsts), max(bests)) if plan.goal == "max" else (max(firsts), min(bests))
    return worst + TARGET * (best - worst)


def derive(plan: Plan, series: RunSeries, wanted: float | None) -> Derived:
    """Return what follows from one run's curves."""
    whole = series.get(plan.metric)
    reached = _first(whole.y, wanted, plan.goal)
    times = series.get(plan.metric, "time").x
    timed = reached is not None and len(times) == len(whole)
    return Derived(
        gap=_gap(series),
        rough=_roughness(whole.y),
        level=None if reached is None else whole.x[reached],
        seconds=times[reached] if timed and reached is not None else None,
    )


def gap_name(series: Iterable[RunSeries]) -> str:
    """Return which difference the gap is, as text; "" if no run has both metrics."""
    names = [set(each.names()) for each in series]
    for left, right, _ in _GAPS:
        if any({left, right} <= known for known in names):
            return f"{left} to {right}"
    return ""


def _gap(series: RunSeries) -> float | None:
    """Return the latest gap: at the last evaluation, against the training just before it."""
    for train, other, sign in _GAPS:
        theirs, ours = series.get(other), series.get(train)
        if len(theirs) and len(ours):
            at = max(0, bisect.bisect_right(ours.x, theirs.x[-1]) - 1)
            gap = sign * (ours.y[at] - theirs.y[-1])
            return gap if math.isfinite(gap) else None
    return None


def _roughness(values: Sequence[float]) -> float | None:
    late = [value for value in values[len(values) // 2 :] if math.isfinite(value)]
    if len(late) < 3:
        return None
    return sum(abs(b - a) for a, b in itertools.pairwise(late)) / (len(late) - 1)


def _first(values: Sequence[float], wanted: float | None, goal: str) -> int | None:
    if wanted is None:
        return None
    sign = 1 if goal == "max" else -1
    return next((i for i, v in enumerate(values) if sign * v >= sign * wanted), None)
