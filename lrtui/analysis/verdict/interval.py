"""Where the best LR lies: optimum and interval, from draws of the curve on the stretch around the pick, and on which sides it is open.

`recommend` calls `curve_around`; the answer is cached, since monitor and log mode ask at every change of the sweep.
"""

from __future__ import annotations

import bisect
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

from lrtui.analysis import gaussian_process
from lrtui.analysis.averages import mean, quantile
from lrtui.analysis.verdict.answer import Side
from lrtui.analysis.verdict.case import Case
from lrtui.analysis.verdict.equal import equal_range
from lrtui.analysis.verdict.noise import Beliefs
from lrtui.analysis.verdict.observations import is_wall, observations_of
from lrtui.analysis.verdict.points import Point
from lrtui.analysis.verdict.scale import CLOSE, Scale

_DRAWS = 20
"""Curves that are drawn for each unit of a belief's weight; even, so that their mean is the belief's."""
_PLACES = 36
_OFFS = 20
"""Places that a curve may lie at, each as likely as another."""
_NORMAL = NormalDist()
_WORSE = 1.2816
"""An LR bounds the interval if its result is worse by this many standard deviations (a probability of 90 %)."""
_SLOW = 1.25
"""Decades: an LR that has hardly learned at the rung where it was cut says nothing of LRs within this distance above it. In 171 replayed searches of 19 workloads such LRs
within it below the pick were better in the end in 25 of 69 cases, those further below in none of 156."""
_LEAST = 0.25
"""The interval reaches at least so far, as a share of the distance to the next LR that was tried, to each side of the pick."""


@dataclass(frozen=True, slots=True)
class Curve:
    """The Gaussian process' result on a stretch of LRs; all places are log10."""

    optimum: float
    low: float
    high: float
    equal: tuple[float, float] | None
    open_sides: tuple[Side, ...]
    """Where no LR beyond was seen to be worse."""
    results: tuple[gaussian_process.Observation, ...]
    """What it was fitted to, with the variances that it makes likely."""


def curve_around(case: Case, best: Point, within: float | None, beliefs: Beliefs) -> Curve | None:
    """Return where the optimum lies around the pick; None if there is nothing to compare it with."""
    here = math.log10(best.lr)
    if not any(o.x != here for o in observations_of(case)):
        return None
    walls = walls_of(case, here)
    tried = tuple(sorted(map(case.place, case.points)))
    spread = 0.0 if case.moved is None else case.moved.spread
    tied = tuple(math.log10(p.lr) for p in case.candidates if p.mean == best.mean)
    curve = _curve(beliefs.cases, here, tried, tied, walls, case.scale, within, spread)
    dead = [math.log10(p.lr) for p in case.points if p.dead and p.lr > best.lr]
    return curve if not spread else replace(curve, high=min(curve.high, *dead, math.inf))


def walls_of(case: Case, here: float) -> tuple[float, ...]:
    """Return the places (log10) of the LRs that the curve around the pick says nothing beyond: dead ones and cliffs, but no slow LR that was cut close below it."""
    observations = observations_of(case)
    walls = [(p, _beside(case, p, here)) for p in case.points if is_wall(case, p, observations)]
    return tuple(
        x
        for p, x in walls
        if p.dead or case.is_deep(p) or case.moved is not None or not 0 < here - x < _SLOW
    )


def _beside(case: Case, point: Point, here: float) -> float:
    """Return where a point lies on the curve, but never on the other side of the pick than its own LR."""
    own, place = math.log10(point.lr), case.place(point)
    return place if (place - here) * (own - here) > 0 else own


@functools.lru_cache(maxsize=256)
def _curve(  # noqa: PLR0917  # the key of a cache
    cases: tuple[tuple[tuple[gaussian_process.Observation, ...], float], ...],
    here: float,
    tried: tuple[float, ...],
    tied: tuple[float, ...],
    walls: tuple[float, ...],
    scale: Scale,
    within: float | None,
    spread: float,
) -> Curve:
    """Return optimum, interval and equal range on the stretch without a wall that the pick lies in.

    All of the curve may lie further down or up than it was drawn, with `spread` decades as standard deviation.

    The LRs in `tied` have the pick's value to the last digit, it among them: the interval holds them all.
    """
    belief = gaussian_process.weigh(cases)
    results = belief.observations
    worse = _worse(results, here if not spread else max(results, key=lambda o: o.y).x)
    bottom, top, inside = _stretch([o.x for o in results], here, walls, tried, worse)
    places = sorted(
        {bottom + (top - bottom) * i / _PLACES for i in range(1, _PLACES)} | set(inside)
    )
    curves = belief.draws(places, _DRAWS)
    means = [mean(seen) for seen in zip(*curves, strict=True)]
    tops = sorted(places[max(range(len(places)), key=curve.__getitem__)] for curve in curves)
    offs = [spread * _NORMAL.inv_cdf((i + 0.5) / _OFFS) for i in range(_OFFS)] if spread else [0.0]
    shifted = sorted(place + off for place in tops for off in offs)
    between = [i for i, x in enumerate(places) if inside[0] <= x <= inside[-1]]
    optimum = places[max(between, key=means.__getitem__)]  # not between the last LR and a wall
    low = min(x - _LEAST * _steps(x, tried)[0] for x in tied if x in inside)
    high = max(x + _LEAST * _steps(x, tried)[1] for x in tied if x in inside)
    first, last = min(low, optimum, quantile(tops, 0.05)), max(high, optimum, quantile(tops, 0.95))
    sides = open_sides(max(first, bottom), min(last, top), (*walls, *worse))
    if spread and within is not None:
        curves = [
            _shifted(places, curve, offs[i // 2 * 7 % _OFFS]) for i, curve in enumerate(curves)
        ]
    equal = None if within is None else equal_range(places, curves, optimum, scale, within)
    if not spread:
        return Curve(optimum, max(first, bottom), min(last, top), equal, sides, results)
    low, high = (
        min(low, optimum, quantile(shifted, 0.05)),
        max(high, optimum, quantile(shifted, 0.95)),
    )
    return Curve(optimum, low, high, equal, sides, results)


def _shifted(places: Sequence[float], curve: Sequence[float], off: float) -> list[float]:
    """Return a curve that lies `off` decades higher, at the same places; beyond its ends it is level."""
    found = []
    for x in places:
        at = x - off
        i = bisect.bisect_left(places, at)
        if i == 0 or i == len(places):
            found.append(curve[min(i, len(places) - 1)])
            continue
        share = (at - places[i - 1]) / (places[i] - places[i - 1])
        found.append(curve[i - 1] + share * (curve[i] - curve[i - 1]))
    return found


def open_sides(low: float, high: float, worse: Sequence[float]) -> tuple[Side, ...]:
    """Return the sides of an interval beyond which none of the LRs lies that were seen to be worse; all places are log10."""
    below: tuple[Side, ...] = () if any(x <= low for x in worse) else ("below",)
    return below if any(x >= high for x in worse) else (*below, "above")


def _worse(results: Sequence[gaussian_process.Observation], here: float) -> tuple[float, ...]:
    """Return where a result is worse than the pick's by more than the noise explains."""
    own = min(results, key=lambda o: abs(o.x - here))
    return tuple(
        o.x for o in results if own.y - o.y > _WORSE * math.sqrt(o.variance + own.variance)
    )


def _stretch(
    xs: list[float],
    here: float,
    walls: Sequence[float],
    tried: Sequence[float],
    worse: Sequence[float],
) -> tuple[float, float, list[float]]:
    """Return the stretch in which the best LR may lie, and the places of results in it.

    It holds every LR that was not seen to be worse and that no wall separates from the pick, and ends at the next LR beyond them: a
    wall, or one that was seen to be worse, for curves over LRs have one top. Without such an LR it ends half a step beyond.
    """
    below = max((wall for wall in walls if wall < here), default=-math.inf)
    above = min((wall for wall in walls if wall > here), default=math.inf)
    good = [x for x in (*xs, here) if below < x < above and (x == here or x not in worse)]
    first, last = min(good), max(good)
    bottom = max(
        (x for x in (*xs, *walls) if x < first), default=first - _steps(first, tried)[0] / 2
    )
    top = min((x for x in (*xs, *walls) if x > last), default=last + _steps(last, tried)[1] / 2)
    return bottom, top, sorted({x for x in (*xs, here) if bottom <= x <= top})


def _steps(x: float, tried: Sequence[float]) -> tuple[float, float]:
    """Return the distance to the next LR below and above that was tried; at an edge, that to the other side."""
    below = [x - other for other in tried if other < x - CLOSE]
    above = [other - x for other in tried if other > x + CLOSE]
    down, up = min(below, default=0.0), min(above, default=0.0)
    return down or up, up or down
