"""`lrtui doctor [DIR]`: check this machine, or an experiment directory."""

from __future__ import annotations

import argparse
from pathlib import Path

from lrtui.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `doctor` takes."""
    parser.add_argument("directory", type=Path, nargs="?", metavar="DIR")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--repair", action="store_true", help="mend in DIR what is safe to mend")


def run(options: argparse.Namespace) -> int:
    """Print what was found; return the exit code of the visit."""
    from lrtui.cli.doctor import visit

    if options.directory is not None:
        return visit.directory_visit(options.directory, as_json=options.json, repair=options.repair)
    if options.repair:
        raise UserError(
            "--repair mends an experiment directory, and none was named",
            hint="name it: lrtui doctor DIR --repair",
        )
    return visit.machine_visit(as_json=options.json)
