"""`lrtui restart DIR RUN`: start ended runs again, or all that failed."""

from __future__ import annotations

import argparse

from lrtui.cli.arguments import add_runs
from lrtui.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `restart` takes."""
    add_runs(parser, at_least="*")
    parser.add_argument("--failed", action="store_true", help="all runs that failed or were lost")
    parser.add_argument(
        "--from-checkpoint", action="store_true", help="continue from the last checkpoint"
    )


def run(options: argparse.Namespace) -> int:
    """Send the command for each run; return the exit code."""
    from functools import partial

    from lrtui.cli.sending import command_runs, command_sweep
    from lrtui.frontend import requests

    if options.failed == bool(options.runs):
        raise UserError("restart takes either runs or --failed", hint=_HINT)
    if options.failed:
        return command_sweep(
            options.directory, partial(requests.restart_failed, checkpoint=options.from_checkpoint)
        )
    return command_runs(options, partial(requests.restart, checkpoint=options.from_checkpoint))


_HINT = "for example: lrtui restart DIR r03, or lrtui restart DIR --failed"
