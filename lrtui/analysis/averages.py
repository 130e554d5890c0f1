"""The mean of several measurements, its standard error and their quantiles: one way for search, leaderboard, verdict and report."""

from __future__ import annotations

import math
from collections.abc import Sequence


def mean(values: Sequence[float]) -> float:
    """Return the mean of at least one value; nan or an infinity if one of them is, never an error."""
    # Not fsum: it raises on infinities of both signs. Each part is divided: the sum of large values overflows.
    return sum(value / len(values) for value in values)


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the quantile of ascending values at a share from 0 to 1."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def standard_error(values: Sequence[float]) -> float | None:
    """Return the standard error of the mean; None for fewer than two values, if one of them is not finite, or if all are the same.

    Equal values come from a script that repeats itself, not from one without noise.
    """
    if len(set(values)) < 2 or not all(map(math.isfinite, values)):
        return None
    middle = mean(values)
    scale = max(abs(value - middle) for value in values) or 1.0  # squares of large values overflow
    spread = sum(((value - middle) / scale) ** 2 for value in values) / (len(values) - 1)
    return scale * math.sqrt(spread / len(values))


def share_variance(share: float, images: int) -> float:
    """Return the variance of a share of right answers, 0 to 1, because only `images` images were judged."""
    return share * (1 - share) / images
