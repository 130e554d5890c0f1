"""`lrtui watch PATH...`: show the monitor on runs that lrtui did not start; read only."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lrtui.cli.arguments import add_max_bytes, max_bytes
from lrtui.errors import UserError

if TYPE_CHECKING:
    from lrtui.frontend.watch.reader import WatchReader


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `watch` takes."""
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="a folder with logs, searched below"
    )
    parser.add_argument(
        "--metric",
        default="",
        metavar="METRIC",
        help='what ranks the runs, such as "min val_loss" (default: the first usual one that is there)',
    )
    parser.add_argument("--headless", action="store_true", help="print the leaderboard once")
    add_max_bytes(parser)


def run(options: argparse.Namespace) -> int:
    """Show the runs until the user leaves, or print them; return the exit code."""
    from lrtui.cli import attach

    most_bytes = max_bytes(options)
    source = _source(options)
    undrawn = attach.why_not_drawn()
    if options.headless or not sys.stdout.isatty() or undrawn:
        from lrtui.frontend.watch import board

        return board.run(source)
    from lrtui import tui
    from lrtui.frontend.watch.reader import VIEW_ONLY

    notice = f"view only: {VIEW_ONLY}"
    return tui.run(source.directory, notice=notice, most_bytes=most_bytes, source=source)


def _source(options: argparse.Namespace) -> WatchReader:
    """Return the reader of the given folders.

    Raises:
        UserError: a path is not a folder, or is an experiment of lrtui's own; the metric is malformed.

    """
    from lrtui.frontend.watch.reader import WatchReader
    from lrtui.sweep.layout import Layout

    for path in options.paths:
        if not path.is_dir():
            what = "is not a folder" if path.exists() else "does not exist"
            hint = f"watch its folder: lrtui watch {path.parent}" if path.exists() else ""
            raise UserError(what, str(path), hint)
        if Layout(path).experiment.is_file():
            raise UserError("is an experiment of lrtui's own", str(path), f"open it: lrtui {path}")
    return WatchReader(options.paths, *_metric(options.metric))


def _metric(text: str) -> tuple[str, Literal["max", "min"] | None]:
    words = text.split(maxsplit=1)
    if len(words) == 2 and words[0] in {"max", "min"}:
        return words[1].strip(), "max" if words[0] == "max" else "min"
    return text.strip(), None
