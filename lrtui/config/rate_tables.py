"""`lr = { grid = 8, from = 1e-5, to = 1e-1 }`: a strategy's dataclass fields are the keys of its table.

The integer field has the strategy's name and sets the number of LRs; the other fields are LRs.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from lrtui.config.fault_text import did_you_mean, found, names, show
from lrtui.config.toml_positions import Path
from lrtui.config.toml_reader import MOST_RUNS, Reader, is_number, is_whole, literal
from lrtui.search import STRATEGIES, Strategy
from lrtui.sweep.state import MOST_LR, is_lr
from lrtui.text.format import lr_text

INSTEAD = "{ grid = 8, from = 1e-5, to = 1e-1 }"


def read_table(reader: Reader, path: Path, value: dict[str, Any]) -> Strategy | None:
    """Return the strategy that a table describes; None after a fault."""
    key = dotted(path)
    chosen = next((name for name in STRATEGIES if name in value), None)
    fields = _fields(chosen) if chosen else {}
    faults = reader.count()
    has_unknown = _report_unknown(reader, path, value, list(fields) or [*STRATEGIES, "from", "to"])
    if chosen is None:
        if not has_unknown:
            reader.fault(path, f"{key} lacks the number of LRs", f"Try: {key} = {INSTEAD}")
        return None
    _check_fields(reader, path, value, chosen)
    if reader.count() > faults:
        return None
    arguments = {
        field: int(value[name]) if name == chosen else float(value[name])
        for name, field in fields.items()
        if name in value
    }
    return STRATEGIES[chosen](**arguments)


def check_rate(reader: Reader, path: Path, value: Any) -> bool:
    """Return whether one LR is valid; record a fault if not."""
    if is_number(value) and is_lr(float(value)):
        return True
    if is_number(value) and float(value) > 0:
        what = f"a learning rate must be between {lr_text(1 / MOST_LR)} and {lr_text(MOST_LR)} {found(value)}"
        reader.fault(path, what, "LRs look like 1e-3 or 0.001.")
        return False
    if isinstance(value, str) and is_number(literal(value)):
        hint = f"Drop the quotes: {value.strip()}"
    elif isinstance(value, list):
        hint = "A list of LRs cannot contain lists."
    elif is_number(value) and float(value) == 0:
        hint = "Remove it: at 0 the model does not learn. Try: 1e-3"
    else:
        hint = "LRs look like 1e-3 or 0.001."
    reader.fault(path, f"a learning rate must be a finite number above 0 {found(value)}", hint)
    return False


def dotted(path: Path) -> str:
    """Return a path in TOML's dotted form: lr.adam."""
    return ".".join(str(part) for part in path if isinstance(part, str))


def _fields(chosen: str) -> dict[str, str]:
    """Return the keys of a strategy, each with its dataclass field: from -> from_."""
    kind: Any = STRATEGIES[chosen]
    return {field.name.rstrip("_"): field.name for field in dataclasses.fields(kind)}


def _has_defaults(chosen: str) -> bool:
    """Return whether a strategy finds its range itself."""
    kind: Any = STRATEGIES[chosen]
    return all(field.default is not dataclasses.MISSING for field in dataclasses.fields(kind))


def _report_unknown(reader: Reader, path: Path, value: dict[str, Any], known: list[str]) -> bool:
    """Record a fault for each unknown key; return whether there are any."""
    unknown = [name for name in value if name not in known]
    for name in unknown:
        what = f"unknown key {names([name])} in {dotted(path)}"
        reader.fault((*path, name), what, did_you_mean(name, known, "keys"), key=True)
    return bool(unknown)


def _check_fields(reader: Reader, path: Path, value: dict[str, Any], chosen: str) -> None:
    """Record a fault for each missing or invalid key of a strategy."""
    key = dotted(path)
    known = _fields(chosen)
    bounds = {"from", "to"} & value.keys()
    optional = _has_defaults(chosen) and not bounds
    missing = [] if optional else [name for name in known if name not in value]
    if missing:
        reader.fault(
            path, f"{key} lacks {' and '.join(missing)}", f"Try: {key} = {_example(chosen, value)}"
        )
    good = [
        _check_field(reader, path, chosen, name, value[name]) for name in known if name in value
    ]
    if missing or optional or not all(good) or float(value["from"]) < float(value["to"]):
        return
    low, high = reader.spelled((*path, "to")), reader.spelled((*path, "from"))
    what = f"from must be below to (found {high} and {low})"
    swapped = f"Try: {key} = {{ {chosen} = {value[chosen]}, from = {low}, to = {high} }}"
    equal = float(value["from"]) == float(value["to"])
    reader.fault((*path, "from"), what, f"For one LR: {key} = {low}" if equal else swapped)


def _check_field(reader: Reader, path: Path, chosen: str, name: str, value: Any) -> bool:
    if name != chosen:
        return check_rate(reader, (*path, name), value)
    if is_whole(value, _least(chosen), MOST_RUNS):
        return True
    what = f"{name} must be a whole number from {_least(chosen)} to {MOST_RUNS} {found(value)}"
    reader.fault((*path, name), what, f"It sets how many LRs are tried. Try: {name} = 8")
    return False


def _example(chosen: str, value: dict[str, Any]) -> str:
    """Return the table with the missing keys filled in."""
    count = value[chosen] if is_whole(value[chosen], _least(chosen), MOST_RUNS) else 8
    low = show(value["from"]) if "from" in value else "1e-5"
    high = show(value["to"]) if "to" in value else "1e-1"
    return f"{{ {chosen} = {count}, from = {low}, to = {high} }}"


def _least(chosen: str) -> int:
    """Return the minimum number of LRs of a strategy: a grid has two ends, a peak needs three."""
    return {"grid": 2, "auto": 3, "bayes": 4}.get(chosen, 1)
