"""[study]: one external factor at a time, around the settings that the file itself names.

    batch_size = 128
    [study]
    batch_size = [32, 512]      # three levels, with the one above
    data       = [0.1, 0.3]     # likewise; a run has a different batch size or less data, never both
    hold       = "epochs"       # how long a level trains: as many epochs as the others, or as many steps
    predict    = { batch_size = 4096 }     # from the levels of batch_size: the best LR at one that is not trained
    check      = true           # train that one afterwards, around the predicted LR

Besides the keys in FACTORS, a number of [values] may be varied: the script's own n_embd or train_steps. `read_levels` checks each level as the key itself is checked; `read_study` puts them around the experiment.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lrtui.analysis.prediction import LEAST_LEVELS, MOST_LEVEL
from lrtui.config.choices import read_named
from lrtui.config.experiment import Experiment, Study
from lrtui.config.fault_text import did_you_mean, found, names, show
from lrtui.config.placeholders import ALIASES
from lrtui.config.toml_positions import Path
from lrtui.config.toml_reader import MOST_RUNS, Reader, is_number, is_whole
from lrtui.sweep.choice import choice_of
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
    "width": "[32, 128, 256]",
    "depth": "[1, 4, 8]",
}
"""The factors that may be varied, each with example levels. `width` and `depth` are options of the built-in trainer's models."""
_OPTIONS = ("width", "depth")
_OTHER_KEYS = ("hold", "predict", "check")

Levels = Mapping[str, tuple[Scalar, ...]]


def read_levels(reader: Reader, *, builtin: bool) -> Levels:
    """Return the levels of each factor of [study] without duplicates; {} if there is no study."""
    table = reader.table("study")
    levels = {}
    for factor, value in table.items():
        if factor in _OTHER_KEYS:
            continue
        if factor not in FACTORS and (builtin or factor not in _own(reader)):
            _unknown(reader, factor)
        elif factor == "dataset" and not builtin:
            what = "dataset only applies to the built-in trainer, and this file has a command"
            reader.fault(("study", factor), what, "Leave it out.", key=True)
        else:
            levels[factor] = _read_factor(reader, factor, value, builtin=builtin)
    if reader.has("study") and not levels and isinstance(reader.data["study"], dict):
        hint = f"Name one: batch_size = {FACTORS['batch_size']}. There are {names(FACTORS)}."
        reader.fault(("study",), "[study] names no factor to vary", hint, key=True)
    return levels


def read_study(reader: Reader, experiment: Experiment, levels: Levels) -> Study | None:
    """Return the study around an experiment; None if the file has none."""
    if not levels:
        return None
    _check_single(reader, experiment)
    _check_hold(reader, experiment)
    base: dict[str, Scalar] = {
        **dict.fromkeys(levels, ""),
        **{name: axis[0] for name, axis in experiment.values.items() if axis},
        **_model_options(experiment),
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
            script = "" if experiment.builtin else ", as your script has it"
            hint = f"Name it above [study]{script}: {_named(experiment, factor)}"
            reader.fault(("study", factor), what, hint, key=True)
            continue
        around[factor] = tuple(level for level in given if level != base[factor])
        if given and not around[factor]:
            base_level = show(level_text(factor, base[factor])).strip('"')
            what = f"{factor} has no level besides the experiment's own, {base_level}"
            reader.fault(("study", factor), what, f"Try: {factor} = {_levels(factor)}")
    predict = _read_predict(reader, around, base)
    cells = 1 + sum(map(len, around.values()))
    runs = experiment.strategy.count * cells * experiment.seeds
    if runs > MOST_RUNS:
        what = f"the study has {runs:,} runs ({experiment.strategy.count} LRs x {cells} levels x {experiment.seeds} seeds); at most {MOST_RUNS:,} are allowed"
        reader.fault(("study",), what, "Study fewer levels, or one factor per file.", key=True)
    check = _read_check(reader, predict)
    return Study(around, {factor: base[factor] for factor in around}, predict, check)


# ---------------------------------------------------------------- levels


def _read_factor(reader: Reader, factor: str, value: Any, *, builtin: bool) -> tuple[Scalar, ...]:
    """Return the levels of a factor without duplicates, in the order given."""
    path = ("study", factor)
    if not isinstance(value, list) or not value:
        is_empty = f"{factor} is an empty list"
        what = is_empty if value == [] else f"{factor} must be a list of levels {found(value)}"
        reader.fault(path, what, f"Try: {factor} = {_levels(factor)}")
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
        case "width" | "depth" if builtin:
            return _read_option(reader, path, factor, value)
        case "model":
            one = read_named(reader, path, value, MODELS if builtin else None)
        case "optimizer":
            one = read_named(reader, path, value, OPTIMIZERS if builtin else None)
        case _:
            return _read_own(reader, path, factor, value)
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
        hint = did_you_mean(factor, [*FACTORS, *_own(reader), *_OTHER_KEYS], "factors")
    reader.fault(("study", factor), f"unknown factor {names([factor])} in [study]", hint, key=True)


def _read_option(reader: Reader, path: Path, factor: str, value: Any) -> int | None:
    if is_whole(value, 1, 10**4):
        return int(value)
    what = f"a level of {factor} must be a whole number, 1 or more {found(value)}"
    reader.fault(path, what, f"Try: {factor} = {FACTORS[factor]}")
    return None


def _read_own(reader: Reader, path: Path, factor: str, value: Any) -> float | None:
    """Return a level of one of [values], as it was written."""
    if is_number(value) and value > 0:
        return value  # type: ignore[no-any-return]
    what = f"a level of {factor} must be a number above 0 {found(value)}"
    reader.fault(path, what, f"Try: {factor} = {_levels(factor)}")
    return None


def _own(reader: Reader) -> list[str]:
    """Return the names of [values] that have one number, which a study may vary."""
    values = reader.data.get("values")
    if not isinstance(values, dict):
        return []
    return [name for name, value in values.items() if is_number(value) and value > 0]


# ---------------------------------------------------------------- the level that is predicted


def _read_predict(reader: Reader, around: Levels, base: Mapping[str, Scalar]) -> dict[str, float]:
    """Return the levels at which LR* is to be predicted, by factor."""
    table = reader.table("study").get("predict", {})
    path: Path = ("study", "predict")
    example = "Try: predict = { batch_size = 4096 }"
    if not isinstance(table, dict):
        reader.fault(path, f"predict must be a table of factors {found(table)}", example)
        return {}
    wanted = {}
    for factor, level in table.items():
        here = (*path, factor)
        if factor not in around:
            what = f"predict names {factor}, which this study does not vary"
            hint = f"Give three levels to predict from: {factor} = {_levels(factor)}"
            reader.fault(here, what, hint, key=True)
            continue
        levels = [base[factor], *around[factor]]
        if not all(is_number(each) for each in levels):
            what = f"the levels of {factor} are names, from which no prediction is possible"
            reader.fault(
                here, what, "Only numbers can be: batch_size, data, width, depth.", key=True
            )
        elif not is_number(level) or not 0 < level < MOST_LEVEL:
            what = f"the level to predict must be a number above 0 {found(level)}"
            reader.fault(here, what, example)
        elif level in levels:
            what = f"{factor} {level_text(factor, level)} is a level of the study: it is measured, not predicted"
            reader.fault(
                here, what, "Predict a level that is not trained, or take it out of the study."
            )
        elif len(levels) < LEAST_LEVELS:
            what = (
                f"a prediction takes at least {LEAST_LEVELS} levels, but {factor} has {len(levels)}"
            )
            reader.fault(here, what, "Add levels, a factor of two to four apart.")
        else:
            wanted[factor] = level
    return wanted


def _read_check(reader: Reader, predict: Mapping[str, float]) -> bool:
    """Return whether the predicted levels are to be trained; record a fault for those that cannot be."""
    table, path = reader.table("study"), ("study", "check")
    check = table.get("check", False)
    if not isinstance(check, bool):
        reader.fault(path, f"check must be true or false {found(check)}", "Try: check = true")
        return False
    if check and "predict" not in table:
        what = "check trains the level that is predicted, but nothing is"
        reader.fault(path, what, "Add: predict = { batch_size = 4096 }", key=True)
    whole = {"batch_size"} if not reader.has("command") else set()
    for factor, level in predict.items() if check else ():
        possible = (
            level <= 1 if factor == "data" else factor not in whole or is_whole(level, 1, 10**6)
        )
        if not possible:
            what = f"{factor} {level_text(factor, level)} cannot be trained to check it"
            reader.fault(
                ("study", "predict", factor),
                what,
                "Leave out check, or predict a level that can be.",
            )
    return bool(check)


# ---------------------------------------------------------------- around the experiment


def _model_options(experiment: Experiment) -> dict[str, Scalar]:
    """Return the width and the depth that the built-in trainer's model is given."""
    if not experiment.builtin:
        return {}
    options = choice_of(experiment.model).options
    return {name: options[name] for name in _OPTIONS if name in options}


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


def _named(experiment: Experiment, factor: str) -> str:
    """Return how a file names the base's level of a factor."""
    if factor in _OPTIONS and experiment.builtin:
        name = choice_of(experiment.model).name
        known = name in MODELS and factor in MODELS[name].fields
        return f"model = {{ {name if known else 'mlp'} = {{ {factor} = {_BASE[factor]} }} }}"
    if factor in _OPTIONS:
        return f"[values] {factor} = {_BASE[factor]}"
    return f"{factor} = {_BASE.get(factor, '128')}"


_BASE = {"model": '"small"', "optimizer": '"adam"', "width": "64", "depth": "2"}


def _levels(factor: str) -> str:
    return FACTORS.get(factor, "[1, 2, 4]")
