"""`lrtui restart DIR RUN`: start an ended run again."""

from __future__ import annotations

import argparse

from lrtui.cli.arguments import add_runs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `restart` takes."""
    add_runs(parser)
    parser.add_argument(
        "--from-checkpoint", action="store_true", help="continue from the last checkpoint"
    )


def run(options: argparse.Namespace) -> int:
    """Send the command for each run; return the exit code."""
    from functools import partial

    from lrtui.cli.sending import command_runs
    from lrtui.frontend import requests

    return command_runs(options, partial(requests.restart, checkpoint=options.from_checkpoint))
