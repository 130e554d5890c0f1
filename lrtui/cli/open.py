"""`lrtui FILE.toml` and `lrtui DIR`: start an unfinished sweep, attach to a running one, or view an ended one."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lrtui.cli.arguments import add_max_bytes, add_overrides, add_ownership, max_bytes, overrides
from lrtui.errors import DETACHED, UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `open` takes."""
    parser.add_argument("path", type=Path, metavar="FILE.toml|DIR")
    parser.add_argument("--headless", action="store_true", help="log mode: one line per event")
    parser.add_argument("--json", action="store_true", help="log mode in JSON lines")
    parser.add_argument(
        "--plain",
        action="store_true",
        help="for screen readers: changes as sentences, commands typed as words",
    )
    add_max_bytes(parser)
    parser.add_argument("--dir", type=Path, help="the experiment directory (default: runs/NAME)")
    parser.add_argument("--new", action="store_true", help="start another sweep: runs/NAME-2")
    add_ownership(parser)
    parser.add_argument("--retry", action="store_true", help="run the runs that failed again")
    parser.add_argument("--browser", type=_size, help=argparse.SUPPRESS)  # a tab of `lrtui serve`
    add_overrides(parser)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return int(width), int(height)


def run(options: argparse.Namespace) -> int:
    """Show the experiment in the monitor, or follow it in the log; return the exit code."""
    from lrtui.cli import attach

    if options.browser:
        return attach.in_browser(options.path, options.browser, view=options.view)
    max_bytes(options)  # report a fault before creating anything
    directory, made = attach.directory_of(
        options.path, overrides(options), under=options.dir, new=options.new
    )
    try:
        return _show(directory, options, made=made)
    except KeyboardInterrupt:  # before the monitor or the log has begun; these print it themselves
        print(attach.farewell(directory), file=sys.stderr if options.json else sys.stdout)
        return DETACHED


def _show(directory: Path, options: argparse.Namespace, *, made: bool) -> int:
    """Start or find the supervisor, and show the runs; return the exit code."""
    from lrtui.cli import attach

    asked = options.headless or options.json or options.plain or not sys.stdout.isatty()
    undrawn = "" if asked else attach.why_not_drawn()
    if undrawn:
        print(f"{undrawn}; log mode instead of the monitor")
    log_mode = asked or bool(undrawn)
    if made or not options.json:
        print(f"experiment directory: {directory}", file=sys.stderr if log_mode else sys.stdout)
    why_view = attach.prepare(
        directory, resume=options.resume, view=options.view, takeover=options.takeover
    )
    if why_view and options.retry:
        raise UserError(f"no run can be restarted: {why_view}", str(directory))
    if not made and not why_view:
        from lrtui.cli.retry import retry_failed

        retry_failed(directory, options.path, wanted=options.retry, asks=not log_mode)
    if not log_mode:
        return attach.monitor(directory, why_view, max_bytes(options))
    code = _log(directory, options, why_view)
    if code != DETACHED and not why_view and not options.plain:
        _report(directory)
    return code


def _log(directory: Path, options: argparse.Namespace, why_view: str) -> int:
    """Follow the sweep in log mode instead of the monitor; return the exit code."""
    if options.plain:
        from lrtui.frontend import screenreader

        return screenreader.run(directory, view_only=why_view, start=not options.view)
    from lrtui.frontend import log_mode

    return log_mode.run(directory, json=options.json, start=not options.view)


def _report(directory: Path) -> None:
    from lrtui.cli.report import write

    written = write(directory)
    print(f"report: {written.paths[0]}", file=sys.stderr)
    if written.missing:
        print(f"lrtui: {written.missing}", file=sys.stderr)
