"""How the search fares on the bank, a workload a row: `python -m tests.benchmarks.choosing.summary [NAME ...] [--part frozen] [--seeds 3] [--optuna 50]`.

Nine replays of `auto` on each table (three trainings, each with the range tests of all three). An LR that cannot be told from the
best counts as best (`Table.best_lrs`): it loses nothing. Columns:

    cost        percent of a grid of 8, range tests included
    loses       points, mean (worst); ± the standard error of the regret of the worst pick
    best        picks that are among the best
    holds       the 90 % interval holds one of the best LRs / the one with the best mean; an open side holds everything beyond it
    open        searches whose interval is open on a side
    decades     the interval's mean width, open sides to the last LR
    beaten by   peers that are both cheaper and better on average

Optuna's methods, which draw, are replayed so many times if it is installed.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from lrtui.analysis.verdict import Verdict, verdict
from tests.benchmarks.choosing import ours
from tests.benchmarks.choosing.__main__ import GRID, markdown
from tests.benchmarks.choosing.peers import METHODS, Method
from tests.benchmarks.choosing.workloads import PARTS, Table, load, measured


@dataclass(frozen=True, slots=True)
class Mean:
    """A method's means over its replays."""

    cost: float
    loses: float

    def beats(self, other: Mean) -> bool:
        return self.cost < other.cost and self.loses < other.loses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="default: all measured")
    parser.add_argument("--part", choices=PARTS, default=PARTS[0], help="the other two at the end")
    parser.add_argument("--optuna", type=int, default=0, help="replays of Optuna's methods")
    parser.add_argument("--seeds", type=int, default=1, help="as in an experiment file")
    options = parser.parse_args()
    rows, every = [], []
    for name in options.names or measured(options.part):
        table = load(name)
        found = [
            searched(each, seed, options.seeds) for each in table.rotated() for seed in table.seeds
        ]
        mean = Mean(
            statistics.fmean(cost for _, cost in found),
            statistics.fmean(lost(table, answer.lr) for answer, _ in found),
        )
        every.append((table, found, mean))
        rows.append(row(table, found, mean, peers(table, options.optuna)))
        print(" | ".join(rows[-1]), flush=True)
    head = ["", "cost", "loses", "best", "holds", "open", "decades", "beaten by"]
    print("\n" + markdown(head, [*rows, total(every)]))


def searched(table: Table, seed: int, seeds: int = 1) -> tuple[Verdict, float]:
    """Return the verdict of one search and its cost in percent of a grid of 8 with as many seeds."""
    sweep = ours.simulate(table, seed, seeds=seeds)
    return verdict(sweep), 100 * sweep.spent / (GRID * seeds * table.horizon)


def lost(table: Table, lr: float | None) -> float:
    """Return what a pick loses in points: nothing if it is one of the best, the most if there is none although something learns."""
    if lr is None:
        return max(map(table.regret, table.lrs)) if learns(table) else 0.0
    return 0.0 if table.nearest(lr) in table.best_lrs() else table.regret(lr)


def learns(table: Table) -> bool:
    """Whether the best LR is better than guessing."""
    classes = table.data["classes"]
    return table.goal == "min" or table.mean_test(table.best_lr()) > 1.3 / classes


def held(found: Verdict, lrs: Sequence[float]) -> bool:
    """Whether the interval holds one of these LRs."""
    if found.low is None or found.high is None:
        return False
    low = 0.0 if "below" in found.open_sides else found.low
    high = math.inf if "above" in found.open_sides else found.high
    return any(low * (1 - 1e-9) <= lr <= high * (1 + 1e-9) for lr in lrs)


def holding(every: Sequence[tuple[Table, Verdict]]) -> tuple[int, int, int]:
    """Return in how many of the searches the interval holds one of the best LRs, the one with the best mean, and is open."""
    one = sum(held(answer, table.best_lrs()) for table, answer in every)
    best = sum(held(answer, [table.best_lr()]) for table, answer in every)
    return one, best, sum(bool(answer.open_sides) for _, answer in every)


def width(table: Table, found: Verdict) -> float:
    low, high = found.low or table.lrs[0], found.high or table.lrs[-1]
    low = min(low, table.lrs[0]) if "below" in found.open_sides else low
    high = max(high, table.lrs[-1]) if "above" in found.open_sides else high
    return math.log10(high / low)


def peers(table: Table, optuna: int) -> dict[str, Mean]:
    """Return the means of everybody else."""
    return {
        method.name: peer(table, method, optuna)
        for method in METHODS
        if optuna or "Optuna" not in method.name
    }


def peer(table: Table, method: Method, optuna: int) -> Mean:
    """Return the means of one other method."""
    if method.chance:
        count = optuna if "Optuna" in method.name else 200
        picks = [method.pick(table, seed) for seed in range(count)]
    else:
        picks = [method.pick(other, seed) for other in table.rotated() for seed in table.seeds]
    cost = 100 * statistics.fmean(pick.spent for pick in picks) / (GRID * table.horizon)
    return Mean(cost, statistics.fmean(lost(table, pick.lr) for pick in picks))


def row(
    table: Table, found: list[tuple[Verdict, float]], mean: Mean, others: dict[str, Mean]
) -> list[str]:
    """Return a workload's row."""
    losses = {answer.lr: lost(table, answer.lr) for answer, _ in found}
    worst = max(losses, key=lambda lr: losses[lr])
    error = table.regret_error(worst or table.best_lr())
    best = sum(lost(table, answer.lr) == 0 for answer, _ in found)
    one, first, unbounded = holding([(table, answer) for answer, _ in found])
    return [
        table.name,
        f"{mean.cost:.0f}",
        f"{mean.loses:.2f} ({losses[worst]:.1f} ± {error:.1f})",
        f"{best} of {len(found)}",
        f"{one} / {first} of {len(found)}",
        f"{unbounded} of {len(found)}",
        f"{statistics.fmean(width(table, answer) for answer, _ in found):.2f}",
        ", ".join(name for name, other in others.items() if other.beats(mean)) or "-",
    ]


def total(every: list[tuple[Table, list[tuple[Verdict, float]], Mean]]) -> list[str]:
    """Return the row of all."""
    answers = [(table, answer) for table, found, _ in every for answer, _ in found]
    losses = [lost(table, answer.lr) for table, answer in answers]
    costs = [mean.cost for _, _, mean in every]
    able = [(table, answer) for table, answer in answers if learns(table)]
    one, first, unbounded = (count / len(able) for count in holding(able))
    return [
        "all",
        f"{statistics.fmean(costs):.0f} (worst {max(costs):.0f})",
        f"{statistics.fmean(losses):.2f} ({max(losses):.1f})",
        f"{sum(each == 0 for each in losses) / len(losses):.0%}",
        f"{one:.0%} / {first:.0%}",
        f"{unbounded:.0%}",
        f"{statistics.fmean(width(table, answer) for table, answer in answers):.2f}",
        "",
    ]


if __name__ == "__main__":
    main()
