"""The entries of the tables of data sets, models, optimizers and schedules.

The tables import neither torch nor numpy, so that an experiment file is checked in milliseconds by a process that
never trains. Each entry names its code as "module:attribute"; only the trainer follows that name.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

NUMBER = (int, float)
"""The types of an option that is a number: TOML's 1 is as good as 1.0."""
LARGEST = 1e300
"""Larger than any valid option: an integer of TOML may be too large for a float."""


class Pair:
    """Stands for a list of two numbers in `Entry.fields`."""


class Triple:
    """Stands for a list of three numbers in `Entry.fields`."""


class Numbers:
    """Stands for a list of one number or more in `Entry.fields`."""


_LISTS: dict[type, tuple[str, range]] = {
    Pair: ("a list of two numbers", range(2, 3)),
    Triple: ("a list of three numbers", range(3, 4)),
    Numbers: ("a list of numbers", range(1, 1001)),
}
_WORDS: dict[type, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a string",
    list: "a list",
}


@dataclass(frozen=True, slots=True)
class Range:
    """What a number may be, or each number of a list."""

    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None

    def holds(self, value: float) -> bool:
        """Return whether the value is in the range."""
        return (
            (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )

    def __str__(self) -> str:
        ends = (
            ("at least", self.least),
            ("above", self.above),
            ("at most", self.most),
            ("below", self.below),
        )
        return " and ".join(f"{word} {end:g}" for word, end in ends if end is not None)


SHARE = Range(least=0, most=1)
PART = Range(above=0, most=1)
"""A share that is not nothing."""


PACKAGES = {"PIL": "Pillow", "sklearn": "scikit-learn", "torch": "PyTorch"}
"""The names of packages whose modules have another name."""


class MissingPackages(NamedTuple):
    """Packages that are not installed."""

    names: str
    extra: str
    """The extra of lrtui that brings them."""

    @property
    def how(self) -> str:
        """The command that installs them by pip."""
        return f"pip install 'lrtui[{self.extra}]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One name that an experiment file may use."""

    where: str
    """The code, as "module:attribute"."""
    what: str
    """One line for people."""
    fields: dict[str, tuple[type, ...]] = field(default_factory=dict)
    """Options by name, each with its allowed types. A bool is not a number here."""
    ranges: dict[str, Range] = field(default_factory=dict)
    """The ranges of an option's numbers, if restricted."""
    words: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The allowed strings of an option, if restricted."""
    together: Callable[[dict[str, Any]], tuple[str, str] | None] | None = None
    """Returns (option, fault) if individually valid options are invalid in combination."""
    principal: str | None = None
    """The option that `{ NAME = value }` sets."""
    needs: tuple[str, ...] = ()
    """The options that have no default."""
    modules: tuple[str, ...] = ()
    """What must be installed for it, as imported; a data set names torch, since no training is without one."""
    extra: str = "train"
    """lrtui's optional extra that brings `modules`."""

    def missing(self) -> MissingPackages | None:
        """Return the packages that are needed and not installed; None if nothing is missing. Imports nothing."""
        gone = [name for name in self.modules if importlib.util.find_spec(name) is None]
        names = " and ".join(PACKAGES.get(name, name) for name in gone)
        return MissingPackages(names, self.extra) if gone else None

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
    modules: tuple[str, ...] = ("torch",)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomDataset(Entry):
    """Data of the user's own; `where` is a function `(path: Path, **options) -> store.Source`, `flip` left out."""

    modules: tuple[str, ...] = ("torch",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model(Entry):
    """A model; `where` is a function `(channels, size, classes, **options) -> torch.nn.Module`."""

    size: int | None = None
    """The side of the images that it takes; smaller ones are enlarged and padded. None takes any."""
    cpu_rate: int
    """Images of 28x28 trained per second by one CPU thread, roughly; it spaces the metric lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizer(Entry):
    """An optimizer; `fields` are its keyword arguments without `lr` and those that only torch decides."""

    usual_lr: tuple[float, float]
    """Where good learning rates usually lie."""
    closure: bool = False
    """Whether a step computes the loss several times, so that it must be handed the means to."""
    plain: bool = False
    """Whether it takes gradients only in the plain memory layout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule(Entry):
    """LR over time; `where` is a function `(optimizer, steps, **options) -> LRScheduler`."""

    decays: bool = True
    """Whether the LR ends below its value or falls on the way, so that a high LR looks worse in mid-run than it finishes."""
    warmup: float = 0.0
    """The share of the horizon in which the LR rises unless the option `warmup` says another."""
    own_warmup: bool = False
    """Whether `warmup` is an argument of the function; else `warmup.py` puts a linear rise before it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with an option."""

    option: str
    what: str
    """The rest of a sentence that begins with the option's name."""
    unknown: bool = False
    """Whether the option does not exist."""


def faults(entry: Entry, options: dict[str, Any]) -> list[Fault]:
    """Return what is wrong with `options`: names, types, ranges, and what does not go together."""
    found = [
        fault
        for name, value in options.items()
        if (fault := _fault(entry, name, value)) is not None
    ]
    found += [Fault(name, "must be given") for name in entry.needs if name not in options]
    if not found and entry.together and (wrong := entry.together(options)):
        found.append(Fault(*wrong))
    return found


def mismatch(entry: Entry, options: dict[str, Any]) -> str:
    """Return what is wrong with `options` in one sentence, or ""."""
    for fault in faults(entry, options):
        if fault.unknown:
            return f"has no option {fault.option!r} (known: {', '.join(entry.fields) or 'none'})"
        if fault.option not in options:
            return f"lacks {fault.option}: it {fault.what}"
        return f"refuses {fault.option} = {options[fault.option]!r}: it {fault.what}"
    return ""


def _fault(entry: Entry, name: str, value: Any) -> Fault | None:
    types = entry.fields.get(name)
    if types is None:
        return Fault(name, "does not exist", unknown=True)
    if not _fits(value, types):
        return Fault(name, f"must be {_wanted(types)}")
    allowed = entry.ranges.get(name)
    each = value if isinstance(value, list) else [value]
    if allowed and not all(allowed.holds(one) for one in each):
        verb = "hold numbers" if isinstance(value, list) else "be"
        return Fault(name, f"must {verb} {allowed}")
    known = entry.words.get(name)
    if known and value not in known:
        return Fault(name, f"must be one of {', '.join(known)}")
    return None


def _fits(value: Any, types: tuple[type, ...]) -> bool:
    if isinstance(value, list):
        return any(
            kind is list
            or (kind in _LISTS and len(value) in _LISTS[kind][1] and all(map(_is_number, value)))
            for kind in types
        )
    if isinstance(value, (bool, str)):
        return type(value) in types
    return _is_number(value) and isinstance(value, types)


def _is_number(value: Any) -> bool:
    """Return whether it is a number that torch and JSON can hold."""
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and abs(value) < LARGEST  # False for nan
    )


def _wanted(types: tuple[type, ...]) -> str:
    """Return the types in words."""
    left = [kind for kind in types if not (kind is int and float in types)]
    return " or ".join(_LISTS[kind][0] if kind in _LISTS else _WORDS[kind] for kind in left)
