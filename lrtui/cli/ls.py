"""`lrtui ls`: list the experiments under a folder."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `ls` takes."""
    parser.add_argument("under", type=Path, nargs="?", default=Path("runs"), metavar="DIR")


def run(options: argparse.Namespace) -> int:
    """Print one line for each experiment; return 0."""
    from lrtui.cli.inspect import counts_text, sweep_of
    from lrtui.text.clean import clean

    found = sorted(path.parent for path in options.under.glob("*/experiment.toml"))
    for directory in found:
        sweep = sweep_of(directory)
        end = "open" if sweep.closed is None else f"ended ({sweep.closed.code})"
        print(clean(f"{directory}  {end}  {counts_text(sweep)}"))
    if not found:
        print(f"no experiments under {options.under}; start one: lrtui FILE.toml")
    return 0
