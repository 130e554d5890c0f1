"""`lrtui report DIR`: write the report."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from lrtui.cli.arguments import add_directory
from lrtui.errors import MachineError

if TYPE_CHECKING:
    from lrtui.report import Written

FORMS = {
    "md": "report.md: for people, as text",
    "json": "report.json: for programs; docs/report.md describes it",
    "html": "report.html: for people, with charts, one file",
    "csv": "report.csv, a row per run, and curves.csv",
    "svg": "the charts: sensitivity.svg, curves.svg, ranges.svg",
    "png": "the charts: sensitivity.png, curves.png, ranges.png",
}
"""The formats to choose from; by default md, json, html and csv are written."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `report` takes."""
    add_directory(parser)
    for form, what in FORMS.items():
        parser.add_argument(f"--{form}", action="store_true", help=what)


def run(options: argparse.Namespace) -> int:
    """Write the report and print its paths; return 0, or 5 if a requested format could not be written."""
    asked = [form for form in FORMS if getattr(options, form)]
    written = write(options.directory, asked)
    for path in written.paths:
        print(path)
    if written.missing:
        print(f"lrtui: {written.missing}", file=sys.stderr)
    return MachineError.exit_code if written.missing and asked else 0


def write(directory: Path, forms: Collection[str] = ()) -> Written:
    """Write the report in the requested formats; by default all except separate chart files."""
    from lrtui import report
    from lrtui.cli.inspect import snapshot_of

    return report.write(directory, snapshot_of(directory), forms or report.USUAL)
