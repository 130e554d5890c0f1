"""lrtui's own search, replayed on a table: the real strategy, the real fold, the real verdict; only the training is looked up."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, replace
from typing import Any

from lrtui.analysis.chance import chance_of, learns
from lrtui.analysis.verdict import verdict
from lrtui.config import parse
from lrtui.search.range_test import suggest
from lrtui.sweep import events as ev
from lrtui.sweep.state import Run, Sweep
from tests.benchmarks.choosing.workloads import WORKLOADS, Table, Workload
from tests.search.simulated import Simulation


@dataclass(frozen=True)
class Found:
    """What a method picked, and at what cost."""

    lr: float | None
    spent: float
    """In the unit of the horizon."""
    legs: tuple[tuple[float, ...], ...] = ()
    """Seconds of the trainings, in stages; those of one stage may run at the same time."""


def search(table: Table, seed: int, order: int = 0) -> Found:
    """Return what `lr = "auto"` picks with one seed, the range test's cost included."""
    sweep = simulate(table, seed, order)
    found = verdict(sweep)
    return Found(found.lr, sweep.spent, stages(table, sweep))


def simulate(table: Table, seed: int, order: int = 0, seeds: int = 1) -> Sweep:
    """Return the ended sweep; with several seeds the finalists get further ones."""
    return simulation(table, seed, order, seeds).run()


def simulation(table: Table, seed: int, order: int = 0, seeds: int = 1) -> Simulation:
    """Return the search before its first decision."""
    workload = WORKLOADS[table.name]
    experiment = parse(_toml(workload, seed, seeds), f"{table.name}.toml")
    if "pilots" not in table.data:  # as with a script whose schedule cannot be shortened
        experiment = replace(experiment, sets_length=False)
    lrs, losses, cost = table.range_curve(seed)
    curve = suggest(lrs, losses)

    def ranged(run: Run) -> ev.RangeTested:
        return ev.RangeTested(
            run=run.id, valley=curve.valley, steep=curve.steep, minimum=curve.minimum,
            slide=curve.slide, diverged=curve.diverged, points=len(lrs), why=curve.why,
        )  # fmt: skip

    return Simulation(
        strategy=experiment.strategy,
        space=experiment.space(),
        measure=lambda setting, seed, level: (
            table.value(setting.lr, seed, level),
            table.val_loss(setting.lr, seed, level),
        ),
        piloted=lambda setting, seed, level: (
            _pilot(table, setting.lr, seed, level, "value"),
            _pilot(table, setting.lr, seed, level, "val_loss"),
        ),
        ranged=ranged,
        curve=lambda setting, seed, level: table.curve(setting.lr, seed, level),
        goal=table.goal,
        unit=experiment.unit,
        range_cost=cost,
        dies=lambda run, level: _dies(table, run, level),
        val_images=table.data["val_images"],
        classes=table.data["classes"],
        order=random.Random(order),
    )


def _value(table: Table, lr: float, seed: int, level: float) -> float | None:
    return table.value(lr, seed, level)


def _pilot(table: Table, lr: float, seed: int, length: float, name: str = "value") -> float | None:
    found = table.pilot(lr, seed, length)
    if found is None:
        raise ValueError(f"{table.name} has no pilots of {length:g}")
    value: float | None = found[name]
    return value


def _dies(table: Table, run: Run, level: float) -> str | None:
    """Return what the health rules end a run as by the time it comes to a rung: not finite, or at chance while a lower LR learns."""
    value = (_pilot if run.pilot else _value)(table, run.setting.lr, run.seed, level)
    if value is None:
        return "diverged"
    chance = chance_of(PLAN, table.data["classes"], table.data["val_images"])
    if table.goal == "min" or chance is None or learns(value, chance):
        return None
    lower = [table.value(lr, run.seed, level) for lr in table.lrs if lr < run.setting.lr / 2]
    return (
        "pruned" if any(v is not None and learns(v, chance, clearly=True) for v in lower) else None
    )


PLAN = ev.Plan(
    name="", source="", metric="val_acc", goal="max", loss="train_loss", unit="epoch", horizon=1
)


def stages(table: Table, sweep: Sweep) -> tuple[tuple[float, ...], ...]:
    """Return how long each process takes, its start included, grouped by the rung that ends it."""
    per_unit = {
        run.id: table.run_seconds(run.setting.lr) / table.horizon for run in sweep.trained()
    }
    start, usual = table.start_seconds, _mean(per_unit)
    tests = tuple(start + run.spent * usual for run in sweep.runs.values() if run.is_range_test)
    by_rung: dict[float, list[float]] = {}
    for run in sweep.trained():
        before = 0.0
        for attempt in run.attempts:
            seconds = start + (attempt.until - before) * per_unit[run.id]
            by_rung.setdefault(attempt.until, []).append(seconds)
            before = attempt.until
    return (tests, *(tuple(by_rung[level]) for level in sorted(by_rung)))


def wall_clock(legs: tuple[tuple[float, ...], ...], devices: int) -> float:
    """Return the seconds of all stages on so many devices: the longest training first, each on the device that is free first."""
    total = 0.0
    for stage in legs:
        busy = [0.0] * devices
        for seconds in sorted(stage, reverse=True):
            first = busy.index(min(busy))
            busy[first] += seconds
        total += max(busy)
    return total


def _toml(workload: Workload, seed: int, seeds: int) -> str:
    """Return the experiment file that a user would write."""
    lines = [
        f"{workload.unit} = {workload.horizon}",
        f'metric = "{workload.goal} {workload.metric}"',
        f"optimizer = {_table(workload.optimizer)}",
        f"schedule = {_table(workload.schedule)}",
        f"seed = {seed}",
        f"seeds = {seeds}",
        'lr = "auto"',
    ]
    if workload.script or workload.task:
        words = (
            "python",
            workload.script or "train.py",
            "{lr}",
            "{lr_to}",
            "{lr_steps}",
            f"{{{workload.unit}}}",
            "{until}",
            "{checkpoint}",
            "{seed}",
        )
        return "\n".join([f"command = {json.dumps(words)}", *lines])
    return "\n".join([f'dataset = "{workload.dataset}"', 'model = "cnn3"', *lines])


def _table(text: str) -> str:
    """Return a name, or the JSON of a table, as TOML."""
    if not text.startswith("{"):
        return json.dumps(text)
    return _inline(json.loads(text))


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_inline(each)}" for key, each in value.items()) + " }"
    return json.dumps(value)


def _mean(values: dict[str, float]) -> float:
    return sum(values.values()) / len(values) if values else 0.0
