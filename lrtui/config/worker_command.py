"""The argv and the environment of one attempt."""

from __future__ import annotations

import glob
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from lrtui.config.experiment import Experiment
from lrtui.config.files_section import rendered
from lrtui.config.placeholders import ALIASES, decided, render, text_of
from lrtui.sweep.axis_places import value_of
from lrtui.sweep.choice import Choice, choice_of
from lrtui.sweep.events import Axis, Scalar
from lrtui.train.optimizers import OPTIMIZERS
from lrtui.train.schedules import SCHEDULES

_BUILTIN = (
    *(
        "--prepared={prepared}",
        "--model={model}",
        "--optimizer={optimizer}",
        "--schedule={schedule}",
    ),
    *(
        "--lr={lr}",
        "--batch-size={batch_size}",
        "--HORIZON={horizon}",
        "--until={until}",
        "--seed={seed}",
    ),
    *(
        "--checkpoint={checkpoint}",
        "--threads={threads}",
        "--precision={precision}",
        "--data={data}",
        "--lr-to={lr_to}",
        "--lr-steps={lr_steps}",
    ),
)


def argv(
    experiment: Experiment, context: Mapping[str, Scalar], *, resumed: bool = False
) -> list[str]:
    """Return the command of one attempt.

    Args:
        experiment: its command, or the built-in trainer's; its constants ({model}, {batch_size}, {data}, ...).
        context: the values of this attempt, [values] included: lr, seed, run, run_dir, optimizer, schedule, gpus,
            port, until, checkpoint; for the built-in trainer also prepared, threads and beside (the experiment file's folder).
        resumed: whether it has a checkpoint to continue from.

    Raises:
        KeyError: a placeholder has no value.

    """
    values = complete(experiment, context)
    words = decided(template(experiment), {"checkpoint"} if resumed else ())
    return [render(word, values) for word in words]


def program(word: str, own: Mapping[str, str]) -> str:
    """Return the path of the program that a command's bare first word stands for, with the variables that the experiment sets; "" for a path, or if there is none."""
    return "" if os.sep in word else shutil.which(word, path=own.get("PATH")) or ""


def own_environment(experiment: Experiment, context: Mapping[str, Scalar]) -> dict[str, str]:
    """Return the variables that the experiment itself gives its script."""
    values = complete(experiment, context)
    return {name: render(text, values) for name, text in experiment.env.items()}


def own_patterns(experiment: Experiment, context: Mapping[str, Scalar], cwd: Path) -> list[str]:
    """Return the absolute patterns of the files that the script's loggers write; relative ones begin in `cwd`."""
    values = {
        name: glob.escape(value) if isinstance(value, str) else value
        for name, value in complete(experiment, context).items()
    }
    beside = Path(glob.escape(str(cwd)))
    return [os.path.normpath(beside / render(pattern, values)) for pattern in experiment.read]


def own_files(experiment: Experiment, context: Mapping[str, Scalar]) -> list[tuple[str, str]]:
    """Return the files that one attempt gets: path and text.

    Raises:
        ValueError: one would be outside of the run's directory.

    """
    return rendered(experiment.files, complete(experiment, context))


def environment(
    context: Mapping[str, Scalar], experiment: Experiment | None = None
) -> dict[str, str]:
    """Return LRTUI_LR, LRTUI_SEED and so on; with `experiment`, its constants and the horizon's alias too."""
    values = complete(experiment, context) if experiment else context
    return {f"LRTUI_{name.upper()}": text_of(name, value) for name, value in values.items()}


def template(experiment: Experiment) -> tuple[str, ...]:
    """Return the argv with placeholders."""
    if experiment.command is not None:
        return experiment.command
    words = (word.replace("HORIZON", ALIASES[experiment.unit]) for word in _BUILTIN)
    return (
        sys.executable,
        "-m",
        "lrtui.train",
        *words,
        *(("--augment",) if experiment.augment else ()),
        *(("--beside={beside}",) if _has_custom_model(experiment) else ()),
    )


def _has_custom_model(experiment: Experiment) -> bool:
    """Return whether a run may import a model from the experiment file's folder."""
    levels = experiment.study.levels.get("model", ()) if experiment.study else ()
    return any(":" in choice_of(str(model)).name for model in (experiment.model, *levels))


def _model(text: str, values: Mapping[str, Scalar]) -> str:
    """Return a model with the width and the depth of a study's level."""
    model = choice_of(text)
    varied = {name: values[name] for name in ("width", "depth") if name in values}
    return Choice(model.name, {**model.options, **varied}).text if varied else text


def complete(experiment: Experiment, context: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Return the context with the experiment's constants added; the context takes precedence.

    By default this is not a range test: the LR stays constant, for 0 steps.
    """
    constants: dict[str, Scalar] = {
        "model": experiment.model,
        "batch_size": experiment.batch_size,
        "data": experiment.data,
        "precision": experiment.precision,
        "gpus": experiment.gpus,
        "horizon": experiment.horizon,
        "until": experiment.horizon,
        "lr_to": context.get("lr", 0.0),
        "lr_steps": 0,
        **{name: axis[0] for name, axis in experiment.values.items() if axis},
    }
    merged = {**{name: value for name, value in constants.items() if value != ""}, **context}
    if experiment.builtin:
        merged["model"] = _model(str(merged.get("model", experiment.model)), merged)
    elif not experiment.batch_size:
        merged.pop("batch_size", None)
    merged[ALIASES[experiment.unit]] = merged["horizon"]
    for axis in experiment.axes:
        _place(merged, axis, builtin=experiment.builtin)
    return merged


def _place(values: dict[str, Scalar], axis: Axis, *, builtin: bool) -> None:
    """Put the value of an axis where its run reads it: for the built-in trainer among the options of the optimizer or schedule.

    A run without one, such as an added one, gets the middle.
    """
    value = values.setdefault(axis.name, value_of(axis, 0.5))
    if not builtin:
        return
    for key, table in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
        chosen = choice_of(str(values[key]))
        if chosen.name in table and axis.name in table[chosen.name].fields:
            values[key] = Choice(chosen.name, {**chosen.options, axis.name: value}).text
