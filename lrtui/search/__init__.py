"""Which LRs to try, and when to stop them. To add a strategy: one file here and one line in STRATEGIES."""

from lrtui.search.auto import Auto
from lrtui.search.bayes import Bayes
from lrtui.search.grid import Grid
from lrtui.search.listed import Listed
from lrtui.search.per_optimizer import PerOptimizer
from lrtui.search.random import Random
from lrtui.search.range_test import RangeTest
from lrtui.search.strategy import Decision, Space, Strategy
from lrtui.search.surface_search import Surface

STRATEGIES: dict[str, type[Strategy]] = {
    "grid": Grid,
    "random": Random,
    "auto": Auto,
    "bayes": Bayes,
}
"""By the key that chooses it in `lr = { KEY = .. }`. A list or a number is Listed, "range" is RangeTest."""
WORDS: dict[str, type[Strategy]] = {"auto": Auto, "range": RangeTest}
"""Those chosen by a single word: `lr = "auto"`."""


def searches(strategy: Strategy) -> bool:
    """Return whether a strategy stops the worse half by default: one that searches for the LR."""
    if isinstance(strategy, PerOptimizer):
        return any(searches(each) for each in strategy.by_optimizer.values())
    return isinstance(strategy, Auto | Bayes | Surface)


def pilots(strategy: Strategy) -> bool:
    """Return whether a strategy can begin with pilots (short runs of the whole schedule), for every optimizer."""
    if isinstance(strategy, PerOptimizer):
        return all(pilots(each) for each in strategy.by_optimizer.values())
    return isinstance(strategy, Auto)


def needs_range(strategy: Strategy) -> bool:
    """Return whether a strategy begins with a range test if the command supports one."""
    if isinstance(strategy, PerOptimizer):
        return any(needs_range(each) for each in strategy.by_optimizer.values())
    if isinstance(strategy, Surface):
        return needs_range(strategy.auto)
    return isinstance(strategy, RangeTest) or (
        isinstance(strategy, Auto) and strategy.from_ is None
    )


__all__ = [
    "STRATEGIES",
    "WORDS",
    "Auto",
    "Bayes",
    "Decision",
    "Grid",
    "Listed",
    "PerOptimizer",
    "Random",
    "RangeTest",
    "Space",
    "Strategy",
    "Surface",
    "needs_range",
    "pilots",
    "searches",
]
