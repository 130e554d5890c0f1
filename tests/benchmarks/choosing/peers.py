"""How everybody else chooses a learning rate, replayed on a table.

Each method is a function `(table, seed) -> Pick`. `seed` decides what is random in it, and which of the measured seeds its
trainings have. All choose by validation data, from runs with one seed; what a pick is worth is the table's business.

The LRs to choose from are those of the dense grid's range, 4.5 decades, log-uniform: nobody is told where good ones lie.
Optuna (tried with 5.0.0) is used as its documentation does, with its defaults unless said otherwise; it is no dependency
of lrtui: pip install optuna.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.benchmarks.choosing.workloads import Table

GRID = 8
FOLK = (3e-4, 1e-3, 3e-3)
SMOOTHING = 0.98


@dataclass(frozen=True, slots=True)
class Pick:
    """What a method picked, and at what cost."""

    lr: float | None
    """None: it found nothing."""
    spent: float
    """In the unit of the horizon."""
    legs: tuple[tuple[float, ...], ...]
    """Seconds of each process, in stages; those of one stage may run at the same time."""


@dataclass(frozen=True, slots=True)
class Method:
    """One way to choose."""

    name: str
    pick: Callable[[Table, int], Pick]
    chance: bool = False
    """Whether it draws anything: then it is repeated often, else once a seed."""


# ---------------------------------------------------------------- without looking before the end


def grid(table: Table, seed: int) -> Pick:
    """Return the best of 8 LRs, log-even, all at full length."""
    return _best(table, seed, np.geomspace(table.lrs[0], table.lrs[-1], GRID))


def at_random(count: int) -> Callable[[Table, int], Pick]:
    """Return the method that draws so many LRs, log-uniform, all at full length (Bergstra and Bengio 2012)."""

    def pick(table: Table, seed: int) -> Pick:
        draw = random.Random(f"{count} {seed}")
        low, high = math.log(table.lrs[0]), math.log(table.lrs[-1])
        return _best(table, seed, [math.exp(draw.uniform(low, high)) for _ in range(count)])

    return pick


def folk(table: Table, seed: int) -> Pick:
    """Return the best of the three that people try first, whatever the optimizer."""
    return _best(table, seed, FOLK)


def bracket(table: Table, seed: int) -> Pick:
    """Return the best of 7 LRs half a decade apart around fastai's valley, all at full length: `auto` without its halving."""
    found = suggest("valley", table, seed)
    if found.lr is None:
        return found
    best = _best(table, seed, [found.lr * 10 ** (step / 2) for step in range(-3, 4)])
    return Pick(best.lr, found.spent + best.spent, (*found.legs, *best.legs))


def _best(table: Table, seed: int, lrs: Iterable[float]) -> Pick:
    """Return the LR with the best last value; of equal ones the first tried."""
    tried = [float(lr) for lr in lrs]
    best = min(tried, key=lambda lr: _loss(table, table.value(lr, seed, table.horizon)))
    seconds = tuple(_seconds(table, lr, table.horizon) for lr in tried)
    return Pick(best, len(tried) * table.horizon, (seconds,))


def _loss(table: Table, value: float | None) -> float:
    if value is None:
        return math.inf
    return value if table.goal == "min" else -value


def _seconds(table: Table, lr: float, level: float) -> float:
    return table.start_seconds + table.run_seconds(lr) * level / table.horizon


# ---------------------------------------------------------------- Optuna


def optuna_study(
    count: int, *, sampler: str = "random", pruner: str = "", order: str = ""
) -> Callable[[Table, int], Pick]:
    """Return the method `study.optimize(objective, n_trials=count)`.

    sampler: "random" or "tpe" (its first 10 trials are random unless told: here 4). order: the grid's 8 LRs are tried "up",
    "down" or "shuffled" instead. pruner: "halving" or "hyperband", with reduction 3 and the first rung at R/9, as lrtui has
    it. A pruned trial is charged up to where it was pruned.
    """

    def pick(table: Table, seed: int) -> Pick:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        seconds: list[float] = []
        spent = 0.0

        def objective(trial: Any) -> float:
            nonlocal spent
            lr = trial.suggest_float("lr", table.lrs[0], table.lrs[-1], log=True)
            for place, level in enumerate(table.levels, 1):
                found = table.value(lr, seed, level)
                value = math.nan if found is None else found
                trial.report(value, place)
                if trial.should_prune():
                    spent += level
                    seconds.append(_seconds(table, lr, level))
                    raise optuna.TrialPruned
            spent += table.horizon
            seconds.append(_seconds(table, lr, table.horizon))
            return value

        study = optuna.create_study(
            study_name=f"{table.name} {seed}",  # hyperband draws a trial's bracket from it
            direction="minimize" if table.goal == "min" else "maximize",
            sampler=_sampler(optuna, sampler, seed),
            pruner=_pruner(optuna, pruner, table),
        )
        if order:
            for lr in _ordered(table, order, seed):
                study.enqueue_trial({"lr": lr})
        study.optimize(objective, n_trials=count)
        done = [trial for trial in study.trials if trial.state.name == "COMPLETE"]
        lr = study.best_params["lr"] if done else None
        return Pick(lr, spent, (tuple(seconds),))

    return pick


def _sampler(optuna: Any, name: str, seed: int) -> Any:
    if name == "tpe":
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=4)
    return optuna.samplers.RandomSampler(seed=seed)


def _pruner(optuna: Any, name: str, table: Table) -> Any:
    first, last = len(table.levels) // 9, len(table.levels)
    if name == "halving":
        return optuna.pruners.SuccessiveHalvingPruner(min_resource=first, reduction_factor=3)
    if name == "hyperband":
        return optuna.pruners.HyperbandPruner(
            min_resource=first, max_resource=last, reduction_factor=3
        )
    return optuna.pruners.NopPruner()


def _ordered(table: Table, order: str, seed: int) -> list[float]:
    lrs = [float(lr) for lr in np.geomspace(table.lrs[0], table.lrs[-1], GRID)]
    if order == "shuffled":
        random.Random(seed).shuffle(lrs)
    return lrs[::-1] if order == "down" else lrs


# ---------------------------------------------------------------- range tests alone


def range_test(rule: str) -> Callable[[Table, int], Pick]:
    """Return the method that trains at what a rule reads from one range test, unseen."""
    return lambda table, seed: suggest(rule, table, seed)


def suggest(rule: str, table: Table, seed: int) -> Pick:
    """Return a rule's suggestion. The cost is that of the test; one that suggests an LR off the grid is given its nearest end."""
    lrs, losses, cost = table.range_curve(table.seeds[seed % len(table.seeds)])
    legs = ((_seconds(table, 1e-3, cost),),)
    if rule == "steepest":
        return Pick(_torch_lr_finder(lrs, losses), cost, legs)
    return Pick(_fastai(rule, lrs, losses), cost, legs)


def _fastai(rule: str, lrs: Sequence[float], losses: Sequence[float]) -> float | None:
    """Return what a rule of fastai says (fastai/callback/schedule.py: LRFinder, lr_find, valley, slide, minimum, steep).

    Debiased mean of the losses, 0.98 of the old; the first 10 of 100 points and the last 5 are left out, and all from
    the first nan on.
    """
    smooth = _debiased(losses)
    x, y = np.asarray(lrs)[10:-5], smooth[10:-5]
    bad = np.flatnonzero(np.isnan(y))
    if len(bad):
        x, y = x[: bad[0]], y[: bad[0]]
    if len(x) < 17:  # slide looks back 16
        return None
    return float(x[_RULES[rule](x, y)]) / (10 if rule == "minimum" else 1)


def _debiased(losses: Sequence[float]) -> np.ndarray:
    """Return fastai's AvgSmoothLoss."""
    mean, out = 0.0, []
    for i, loss in enumerate(losses, 1):
        mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
        out.append(mean / (1 - SMOOTHING**i))
    return np.asarray(out)


def _valley(_x: np.ndarray, y: np.ndarray) -> int:
    """The longest falling subsequence; half of a third beyond its first third."""
    length = [1] * len(y)
    for i in range(len(y)):
        length[i] = 1 + max((length[j] for j in range(i) if y[i] < y[j]), default=0)
    end = int(np.argmax(length))
    third = length[end] / 3
    return end - length[end] + int(third) + int(third / 2)


def _steep(x: np.ndarray, y: np.ndarray) -> int:
    """The steepest fall over log(lr)."""
    return int(np.argmin(np.diff(y) / np.diff(np.log(x))))


def _minimum(_x: np.ndarray, y: np.ndarray) -> int:
    """The lowest loss; the LR is then divided by 10."""
    return int(np.argmin(y))


def _slide(_x: np.ndarray, y: np.ndarray) -> int:
    """Two places 15 apart, from the end leftwards until the slopes at them are alike within 0.005."""
    slope = np.gradient(y)
    left = found = len(y) - 16
    while left >= 0 and abs(slope[left + 15] - slope[left]) > 0.005:
        found = left
        left -= 1
    return found


_RULES = {"valley": _valley, "steep": _steep, "minimum": _minimum, "slide": _slide}


def _torch_lr_finder(lrs: Sequence[float], losses: Sequence[float]) -> float | None:
    """Return the LR of the "steepest gradient" of torch-lr-finder 0.2.2 (range_test and plot in torch_lr_finder/lr_finder.py).

    Mean of the losses with 0.05 of the new, stopped at 5 times the lowest; 10 points skipped at the start and 5 at the end.
    """
    smooth: list[float] = []
    for loss in losses:
        smooth.append(0.05 * loss + 0.95 * smooth[-1] if smooth else loss)
        if smooth[-1] > 5 * min(smooth):
            break
    x, y = lrs[10 : len(smooth) - 5], smooth[10:-5]
    return float(x[int(np.argmin(np.gradient(y)))]) if len(x) > 1 else None


# ---------------------------------------------------------------- all


METHODS = (
    Method("grid-8", grid),
    Method("random-8", at_random(8), chance=True),
    Method("random-3", at_random(3), chance=True),
    Method("{3e-4, 1e-3, 3e-3}", folk),
    Method("grid of 7 around the valley", bracket),
    Method("Optuna TPE-8", optuna_study(8, sampler="tpe"), chance=True),
    Method("Optuna halving, random-16", optuna_study(16, pruner="halving"), chance=True),
    Method("Optuna hyperband, random-16", optuna_study(16, pruner="hyperband"), chance=True),
    Method("Optuna halving, grid-8 upwards", optuna_study(8, pruner="halving", order="up")),
    Method(
        "Optuna halving, grid-8 shuffled",
        optuna_study(8, pruner="halving", order="shuffled"),
        chance=True,
    ),
    Method("Optuna halving, grid-8 downwards", optuna_study(8, pruner="halving", order="down")),
    Method("fastai valley", range_test("valley")),
    Method("fastai steep", range_test("steep")),
    Method("fastai minimum / 10", range_test("minimum")),
    Method("fastai slide", range_test("slide")),
    Method("torch-lr-finder steepest", range_test("steepest")),
)
