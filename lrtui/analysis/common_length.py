"""Compares runs at a common length: the one order that rungs, leaderboard and verdict use.

Scripts evaluate at different steps and may end early. Values at different lengths are never compared: runs of about equal length
are compared at the length of the shortest, and a run that ended earlier is ranked by comparing it with each of the others at its
own length.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

K = TypeVar("K")

NEAR = 0.9
"""Runs of at least this share of the longest are compared at one length."""
CLOSE = 1e-9
"""Lengths that differ by no more than this share are the same."""


@dataclass(frozen=True, slots=True)
class Entry(Generic[K]):
    """A contender."""

    key: K
    last: float
    """The length of its last evaluation."""
    value_at: Callable[[float], float | None]
    """Its value at a length; None before its first evaluation."""
    tie: tuple[object, ...] = ()
    """The tie-breaker between equal values; the lower one comes first."""


@dataclass(frozen=True, slots=True)
class Place(Generic[K]):
    """A ranked contender."""

    key: K
    level: float
    """The length at which `value` was measured."""
    value: float | None
    short: bool
    """Whether it ended too early to be compared at the length of the others."""


def in_order(entries: Iterable[Entry[K]], goal: str, near: float = NEAR) -> list[Place[K]]:
    """Return the contenders, the best first; those that came at least the share `near` of the longest are compared at one length.

    One that ended earlier ranks after those that are at least as good at its own length, and before the others; last if none of
    them was evaluated so early.
    """
    found = list(entries)
    longest = max((entry.last for entry in found), default=0.0)
    far = [entry for entry in found if entry.last >= near * longest]
    level = min((entry.last for entry in far), default=0.0)
    ordered = sorted(far, key=lambda entry: (_cost(entry.value_at(level), goal), *entry.tie))
    places = [Place(entry.key, level, entry.value_at(level), short=False) for entry in ordered]
    early = [entry for entry in found if entry.last < near * longest]
    apart = []
    for entry in sorted(early, key=lambda entry: (-entry.last, *entry.tie)):
        if all(other.value_at(entry.last) is None for other in far):
            apart.append(entry)
            continue
        ahead = sum(_beats(other, entry, goal) for other in ordered)
        ordered.insert(ahead, entry)
        value = entry.value_at(entry.last)
        places.insert(ahead, Place(entry.key, entry.last, value, short=True))
    rest = in_order(apart, goal, near) if apart else []
    return [*places, *(replace(place, short=True) for place in rest)]


def value_at(points: Sequence[tuple[float, float]], level: float) -> float | None:
    """Return a curve's value at a length, interpolated between the points around it; the last one beyond its end.

    Up to a tenth before its first point it is the first one's; None before that.
    """
    if not points:
        return None
    upto = bisect.bisect_right(points, level * (1 + CLOSE), key=lambda point: point[0])
    if upto == 0:
        return points[0][1] if level >= NEAR * points[0][0] else None
    if upto == len(points):
        return points[-1][1]
    (x0, y0), (x1, y1) = points[upto - 1], points[upto]
    if math.isclose(x0, level, rel_tol=CLOSE):
        return y0
    return y0 + (y1 - y0) * (level - x0) / (x1 - x0)


def gap_at(points: Sequence[tuple[float, float]], level: float) -> float:
    """Return how far the two points are apart that a value is interpolated between; 0 if it is not."""
    upto = bisect.bisect_right(points, level * (1 + CLOSE), key=lambda point: point[0])
    if upto in {0, len(points)} or math.isclose(points[upto - 1][0], level, rel_tol=CLOSE):
        return 0.0
    return points[upto][0] - points[upto - 1][0]


def _beats(other: Entry[K], entry: Entry[K], goal: str) -> bool:
    """Return whether a contender that came further is at least as good at another one's length."""
    theirs = other.value_at(entry.last)
    return theirs is not None and _cost(theirs, goal) <= _cost(entry.value_at(entry.last), goal)


def _cost(value: float | None, goal: str) -> tuple[bool, float]:
    """Return a key that is lower for better values; nan comes last."""
    if value is None or math.isnan(value):
        return True, 0.0
    return False, -value if goal == "max" else value
