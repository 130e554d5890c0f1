"""`lrtui doctor [DIR]`: check this machine, or an experiment directory."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `doctor` takes."""
    parser.add_argument("directory", type=Path, nargs="?", metavar="DIR")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(options: argparse.Namespace) -> int:
    """Print what was found; return the exit code of the visit."""
    from lrtui.cli.doctor import visit

    if options.directory is not None:
        return visit.directory_visit(options.directory, as_json=options.json)
    return visit.machine_visit(as_json=options.json)
