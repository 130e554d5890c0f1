"""Turns the text of an experiment file into an Experiment; `parse` is this module's table of contents."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any, Literal

from lrtui.config import small_keys
from lrtui.config.alerts_section import read_alerts
from lrtui.config.choices import read_axis, read_named
from lrtui.config.experiment import ISOLATIONS, Experiment
from lrtui.config.fault_text import found, show
from lrtui.config.files_section import check_files, read_files
from lrtui.config.keys import check_keys
from lrtui.config.launcher_section import read_launcher
from lrtui.config.objective import read_first, read_loss, read_objective, read_parse
from lrtui.config.placeholders import (
    ALIASES,
    FIXED,
    NUMBERS,
    check_command,
    check_read,
    check_text,
    read_command,
    used,
)
from lrtui.config.rates import check_count, read_rates
from lrtui.config.search_section import (
    check_search,
    options_of,
    placeholders_of,
    read_search,
)
from lrtui.config.study_section import read_levels, read_study
from lrtui.config.toml_reader import Reader, is_whole
from lrtui.search import RangeTest, needs_range, searches
from lrtui.sweep.choice import choice_of
from lrtui.sweep.events import Scalar, Unit
from lrtui.text.clean import clean
from lrtui.train.datasets import CUSTOM_DATASETS, DATASETS
from lrtui.train.models import MODELS
from lrtui.train.optimizers import OPTIMIZERS
from lrtui.train.options import AUTO, PRECISIONS
from lrtui.train.schedules import SCHEDULES

UNITS: dict[str, Unit] = {"epochs": "epoch", "steps": "step", "tokens": "tokens"}
DEFAULT_EPOCHS = 20
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+=@-]{0,63}")


def parse(
    text: str, path: str, beside: Path | None = None, templates: Path | None = None
) -> Experiment:
    """Return the experiment that `text` describes; `path` is shown in messages and gives the default name.

    `beside` is the folder in which the user's images, arrays and models are looked up; None skips that check. `templates` is
    the folder of the files that [files] names.

    Raises:
        ExperimentError: the text has faults; it lists all of them.

    """
    reader = Reader(text, path)
    reader.beside, reader.templates = beside, templates
    builtin = not reader.has("command")
    check_keys(reader, builtin=builtin)
    if builtin and not reader.has("dataset"):
        hint = (
            'Add one of them: dataset = "digits", or command = ["python", "train.py", "--lr={lr}"]'
        )
        reader.fault((), "the file has neither a dataset nor a command", hint)
    command = None if builtin else read_command(reader)
    unit, horizon = _horizon(reader, builtin=builtin)
    parse_rules = read_parse(reader, unit)
    objective = read_objective(reader, parse_rules, builtin=builtin)
    faults = reader.count()
    optimizers = read_axis(
        reader, "optimizer", OPTIMIZERS if builtin else None, "adam" if builtin else ""
    )
    levels = read_levels(reader, builtin=builtin)
    is_known = reader.count() == faults
    schedules = read_axis(
        reader, "schedule", SCHEDULES if builtin else None, "constant" if builtin else ""
    )
    values = small_keys.read_values(reader) if not builtin else {}
    every = dict.fromkeys((*optimizers, *map(str, levels.get("optimizer", ()))))
    rates, counts = read_rates(reader, tuple(every), is_known=is_known)
    gpus, devices = small_keys.read_gpus(reader)
    env = {} if builtin else small_keys.read_env(reader)
    files = () if builtin else read_files(reader)
    texts = [text for each in files for text in (each.target, each.text)]
    placeholders = used((*(command or ()), *env.values(), *texts))
    if callback := reader.flag("callback", default=False):
        placeholders |= {"checkpoint", "until", "lr_to", "lr_steps"}
    axes = read_search(
        reader,
        options_of(optimizers, schedules) if builtin else placeholders_of(placeholders, values),
        builtin=builtin,
    )
    strategy = check_search(reader, axes, rates, optimizers, schedules)
    usual_seeds = 2 if axes and (builtin or "seed" in placeholders) else 1
    seeds = reader.whole("seeds", usual_seeds, 1, 1000, "3")
    check_count(reader, counts, _combinations(schedules, values), seeds)
    read_patterns = small_keys.read_read(reader)
    keep = small_keys.read_keep(reader, searches=searches(strategy))
    budget = small_keys.read_budget(reader, unit)
    experiment = Experiment(
        path=path,
        text=text,
        name=_name(reader, path),
        command=command,
        env=env,
        files=files,
        callback=callback,
        inject=reader.flag("inject", default=True),
        dataset=_dataset(reader) if builtin else "",
        model=_model(reader, builtin=builtin),
        batch_size=reader.whole("batch_size", 128 if builtin else 0, 1, 10**6, "128"),
        data=reader.number("data", 1.0, lambda x: 0 < x <= 1, "a share above 0 and up to 1", "0.1")
        or 1.0,
        augment=reader.flag("augment", default=False),
        precision=reader.choice("precision", "fp32", (*PRECISIONS, AUTO)),
        isolation=reader.choice("isolation", AUTO, ISOLATIONS),
        data_dir=reader.string("data_dir", "", example='"/data"') or None,
        workdir=reader.string("workdir", "", example='"../project"') or None,
        optimizers=optimizers,
        schedules=schedules,
        values=values,
        objective=objective,
        loss=read_loss(reader, parse_rules, builtin=builtin),
        parse=parse_rules.parse if parse_rules else None,
        read=read_patterns,
        position=reader.string("position", "", example='"global_step"'),
        first=read_first(reader),
        unit=unit,
        horizon=horizon,
        strategy=strategy,
        axes=axes,
        seeds=seeds,
        seed=reader.whole("seed", 0, 0, 2**63 - 1 - seeds, "0"),
        keep=keep,
        grace=small_keys.read_grace(reader, horizon),
        within=reader.number(
            "within", None, lambda x: x > 0, "a number above 0, in the metric's unit", "0.005"
        ),
        value=small_keys.read_value(reader),
        budget=budget,
        gpus=gpus,
        devices=devices,
        parallel=_parallel(reader),
        durability=reader.choice("durability", "normal", ("normal", "strict")),
        health=small_keys.read_health(reader),
        launcher=read_launcher(reader),
        alerts=read_alerts(reader),
        checkpoints=builtin or "checkpoint" in placeholders,
        stops_at_until=builtin or "until" in placeholders,
        can_range_test=builtin or {"lr_to", "lr_steps"} <= placeholders,
        sets_length=builtin or not placeholders.isdisjoint(("horizon", ALIASES[unit])),
    )
    experiment = replace(experiment, study=read_study(reader, experiment, levels))
    _check_search(reader, experiment)
    _check_batch(reader, experiment)
    if command:
        known, scalable = _known(experiment), _scalable(experiment)
        check_command(reader, command, known, scalable)
        for name, value in env.items():
            check_text(reader, ("env", name), value, known, scalable)
        check_files(reader, files, known, scalable)
        check_read(reader, read_patterns, known, scalable)
        reader.notes.extend(_unused(experiment, placeholders))
    reader.raise_faults()
    return replace(experiment, notes=tuple(dict.fromkeys(map(clean, reader.notes))))


def _check_search(reader: Reader, experiment: Experiment) -> None:
    """Record a fault if a search has no range to start from, or if the budget ends before the first comparison."""
    space = experiment.space()
    if needs_range(experiment.strategy) and not space.can_range_test:
        optimizers = {choice_of(cell.optimizer).name for cell in space.cells()}
        unknown = [name for name in optimizers if name not in space.usual]
        if unknown or isinstance(experiment.strategy, RangeTest):
            what = "lr has no range to search: your command does not support a range test"
            hint = (
                "Give a range: lr = { auto = 7, from = 1e-4, to = 1e-1 }, or add {lr_to} and {lr_steps} to the command"
                + (
                    "."
                    if isinstance(experiment.strategy, RangeTest)
                    else ', or name the optimizer: optimizer = "adam"'
                )
            )
            reader.fault(("lr",), what, hint)
    counts = experiment.strategy.count * len(space.cells())
    first = space.rungs_of(space.cells()[0])[0] if space.cells() else experiment.horizon
    if experiment.strategy.count > 1:
        small_keys.check_budget(reader, experiment.budget, first * counts, experiment.unit)


def _check_batch(reader: Reader, experiment: Experiment) -> None:
    """Record a fault if a batch is larger than the training set, when its size is known before the data are prepared."""
    known = DATASETS.get(experiment.dataset) if experiment.builtin else None
    count = max(1, round(known.train * experiment.data)) if known else 0
    if known and experiment.batch_size > count:
        share = "" if experiment.data == 1 else f" with data = {experiment.data:g}"
        what = f"a batch of {experiment.batch_size:,} is larger than the {count:,} training images of {experiment.dataset}{share}"
        hint = f"Try: batch_size = {min(32, count)}"
        reader.fault(("batch_size",) if reader.has("batch_size") else ("dataset",), what, hint)


def _horizon(reader: Reader, *, builtin: bool) -> tuple[Unit, float]:
    given = [key for key in UNITS if reader.has(key)]
    if len(given) > 1:
        what = f"{' and '.join(given)} are both given, but the length of a run has one unit"
        reader.fault((given[1],), what, f"Keep one of them: {given[0]} or {given[1]}.", key=True)
    if not given:
        if not builtin:
            hint = "Add the length of a full run: epochs = 20, steps = 20000 or tokens = 1e9"
            reader.fault((), "the file has no epochs, steps or tokens", hint)
        return "epoch", DEFAULT_EPOCHS
    for key in given:
        if key == "epochs":
            length = reader.number(key, DEFAULT_EPOCHS, lambda x: x > 0, "a number above 0", "20")
        else:
            length = reader.whole(key, DEFAULT_EPOCHS, 1, 10**15, "20000")
        if key == given[0]:
            horizon = float(length or DEFAULT_EPOCHS)
    return UNITS[given[0]], horizon


def _name(reader: Reader, path: str) -> str:
    stem = PurePath(path).stem
    name = reader.data.get("name", stem)
    if isinstance(name, str) and NAME.fullmatch(name):
        return name
    safe = re.sub(r"[^A-Za-z0-9._+=@-]+", "-", str(name)).lstrip("-._+=@")[:64] or "experiment"
    rule = "letters, digits and . _ + = @ -, at most 64, the first a letter or digit"
    if reader.has("name"):
        reader.fault(
            ("name",), f"name must consist of {rule} {found(name)}", f'Try: name = "{safe}"'
        )
    else:
        hint = f'Add a line: name = "{safe}"'
        reader.fault(
            (), f"the file's name {show(stem)} cannot name a directory of runs ({rule})", hint
        )
    return safe


def _dataset(reader: Reader) -> str:
    if not reader.has("dataset"):
        return ""
    value = reader.data["dataset"]
    if isinstance(value, list):
        hint = 'Name one data set. To compare several, use a study: [study] dataset = ["fashion_mnist"]'
        reader.fault(("dataset",), f"dataset must be one data set {found(value)}", hint)
        return ""
    one = read_named(reader, ("dataset",), value, {**DATASETS, **CUSTOM_DATASETS})
    return one.text if one else ""


def _model(reader: Reader, *, builtin: bool) -> str:
    if not reader.has("model"):
        return "cnn7" if builtin else ""
    value = reader.data["model"]
    if isinstance(value, list):
        hint = 'Name one model. To compare several, use a study: [study] model = ["mlp", "cnn3"]'
        reader.fault(("model",), f"model must be one model {found(value)}", hint)
        return ""
    one = read_named(reader, ("model",), value, MODELS if builtin else None)
    return one.text if one else ""


def _parallel(reader: Reader) -> int | Literal["auto"]:
    value = reader.data.get("parallel", "auto")
    if value == "auto":
        return "auto"
    if is_whole(value, 1, 1000):
        return int(value)
    what = f'parallel must be "auto" or a whole number from 1 to 1000 {found(value)}'
    reader.fault(("parallel",), what, "It sets how many runs train at once. Try: parallel = 2")
    return "auto"


def _combinations(schedules: tuple[str, ...], values: dict[str, tuple[Scalar, ...]]) -> int:
    count = max(1, len(schedules))
    for axis in values.values():
        count *= max(1, len(axis))
    return count


def _known(experiment: Experiment) -> dict[str, str]:
    """Return every placeholder with "" if it has a value, else with how to give it one."""
    alias = ALIASES[experiment.unit]
    other = f"The horizon is in {alias}: write {{{alias}}} or {{horizon}}."
    known = {
        **dict.fromkeys(FIXED, ""),
        **dict.fromkeys(ALIASES.values(), other),
        **dict.fromkeys((alias, *experiment.values), ""),
        **dict.fromkeys((axis.name for axis in experiment.axes), ""),
    }
    for name, given, example in (
        ("optimizer", experiment.optimizers, '"adam"'),
        ("schedule", experiment.schedules, '"cosine"'),
        ("model", experiment.model, '"small"'),
        ("batch_size", experiment.batch_size, "128"),
    ):
        if not given:
            known[name] = f"Give it one: {name} = {example}"
    return known


def _scalable(experiment: Experiment) -> set[str]:
    """Return the placeholders whose values are numbers."""
    custom = {
        name
        for name, axis in experiment.values.items()
        if all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in axis)
    }
    return {*NUMBERS, *custom, *(axis.name for axis in experiment.axes)}


def _unused(experiment: Experiment, placeholders: set[str]) -> list[str]:
    """Return a note for each varied setting that the command lacks: it reaches the script only through the environment."""
    varied: list[tuple[str, Any]] = [
        ("lr", True),
        ("seed", experiment.seeds > 1),
        ("optimizer", len(experiment.optimizers) > 1),
        ("schedule", len(experiment.schedules) > 1),
        *((name, len(axis) > 1) for name, axis in experiment.values.items()),
        *((name, True) for name in (experiment.study.levels if experiment.study else ())),
    ]
    return [
        f"the command has no {{{name}}}: your script must read LRTUI_{name.upper()} from its environment"
        for name, is_varied in varied
        if is_varied and name not in placeholders
    ]
