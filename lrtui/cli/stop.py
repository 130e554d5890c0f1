"""`lrtui stop DIR`: end the sweep; its runs write their checkpoints."""

from __future__ import annotations

import argparse

from lrtui.cli.arguments import add_directory


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `stop` takes."""
    add_directory(parser)


def run(options: argparse.Namespace) -> int:
    """Send the command and say how to continue; return the exit code."""
    from lrtui.cli.sending import command_sweep
    from lrtui.frontend import requests

    code = command_sweep(options.directory, requests.stop)
    if code == 0:
        print(f"  to continue: lrtui {options.directory} --resume")
    return code
