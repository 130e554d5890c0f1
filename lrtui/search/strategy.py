"""What a strategy is: a pure function from the sweep to decisions.

A strategy sees only the fold and has no state: asked again, after a crash or in a test, it gives the same answer. Its dataclass
fields are its keys in the experiment file (`from_` is `from`, a reserved word in Python).

To add one: a file beside this one and a line in `__init__.py`; tests/search/test_contract.py then covers it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Protocol

import msgspec

from lrtui.sweep.choice import choice_of
from lrtui.sweep.events import Axis, RunEnded, RungClosed, RunPromoted, RunQueued, Scalar, Setting
from lrtui.sweep.state import Run, Sweep, group_of, setting_key


@dataclass(frozen=True, slots=True)
class Space:
    """The choices besides the LR, and the length of a run."""

    optimizers: tuple[str, ...]
    """As in Setting; empty for scripts without one."""
    schedules: tuple[str, ...]
    """As in Setting; empty for scripts without one."""
    values: Mapping[str, tuple[Scalar, ...]]
    """[values]: each name with its possible values."""
    seeds: int
    """How many seeds each setting gets: seed, seed + 1, ... The same ones for all settings."""
    seed: int
    horizon: float
    """The full length of a run, in the plan's unit."""
    rungs: Mapping[str, tuple[float, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """By schedule: the lengths at which settings are compared, ascending, the last one the horizon. Empty: all train to the end."""
    share: float = 1.0
    """The share of a rung's settings that continue."""
    decays: frozenset[str] = frozenset()
    """The schedules that lower the LR, or are unknown."""
    usual: Mapping[str, tuple[float, float]] = field(default_factory=lambda: MappingProxyType({}))
    """By the optimizer's name: its usual good LR."""
    can_range_test: bool = False
    """Whether the command can raise its LR step by step."""
    resumes: bool = True
    """Whether a run continues from its checkpoint after a rung; otherwise it starts again from scratch."""
    pilots: Mapping[str, tuple[float, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """By schedule: the lengths of `auto`'s pilots, the shortest first; without schedules that cannot be shortened."""
    study: Mapping[str, tuple[Scalar, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """[study]: each factor with its levels beside the base's, varied one at a time."""
    checked: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """[study] predict with check = true: each factor with the level that is trained last, around the LR predicted for it."""
    axes: tuple[Axis, ...] = ()
    """[search]: the axes searched beside the LR."""
    just: str | None = None
    """The optimizer, whatever its options, to whose part of the space this is restricted; None: the whole space."""

    def cells(self) -> list[Setting]:
        """Return every combination of a setting's other parts, with LR 0; the base of a study comes first."""
        every = self._every_cell()
        if self.just is None:
            return every
        return [cell for cell in every if choice_of(cell.optimizer).name == self.just]

    def _every_cell(self) -> list[Setting]:
        names = list(self.values)
        axes = itertools.product(
            self.optimizers or ("",),
            self.schedules or ("",),
            *(self.values[name] for name in names),
        )
        made = [
            Setting(0.0, str(optimizer), str(schedule), dict(zip(names, values, strict=True)))
            for optimizer, schedule, *values in axes
        ]
        return [*made, *self._studied(made[0])] if self.study and made else made

    def _studied(self, base: Setting) -> list[Setting]:
        """Return the base with one factor changed at a time."""
        found: list[Setting] = []
        for factor, levels in self.study.items():
            for level in levels:
                if factor == "optimizer":
                    cell = msgspec.structs.replace(base, optimizer=str(level))
                else:
                    cell = msgspec.structs.replace(base, values={**base.values, factor: level})
                if group_of(cell) not in {group_of(known) for known in (base, *found)}:
                    found.append(cell)
        return found

    def only(self, optimizer: str) -> Space:
        """Return the part of the space that has this optimizer, whatever its options."""
        return replace(self, just=optimizer)

    def rungs_of(self, cell: Setting) -> tuple[float, ...]:
        """Return the lengths at which settings with this schedule are compared; only the horizon if all are kept."""
        return self.rungs.get(cell.schedule) or (self.horizon,)


Decision = RunQueued | RungClosed | RunPromoted | RunEnded
"""A new run has no id yet: the supervisor names it."""


class Strategy(Protocol):
    """Which learning rates to try, and when to stop them."""

    @property
    def count(self) -> int:
        """The number of LRs tried with each combination of the rest, as far as known before the first run."""
        ...

    def decide(self, sweep: Sweep, space: Space) -> list[Decision]:
        """Return the next decisions: the same for the same sweep, and none once the search is complete."""
        ...

    def describe(self) -> str:
        """Return a description of how the LRs are chosen."""
        ...


def start(
    setting: Setting,
    seed: int,
    until: float,
    lr_to: float = 0.0,
    lr_steps: int = 0,
    *,
    pilot: bool = False,
) -> RunQueued:
    """Return a run that the sweep does not have; with `lr_steps` above 0, a range test; `pilot`: its schedule ends at `until`."""
    return RunQueued(
        run="",
        setting=setting,
        seed=seed,
        until=until,
        lr_to=lr_to,
        lr_steps=lr_steps,
        pilot=pilot,
    )


def start_all(sweep: Sweep, space: Space, rates: tuple[float, ...]) -> list[Decision]:
    """Return a full-length run for every setting and seed that the sweep does not have.

    All settings get their first seed before any gets its second. An existing run is never started again, also one that a user
    added; other added runs are ignored.
    """
    settings = [at(cell, lr) for cell in space.cells() for lr in rates]
    wanted = [(setting, space.seed + i) for i in range(space.seeds) for setting in settings]
    there = {(setting_key(run.setting), run.seed) for run in sweep.trained()}
    return [
        start(setting, seed, space.horizon)
        for setting, seed in wanted
        if (setting_key(setting), seed) not in there
    ]


def each_once(space: Space, decide: Callable[[Setting], list[Decision]]) -> list[Decision]:
    """Return the decisions for each cell; one that two cells share, such as a range test, is returned once."""
    decisions: list[Decision] = []
    for cell in space.cells():
        decisions += [decision for decision in decide(cell) if decision not in decisions]
    return decisions


def at(cell: Setting, lr: float) -> Setting:
    """Return the setting of a cell with an LR."""
    return msgspec.structs.replace(cell, lr=lr)


def find(sweep: Sweep, setting: Setting, seed: int) -> Run | None:
    """Return the training run of a setting and seed, also one that a user added."""
    wanted = setting_key(setting)
    for run in sweep.trained():
        if (run.setting.lr, run.seed) == (setting.lr, seed) and setting_key(run.setting) == wanted:
            return run
    return None
