"""[study]: one external factor at a time, around the settings that the file itself names.

    batch_size = 128
    [study]
    batch_size = [32, 512]      # three levels, with the one above
    data       = [0.1, 0.3]     # likewise; a run has a different batch size or less data, never both
    hold       = "epochs"       # how long a level trains: as many epochs as the others, or as many steps

`read_levels` checks each level as the key itself is checked; `read_study` puts them around the experiment.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lrtui.config.choices import read_named
from lrtui.config.experiment import Experiment, Study
from lrtui.config.fault_text import did_you_mean, found, names, show
from lrtui.config.placeholders import ALIASES
from lrtui.config.toml_positions import Path
from lrtui.config.toml_reader import MOST_RUNS, Reader, is_number, is_whole
from lrtui.sweep.events import Scalar
from lrtui.sweep.state import level_text
from lrtui.text.format import amount
from lrtui.train.datasets import CUSTOM_DATASETS, DATASETS
from lrtui.train.models import MODELS
from lrtui.train.optimizers import OPTIMIZERS

FACTORS = {
    "data": "[0.1, 0.3, 1.0]",
    "model": '["linear", "mlp", "cnn3"]',
    "optimizer": '["sgd", "adam"]',
    "batch_size": "[32, 128, 512]",
    "dataset": '["digits", "fashion_mnist"]',
}
"""The factors that may be varied, each with example levels."""

Levels = Mapping[str, tuple[Scalar, ...]]


def read_levels(reader: Reader, *, builtin: bool) -> Levels:
    """Return the levels of each factor of [study] without duplicates; {} if there is no study."""
    table = reader.table("study")
    levels = {}
    for factor, value in table.items():
        if factor == "hold":
            continue
        if factor not in FACTORS:
            _unknown(reader, factor)
        elif factor == "dataset" and not builtin:
            what = "dataset only applies to the built-in trainer, and this file has a command"
            reader.fault(("study", factor), what, "Leave it out.", key=True)
        else:
            levels[factor] = _read_factor(reader, factor, value, builtin=builtin)
    if reader.has("study") and not levels and isinstance(reader.data["study"], dict):
        hint = f"Name one: batch_size = {FACTORS['batch_size']}. There are {names(FACTORS)}."
        reader.fault(("study",), "[study] names no factor that is to be varied", hint, key=True)
    return levels


def read_study(reader: Reader, experiment: Experiment, levels: Levels) -> Study | None:
    """Return the study around an experiment; None if the file has none."""
    if not levels:
        return None
    _check_single(reader, experiment)
    _check_hold(reader, experiment)
    base: dict[str, Scalar] = {
        "data": experiment.data,
        "model": experiment.model,
        "optimizer": experiment.optimizers[0] if experiment.optimizers else "",
        "batch_size": experiment.batch_size,
        "dataset": experiment.dataset,
    }
    around = {}
    for factor, given in levels.items():
        if not base[factor]:
            what = f"the study varies {factor}, and nothing says around which one"
            hint = f"Name it above [study], as your script has it: {factor} = {_example(factor)}"
            reader.fault(("study", factor), what, hint, key=True)
            continue
        around[factor] = tuple(level for level in given if level != base[factor])
        if given and not around[factor]:
            base_level = show(level_text(factor, base[factor])).strip('"')
            what = f"{factor} has no level besides the experiment's own, {base_level}"
            reader.fault(("study", factor), what, f"Try: {factor} = {FACTORS[factor]}")
    cells = 1 + sum(map(len, around.values()))
    runs = experiment.strategy.count * cells * experiment.seeds
    if runs > MOST_RUNS:
        what = f"the study has {runs:,} runs ({experiment.strategy.count} LRs x {cells} levels x {experiment.seeds} seeds); at most {MOST_RUNS:,} are allowed"
        reader.fault(("study",), what, "Study fewer levels, or one factor per file.", key=True)
    return Study(around, {factor: base[factor] for factor in around})


# ---------------------------------------------------------------- levels


def _read_factor(reader: Reader, factor: str, value: Any, *, builtin: bool) -> tuple[Scalar, ...]:
    """Return the levels of a factor without duplicates, in the order given."""
    path = ("study", factor)
    if not isinstance(value, list) or not value:
        is_empty = f"{factor} is an empty list"
        what = is_empty if value == [] else f"{factor} must be a list of levels {found(value)}"
        reader.fault(path, what, f"Try: {factor} = {FACTORS[factor]}")
        return ()
    if not reader.is_short(path, value):
        return ()
    kept: list[Scalar] = []
    for i, each in enumerate(value):
        level = _read_level(reader, (*path, i), factor, each, builtin=builtin)
        if level is not None and level in kept:
            reader.notes.append(f"{factor} {level_text(factor, level)} was given twice; kept once")
        elif level is not None:
            kept.append(level)
    return tuple(kept)


def _read_level(
    reader: Reader, path: Path, factor: str, value: Any, *, builtin: bool
) -> Scalar | None:
    """Return one level, checked as the key itself would be; None after a fault."""
    match factor:
        case "data":
            return _read_share(reader, path, value)
        case "batch_size":
            return _read_batch_size(reader, path, value)
        case "dataset":
            return _read_dataset(reader, path, value)
        case "model":
            one = read_named(reader, path, value, MODELS if builtin else None)
        case _:
            one = read_named(reader, path, value, OPTIMIZERS if builtin else None)
    return one.text if one else None


def _read_share(reader: Reader, path: Path, value: Any) -> float | None:
    if is_number(value) and 0 < value <= 1:
        return float(value)
    what = f"a level of data must be a share above 0 and up to 1 {found(value)}"
    reader.fault(path, what, f"Try: data = {FACTORS['data']}")
    return None


def _read_batch_size(reader: Reader, path: Path, value: Any) -> int | None:
    if is_whole(value, 1, 10**6):
        return int(value)
    what = f"a level of batch_size must be a whole number, 1 or more {found(value)}"
    reader.fault(path, what, f"Try: batch_size = {FACTORS['batch_size']}")
    return None


def _read_dataset(reader: Reader, path: Path, value: Any) -> str | None:
    one = read_named(reader, path, value, {**DATASETS, **CUSTOM_DATASETS})
    return one.text if one else None


def _unknown(reader: Reader, factor: str) -> None:
    if factor == "schedule":
        hint = 'A list is tried with every LR, without a study: schedule = ["constant", "cosine"]'
    elif factor == "lr":
        hint = "Put the LRs above [study]; every level tries them."
    else:
        hint = did_you_mean(factor, [*FACTORS, "hold"], "factors")
    reader.fault(("study", factor), f"unknown factor {names([factor])} in [study]", hint, key=True)


# ---------------------------------------------------------------- around the experiment


def _check_single(reader: Reader, experiment: Experiment) -> None:
    """Record a fault for each axis of the file: a study varies one factor at a time and nothing else."""
    axes: list[tuple[Path, int]] = [
        (("optimizer",), len(experiment.optimizers)),
        (("schedule",), len(experiment.schedules)),
        *((("values", name), len(axis)) for name, axis in experiment.values.items()),
    ]
    for path, count in axes:
        if count < 2:
            continue
        name = str(path[-1])
        what = f"{name} is a list, but a study varies one factor at a time"
        hint = f"Name one {name}" + (
            "; the others go into [study]."
            if name == "optimizer"
            else ", or write one file for each."
        )
        reader.fault(path, what, hint)


def _check_hold(reader: Reader, experiment: Experiment) -> None:
    """Record a fault if `hold` is not the unit in which the length of a run is given."""
    held = ALIASES[experiment.unit]
    table = reader.table("study")
    hold = table.get("hold", held)
    if hold == held:
        return
    if not isinstance(hold, str) or hold not in {"steps", "epochs"}:
        what = f'hold must be "steps" or "epochs" {found(hold)}'
        hint = f'All levels train for the same number of them. The length of a run is in {held}: hold = "{held}"'
        reader.fault(("study", "hold"), what, hint)
        return
    what = f"hold is {hold}, but the length of a run is in {held}"
    length = _converted(experiment, hold)
    hint = f'Give the length in {hold}, {length} instead of {held} = {amount(experiment.horizon)}, or hold = "{held}"'
    reader.fault(("study", "hold"), what, hint)


def _converted(experiment: Experiment, hold: str) -> str:
    """Return the length of a run in the other unit, if it can be computed."""
    known = DATASETS.get(experiment.dataset)
    if known is None or experiment.batch_size < 1:
        return f"{hold} = .."
    steps = math.ceil(round(known.train * experiment.data) / experiment.batch_size)
    length = experiment.horizon * steps if hold == "steps" else experiment.horizon / steps
    rounded = max(1, round(length)) if hold == "steps" else float(f"{length:.3g}")
    return f"{hold} = {amount(rounded)}"


def _example(factor: str) -> str:
    return {"model": '"small"', "optimizer": '"adam"'}.get(factor, "128")
