"""Options that several verbs share. Imports nothing heavy: every start of lrtui builds the parser."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from lrtui.errors import UserError

_FEWEST_BYTES = 200


def add_directory(parser: argparse.ArgumentParser) -> None:
    """Add the experiment directory as `directory`."""
    parser.add_argument("directory", type=Path, metavar="DIR")


def add_runs(parser: argparse.ArgumentParser, at_least: str = "+") -> None:
    """Add the experiment directory, and run names as `runs`: one or more; any number with "*"."""
    add_directory(parser)
    parser.add_argument(
        "runs", nargs=at_least, metavar="RUN", help="r03, or a learning rate such as 3e-4"
    )


def add_ownership(parser: argparse.ArgumentParser) -> None:
    """Add the options that decide who owns the runs: `resume`, `view` and `takeover`."""
    parser.add_argument("--resume", action="store_true", help="continue after a stop")
    parser.add_argument("--view", action="store_true", help="view only; start nothing")
    parser.add_argument(
        "--takeover", action="store_true", help="own a copy, or a directory of another host"
    )


def add_max_bytes(parser: argparse.ArgumentParser) -> None:
    """Add `--max-bytes`; read it with `max_bytes`."""
    parser.add_argument(
        "--max-bytes",
        type=int,
        default=os.environ.get("LRTUI_MAX_BYTES", "0"),
        metavar="N",
        help="send the terminal at most N bytes per second (also LRTUI_MAX_BYTES), for a metered or slow link",
    )


def max_bytes(options: argparse.Namespace) -> int:
    """Return how many bytes per second the terminal may get; 0 for no limit.

    Raises:
        UserError: too few to draw with.

    """
    most = int(options.max_bytes)
    if most and most < _FEWEST_BYTES:
        raise UserError(
            f"--max-bytes {most} is too few to draw with",
            hint=f"give at least {_FEWEST_BYTES}, or 0 for no limit",
        )
    return most


def add_overrides(parser: argparse.ArgumentParser) -> None:
    """Add the options that replace keys of the experiment file; read them with `overrides`."""
    parser.add_argument("--dataset", help="instead of the file's, e.g. synthetic")
    parser.add_argument("--epochs", help="instead of the file's")
    parser.add_argument("--lr", help="instead of the file's, e.g. '[1e-3, 1e-2]'")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="any key of the file"
    )


def overrides(options: argparse.Namespace) -> dict[str, str]:
    """Return the values that replace those of the experiment file, by key.

    Raises:
        UserError: `--set` without KEY=VALUE.

    """
    found = {}
    for pair in options.set:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UserError(
                f"--set takes KEY=VALUE, not {pair!r}", hint="for example: --set batch_size=64"
            )
        found[key.strip()] = value.strip()
    for key in ("dataset", "epochs", "lr"):
        if getattr(options, key) is not None:
            found[key] = getattr(options, key)
    return found
