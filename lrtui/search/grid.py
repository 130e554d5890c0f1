"""A grid on the logarithm of the LR: `lr = { grid = 8, from = 1e-5, to = 1e-1 }`."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lrtui.search.halving import search
from lrtui.search.rounding import readable
from lrtui.search.strategy import Decision, Space
from lrtui.sweep.state import Sweep
from lrtui.text.format import lr_text


@dataclass(frozen=True, slots=True)
class Grid:
    """`grid` LRs from `from_` to `to`, both included, each the same factor above the last."""

    grid: int
    from_: float
    to: float

    @property
    def count(self) -> int:
        """The number of LRs that it tries."""
        return self.grid

    def rates(self, seed: int) -> tuple[float, ...]:  # noqa: ARG002 - the same for every seed
        """Return the LRs, ascending: the ends as given, those between rounded to 3 digits (under 0.5 % off)."""
        low, high = math.log10(self.from_), math.log10(self.to)
        step = (high - low) / (self.grid - 1)
        inner = [10 ** (low + i * step) for i in range(1, self.grid - 1)]
        between = readable(inner, self.from_, self.to, taken=(self.from_, self.to))
        return (self.from_, *sorted(between), self.to)

    def decide(self, sweep: Sweep, space: Space) -> list[Decision]:
        """Return the runs that the sweep lacks, and the decisions of its rungs."""
        return search(sweep, space, self.rates(space.seed))

    def describe(self) -> str:
        """Return a description of the grid."""
        return f"grid of {self.grid} from {lr_text(self.from_)} to {lr_text(self.to)}, log-even"
