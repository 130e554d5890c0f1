"""What `lrtui check` prints, and the keys in which two experiments differ."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

from lrtui.config.experiment import Experiment
from lrtui.config.placeholders import ALIASES, has_condition
from lrtui.config.worker_command import argv, own_environment, own_files, program
from lrtui.search import Auto, RangeTest, needs_range, pilots, predicted_level
from lrtui.search.halving import begins_with_few, cost
from lrtui.search.pilots import FIRST
from lrtui.search.range_test import STEPS
from lrtui.sweep.events import RunQueued, Scalar
from lrtui.sweep.state import Sweep, level_text
from lrtui.text.clean import clean
from lrtui.text.format import amount_grouped, lr_text, setting_value
from lrtui.train.options import AUTO, PRECISIONS

_RUNS_SHOWN = 40
_LINES_SHOWN = 20


def describe(experiment: Experiment) -> list[str]:
    """Return the lines that describe what would run: the experiment, each run, and the command of the first."""
    starts = planned(experiment)
    unit = ALIASES[experiment.unit]
    facts = [
        ("experiment", experiment.name),
        ("trains", _task(experiment)),
        ("lr", search_words(experiment)),
        *_axes(experiment),
        *_study(experiment),
        ("length", f"{amount_grouped(experiment.horizon)} {unit} each"),
        ("metric", f"{experiment.goal} {experiment.metric} ({_value(experiment.value)})"),
        ("parallel", _parallel(experiment)),
        *_cluster(experiment, len(starts)),
        *_search(experiment),
        ("total", _in_all(experiment, starts)),
    ]
    lines = [f"{name:<11} {text}" for name, text in facts]
    lines += ["", *_runs(starts)]
    if starts:
        lines += ["", *_first_run(experiment, starts[0])]
    if experiment.notes:
        lines += ["", *(f"note: {note}" for note in experiment.notes)]
    return [clean(line) for line in lines]


def search_words(experiment: Experiment) -> str:
    """Return the strategy in words: of `auto` what it begins around and with, for this script and these schedules."""
    said, space = experiment.strategy.describe(), experiment.space()
    if not experiment.can_range_test:
        said = said.replace("the valley of a range test", "the usual LR")
    if isinstance(experiment.strategy, Auto) and set(space.rungs) <= set(space.pilots):
        said = said.replace("the best continue", "one trains to the end")
        if "around" in said:
            said = said.replace("auto: ", f"auto: pilots at {FIRST} of ", 1)
    elif isinstance(experiment.strategy, Auto) and all(map(_follows_down(experiment), space.rungs)):
        said = said.replace("the best continue", "the best and the next lower continue")
        if "around" in said:
            said = said.replace("auto: ", f"auto: {FIRST} of ", 1)
    return said


def _follows_down(experiment: Experiment) -> Callable[[str], bool]:
    """Return the condition under which the search with a schedule follows the best LR down."""
    space = experiment.space()
    autos = pilots(experiment.strategy)
    cells = {cell.schedule: cell for cell in space.cells()}
    return lambda text: autos and begins_with_few(space, cells[text])


def _search(experiment: Experiment) -> list[tuple[str, str]]:
    """Return the lengths at which settings are compared, and the budget."""
    space, unit = experiment.space(), ALIASES[experiment.unit]
    lines = []
    for text in space.rungs:
        if len(space.rungs[text]) > 1:
            at = ", ".join(amount_grouped(rung) for rung in space.rungs[text])
            named = f" ({text})" if len(space.rungs) > 1 else ""
            if text in space.pilots:
                over = " and ".join(map(amount_grouped, space.pilots[text]))
                lines.append(
                    ("pilots", f"the whole schedule over {over} {unit}{named}; one LR by their best trains to the end")
                )  # fmt: skip
                continue
            going = f"{experiment.keep} of the runs continue, at least two"
            if _follows_down(experiment)(text):
                going = "the best and the next lower LR continue"
            lines.append(("compared", f"at {at} {unit}{named}; {going}"))
    if experiment.budget is not None:
        lines.append(("budget", experiment.budget))
    return lines


def _in_all(experiment: Experiment, starts: list[RunQueued]) -> str:
    """Return what the experiment costs, as far as that is known before the first run."""
    unit = ALIASES[experiment.unit]
    if experiment.keep == "all" and not needs_range(experiment.strategy):
        total = amount_grouped(experiment.horizon * len(starts))
        return f"{len(starts)} run{'s' * (len(starts) != 1)}, {total} {unit}"
    test = f"a range test of {STEPS} steps" if starts and starts[0].lr_steps else ""
    if isinstance(experiment.strategy, RangeTest):
        return test
    spent, whole = cost(experiment.space(), experiment.strategy.count)
    share = f"about {amount_grouped(round(spent))} {unit}, {spent / whole:.0%} of the cost of training all LRs to the end"
    return f"{test}, then {share}" if test else share


def planned(experiment: Experiment) -> list[RunQueued]:
    """Return the runs that the experiment starts with, in order."""
    decisions = experiment.strategy.decide(Sweep(), experiment.space())
    return [decision for decision in decisions if isinstance(decision, RunQueued)]


def same_experiment(a: Experiment, b: Experiment) -> list[str]:
    """Return the keys in which two experiments differ; [] if they would run the same.

    Comments, order, spelling (1e-3 or 0.001) and the file's name do not count.
    """
    ours, theirs = _meaning(a), _meaning(b)
    return [key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)]


def _meaning(experiment: Experiment) -> dict[str, Any]:
    """Return the values that decide what an experiment runs, by the keys of the file."""
    given: dict[str, Any] = {
        "command": experiment.command,
        "env": dict(experiment.env),
        "files": experiment.files,
        "callback": experiment.callback,
        "inject": experiment.inject,
        "dataset": experiment.dataset,
        "model": experiment.model,
        "optimizer": experiment.optimizers,
        "schedule": experiment.schedules,
        "batch_size": experiment.batch_size,
        ALIASES[experiment.unit]: experiment.horizon,
        "metric": experiment.objective,
        "lr": experiment.strategy,
        **{
            f"values.{name}": [(type(each), each) for each in axis]
            for name, axis in experiment.values.items()
        },
        "study": experiment.study,
        "search": experiment.axes,
        **{f"health.{rule}": value for rule, value in experiment.health.items()},
        "launcher": dict(experiment.launcher),
        "alerts": str(experiment.alerts),
    }
    plain = (
        *(
            "loss",
            "parse",
            "position",
            "first",
            "read",
            "seeds",
            "seed",
            "keep",
            "grace",
            "within",
            "value",
            "budget",
            "gpus",
            "devices",
        ),
        *(
            "parallel",
            "data",
            "precision",
            "isolation",
            "augment",
            "data_dir",
            "workdir",
            "durability",
        ),
    )
    return given | {key: getattr(experiment, key) for key in plain}


def _task(experiment: Experiment) -> str:
    if experiment.command is not None:
        return "your own script"
    share = "" if experiment.data == 1 else f", {experiment.data:.3g} of the training data"
    augmented = ", augmented" * experiment.augment
    model, dataset = (
        level_text("model", experiment.model),
        level_text("dataset", experiment.dataset),
    )
    precision = experiment.precision
    if precision == AUTO:
        precision = f"{' or '.join(PRECISIONS)}, whichever measures faster before the first run"
    return (
        f"{model} on {dataset}, batches of {experiment.batch_size}{share}{augmented}, {precision}"
    )


def _axes(experiment: Experiment) -> list[tuple[str, str]]:
    """Return one line for each setting of the runs besides the LR."""
    lines = []
    if experiment.optimizers:
        lines.append(("optimizer", _choices(experiment.optimizers)))
    if experiment.schedules:
        lines.append(("schedule", _choices(experiment.schedules)))
    lines += [(name, _choices(axis)) for name, axis in experiment.values.items()]
    lines += [
        (
            axis.name,
            f"from {setting_value(axis.low)} to {setting_value(axis.high)}, searched beside the LR ({axis.scale})",
        )
        for axis in experiment.axes
    ]
    last = experiment.seed + experiment.seeds - 1
    many = experiment.seeds > 1
    lines.append(("seeds", f"{experiment.seed} to {last}") if many else ("seed", str(last)))
    return lines


def _study(experiment: Experiment) -> list[tuple[str, str]]:
    """Return one line for each factor of a study, the base's level in brackets, and one for what all levels train for."""
    study = experiment.study
    if study is None:
        return []
    lines = []
    for factor, levels in study.levels.items():
        texts = ", ".join(level_text(factor, level) for level in levels)
        own = level_text(factor, study.base[factor])
        lines.append(("study", f"{factor} {texts} (besides {own}), one at a time"))
    lines += [("predict", _predicted(experiment, factor)) for factor in study.predict]
    unit = ALIASES[experiment.unit]
    return [
        *lines,
        ("held", f"{unit}: every level trains {amount_grouped(experiment.horizon)} of them"),
    ]


def _predicted(experiment: Experiment, factor: str) -> str:
    """Return which level is predicted, and the cost of checking it."""
    study = experiment.study
    assert study is not None  # noqa: S101  # it names the factor
    text = f"{factor} {level_text(factor, study.predict[factor])}"
    if not study.check:
        return f"{text}, which is not trained"
    runs = len(predicted_level.STEPS) * experiment.seeds
    length = amount_grouped(runs * experiment.horizon)
    return f"{text}, then trained around the predicted LR to check it: {runs} runs, {length} {ALIASES[experiment.unit]} more"


def _choices(axis: tuple[Scalar, ...]) -> str:
    texts = ", ".join(str(each).lower() if isinstance(each, bool) else str(each) for each in axis)
    return texts if len(axis) == 1 else f"{texts} (in all combinations)"


def _value(value: str) -> str:
    """Return which of a run's values counts, in words."""
    if value.startswith("mean"):
        return f"the mean of the last {value.split()[1]}"
    return (
        "the last one; if it scatters, the mean of the last tenth"
        if value == "auto"
        else f"the {value} one"
    )


def _cluster(experiment: Experiment, runs: int) -> list[tuple[str, str]]:
    """Return the command that submits the first wave to a cluster."""
    if experiment.launcher.get("kind") != "slurm":
        return []
    from lrtui.workers.slurm.job_options import (  # imported only if an experiment names it
        options_of,
        shown,
    )

    return [("submitted", shown(options_of(experiment.launcher), experiment.name, runs))]


def _parallel(experiment: Experiment) -> str:
    if experiment.launcher.get("kind") == "slurm":
        most = experiment.launcher.get("at_most")
        return f"at most {most} in Slurm" if most else "as many as Slurm runs"
    gpus = f", {experiment.gpus} GPUs each" if experiment.gpus > 1 else ""
    devices = f", on GPU {', '.join(map(str, experiment.devices))}" if experiment.devices else ""
    count = (
        "as many as fit on the machine"
        if experiment.parallel == "auto"
        else str(experiment.parallel)
    )
    return f"{count}{gpus}{devices}"


def _runs(starts: list[RunQueued]) -> list[str]:
    """Return one line per run, with the settings that differ between runs."""
    names = list(dict.fromkeys(name for start in starts for name in start.setting.named))
    columns = [_row(start, names) for start in starts]
    varied = [
        i
        for i in range(1, len(columns[0]) if columns else 0)
        if len(Counter(row[i] for row in columns)) > 1
    ]
    rows = [[row[0], *(row[i] for i in varied)] for row in columns[:_RUNS_SHOWN]]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for number, row in enumerate(rows, 1):
        cells = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines.append(f"  r{number:02}  {cells}".rstrip())
    hidden = len(starts) - len(rows)
    return [*lines, *([f"  and {hidden} more"] * (hidden > 0))]


def _row(start: RunQueued, names: list[str]) -> list[str]:
    """Return a run's settings in columns; "" for a name without a value, as in the base of a study."""
    setting = start.setting
    values = (
        f"{name}={level_text(name, setting.named[name])}" if name in setting.named else ""
        for name in names
    )
    return [
        f"lr {lr_text(setting.lr)}",
        setting.optimizer,
        setting.schedule,
        *values,
        f"seed {start.seed}",
    ]


def _first_run(experiment: Experiment, start: RunQueued) -> list[str]:
    """Return the command of the first run in a form that can be typed, and the files that it gets."""
    context = _first_context(experiment, start)
    own, words = own_environment(experiment, context), argv(experiment, context)
    env = [f"{name}={value}" for name, value in own.items()]
    lines = ["command of the first run:", f"  {shlex.join([*env, *words])}"]
    found = program(words[0], own) if experiment.launcher.get("kind") != "slurm" else ""
    lines += [f"  {words[0]} is {found}"] if found else []
    if has_condition(experiment.command or ()):
        again = shlex.join([*env, *argv(experiment, context, resumed=True)])
        lines += ["command that continues it from its checkpoint:", f"  {again}"]
    for path, text in own_files(experiment, context):
        content = text.splitlines()
        lines += [f"{path}:", *(f"  {line}" for line in content[:_LINES_SHOWN])]
        if len(content) > _LINES_SHOWN:
            lines.append(f"  and {len(content) - _LINES_SHOWN} more lines")
    return lines


def _first_context(experiment: Experiment, start: RunQueued) -> dict[str, Scalar]:
    """Return the values of the first run; those known only at launch are in capitals."""
    setting = start.setting
    return {
        **setting.named,
        "lr": setting.lr,
        "optimizer": setting.optimizer,
        "schedule": setting.schedule,
        "seed": start.seed,
        "until": start.until,
        "horizon": start.until if start.pilot else experiment.horizon,
        "run": "r01",
        "run_dir": f"runs/{experiment.name}/r01-lr{lr_text(setting.lr)}",
        "checkpoint": f"runs/{experiment.name}/r01-lr{lr_text(setting.lr)}/a1/checkpoint",
        "port": "PORT",
        "prepared": "DATA",
        "beside": str(PurePath(experiment.path).parent),
        "threads": "THREADS",
        **({"precision": "PRECISION"} if experiment.precision == AUTO else {}),
    }
