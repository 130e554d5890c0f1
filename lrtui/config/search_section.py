"""[search]: continuous settings that are searched beside the LR.

    lr = "auto"
    [search]
    weight_decay = { from = 1e-3, to = 0.3 }
    momentum     = { from = 0, to = 0.98, scale = "complement" }     # evenly on log(1 - x): the usual scale of a momentum

Of the built-in trainer these are options of the optimizer or the schedule that are numbers; of an own script its placeholders.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any, get_args

from lrtui.config.fault_text import did_you_mean, found, names, show
from lrtui.config.placeholders import ALIASES, FIXED
from lrtui.config.small_keys import RESERVED
from lrtui.config.toml_reader import Reader, is_number
from lrtui.search import Auto, Strategy
from lrtui.search.surface_search import Surface
from lrtui.sweep.choice import choice_of
from lrtui.sweep.events import Axis, AxisScale
from lrtui.text.format import setting_value
from lrtui.train.optimizers import OPTIMIZERS
from lrtui.train.registry import NUMBER, Entry
from lrtui.train.schedules import SCHEDULES

MOST = 2
SCALES: tuple[AxisScale, ...] = get_args(AxisScale)
_COMPLEMENT = re.compile(r"momentum|beta_?[123]?", re.IGNORECASE)
_LINEAR = re.compile(r"warm_?up|drop_?out|smoothing|ratio|share|fraction", re.IGNORECASE)


def read_search(reader: Reader, known: Collection[str], *, builtin: bool) -> tuple[Axis, ...]:
    """Return the axes of [search]; `known` are the names that an axis may have."""
    axes = []
    table = reader.table("search")
    for name, value in table.items():
        if name not in known:
            _unknown(reader, name, known, builtin=builtin)
        elif (axis := _axis(reader, name, value)) is not None:
            axes.append(axis)
    if len(table) > MOST:
        what = f"[search] names {len(table)} axes; at most {MOST} are searched beside the LR"
        reader.fault(("search",), what, "Keep those that matter most.", key=True)
    if reader.has("search") and not table:
        what, hint = "[search] names no axis", f"Try: {_EXAMPLE}"
        reader.fault(("search",), what, hint, key=True)
    return tuple(axes[:MOST])


def options_of(optimizers: Sequence[str], schedules: Sequence[str]) -> list[str]:
    """Return the options of the built-in trainer that may be searched: numbers that every optimizer, or every schedule, has."""
    entries = ([OPTIMIZERS[n] for text in optimizers if (n := choice_of(text).name) in OPTIMIZERS],
               [SCHEDULES[n] for text in schedules if (n := choice_of(text).name) in SCHEDULES])  # fmt: skip
    found: list[str] = []
    for kind in entries:
        names = [[name for name, types in each.fields.items() if types == NUMBER] for each in kind]
        found += [name for name in (names[0] if names else []) if all(name in n for n in names)]
    return found


def placeholders_of(used: Collection[str], fixed: Collection[str]) -> list[str]:
    """Return the placeholders of an own script that may be searched: its own ones, and those that have no fixed value."""
    ours = {*FIXED, *ALIASES.values(), *RESERVED, *fixed}
    return [name for name in used if name not in ours]


def check_search(
    reader: Reader,
    axes: Sequence[Axis],
    strategy: Strategy,
    optimizers: Sequence[str],
    schedules: Sequence[str],
) -> Strategy:
    """Return the strategy that searches the axes too; record a fault where it cannot, or where a value breaks an option's rule."""
    if not axes:
        return strategy
    for axis in axes:
        _check_options(reader, axis, (*optimizers, *schedules))
    if not isinstance(strategy, Auto):
        what = "[search] needs lr to be searched as well"
        hint = 'Write lr = "auto", or with bounds: lr = { auto = 7, from = 1e-4, to = 1e-1 }'
        reader.fault(("lr",) if reader.has("lr") else (), what, hint)
        return strategy
    if reader.has("study"):
        what = "[search] and [study] are both given: a study varies one factor at a time"
        reader.fault(("search",), what, "Write one file for each.", key=True)
    return Surface(strategy, tuple(axes))


# ---------------------------------------------------------------- one axis

_EXAMPLE = "weight_decay = { from = 1e-3, to = 0.3 }"


def _axis(reader: Reader, name: str, value: Any) -> Axis | None:
    path = ("search", name)
    example = f"{name} = {{ from = 1e-3, to = 0.3 }}"
    if not isinstance(value, dict):
        what = f"{name} must be a range {found(value)}"
        reader.fault(path, what, f"Try: {example}")
        return None
    for key in value:
        if key not in {"from", "to", "scale"}:
            what = f"unknown key {names([key])} of an axis"
            hint = did_you_mean(key, ["from", "to", "scale"], "keys")
            reader.fault((*path, key), what, hint, key=True)
            return None
    for key in ("from", "to"):
        if not is_number(value.get(key)) or abs(value[key]) > 1e30:
            what = f"{name} lacks {key}"
            if key in value:
                what = f"{key} must be a number {found(value[key])}"
            reader.fault((*path, key) if key in value else path, what, f"Try: {example}")
            return None
    low, high = float(value["from"]), float(value["to"])
    scale = value.get("scale", _usual_scale(name))
    if scale not in SCALES:
        what = f"scale must be one of {', '.join(map(show, SCALES))} {found(value['scale'])}"
        hint = 'Powers of ten are "log", shares "linear", a momentum "complement".'
        reader.fault((*path, "scale"), what, hint)
        return None
    wrong = _wrong_ends(name, low, high, scale)
    if wrong is not None:
        reader.fault(path, *wrong)
        return None
    return Axis(name, low, high, scale)


def _usual_scale(name: str) -> AxisScale:
    if _COMPLEMENT.fullmatch(name.rsplit("_", 1)[-1]) or _COMPLEMENT.fullmatch(name):
        return "complement"
    return "linear" if _LINEAR.search(name) else "log"


def _wrong_ends(name: str, low: float, high: float, scale: AxisScale) -> tuple[str, str] | None:
    """Return what is wrong with the ends of an axis, and how to fix it."""
    if low == high:
        what = f"{name} has one value, {setting_value(low)}: from and to are the same"
        return (
            what,
            f"Widen it, or set {name} = {setting_value(low)} where it belongs and remove the axis.",
        )
    if low > high:
        return f"{name} runs from {setting_value(low)} down to {setting_value(high)}", (
            f"Swap them: {name} = {{ from = {setting_value(high)}, to = {setting_value(low)} }}"
        )
    if high - low < 1e-6 * max(abs(low), abs(high)):
        what = f"{name} from {setting_value(low)} to {setting_value(high)} is too narrow to search"
        return what, "Widen it."
    if scale == "log" and low <= 0:
        what = f"{name} is searched on a log axis, which has no {setting_value(low)}"
        least = setting_value(high / 1000) if high > 0 else "1e-3"
        return what, f'Begin above 0, from = {least}, or write scale = "linear".'
    if scale == "complement" and (low < 0 or high >= 1):
        what = f"{name} is searched evenly on log(1 - x), so it lies from 0 to below 1"
        return what, 'Try: from = 0, to = 0.99, or write scale = "linear".'
    return None


def _check_options(reader: Reader, axis: Axis, texts: Sequence[str]) -> None:
    """Record a fault if an option is fixed in the file, or if it may not have one of the axis's ends."""
    path = ("search", axis.name)
    for text in texts:
        chosen = choice_of(text)
        if axis.name in chosen.options:
            what = f"{axis.name} is an axis of [search], but {chosen.name} sets it to {show(chosen.options[axis.name])}"
            reader.fault(path, what, "Keep one of the two.", key=True)
            return
        entry: Entry | None = OPTIMIZERS.get(chosen.name) or SCHEDULES.get(chosen.name)
        rule = entry.ranges.get(axis.name) if entry else None
        if entry and axis.name in entry.fields and rule:
            for key, end in (("from", axis.low), ("to", axis.high)):
                if not rule.holds(end):
                    what = f"{axis.name} of {chosen.name} must be {rule} {found(end)}"
                    reader.fault((*path, key), what, "Change the end of the axis.")
                    return


def _unknown(reader: Reader, name: str, known: Collection[str], *, builtin: bool) -> None:
    path = ("search", name)
    if name in reader.table("values"):
        what = f"{name} is in [search] and in [values]"
        hint = "Keep one: [search] tries any number of a range, [values] the ones that it lists."
    elif name == "lr":
        what = "the LR is always searched: lr is no axis of [search]"
        hint = "Its bounds go above: lr = { auto = 7, from = 1e-4, to = 1e-1 }"
    elif builtin:
        what = (
            f"{names([name])} is no option that every optimizer or every schedule of the file has"
        )
        hint = did_you_mean(name, list(known), "axes")
    else:
        what = f"the command has no placeholder {{{name}}} for the axis {names([name])}"
        hint = f'{did_you_mean(name, list(known), "placeholders of its own")} Add it: "--{name.replace("_", "-")}={{{name}}}"'
    reader.fault(path, what, hint, key=True)
