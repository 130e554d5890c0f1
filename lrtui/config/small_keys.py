"""The smaller keys: [values], GPUs, stopping rules, budget, health."""

from __future__ import annotations

import re
from typing import Any

from lrtui.analysis.value_rule import is_rule
from lrtui.config.fault_text import did_you_mean, found, names, show
from lrtui.config.keys import KEYS
from lrtui.config.placeholders import ALIASES, FIXED
from lrtui.config.toml_reader import Reader, Values, is_number, is_whole
from lrtui.sweep.events import Scalar, Unit
from lrtui.text.format import amount, amount_grouped

RULES = ("nan", "diverged", "collapsed", "chance", "beaten", "stalled")
RESERVED = frozenset(
    {"token", "metrics", "attempt", "attempt_dir", "durability", "prepared", "threads"}
)
"""Names that, as LRTUI_TOKEN and so on, would hide lrtui's own variables."""

_SET_BY_GPUS = frozenset({"CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"})
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SHARE = re.compile(r"([1-9][0-9]*)\s*/\s*([1-9][0-9]*)")
_BUDGET = re.compile(r"([0-9]+(\.[0-9]+)?)\s*(s|m|min|h|d|epochs?|steps?|tokens)")
_SECONDS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def read_values(reader: Reader) -> dict[str, tuple[Scalar, ...]]:
    """Return [values]: each of the user's placeholders with its values."""
    values = {}
    folded: dict[str, str] = {}
    for name, value in reader.table("values").items():
        if not _check_name(reader, name):
            continue
        twin = folded.setdefault(name.upper(), name)
        if twin != name:
            what = f"{twin} and {name} would both become the variable LRTUI_{name.upper()}"
            reader.fault(("values", name), what, "Rename one of them.", key=True)
        values[name] = _axis(reader, name, value)
    return values


def _check_name(reader: Reader, name: str) -> bool:
    """Return whether a placeholder's name is valid; record a fault if not."""
    path = ("values", name)
    if name in FIXED or name in ALIASES.values() or name in RESERVED:
        what = f"{{{name}}} is reserved for lrtui"
        hint = (
            f"Choose another name; to set it, move the line above [values]: {name} = .."
            if name in KEYS
            else "Choose another name."
        )
        reader.fault(path, what, hint, key=True)
    elif name in KEYS:
        what = f"{name} is under [values], but it is a key of the experiment"
        hint = (
            f"All keys below [values] belong to it: move {name} above it, or choose another name."
        )
        reader.fault(path, what, hint, key=True)
    elif not _IDENTIFIER.fullmatch(name):
        what = f"a placeholder's name consists of letters, digits and _ {found(name)}"
        suggestion = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "wd"
        reader.fault(path, what, f"Try: {suggestion}", key=True)
    else:
        return True
    return False


def _axis(reader: Reader, name: str, value: Any) -> tuple[Scalar, ...]:
    many = value if isinstance(value, list) else [value]
    if not many:
        reader.fault(("values", name), f"{name} is an empty list", f"Give it a value: {name} = 0.1")
    if not reader.is_short(("values", name), many):
        return ()
    kept: list[Scalar] = []
    for i, each in enumerate(many):
        path = ("values", name, i) if isinstance(value, list) else ("values", name)
        if not (
            isinstance(each, bool)
            or is_number(each)
            or (isinstance(each, str) and "\0" not in each)
        ):
            what = f"{name} must be a number, a string, true or false {found(each)}"
            reader.fault(path, what, f"Try: {name} = 0.1, or a list of such values")
        elif any(type(each) is type(other) and each == other for other in kept):
            reader.notes.append(f"{name} {show(each)} was given twice; kept once")
        else:
            kept.append(each)
    return tuple(kept)


def read_env(reader: Reader) -> dict[str, str]:
    """Return `env`: variables with their values, which may hold placeholders."""
    env = {}
    for name, value in reader.table("env").items():
        path = ("env", name)
        if not _IDENTIFIER.fullmatch(name):
            what = f"a variable's name consists of letters, digits and _ {found(name)}"
            reader.fault(path, what, 'Try: env = { KERAS_BACKEND = "torch" }', key=True)
        elif name.startswith("LRTUI_") or name in _SET_BY_GPUS:
            hint = "Use `devices` and `gpus`." if name in _SET_BY_GPUS else "Choose another name."
            reader.fault(path, f"{name} is set by lrtui", hint, key=True)
        elif isinstance(value, bool) or not (isinstance(value, str) or is_number(value)):
            what = f"{name} must be a string or a number {found(value)}"
            reader.fault(path, what, f'Try: {name} = "1"')
        elif "\0" in str(value):
            reader.fault(path, f"{name} cannot contain a NUL character", "Remove \\u0000.")
        else:
            env[name] = str(value)
    return env


def read_read(reader: Reader) -> tuple[str, ...]:
    """Return `read`: patterns of files."""
    value = reader.data.get("read")
    if value is None:
        return ()
    each = value if isinstance(value, list) else [value]
    if each and all(isinstance(one, str) and one.strip("/") and "\0" not in one for one in each):
        return tuple(each)
    what = f"read must be a pattern of files or a list of them {found(value)}"
    reader.fault(("read",), what, 'Try: read = "{run_dir}/**/metrics.csv"')
    return ()


def read_gpus(reader: Reader) -> tuple[int, tuple[int, ...] | None]:
    """Return GPUs per run, and the devices that may be used."""
    gpus = reader.whole("gpus", 1, 1, 1024, "1")
    value = reader.data.get("devices")
    if value is None:
        return gpus, None
    if not isinstance(value, list) or not value:
        what = f"devices must be a list of GPU numbers {found(value)}"
        reader.fault(
            ("devices",), what, "Try: devices = [0, 1]; left out, all that are free are used."
        )
        return gpus, None
    devices = []
    for i, each in enumerate(value):
        if not is_whole(each, 0, 1023):
            what = f"a device is the number of a GPU, as nvidia-smi lists them {found(each)}"
            reader.fault(("devices", i), what, "Try: devices = [0, 1]")
        elif int(each) in devices:
            reader.notes.append(f"device {each} was given twice; kept once")
        else:
            devices.append(int(each))
    if devices and gpus > len(devices):
        what = f"a run needs {gpus} GPUs, and devices names {len(devices)}"
        reader.fault(("devices",), what, f"Name at least {gpus} devices, or lower gpus.")
    return gpus, tuple(devices)


def read_keep(reader: Reader, *, searches: bool) -> str:
    """Return "all", or the share of a rung's settings that continue, as it is written; "1/3" for a search that halves."""
    if not reader.has("keep"):
        return "1/3" if searches else "all"
    value = reader.data["keep"]
    if value == "all":
        return "all"
    share = _SHARE.fullmatch(value) if isinstance(value, str) else None
    if share and int(share[1]) < int(share[2]):
        return f"{int(share[1])}/{int(share[2])}"
    if is_number(value) and 0 < value < 1:
        return f"{float(value):g}"
    what = f"keep must leave at least one run of each rung, and stop one {found(value)}"
    hint = 'Each rung keeps this share of its runs; 1/3 is the usual choice, "all" prunes no run. Try: keep = "1/3"'
    reader.fault(("keep",), what, hint)
    return "all"


def read_budget(reader: Reader, unit: Unit) -> str | None:
    """Return the budget as written: "36h", or "120 epochs" in the horizon's unit."""
    value = reader.data.get("budget")
    if value is None:
        return None
    match = _BUDGET.fullmatch(value) if isinstance(value, str) else None
    if match is None or float(match[1]) <= 0:
        what = f"budget must be a time or a length {found(value)}"
        reader.fault(("budget",), what, 'It looks like "36h", "90 min" or "120 epochs".')
        return None
    named = match[3].rstrip("s") if match[3] != "tokens" else "tokens"
    if match[3] not in _SECONDS and named != unit:
        what = f"budget is in {match[3]}, but the length of a run is in {ALIASES[unit]}"
        reader.fault(("budget",), what, f'Try: budget = "120 {ALIASES[unit]}", or a time: "2h"')
        return None
    return str(value)


def budget_of(text: str | None) -> tuple[float | None, float | None]:
    """Return a budget from read_budget as (units, seconds); at most one of them is not None."""
    match = _BUDGET.fullmatch(text or "")
    if match is None:
        return None, None
    number = float(match[1])
    return (None, number * _SECONDS[match[3]]) if match[3] in _SECONDS else (number, None)


def check_budget(reader: Reader, budget: str | None, first_rung: float, unit: Unit) -> None:
    """Record a fault if the budget is spent before any settings can be compared."""
    units, _ = budget_of(budget)
    if units is not None and units < first_rung:
        what = f"budget is too small: the first comparison takes {amount_grouped(first_rung)} {ALIASES[unit]}"
        hint = "Raise it, try fewer LRs, or shorten the runs."
        reader.fault(("budget",), what, hint)


def read_grace(reader: Reader, horizon: float) -> float | None:
    """Return the length before which no rule stops a run."""
    wanted = f"a number from 0 to below the horizon of {amount_grouped(horizon)}"
    return reader.number("grace", None, lambda x: 0 <= x < horizon, wanted, amount(horizon * 0.05))


def read_value(reader: Reader) -> str:
    """Return the rule for a run's value."""
    value = reader.data.get("value", "auto")
    if isinstance(value, str) and is_rule(value):
        return value
    what = f'value must be "auto", "last", "best" or "mean N" {found(value)}'
    reader.fault(
        ("value",),
        what,
        'It defines the value of a run. Try: value = "mean 3", the mean of its last 3 evaluations',
    )
    return "auto"


def read_health(reader: Reader) -> Values:
    """Return which rules are switched on or off, and the value of `chance`."""
    health = {}
    for rule, value in reader.table("health").items():
        path = ("health", rule)
        if rule not in RULES:
            reader.fault(
                path, f"unknown rule {names([rule])}", did_you_mean(rule, RULES, "rules"), key=True
            )
        elif isinstance(value, bool) or (rule == "chance" and is_number(value)):
            health[rule] = value
        else:
            also = ", or the metric's value at chance level" if rule == "chance" else ""
            reader.fault(
                path,
                f"{rule} must be true or false{also} {found(value)}",
                f"Try: health = {{ {rule} = false }}",
            )
    return health
