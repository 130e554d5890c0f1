"""The content of an experiment file, checked and with every default filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lrtui.config.alerts_section import Alerts
from lrtui.config.files_section import Template
from lrtui.config.rungs import decays, pilot_lengths, rungs, share_of, warmup
from lrtui.search import Space, Strategy, pilots
from lrtui.sweep.events import Axis, Scalar, Unit
from lrtui.train.optimizers import OPTIMIZERS

ISOLATIONS = ("auto", "process", "shared")
"""A process for each run, or one for all runs of a GPU (or of the CPU); "auto": shared on GPUs only."""


@dataclass(frozen=True, slots=True)
class Objective:
    """The metric to optimise and its direction: `metric = "max val_acc"`."""

    metric: str
    goal: Literal["max", "min"]


@dataclass(frozen=True, slots=True)
class Study:
    """A study: one factor at a time is varied around the base, which the file itself names."""

    levels: Mapping[str, tuple[Scalar, ...]]
    """By factor: its levels besides the base's, in the order given."""
    base: Mapping[str, Scalar]
    """By factor: its level in the base."""
    predict: Mapping[str, float] = field(default_factory=dict)
    """By factor: a level that the study does not train, at which LR* is predicted from the others."""
    check: bool = False
    """Whether that level is trained after the others, around the predicted LR."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One experiment file."""

    path: str
    """The path as the user typed it."""
    text: str
    """The whole file including overrides: the content of the frozen copy."""
    name: str
    """Names the experiment directory; by default the file's stem."""

    command: tuple[str, ...] | None
    """The argv of the user's own script, with placeholders; None for the built-in trainer."""
    env: Mapping[str, str]
    """Environment variables of the user's own script, with placeholders."""
    files: tuple[Template, ...]
    """[files]: the files written to each run's directory."""
    callback: bool
    """Whether the user's own script uses a callback of lrtui.integrations, which needs no placeholders."""
    inject: bool
    """Whether the user's own script finds lrtui's `emit` on PYTHONPATH."""

    dataset: str
    """"" for custom scripts."""
    model: str
    """A name or compact JSON, as in `optimizers`; "" for custom scripts that name no model."""
    batch_size: int
    """0 for custom scripts that name no batch size."""
    data: float
    """Share of the training data, above 0 to 1."""
    augment: bool
    precision: str
    """"fp32", "bf16" or "auto": the faster one, measured for all runs when the data is prepared."""
    isolation: str
    """One of ISOLATIONS."""
    data_dir: str | None
    workdir: str | None

    optimizers: tuple[str, ...]
    """As in events.Setting; () for custom scripts that name none."""
    schedules: tuple[str, ...]
    """As in events.Setting; () for custom scripts that name none."""
    values: Mapping[str, tuple[Scalar, ...]]
    """[values], each as a tuple: one value, or the values of an axis."""

    objective: Objective
    loss: str
    """The metric that the health rules read."""
    parse: str | tuple[str, ...] | None
    """Regular expressions or presets for scripts that print text."""
    read: tuple[str, ...]
    """Patterns of the files that the script's loggers write, with placeholders."""
    position: str
    """What the script calls the unit; "" for the usual names."""
    first: int | None
    """The number of the script's first epoch or step; None: found out."""
    unit: Unit
    horizon: float
    """The full length of a run, in `unit`s; a whole number."""

    strategy: Strategy
    axes: tuple[Axis, ...]
    """[search]: the axes searched beside the LR."""
    seeds: int
    seed: int
    keep: str
    grace: float | None
    within: float | None
    value: str
    budget: str | None

    gpus: int
    """GPUs per run; 1 by default, also on machines without a GPU."""
    devices: tuple[int, ...] | None
    """None: all free GPUs."""
    parallel: int | Literal["auto"]
    durability: str
    health: Mapping[str, Scalar]
    launcher: Mapping[str, Any]
    alerts: Alerts

    checkpoints: bool
    """Whether an attempt can continue from a checkpoint: the command has {checkpoint}."""
    stops_at_until: bool
    """Whether the command has {until}; otherwise the supervisor stops it at that length."""
    can_range_test: bool = False
    """Whether the command can raise its LR step by step: it has {lr_to} and {lr_steps}."""
    sets_length: bool = False
    """Whether the command has {horizon}, the length of the whole run, so that a shorter one can train the whole schedule."""
    study: Study | None = None
    """[study], if the file has one."""
    notes: tuple[str, ...] = ()
    """Notes on the file that are not faults."""

    @property
    def metric(self) -> str:
        """The name of the metric that is optimised."""
        return self.objective.metric

    @property
    def goal(self) -> Literal["max", "min"]:
        """Whether higher or lower values are better."""
        return self.objective.goal

    @property
    def builtin(self) -> bool:
        """Whether the built-in trainer runs."""
        return self.command is None

    def space(self) -> Space:
        """Return the space that the strategy chooses from."""
        return Space(
            optimizers=self.optimizers,
            schedules=self.schedules,
            values=self.values,
            seeds=self.seeds,
            seed=self.seed,
            horizon=self.horizon,
            rungs={text: self.rungs(text) for text in self.schedules or ("",)},
            share=share_of(self.keep),
            decays=frozenset(text for text in self.schedules or ("",) if decays(text)),
            usual={name: optimizer.usual_lr for name, optimizer in OPTIMIZERS.items()},
            can_range_test=self.can_range_test,
            resumes=self.checkpoints,
            pilots={
                text: found for text in self.schedules or ("",) if (found := self.pilots(text))
            },
            study=self.study.levels if self.study else {},
            checked=self.study.predict if self.study and self.study.check else {},
            axes=self.axes,
        )

    def rungs(self, schedule: str) -> tuple[float, ...]:
        """Return the lengths at which settings with a schedule are compared, the horizon last; only the horizon if all are kept."""
        if self.keep == "all":
            return (self.horizon,)
        if found := self.pilots(schedule):
            return *found, self.horizon
        return rungs(self.horizon, self.unit, self.grace_of(schedule), resumes=self.checkpoints)

    def pilots(self, schedule: str) -> tuple[float, ...]:
        """Return the lengths over which `auto` trains the whole schedule first, the shortest first; () if it does not."""
        if self.keep == "all" or not self.sets_length or not decays(schedule):
            return ()
        return pilot_lengths(self.horizon) if pilots(self.strategy) else ()

    def grace_of(self, schedule: str) -> float:
        """Return the length before which no rule stops a run: `grace`, else the warm-up, else 5 % of the horizon."""
        if self.grace is not None:
            return self.grace
        return self.horizon * max(0.05, warmup(schedule))
