"""A Gaussian process over log10(lr): estimates the metric at all learning rates from a few noisy results.

The verdict uses it for the best LR and its uncertainty (`weigh`); `bayes` uses it to choose the next LR (`fit`). A curve through
every point would mistake one lucky seed for the optimum; the process models the noise of each result.

Squared-exponential covariance, constant mean; length scale, signal variance and, if the noise is unknown, the noise itself are
chosen by marginal likelihood over a few values each (Rasmussen and Williams 2006, chapters 2 and 5). Pure Python: the supervisor
and the monitor's start may not import numpy. With 12 points a fit takes 2 ms, 400 draws 6 ms.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import mul

from lrtui.analysis.averages import mean

LENGTHS = (0.25, 0.35, 0.5, 0.75, 1.0)
"""Length scales to try, in decades: below a quarter the points are independent, above one the curve is straight."""
USUAL_LENGTH = 0.75
"""Prior median of the length scale, in decades (log-normal): accuracy and loss change slowly over LRs. with seven noisy points the
likelihood alone often takes a quarter of a decade, which widened the verdict's intervals by a tenth to a quarter and gained little
coverage."""
_LENGTH_SD = 0.5
MOST = 64
"""Largest number of observations for a fit; of more, neighbours are merged."""
MOST_WEIGHED = 24
"""The same for `weigh`, which fits hundreds of curves."""
_LENGTH, _SHARE = (0.56, 0.3), (2.5, 1.2)
"""Log-normal priors (median, standard deviation) of `weigh`: as the dense curves of eleven trained workloads have them
(`tests/benchmarks`: lengths of 0.33 to 0.81 decades; leaving out any one of them moves the medians by 0.03 and 0.4)."""
_PARTS = 20
"""Number of curves that a belief keeps, each weighted by its probability."""
SIGNALS = (0.05, 0.15, 0.4, 1.0, 2.5, 6.0, 15.0)
"""Signal variances to try, as multiples of the variance among the results."""
_JITTER = 1e-9
_ROOT_2PI = math.sqrt(2 * math.pi)


@dataclass(frozen=True, slots=True)
class Observation:
    """One result."""

    x: float
    """log10 of the LR."""
    y: float
    """Higher is better."""
    variance: float
    """Variance of the noise in y; 0 if y is exact."""


@dataclass(frozen=True, slots=True)
class Posterior:
    """The posterior over the curve, given the observations."""

    observations: tuple[Observation, ...]
    length: float
    """In decades."""
    signal: float
    """Variance of the curve around its mean."""
    noise: float
    """Variance that was added to every observation's own."""
    mean: float
    likelihood: float
    """Log marginal likelihood, up to a constant."""
    factor: tuple[tuple[float, ...], ...]
    """Lower Cholesky factor of the observations' covariance."""
    weights: tuple[float, ...]

    def at(self, x: float) -> tuple[float, float]:
        """Return mean and standard deviation of the curve (without noise) at one place."""
        shared = self._shared(x)
        solved = forward(self.factor, shared)
        left = self.signal - sum(map(mul, solved, solved))
        return self.mean + sum(map(mul, shared, self.weights)), math.sqrt(max(0.0, left))

    def draws(self, xs: Sequence[float], count: int, seed: int = 0) -> list[list[float]]:
        """Return `count` curves drawn from the posterior, each at `xs`; the same ones for the same seed."""
        rng = random.Random(seed)
        shared = [self._shared(x) for x in xs]
        means = [self.mean + sum(map(mul, row, self.weights)) for row in shared]
        loads = loadings(
            [forward(self.factor, row) for row in shared],
            self.signal,
            lambda i, j: self.covariance(xs[i], xs[j]),
        )
        rank = len(loads[0]) if loads else 0
        curves = []
        for _ in range((count + 1) // 2):
            normal = [rng.gauss(0.0, 1.0) for _ in range(rank)]
            parts = [sum(map(mul, load, normal)) for load in loads]
            # Each with its mirror image: half the work, and exact means.
            curves.append([m + part for m, part in zip(means, parts, strict=True)])
            curves.append([m - part for m, part in zip(means, parts, strict=True)])
        return curves[:count]

    def improvement(self, x: float, best: float) -> float:
        """Return by how much a result at `x` is expected to exceed `best` (expected improvement)."""
        mean, sd = self.at(x)
        if sd <= 0:
            return max(0.0, mean - best)
        z = (mean - best) / sd
        return (mean - best) * below(z) + sd * math.exp(-z * z / 2) / _ROOT_2PI

    def _shared(self, x: float) -> list[float]:
        return [self.covariance(x, o.x) for o in self.observations]

    def covariance(self, x: float, other: float) -> float:
        """Return the prior covariance of the curve at two places."""
        return self.signal * math.exp(-0.5 * ((x - other) / self.length) ** 2)


@dataclass(frozen=True, slots=True)
class Belief:
    """The posterior if length, signal and noise are unknown too: a mixture of posteriors with their probabilities."""

    parts: tuple[tuple[int, Posterior], ...]
    """(weight, posterior), the likeliest first."""

    def draws(self, xs: Sequence[float], count: int) -> list[list[float]]:
        """Return `count` curves for each unit of weight, always the same ones; for an even count their mean is the belief's."""
        return [
            curve
            for i, (weight, part) in enumerate(self.parts)
            for curve in part.draws(xs, weight * count, seed=i)
        ]

    @property
    def observations(self) -> tuple[Observation, ...]:
        """The observations, each with the mean of its variances."""
        every = [part.observations for weight, part in self.parts for _ in range(weight)]
        return tuple(
            Observation(
                mean([o.x for o in same]),
                mean([o.y for o in same]),
                mean([o.variance for o in same]),
            )
            for same in zip(*every, strict=True)
        )


@functools.lru_cache(maxsize=32)
def fit(observations: tuple[Observation, ...], noises: tuple[float, ...] = (0.0,)) -> Posterior:
    """Return the most likely curve's posterior.

    Args:
        observations: at least one; several may lie at one place.
        noises: variances of which one is added to every observation, whichever makes the results most likely: several
            where the noise is not known.

    Raises:
        ValueError: no observation, or one that is not finite.

    """
    observations = _in_order(observations, MOST)
    fits = [each for noise in noises for _, each in _fits(observations, noise)]
    return max(fits, key=lambda each: each.likelihood - _surprise(each.length))


def weigh(cases: Sequence[tuple[tuple[Observation, ...], float]]) -> Belief:
    """Return the belief over curves of every length and signal.

    Args:
        cases: at least one: the same results, each time with other variances, and the log of how likely these are
            before the curve is looked at.

    Raises:
        ValueError: as `fit`.

    """
    fits = [
        (each.likelihood + before - _far(each.length, *_LENGTH) - _far(share, *_SHARE), each)
        for observations, before in cases
        for share, each in _fits(_in_order(observations, MOST_WEIGHED), 0.0)
    ]
    fits.sort(key=lambda each: -each[0])
    reached = list(itertools.accumulate(math.exp(each - fits[0][0]) for each, _ in fits))
    taken = [
        bisect.bisect_left(reached, reached[-1] * (part + 0.5) / _PARTS) for part in range(_PARTS)
    ]
    return Belief(tuple((weight, fits[i][1]) for i, weight in Counter(taken).items()))


def _in_order(observations: Sequence[Observation], most: int) -> tuple[Observation, ...]:
    """Return at most `most` observations in a canonical order: the order of arrival makes no difference, not even in the last digit."""
    if not observations:
        raise ValueError("a curve needs at least one observation")
    if not all(map(math.isfinite, (v for o in observations for v in (o.x, o.y, o.variance)))):
        raise ValueError("observations are finite numbers")
    return _merged(sorted(observations, key=lambda o: (o.x, o.y, o.variance)), most)


def _fits(observations: tuple[Observation, ...], noise: float) -> list[tuple[float, Posterior]]:
    """Return the posterior for each length and signal that is tried, and the signal's share of the variance among the results."""
    ys = [o.y for o in observations]
    centre = mean(ys)
    spread = mean([(y - centre) ** 2 for y in ys])
    unit = spread or max(o.variance for o in observations) or 1.0
    unit = max(unit, 1e-18 * max(y * y for y in ys), 1e-100)  # no smaller than float precision
    return [
        (share, _fit(observations, length, unit * share, noise, unit * _JITTER))
        for length in (LENGTHS if len(observations) > 1 else LENGTHS[-1:])
        for share in SIGNALS
    ]


def _merged(observations: list[Observation], most: int) -> tuple[Observation, ...]:
    """Return at most `most` observations: of more, neighbours become their mean, weighted by what is known of each.

    The work grows with the cube of their number and the memory with its square, and the curve of a thousand neighbours is
    that of their means.
    """
    if len(observations) <= most:
        return tuple(observations)
    edges = [round(i * len(observations) / most) for i in range(most + 1)]
    found = []
    for begin, end in itertools.pairwise(edges):
        few = observations[begin:end]
        sure = all(o.variance > 0 for o in few)
        weights = [1 / o.variance if sure else 1.0 for o in few]
        total = sum(weights)
        variance = 1 / total if sure else sum(o.variance for o in few) / len(few) ** 2
        x = sum(w * o.x for w, o in zip(weights, few, strict=True)) / total
        y = sum(w * o.y for w, o in zip(weights, few, strict=True)) / total
        found.append(Observation(x, y, variance))
    return tuple(found)


def _surprise(length: float) -> float:
    return _far(length, USUAL_LENGTH, _LENGTH_SD)


def _far(value: float, usual: float, sd: float) -> float:
    """Return the negative log density, up to a constant, of a value under a log-normal prior."""
    return 0.5 * (math.log(value / usual) / sd) ** 2


def _fit(
    observations: tuple[Observation, ...], length: float, signal: float, noise: float, jitter: float
) -> Posterior:
    """Return the posterior for these parameters, around the mean that makes the observations most likely."""
    scale = -0.5 / length**2
    xs, ys = [o.x for o in observations], [o.y for o in observations]
    factor: list[list[float]] = []
    for i, x in enumerate(xs):
        row: list[float] = []
        for j, other in enumerate(factor):
            left = signal * math.exp(scale * (x - xs[j]) ** 2) - sum(map(mul, row, other))
            row.append(left / other[j])
        left = signal + observations[i].variance + noise + jitter - sum(map(mul, row, row))
        row.append(math.sqrt(max(left, jitter)))
        factor.append(row)
    ones, seen = forward(factor, [1.0] * len(ys)), forward(factor, ys)
    mean = sum(map(mul, ones, seen)) / sum(map(mul, ones, ones))
    residue = [y - mean * one for y, one in zip(seen, ones, strict=True)]
    likelihood = -0.5 * sum(map(mul, residue, residue))
    likelihood -= sum(math.log(row[-1]) for row in factor)
    return Posterior(
        observations=observations,
        length=length,
        signal=signal,
        noise=noise,
        mean=mean,
        likelihood=likelihood,
        factor=tuple(map(tuple, factor)),
        weights=tuple(backward(factor, residue)),
    )


def forward(factor: Sequence[Sequence[float]], right: Sequence[float]) -> list[float]:
    """Solve L a = right."""
    found: list[float] = []
    for row, value in zip(factor, right, strict=True):
        found.append((value - sum(map(mul, row, found))) / row[len(found)])
    return found


def backward(factor: Sequence[Sequence[float]], right: Sequence[float]) -> list[float]:
    """Solve L' a = right."""
    found = list(right)
    for i in reversed(range(len(found))):
        found[i] /= factor[i][i]
        for j in range(i):
            found[j] -= factor[i][j] * found[i]
    return found


def loadings(
    solved: list[list[float]],
    signal: float,
    covariance: Callable[[int, int], float],
    enough: float = 1e-6,
) -> list[list[float]]:
    """Return A with A A' = the posterior covariance at some places, a column for each direction in which the curve still can move.

    Cholesky with pivots, ended when the share `enough` of the largest variance is left: neighbouring places move together, so
    eight columns do for forty places, and five hundred curves cost 10 ms instead of 60.

    Args:
        solved: for each place what `forward` makes of its covariances with the observations.
        signal: the variance before any observation.
        covariance: of two places, by their numbers, before any observation.
        enough: see above.

    """
    left = [max(0.0, signal - sum(map(mul, row, row))) for row in solved]
    least = enough * max(left, default=0.0)
    loads: list[list[float]] = [[] for _ in solved]
    while loads and len(loads[0]) < len(solved):
        pivot = max(range(len(solved)), key=left.__getitem__)
        if left[pivot] <= least:
            break
        root, own, lead = math.sqrt(left[pivot]), solved[pivot], list(loads[pivot])
        for i, row in enumerate(solved):
            shared = sum(map(mul, own, row)) + sum(map(mul, lead, loads[i]))
            loads[i].append((covariance(i, pivot) - shared) / root)
            left[i] -= loads[i][-1] ** 2
        left[pivot] = 0.0
    return loads


def below(z: float) -> float:
    """Return the probability that a standard normal number lies below z."""
    return 0.5 * math.erfc(-z / math.sqrt(2))
