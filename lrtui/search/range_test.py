"""The LR range test: raise the LR at each step, and find where the loss falls and where it turns (Smith 2017).

A range test is a bracket, not an answer: over nine measured curves fastai's `valley` was 0 to 5.8 points off and the other
rules up to 90, but the best LR always lay within one and a half decades of the valley.

`suggest` reads a curve; `RangeTest` is the strategy `lr = "range"`; other strategies request tests through `tests_of`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from lrtui.search.strategy import Decision, Space, at, each_once, start
from lrtui.sweep.events import RangeTested, Setting
from lrtui.sweep.state import Run, State, Sweep, group_of
from lrtui.text.format import lr_text

FROM, TO, STEPS = 1e-7, 10.0, 100
TURNED = 4.0
"""The loss has clearly turned at this multiple of its lowest smoothed value: fastai's rule."""
SMOOTHING = 0.98
LEAST_POINTS = 10
_TRIM_BEGIN, _TRIM_END = 0.1, 5
"""What fastai leaves out: the first tenth, and the last five points."""


@dataclass(frozen=True, slots=True)
class Suggestions:
    """What the rules suggest for one curve; None if a rule finds nothing."""

    valley: float | None = None
    steep: float | None = None
    minimum: float | None = None
    slide: float | None = None
    diverged: float | None = None
    why: str = ""


def suggest(lrs: Sequence[float], losses: Sequence[float]) -> Suggestions:
    """Return what the rules of fastai 2.8 suggest for a curve of raw batch losses, and the LR at which the loss had turned.

    valley: the middle of the longest fall; steep: the steepest place; minimum: a tenth of the LR of the lowest loss; slide:
    where the slope settles, seen from the end. The curve ends where its smoothed loss is four times its lowest.
    """
    pairs = [
        (lr, loss) for lr, loss in zip(lrs, losses, strict=True) if lr > 0 and math.isfinite(lr)
    ]
    smooth, diverged = _smoothed(pairs)
    rates = [lr for lr, _ in pairs[: len(smooth)]]
    if len(smooth) < LEAST_POINTS:
        return Suggestions(
            diverged=diverged, why=f"only {len(smooth)} points before the loss turned"
        )
    first = int(len(smooth) * _TRIM_BEGIN)
    last = len(smooth) - _TRIM_END if len(smooth) > 2 * _TRIM_END else len(smooth)
    rates, smooth = rates[first:last], smooth[first:last]
    lowest = min(range(len(smooth)), key=smooth.__getitem__)
    if lowest == 0 or smooth[0] - smooth[lowest] <= 1e-3 * abs(smooth[0]):
        return Suggestions(diverged=diverged, why="the loss never fell")
    return Suggestions(
        valley=_valley(rates, smooth),
        steep=_steep(rates, smooth),
        minimum=rates[lowest] / 10,
        slide=_slide(rates, smooth),
        diverged=diverged,
    )


def smoothed(losses: Sequence[float]) -> list[float]:
    """Return the debiased exponential mean that the rules use."""
    return _smoothed([(1.0, loss) for loss in losses])[0]


def _smoothed(pairs: Sequence[tuple[float, float]]) -> tuple[list[float], float | None]:
    """Return the smoothed losses up to where they turned, and the LR there."""
    smooth: list[float] = []
    mean, best = 0.0, math.inf
    for i, (lr, loss) in enumerate(pairs, 1):
        if not math.isfinite(loss):
            return smooth, lr
        mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
        value = mean / (1 - SMOOTHING**i)
        if value > TURNED * best and best > 0:
            return smooth, lr
        best = min(best, value)
        smooth.append(value)
    return smooth, None


def _valley(rates: list[float], losses: list[float]) -> float:
    """Return the LR halfway along the longest decreasing subsequence."""
    length = [1] * len(losses)
    end = 0
    for i in range(1, len(losses)):
        for j in range(i):
            if losses[i] < losses[j]:
                length[i] = max(length[i], length[j] + 1)
        if length[i] > length[end]:
            end = i
    section = length[end] / 3
    begin = end - length[end]
    return rates[max(0, begin + int(section) + int(section / 2))]


def _steep(rates: list[float], losses: list[float]) -> float:
    """Return the LR at which the steepest fall over log(lr) begins."""
    falls = [
        (losses[i + 1] - losses[i]) / math.log(rates[i + 1] / rates[i])
        if rates[i + 1] > rates[i]
        else 0.0
        for i in range(len(losses) - 1)
    ]
    return rates[min(range(len(falls)), key=falls.__getitem__)]


def _slide(rates: list[float], losses: list[float]) -> float | None:
    """Return the LR at which the interval slide rule (Novetta 2019) stops.

    Two places 15 points apart slide left from the end of the curve as long as the slopes at them differ.
    """
    apart, threshold = 15, 0.005
    last = len(losses) - 1
    if last < apart:
        return None
    slopes = [
        (losses[min(i + 1, last)] - losses[max(i - 1, 0)]) / (min(i + 1, last) - max(i - 1, 0))
        for i in range(last + 1)
    ]
    place = last - apart
    found = rates[place]
    while place >= 0 and abs(slopes[place + apart] - slopes[place]) > threshold:
        found = rates[place]
        place -= 1
    return found


# ---------------------------------------------------------------- as a strategy


@dataclass(frozen=True, slots=True)
class RangeTest:
    """`lr = "range"`: only the range test, for every optimizer and combination of values."""

    @property
    def count(self) -> int:
        """One curve for each."""
        return 1

    def decide(self, sweep: Sweep, space: Space) -> list[Decision]:
        """Return a run for every test that the sweep does not have."""
        return each_once(space, lambda cell: missing_test(sweep, space, cell))

    def describe(self) -> str:
        """Return a description of the test."""
        return f"range test: {STEPS} steps from {lr_text(FROM)} to {lr_text(TO)}"


def missing_test(sweep: Sweep, space: Space, cell: Setting) -> list[Decision]:
    """Return a run for the range test of a cell, if the sweep has none; schedules share it, because it uses no schedule."""
    if test_of(sweep, space, cell) is not None:
        return []
    return [start(at(_shared(space, cell), FROM), space.seed, space.horizon, TO, STEPS)]


def test_of(sweep: Sweep, space: Space, cell: Setting) -> Run | None:
    """Return the range test of a cell."""
    wanted = group_of(_shared(space, cell))
    tests = [run for run in sweep.runs.values() if run.is_range_test]
    return next((run for run in tests if group_of(run.setting) == wanted), None)


def result_of(sweep: Sweep, space: Space, cell: Setting) -> RangeTested | None:
    """Return the result of a cell's range test; None while it has not ended."""
    run = test_of(sweep, space, cell)
    if run is None or run.state is not State.ENDED:
        return None
    return sweep.ranges.get(run.id) or RangeTested(
        run=run.id, why=f"the range test {run.ending.kind if run.ending else ''}: {run.why}"
    )


def _shared(space: Space, cell: Setting) -> Setting:
    schedule = space.schedules[0] if space.schedules else ""
    return msgspec.structs.replace(cell, schedule=schedule)
