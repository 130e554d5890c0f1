"""What limits the search, replayed: `python -m tests.benchmarks.choosing.limits [--part choosing frozen unseen] [--optuna 50] [--further 18] [--save FILE]`.

Prints for the bank's tables of these parts, each method beside the others on the same replays (nine a table: three trainings, each
with the range tests of all three; methods that draw 200 times, Optuna, and SMAC3, Syne Tune and NePS as `--further`, so many):

1. what each loses: the mean over the tables ± its standard error over tables, the worst search, the tables that lose at most 0.3
   points on average, the picks that are more than 5 points off.
2. oracles, which no search can be: the same search whose pilots and rungs are means over seeds (three of pilots), the best of its
   full runs by the truth; the best LR of all at a third of the length, by means over seeds and moved by the usual fall.
3. for each table the other methods that are cheaper and lose less, and those that still do by more than two standard errors.

An LR that cannot be told from the best loses nothing, as in summary.py. Tables on which nothing learns are left out.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import random
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lrtui.analysis.fall import FALL
from lrtui.analysis.verdict import verdict
from lrtui.search.halving import STEP_DECADES
from lrtui.search.strategy import at
from lrtui.sweep import events as ev
from lrtui.sweep.state import Sweep
from tests.benchmarks.choosing import ours
from tests.benchmarks.choosing.__main__ import GRID, OFF, markdown
from tests.benchmarks.choosing.peers import FURTHER, METHODS, Method, optuna_study, suggest
from tests.benchmarks.choosing.summary import learns, lost
from tests.benchmarks.choosing.workloads import PARTS, WORKLOADS, Table, load, measured
from tests.search.simulated import Simulation

GOAL = 0.3
"""Points."""
CONSTANT_FALL = 0.2
"""Decades by which the best LR falls from a third of the length to all of it where the schedule is constant."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a method chose in one replay."""

    lr: float | None
    cost: float
    """Percent of a grid of 8."""


Replays = dict[str, list[Choice]]
"""By method. Those without chance have the replays in one order: all seeds of the first rotation, then of the next."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="default: all of the parts")
    parser.add_argument("--part", nargs="+", choices=PARTS, default=[PARTS[0]])
    parser.add_argument("--optuna", type=int, default=0, help="replays of Optuna's TPE-8")
    parser.add_argument(
        "--further", type=int, default=0, help="replays of SMAC3, Syne Tune and NePS"
    )
    parser.add_argument("--save", type=Path, help="where all choices are written, as JSON")
    options = parser.parse_args()
    names = options.names or [name for part in options.part for name in measured(part)]
    tables = [load(name) for name in names if WORKLOADS[name].task]
    for module in dict.fromkeys(method.module for method in FURTHER if method.missing):
        if options.further:
            print(f"{module} is not installed: its methods are left out.")
    found: dict[str, Replays] = {}
    for table in filter(learns, tables):
        found[table.name] = replayed(table, options.optuna, options.further)
        mine = summed(table, found[table.name]["auto"])
        print(f"{table.name}: {mine.cost:.1f} % / {mine.loses:.2f} ({mine.worst:.1f})", flush=True)
        if options.save:
            kept = {name: {m: [(c.lr, c.cost) for c in each] for m, each in of.items()} for name, of in found.items()}  # fmt: skip
            options.save.write_text(json.dumps(kept))
    tables = [table for table in tables if table.name in found]
    print("\n" + methods(tables, found))
    print(dominated(tables, found))


def replayed(table: Table, optuna: int, further: int = 0) -> Replays:
    """Return the choices of all methods on one table."""
    found: Replays = {}
    for other in table.rotated():
        for seed in table.seeds:
            for name, choice in (*searches(other, seed), *grids(other, seed)):
                found.setdefault(name, []).append(choice)
    # The trainings of all seeds are the same there, so the three range tests are all that differs.
    found["auto, three seeds of every run"] = [
        repeated(averaged(table, few=True), seed) for seed in table.seeds
    ]
    found["oracle: noise-free"] = [oracle(averaged(table), seed) for seed in table.seeds]
    found["oracle: best by validation, all seeds"] = [
        Choice(best(averaged(table), table.lrs, table.seeds[:1]), 0.0)
    ]
    found["oracle: best at a third"] = [Choice(at_a_third(table), 0.0)]
    several = [method for method in METHODS if "Optuna" not in method.name]
    if optuna:
        several.append(Method("Optuna TPE-8", optuna_study(8, sampler="tpe"), chance=True))
    for method in several:
        found[method.name] = peer(table, method, optuna if "Optuna" in method.name else 200)
    for method in FURTHER:
        if further and not method.missing:
            found[method.name] = peer(table, method, further)
    return found


def peer(table: Table, method: Method, count: int) -> list[Choice]:
    """Return the choices of somebody else's method."""
    replays = (
        [(table, seed) for seed in range(count)]
        if method.chance
        else [(other, seed) for other in table.rotated() for seed in table.seeds]
    )
    picks = [method.pick(*replay) for replay in replays]
    return [Choice(pick.lr, percent(table, pick.spent)) for pick in picks]


def percent(table: Table, spent: float) -> float:
    return 100 * spent / (GRID * table.horizon)


# ---------------------------------------------------------------- the search, and more spent on it


def searches(table: Table, seed: int) -> Iterable[tuple[str, Choice]]:
    """Yield what `auto` picks, and what it would with further full runs beside that: by one seed or by three."""
    searched = ours.simulation(table, seed)
    sweep = searched.run()
    pick, spent = verdict(sweep).lr, sweep.spent
    yield "auto", Choice(pick, percent(table, spent))
    ends = [run.setting.lr for run in sweep.trained() if run.finished and not run.pilot]
    yield "oracle: best of its full runs", Choice(truest(table, ends), percent(table, spent))
    if pick is None:
        return
    for name, steps in (
        ("one lower", (-1.0,)),
        ("one lower, by a quarter of a decade", (-0.5,)),
        ("one higher, by a quarter of a decade", (0.5,)),
        ("one lower, one higher", (-1.0, 1.0)),
        ("one lower, one higher, by a quarter of a decade", (-0.5, 0.5)),
        ("two lower, two higher, by a quarter of a decade", (-1.0, -0.5, 0.5, 1.0)),
    ):
        more = [pick * 10 ** (STEP_DECADES * step) for step in steps]
        for seeds in (1, 3):
            runs = [pick, *more]
            of = [(seed + k) % len(table.seeds) for k in range(seeds)]
            cost = spent + (len(runs) * seeds - 1) * table.horizon
            label = f"auto and {name}" + (", three seeds each" if seeds > 1 else "")
            yield label, Choice(best(table, runs, of), percent(table, cost))
    more = [pick * 10 ** (STEP_DECADES * step) for step in (-0.5, 0.5)]
    added = with_runs(searched, [(lr, seed) for lr in more])
    yield "the verdict with these two added", Choice(verdict(added).lr, percent(table, added.spent))


def with_runs(searched: Simulation, runs: Sequence[tuple[float, int]]) -> Sweep:
    """Return the sweep of a search to which a user has added these (LR, seed), as `lrtui add` does."""
    sweep = searched.sweep
    like = next(run for run in sweep.trained() if run.finished).setting
    again = replace(searched, events=[], order=random.Random(0))
    again.say(
        *(
            ev.RunQueued(
                run=f"u{number}", setting=at(like, lr), seed=seed, until=searched.space.horizon,
                origin="user", why="added by you",
            )
            for number, (lr, seed) in enumerate(runs)
        )
    )  # fmt: skip
    return again.run()


def grids(table: Table, seed: int) -> Iterable[tuple[str, Choice]]:
    """Yield what grids choose that are placed by the range test or have more seeds or LRs than the usual one."""
    valley = suggest("valley", table, seed)
    if valley.lr is not None:
        lrs = [valley.lr * 10 ** (STEP_DECADES * k) for k in range(-3, 5)]
        cost = valley.spent + GRID * table.horizon
        yield "grid of 8 around the valley", Choice(best(table, lrs, [seed]), percent(table, cost))
    eight = [float(lr) for lr in np.geomspace(table.lrs[0], table.lrs[-1], GRID)]
    yield "grid-8, three seeds each", Choice(best(table, eight, table.seeds), 300.0)
    every = percent(table, len(table.lrs) * table.horizon)
    yield "every measured LR", Choice(best(table, table.lrs, [seed]), every)
    yield "every measured LR, three seeds each", Choice(best(table, table.lrs, table.seeds), 3 * every)  # fmt: skip
    yield "oracle: best of grid-8", Choice(truest(table, eight), 100.0)


def best(table: Table, lrs: Sequence[float], seeds: Iterable[int]) -> float:
    """Return the LR with the best mean of the last validation values."""
    sign = 1.0 if table.goal == "min" else -1.0

    def mean(lr: float) -> float:
        values = [table.value(lr, seed, table.horizon) for seed in seeds]
        return statistics.fmean(math.inf if v is None else sign * v for v in values)

    return min(lrs, key=mean)


def truest(table: Table, lrs: Sequence[float]) -> float | None:
    """Return the LR that loses least."""
    return min(lrs, key=lambda lr: loss_of(table, lr), default=None)


# ---------------------------------------------------------------- oracles


def oracle(table: Table, seed: int) -> Choice:
    """Return the best full run, by the truth, of the search on a table without noise."""
    sweep = ours.simulate(table, seed)
    ends = [run.setting.lr for run in sweep.trained() if run.finished and not run.pilot]
    return Choice(truest(table, ends), percent(table, sweep.spent))


def repeated(table: Table, seed: int) -> Choice:
    """Return what `auto` picks from means over three seeds, at the cost of all of them and one range test."""
    sweep = ours.simulate(table, seed)
    tests = sum(run.spent for run in sweep.runs.values() if run.is_range_test)
    cost = tests + len(table.seeds) * (sweep.spent - tests)
    return Choice(verdict(sweep).lr, percent(table, cost))


def averaged(table: Table, *, few: bool = False) -> Table:
    """Return the table with the means over seeds as every seed's values; pilots and most LRs have three, LRs near the best more if not `few`."""
    runs: dict[tuple[float, int], dict[str, Any]] = {}
    for lr in table.lrs:
        known = [
            run
            for (each, seed), run in table.runs.items()
            if each == lr and (seed in table.seeds or not few)
        ]
        whole = [run for run in known if len(run["value"]) == len(table.levels)]
        for seed in table.seeds:
            run = dict(table.runs[lr, seed])
            for name in ("value", "val_loss", "train_loss"):
                run[name] = [_mean(each) for each in zip(*(w[name] for w in whole), strict=True)]
                run[name][-1] = _mean([each[name][-1] for each in known])
            runs[lr, seed] = run
    # Tests stay those of the real table: what an LR loses is the same truth.
    pilots = []
    for run in table.data.get("pilots", ()):
        same = [p for p in table.data["pilots"] if (p["length"], p["lr"]) == (run["length"], run["lr"])]  # fmt: skip
        means = {name: _mean([p[name] for p in same]) for name in ("value", "val_loss")}
        pilots.append({**run, **means})
    data = {**table.data, "pilots": pilots} if "pilots" in table.data else table.data
    return Averaged(data, runs, table)


@dataclass(frozen=True)
class Averaged(Table):
    """A table whose values are means; what an LR loses is that of the real one."""

    real: Table

    def rotated(self) -> list[Table]:
        return [replace(self, data=other.data) for other in Table.rotated(self)]

    def mean_test(self, lr: float) -> float:
        return self.real.mean_test(lr)

    def best_lrs(self) -> list[float]:
        return self.real.best_lrs()


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of the finite values; None where most are not finite."""
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if 2 * len(known) > len(values) else None


def at_a_third(table: Table) -> float | None:
    """Return the best measured LR at a third of the length, by means over seeds, moved down by the usual fall."""
    third = -(-WORKLOADS[table.name].horizon // 3)
    fall = CONSTANT_FALL if table.data["schedule"] == "constant" else FALL
    sign = 1.0 if table.goal == "min" else -1.0

    def value(lr: float) -> float:
        found = [pilot and pilot["value"] for seed in table.seeds if (pilot := table.pilot(lr, seed, third))]  # fmt: skip
        mean = _mean(found)
        return math.inf if mean is None else sign * mean

    return min(table.lrs, key=value) / 10**fall


# ---------------------------------------------------------------- tables


@dataclass(frozen=True, slots=True)
class Sum:
    """A method's replays on one table."""

    cost: float
    loses: float
    worst: float
    off: float


def summed(table: Table, choices: Sequence[Choice]) -> Sum:
    losses = [loss_of(table, choice.lr) for choice in choices]
    return Sum(
        statistics.fmean(choice.cost for choice in choices),
        statistics.fmean(losses),
        max(losses),
        statistics.fmean(loss > OFF for loss in losses),
    )


def loss_of(table: Table, lr: float | None) -> float:
    """Return what an LR loses; as `lost`, which is slow."""
    return _loss_of(table.name, None if lr is None else table.nearest(lr))


@functools.cache
def _loss_of(name: str, lr: float | None) -> float:
    return lost(load(name), lr)


def methods(tables: Sequence[Table], found: dict[str, Replays]) -> str:
    """Return what each method costs and loses over all tables."""
    rows = []
    for method in dict.fromkeys(name for of in found.values() for name in of):
        each = [summed(t, found[t.name][method]) for t in tables if method in found[t.name]]
        losses = [one.loses for one in each]
        error = statistics.stdev(losses) / math.sqrt(len(losses)) if len(losses) > 1 else 0.0
        rows.append([
            method, f"{statistics.fmean(one.cost for one in each):.0f}",
            f"{statistics.fmean(losses):.2f} ± {error:.2f}", f"{statistics.median(losses):.2f}",
            f"{max(one.worst for one in each):.1f}",
            f"{sum(loss <= GOAL for loss in losses)} of {len(losses)}",
            f"{100 * statistics.fmean(one.off for one in each):.0f} %",
        ])  # fmt: skip
    head = ["method", "cost, %", "loses", "median table", "worst", "tables ≤ 0.3", "> 5 off"]
    return markdown(head, rows)


def dominated(tables: Sequence[Table], found: dict[str, Replays]) -> str:
    """Return for each table the methods that are cheaper and lose less, and by how much ± the standard error of the difference."""
    rows = []
    for table in tables:
        mine = summed(table, found[table.name]["auto"])
        better = []
        for method in (each for each in (*METHODS, *FURTHER) if each.name in found[table.name]):
            choices = found[table.name][method.name]
            theirs = summed(table, choices)
            if theirs.cost < mine.cost and theirs.loses < mine.loses:
                error = (drawn_error if method.chance else difference_error)(
                    table, found[table.name]["auto"], choices
                )
                better.append((method.name, mine.loses - theirs.loses, error))
        sure = [method for method, gap, error in better if gap > 2 * error]
        rows.append([
            table.name, f"{mine.cost:.0f} / {mine.loses:.2f} ({mine.worst:.1f})",
            ", ".join(f"{method} by {gap:.2f} ± {error:.2f}" for method, gap, error in better) or "-",
            ", ".join(sure) or "-",
        ])  # fmt: skip
    return markdown(["", "auto", "cheaper and better", "by more than two errors"], rows)


def difference_error(table: Table, mine: Sequence[Choice], theirs: Sequence[Choice]) -> float:
    """Return the standard error of a difference of mean losses: replays share three trainings, and the truth has its own error."""
    pairs = [(a.lr, b.lr) for a, b in zip(mine, theirs, strict=True)]
    gaps = [loss_of(table, a) - loss_of(table, b) for a, b in pairs]
    known = [math.hypot(_truth(table, a), _truth(table, b)) for a, b in pairs if a != b]
    spread = statistics.stdev(gaps) / math.sqrt(len(table.seeds))
    return math.hypot(spread, statistics.fmean(known) if known else 0.0)


def drawn_error(table: Table, mine: Sequence[Choice], theirs: Sequence[Choice]) -> float:
    """Return the same where theirs are separate draws: of mine three trainings count, of theirs all."""
    known = [statistics.fmean(_truth(table, c.lr) for c in each) for each in (mine, theirs)]
    spreads = [statistics.stdev(loss_of(table, c.lr) for c in each) for each in (mine, theirs)]
    roots = math.sqrt(len(table.seeds)), math.sqrt(len(theirs))
    return math.hypot(spreads[0] / roots[0], spreads[1] / roots[1], *known)


def _truth(table: Table, lr: float | None) -> float:
    """Return the standard error of what an LR loses, in points."""
    return 0.0 if lr is None else table._tests[table.nearest(lr)][1] / float(table.data["point"])


if __name__ == "__main__":
    main()
