"""The workloads of the benchmark, and their measured tables.

Four workloads were known when lrtui's constants were chosen (FM, DA, DS, and DC, after it had been looked at once as a held-out
one: an LR joins at the first rung since); two were held out (DK, LM). DR and DO changed two
rules: the search widens up to where the range test diverged, and a one-cycle schedule has rungs.

BANK is the bank: trained by bank.py. A part of it is to choose constants on, one is frozen, and one is unseen: defined when all
constants stood. Their tables are in `curves/bank`, `curves/frozen` and `curves/unseen`.

A table is one JSON file, `curves/NAME.json`, strict JSON with one run a line:

    workload, title, metric, goal, unit, horizon, optimizer, schedule, batch_size, steps_per_unit, levels, lrs, seeds
    train_images, val_images, test_images, classes      0 where there are none
    point           the metric's amount that is called a point: 0.01 of an accuracy, 0.01 nats of a loss
    start_seconds   what starting one process takes before its first step; `seconds` of a run is without it
    made_with       versions and machine
    truth           of the bank: error_points, the largest standard error of a mean test value among the LRs that may be the best;
                    limit_reached where that is over 0.2 with all the seeds that are trained at most
    runs            {lr, seed, value, val_loss, test, train_loss, seconds}: the lists have one number a level, null where it
                    was not finite; `value` and `test` are the metric on validation and test data, `train_loss` the
                    mean since the level before; seconds of processor time on one thread. Of the bank `test` has the end only,
                    and LRs near the best have further seeds, from 24 on with the end of each list alone
    pilots          {length, lr, seed, value, val_loss, test, train_loss, seconds}: the ends of short runs of the whole schedule
    ranges          {seed, lrs, losses, cost, seconds}: range tests, losses of single batches; cost in the unit
"""

from __future__ import annotations

import functools
import json
import math
import statistics
import sys
from dataclasses import dataclass, replace
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
    centre: float = 0.0
    """log10 of the best of the coarse grid."""
    script: str = ""
    """An own script, from the repository's root; else the built-in trainer trains cnn3."""
    task: str = ""
    """Of the bank: what bank.py trains on (data.py)."""
    net: str = ""
    """Of the bank: what it trains (stacked.py)."""
    study: str = ""
    """Of a level of a study: whose."""
    part: str = "choosing"
    """Of the bank: "choosing"; "frozen" and "unseen", where nobody looks and no constant is chosen, are replayed once, at the end."""

    @property
    def lrs(self) -> tuple[float, ...]:
        """The LRs that are measured, two digits each: 4 a decade, and 8 within half a decade of the centre; of the bank 6 a decade, of studies 4."""
        low, high = self.range
        if self.task:
            steps = 4 if self.study else 6
            exponents = {low + k / steps for k in range(round(steps * (high - low)) + 1)}
            return tuple(float(f"{10**exponent:.1e}") for exponent in sorted(exponents))
        exponents = {low + k / 4 for k in range(round(4 * (high - low)) + 1)}
        exponents |= {self.centre + k / 8 for k in (-3, -1, 1, 3)}
        return tuple(float(f"{10**exponent:.1e}") for exponent in sorted(exponents))

    @property
    def pilot(self) -> int:
        """The length of the short runs of the whole schedule, which are measured too where it lowers the LR; 0 where it does not."""
        return 0 if self.schedule == "constant" else -(-self.horizon // 9)

    def facts(self, *, held_out: bool) -> dict[str, Any]:
        """Return what every table of measurements begins with."""
        names = ("title", "metric", "goal", "point", "unit", "horizon", "optimizer", "schedule", "usual")  # fmt: skip
        told = {name: getattr(self, name) for name in names}
        return {"workload": self.name, "title": told.pop("title"), "held_out": held_out, **told}

    def command(self, lr: float, seed: int, prepared: str, total: int = 0) -> list[str]:
        """Return what follows `python` to train to the horizon, or a schedule that ends at `total`."""
        length = [f"--{self.unit}={total or self.horizon}", f"--schedule={self.schedule}"]
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


PARTS = ("choosing", "frozen", "unseen")
NESTEROV = '{"sgd": {"momentum": 0.9, "nesterov": true}}'
DECAYED = '{"adamw": {"weight_decay": 0.1}}'
LINEAR = '{"linear": 0, "warmup": 0.1}'
WSD = '{"wsd": 0.2, "warmup": 0.05}'


def _bank(  # noqa: PLR0917 - a table: one row a workload
    name: str, title: str, task: str, net: str, optimizer: str, schedule: str, batch_size: int,
    horizon: int, *, loss: bool = False, steps: bool = False, part: str = "choosing",
) -> Workload:  # fmt: skip
    """Return a workload of the bank; `loss`: judged by the loss on validation data, which is all that a regression and text have."""
    sgd, adagrad = "sgd" in optimizer, "adagrad" in optimizer
    return Workload(
        name=name, title=title, task=task, net=net, optimizer=optimizer, schedule=schedule,
        batch_size=batch_size, horizon=horizon, part=part,
        usual=(3e-3, 3e-1) if sgd else (1e-3, 1e-1) if adagrad else (1e-4, 1e-2),
        range=SGD_RANGE if sgd or adagrad else ADAM_RANGE,
        metric="val_loss" if loss else "val_acc",
        test="test_loss" if loss else "test_acc",
        goal="min" if loss else "max",
        unit="steps" if steps else "epochs",
        every=horizon // 27 if steps else 1,
    )  # fmt: skip


BANK = (
    # ------------------------------------------------------------ to choose constants on
    _bank("mlp-one-cycle", "digits, two layers, SGD with Nesterov momentum, one-cycle", "digits", "mlp 64 64", NESTEROV, "one_cycle", 32, 27, loss=True),
    _bank("fashion-linear", "2,000 of Fashion-MNIST, AdamW with decay, linear with warm-up", "fashion 2000", "mlp 32", DECAYED, LINEAR, 64, 9),
    _bank("ngram-wsd", "next character of 8, AdamW with decay, WSD with warm-up", "letters 8", "ngram 8 32", DECAYED, WSD, 64, 270, loss=True, steps=True),
    _bank("conv-rmsprop", "500 digits, convolutions, RMSprop", "digits 500", "conv 4 8", "rmsprop", "constant", 32, 9),
    _bank("fashion-muon", "2,000 of Fashion-MNIST, Muon, cosine", "fashion 2000", "mlp 32 32", "muon", "cosine", 128, 9),
    _bank("diabetes-adam", "a regression on 242 patients, Adam", "diabetes", "mlp 32 tanh", "adam", "constant", 16, 18, loss=True),
    _bank("noise-adam", "digits, 30 % of the labels wrong, Adam", "digits noise 0.3", "mlp 64", "adam", "constant", 32, 9),
    _bank("digits-adagrad", "digits, Adagrad", "digits", "mlp 32", "adagrad", "constant", 64, 18),
    _bank("edge-squares", "digits, linear by squared distance, plain SGD: best where it all but diverges", "digits squares", "linear", "sgd", "constant", 512, 108),
    _bank("plateau-sgd", "digits, normalised layers, SGD with momentum, cosine: a wide plateau", "digits", "mlp 32 32 norm", MOMENTUM, "cosine", 64, 18),
    _bank("random-labels", "digits with labels drawn at random, Adam: nothing to learn", "digits random", "mlp 32", "adam", "constant", 32, 9),
    _bank("conv-step", "500 digits, convolutions, SGD with momentum, step, batches of 16", "digits 500", "conv 4 8", MOMENTUM, "step", 16, 9),
    _bank("small-one-cycle", "100 digits, AdamW, one-cycle", "digits 100", "mlp 32", "adamw", "one_cycle", 16, 36),
    _bank("digits-muon", "digits, Muon", "digits", "mlp 32 32", "muon", "constant", 32, 9, loss=True),
    _bank("noise-muon", "1,000 of Fashion-MNIST, 20 % of the labels wrong, Muon", "fashion 1000 noise 0.2", "mlp 32 32", "muon", "constant", 64, 12),
    # ------------------------------------------------------------ frozen, chosen before anything was trained
    _bank("fashion-one-cycle", "2,000 of Fashion-MNIST, normalised layer, Adam, one-cycle", "fashion 2000", "mlp 32 norm", "adam", "one_cycle", 128, 18, part="frozen"),
    _bank("attention-linear", "characters, one attention block, AdamW with decay, linear with warm-up", "pieces 16", "attention 16", DECAYED, LINEAR, 16, 270, loss=True, steps=True, part="frozen"),
    _bank("conv-wsd", "500 digits, convolutions, SGD with Nesterov momentum, WSD with warm-up", "digits 500", "conv 4 8", NESTEROV, WSD, 32, 9, part="frozen"),
    _bank("fashion-rmsprop", "1,000 of Fashion-MNIST, RMSprop, cosine", "fashion 1000", "mlp 32", "rmsprop", "cosine", 32, 9, part="frozen"),
    _bank("friedman-sgd", "a made regression, SGD with momentum, cosine with warm-up", "friedman", "mlp 32", MOMENTUM, '{"cosine": 0, "warmup": 0.05}', 64, 18, loss=True, part="frozen"),
    _bank("noise-nesterov", "1,000 of Fashion-MNIST, 40 % of the labels wrong, SGD with Nesterov momentum, step", "fashion 1000 noise 0.4", "mlp 32", NESTEROV, "step", 64, 18, part="frozen"),
    _bank("cancer-adagrad", "249 tumours, Adagrad", "cancer", "mlp 16", "adagrad", "constant", 16, 18, loss=True, part="frozen"),
    _bank("edge-fashion", "1,500 of Fashion-MNIST, plain SGD with batches of 512: best near divergence", "fashion 1500", "mlp 32", "sgd", "constant", 512, 72, part="frozen"),
    _bank("plateau-adamw", "digits, normalised layers, AdamW, cosine: a wide plateau", "digits", "mlp 32 32 norm", "adamw", "cosine", 32, 9, part="frozen"),
    _bank("deep-sigmoid", "digits, twelve sigmoid layers, SGD with momentum: no gradient to learn from", "digits", "deep 12 32 sigmoid", MOMENTUM, "constant", 32, 9, part="frozen"),
    _bank("ngram-one-cycle", "next character of 8, SGD with momentum, one-cycle", "letters 8", "ngram 8 32", MOMENTUM, "one_cycle", 64, 270, loss=True, steps=True, part="frozen"),
    _bank("small-linear", "100 digits, SGD with Nesterov momentum, linear with warm-up", "digits 100", "mlp 32", NESTEROV, LINEAR, 16, 36, part="frozen"),
    # ------------------------------------------------------------ unseen, chosen before anything was trained and after all constants
    _bank("digits-nadam", "digits, two layers, NAdam, cosine with warm-up", "digits", "mlp 48 48", "nadam", '{"cosine": 0, "warmup": 0.05}', 64, 18, part="unseen"),
    _bank("wine-linear", "80 wines, RMSprop, linear with warm-up", "wine", "mlp 16", "rmsprop", LINEAR, 16, 36, loss=True, part="unseen"),
    _bank("fashion-sgd", "1,500 of Fashion-MNIST, SGD with momentum, one-cycle", "fashion 1500", "mlp 32", MOMENTUM, "one_cycle", 64, 12, part="unseen"),
    _bank("attention-nesterov", "characters, one attention block, SGD with Nesterov momentum, cosine", "pieces 16", "attention 16", NESTEROV, "cosine", 16, 270, loss=True, steps=True, part="unseen"),
    _bank("cancer-wsd", "249 tumours, tanh, AdamW with decay, WSD with warm-up", "cancer", "mlp 16 tanh", DECAYED, WSD, 16, 18, loss=True, part="unseen"),
    _bank("friedman-muon", "a made regression, 300 examples, Muon, step", "friedman 300", "mlp 32 32", "muon", "step", 32, 27, loss=True, part="unseen"),
    _bank("fashion-nesterov", "1,000 of Fashion-MNIST, SGD with Nesterov momentum, batches of 16", "fashion 1000", "mlp 32", NESTEROV, "constant", 16, 9, part="unseen"),
    _bank("ngram-rmsprop", "next character of 6, RMSprop", "letters 6", "ngram 8 24", "rmsprop", "constant", 128, 270, loss=True, steps=True, part="unseen"),
    _bank("diabetes-radam", "a regression on 242 patients, RAdam", "diabetes", "mlp 24", "radam", "constant", 32, 36, loss=True, part="unseen"),
    _bank("digits-adamw", "digits, tanh, AdamW with decay, batches of 256", "digits", "mlp 64 tanh", DECAYED, "constant", 256, 54, part="unseen"),
    _bank("plateau-adagrad", "digits, normalised layers, Adagrad, linear with warm-up: a wide plateau", "digits", "mlp 32 32 norm", "adagrad", LINEAR, 32, 9, part="unseen"),
    _bank("noise-sgd", "digits, 40 % of the labels wrong, SGD with momentum", "digits noise 0.4", "mlp 64", MOMENTUM, "constant", 32, 9, part="unseen"),
)  # fmt: skip
"""The bank: a part to choose constants on, one frozen, one unseen."""
WORKLOADS |= {workload.name: workload for workload in BANK}


@dataclass(frozen=True, slots=True)
class Study:
    """The same workload at levels of one factor, a factor of 2 apart: what a prediction from the small ones is checked on."""

    name: str
    axis: str
    """As in `[study]`: batch_size, data (training examples), steps, width, depth."""
    workloads: dict[int, Workload]
    """By level; their tables are in curves/studies, each 15 LRs a quarter of a decade apart or more, three seeds or more."""


def _study(name: str, axis: str, base: Workload, first: int, count: int = 7) -> Study:
    """Return a study; the word LEVEL in the task or the net stands for the level."""
    workloads = {}
    for level in (first << k for k in range(count)):
        more: dict[str, Any] = {"batch_size": level} if axis == "batch_size" else {}
        if axis == "steps":
            more = {"horizon": level, "every": -(-level // 9)}
        workloads[level] = replace(
            base, name=f"{name}-{level}", study=name, title=f"{base.title}, {axis} {level}",
            task=base.task.replace("LEVEL", str(level)), net=base.net.replace("LEVEL", str(level)),
            range=(base.range[0] + 0.5, base.range[1] - 0.5), **more,
        )  # fmt: skip
    return Study(name, axis, workloads)


STUDIES = {
    study.name: study
    for study in (
        _study("batch-adam", "batch_size", _bank("", "digits, Adam", "digits", "mlp 32", "adam", "constant", 0, 9), 8),
        _study("data-adam", "data", _bank("", "Fashion-MNIST, Adam", "fashion LEVEL", "mlp 32", "adam", "constant", 64, 9), 125),
        _study("width-adam", "width", _bank("", "digits, two layers, Adam", "digits", "mlp LEVEL LEVEL", "adam", "constant", 64, 9), 4),
        _study("steps-cosine", "steps", _bank("", "next character of 8, AdamW, cosine", "letters 8", "ngram 8 32", "adamw", "cosine", 64, 0, loss=True, steps=True), 32),
        _study("batch-sgd", "batch_size", _bank("", "digits, SGD with momentum", "digits", "mlp 32", MOMENTUM, "constant", 0, 9), 8),
        _study("depth-sgd", "depth", _bank("", "digits, layers of 32, SGD with momentum", "digits", "deep LEVEL 32", MOMENTUM, "constant", 64, 9, loss=True), 1, 5),
    )
}  # fmt: skip
WORKLOADS |= {each.name: each for study in STUDIES.values() for each in study.workloads.values()}


@dataclass(frozen=True)
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

    def curve(self, lr: float, seed: int, level: float) -> tuple[tuple[float, float], ...]:
        """Return (level, metric on validation data) of the evaluations up to `level` that were finite."""
        seen = zip(self.levels, self.run(lr, seed)["value"], strict=True)
        return tuple((at, value) for at, value in seen if at <= level and value is not None)

    def val_loss(self, lr: float, seed: int, level: float) -> float | None:
        """Return the loss on validation data."""
        return self._at("val_loss", lr, seed, level)

    def train_loss(self, lr: float, seed: int, level: float) -> float | None:
        """Return the mean loss of the training batches since the evaluation before."""
        return self._at("train_loss", lr, seed, level)

    def pilot(self, lr: float, seed: int, length: float) -> dict[str, Any] | None:
        """Return the end of a short run whose whole schedule has this length; where the LR is constant, what a run had come to there."""
        near, wanted = self.nearest(lr), self.seeds[seed % len(self.seeds)]
        if self.data["schedule"] == "constant":
            return {
                "value": self.value(lr, seed, length),
                "val_loss": self.val_loss(lr, seed, length),
            }
        return next(
            (
                run
                for run in self.data.get("pilots", ())
                if (run["length"], run["lr"], run["seed"]) == (length, near, wanted)
            ),
            None,
        )

    def test(self, lr: float, seed: int) -> float:
        """Return the metric on test data at the end; where it was not finite, chance (a loss: 10 nats)."""
        return self._ended(self.run(lr, seed))

    def _ended(self, run: dict[str, Any]) -> float:
        value = run["test"][-1]
        if value is not None:
            return float(value)
        return 1 / self.data["classes"] if self.goal == "max" else 10.0

    def mean_test(self, lr: float) -> float:
        """Return the mean of `test` over all seeds that were trained at the LR, also further ones."""
        return self._tests[self.nearest(lr)][0]

    def best_lr(self) -> float:
        """Return the LR of the dense grid with the best mean test value."""
        return min(self.lrs, key=lambda lr: self._sign() * self.mean_test(lr))

    def regret(self, lr: float) -> float:
        """Return how many points the mean test value at `lr` is worse than the best LR's."""
        lost = self._sign() * (self.mean_test(lr) - self.mean_test(self.best_lr()))
        return lost / float(self.data["point"]) + 0.0  # no -0.0

    def regret_error(self, lr: float) -> float:
        """Return the standard error of `regret` in points; of the best LR that of its own mean."""
        errors = {self._tests[each][1] for each in (self.nearest(lr), self.best_lr())}
        return math.hypot(*errors) / float(self.data["point"])

    def best_lrs(self) -> list[float]:
        """Return the LRs that cannot be told from the best: worse by less than two standard errors, with the spread usual among the best."""
        best = self._tests[self.best_lr()]
        return [
            lr
            for lr in self.lrs
            if self.regret(lr) * float(self.data["point"])
            <= 2 * self._usual * math.sqrt(1 / self._tests[lr][2] + 1 / best[2])
        ]

    @functools.cached_property
    def _usual(self) -> float:
        """The median spread between seeds at the six best LRs."""
        best = sorted(self._tests, key=lambda lr: self._sign() * self._tests[lr][0])[:6]
        return statistics.median(self._tests[lr][1] * math.sqrt(self._tests[lr][2]) for lr in best)

    @functools.cached_property
    def _tests(self) -> dict[float, tuple[float, float, int]]:
        """By LR: the mean test value, its standard error and the seeds. Few seeds say little of a spread: it is at least that usual among the best."""
        tests: dict[float, list[float]] = {}
        for lr, seed in self.runs:
            tests.setdefault(lr, []).append(self._ended(self.runs[lr, seed]))
        spreads = {lr: statistics.stdev(values) for lr, values in tests.items()}
        best = sorted(tests, key=lambda lr: self._sign() * statistics.fmean(tests[lr]))
        usual = statistics.median(spreads[lr] for lr in best[:6])
        found = {}
        for lr, values in tests.items():
            spread = max(spreads[lr], usual) if len(values) <= 6 else spreads[lr]
            found[lr] = statistics.fmean(values), spread / math.sqrt(len(values)), len(values)
        return found

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


def path_of(workload: Workload) -> Path:
    """Return where a workload's table is stored."""
    kind = "studies" if workload.study else workload.part.replace("choosing", "bank")
    return (CURVES / kind if workload.task else CURVES) / f"{workload.name}.json"


@functools.cache
def load(name: str) -> Table:
    """Return the measured table of a workload, with all its LRs."""
    path = path_of(WORKLOADS[name])
    if not path.exists():
        module = "bank" if WORKLOADS[name].task else "measure"
        sys.exit(f"{path} is missing: python -m tests.benchmarks.choosing.{module} {name}")
    data = json.loads(path.read_text())
    return Table(data, {(run["lr"], run["seed"]): run for run in data["runs"]})


def measured(part: str = "choosing") -> list[str]:
    """Return the names of the workloads of a part that have a table, in their order, without studies."""
    return [
        name
        for name, workload in WORKLOADS.items()
        if workload.part == part and not workload.study and path_of(workload).exists()
    ]
