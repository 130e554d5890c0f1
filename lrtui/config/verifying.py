"""`lrtui verify FILE`: asks the trainer whether the file's LRs learn together what each learns alone."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import msgspec

from lrtui.config.describe import planned
from lrtui.config.experiment import Experiment
from lrtui.config.worker_command import argv
from lrtui.errors import MachineError, UserError
from lrtui.search import Start
from lrtui.sweep.events import Scalar
from lrtui.text.clean import clean
from lrtui.train.options import AUTO

USAGE = 2
"""The exit code of a preparation that cannot use the user's own data."""
TAKEN = 4
"""LRs that stand for a range that is yet to be searched."""


def verify(experiment: Experiment, steps: int) -> int:
    """Prepare the data, train `steps` of every LR alone and together, and print what came of it; return the exit code.

    0: all weights are equal; 1: some are not, or a run cannot be trained.

    Raises:
        UserError: the experiment has no LRs to compare, or trains a script of the user's own.
        MachineError: its data cannot be had.

    """
    if not experiment.builtin:
        raise UserError(
            "verify compares runs of the built-in trainer, and this file has a command of its own",
            experiment.path,
        )
    prepared = _prepare(experiment)
    commands = [
        argv(experiment, _context(experiment, start, prepared))[3:] for start in _starts(experiment)
    ]
    if not commands:
        raise UserError("there is nothing to compare: the file plans no run", experiment.path)
    with tempfile.TemporaryFile("w+") as faults:
        child = subprocess.Popen(
            [sys.executable, "-m", "lrtui.train.verify", f"--steps={steps}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=faults,
            text=True,
        )
        assert child.stdin is not None  # noqa: S101  # both are pipes
        assert child.stdout is not None  # noqa: S101
        with contextlib.suppress(BrokenPipeError), child.stdin as pipe:  # it may have ended already
            pipe.write(json.dumps(commands))
        for line in child.stdout:
            print(clean(line.rstrip("\n")), flush=True)
        code = child.wait()
        faults.seek(0)
        for line in faults:
            print(clean(line.rstrip("\n")), file=sys.stderr)
    return code


def _starts(experiment: Experiment) -> list[Start]:
    """Return the planned runs: of a range test LRs from its range, of a study of data sets those on the base's."""
    starts = []
    for start in planned(experiment):
        if not start.lr_steps:
            starts.append(start)
            continue
        first = start.setting.lr
        for number in range(TAKEN):
            lr = first * (start.lr_to / first) ** (number / (TAKEN - 1))
            setting = msgspec.structs.replace(start.setting, lr=lr)
            starts.append(replace(start, setting=setting, lr_to=0.0, lr_steps=0))
    return [start for start in starts if "dataset" not in start.setting.values]


def _context(experiment: Experiment, start: Start, prepared: dict[str, str]) -> dict[str, Scalar]:
    setting = start.setting
    return {
        **setting.values,
        "lr": setting.lr,
        "optimizer": setting.optimizer,
        "schedule": setting.schedule,
        "seed": start.seed,
        "until": start.until,
        "run": "verify",
        "run_dir": "",
        "checkpoint": os.devnull,  # verify keeps none
        "prepared": prepared["path"],
        "threads": 1,
        "beside": str(_beside(experiment)),
        **({"precision": prepared["precision"]} if "precision" in prepared else {}),
    }


def _prepare(experiment: Experiment) -> dict[str, str]:
    """Return what the preparation of the data answers."""
    words = [sys.executable, "-m", "lrtui.train.prepare", f"--dataset={experiment.dataset}"]
    words += [f"--data-dir={Path(experiment.data_dir or 'data').absolute()}"]
    words += [f"--beside={_beside(experiment)}"]
    if experiment.precision == AUTO:
        words += [f"--model={experiment.model}", f"--batch-size={experiment.batch_size}"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        why = "\n".join(map(clean, done.stderr.strip().splitlines()[-6:]))
        raise (UserError if done.returncode == USAGE else MachineError)(
            f"the data could not be prepared: {why}", experiment.path
        )
    answer: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _beside(experiment: Experiment) -> Path:
    return Path(experiment.path).absolute().parent
