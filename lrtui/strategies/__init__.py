"""Which LRs to try, and when to stop them. To add a strategy: one file here and one line in STRATEGIES."""

from lrtui.strategies.base import Decision, Promote, Prune, Space, Start, Strategy
from lrtui.strategies.grid import Grid
from lrtui.strategies.listed import Listed
from lrtui.strategies.per_optimizer import FixedRates, PerOptimizer
from lrtui.strategies.random import Random

STRATEGIES: dict[str, type[FixedRates]] = {"grid": Grid, "random": Random}
"""By the key that chooses it in `lr = { KEY = .. }`. A list or a number is Listed."""

__all__ = [
    "STRATEGIES",
    "Decision",
    "FixedRates",
    "Grid",
    "Listed",
    "PerOptimizer",
    "Promote",
    "Prune",
    "Random",
    "Space",
    "Start",
    "Strategy",
]
