"""The best learning rate at a level that was not trained: a power law through the levels of a study, and how reliable it is.

log LR* = a + b x + c x^2, with x the logarithm of the level counted from the middle of the levels, all in decades. A level's LR*
enters as its interval: a normal distribution with a width for each side, flat on an open side. The exponent b has a weak prior for
each factor (PRIORS). The bend c has one as well: power laws of learning rates end somewhere, and an interval has to grow with the
distance from the levels as they do. What the levels scatter around the law beyond their intervals is a standard deviation of its
own; a few values are tried, and the posterior is the mixture of the normal distributions that they give (Laplace's approximation).

A prediction is made only if the levels support one; else `Prediction.why` says why not. `study` calls `predict`. Pure
Python, as the verdict: 4 levels cost under 1 ms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lrtui.text.format import amount, amount_about, lr_rounded

MOST_LEVEL = 1e30
"""Levels are positive numbers below this."""
LEAST_LEVELS = 3
"""A power law through two levels always fits exactly."""
MOST_SPANS = 3.0
"""The target may lie at most this many times the span of the levels away from them, both as logarithms."""
WIDEST = 1.3
"""Decades: with a wider 90 % interval there is no prediction. An ordinary search spans three."""
_CONTRADICTED = 0.02
"""Levels contradict a power law if chance scatters them as far around it with no more than this probability."""
_ORDINARY_SCATTER = 0.1
"""Decades by which LR* of a level may miss the law without contradicting it."""
_SMALLEST_SD = 0.05
"""Decades: no interval is trusted further."""
_SCATTERS = ((0.0, 0.5), (0.08, 0.25), (0.16, 0.15), (0.32, 0.1))
"""Standard deviations of LR* around the law to try, in decades, each with its prior probability."""
_Z = 1.6449
"""A 90 % interval reaches this many standard deviations to each side."""
_ROUNDS = 50

Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]


class Prior(NamedTuple):
    """The prior of a factor's exponent."""

    exponent: float
    sd: float
    bend: float = 0.0
    """c is expected at -bend * b: an exponent of 0.5 falls by 2 * bend * 0.5 with each decade."""
    bend_sd: float = 0.12


PRIORS = {
    "batch_size": Prior(0.5, 0.4, bend=0.35, bend_sd=0.18),
    **dict.fromkeys(("data", "steps", "train_steps", "max_steps", "max_iters"), Prior(-0.2, 0.35)),
    **dict.fromkeys(("width", "hidden_size", "d_model", "n_embd"), Prior(-0.6, 0.5)),
    **dict.fromkeys(("depth", "num_layers", "n_layer"), Prior(-0.4, 0.4)),
}
SGD_BATCHES = Prior(0.95, 0.3, bend=0.05, bend_sd=0.15)
"""Numbers of a script under their usual names as well. batch_size: 0.5 for Adam (Malladi et al. 2022) and 1 for SGD (Goyal et al. 2017), up to a critical batch size from which on LR* no longer rises
(McCandlish et al. 2018, Li et al. 2024). data, steps: -0.3 (Bjorck et al. 2024), against +0.3 where the batch grows with it (Li et al. 2025). width: -1
to 0 for Adam in the standard parametrization (Yang et al. 2022, Everett et al. 2024). depth: -0.5 (Yang et al. 2023)."""
ANY = Prior(0.0, 0.7)
"""Of a number that the user's script has."""


class Seen(NamedTuple):
    """A level that was trained: its best LR, and the 90 % interval."""

    level: float
    lr: float
    low: float
    high: float
    open_below: bool = False
    open_above: bool = False

    @property
    def is_closed(self) -> bool:
        """Whether LRs on both sides of the best one were seen to be worse."""
        return not (self.open_below or self.open_above)

    @property
    def place(self) -> float:
        """log10 of LR*."""
        return math.log10(self.lr)

    def sd(self, expected: float) -> float:
        """Return the standard deviation on the side of LR* on which the law has it; infinite if that side is open."""
        above = expected > self.place
        if self.open_above if above else self.open_below:
            return math.inf
        end = self.high if above else self.low
        return max(_SMALLEST_SD, abs(math.log10(end / self.lr)) / _Z)


@dataclass(frozen=True, slots=True)
class Prediction:
    """The best LR at a level that was not trained, or why there is no prediction."""

    target: float
    """The level."""
    lr: float | None = None
    """LR* there; None: not predictable from these levels."""
    low: float | None = None
    high: float | None = None
    """The 90 % interval."""
    exponent: Vector | None = None
    """b of LR* ~ level^b in the middle of the levels, with the ends of its 90 % interval; the prior counts as one more observation."""
    law: tuple[tuple[float, float], ...] = ()
    """The law from the first level to the target: levels with the LR* expected there."""
    levels: int = 0
    """The number of levels that it is based on."""
    why: str = ""
    """Why it is not predictable."""


def predict(factor: str, seen: Sequence[Seen], target: float, optimizer: str = "") -> Prediction:
    """Return the best LR at `target` with its interval, or why these levels do not support one.

    `optimizer` is the name of the one that trained the levels, if it is known.
    """
    if why := _unsuitable(seen, target):
        return Prediction(target, why=why)
    is_sgd = factor == "batch_size" and optimizer == "sgd"
    law = _Law(SGD_BATCHES if is_sgd else PRIORS.get(factor, ANY), seen)
    if why := _contradiction(law):
        return Prediction(target, why=why)
    fits = [law.fit(scatter, share) for scatter, share in _SCATTERS]
    low, middle, high = _mixed([fit.at(law.x(target)) for fit in fits], fits)
    if high - low > WIDEST:
        why = f"its 90 % interval would span a factor of {amount_about(round(_power(high - low)))}; more levels, levels nearer to it or more seeds make it narrower"
        return Prediction(target, why=why)
    b_low, b, b_high = _mixed([fit.slope for fit in fits], fits)
    levels = sorted({each.level for each in seen} | {target})
    between = [levels[0] * (levels[-1] / levels[0]) ** (i / 16) for i in range(17)]
    expected = [_mean([fit.at(law.x(level)) for fit in fits], fits) for level in between]
    return Prediction(
        target=target,
        lr=_power(middle),
        low=_power(low),
        high=_power(high),
        exponent=(b, b_low, b_high),
        law=tuple((level, _power(y)) for level, y in zip(between, expected, strict=True)),
        levels=len(seen),
    )


def _unsuitable(seen: Sequence[Seen], target: float) -> str:
    """Return why no law can be fitted to these levels and extrapolated to the target; "" if one can."""
    if len({each.level for each in seen}) < LEAST_LEVELS:
        return f"{len(seen)} of the {LEAST_LEVELS} levels that it takes have an LR*"
    edges = [each for each in seen if not each.is_closed]
    remedy = "try a wider range of learning rates"
    if len(seen) - len(edges) < LEAST_LEVELS:
        return f"{len(edges)} of {len(seen)} levels are best at the edge of their search; {remedy}"
    nearest = min(seen, key=lambda each: abs(math.log(each.level / target)))
    if nearest in edges:
        return f"the level nearest to it, {amount(nearest.level)}, is best at the edge of its search; {remedy}"
    xs = [math.log10(each.level) for each in seen]
    span, x = max(xs) - min(xs), math.log10(target)
    away = max(min(xs) - x, x - max(xs))
    if away > MOST_SPANS * span:
        return f"it lies a factor of {amount_about(_power(away))} beyond the levels, which carry no further than {amount_about(_power(MOST_SPANS * span))}; add levels nearer to it"
    return ""


def _contradiction(law: _Law) -> str:
    """Return why the levels contradict a power law; "" if they do not."""
    fit = law.fit(_ORDINARY_SCATTER, 1.0, straight=True)
    closed = [each for each in law.seen if each.is_closed]
    expected = [fit.at(law.x(each.level))[0] for each in closed]
    off = [
        (each.place - y) ** 2 / (each.sd(y) ** 2 + fit.scatter**2)
        for each, y in zip(closed, expected, strict=True)
    ]
    if _chance(sum(off), len(closed) - 2) >= _CONTRADICTED:
        return ""
    worst = max(range(len(off)), key=off.__getitem__)
    found = closed[worst]
    return f"the levels contradict a power law: LR* at {amount(found.level)} is {lr_rounded(found.lr)}, and the law through all has {lr_rounded(_power(expected[worst]))} there"


# ---------------------------------------------------------------- the law


@dataclass(frozen=True, slots=True)
class _Fit:
    """The posterior of (a, b, c) at one scatter: normal around its mode."""

    weight: float
    """Its probability among the scatters, up to a constant."""
    mode: Vector
    covariance: Matrix
    scatter: float

    def at(self, x: float) -> tuple[float, float]:
        """Return mean and variance of LR* at a place, the scatter included."""
        row = (1.0, x, x * x)
        return _dot(self.mode, row), _form(self.covariance, row) + self.scatter**2

    @property
    def slope(self) -> tuple[float, float]:
        """Mean and variance of the exponent in the middle of the levels."""
        return self.mode[1], self.covariance[1][1]


class _Law:
    """A power law with a bend through levels."""

    def __init__(self, prior: Prior, seen: Sequence[Seen]) -> None:
        xs = [math.log10(each.level) for each in seen]
        self.seen = tuple(seen)
        self._middle = (min(xs) + max(xs)) / 2
        self._prior = prior

    def x(self, level: float) -> float:
        """Return where a level lies."""
        return math.log10(level) - self._middle

    def fit(self, scatter: float, share: float, *, straight: bool = False) -> _Fit:
        """Return the posterior at one scatter of prior probability `share`; `straight` allows no bend.

        A level's width depends on the side on which the law passes it, so the mode is found in rounds. It is the only one: every factor of
        the posterior is log-concave.
        """
        prior = self._prior
        bend, stiff = (0.0, 1e6) if straight else (prior.bend, 1 / prior.bend_sd**2)
        pull = (
            (0.0, 0.0, 0.0),
            (0.0, 1 / prior.sd**2 + bend * bend * stiff, bend * stiff),
            (0.0, bend * stiff, stiff),
        )
        ys = sorted(each.place for each in self.seen)
        mode: Vector = (ys[len(ys) // 2], 0.0, 0.0)
        for _ in range(_ROUNDS):
            precision = [list(line) for line in pull]
            right = [0.0, prior.exponent / prior.sd**2, 0.0]
            for row, y, sd in self._rows(mode):
                weight = 1 / (sd**2 + scatter**2)
                for i in range(3):
                    right[i] += weight * y * row[i]
                    for j in range(3):
                        precision[i][j] += weight * row[i] * row[j]
            covariance = _inverse(precision)
            before, mode = mode, (_dot(covariance[0], right), _dot(covariance[1], right), _dot(covariance[2], right))  # fmt: skip
            if max(abs(a - b) for a, b in zip(before, mode, strict=True)) < 1e-9:
                break
        evidence = 0.5 * math.log(_determinant(covariance))
        evidence -= 0.5 * ((mode[1] - prior.exponent) / prior.sd) ** 2
        evidence -= 0.5 * stiff * (mode[2] + bend * mode[1]) ** 2
        for row, y, sd in self._rows(mode):
            variance = sd**2 + scatter**2
            evidence -= 0.5 * ((y - _dot(mode, row)) ** 2 / variance + math.log(variance))
        return _Fit(share * math.exp(evidence), mode, covariance, scatter)

    def _rows(self, mode: Vector) -> list[tuple[Vector, float, float]]:
        """Return (1, x, x^2), LR* and its standard deviation of each level that says something about a law with this mode."""
        found = []
        for each in self.seen:
            x = self.x(each.level)
            row = (1.0, x, x * x)
            sd = each.sd(_dot(mode, row))
            if math.isfinite(sd):
                found.append((row, each.place, sd))
        return found


# ---------------------------------------------------------------- numbers


def _power(decades: float) -> float:
    """Return 10 to a power; levels from a damaged journal may lead anywhere."""
    return float(10.0 ** max(-99.0, min(decades, 99.0)))


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def _form(m: Matrix, v: Vector) -> float:
    return _dot([_dot(row, v) for row in m], v)


def _inverse(m: Sequence[Sequence[float]]) -> Matrix:
    """Return the inverse of a symmetric positive matrix."""
    (a, b, c), (_, d, e), (_, _, f) = m
    whole = _determinant(m)
    x, y, z = c * e - b * f, b * e - c * d, b * c - a * e
    return (
        ((d * f - e * e) / whole, x / whole, y / whole),
        (x / whole, (a * f - c * c) / whole, z / whole),
        (y / whole, z / whole, (a * d - b * b) / whole),
    )


def _determinant(m: Sequence[Sequence[float]]) -> float:
    (a, b, c), (_, d, e), (_, _, f) = m
    return a * (d * f - e * e) - b * (b * f - c * e) + c * (b * e - c * d)


def _mean(parts: Sequence[tuple[float, float]], fits: Sequence[_Fit]) -> float:
    total = sum(fit.weight for fit in fits)
    return sum(fit.weight * mean for fit, (mean, _) in zip(fits, parts, strict=True)) / total


def _mixed(parts: Sequence[tuple[float, float]], fits: Sequence[_Fit]) -> Vector:
    """Return 5 % quantile, mean and 95 % quantile of a mixture of normal distributions (mean, variance), weighted as the fits are."""
    total = sum(fit.weight for fit in fits)
    normal = [
        (fit.weight / total, mean, math.sqrt(variance))
        for fit, (mean, variance) in zip(fits, parts, strict=True)
    ]

    def below(x: float) -> float:
        return sum(w * 0.5 * math.erfc((m - x) / (sd * math.sqrt(2))) for w, m, sd in normal)

    bottom = min(m - 6 * sd for _, m, sd in normal)
    top = max(m + 6 * sd for _, m, sd in normal)
    return _solved(below, 0.05, bottom, top), _mean(parts, fits), _solved(below, 0.95, bottom, top)


def _solved(rising: Callable[[float], float], wanted: float, low: float, high: float) -> float:
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < wanted else (low, middle)
    return (low + high) / 2


def _chance(square: float, free: int) -> float:
    """Return the probability that a chi-squared variable exceeds `square` (Abramowitz and Stegun 26.4.4, 26.4.5)."""
    half = square / 2
    if free % 2:
        term, total = math.sqrt(2 * square / math.pi) * math.exp(-half), math.erfc(math.sqrt(half))
        for k in range(3, free + 1, 2):
            total += term
            term *= square / k
        return total
    term, total = math.exp(-half), 0.0
    for k in range(2, free + 1, 2):
        total += term
        term *= half / (k / 2)
    return total
