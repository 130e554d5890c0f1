"""Models, optimizers and schedules: a name, a table with options, or (as an axis) a list of both.

`{ sgd = { momentum = 0.9 } }` names the options; `{ step = 0.5, warmup = 0.05 }` sets a schedule's principal
number and other options, as `{ folder = "images", size = 64 }` does for a data set. All are normalised to
`Choice.text`. A model may also be the user's own function, `"module:function"`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lrtui.config.custom_files import check_data, check_model
from lrtui.config.fault_text import did_you_mean, found, names, show
from lrtui.config.toml_positions import Path
from lrtui.config.toml_reader import Reader, is_text
from lrtui.sweep.choice import Choice
from lrtui.text.install import install
from lrtui.train.models import is_custom
from lrtui.train.registry import CustomDataset, Entry, Fault, faults

Table = Mapping[str, Entry]
CUSTOM_EXAMPLES = {"folder": "images", "npz": "data.npz"}


def read_axis(reader: Reader, key: str, table: Table | None, default: str) -> tuple[str, ...]:
    """Return the texts of an axis without duplicates; `table` is None if any name is valid (custom scripts)."""
    if not reader.has(key):
        return (default,) if default else ()
    value = reader.data[key]
    if value == []:
        hint = f'Name at least one: {key} = "{default or "adam"}"'
        reader.fault((key,), f"{key} is an empty list", hint)
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


def read_named(reader: Reader, path: Path, value: Any, table: Table | None) -> Choice | None:
    """Return a name with its options; None after a fault. The path's first part, except [study], gives the kind."""
    if table is None:
        return _AnyName(reader, path).read(value)
    return _KnownName(reader, path, table).read(value)


@dataclass(frozen=True, slots=True)
class _AnyName:
    """A name for the user's own script: any name is valid, and its table is passed on unchanged."""

    reader: Reader
    path: Path

    @property
    def kind(self) -> str:
        return _kind(self.path)

    def read(self, value: Any) -> Choice | None:
        if is_text(value):
            return Choice(value, {})
        if not isinstance(value, dict) or not value:
            what = f"{self.kind} must be a name or a table {found(value)}"
            self.reader.fault(self.path, what, f'Try: {self.kind} = "small"')
            return None
        if not _is_json(value):
            what = f"{self.kind} is passed to your script as JSON, which has no dates, nan or inf"
            self.reader.fault(self.path, what, "Write the value as a string or a number.")
            return None
        name = next(iter(value))
        own = value[name] if isinstance(value[name], dict) else {name: value[name]}
        return Choice(name, {**own, **{key: each for key, each in value.items() if key != name}})


@dataclass(frozen=True, slots=True)
class _KnownName:
    """A name from one of the built-in trainer's tables, its options checked."""

    reader: Reader
    path: Path
    table: Table

    @property
    def kind(self) -> str:
        return _kind(self.path)

    def read(self, value: Any) -> Choice | None:
        if is_text(value) and value in self.table:
            is_usable = self._is_there(self.path, value) and self._is_complete(self.path, value, {})
            return Choice(value, {}) if is_usable else None
        if is_text(value) and self._is_custom(value):
            return self._custom(value, self.path, {})
        if is_text(value):
            hint = did_you_mean(value, self.table, f"{self.kind}s")
            self.reader.fault(self.path, f"unknown {self.kind} {show(value)}", hint)
            return None
        if isinstance(value, dict) and value:
            return self._from_table(value)
        example = next(iter(self.table))
        what = f"{self.kind} must be a name or a table {found(value)}"
        self.reader.fault(self.path, what, f'Try: {self.kind} = "{example}"')
        return None

    def _from_table(self, value: dict[str, Any]) -> Choice | None:
        chosen = [key for key in value if key in self.table]
        if len(chosen) == 1:
            return self._with_options(value, chosen[0])
        own = next((key for key in value if self._is_custom(key)), None)
        if own is not None:
            return self._custom_from_table(value, own)
        if chosen:
            what = f"a table names one {self.kind}, but this one names {len(chosen)}"
            hint = (
                f"To try all of them, write a list: {self.kind} = [{', '.join(map(show, chosen))}]"
            )
            self.reader.fault((*self.path, chosen[1]), what, hint, key=True)
        else:
            name = next(iter(value))
            hint = did_you_mean(name, self.table, f"{self.kind}s")
            what = f"unknown {self.kind} {names([name])}"
            self.reader.fault((*self.path, name), what, hint, key=True)
        return None

    def _is_custom(self, name: str) -> bool:
        """Return whether the name refers to the user's own function."""
        return self.kind == "model" and is_custom(name)

    def _custom_from_table(self, value: dict[str, Any], name: str) -> Choice | None:
        given = value[name]
        options = (
            {**given, **{key: each for key, each in value.items() if key != name}}
            if isinstance(given, dict)
            else None
        )
        if options is not None and _is_json(options):
            return self._custom(name, (*self.path, name), options)
        what = f"{name} takes a table of options: numbers, strings, lists and tables {found(given)}"
        self.reader.fault((*self.path, name), what, f'Try: {{ "{name}" = {{ width = 64 }} }}')
        return None

    def _custom(self, name: str, path: Path, options: dict[str, Any]) -> Choice | None:
        return Choice(name, options) if check_model(self.reader, path, name, options) else None

    def _is_there(self, path: Path, name: str) -> bool:
        """Return whether the packages that the name needs are installed; record a fault if not.

        For a frozen copy this is skipped, because it is also read where no run trains.
        """
        missing = None if self.reader.beside is None else self.table[name].missing()
        if missing is not None:
            what = f"{self.kind} {name} needs {missing.names}, not installed here"
            self.reader.fault(path, what, f"Install it: {install(missing.extra)}")
        return missing is None

    def _with_options(self, value: dict[str, Any], name: str) -> Choice | None:
        """Read `{ NAME = { option = .. }, option = .. }` or `{ NAME = principal, option = .. }`."""
        if not self._is_there((*self.path, name), name):
            return None
        entry, own = self.table[name], value[name]
        if isinstance(own, dict):
            options = {key: ((*self.path, name, key), each) for key, each in own.items()}
        elif entry.principal:
            options = {entry.principal: ((*self.path, name), own)}
        else:
            what = f"{name} takes a table of options {found(own)}"
            self.reader.fault((*self.path, name), what, _example(name, entry))
            return None
        for key, each in value.items():
            if key != name:
                options[key] = ((*self.path, key), each)
        if not self._is_complete(self.path, name, options):
            return None
        found_faults = faults(entry, {key: each for key, (_, each) in options.items()})
        for fault in found_faults:
            self._report(fault, options.get(fault.option, ((*self.path, name), own)), name)
        if found_faults:
            return None
        if isinstance(entry, CustomDataset):
            path, given = options["path"]
            check_data(self.reader, path, name, str(given))
        return Choice(name, {key: each for key, (_, each) in options.items()})

    def _is_complete(self, path: Path, name: str, options: Mapping[str, Any]) -> bool:
        """Return whether every option without a default is given; record a fault if one is missing."""
        entry = self.table[name]
        missing = [key for key in entry.needs if key not in options]
        if missing:
            self.reader.fault(
                path, f"{self.kind} {name} needs {names(missing)}", _example(name, entry)
            )
        return not missing

    def _report(self, fault: Fault, given: tuple[Path, Any], name: str) -> None:
        """Record a fault for an invalid option."""
        entry, (path, value) = self.table[name], given
        if fault.unknown:
            what = f"{self.kind} {name} has no option {names([fault.option])}"
            hint = did_you_mean(fault.option, entry.fields, "options")
            self.reader.fault(path, what, hint, key=True)
        elif fault.option == "warmup":
            what = f"warmup is a share of the horizon and {fault.what} {found(value)}"
            self.reader.fault(path, what, "Try: warmup = 0.05, which is 5 % of the run")
        else:
            what = f"{fault.option} of {name} {fault.what} {found(value)}"
            self.reader.fault(path, what, _example(name, entry))


def _kind(path: Path) -> str:
    return str(path[1] if path[0] == "study" else path[0])


def _is_json(value: Any) -> bool:
    try:
        return bool(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        return False


def _example(name: str, entry: Entry) -> str:
    if not entry.fields:
        return f'It has no options: "{name}"'
    if isinstance(entry, CustomDataset):
        return f'Options of {name}: {names(entry.fields)}. Try: dataset = {{ {name} = "{CUSTOM_EXAMPLES[name]}" }}'
    return f"Options of {name}: {names(entry.fields)}. Try: {{ {name} = {{ {next(iter(entry.fields))} = .. }} }}"
