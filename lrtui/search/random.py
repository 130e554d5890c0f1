"""Random search: `lr = { random = 8, from = 1e-5, to = 1e-1 }`.

Bergstra and Bengio 2012: uniform on the logarithm, each draw independent of the others.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from lrtui.search.halving import search
from lrtui.search.rounding import readable
from lrtui.search.strategy import Decision, Space
from lrtui.sweep.state import Sweep
from lrtui.text.format import lr_text


@dataclass(frozen=True, slots=True)
class Random:
    """`random` LRs between `from_` and `to`, log-uniform."""

    random: int
    from_: float
    to: float

    @property
    def count(self) -> int:
        """The number of LRs that it tries."""
        return self.random

    def rates(self, seed: int) -> tuple[float, ...]:
        """Return the LRs in the order drawn, rounded to 3 digits.

        Draw i depends only on `seed` and i: asking for more keeps the earlier ones.
        """
        low, high = math.log10(self.from_), math.log10(self.to)
        draws = (random.Random(f"{seed} lr {i}").uniform(low, high) for i in range(self.random))
        return tuple(readable((10**draw for draw in draws), self.from_, self.to))

    def decide(self, sweep: Sweep, space: Space) -> list[Decision]:
        """Return the runs that the sweep lacks, and the decisions of its rungs."""
        return search(sweep, space, self.rates(space.seed))

    def describe(self) -> str:
        """Return a description of the search."""
        return f"{self.random} random from {lr_text(self.from_)} to {lr_text(self.to)}, log-uniform"
