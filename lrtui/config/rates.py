"""The key `lr` in all its forms, and the strategy for each.

lr = 1e-3                                       one LR
lr = [1e-1, 1e-3]                               these LRs
lr = { grid = 8, from = 1e-5, to = 1e-1 }       any of STRATEGIES (see rate_tables)
lr = { adam = [1e-3], sgd = { grid = .. } }     LRs for each optimizer
lr = "auto"                                     any of WORDS
"""

from __future__ import annotations

from typing import Any

from lrtui.config.fault_text import did_you_mean, found, names, show
from lrtui.config.rate_tables import INSTEAD, check_rate, dotted, read_table
from lrtui.config.toml_positions import Path
from lrtui.config.toml_reader import MOST_RUNS, Reader, is_number, literal
from lrtui.search import STRATEGIES, WORDS, Listed, PerOptimizer, Strategy
from lrtui.sweep.choice import choice_of
from lrtui.train.optimizers import OPTIMIZERS

_FAULTS_PER_LIST = 5


def read_rates(
    reader: Reader, optimizers: tuple[str, ...], *, is_known: bool = True
) -> tuple[Strategy, dict[str, int]]:
    """Return the strategy, and the number of LRs of each optimizer (by its text; "" without one).

    `is_known` is false if `optimizers` lacks some that had faults: then LRs for others are no fault.
    """
    texts = optimizers or ("",)
    if not reader.has("lr"):
        hint = "Add the LRs to try: lr = [1e-4, 1e-3, 1e-2, 1e-1]"
        reader.fault((), "the file has no lr", hint)
        return Listed(()), {}
    value = reader.data["lr"]
    if isinstance(value, dict) and _is_per_optimizer(value, texts):
        return _per_optimizer(reader, value, texts, is_known=is_known)
    one = _read(reader, ("lr",), value)
    return one, dict.fromkeys(texts, one.count)


def check_count(reader: Reader, counts: dict[str, int], combinations: int, seeds: int) -> None:
    """Record a fault if the axes multiply to more than MOST_RUNS runs."""
    total = sum(counts.values()) * combinations * seeds
    if total <= MOST_RUNS:
        return
    factors = [
        (max(counts.values()), "LRs"),
        (len(counts), "optimizers"),
        (combinations, "combinations"),
        (seeds, "seeds"),
    ]
    product = " x ".join(f"{count:,} {what}" for count, what in factors if count > 1)
    what = f"the experiment has {total:,} runs ({product}); at most {MOST_RUNS:,} are allowed"
    reader.fault(("lr",), what, f"Fewer LRs find the same optimum: lr = {INSTEAD}", key=True)


def _is_per_optimizer(value: dict[str, Any], texts: tuple[str, ...]) -> bool:
    """Return whether a table is `{ adam = .. }` rather than `{ grid = .. }`."""
    if value.keys() & {*STRATEGIES, "from", "to"}:
        return False
    nested = any(isinstance(each, (list, dict)) for each in value.values())
    return nested or bool(value.keys() & {*OPTIMIZERS, *(choice_of(text).name for text in texts)})


def _per_optimizer(
    reader: Reader, value: dict[str, Any], texts: tuple[str, ...], *, is_known: bool
) -> tuple[Strategy, dict[str, int]]:
    axis = list(dict.fromkeys(choice_of(text).name for text in texts if text))
    by_name = {
        name: _read(reader, ("lr", name), each) for name, each in value.items() if name in axis
    }
    if is_known:
        _check_names(reader, value, axis)
    counts = {
        text: by_name[name].count for text in texts if (name := choice_of(text).name) in by_name
    }
    return PerOptimizer(by_name), counts


def _check_names(reader: Reader, value: dict[str, Any], axis: list[str]) -> None:
    """Record a fault for each optimizer without LRs and for LRs without an optimizer."""
    unknown = [name for name in value if name not in axis]
    missing = [name for name in axis if name not in value]
    every = ", ".join(show(name) for name in [*axis, *unknown][:10])
    for name in unknown:
        what = f"lr has an entry for {names([name])}, which is not one of the optimizers"
        hint = f"Add it: optimizer = [{every}], or remove the entry."
        reader.fault(("lr", name), what, hint, key=True)
    for name in missing:
        what = f"lr has no entry for {names([name])}"
        reader.fault(("lr",), what, f"Each optimizer needs an entry. Add: {name} = [1e-3]")


def _read(reader: Reader, path: Path, value: Any) -> Strategy:
    """Return the strategy of one form; an empty list after a fault."""
    if isinstance(value, list):
        return Listed(_list(reader, path, value))
    if isinstance(value, dict):
        return read_table(reader, path, value) or Listed(())
    if isinstance(value, str) and value in WORDS:
        return WORDS[value]()
    if isinstance(value, str) and _is_word(reader, path, value):
        return Listed(())
    return Listed((float(value),)) if check_rate(reader, path, value) else Listed(())


def _list(reader: Reader, path: Path, value: list[Any]) -> tuple[float, ...]:
    """Return the LRs of a list without duplicates, in the order given."""
    key = dotted(path)
    if not value:
        reader.fault(path, f"{key} is an empty list", f"Try: {key} = [1e-4, 1e-3, 1e-2]")
    rates: list[float] = []
    seen: set[float] = set()
    wrong = 0
    for i, element in enumerate(value):
        if not check_rate(reader, (*path, i), element):
            wrong += 1
        elif float(element) in seen:
            spelled = reader.spelled((*path, i))
            reader.notes.append(f"{key}: {spelled} was given twice; kept once")
        else:
            seen.add(float(element))
            rates.append(float(element))
        if wrong == _FAULTS_PER_LIST:
            break
    return tuple(rates)


def _is_word(reader: Reader, path: Path, value: str) -> bool:
    """Record a fault for text in place of LRs; return whether there was one."""
    key = dotted(path)
    parts = value.strip("[] ").split(",")
    if value in STRATEGIES:
        what = f'{key} = "{value}" lacks its range'
        hint = f"Try: {key} = {{ {value} = 8, from = 1e-5, to = 1e-1 }}"
    elif len(parts) > 1 and all(is_number(literal(part)) for part in parts):
        what = f"{key} must be a list of numbers {found(value)}"
        hint = f"Write it as a list: {key} = [{value.strip('[] ')}]"
    elif is_number(literal(value)):
        return False
    else:
        what = f"{key} must be LRs or a search {found(value)}"
        hint = did_you_mean(value, list(dict.fromkeys([*WORDS, *STRATEGIES])), "searches")
    reader.fault(path, what, hint)
    return True
