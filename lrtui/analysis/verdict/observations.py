"""The data for the curve: which results, moved to one length, with the weight of each.

`pick` and `interval` fit the Gaussian process to them. Dead LRs and the cliff stay outside, as walls.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import median

from lrtui.analysis import gaussian_process
from lrtui.analysis.averages import mean
from lrtui.analysis.verdict.case import Case
from lrtui.analysis.verdict.points import Point, cliff
from lrtui.analysis.verdict.short_runs import between

GAIN_DOUBT = 1 / 3
"""A result of a shorter rung is moved by what the others gained from there on, with so much of that as its standard deviation. With
all of it the intervals after halving were about 2.6 decades wide on digits and 1.5 on Fashion-MNIST, with a third 1.2 and 0.8, and
both held the optimum in every one of 150 sweeps."""


def observations_of(
    case: Case, variance_of: Callable[[Point], float | None] | None = None
) -> tuple[gaussian_process.Observation, ...]:
    """Return what the curve is fitted to: results at the compared length, and those of shorter rungs, moved by what the others
    gained from there on and trusted that much less. Dead LRs and the cliff are left out.

    Args:
        case: the group.
        variance_of: of a point's score; the case's own where none is given.

    """
    variance_of = variance_of or case.variance
    bar = cliff(case.sweep, case.plan, case.scale, [p for p in case.points if case.is_deep(p)])
    found = []
    for point in case.points:
        if point.dead or point.mean is None:
            continue
        scores = [case.scale.score(value) for value in point.values]
        gain: float | None = 0.0 if case.is_deep(point) else _gain(case, point)
        score = mean(scores)
        if gain is None or case.scale.plain(case.scale.value(score + gain)) < bar:
            continue
        variance = variance_of(point) or 0.0
        doubt = 0.0 if _is_moved(case, point) else (GAIN_DOUBT * gain) ** 2
        found.append(
            gaussian_process.Observation(case.place(point), score + gain, variance + doubt)
        )
    return tuple(found)


def lag(case: Case, point: Point) -> float:
    """Return by how much a result of a shorter rung, moved as above, is worse than the best at the compared length; 0 if it is not worse."""
    if case.is_deep(point) or point.mean is None or not case.candidates:
        return 0.0
    gain = _gain(case, point)
    if gain is None:
        return 0.0
    return max(0.0, max(map(case.score, case.candidates)) - case.score(point) - gain)


def _is_moved(case: Case, point: Point) -> bool:
    return case.moved is not None and point.lr in case.moved.gains


def _gain(case: Case, point: Point) -> float | None:
    """Return by how much the score usually rose from this point's length to the compared one; None if no run shows it."""
    if case.moved is not None and point.lr in case.moved.gains:
        return case.moved.gains[point.lr]
    gains = []
    dead = {run for each in case.points if each.dead for run in each.runs}
    for run in case.runs:
        if run.id in dead:
            continue
        results = case.results.by_run[run.id]
        before = results.get(point.length) if point.length is not None else None
        after = results.get(case.level) if case.level is not None else None
        if before is not None and after is not None:
            gains.append(case.scale.score(after.value) - case.scale.score(before.value))
    return median(gains) if gains else _gain_beside(case, point)


def _gain_beside(case: Case, point: Point) -> float | None:
    """Return the gain of a pilot's LR, which no full run has: what full runs gained over the pilots around them, on a line over log10(lr).

    Its slope is how far the best LR of a full run lies from that of the pilots.
    """

    def scores(length: float | None) -> dict[float, float]:
        known = [p for p in case.points if p.length == length and p.mean is not None and not p.dead]
        return {math.log10(p.lr): case.score(p) for p in known}

    short, full = scores(point.length), scores(case.level)
    if len(short) < 2 or not full:  # a line has two ends
        return None
    gains = {x: score - between(short, x) for x, score in full.items()}
    return between(gains, math.log10(point.lr))


def is_wall(case: Case, point: Point, observations: Sequence[gaussian_process.Observation]) -> bool:
    """Return whether an LR killed a seed, or was so bad that it was left out of the fit: the curve says nothing beyond it."""
    x = case.place(point)
    out = point.mean is not None and all(o.x != x for o in observations)
    return out or point.dead not in ("", "failed")
