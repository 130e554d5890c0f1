"""Other LRs for each optimizer: `lr = { adam = [1e-3, 3e-3], sgd = { grid = 4, from = 1e-3, to = 1 } }`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from lrtui.strategies.base import Decision, Space, Strategy, optimizer_name, start_all
from lrtui.sweep import Sweep


class FixedRates(Strategy, Protocol):
    """A strategy whose LRs are known before anything ran."""

    def rates(self, seed: int) -> tuple[float, ...]:
        """Return the LRs in the order in which they are started."""
        ...


@dataclass(frozen=True)
class PerOptimizer:
    """Each optimizer's own strategy; every optimizer of the axis has one."""

    by_optimizer: Mapping[str, FixedRates]
    """By the optimizer's name, whatever its options."""

    def decide(self, sweep: Sweep, space: Space) -> list[Decision]:
        """Return a Start for all that the sweep does not have."""
        rates = {name: each.rates(space.seed) for name, each in self.by_optimizer.items()}
        return start_all(sweep, space, lambda text: rates.get(optimizer_name(text), ()))

    def describe(self) -> str:
        """Return each optimizer's LRs in words."""
        return "; ".join(f"{name}: {each.describe()}" for name, each in self.by_optimizer.items())
