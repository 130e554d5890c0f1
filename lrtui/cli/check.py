"""`lrtui check FILE.toml`: validate an experiment file and print what would run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from lrtui.cli.arguments import add_overrides, overrides

if TYPE_CHECKING:
    from lrtui.config import Experiment


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `check` takes."""
    parser.add_argument("path", type=Path, metavar="FILE.toml")
    add_overrides(parser)


def run(options: argparse.Namespace) -> int:
    """Print the experiment and its schedules; return 0.

    Raises:
        MachineError: it is for a Slurm cluster, which refuses its jobs.

    """
    from lrtui.config import describe, load
    from lrtui.config.schedule_charts import draw

    experiment = load(options.path, overrides(options))
    print(*describe(experiment), sep="\n", flush=True)
    for line in draw(experiment):  # it asks the trainer, which takes one or two seconds
        print(line)
    if experiment.launcher.get("kind") == "slurm":
        print(f"\nnote: {_slurms_answer(experiment)}")
    return 0


def _slurms_answer(experiment: Experiment) -> str:
    """Return what Slurm says about a job in a dry run (`sbatch --test-only`)."""
    from lrtui.errors import MachineError
    from lrtui.supervisor.allocation import SLURM_HINT
    from lrtui.workers.slurm.job_options import options_of
    from lrtui.workers.slurm.queue import NO_SBATCH, tried

    trial = tried(options_of(experiment.launcher))
    if trial.refused and trial.answer != NO_SBATCH:
        raise MachineError(trial.answer, experiment.path, SLURM_HINT)
    return trial.answer
