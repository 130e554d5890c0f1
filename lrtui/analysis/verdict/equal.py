"""The equal range: the LRs that are as good as the best, and the tolerance that counts as equal.

`interval` asks for the range while it has the draws of the curve; `recommend` for the tolerance, and whether the pick lies inside.
"""

from __future__ import annotations

import math

from lrtui.analysis.verdict.case import Case
from lrtui.analysis.verdict.points import Point
from lrtui.analysis.verdict.scale import CLOSE, Scale

SURE = 0.8
"""An LR is called equal if, with this probability, it is no worse than `within`."""
WITHIN_ACCURACY = 0.005
"""Default tolerance: half a percentage point."""


def tolerance(case: Case, best: Point) -> float | None:
    """Return the tolerance that counts as equal, in the metric's unit."""
    if case.plan.within is not None:
        return case.plan.within
    if case.scale.kind == "logit":
        return WITHIN_ACCURACY * case.scale.whole
    variance = case.variance(best)
    if variance is None or best.mean is None:
        return None
    return 2 * math.sqrt(variance) / case.scale.slope(best.mean)


def equal_range(
    places: list[float], curves: list[list[float]], optimum: float, scale: Scale, within: float
) -> tuple[float, float] | None:
    """Return the LRs around the optimum of which enough curves say that they are no worse than `within`."""
    sign = 1.0 if scale.kind == "logit" or (scale.kind == "linear" and scale.sign > 0) else -1.0
    hits = [0] * len(places)
    for curve in curves:
        best = scale.value(max(curve))
        enough = best - sign * within
        bar = scale.score(enough) if scale.kind != "logit" or enough > 0 else -math.inf
        for i, y in enumerate(curve):
            hits[i] += y >= bar - 1e-12
    need = SURE * len(curves)
    low = high = places.index(optimum)
    if hits[low] < need:
        return None
    while low > 0 and hits[low - 1] >= need:
        low -= 1
    while high < len(places) - 1 and hits[high + 1] >= need:
        high += 1
    return places[low], places[high]


def equal_lrs(lr: float, equal: tuple[float, float] | None) -> tuple[float, float] | None:
    """Return an equal range of log10(lr) as LRs; None if it leaves out the LR that is recommended: then none is equal for certain."""
    if equal is None:
        return None
    low, high = 10 ** equal[0], 10 ** equal[1]
    return (low, high) if low * (1 - CLOSE) <= lr <= high * (1 + CLOSE) else None
