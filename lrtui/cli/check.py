"""`lrtui check FILE.toml`: validate an experiment file and print what would run."""

from __future__ import annotations

import argparse
from pathlib import Path

from lrtui.cli.arguments import add_overrides, overrides


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `check` takes."""
    parser.add_argument("path", type=Path, metavar="FILE.toml")
    add_overrides(parser)


def run(options: argparse.Namespace) -> int:
    """Print the experiment and its schedules; return 0."""
    from lrtui.config import describe, load
    from lrtui.config.schedule_charts import draw

    experiment = load(options.path, overrides(options))
    print(*describe(experiment), sep="\n", flush=True)
    for line in draw(experiment):  # asks the trainer, which takes a second or two
        print(line)
    return 0
