"""How far one run's result may be from its LR's true value, also with one seed: the noise that the interval is based on.

One model for all: the variance of one run's score is m² (s² + 4 f²). s is the sampling error of the validation images, or, if their
number is unknown, the usual noise of the trained workloads of tests/benchmarks; f is the scatter of the run's own late values,
which distinguishes unstable LRs from stable ones. The factor m, by which the noise of seeds is larger or smaller, is unknown in
advance: it has a wide prior from the same workloads, updated by the seeds that exist and by how well a smooth curve fits the
results. `interval` goes through all of its values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lrtui.analysis.averages import mean
from lrtui.analysis.gaussian_process import Observation
from lrtui.analysis.verdict.answer import Noise
from lrtui.analysis.verdict.case import Case
from lrtui.analysis.verdict.observations import lag, observations_of
from lrtui.analysis.verdict.points import Point
from lrtui.analysis.verdict.scale import Scale
from lrtui.sweep.state import Run

LATE = 2.0
"""The spread of seeds as a multiple of the scatter of one run's late values."""
USUAL = {"logit": 0.1, "log": 0.05}
"""Standard deviation between seeds of the score of an accuracy, whose number of images is not known, and of a loss."""
SHARE = 0.1
"""The same for any other metric, as a share of what its results differ by."""
DOUBT, WIDE_DOUBT = 0.7, 1.5
"""Standard deviations of ln m: of an accuracy, and of any other metric. On twelve trained workloads m is 0.2 to 0.8 with accuracies, 0.1 to 8 with
losses, in the middle 0.5 (0.4 to 0.6 without any one of them), but ten times as large at restless LRs beside the best ones."""
LAG_DOUBT = 0.25
"""An LR that was cut at a rung may make up for what it lagged there: so much of the lag is the standard deviation."""
FACTORS = tuple(math.exp(k / 2) for k in range(-8, 9))
"""Values of m that are tried."""
_UNLIKELY = 5.0
"""A value of m whose log probability is that much below the best one's is left out before curves are fitted."""
_FEWEST = 4
"""Evaluations that are needed to see how late values scatter."""


@dataclass(frozen=True, slots=True)
class Beliefs:
    """The results of a group with what may be their noise."""

    known: Noise
    cases: tuple[tuple[tuple[Observation, ...], float], ...]
    """For each m the observations, and the log of how likely m is before a curve is fitted."""


def beliefs_of(case: Case, best: Point) -> Beliefs:
    """Return the observations of a group under each factor of noise, and what the noise is known from."""
    ones = _ones(case)
    doubt = doubt_of(case)
    lags = {p.lr: (LAG_DOUBT * lag(case, p)) ** 2 for p in case.points}
    cases = []
    for m in FACTORS:
        likely = -0.5 * (math.log(m) / doubt) ** 2
        likely += sum(_of_seeds(case, p, m * m * ones[p.lr]) for p in case.points if p.lr in ones)
        if math.isfinite(likely):
            cases.append((m, likely))
    top = max((likely for _, likely in cases), default=0.0)

    def observed(m: float) -> tuple[Observation, ...]:
        return observations_of(
            case, lambda p: m * m * ones[p.lr] / independent(case, p) + lags[p.lr]
        )

    kept = [(observed(m), likely - top) for m, likely in cases if likely > top - _UNLIKELY]
    return Beliefs(known_from(case, best, ones[best.lr]), tuple(kept))


def doubt_of(case: Case) -> float:
    """Return the standard deviation of ln m before a result is known."""
    return DOUBT if case.scale.kind == "logit" else WIDE_DOUBT


def of_one_run(case: Case, point: Point, value: float, spread: float) -> float:
    """Return the variance of one run's score where m is 1: of a point's run that attained a value; `spread`: the variance among the scores."""
    return max(_usual(case, value, spread) + LATE**2 * _late(case, point), 1e-18)


def _ones(case: Case) -> dict[float, float]:
    """Return the variance of one run's score by LR, where m is 1."""
    scores = [o.y for o in observations_of(case)]
    middle = mean(scores) if scores else 0.0
    spread = mean([(score - middle) * (score - middle) for score in scores]) if scores else 0.0
    return {p.lr: of_one_run(case, p, p.mean, spread) for p in case.points if p.mean is not None}


def _usual(case: Case, value: float, spread: float) -> float:
    """Return s²."""
    if case.scale.kind == "logit" and _images(case) > 0:
        return case.scale.sampled(value, _images(case))
    usual = USUAL.get(case.scale.kind)
    return usual**2 if usual is not None else SHARE**2 * spread


def _late(case: Case, point: Point) -> float:
    """Return f², the mean over the runs of an LR; 0 if their evaluations are too few."""
    runs = {run.id: run for run in case.runs}
    seen = [late_scatter(case.scale, runs[name]) for name in point.runs]
    known = [each for each in seen if each is not None]
    return mean(known) if known else 0.0


def late_scatter(scale: Scale, run: Run) -> float | None:
    """Return the variance of a run's late scores around a straight line through their neighbours; None if there are fewer than four.

    Of the last third of its evaluations, or the last four: second differences, which have six times the variance of one value and
    no trend.
    """
    reached = run.reached[-1] if run.reached else None
    if reached is None or len(reached.curve) < _FEWEST:
        return None
    late = [value for level, value in reached.curve if level > reached.level * 2 / 3]
    if len(late) < _FEWEST:
        late = [value for _, value in reached.curve[-_FEWEST:]]
    if not all(map(math.isfinite, late)) or (scale.kind == "log" and min(late) <= 0):
        return None
    scores = [scale.score(value) for value in late]
    bends = [a - 2 * b + c for a, b, c in zip(scores, scores[1:], scores[2:], strict=False)]
    found = mean([bend * bend for bend in bends]) / 6
    return found if math.isfinite(found) else None


def _of_seeds(case: Case, point: Point, variance: float) -> float:
    """Return the log of how likely the seeds of an LR differ as they do, if one run has this variance."""
    count = independent(case, point)
    if count < 2 or point.dead:
        return 0.0
    scores = [case.scale.score(value) for value in point.values]
    middle = mean(scores)
    squares = sum((score - middle) * (score - middle) for score in scores)
    return -0.5 * ((count - 1) * math.log(variance) + squares / variance)


def independent(case: Case, point: Point) -> int:
    """Return how many independent values a point has: seeds that repeat themselves are one."""
    return 1 if case.identical else max(1, len(point.values))


def known_from(case: Case, best: Point, variance: float) -> Noise:
    """Return what the noise is known from, given the variance of one run's score."""
    if case.measured:
        return Noise.SEEDS
    if case.identical:
        return Noise.UNKNOWN
    if LATE**2 * _late(case, best) > variance / 2:
        return Noise.CURVES
    return Noise.ASSUMED if case.scale.kind in USUAL else Noise.UNKNOWN


def _images(case: Case) -> int:
    return case.sweep.data.val if case.sweep.data is not None else 0
