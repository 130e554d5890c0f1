"""The scale on which results are compared: from the metric to scores in which the curve over LRs is smooth.

`recommend` asks for it once a sweep; all that weighs results goes through it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lrtui.analysis.averages import share_variance
from lrtui.metrics.deciding import is_accuracy
from lrtui.sweep.events import Plan
from lrtui.sweep.state import Sweep

CLOSE = 1e-6
"""Numbers that differ by no more than this share are the same."""


@dataclass(frozen=True, slots=True)
class Scale:
    """From the metric to scores in which the curve over LRs is smooth and higher is better.

    An accuracy's logit and a loss's logarithm: 98 and 99 % differ as much as 50 and 67 %, and losses may span decades. Beside the
    bare values they narrowed the intervals on the simulated sweeps by a third (digits) at the same coverage.
    """

    kind: str = "linear"
    """logit | log | linear."""
    sign: float = 1.0
    whole: float = 1.0
    """What an accuracy of 100 % is: 1 or 100."""
    least: float = 5e-4
    """How far from 0 and 1 an accuracy stays: half an image."""

    def score(self, value: float) -> float:
        """Return the score of a value."""
        if self.kind == "logit":
            share = self._inside(value)
            return math.log(share / (1 - share))
        return -math.log(value) if self.kind == "log" else self.sign * value

    def value(self, score: float) -> float:
        """Return the value that has a score."""
        if self.kind == "logit":
            return self.whole / (1 + math.exp(-min(max(score, -500.0), 500.0)))
        return math.exp(min(-score, 700.0)) if self.kind == "log" else self.sign * score

    def slope(self, value: float) -> float:
        """Return by how much the score changes with the value."""
        if self.kind == "logit":
            share = self._inside(value)
            return 1 / (share * (1 - share) * self.whole)
        return 1 / value if self.kind == "log" else 1.0

    def plain(self, value: float) -> float:
        """Return a score in which "half of the way" is meant as people mean it: accuracies count as they are."""
        return value if self.kind == "logit" else self.score(value)

    def sampled(self, value: float, images: int) -> float:
        """Return the score's variance from the limited number of validation images."""
        return (self.whole * self.slope(value)) ** 2 * share_variance(self._inside(value), images)

    def _inside(self, value: float) -> float:
        return min(max(value / self.whole, self.least), 1 - self.least)


def scale_of(sweep: Sweep, plan: Plan) -> Scale:
    """Return the scale of a sweep's metric; accuracies are known by their name, percent by their size."""
    values = [
        reached.value
        for run in sweep.trained()
        for reached in run.reached
        if reached.value is not None and math.isfinite(reached.value)
    ]
    images = sweep.data.val if sweep.data is not None else 0
    if plan.goal == "max" and is_accuracy(plan.metric):
        whole = 100.0 if max(values, default=0.0) > 1.0 + CLOSE else 1.0
        if all(0 <= value <= whole * (1 + CLOSE) for value in values):
            return Scale("logit", whole=whole, least=0.5 / images if images > 0 else 5e-4)
    if plan.goal == "min" and values and min(values) > 0:
        return Scale("log")
    return Scale(sign=1.0 if plan.goal == "max" else -1.0)
