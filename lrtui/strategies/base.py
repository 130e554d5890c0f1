"""What a strategy is: a pure function from the sweep to decisions.

A strategy sees nothing but the fold, and keeps nothing: the supervisor may ask it again after a crash, a test may ask
it twice, and both get the same answer. Its dataclass fields are its keys in the experiment file (`from_` is `from`:
Python keeps that word for itself).

To add one: a file beside this one and a line in `__init__.py`; tests/strategies/test_contract.py then covers it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from lrtui.events import Scalar, Setting
from lrtui.sweep import Sweep


@dataclass(frozen=True, slots=True)
class Space:
    """What there is to choose from besides the LR."""

    optimizers: tuple[str, ...]
    """As in Setting; empty for scripts without one."""
    schedules: tuple[str, ...]
    """As in Setting; empty for scripts without one."""
    values: Mapping[str, tuple[Scalar, ...]]
    """[values]: each name with what it may be."""
    seeds: int
    """How many seeds each setting gets: seed, seed + 1, ... The same ones for all settings."""
    seed: int
    horizon: float
    """The full length of a run, in the plan's unit."""


@dataclass(frozen=True, slots=True)
class Start:
    """A run is to be queued that the sweep does not have."""

    setting: Setting
    seed: int
    until: float


@dataclass(frozen=True, slots=True)
class Promote:
    """A waiting run is to go on to `until`."""

    run: str
    until: float


@dataclass(frozen=True, slots=True)
class Prune:
    """A run is to be stopped for good."""

    run: str
    why: str


Decision = Start | Promote | Prune


class Strategy(Protocol):
    """Which learning rates to try, and when to stop them."""

    def decide(self, sweep: Sweep, space: Space) -> list[Decision]:
        """Return what is to be done now: the same for the same sweep, and nothing once all of it is done."""
        ...

    def describe(self) -> str:
        """Return in words how the LRs are chosen."""
        ...


RatesOf = Callable[[str], tuple[float, ...]]
"""The LRs to try with an optimizer."""


def start_all(sweep: Sweep, space: Space, rates_of: RatesOf) -> list[Decision]:
    """Return a full-length Start for every setting and seed that the sweep does not have.

    All settings get their first seed before any gets its second. A run that exists is never started again, whoever
    asked for it; the other runs that a user added are not looked at.
    """
    existing = {(_identity(run.setting), run.seed) for run in sweep.runs.values()}
    wanted = [
        (setting, space.seed + i)
        for i in range(space.seeds)
        for setting in settings(space, rates_of)
    ]
    return [
        Start(setting, seed, space.horizon)
        for setting, seed in wanted
        if (_identity(setting), seed) not in existing
    ]


def settings(space: Space, rates_of: RatesOf) -> Iterator[Setting]:
    """Yield the cross product of the axes; the LR changes fastest, in the order given."""
    names = list(space.values)
    axes = itertools.product(
        space.optimizers or ("",), space.schedules or ("",), *(space.values[name] for name in names)
    )
    for optimizer, schedule, *values in axes:
        for lr in rates_of(str(optimizer)):
            yield Setting(
                lr=lr,
                optimizer=str(optimizer),
                schedule=str(schedule),
                values=dict(zip(names, values, strict=True)),
            )


def optimizer_name(text: str) -> str:
    """Return the name in a Setting's optimizer, which is a name or the JSON of a table whose first key is it."""
    if not text.startswith("{"):
        return text
    return str(next(iter(json.loads(text)), ""))


def _identity(setting: Setting) -> tuple[object, ...]:
    """Return what tells settings apart; true and 1 are two values, unlike in Python."""
    values = tuple(sorted((name, repr(value)) for name, value in setting.values.items()))
    return setting.lr, setting.optimizer, setting.schedule, values
