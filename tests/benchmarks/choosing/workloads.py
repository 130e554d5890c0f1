"""The workloads of the benchmark, and their measured tables.

Four workloads were known when lrtui's constants were chosen (FM, DA, DS, and DC, after it had been looked at once as a held-out
one: an LR joins at the first rung since); two were held out (DK, LM). DR and DO changed two
rules: the search widens up to where the range test diverged, and a one-cycle schedule has rungs.

A table is one JSON file, `curves/NAME.json`, strict JSON with one run a line:

    workload, title, metric, goal, unit, horizon, optimizer, schedule, batch_size, steps_per_unit, levels, lrs, seeds
    train_images, val_images, test_images, classes      0 where there are none
    point           the metric's amount that is called a point: 0.01 of an accuracy, 0.01 nats of a loss
    start_seconds   what starting one process takes before its first step; `seconds` of a run is without it
    made_with       versions and machine
    runs            {lr, seed, value, val_loss, test, train_loss, seconds}: the lists have one number a level, null where it
                    was not finite; `value` and `test` are the metric on validation and test data, `train_loss` the
                    mean since the level before; seconds of processor time on one thread
    ranges          {seed, lrs, losses, cost, seconds}: range tests, losses of single batches; cost in the unit
"""

from __future__ import annotations

import functools
import json
import math
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CURVES = Path(__file__).parents[1] / "curves"
ROOT = Path(__file__).parents[3]


ADAM_RANGE, SGD_RANGE = (-5.0, -0.5), (-4.0, 0.5)
"""log10 of the LRs: 1e-5 .. 3.2e-1 and 1e-4 .. 3.2"""
SEEDS = (0, 1, 2)
RANGE = {"lr": 1e-7, "to": 10.0, "steps": 100}


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One thing to train, at any LR."""

    name: str
    title: str
    held_out: bool = False
    """Whether lrtui's constants were frozen before this was looked at."""
    dataset: str = ""
    data: float = 1.0
    """Share of the training part."""
    optimizer: str = "adam"
    """As on the trainer's command line, and so `schedule`."""
    schedule: str = "constant"
    usual: tuple[float, float] = (1e-4, 1e-2)
    """Where good LRs of this optimizer usually lie (lrtui.train.optimizers)."""
    batch_size: int
    unit: str = "epochs"
    horizon: int
    every: int = 1
    """Evaluated so often, in the unit."""
    metric: str = "val_acc"
    test: str = "test_acc"
    goal: str = "max"
    point: float = 0.01
    range: tuple[float, float] = ADAM_RANGE
    centre: float
    """log10 of the best of the coarse grid."""
    script: str = ""
    """An own script, from the repository's root; else the built-in trainer trains cnn3."""

    @property
    def lrs(self) -> tuple[float, ...]:
        """The LRs that are measured, two digits each: 4 a decade, and 8 within half a decade of the centre."""
        low, high = self.range
        exponents = {low + k / 4 for k in range(round(4 * (high - low)) + 1)}
        exponents |= {self.centre + k / 8 for k in (-3, -1, 1, 3)}
        return tuple(float(f"{10**exponent:.1e}") for exponent in sorted(exponents))

    def command(self, lr: float, seed: int, prepared: str) -> list[str]:
        """Return what follows `python` to train to the horizon."""
        length = [f"--{self.unit}={self.horizon}", f"--schedule={self.schedule}"]
        if self.script:
            return [str(ROOT / self.script), f"--lr={lr}", f"--seed={seed}", *length]
        return ["-m", "lrtui.train", f"--prepared={prepared}", f"--data={self.data}", "--model=cnn3",
                f"--optimizer={self.optimizer}", f"--lr={lr}", f"--batch-size={self.batch_size}",
                f"--seed={seed}", "--threads=1", *length]  # fmt: skip

    def range_command(self, seed: int, prepared: str) -> list[str]:
        """Return what follows `python` to make a range test."""
        return [
            *self.command(RANGE["lr"], seed, prepared),
            f"--lr-to={RANGE['to']}",
            f"--lr-steps={RANGE['steps']}",
        ]


MOMENTUM = '{"sgd": {"momentum": 0.9}}'
WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload(
            name="FM",
            title="Fashion-MNIST 6k, cnn3, Adam",
            dataset="fashion_mnist",
            data=0.12,
            centre=-2.0,
            batch_size=128,
            horizon=9,
        ),
        Workload(
            name="DA",
            title="digits, cnn3, Adam",
            dataset="digits",
            centre=-2.5,
            batch_size=32,
            horizon=27,
        ),
        Workload(
            name="DS",
            title="digits, cnn3, SGD",
            dataset="digits",
            optimizer=MOMENTUM,
            usual=(3e-3, 3e-1),
            batch_size=32,
            horizon=27,
            range=SGD_RANGE,
            centre=-1.25,
        ),
        Workload(
            name="DC",
            title="Fashion-MNIST 6k, cnn3, AdamW, cosine with warm-up",
            dataset="fashion_mnist",
            data=0.12,
            optimizer="adamw",
            schedule='{"cosine": 0, "warmup": 0.05}',
            centre=-1.5,
            batch_size=128,
            horizon=9,
        ),
        Workload(
            name="DK",
            title="digits, cnn3, AdamW, cosine with warm-up",
            held_out=True,
            dataset="digits",
            optimizer="adamw",
            schedule='{"cosine": 0, "warmup": 0.05}',
            centre=-2.0,
            batch_size=32,
            horizon=27,
        ),
        Workload(
            name="DR",
            title="digits, cnn3, RMSprop",
            dataset="digits",
            optimizer="rmsprop",
            centre=-2.75,
            batch_size=32,
            horizon=27,
        ),
        Workload(
            name="DO",
            title="digits, cnn3, SGD with Nesterov momentum, one-cycle, val_loss",
            dataset="digits",
            optimizer='{"sgd": {"momentum": 0.9, "nesterov": true}}',
            schedule="one_cycle",
            usual=(3e-3, 3e-1),
            batch_size=32,
            horizon=27,
            metric="val_loss",
            test="test_loss",
            goal="min",
            range=SGD_RANGE,
            centre=-1.0,
        ),
        Workload(
            name="LM",
            title="characters of Python's library, GRU, Adam",
            held_out=True,
            centre=-2.25,
            batch_size=16,
            unit="steps",
            horizon=540,
            every=20,
            metric="val_loss",
            test="test_loss",
            goal="min",
            script="experiments/char_lm.py",
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Table:
    """A measured workload. Values at an LR are those of the nearest LR of the dense grid; a dead run's value is None."""

    data: dict[str, Any]
    """The file."""
    runs: dict[tuple[float, int], dict[str, Any]]

    @property
    def name(self) -> str:
        return str(self.data["workload"])

    @property
    def horizon(self) -> float:
        return float(self.data["horizon"])

    @property
    def levels(self) -> list[float]:
        """Where it was evaluated, ascending; the last is the horizon."""
        return self.data["levels"]

    @property
    def lrs(self) -> list[float]:
        """The dense grid."""
        return self.data["lrs"]

    def coarser(self) -> Table:
        """Return the same with four LRs a decade everywhere."""
        return Table({**self.data, "lrs": [lr for lr in self.lrs if _is_quarter(lr)]}, self.runs)

    @property
    def seeds(self) -> list[int]:
        return self.data["seeds"]

    @property
    def goal(self) -> str:
        return str(self.data["goal"])

    def nearest(self, lr: float) -> float:
        """Return the LR of the dense grid that is nearest on the logarithm."""
        return min(self.lrs, key=lambda known: abs(math.log(known / lr)))

    def value(self, lr: float, seed: int, level: float) -> float | None:
        """Return the metric on validation data, at the last evaluation up to `level`; None where it was not finite."""
        return self._at("value", lr, seed, level)

    def val_loss(self, lr: float, seed: int, level: float) -> float | None:
        """Return the loss on validation data."""
        return self._at("val_loss", lr, seed, level)

    def train_loss(self, lr: float, seed: int, level: float) -> float | None:
        """Return the mean loss of the training batches since the evaluation before."""
        return self._at("train_loss", lr, seed, level)

    def test(self, lr: float, seed: int) -> float:
        """Return the metric on test data at the end; where it was not finite, chance (a loss: 10 nats)."""
        value = self.run(lr, seed)["test"][-1]
        if value is not None:
            return float(value)
        return 1 / self.data["classes"] if self.goal == "max" else 10.0

    def mean_test(self, lr: float) -> float:
        """Return the mean of `test` over the seeds."""
        return statistics.fmean(self.test(lr, seed) for seed in self.seeds)

    def best_lr(self) -> float:
        """Return the LR of the dense grid with the best mean test value."""
        return min(self.lrs, key=lambda lr: self._sign() * self.mean_test(lr))

    def regret(self, lr: float) -> float:
        """Return how many points the mean test value at `lr` is worse than the best LR's."""
        lost = self._sign() * (self.mean_test(lr) - self.mean_test(self.best_lr()))
        return lost / float(self.data["point"]) + 0.0  # no -0.0

    def equal(self, points: float) -> list[float]:
        """Return the LRs whose mean test value is at most so many points worse than the best."""
        return [lr for lr in self.lrs if self.regret(lr) <= points + 1e-9]

    def range_curve(self, seed: int) -> tuple[list[float], list[float], float]:
        """Return (LRs, losses, cost in the unit) of a range test; non-finite losses are nan."""
        found = next(curve for curve in self.data["ranges"] if curve["seed"] == seed)
        losses = [math.nan if loss is None else loss for loss in found["losses"]]
        return found["lrs"], losses, found["cost"]

    def rotated(self) -> list[Table]:
        """Return this table and others in which each seed has another seed's range test: the two are independent."""
        curves, count = self.data["ranges"], len(self.seeds)
        return [
            Table(
                {
                    **self.data,
                    "ranges": [
                        {**curves[(i + k) % count], "seed": seed}
                        for i, seed in enumerate(self.seeds)
                    ],
                },
                self.runs,
            )
            for k in range(count)
        ]

    def run_seconds(self, lr: float) -> float:
        """Return how long a run to the horizon takes once its process has started: the median over the seeds."""
        return statistics.median(self.run(lr, seed)["seconds"] for seed in self.seeds)

    @property
    def start_seconds(self) -> float:
        """How long a process takes to its first step."""
        return float(self.data["start_seconds"])

    def run(self, lr: float, seed: int) -> dict[str, Any]:
        """Return a run as it stands in the file."""
        return self.runs[self.nearest(lr), self.seeds[seed % len(self.seeds)]]

    def _at(self, name: str, lr: float, seed: int, level: float) -> float | None:
        place = sum(known <= level * (1 + 1e-6) for known in self.levels) - 1
        if place < 0:
            raise ValueError(f"{self.name} was not evaluated before {level:g} {self.data['unit']}")
        return self.run(lr, seed)[name][place]

    def _sign(self) -> float:
        return 1.0 if self.goal == "min" else -1.0


def _is_quarter(lr: float) -> bool:
    """Tell whether an LR of two digits is a whole number of quarter decades."""
    return abs(4 * math.log10(lr) - round(4 * math.log10(lr))) < 0.1


@functools.cache
def load(name: str) -> Table:
    """Return the measured table of a workload, with all its LRs."""
    path = CURVES / f"{name}.json"
    if not path.exists():
        sys.exit(f"{path} is missing: python -m tests.benchmarks.choosing.measure {name}")
    data = json.loads(path.read_text())
    return Table(data, {(run["lr"], run["seed"]): run for run in data["runs"]})


def measured() -> list[str]:
    """Return the names of the workloads that have a table, in their order."""
    return [name for name in WORKLOADS if (CURVES / f"{name}.json").exists()]
