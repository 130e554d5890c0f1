"""What pilots say of the full length where one or two LRs came to it: how far each is moved, in LR and in value.

Full runs tell by themselves where the best LR lies once there are three of them. `case` asks for it, `observations` and `interval` use it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lrtui.analysis.averages import mean
from lrtui.analysis.fall import FALL, FALL_DOUBT
from lrtui.analysis.verdict.points import Point
from lrtui.analysis.verdict.scale import Scale
from lrtui.sweep.state import Run

ENOUGH = 3
"""From this many full runs on, pilots are not moved to lower LRs."""


@dataclass(frozen=True, slots=True)
class Moved:
    """Pilots as results of the full length."""

    places: Mapping[float, float]
    """By LR, log10 of the one at which a full run is where the pilot is."""
    gains: Mapping[float, float]
    """By LR, what a full run's score has more."""
    spread: float = FALL_DOUBT
    """Standard deviation of all places together, in decades."""


def moved(
    scale: Scale, points: Sequence[Point], runs: Sequence[Run], level: float | None, horizon: float
) -> Moved | None:
    """Return a group's pilots as results of the full length; None if there are none, or full runs enough."""
    short = {run.id: run.until for run in runs if run.pilot}
    pilots = {p.lr: short[p.runs[0]] for p in points if p.runs[0] in short}
    full = [p for p in points if p.length == level and p.lr not in pilots and _counts(p)]
    if not pilots or level != horizon or not 0 < len(full) < ENOUGH:
        return None
    places = {
        lr: math.log10(lr) - FALL * math.log(horizon / length, 3) for lr, length in pilots.items()
    }
    known = {math.log10(p.lr): scale.score(p.mean) for p in full if p.mean is not None}
    gains: dict[float, float] = {}
    for length in sorted(set(pilots.values()), reverse=True):
        own = {
            places[p.lr]: (p.lr, scale.score(p.mean))
            for p in points
            if pilots.get(p.lr) == length and p.mean is not None and _counts(p)
        }
        if not own:
            continue
        scores = {x: score for x, (_, score) in own.items()}
        gain = mean([score - between(scores, x) for x, score in known.items()])
        gains |= {lr: gain for lr, _ in own.values()}
        known = {x: score + gain for x, score in scores.items()}
    return Moved(places, gains)


def _counts(point: Point) -> bool:
    return not point.dead and point.mean is not None


def between(known: Mapping[float, float], x: float) -> float:
    """Return the value at a place on the line between its neighbours; beyond the ends that of the end."""
    places = sorted(known)
    below = max((place for place in places if place <= x), default=places[0])
    above = min((place for place in places if place >= x), default=places[-1])
    if above <= below:
        return known[below if below <= x else above]
    return known[below] + (known[above] - known[below]) * (x - below) / (above - below)
