"""Other LRs for each optimizer: `lr = { adam = [1e-3, 3e-3], sgd = { grid = 4, from = 1e-3, to = 1 } }`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lrtui.search.strategy import Decision, Space, Strategy
from lrtui.sweep.choice import choice_of
from lrtui.sweep.events import RunQueued
from lrtui.sweep.state import Sweep


@dataclass(frozen=True)
class PerOptimizer:
    """Each optimizer's own strategy; every optimizer of the axis has one."""

    by_optimizer: Mapping[str, Strategy]
    """By the optimizer's name, whatever its options."""

    @property
    def count(self) -> int:
        """The largest number of LRs that one optimizer gets."""
        return max((each.count for each in self.by_optimizer.values()), default=0)

    def decide(self, sweep: Sweep, space: Space) -> list[Decision]:
        """Return each strategy's decisions in its part of the space; first seeds before second ones."""
        names = dict.fromkeys(choice_of(cell.optimizer).name for cell in space.cells())
        decided = [
            decision
            for name in names
            if name in self.by_optimizer
            for decision in self.by_optimizer[name].decide(sweep, space.only(name))
        ]
        return sorted(decided, key=lambda d: d.seed if isinstance(d, RunQueued) else -1)

    def describe(self) -> str:
        """Return a description of each optimizer's LRs."""
        return "; ".join(f"{name}: {each.describe()}" for name, each in self.by_optimizer.items())
