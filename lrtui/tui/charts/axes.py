"""Limits that seldom move and ticks on round numbers: pure arithmetic for the charts.

A limit that follows every new value moves every cell of a chart and costs three times the bytes (measured); so limits go
in steps of 1, 2 and 5 and stay while they fit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from lrtui.text.format import amount_short, duration


class Limits(NamedTuple):
    """Both ends of an axis; always finite, low < high."""

    low: float
    high: float


class Tick(NamedTuple):
    """A place on an axis and what is written there."""

    at: float
    label: str


def stepped(low: float, high: float, before: Limits | None = None) -> Limits:
    """Return round limits around [low, high], finer ones where the data cross 0 only slightly; `before` is kept while it fits and the data fill a third of it."""
    if not (math.isfinite(low) and math.isfinite(high)) or low > high:
        return Limits(0.0, 1.0)
    if before and before.low <= low and high <= before.high:
        span = before.high - before.low
        if high - low >= span / 3 or (low == high and before.low < low < before.high):
            return before
    if low == high:
        pad = abs(low) / 10 or 0.5
        low, high = low - pad, high + pad
    step = _round_up(high / 4 - low / 4)
    below = step / 4 if -step / 2 < low < 0 < high else step
    above = step / 4 if low < 0 < high < step / 2 else step
    return _sane(math.floor(low / below) * below, math.ceil(high / above) * above, low, high)


def stepped_log(low: float, high: float, before: Limits | None = None) -> Limits:
    """Return limits in decades (log10) at 1, 2 or 5 around log10 values [low, high]."""
    low, high = max(low, -400.0), min(high, 400.0)  # no float lies beyond
    if not (math.isfinite(low) and math.isfinite(high)) or low > high:
        return Limits(-1.0, 0.0)
    if before and before.low <= low and high <= before.high:
        span = before.high - before.low
        if high - low >= span / 3:
            return before
    steps = (0.0, math.log10(2), math.log10(5), 1.0)

    def below(value: float) -> float:
        base = math.floor(value)
        return max(base + step for step in steps if base + step <= value + 1e-9)

    bottom, top = below(low), -below(-high)
    top = _above(high, steps)
    return Limits(bottom, top if top > bottom else bottom + steps[1])


def _above(value: float, steps: tuple[float, ...]) -> float:
    base = math.floor(value)
    return min((base + step for step in steps if base + step >= value - 1e-9), default=base + 1.0)


def shortened(end: float, furthest: float) -> float:
    """Return an axis' end while the data come to `furthest` of it: a half, a quarter, ... so that they fill at least half of the axis."""
    least = end / 1024
    while end / 2 >= furthest > 0.0 and end > least:
        end /= 2
    return end


def reach(value: float, before: float | None = None) -> float:
    """Return a round number of at least `value`, for an axis that begins at 0; `before` is kept while it fits."""
    if not math.isfinite(value) or value <= 0:
        return before or 1.0
    if before and value <= before <= 4 * value:
        return before
    return _round_up(value)


def ticks(limits: Limits, most: int) -> tuple[Tick, ...]:
    """Return at most `most` ticks at round values within the limits."""
    places, step = _places(limits, most, _round_up)
    return tuple(Tick(at, label(at, step)) for at in places)


def time_ticks(limits: Limits, most: int) -> tuple[Tick, ...]:
    """Return ticks for an axis in seconds, at whole seconds, minutes, hours and days where it is long enough."""
    return tuple(Tick(at, duration(at)) for at in _places(limits, most, _round_up_time)[0])


def _places(
    limits: Limits, most: int, round_up: Callable[[float], float]
) -> tuple[list[float], float]:
    """Return at most `most` places within the limits, and their distance, which `round_up` makes a round one."""
    span = limits.high - limits.low
    if most < 1 or not math.isfinite(span):
        return [], 1.0
    step = round_up(span / max(1, most - 1))
    for _ in range(40):
        if math.floor(limits.high / step) - math.ceil(limits.low / step) + 1 <= most:
            break
        step = round_up(step * 1.5)
    first = math.ceil(limits.low / step - 1e-9)
    last = math.floor(limits.high / step + 1e-9)
    return [] if last - first > 1000 else [i * step for i in range(first, last + 1)], step


def log_ticks(limits: Limits, most: int) -> tuple[Tick, ...]:
    """Return ticks at 1, 2 and 5 of each decade, or at whole decades where they are many; places are log10."""
    first, last = math.floor(limits.low), math.ceil(limits.high)
    if last - first > 700 or most < 1:
        return ()
    fine = [
        (decade + math.log10(digit), digit, decade)
        for decade in range(first, last + 1)
        for digit in (1, 2, 5)
    ]
    inside = [t for t in fine if limits.low - 1e-9 <= t[0] <= limits.high + 1e-9]
    if len(inside) > most:
        inside = [t for t in inside if t[1] == 1]
        every = max(1, math.ceil(len(inside) / most))
        inside = inside[::every]
    return tuple(Tick(at, _power(digit, decade)) for at, digit, decade in inside)


def label(value: float, step: float) -> str:
    """Return a tick's number with as many digits as the step needs."""
    if value == 0:
        return "0"
    if abs(value) >= 1e4:
        return amount_short(value) if abs(value) < 1e12 else f"{value:.0e}"
    if step < 1e-4:
        return f"{value:.0e}" if step >= 1e-12 else f"{value:.3g}"
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{value:.{digits}f}"


def _power(digit: int, decade: int) -> str:
    if -3 <= decade <= 3:
        return f"{digit * 10.0**decade:.{max(0, -decade)}f}"
    return f"{digit}e{decade:+03d}"


def _round_up(value: float) -> float:
    """Return the smallest of 1, 2, 5 times a power of ten that is at least `value`."""
    if not value > 0 or not math.isfinite(value):
        return 1.0
    power = 10.0 ** max(-300, math.floor(math.log10(value)))
    for digit in (1, 2, 5):
        if digit * power >= value * (1 - 1e-9):
            return digit * power
    return 10 * power


_TIMES = (
    10,
    15,
    20,
    30,
    60,
    120,
    300,
    600,
    900,
    1200,
    1800,
    3600,
    7200,
    10800,
    21600,
    43200,
    86400,
)


def _round_up_time(seconds: float) -> float:
    """Return the smallest length of time of at least `seconds` that divides the next larger unit, or a round number of days."""
    if seconds <= _TIMES[0] / 2 or seconds > _TIMES[-1]:
        day = _TIMES[-1] if seconds > _TIMES[-1] else 1
        return day * _round_up(seconds / day)
    return next(each for each in _TIMES if each >= seconds * (1 - 1e-9))


def _sane(bottom: float, top: float, low: float, high: float) -> Limits:
    """Return the limits, or the data's own where rounding met the edge of the floats."""
    if math.isfinite(bottom) and math.isfinite(top) and bottom < top:
        return Limits(bottom, top)
    return Limits(low, high) if low < high else Limits(low, math.nextafter(low, math.inf))
