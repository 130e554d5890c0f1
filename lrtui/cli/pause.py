"""`lrtui pause DIR RUN`: let a run write its checkpoint and exit."""

from __future__ import annotations

import argparse

from lrtui.cli.arguments import add_runs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `pause` takes."""
    add_runs(parser)


def run(options: argparse.Namespace) -> int:
    """Send the command for each run; return the exit code."""
    from lrtui.cli.sending import command_runs
    from lrtui.frontend import requests

    return command_runs(options, requests.pause)
