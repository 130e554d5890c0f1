"""Places on an axis of [search]: from a value to how far along its axis it lies, and back.

Search, verdict and charts measure distances by these shares, from 0 at the axis's lower end to 1 at its upper one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from lrtui.sweep.events import Axis

GRID_LRS, GRID_VALUES = 8, 3
"""The grid that a search with axes is compared with: number of LRs, and number of values on each axis."""
_OUTSIDE = 0.5
"""A value that a user added counts as at most this share of the axis beyond its end."""

_NEAR = 1e-9


def share_of(axis: Axis, value: float) -> float:
    """Return how far along the axis a value lies; one outside is kept near it."""
    low, high = _even(axis, axis.low), _even(axis, axis.high)
    try:
        share = (_even(axis, value) - low) / (high - low)
    except ValueError:  # zero on a log axis: a user's own run
        share = -_OUTSIDE if value < axis.high else 1 + _OUTSIDE
    return min(max(share, -_OUTSIDE), 1 + _OUTSIDE)


def value_of(axis: Axis, share: float) -> float:
    """Return the value at a share of the axis, within its ends; with two digits, more on an axis of less than a decade."""
    low, high = _even(axis, axis.low), _even(axis, axis.high)
    place = low + share * (high - low)
    digits = 1 + max(0, math.ceil(-math.log10((high - low) / math.log(10))))
    if axis.scale == "log":
        value = float(f"{math.exp(place):.{digits}e}")
    elif axis.scale == "complement":
        value = round(1 - float(f"{math.exp(-place):.{digits}e}"), 12)
    else:
        digits = 2 - math.floor(math.log10(axis.high - axis.low))
        value = round(place, digits)
    return min(max(value, axis.low), axis.high)


def round_values(axis: Axis, most: int) -> list[float]:
    """Return at most `most` round values on the axis, for its labels; of a momentum they are at round distances from 1.

    Its ends if no round value lies between them.
    """
    if axis.scale == "linear":
        low, high = axis.low, axis.high
        sizes = [digit * 10.0**power for power in range(-300, 300) for digit in (1, 2, 5)]
        step = next(size for size in sizes if high / size - low / size < most)
        first, last = math.ceil(low / step - _NEAR), math.floor(high / step + _NEAR)
        return [i * step for i in range(first, last + 1)]
    ends = (axis.low, axis.high) if axis.scale == "log" else (1 - axis.high, 1 - axis.low)
    decades = range(math.floor(math.log10(ends[0])), math.ceil(math.log10(ends[1])) + 1)
    for digits, every in (((1, 2, 5), 1), *(((1,), n) for n in range(1, len(decades) + 1))):
        found = [digit * 10.0**power for power in decades[::every] for digit in digits]
        found = [v for v in found if ends[0] * (1 - _NEAR) <= v <= ends[1] * (1 + _NEAR)]
        if len(found) <= most:
            break
    if not found:
        return [axis.low, axis.high]
    return found if axis.scale == "log" else [1 - value for value in reversed(found)]


def decades_of(axis: Axis) -> float | None:
    """Return how many powers of ten the axis spans; None if it is linear."""
    if axis.scale == "linear":
        return None
    return (_even(axis, axis.high) - _even(axis, axis.low)) / math.log(10)


def grid_size(axes: Sequence[Axis]) -> int:
    """Return how many settings a full grid over the LR and the axes has."""
    return GRID_LRS * math.prod([GRID_VALUES] * len(axes))


def _even(axis: Axis, value: float) -> float:
    """Return the number by which places on the axis are evenly spaced.

    Raises:
        ValueError: the value has no place on this scale.

    """
    if axis.scale == "log":
        return math.log(value)
    return -math.log(1 - value) if axis.scale == "complement" else value
