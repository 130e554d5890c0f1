"""`lrtui replay DIR`: play a recorded sweep again in the monitor; launches nothing."""

from __future__ import annotations

import argparse

from lrtui.cli.arguments import add_directory, add_max_bytes, max_bytes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `replay` takes."""
    add_directory(parser)
    parser.add_argument(
        "--speed", type=float, default=20.0, metavar="X", help="times as fast as it was (20)"
    )
    add_max_bytes(parser)


def run(options: argparse.Namespace) -> int:
    """Play the sweep until the user leaves; return the exit code."""
    from lrtui import tui
    from lrtui.cli.attach import existing

    most_bytes = max_bytes(options)
    return tui.replay(existing(options.directory), options.speed, most_bytes=most_bytes)
