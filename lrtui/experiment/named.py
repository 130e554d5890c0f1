"""Models, optimizers and schedules: a name, a table with options, or (as an axis) a list of both.

`{ sgd = { momentum = 0.9 } }` names the options; `{ step = 0.5, warmup = 0.05 }` gives a schedule its principal
number, and options beside it. Both become one spelling, `Named.text`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lrtui.experiment.reader import Reader, is_text
from lrtui.experiment.types import Named
from lrtui.experiment.words import did_you_mean, found, names, show
from lrtui.toml_where import Path
from lrtui.train.table import Entry, Schedule

Table = Mapping[str, Entry]


def read_axis(reader: Reader, key: str, table: Table | None, default: str) -> tuple[str, ...]:
    """Return the texts of an axis, each once; `table` is None where any name is right (own scripts)."""
    if not reader.has(key):
        return (default,) if default else ()
    value = reader.data[key]
    if value == []:
        mend = f'Name at least one: {key} = "{default or "adam"}"'
        reader.fault((key,), f"{key} is an empty list", mend)
    many = value if isinstance(value, list) else [value]
    if not reader.is_short((key,), many):
        return ()
    texts: list[str] = []
    for i, each in enumerate(many):
        path: Path = (key, i) if isinstance(value, list) else (key,)
        one = read_named(reader, path, each, table)
        if one and one.text in texts:
            reader.notes.append(f"{key} {one.text} was given twice; kept once")
        elif one:
            texts.append(one.text)
    return tuple(texts)


def read_named(reader: Reader, path: Path, value: Any, table: Table | None) -> Named | None:
    """Return a name with its options; None after a fault. The path's first part says what kind of thing it is, [study] aside."""
    if table is None:
        return _Free(reader, path).read(value)
    return _Known(reader, path, table).read(value)


@dataclass(frozen=True, slots=True)
class _Free:
    """A name for the user's own script: any, and its table is handed on as it is."""

    reader: Reader
    path: Path

    @property
    def kind(self) -> str:
        return _kind(self.path)

    def read(self, value: Any) -> Named | None:
        if is_text(value):
            return Named(value, {})
        if not isinstance(value, dict) or not value:
            what = f"{self.kind} must be a name or a table {found(value)}"
            self.reader.fault(self.path, what, f'Try: {self.kind} = "small"')
            return None
        if not _is_json(value):
            what = f"{self.kind} reaches your script as JSON, which has no dates, nan or inf"
            self.reader.fault(self.path, what, "Write the value as a string or a number.")
            return None
        name = next(iter(value))
        own = value[name] if isinstance(value[name], dict) else {name: value[name]}
        return Named(name, {**own, **{key: each for key, each in value.items() if key != name}})


@dataclass(frozen=True, slots=True)
class _Known:
    """A name from one of the built-in trainer's tables, its options checked."""

    reader: Reader
    path: Path
    table: Table

    @property
    def kind(self) -> str:
        return _kind(self.path)

    def read(self, value: Any) -> Named | None:
        if is_text(value) and value in self.table:
            return Named(value, {})
        if is_text(value):
            mend = did_you_mean(value, self.table, f"{self.kind}s")
            self.reader.fault(self.path, f"unknown {self.kind} {show(value)}", mend)
            return None
        if isinstance(value, dict) and value:
            return self._from_table(value)
        example = next(iter(self.table))
        what = f"{self.kind} must be a name or a table {found(value)}"
        self.reader.fault(self.path, what, f'Try: {self.kind} = "{example}"')
        return None

    def _from_table(self, value: dict[str, Any]) -> Named | None:
        chosen = [key for key in value if key in self.table]
        if len(chosen) == 1:
            return self._with_options(value, chosen[0])
        if chosen:
            what = f"a table names one {self.kind}, and this one names {len(chosen)}"
            mend = f"As an axis they are a list: {self.kind} = [{', '.join(map(show, chosen))}]"
            self.reader.fault((*self.path, chosen[1]), what, mend, key=True)
        else:
            name = next(iter(value))
            mend = did_you_mean(name, self.table, f"{self.kind}s")
            what = f"unknown {self.kind} {names([name])}"
            self.reader.fault((*self.path, name), what, mend, key=True)
        return None

    def _with_options(self, value: dict[str, Any], name: str) -> Named | None:
        """Read `{ NAME = { option = .. }, option = .. }` or `{ NAME = principal, option = .. }`."""
        entry, own = self.table[name], value[name]
        if isinstance(own, dict):
            options = {key: ((*self.path, name, key), each) for key, each in own.items()}
        elif isinstance(entry, Schedule) and entry.principal:
            options = {entry.principal: ((*self.path, name), own)}
        else:
            what = f"{name} takes a table of options {found(own)}"
            self.reader.fault((*self.path, name), what, _example(name, entry))
            return None
        for key, each in value.items():
            if key != name:
                options[key] = ((*self.path, key), each)
        faults = self.reader.count()
        for key, (path, each) in options.items():
            self._check_option(path, name, key, each)
        if self.reader.count() > faults:
            return None
        return Named(name, {key: each for key, (_, each) in options.items()})

    def _check_option(self, path: Path, name: str, key: str, value: Any) -> None:
        entry = self.table[name]
        types = entry.fields.get(key)
        if types is None:
            what = f"{self.kind} {name} has no option {names([key])}"
            self.reader.fault(path, what, did_you_mean(key, entry.fields, "options"), key=True)
        elif not _has_type(value, types):
            wanted = " or ".join(dict.fromkeys(_TYPES.get(each, each.__name__) for each in types))
            what = f"{key} of {name} must be {wanted} {found(value)}"
            self.reader.fault(path, what, _example(name, entry))
        elif key == "warmup" and not 0 <= value < 1:
            what = f"warmup is a share of the horizon, 0 to below 1 {found(value)}"
            self.reader.fault(path, what, "Try: warmup = 0.05, which is 5 % of the run")


def _kind(path: Path) -> str:
    return str(path[1] if path[0] == "study" else path[0])


def _has_type(value: Any, types: tuple[type, ...]) -> bool:
    if isinstance(value, bool):
        return bool in types
    finite = not isinstance(value, float) or math.isfinite(value)
    return isinstance(value, types) and finite and _is_json(value)


def _is_json(value: Any) -> bool:
    try:
        return bool(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        return False


def _example(name: str, entry: Entry) -> str:
    if not entry.fields:
        return f'It has no options: "{name}"'
    return f"Options of {name}: {names(entry.fields)}. Try: {{ {name} = {{ {next(iter(entry.fields))} = .. }} }}"


_TYPES: dict[type, str] = {
    int: "a number",
    float: "a number",
    bool: "true or false",
    str: "a string",
    list: "a list",
}
