"""Learning rates that a person can read: 3.73e-05 rather than 3.727593720314938e-05."""

from __future__ import annotations

from collections.abc import Iterable


def rounded(lr: float, digits: int = 2) -> float:
    """Return an LR with `digits` significant digits: 3.7e-05."""
    return float(f"{lr:.{digits - 1}e}")


def readable(
    exact: Iterable[float], low: float, high: float, taken: Iterable[float] = ()
) -> list[float]:
    """Return each rate rounded to 3 significant digits, within `low` to `high` and no two equal.

    More digits where 3 would leave the range or meet another rate (a narrow range); a rate that equals another with all its digits is left out.
    """
    rates: list[float] = []
    seen = set(taken)
    for rate in exact:
        for digits in range(3, 18):
            shorter = rounded(rate, digits)
            if low <= shorter <= high and shorter not in seen:
                rates.append(shorter)
                seen.add(shorter)
                break
    return rates
