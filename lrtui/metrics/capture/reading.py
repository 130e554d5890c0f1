"""How the output of an experiment's scripts is read: the same for the supervisor and every front end."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from lrtui.metrics.capture.patterns import first_of
from lrtui.sweep.events import Unit

if TYPE_CHECKING:
    from lrtui.sweep.events import Plan


class Reading(msgspec.Struct, frozen=True):
    """What an experiment file says about its scripts' output."""

    unit: Unit
    parse: str | tuple[str, ...] | None = None
    """A pattern, a preset, or several of them."""
    horizon: float = math.inf
    metric: str = ""
    """The metric that decides."""
    loss: str = ""
    position: str = ""
    """The scripts' name of the unit; "" for the usual names."""
    first: int | None = None
    """The number of the first epoch or step; None: detected."""
    exact: bool = False
    """Whether every line has its exact length, as the built-in trainer's do: an integer epoch is its end."""

    @classmethod
    def of(cls, plan: Plan, *, range_test: bool = False) -> Reading:
        """Return how the scripts of a plan are read; a range test has its own length, which the horizon does not bound."""
        first = first_of(plan.parse) if plan.first is None else plan.first
        return cls(
            unit=plan.unit,
            parse=plan.parse,
            horizon=math.inf if range_test else plan.horizon,
            metric=plan.metric,
            loss=plan.loss,
            position=plan.position,
            first=first,
            exact=plan.builtin,
        )
