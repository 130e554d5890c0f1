"""Where the best LR lies: optimum and interval, from draws of the curve on the stretch around the pick, and on which sides it is open.

`recommend` calls `curve_around`; the answer is cached, since monitor and log mode ask at every change of the sweep.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from lrtui.analysis import gaussian_process
from lrtui.analysis.averages import mean
from lrtui.analysis.verdict.answer import Side
from lrtui.analysis.verdict.case import Case
from lrtui.analysis.verdict.equal import equal_range
from lrtui.analysis.verdict.observations import is_wall, observations_of
from lrtui.analysis.verdict.points import Point
from lrtui.analysis.verdict.scale import CLOSE, Scale

_DRAWS = 400
_PLACES = 48
_WORSE = 1.2816
"""An LR bounds the interval where its result is worse by so many standard deviations: with a probability of 90 % it is."""
_FREE_NOISES = (0.0, 0.003, 0.01, 0.03, 0.1)
"""Shares of the variance among the results that are tried as noise where it is not known."""


@dataclass(frozen=True, slots=True)
class Curve:
    """The GP's answer about a stretch of LRs; all places are log10."""

    optimum: float
    low: float
    high: float
    equal: tuple[float, float] | None


def curve_around(case: Case, best: Point, within: float | None) -> Curve | None:
    """Return where the optimum lies around the pick; None where there is nothing to compare it with."""
    observations = observations_of(case)
    here = math.log10(best.lr)
    if len({o.x for o in observations}) < 2 and len(case.points) < 2:
        return None
    if not any(o.x != here for o in observations):
        return None
    walls = tuple(math.log10(p.lr) for p in case.points if is_wall(p, observations))
    tried = tuple(math.log10(p.lr) for p in case.points)
    tied = tuple(math.log10(p.lr) for p in case.candidates if p.mean == best.mean)
    free = () if case.noise is not None else _FREE_NOISES
    return _curve(observations, free, here, tried, tied, walls, case.scale, within)


def open_sides(case: Case, best: Point) -> tuple[Side, ...]:
    """Return the sides on which no LR was seen to be worse than the pick: beyond an edge of the search, or of a plateau that reaches it."""
    observations = observations_of(case)
    here, score, own = math.log10(best.lr), case.score(best), case.variance(best) or 0.0
    worse = [math.log10(p.lr) for p in case.points if is_wall(p, observations)]
    worse += [
        o.x
        for o in observations
        if o.y < score and score - o.y >= _WORSE * math.sqrt(o.variance + own)
    ]
    below: tuple[Side, ...] = () if any(x < here for x in worse) else ("below",)
    return below if any(x > here for x in worse) else (*below, "above")


@functools.lru_cache(maxsize=256)
def _curve(  # noqa: PLR0917  # the key of a cache
    observations: tuple[gaussian_process.Observation, ...],
    noises: tuple[float, ...],
    here: float,
    tried: tuple[float, ...],
    tied: tuple[float, ...],
    walls: tuple[float, ...],
    scale: Scale,
    within: float | None,
) -> Curve:
    """Return optimum, interval and equal range on the stretch without a wall that the pick lies in.

    The LRs in `tied` have the pick's value to the last digit, it among them: the interval holds them all.
    """
    inside = _stretch([o.x for o in observations], here, walls)
    steps = _half_steps(here, tried)
    bottom = inside[0] - _half_steps(inside[0], tried)[0]
    top = inside[-1] + _half_steps(inside[-1], tried)[1]
    places = sorted(
        {bottom + (top - bottom) * i / _PLACES for i in range(_PLACES + 1)} | set(inside)
    )
    spread = _spread([o.y for o in observations])
    fitted = gaussian_process.fit(observations, tuple(spread * share for share in noises) or (0.0,))
    means = [fitted.at(x)[0] for x in places]
    curves = fitted.draws(places, _DRAWS)
    tops = sorted(places[max(range(len(places)), key=curve.__getitem__)] for curve in curves)
    optimum = places[max(range(len(places)), key=means.__getitem__)]
    low = min(x - _half_steps(x, tried)[0] for x in tied if x in inside)
    high = max(x + _half_steps(x, tried)[1] for x in tied if x in inside)
    low = min(low, optimum - steps[0], _quantile(tops, 0.05))
    high = max(high, optimum + steps[1], _quantile(tops, 0.95))
    likely = [means] if noises else curves
    equal = None if within is None else equal_range(places, likely, optimum, scale, within)
    return Curve(optimum, max(low, bottom), min(high, top), equal)


def _stretch(xs: list[float], here: float, walls: Sequence[float]) -> list[float]:
    """Return the places around `here` that no wall separates from it."""
    below = max((wall for wall in walls if wall < here), default=-math.inf)
    above = min((wall for wall in walls if wall > here), default=math.inf)
    return sorted({x for x in (*xs, here) if below < x < above})


def _half_steps(x: float, tried: Sequence[float]) -> tuple[float, float]:
    """Return half the distance to the next LR below and above that was tried; at an edge, that to the other side."""
    below = [x - other for other in tried if other < x - CLOSE]
    above = [other - x for other in tried if other > x + CLOSE]
    down, up = min(below, default=0.0), min(above, default=0.0)
    return (down or up) / 2, (up or down) / 2


def _spread(ys: Sequence[float]) -> float:
    middle = mean(ys)
    return mean([(y - middle) ** 2 for y in ys]) or 1.0


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
