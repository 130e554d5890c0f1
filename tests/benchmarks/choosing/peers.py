"""How everybody else chooses a learning rate, replayed on a table.

Each method is a function `(table, seed) -> Pick`. `seed` decides what is random in it, and which of the measured seeds its
trainings have. All choose by validation data, from runs with one seed; what a pick is worth is the table's business.

The LRs to choose from are those of the dense grid's range, 4.5 decades, log-uniform: nobody is told where good ones lie.
Optuna (tried with 5.0.0) is used as its documentation does, with its defaults unless said otherwise; it is no dependency
of lrtui: pip install optuna. SMAC3, Syne Tune and NePS (`FURTHER`; tried with smac 2.4.1, syne-tune 0.16.0, which has no PASHA, and
neural-pipeline-search 0.17.0, each in an environment of its own) are none either.
"""

from __future__ import annotations

import importlib.util
import logging
import math
import random
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
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
    module: str = ""
    """What it imports that lrtui's tests do not need."""

    @property
    def missing(self) -> bool:
        """Whether that is not installed."""
        return bool(self.module) and importlib.util.find_spec(self.module) is None


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


# ---------------------------------------------------------------- SMAC3, Syne Tune, NePS


def smac_hyperband(count: int) -> Callable[[Table, int], Pick]:
    """Return the method `MultiFidelityFacade(scenario, trained).optimize()` with so many trials.

    Hyperband with reduction 3 between R/9 and R, LRs from a random forest after a quarter of the trials; all else is the facade's
    default. 13 trials are its first bracket, 22 all three. On paper these are 9 LRs at R/9, 3 at R/3, 1 at R; 5 at R/3, 1 at R; 3 at R;
    smac 2.4.1 often runs one or two fewer of the first ones and begins the next bracket with the trials that are left. A trial at a
    longer length goes on from the end of the LR's last one and is charged the rest only: SMAC's best case. It is told 1 - accuracy
    or the loss; a trial that is not finite crashes, at a cost of 1 or 10 nats. Its incumbent is the pick, also where that was trained to
    R/3 only. Its draws depend on PYTHONHASHSEED: set it to have the same replays again.
    """

    def pick(table: Table, seed: int) -> Pick:
        from ConfigSpace import ConfigurationSpace, Float
        from smac import MultiFidelityFacade, Scenario

        reached: dict[float, float] = {}
        seconds: list[float] = []

        def trained(config: Any, seed: int, budget: float) -> float:
            lr = float(config["lr"])
            level = table.levels[round(budget) - 1]
            before = reached.get(lr, 0.0)
            seconds.append(_seconds(table, lr, max(level - before, 0.0)))
            reached[lr] = max(level, before)
            value = table.value(lr, measured, level)
            if value is None:
                raise FloatingPointError
            return value if table.goal == "min" else 1 - value

        measured = seed
        space = ConfigurationSpace(seed=seed)
        space.add(Float("lr", (table.lrs[0], table.lrs[-1]), log=True))
        with tempfile.TemporaryDirectory() as folder:
            scenario = Scenario(
                space,
                output_directory=Path(folder),
                deterministic=True,
                n_trials=count,
                min_budget=len(table.levels) // 9,
                max_budget=len(table.levels),
                crash_cost=1.0 if table.goal == "max" else 10.0,
                seed=seed,
            )
            smac = MultiFidelityFacade(scenario, trained, logging_level=False)
            logging.disable(logging.WARNING)
            try:
                best = smac.optimize()
            finally:
                logging.disable(logging.NOTSET)
        lr = float(best["lr"]) if best else None
        return Pick(lr, sum(reached.values()), (tuple(seconds),))

    return pick


def syne_tune_asha(count: int) -> Callable[[Table, int], Pick]:
    """Return the method `ASHA` with so many trials, one worker: reduction 3, the first rung at R/9, one bracket (its default).

    A run reports at each level and is charged up to where it was stopped; one that is not finite reports the worst value there is. The
    pick is the best of those that came to the end.
    """

    def pick(table: Table, seed: int) -> Pick:
        from datetime import UTC, datetime

        from syne_tune.backend.trial_status import Trial
        from syne_tune.config_space import loguniform
        from syne_tune.optimizer.baselines import ASHA

        scheduler = ASHA(
            {"lr": loguniform(table.lrs[0], table.lrs[-1])},
            metric="value",
            time_attr="place",
            max_t=len(table.levels),
            grace_period=len(table.levels) // 9,
            do_minimize=table.goal == "min",
            random_seed=seed,
        )
        done: list[float] = []
        spent, seconds = 0.0, []
        for number in range(count):
            lr = float(scheduler.suggest().config["lr"])
            trial = Trial(number, {"lr": lr}, datetime.now(UTC))
            scheduler.on_trial_add(trial)
            for place, level in enumerate(table.levels, 1):
                found = table.value(lr, seed, level)
                worst = math.inf if table.goal == "min" else -math.inf
                result = {"value": worst if found is None else found, "place": place}
                if scheduler.on_trial_result(trial, result) == "STOP":
                    break
            if place == len(table.levels):
                done.append(lr)
            spent += level
            seconds.append(_seconds(table, lr, level))
        best = min(done, key=lambda lr: _loss(table, table.value(lr, seed, table.horizon)))
        return Pick(best, spent, (tuple(seconds),))

    return pick


def neps_hyperband(count: int) -> Callable[[Table, int], Pick]:
    """Return the method `hyperband` of NePS, which is what it takes by default where a length is given, with so many trials.

    Uniform draws, reduction 3, between R/9 and R, asked and told one after the other. 13 trials are its first bracket (9 LRs at R/9, 3 at
    R/3, 1 at R), 20 all three (then 3 at R/3, 1 at R; 3 at R). A promoted trial goes on from the one before and is charged the rest.
    It is told 1 - accuracy or the loss, or 1 or 10 nats where that is not finite. The pick is the best of those that came to the end.
    """

    def pick(table: Table, seed: int) -> Pick:
        import neps
        import torch

        torch.manual_seed(seed)  # NePS draws from the global generators
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002

        class Space(neps.PipelineSpace):  # type: ignore[misc, unused-ignore]
            lr = neps.Float(table.lrs[0], table.lrs[-1], log=True)
            place = neps.IntegerFidelity(len(table.levels) // 9, len(table.levels))

        crash = 1.0 if table.goal == "max" else 10.0
        asked = neps.AskAndTell(neps.algorithms.hyperband(Space()))
        reached: dict[float, float] = {}
        seconds: list[float] = []
        done: list[float] = []
        for _ in range(count):
            trial = asked.ask()
            lr, place = float(trial.config["lr"]), int(trial.config["place"])
            level = table.levels[place - 1]
            value = table.value(lr, seed, level)
            cost = crash if value is None else value if table.goal == "min" else 1 - value
            asked.tell(trial, cost)
            seconds.append(_seconds(table, lr, level - reached.get(lr, 0.0)))
            reached[lr] = level
            if place == len(table.levels):
                done.append(lr)
        best = min(done, key=lambda lr: _loss(table, table.value(lr, seed, table.horizon)))
        return Pick(best, sum(reached.values()), (tuple(seconds),))

    return pick


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

FURTHER = (
    Method("SMAC3 hyperband, 13 trials", smac_hyperband(13), chance=True, module="smac"),
    Method("SMAC3 hyperband, 22 trials", smac_hyperband(22), chance=True, module="smac"),
    Method("Syne Tune ASHA, 4 trials", syne_tune_asha(4), chance=True, module="syne_tune"),
    Method("Syne Tune ASHA, 18 trials", syne_tune_asha(18), chance=True, module="syne_tune"),
    Method("NePS hyperband, 13 trials", neps_hyperband(13), chance=True, module="neps"),
    Method("NePS hyperband, 20 trials", neps_hyperband(20), chance=True, module="neps"),
)
"""Of libraries that take longer to ask than a table to read: replayed where asked for."""
