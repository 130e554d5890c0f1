"""The facts about one group: its points, the length at which they are compared, and the noise of one run.

`recommend` makes a case of each group; picking, the interval, the equal range and the reasons read it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from lrtui.analysis.averages import mean
from lrtui.analysis.verdict.points import Point, cliff, points_of
from lrtui.analysis.verdict.results import Results, results_of, runs_of
from lrtui.analysis.verdict.scale import Scale
from lrtui.analysis.verdict.short_runs import Moved, moved
from lrtui.sweep.events import GroupKey, Plan
from lrtui.sweep.state import Run, State, Sweep


@dataclass(frozen=True, slots=True)
class Case:
    """The facts about one group."""

    sweep: Sweep
    plan: Plan
    scale: Scale
    points: list[Point]
    results: Results
    runs: list[Run] = field(default_factory=list)
    noise: float | None = None
    """Variance of one run's score; None if unknown."""
    measured: bool = False
    """Whether the noise comes from seeds; else from the number of validation images."""
    identical: bool = False
    """Whether several seeds gave identical values, which says nothing about noise."""
    moved: Moved | None = None
    """Pilots as results of the full length, used if too few full runs show where the best LR lies."""

    def place(self, point: Point) -> float:
        """Return where a point lies on the curve, log10 of its LR; a pilot where its like at the full length does."""
        own = math.log10(point.lr)
        return own if self.moved is None else self.moved.places.get(point.lr, own)

    @property
    def level(self) -> float | None:
        """The length at which the LRs are compared."""
        return self.results.level

    @property
    def provisional(self) -> bool:
        """Whether something is left that could change the verdict: runs, a spent budget, a length not reached."""
        waiting = any(run.state is not State.ENDED for run in self.sweep.runs.values())
        full = self.level is not None and self.level == self.plan.horizon
        return waiting or self.sweep.budget_reached is not None or not full

    @property
    def candidates(self) -> list[Point]:
        """The LRs that can be recommended: compared at the deepest length, no seed of them dead."""
        return [p for p in self.points if not p.dead and p.mean is not None and self.is_deep(p)]

    def is_deep(self, point: Point) -> bool:
        """Return whether a point's values come from the length at which LRs are compared."""
        return self.level is not None and point.length == self.level

    def score(self, point: Point) -> float:
        """Return the score of a candidate's mean."""
        assert point.mean is not None  # noqa: S101  # candidates have one
        return self.scale.score(point.mean)

    def variance(self, point: Point) -> float | None:
        """Return the variance of a point's score; None if the noise is not known."""
        return None if self.noise is None else self._one(point) / max(1, len(point.values))

    def _one(self, point: Point) -> float:
        images = self.sweep.data.val if self.sweep.data is not None else 0
        floor = 0.0
        if self.scale.kind == "logit" and images > 0 and point.mean is not None:
            floor = self.scale.sampled(point.mean, images)
        return max(self.noise or 0.0, floor)


def case_of(sweep: Sweep, plan: Plan, scale: Scale, group: GroupKey) -> Case:
    """Return the facts about one group."""
    runs = runs_of(sweep, group)
    results = results_of(sweep, plan, runs)
    points = points_of(sweep, plan, scale, runs, results)
    noise, measured = _noise(sweep, scale, points)
    seeded = [point for point in points if len(point.values) > 1]
    identical = bool(seeded) and all(len(set(point.values)) == 1 for point in seeded)
    pilots = moved(scale, points, runs, results.level, plan.horizon)
    return Case(sweep, plan, scale, points, results, runs, noise, measured, identical, pilots)


def _noise(sweep: Sweep, scale: Scale, points: Sequence[Point]) -> tuple[float | None, bool]:
    """Return the variance of one run's score, and whether seeds measured it: pooled over the LRs, dead ones and cliffs left out.

    Seeds that gave the same value throughout measured nothing: a script that takes no seed repeats itself.
    """
    assert sweep.plan is not None  # noqa: S101  # a case has one
    bar = cliff(sweep, sweep.plan, scale, points)
    squares, free = 0.0, 0
    for point in points:
        if point.dead or point.mean is None or scale.plain(point.mean) < bar:
            continue
        scores = [scale.score(value) for value in point.values]
        middle = mean(scores)
        squares += sum((score - middle) ** 2 for score in scores)
        free += len(scores) - 1
    if squares > 0:
        return squares / free, True
    sampled = scale.kind == "logit" and sweep.data is not None and sweep.data.val > 0
    return (0.0, False) if sampled else (None, False)
