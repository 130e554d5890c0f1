"""`lrtui ls`: list the experiments under a folder."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `ls` takes."""
    parser.add_argument("under", type=Path, nargs="?", default=Path("runs"), metavar="DIR")


def run(options: argparse.Namespace) -> int:
    """Print one line for each experiment, and one for each folder that may be one but cannot be read; return 0."""
    from lrtui.cli.inspect import counts_text, sweep_of
    from lrtui.text.clean import clean

    found = 0
    for directory in sorted(path for path in options.under.glob("*") if path.is_dir()):
        try:
            if not (directory / "experiment.toml").exists():
                continue
            sweep = sweep_of(directory)
        except PermissionError:
            said = "cannot be read: permission denied"
        else:
            end = "open" if sweep.closed is None else f"ended ({sweep.closed.code})"
            said = f"{end}  {counts_text(sweep)}"
        found += 1
        print(clean(f"{directory}  {said}"))
    if not found:
        print(f"no experiments under {options.under}; start one: lrtui FILE.toml")
    return 0
