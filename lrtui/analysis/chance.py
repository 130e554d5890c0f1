"""Chance level (the metric of a run that has learned nothing), and whether a value is above it: one rule for health check and verdict.

Guessing among C classes is right in 1/C of the cases; its cross-entropy is ln C. A measured accuracy deviates from 1/C only by the
sampling error of the validation images, so it is at chance within three standard errors: one guesser in 700 gets above it. The
number of images is the only thing that sets this band. A fixed share of chance cannot: for 10,000 images of 10 classes three
standard errors are 9 % of chance, for 400 images 45 %. If the number is unknown, 1,000 is assumed, the size of a small validation
set: 28 % of chance for 10 classes, 9 % for two. A loss is no count of images; it is at chance from 98 % of it on, since a training
that learns anything gets below that within its first steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lrtui.analysis.averages import share_variance
from lrtui.metrics.deciding import is_accuracy

if TYPE_CHECKING:
    from lrtui.sweep.events import Plan
    from lrtui.sweep.state import Sweep

STANDARD_ERRORS = 3.0
ASSUMED_IMAGES = 1000
LOSS_BAND = 0.02
"""Share of a loss at chance within which a loss has learned nothing."""
CLEARLY = 0.2
"""Share of the way from chance to perfect at which a lower LR proves that something can be learned: less may be luck."""


@dataclass(frozen=True, slots=True)
class Chance:
    """The chance level of a sweep's metrics."""

    value: float
    """The objective at chance, higher is better: a loss is negative; an accuracy is a fraction, also if the script prints percent."""
    classes: int = 0
    """0 if unknown."""
    images: int = 0
    """Of the validation data; 0 if unknown."""

    @property
    def is_share(self) -> bool:
        """Whether it is a share of right answers."""
        return 0 < self.value < 1

    @property
    def band(self) -> float:
        """How far above chance a value still counts as chance."""
        if not self.is_share:
            return LOSS_BAND * abs(self.value)
        images = self.images if self.images > 0 else ASSUMED_IMAGES
        return STANDARD_ERRORS * math.sqrt(share_variance(self.value, images))

    @property
    def guessing(self) -> float | None:
        """The cross-entropy of a guesser; None if the classes are unknown."""
        return math.log(self.classes) if self.classes > 1 else None

    @property
    def train_loss(self) -> float | None:
        """The cross-entropy at or above which a run has learned nothing; None if the classes are unknown."""
        return None if self.guessing is None else (1 - LOSS_BAND) * self.guessing

    def whole(self, value: float) -> float:
        """Return what 100 % is in the unit of a value, judged by its size: 1 or 100."""
        return 100.0 if self.is_share and value > 1.5 else 1.0


def chance_in(sweep: Sweep) -> Chance | None:
    """Return the chance level of a sweep; None if unknown."""
    if sweep.plan is None:
        return None
    data = sweep.data
    return chance_of(sweep.plan, data.classes if data else 0, data.val if data else 0)


def chance_of(plan: Plan, classes: int, images: int) -> Chance | None:
    """Return the chance level of an objective: the experiment file's, or, for an accuracy or a loss, that of guessing among the classes.

    None for any other objective.
    """
    named = plan.health.get("chance")
    if isinstance(named, int | float) and not isinstance(named, bool):
        if plan.goal == "min":
            return Chance(-float(named), classes, images)
        percent = is_accuracy(plan.metric) and 1 < named < 100
        return Chance(named / 100 if percent else float(named), classes, images)
    if classes < 2:
        return None
    if plan.goal == "max" and is_accuracy(plan.metric):
        return Chance(1 / classes, classes, images)
    if plan.goal == "min" and "loss" in plan.metric.lower():
        return Chance(-math.log(classes), classes, images)
    return None


def learns(
    value: float, chance: Chance, *, clearly: bool = False, whole: float | None = None
) -> bool:
    """Return whether a value of the objective, higher is better, lies above chance, or clearly so.

    `whole` is what 100 % is, 1 or 100; by default it is known by the size of the value.
    """
    margin = chance.band
    if clearly:
        way = 1 - chance.value if chance.is_share else abs(chance.value)
        margin = max(3 * margin, CLEARLY * way)
    return value / (chance.whole(value) if whole is None else whole) > chance.value + margin
