"""Trains the bank: `python -m tests.benchmarks.choosing.bank [NAME ...] [--part frozen] [--again | --more]`, one thread, one to five minutes a table.

The workloads with a `task` in workloads.py, also the levels of studies; without names those whose table is missing. Each table has, all really trained:

1. every LR, a sixth of a decade apart, with three seeds. A seed is an initialisation and an order of the batches. Where the
   best lies within half a decade of an end, the LRs go on for another half, once on each side.
2. further seeds, twice as many each time, at the LRs that may be the best, until the standard error of each one's mean test value is
   at most 0.2 points, or there are `MOST` seeds, or `FURTHER` such runs. `truth` says what was reached; --more trains what is missing in
   tables that fell short of it. Of seeds from `WHOLE` on only the ends are kept.
3. range tests, and for schedules that decay short runs of the whole schedule ("pilots"), over a ninth and a third.

Runs are trained many at a time (stacked.py). Of a frozen or unseen workload only its size is printed: nobody looks at it before the end.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):  # before torch is imported
    os.environ[_name] = "1"

import torch
from torch import Tensor
from torch.nn import functional

from lrtui.train.optimizers import OPTIMIZERS
from lrtui.train.options import choose
from lrtui.train.schedules import SCHEDULES
from lrtui.train.schedules.warmup import advance, build_schedule
from tests.benchmarks.choosing.__main__ import markdown
from tests.benchmarks.choosing.data import Data, Part, load
from tests.benchmarks.choosing.measure import made_with, rounded, start, write
from tests.benchmarks.choosing.stacked import Net, Optimizer, build
from tests.benchmarks.choosing.workloads import (
    BANK,
    PARTS,
    RANGE,
    SEEDS,
    WORKLOADS,
    Workload,
    measured,
    path_of,
)
from tests.benchmarks.choosing.workloads import load as load_table

FEW = 6
"""Seeds that say little of a spread."""
KNOWN = 0.2
"""Points: the standard error that the best LRs are trained to."""
MOST = 400
"""Seeds at one LR."""
FURTHER = 2000
"""Runs of further seeds in a table, about: no more are begun."""
WHOLE, WHOLE_UNSEEN = 24, 6
"""Seeds whose whole curves are kept; of the unseen part fewer."""
TOGETHER = 96
"""Runs in one stack: more are no faster and need more memory."""
Key = tuple[float, int]
"""(lr, seed)"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="default: those whose table is missing")
    parser.add_argument("--part", choices=PARTS, default=PARTS[0], help="those of which part, by default")  # fmt: skip
    parser.add_argument("--again", action="store_true", help="measure anew what is there already")
    parser.add_argument(
        "--more", action="store_true", help="only further seeds, for tables whose best LRs are not known well enough"
    )  # fmt: skip
    parser.add_argument(
        "--list", action="store_true", help="print what there is as Markdown, and train nothing"
    )
    options = parser.parse_args()
    if options.list:
        print(listed(options.part))
        return
    os.nice(19)
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    banked = [each for each in WORKLOADS.values() if each.task]
    wanted = [each.name for each in banked if each.part == options.part]
    for name in options.names or wanted:
        workload, began = WORKLOADS[name], time.process_time()
        there = path_of(workload).exists()
        if options.more and there and load_table(name).data["truth"]["limit_reached"]:
            write(workload, completed(workload, load_table(name).data))
        elif options.again or not there:
            write(workload, measure(workload))
        else:
            continue
        print(f"{name}: {time.process_time() - began:.0f} s of processor time", flush=True)


def listed(part: str) -> str:
    """Return one part of the bank as a Markdown table."""
    rows = []
    for name in measured(part):
        if not WORKLOADS[name].task:
            continue
        table = load_table(name)
        best, known = table.best_lrs(), table.data["truth"]
        batch, length = f"{table.data['batch_size']}", f"{table.horizon:g} {table.data['unit']}"
        rows.append([
            name, table.data["title"], batch, length, f"{table.mean_test(table.best_lr()):.4f}",
            f"{best[0]:.1e}" + f" to {best[-1]:.1e}" * (len(best) > 1),
            f"{known['error_points']:.2f} ({known['seeds']})",
        ])  # fmt: skip
    head = ["", "what", "batch", "length", "test", "best LRs", "± points (seeds)"]
    return markdown(head, rows)


def measure(workload: Workload) -> dict[str, Any]:
    """Train everything; return the table."""
    trainer = Trainer.of(workload)
    runs: dict[Key, dict[str, Any]] = {}
    lrs = list(workload.lrs)
    trainer.add(runs, [(lr, seed) for lr in lrs for seed in SEEDS])
    for beyond in wider(workload, lrs, runs):
        lrs = sorted([*lrs, *beyond])
        trainer.add(runs, [(lr, seed) for lr in beyond for seed in SEEDS])
    trainer.complete(runs, lrs)
    alone = trainer.seconds_alone(lrs[len(lrs) // 2])
    for run in runs.values():
        run["seconds"] = alone
    return {
        **workload.facts(held_out=workload.part != PARTS[0]),
        "task": workload.task,
        "net": workload.net,
        "batch_size": workload.batch_size,
        "steps_per_unit": trainer.steps_per_unit,
        "levels": trainer.levels(workload.horizon),
        "lrs": lrs,
        "seeds": SEEDS,
        "train_images": len(trainer.data.train[1]),
        "val_images": len(trainer.data.val[1]),
        "test_images": len(trainer.data.test[1]),
        "classes": 0 if workload.goal == "min" else trainer.data.classes,
        "start_seconds": rounded(started()),
        "made_with": {**made_with(), "cpu": cpu(), "stacked": TOGETHER},
        "truth": truth(workload, lrs, runs),
        "runs": [runs[key] for key in sorted(runs)],
        "pilots": trainer.pilots(lrs),
        "ranges": trainer.ranges(alone),
    }


def completed(workload: Workload, table: dict[str, Any]) -> dict[str, Any]:
    """Return the table with the further seeds that it lacks."""
    runs = {(run["lr"], run["seed"]): run for run in table["runs"]}
    before = set(runs)
    Trainer.of(workload).complete(runs, table["lrs"])
    for key in set(runs) - before:
        runs[key]["seconds"] = table["runs"][0]["seconds"]
    found = {"truth": truth(workload, table["lrs"], runs), "runs": [runs[k] for k in sorted(runs)]}
    return {**table, **found}


# ---------------------------------------------------------------- which runs


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an LR's mean test value, in points, the lower the better."""

    mean: float
    error: float
    """Standard error."""
    spread: float
    seeds: int


def known(workload: Workload, lrs: Sequence[float], runs: dict[Key, Any]) -> dict[float, Known]:
    """Return it for each LR. Three seeds say little of a spread: it is at least the median of those near the best."""
    sign = (1.0 if workload.goal == "min" else -1.0) / workload.point
    tests: dict[float, list[float]] = {lr: [] for lr in lrs}
    for (lr, _), run in runs.items():
        value = run["test"][-1]
        tests[lr].append(sign * (10.0 if value is None else value))
    means = {lr: statistics.fmean(values) for lr, values in tests.items()}
    near = sorted(lrs, key=lambda lr: means[lr])[:6]
    usual = statistics.median(statistics.stdev(tests[lr]) for lr in near)
    found = {}
    for lr, values in tests.items():
        spread = statistics.stdev(values)
        if len(values) <= FEW:
            spread = max(spread, usual)
        found[lr] = Known(means[lr], spread / math.sqrt(len(values)), spread, len(values))
    return found


def candidates(of: dict[float, Known]) -> list[float]:
    """Return the LRs that may be the best, or lose less than 0.3 points."""
    best = min(of.values(), key=lambda each: each.mean)
    return [
        lr
        for lr, each in of.items()
        if each.mean - best.mean <= 0.3 + 2 * math.hypot(each.error, best.error)
    ]


def lacking(workload: Workload, lrs: Sequence[float], runs: dict[Key, Any]) -> list[Key]:
    """Return the runs to train next; [] where all that may be the best are known."""
    of = known(workload, lrs, runs)
    more: list[Key] = []
    if len(runs) - len(SEEDS) * len(lrs) >= FURTHER:
        return more
    for lr in candidates(of):
        each = of[lr]
        if each.error > KNOWN or each.seeds < FEW:
            wanted = max(FEW, math.ceil((each.spread / KNOWN) ** 2))
            more += [(lr, seed) for seed in range(each.seeds, min(MOST, wanted, 2 * each.seeds))]
    return more


def wider(workload: Workload, lrs: Sequence[float], runs: dict[Key, Any]) -> Iterator[list[float]]:
    """Yield the LRs beyond an end near which the best lies."""
    of = known(workload, lrs, runs)
    place = lrs.index(min(of, key=lambda lr: of[lr].mean))
    if place < 3:
        yield [two_digits(lrs[0] * 10 ** (-k / 6)) for k in (3, 2, 1)]
    if place > len(lrs) - 4:
        yield [two_digits(lrs[-1] * 10 ** (k / 6)) for k in (1, 2, 3)]


def truth(workload: Workload, lrs: Sequence[float], runs: dict[Key, Any]) -> dict[str, Any]:
    """Return how well the best LRs are known."""
    of = known(workload, lrs, runs)
    top = [of[lr] for lr in candidates(of)]
    error = max(each.error for each in top)
    return {
        "error_points": rounded(error),
        "seeds": max(each.seeds for each in top),
        "limit_reached": error > KNOWN,
    }


def two_digits(lr: float) -> float:
    return float(f"{lr:.1e}")


# ---------------------------------------------------------------- training


@dataclass(frozen=True, slots=True)
class Trainer:
    """Trains the runs of one workload."""

    workload: Workload
    data: Data
    net: Net

    @classmethod
    def of(cls, workload: Workload) -> Trainer:
        data = load(workload.task)
        return cls(workload, data, build(workload.net, data.inputs, data.classes or 1))

    @property
    def steps_per_unit(self) -> int:
        if self.workload.unit == "steps":
            return 1
        return math.ceil(len(self.data.train[1]) / self.workload.batch_size)

    def levels(self, total: int) -> list[int]:
        """Return where a run of this length is evaluated, its end included."""
        return sorted({*range(self.workload.every, total + 1, self.workload.every), total})

    def add(self, runs: dict[Key, dict[str, Any]], keys: Sequence[Key]) -> None:
        """Train these runs to the horizon."""
        kept = WHOLE_UNSEEN if self.workload.part == PARTS[2] else WHOLE
        for key, row in zip(keys, self.train(keys, self.workload.horizon), strict=True):
            runs[key] = row if key[1] < kept else ends(row)

    def complete(self, runs: dict[Key, dict[str, Any]], lrs: Sequence[float]) -> None:
        """Add further seeds until the best LRs are known, or a limit is reached."""
        while more := lacking(self.workload, lrs, runs):
            self.add(runs, more)

    def train(self, keys: Sequence[Key], total: int) -> list[dict[str, Any]]:
        """Return the rows of the table, as measure.py has them; `test` has the end only."""
        rows = []
        for first in range(0, len(keys), TOGETHER):
            rows += self._train(keys[first : first + TOGETHER], total)
        return rows

    def _train(self, keys: Sequence[Key], total: int) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = [
            {"lr": lr, "seed": seed, "value": [], "val_loss": [], "test": [], "train_loss": []}
            for lr, seed in keys
        ]
        stack = Stack(self, [seed for _, seed in keys])
        course = factors(self.workload.schedule, total * self.steps_per_unit)
        lrs = torch.tensor([[lr] for lr, _ in keys])
        done = 0
        for level in self.levels(total):
            count = level * self.steps_per_unit - done
            losses = sum(stack.step(lrs * course[done + i]) for i in range(count)) / count
            done += count
            values, val_losses = stack.evaluate(self.data.val)
            for row, *found in zip(rows, values, val_losses, losses.tolist(), strict=True):
                for name, value in zip(("value", "val_loss", "train_loss"), found, strict=True):
                    row[name].append(rounded(value))
        for row, value in zip(rows, stack.evaluate(self.data.test)[0], strict=True):
            row["test"].append(rounded(value))
        return rows

    def pilots(self, lrs: Sequence[float]) -> list[dict[str, Any]]:
        """Return the ends of short runs of the whole schedule; [] where it is constant."""
        if self.workload.schedule == "constant" or self.workload.study:
            return []
        keys = [(lr, seed) for lr in lrs for seed in SEEDS]
        found = []
        for share in (9, 3):
            length = -(-self.workload.horizon // share)
            for row in self.train(keys, length):
                last = {k: v[-1] if isinstance(v, list) else v for k, v in row.items()}
                found.append({"length": length, **last})
        return found

    def ranges(self, alone: float) -> list[dict[str, Any]]:
        """Return the range tests: as a script makes them that goes through all its steps."""
        low, high, steps = RANGE["lr"], RANGE["to"], int(RANGE["steps"])
        lrs = [low * (high / low) ** (i / (steps - 1)) for i in range(steps)]
        stack = Stack(self, SEEDS)
        losses = [stack.step(torch.full((len(SEEDS), 1), lr)).tolist() for lr in lrs]
        share = steps / (self.workload.horizon * self.steps_per_unit)
        return [
            {
                "seed": seed,
                "lrs": [rounded(lr) for lr in lrs],
                "losses": [rounded(each[i]) for each in losses],
                "cost": rounded(steps / self.steps_per_unit),
                "seconds": rounded(share * alone),
            }
            for i, seed in enumerate(SEEDS)
        ]

    def seconds_alone(self, lr: float) -> float:
        """Return the processor seconds of one run by itself, from its first 40 steps and one evaluation."""
        stack, rates = Stack(self, [0]), torch.tensor([[lr]])
        stack.step(rates)
        began = time.process_time()
        for _ in range(40):
            stack.step(rates)
        stepped = time.process_time()
        stack.evaluate(self.data.val)
        tested = time.process_time()
        steps, horizon = self.workload.horizon * self.steps_per_unit, self.workload.horizon
        tests = len(self.levels(horizon))
        return round((stepped - began) / 40 * steps + (tested - stepped) * tests, 2)


def ends(row: dict[str, Any]) -> dict[str, Any]:
    """Return a run with the last value of each list alone."""
    return {key: value[-1:] if isinstance(value, list) else value for key, value in row.items()}


class Stack:
    """Runs that are trained together. Those of one seed start alike and see the same batches, whatever their LR."""

    def __init__(self, trainer: Trainer, seeds: Sequence[int]) -> None:
        self._data, self._net, workload = trainer.data, trainer.net, trainer.workload
        self._by_loss = workload.goal == "min"
        distinct = sorted(set(seeds))
        self._of = torch.tensor([distinct.index(seed) for seed in seeds])
        starts = torch.stack([self._net.start(seed) for seed in distinct])
        self._flat = starts[self._of].requires_grad_()
        choice = choose("optimizer", workload.optimizer, OPTIMIZERS)
        self._optimizer = Optimizer(choice.name, self._net, choice.options)
        self._batches = [batches(trainer, seed) for seed in distinct]

    def step(self, lrs: Tensor) -> Tensor:
        """Take one optimizer step with each run's LR (R, 1); return the losses before it (R)."""
        places = torch.stack([next(each) for each in self._batches])
        x, y = (part[places][self._of] for part in self._data.train)
        losses = loss_of(self._data.kind, self._net(self._flat, x), y)
        (grad,) = torch.autograd.grad(losses.sum(), self._flat)
        self._optimizer.step(self._flat, grad, lrs)
        return losses.detach()

    @torch.no_grad()
    def evaluate(self, part: Part) -> tuple[list[float], list[float]]:
        """Return each run's metric and loss on data: accuracy, or the loss where there are no classes."""
        runs, total = len(self._of), len(part[0])
        losses, right = torch.zeros(runs), torch.zeros(runs)
        for x, y in zip(part[0].split(500), part[1].split(500), strict=True):
            wide, target = x.expand(runs, *x.shape), y.expand(runs, *y.shape)
            outputs = self._net(self._flat, wide)
            losses += loss_of(self._data.kind, outputs, target) * len(x)
            if self._data.kind in {"classes", "squares"}:
                right += (outputs.argmax(2) == target).sum(1)
        mean = (losses / total).tolist()
        return (mean if self._by_loss else (right / total).tolist()), mean


def batches(trainer: Trainer, seed: int) -> Iterator[Tensor]:
    """Yield the places of one batch after the other: each epoch in a new order; counted in steps, drawn anew each time."""
    draw = torch.Generator().manual_seed(1_000_003 * seed + 29)
    count, size = len(trainer.data.train[1]), trainer.workload.batch_size
    while trainer.workload.unit == "steps":
        yield torch.randint(count, (size,), generator=draw)
    while True:
        yield from torch.randperm(count, generator=draw).split(size)


def loss_of(kind: str, outputs: Tensor, targets: Tensor) -> Tensor:
    """Return each run's mean loss (R) for outputs (R, B, K)."""
    if kind == "numbers":
        return (outputs.squeeze(2) - targets).square().mean(1)
    if kind == "squares":
        wanted = functional.one_hot(targets, outputs.shape[2]).to(outputs.dtype)
        return (outputs - wanted).square().sum(2).mean(1)
    each = functional.cross_entropy(outputs.flatten(0, 1), targets.flatten(), reduction="none")
    return each.view(len(outputs), -1).mean(1)


def factors(schedule: str, steps: int) -> list[float]:
    """Return the share of the LR at each step, from lrtui's own schedule."""
    choice = choose("schedule", schedule, SCHEDULES)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    course = build_schedule(SCHEDULES[choice.name], optimizer, steps, choice.options)
    found = []
    for _ in range(steps):
        found.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        advance(course)
    return found


def started() -> float:
    """Return the processor seconds of a process to its first step: measured with the bank's first table, for all."""
    path = path_of(BANK[0])
    return load_table(BANK[0].name).start_seconds if path.exists() else start(BANK[0])


def cpu() -> str:
    """Return the processor's name."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
