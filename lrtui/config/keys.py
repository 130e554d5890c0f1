"""The keys of an experiment file: the purpose of each, and common misnomers."""

from __future__ import annotations

from lrtui.config.fault_text import names, nearest
from lrtui.config.toml_reader import Reader

KEYS = {
    "command": 'your own script, ["python", "train.py", "--lr={lr}"]; without it the built-in trainer runs',
    "dataset": "the data that the built-in trainer trains on",
    "env": 'environment variables of your own script: { KERAS_BACKEND = "torch" }',
    "callback": "your own script uses a callback of lrtui.integrations: it needs no {until}, {checkpoint}, {lr_to} and {lr_steps}",
    "files": 'templates for your own script: "config.yaml" = "{run_dir}/config.yaml"',
    "inject": "whether `from lrtui import emit` works in your own script's environment without an installed lrtui",
    "model": "the network to train",
    "optimizer": "a name, a table or a list of them",
    "schedule": "the LR over time: a name, a table or a list of them",
    "batch_size": "images per optimizer step",
    "epochs": "the length of a full run, in epochs",
    "steps": "the length of a full run, in optimizer steps",
    "tokens": "the length of a full run, in tokens",
    "metric": 'the metric to optimise: "max val_acc"',
    "loss": "the metric that the health rules read",
    "parse": 'for scripts that print text: a regular expression, a preset such as "keras", or a list of them',
    "read": 'files that your own script\'s loggers write: "{run_dir}/**/metrics.csv", or a list of patterns',
    "position": "what your script calls the step or epoch",
    "first": "0 or 1: the number of your script's first step or epoch",
    "lr": "the learning rates",
    "seeds": "how many seeds each setting gets",
    "seed": "the first seed",
    "keep": "the share of runs that each rung keeps",
    "grace": "no rule stops a run before this length",
    "within": "the difference that you regard as equal, in the metric's unit",
    "value": 'what counts as a run\'s value: "auto", "last", "best" or "mean 3"',
    "budget": "the most that the whole sweep may spend",
    "gpus": "GPUs per run",
    "devices": "the GPUs that may be used",
    "parallel": 'runs at once, or "auto"',
    "data": "share of the training data",
    "precision": "fp32, bf16, or auto: the faster, measured once for all runs",
    "isolation": "process: one for each run; shared: one for all runs of a GPU; auto: shared on GPUs",
    "augment": "random crops and mirroring",
    "data_dir": "the folder of the data",
    "workdir": "the folder in which the commands run",
    "durability": "normal or strict: fsync of every metric line",
    "name": "the name of the experiment's directory",
    "health": "switches health rules off: { stalled = false }",
    "values": "your own placeholders",
    "launcher": "how processes are started",
    "alerts": "a command or a webhook that receives events",
    "study": "one external factor at a time",
    "search": "continuous settings that are searched beside the LR: { from = 1e-3, to = 0.3 }",
}

BUILTIN_ONLY = ("dataset", "augment", "precision", "isolation", "data_dir")
COMMAND_ONLY = (
    "callback",
    "env",
    "files",
    "inject",
    "parse",
    "read",
    "position",
    "first",
    "tokens",
    "values",
)

ALIASES = {
    "learning_rate": "lr",
    "learning_rates": "lr",
    "rates": "lr",
    "batch": "batch_size",
    "bs": "batch_size",
    "script": "command",
    "train": "command",
    "cmd": "command",
    "scheduler": "schedule",
    "lr_scheduler": "schedule",
    "objective": "metric",
    "monitor": "metric",
    "network": "model",
    "net": "model",
    "arch": "model",
    "jobs": "parallel",
    "workers": "parallel",
    "max_parallel": "parallel",
    "early_stopping": "keep",
    "max_steps": "steps",
    "iterations": "steps",
    "max_epochs": "epochs",
    "num_epochs": "epochs",
    "num_seeds": "seeds",
    "trainer": "command",
    "cwd": "workdir",
}


def check_keys(reader: Reader, *, builtin: bool) -> None:
    """Record a fault for each key that does not exist or does not belong to this kind of experiment."""
    for key in reader.data:
        if key not in KEYS:
            _unknown(reader, key)
    for key in BUILTIN_ONLY if not builtin else ():
        if reader.has(key):
            _out_of_place(reader, key)
            reader.drop(key)
    for key in COMMAND_ONLY if builtin else ():
        if reader.has(key):
            what = f"{key} only applies to your own script, and this file has no command"
            hint = f"Remove {key}, or name your script: {_EXAMPLE}"
            reader.fault((key,), what, hint, key=True)
            reader.drop(key)


def _unknown(reader: Reader, key: str) -> None:
    near = ALIASES.get(key.lower().replace("-", "_")) or nearest(key, KEYS)
    hint = f"Did you mean {near}? ({KEYS[near]})" if near else f"Known keys: {names(KEYS)}."
    reader.fault((key,), f"unknown key {names([key])}", hint, key=True)


def _out_of_place(reader: Reader, key: str) -> None:
    what = f"{key} only applies to the built-in trainer, and this file has a command"
    if key == "dataset":
        hint = "Keep one of the two: dataset for the built-in trainer, command for your own script."
    else:
        hint = f"Remove it. To pass your own value, define {key} under [values] and put {{{key}}} into the command."
    reader.fault((key,), what, hint, key=True)


_EXAMPLE = 'command = ["python", "train.py", "--lr={lr}"]'
