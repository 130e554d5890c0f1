"""`lrtui parallel DIR N`: set how many runs train at once."""

from __future__ import annotations

import argparse

from lrtui.cli.arguments import add_directory


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `parallel` takes."""
    add_directory(parser)
    parser.add_argument("parallel", type=int, metavar="N")


def run(options: argparse.Namespace) -> int:
    """Send the command; return the exit code."""
    from lrtui.cli.sending import command_sweep
    from lrtui.frontend import requests

    return command_sweep(
        options.directory, lambda sweep: requests.parallel(sweep, options.parallel)
    )
