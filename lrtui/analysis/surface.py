"""A Gaussian process over the LR and the axes of [search] beside it: one length for each, and how the best LR moves along an axis.

`search/surface_search.py` asks it which pair to try next, `verdict/best_place.py` where the best pair lies. The place of a result is
log10(lr) and its share along each axis. A slope for each axis turns the plane, so that a ridge such as that of AdamW (the best LR
falls as weight decay rises) is as easy to learn as one along the axes: distances in log10(lr) are taken from the line
slope * share, and the slope is found as the lengths are, by marginal likelihood with a prior.

The parameters are chosen one after the other, twice over: a fit of 24 results takes about 40 ms in pure Python.
"""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from operator import mul

from lrtui.analysis.averages import mean
from lrtui.analysis.gaussian_process import backward, below, forward, loadings

LENGTHS = (0.35, 0.5, 0.75, 1.0)
"""Of log10(lr), in decades, as in `gaussian_process`."""
SHARES = (0.25, 0.4, 0.6, 0.9, 1.4, 2.5)
"""Lengths along an axis, as shares of it: beyond twice the axis it makes no difference."""
SLOPES = (-2.0, -1.5, -1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
"""By how many decades the best LR moves over the whole axis."""
SIGNALS = (0.15, 0.4, 1.0, 2.5, 6.0)
"""Signal variances, as multiples of the variance among the results."""
FACTORS = tuple(math.exp(k / 2) for k in range(-6, 4))
"""By how much the noise may be larger or smaller than each result says."""
_USUAL_LENGTH, _USUAL_SHARE = 0.75, 0.9
_LENGTH_SD, _SLOPE_SD = 0.5, 1.0
_SHORT_SD = 0.5
LEAN = 0.5
"""After a ninth of a training at a constant LR the best LR is this many decades higher than at its end, on average."""
_PASSES = 2
_JITTER = 1e-8
_ROOT_2PI = math.sqrt(2 * math.pi)

Place = tuple[float, ...]
"""log10(lr), the share along each axis, and how short the training was: 0 at the full length."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One result."""

    place: Place
    y: float
    """Higher is better."""
    variance: float
    """Variance of the noise in y as far as it is known without other results; 0 if y is exact."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How smooth the surface is."""

    length: float
    """In decades of the LR."""
    shares: tuple[float, ...]
    """Along each axis, as a share of it."""
    slopes: tuple[float, ...]
    """By how many decades the best LR moves over the whole of each axis."""
    signal: float
    """Variance of the surface around its mean."""
    lean: float
    """The slope along the training's length that is expected."""
    times: float
    """What every result's variance is multiplied by."""
    doubt: float
    """Standard deviation of the logarithm of the noise's factor, whose square that is; 0: the noise is known."""

    def scaled(self, place: Place) -> Place:
        """Return a place in units of the lengths."""
        turned = place[0] - sum(map(mul, self.slopes, place[1:]))
        along = (x / share for x, share in zip(place[1:], self.shares, strict=True))
        return turned / self.length, *along

    def covariance(self, one: Place, other: Place) -> float:
        """Return the prior covariance of the surface at two scaled places."""
        return self.signal * math.exp(-0.5 * math.dist(one, other) ** 2)

    def surprise(self) -> float:
        """Return minus the log of the prior."""
        found = 0.5 * (math.log(self.length / _USUAL_LENGTH) / _LENGTH_SD) ** 2
        found += sum(0.5 * (math.log(s / _USUAL_SHARE) / _LENGTH_SD) ** 2 for s in self.shares)
        found += sum(0.5 * (slope / _SLOPE_SD) ** 2 for slope in self.slopes[:-1])
        if self.doubt:
            found += 0.5 * (0.5 * math.log(self.times) / self.doubt) ** 2
        return found + 0.5 * ((self.slopes[-1] - self.lean) / _SHORT_SD) ** 2


@dataclass(frozen=True, slots=True)
class Surface:
    """The posterior over the surface, given the results."""

    shape: Shape
    places: tuple[Place, ...]
    """Of the results, scaled."""
    mean: float
    score: float
    """Log marginal likelihood and prior, up to a constant."""
    factor: tuple[tuple[float, ...], ...]
    """Lower Cholesky factor of the results' covariance."""
    weights: tuple[float, ...]

    def height(self, place: Place) -> float:
        """Return the mean at one place."""
        return self._height(self._shared(self.shape.scaled(place)))

    def at(self, place: Place) -> tuple[float, float]:
        """Return mean and standard deviation (without noise) at one place."""
        shared = self._shared(self.shape.scaled(place))
        solved = forward(self.factor, shared)
        left = self.shape.signal - sum(map(mul, solved, solved))
        return self._height(shared), math.sqrt(max(0.0, left))

    def improvement(self, place: Place, best: float) -> float:
        """Return by how much a result there is expected to exceed `best`."""
        mean, sd = self.at(place)
        if sd <= 0:
            return max(0.0, mean - best)
        z = (mean - best) / sd
        return (mean - best) * below(z) + sd * math.exp(-z * z / 2) / _ROOT_2PI

    def draws(self, places: Sequence[Place], count: int, rng: random.Random) -> list[list[float]]:
        """Return `count` surfaces drawn from the posterior, each at `places`."""
        scaled = [self.shape.scaled(place) for place in places]
        shared = [self._shared(place) for place in scaled]
        means = [self._height(row) for row in shared]
        loads = loadings(
            [forward(self.factor, row) for row in shared],
            self.shape.signal,
            lambda i, j: self.shape.covariance(scaled[i], scaled[j]),
            enough=1e-3,
        )
        rank = len(loads[0]) if loads else 0
        drawn = []
        for _ in range(count):
            normal = [rng.gauss(0.0, 1.0) for _ in range(rank)]
            drawn.append(
                [m + sum(map(mul, load, normal)) for m, load in zip(means, loads, strict=True)]
            )
        return drawn

    def _height(self, shared: list[float]) -> float:
        height: float = self.mean + sum(map(mul, shared, self.weights))
        return height

    def _shared(self, scaled: Place) -> list[float]:
        return [self.shape.covariance(scaled, other) for other in self.places]


@functools.lru_cache(maxsize=32)
def fit(seen: tuple[Seen, ...], lean: float = 0.0, doubt: float = 0.0) -> Surface:
    """Return the most likely surface; with `doubt` the noise of the results is one of FACTORS of what they say.

    Raises:
        ValueError: no result.

    """
    return _climb(_ordered(seen), _start(seen, lean, doubt), turn=True)


@functools.lru_cache(maxsize=32)
def by_slope(
    seen: tuple[Seen, ...], axis: int, lean: float = 0.0, doubt: float = 0.0
) -> tuple[Surface, ...]:
    """Return the most likely surface for each of SLOPES along one axis: what the results leave open about it."""
    best, results = fit(seen, lean, doubt), _ordered(seen)
    found = []
    for slope in SLOPES:
        slopes = (*best.shape.slopes[:axis], slope, *best.shape.slopes[axis + 1 :])
        start = replace(best.shape, slopes=slopes)
        found.append(_climb(results, start, turn=False))
    return tuple(found)


def refit(shape: Shape, seen: Sequence[Seen]) -> Surface:
    """Return the surface of the same shape after other results."""
    return _fit(_ordered(seen), shape, _unit(seen))


def weights(surfaces: Sequence[Surface]) -> list[float]:
    """Return the relative probabilities; they sum to 1."""
    top = max(each.score for each in surfaces)
    odds = [math.exp(each.score - top) for each in surfaces]
    total = sum(odds)
    return [each / total for each in odds]


def _ordered(seen: Iterable[Seen]) -> tuple[Seen, ...]:
    """Return the results in a canonical order: the order of arrival makes no difference, not even in the last digit."""
    return tuple(sorted(seen, key=lambda each: (each.place, each.y, each.variance)))


def _start(seen: tuple[Seen, ...], lean: float, doubt: float) -> Shape:
    if not seen:
        raise ValueError("a surface needs at least one result")
    axes = len(seen[0].place) - 1
    unit = _unit(seen)
    return Shape(_USUAL_LENGTH, (_USUAL_SHARE,) * axes, (0.0,) * axes, unit, lean, 1.0, doubt)


def _unit(seen: Sequence[Seen]) -> float:
    """Return the variance among the results, no smaller than a float can tell."""
    ys = [each.y for each in seen]
    centre = mean(ys)
    spread = mean([(y - centre) ** 2 for y in ys])
    unit = spread or max(each.variance for each in seen) or 1.0
    return max(unit, 1e-18 * max(y * y for y in ys), 1e-100)


def _climb(seen: tuple[Seen, ...], start: Shape, *, turn: bool) -> Surface:
    """Return the best surface that is found from a shape by changing one parameter after the other; `turn`: the slopes too."""
    unit = _unit(seen)
    best = _fit(seen, start, unit)
    for _ in range(_PASSES if turn else 1):
        before = best.score
        for change in _changes(start, unit, turn=turn):
            shapes = dict.fromkeys(change(best.shape))
            tried = [_fit(seen, shape, unit) for shape in shapes if shape != best.shape]
            best = max([best, *tried], key=lambda each: each.score)
        if best.score - before < 1e-3:
            break
    return best


def _changes(start: Shape, unit: float, *, turn: bool) -> list[Callable[[Shape], list[Shape]]]:
    """Return for each parameter what a shape may become by it."""

    def put(values: tuple[float, ...], at: int, value: float) -> tuple[float, ...]:
        return (*values[:at], value, *values[at + 1 :])

    def lengths(shape: Shape) -> list[Shape]:
        return [replace(shape, length=each) for each in LENGTHS]

    def signals(shape: Shape) -> list[Shape]:
        return [replace(shape, signal=unit * each) for each in SIGNALS]

    def noises(shape: Shape) -> list[Shape]:
        return [replace(shape, times=each * each) for each in FACTORS]

    def shares(axis: int, shape: Shape) -> list[Shape]:
        return [replace(shape, shares=put(shape.shares, axis, each)) for each in SHARES]

    def slopes(axis: int, shape: Shape) -> list[Shape]:
        return [replace(shape, slopes=put(shape.slopes, axis, each)) for each in SLOPES]

    found: list[Callable[[Shape], list[Shape]]] = [signals, lengths]
    if start.doubt:
        found.append(noises)
    for axis in range(len(start.shares)):
        found.append(functools.partial(shares, axis))
        if turn:
            found.append(functools.partial(slopes, axis))
    return found


def _fit(seen: tuple[Seen, ...], shape: Shape, unit: float) -> Surface:
    """Return the surface of a shape, around the mean that makes the results most likely."""
    places = [shape.scaled(each.place) for each in seen]
    jitter = unit * _JITTER
    factor: list[list[float]] = []
    for i, place in enumerate(places):
        row: list[float] = []
        for other, known in zip(factor, places, strict=False):
            left = shape.covariance(place, known)
            row.append((left - sum(map(mul, row, other))) / other[-1])
        left = shape.signal + seen[i].variance * shape.times + jitter - sum(map(mul, row, row))
        row.append(math.sqrt(max(left, jitter)))
        factor.append(row)
    ones, values = forward(factor, [1.0] * len(seen)), forward(factor, [s.y for s in seen])
    centre = sum(map(mul, ones, values)) / sum(map(mul, ones, ones))
    residue = [y - centre * one for y, one in zip(values, ones, strict=True)]
    likelihood = -0.5 * sum(map(mul, residue, residue)) - sum(math.log(row[-1]) for row in factor)
    return Surface(
        shape=shape,
        places=tuple(places),
        mean=centre,
        score=likelihood - shape.surprise(),
        factor=tuple(map(tuple, factor)),
        weights=tuple(backward(factor, residue)),
    )
