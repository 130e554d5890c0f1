"""What stands in the tables of data sets, models, optimizers and schedules.

The tables import neither torch nor numpy, so that an experiment file is checked in milliseconds by a process that
never trains. Each entry names its code as "module:attribute"; only the trainer follows that name.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import Any

NUMBER = (int, float)
"""The types of an option that is a number: TOML's 1 is as good as 1.0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One name that an experiment file may use."""

    where: str
    """The code, as "module:attribute"."""
    what: str
    """One line for people."""
    fields: dict[str, tuple[type, ...]] = field(default_factory=dict)
    """Options by name, each with the types that it may have. A bool is no number here."""

    def load(self) -> Any:
        """Import the module and return the attribute."""
        module, _, attribute = self.where.partition(":")
        return getattr(importlib.import_module(module), attribute)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset(Entry):
    """A data set; `where` is a function `(data_dir: Path) -> store.Source`."""

    classes: int
    flip: bool = False
    """Whether a mirrored image keeps its meaning (a mirrored digit does not)."""
    synthetic: bool = False
    train: int
    """How many training images there are, those for validation left out."""
    validation: int
    """How many training images are held out for validation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model(Entry):
    """A model; `where` is a function `(channels, size, classes, **options) -> torch.nn.Module`."""

    size: int | None = None
    """The side of the images that it takes; smaller ones are enlarged and padded. None takes any."""
    wide: bool = False
    """Many channels: trains faster in the plain layout than in channels_last, on a CPU in fp32 (`training.py`)."""
    cpu_rate: int
    """Images of 28x28 trained per second by one CPU thread, roughly; it spaces the metric lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizer(Entry):
    """An optimizer of torch.optim; `fields` are its keyword arguments without `lr`."""

    usual_lr: tuple[float, float]
    """Where good learning rates usually lie."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule(Entry):
    """LR over time; `where` is a function `(optimizer, steps, **options) -> LRScheduler`."""

    principal: str | None = None
    """The option that `{ NAME = number }` sets."""


def mismatch(entry: Entry, options: dict[str, Any]) -> str:
    """Return what is wrong with `options` in one sentence, or ""."""
    for name, value in options.items():
        types = entry.fields.get(name)
        if types is None:
            known = ", ".join(entry.fields) or "none"
            return f"has no option {name!r} (known: {known})"
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            wanted = " or ".join(kind.__name__ for kind in types)
            return f"takes {name} as {wanted} (found {value!r})"
    return ""
