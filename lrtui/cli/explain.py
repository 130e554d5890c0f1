"""`lrtui explain DIR [RUN]`: say why a run waits, runs or ended."""

from __future__ import annotations

import argparse
import sys

from lrtui.cli.arguments import add_directory

_MOST_SECONDS = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `explain` takes."""
    add_directory(parser)
    parser.add_argument("runs", nargs="*", metavar="RUN")


def run(options: argparse.Namespace) -> int:
    """Print the reasons, by default of all runs; return 0."""
    from lrtui.cli.inspect import find_runs, snapshot_of
    from lrtui.frontend.explain import explanation
    from lrtui.frontend.failure import about_output
    from lrtui.text.format import duration

    directory = options.directory
    snapshot = snapshot_of(directory, _MOST_SECONDS)
    sweep = snapshot.sweep
    runs = find_runs(sweep, directory, options.runs) if options.runs else list(sweep.runs.values())
    for each in runs:
        print(*explanation(sweep, each, directory), sep="\n")
        for line in about_output(snapshot, each):
            print(f"  {line}")
    if snapshot.reading:
        print(f"lrtui: not all output was read within {duration(_MOST_SECONDS)}", file=sys.stderr)
    return 0
