"""`lrtui export DIR --to TOOL`: write an experiment in the format of another tool."""

from __future__ import annotations

import argparse
import os
import shlex
from pathlib import Path

from lrtui.cli.arguments import add_directory
from lrtui.text.format import count

TOOLS = ("tensorboard", "wandb", "mlflow", "csv", "parquet")
"""The keys of `lrtui.export.TARGETS`, copied so that starting lrtui does not import it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `export` takes."""
    add_directory(parser)
    parser.add_argument("--to", required=True, choices=TOOLS, metavar="TOOL", help=", ".join(TOOLS))
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FOLDER",
        help="the folder to fill; by default NAME-TOOL here, where NAME is that of DIR",
    )
    parser.add_argument(
        "--force", action="store_true", help="replace what an earlier export wrote there"
    )


def run(options: argparse.Namespace) -> int:
    """Export; print what was written and how to open it; return 0."""
    from lrtui.cli.inspect import snapshot_of
    from lrtui.export import TARGETS, export

    name = os.path.basename(os.path.realpath(options.directory))
    folder = options.output or Path(f"{name}-{options.to}")
    done = export(snapshot_of(options.directory), options.to, folder, force=options.force)
    print(f"{folder}: {count(done.runs, 'run')}, {done.values:,} values")
    opens = TARGETS[options.to].opens
    if opens:
        print(f"a step is {done.steps}")
        print(f"open it: {opens.replace('FOLDER', shlex.quote(str(folder)))}")
    return 0
