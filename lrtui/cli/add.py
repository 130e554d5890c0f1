"""`lrtui add DIR --lr LR [--lr LR ...]`: add runs with other learning rates."""

from __future__ import annotations

import argparse

from lrtui.cli.arguments import add_directory


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `add` takes."""
    add_directory(parser)
    parser.add_argument(
        "--lr",
        type=float,
        action="append",
        required=True,
        help="the learning rate of a new run; may be repeated",
    )
    parser.add_argument("--like", metavar="RUN", help="take the other settings of this run")
    parser.add_argument(
        "--seed", type=int, help="its seed (default: that of RUN, else of the first run)"
    )


def run(options: argparse.Namespace) -> int:
    """Send the command; return the exit code."""
    from lrtui.cli.sending import command_sweep
    from lrtui.frontend import requests

    return command_sweep(
        options.directory,
        lambda sweep: tuple(
            requests.add(sweep, lr, options.like, seed=options.seed) for lr in options.lr
        ),
    )
