"""The key `lr` in all its forms, and the strategy that each makes.

lr = 1e-3                                       one LR
lr = [1e-1, 1e-3]                               these
lr = { grid = 8, from = 1e-5, to = 1e-1 }       any of STRATEGIES; their fields are the keys
lr = { adam = [1e-3], sgd = { grid = .. } }     each optimizer's own
"""

from __future__ import annotations

import dataclasses
from typing import Any

from lrtui.experiment.reader import Reader, is_number, is_whole, literal
from lrtui.experiment.words import did_you_mean, found, names, show
from lrtui.strategies import STRATEGIES, FixedRates, Listed, PerOptimizer, Strategy
from lrtui.strategies.base import optimizer_name
from lrtui.toml_where import Path

MOST_RUNS = 1000
LATER = ("auto", "bayes", "range")
_INSTEAD = "{ grid = 8, from = 1e-5, to = 1e-1 }"
_FAULTS_PER_LIST = 5


def read_rates(reader: Reader, optimizers: tuple[str, ...]) -> tuple[Strategy, dict[str, int]]:
    """Return the strategy, and how many LRs each optimizer (by its text; "" without one) gets."""
    texts = optimizers or ("",)
    if not reader.has("lr"):
        reader.fault((), "there is no lr", "Say which to try: lr = [1e-4, 1e-3, 1e-2, 1e-1]")
        return Listed(()), {}
    value = reader.data["lr"]
    if isinstance(value, dict) and value and not _is_form(value, texts):
        return _per_optimizer(reader, value, texts)
    one = _read(reader, ("lr",), value)
    return one, dict.fromkeys(texts, len(one.rates(0)))


def _is_form(value: dict[str, Any], texts: tuple[str, ...]) -> bool:
    """Return whether a table is `{ grid = .. }` rather than `{ adam = .. }`."""
    forms = {*STRATEGIES, *LATER, "from", "to"}
    optimizers = {optimizer_name(text) for text in texts}
    return bool(forms & value.keys()) or not (
        optimizers & value.keys() or any(isinstance(each, (list, dict)) for each in value.values())
    )


def _per_optimizer(
    reader: Reader, value: dict[str, Any], texts: tuple[str, ...]
) -> tuple[Strategy, dict[str, int]]:
    axis = list(dict.fromkeys(optimizer_name(text) for text in texts if text))
    by_name: dict[str, FixedRates] = {}
    for name, each in value.items():
        if name in axis:
            by_name[name] = _read(reader, ("lr", name), each)
        elif axis:
            what = f"lr has an entry for {names([name])}, which is not among the optimizers"
            reader.fault(("lr", name), what, f"Optimizers of this file: {names(axis)}.", key=True)
    if not axis and not any(fault.what.startswith("unknown optimizer") for fault in reader.faults):
        mend = f"Name them: optimizer = [{', '.join(show(name) for name in value)}]"
        reader.fault(("lr",), "lr is given per optimizer, and this file names no optimizer", mend)
    missing = [name for name in axis if name not in by_name]
    if missing:
        reader.fault(
            ("lr",), f"lr has no entry for {names(missing)}", f"Add one: {missing[0]} = [1e-3]"
        )
    counts = {
        text: len(by_name[optimizer_name(text)].rates(0))
        for text in texts
        if optimizer_name(text) in by_name
    }
    return PerOptimizer(by_name), counts


def _read(reader: Reader, path: Path, value: Any) -> FixedRates:
    """Return the strategy of one form; an empty list after a fault."""
    if isinstance(value, list):
        return Listed(_list(reader, path, value))
    if isinstance(value, dict):
        return _table(reader, path, value)
    if isinstance(value, str) and _word(reader, path, value):
        return Listed(())
    return Listed((float(value),)) if _check_rate(reader, path, value) else Listed(())


def _list(reader: Reader, path: Path, value: list[Any]) -> tuple[float, ...]:
    if not value:
        reader.fault(
            path, f"{_dotted(path)} is an empty list", f"Try: {_dotted(path)} = [1e-4, 1e-3, 1e-2]"
        )
    rates: dict[float, str] = {}
    wrong = 0
    for i, element in enumerate(value):
        if wrong == _FAULTS_PER_LIST:
            break
        if not _check_rate(reader, (*path, i), element):
            wrong += 1
        elif float(element) in rates:
            reader.notes.append(
                f"{_dotted(path)} {_written(reader, (*path, i))} was given twice; kept once"
            )
        else:
            rates[float(element)] = ""
    return tuple(rates)


def _check_rate(reader: Reader, path: Path, value: Any) -> bool:
    """Note what is wrong with one LR; return whether it is right."""
    if is_number(value) and float(value) > 0:
        return True
    inner = literal(value) if isinstance(value, str) else None
    if is_number(inner):
        mend = f"Drop the quotes: {str(value).strip()}"
    elif isinstance(value, list):
        mend = "A list of LRs has no lists in it."
    elif is_number(value) and float(value) == 0:
        mend = "Leave it out: at 0 nothing is learned. Try: 1e-3"
    else:
        mend = "LRs look like 1e-3 or 0.001."
    reader.fault(path, f"a learning rate must be a finite number above 0 {found(value)}", mend)
    return False


def _word(reader: Reader, path: Path, value: str) -> bool:
    """Note a fault for words in the place of LRs; return whether there was one."""
    key = _dotted(path)
    if value in LATER:
        reader.fault(
            path, f'{key} = "{value}" is not in this version yet', f"Use {key} = {_INSTEAD}"
        )
    elif value in STRATEGIES:
        reader.fault(
            path,
            f'{key} = "{value}" lacks its range',
            f"Try: {key} = {{ {value} = 8, from = 1e-5, to = 1e-1 }}",
        )
    elif "," in value and all(is_number(literal(part)) for part in value.strip("[] ").split(",")):
        what = f"{key} must be a list of numbers {found(value)}"
        reader.fault(path, what, f"Write it as a list: {key} = [{value.strip('[] ')}]")
    else:
        return False
    return True


def _table(reader: Reader, path: Path, value: dict[str, Any]) -> FixedRates:
    key = _dotted(path)
    later = next((name for name in LATER if name in value), None)
    if later:
        reader.fault(
            (*path, later),
            f"{key} = {{ {later} = .. }} is not in this version yet",
            f"Use {key} = {_INSTEAD}",
            key=True,
        )
        return Listed(())
    chosen = next((name for name in STRATEGIES if name in value), None)
    if chosen is None:
        known = [*STRATEGIES, "from", "to"]
        for name in value:
            if name not in known:
                reader.fault(
                    (*path, name),
                    f"unknown key {names([name])} in {key}",
                    did_you_mean(name, known, "keys"),
                    key=True,
                )
        if not any(name not in known for name in value):
            reader.fault(path, f"{key} lacks the number of LRs", f"Try: {key} = {_INSTEAD}")
        return Listed(())
    kind = STRATEGIES[chosen]
    fields = {field.name.rstrip("_"): field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    good = [_field(reader, path, chosen, name, value) for name in fields]
    for name in value:
        if name not in fields:
            good.append(False)
            reader.fault(
                (*path, name),
                f"unknown key {names([name])} in {key}",
                did_you_mean(name, fields, "keys"),
                key=True,
            )
    if not all(good):
        return Listed(())
    if float(value["from"]) >= float(value["to"]):
        what = f"from must be below to (found {show(value['from'])} and {show(value['to'])})"
        reader.fault(
            (*path, "from"),
            what,
            f"Try: {key} = {{ {chosen} = {value[chosen]}, from = {value['to']}, to = {value['from']} }}"
            if value["from"] != value["to"]
            else f"For one LR: {key} = {value['from']}",
        )
        return Listed(())
    arguments = {
        field.name: int(value[name]) if name == chosen else float(value[name])
        for name, field in fields.items()
    }
    return kind(**arguments)


def _field(reader: Reader, path: Path, chosen: str, name: str, value: dict[str, Any]) -> bool:
    """Check one key of `{ grid = 8, from = .., to = .. }`; return whether it is right."""
    if name not in value:
        example = f"{{ {chosen} = {show(value[chosen])}, from = 1e-5, to = 1e-1 }}"
        reader.fault(path, f"{_dotted(path)} lacks {name}", f"Try: {_dotted(path)} = {example}")
        return False
    if name != chosen:
        return _check_rate(reader, (*path, name), value[name])
    least = 2 if chosen == "grid" else 1
    if is_whole(value[name], least, MOST_RUNS):
        return True
    what = f"{name} must be a whole number from {least} to {MOST_RUNS} {found(value[name])}"
    reader.fault((*path, name), what, f"It is how many LRs are tried. Try: {name} = 8")
    return False


def check_count(reader: Reader, counts: dict[str, int], combinations: int, seeds: int) -> None:
    """Note a fault where the axes make more runs than anyone wants by intention."""
    total = sum(counts.values()) * combinations * seeds
    if total <= MOST_RUNS:
        return
    rates = max(counts.values())
    factors = [
        (rates, "LRs"),
        (len(counts), "optimizers"),
        (combinations, "combinations"),
        (seeds, "seeds"),
    ]
    product = " x ".join(f"{count:,} {what}" for count, what in factors if count > 1)
    what = f"these are {total:,} runs ({product}); at most {MOST_RUNS:,} are allowed"
    reader.fault(("lr",), what, f"Fewer LRs find the same optimum: lr = {_INSTEAD}", key=True)


def _written(reader: Reader, path: Path) -> str:
    """Return a value as the file spells it."""
    span = reader.places.value(path)
    return reader.text[span.start : span.end] if span else ""


def _dotted(path: Path) -> str:
    return ".".join(str(part) for part in path if isinstance(part, str))
