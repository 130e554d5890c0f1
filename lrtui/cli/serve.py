"""`lrtui serve`: the monitor in a browser (`cli.web`)."""

from __future__ import annotations

import argparse
from pathlib import Path

from lrtui.cli.arguments import add_ownership


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `serve` takes."""
    parser.add_argument("path", type=Path, metavar="FILE.toml|DIR")
    parser.add_argument("--port", type=int, default=0, metavar="N", help="default: a free one")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="the address to listen on, and the only name that browsers may use (default: 127.0.0.1, this machine only)",
    )
    add_ownership(parser)


def run(options: argparse.Namespace) -> int:
    """Serve the monitor until a signal; return 128 and the signal's number."""
    from lrtui.cli import attach, web

    web.require()
    with web.listen(options.host, options.port) as listening:
        directory, _ = attach.directory_of(options.path, {}, under=None, new=False)
        print(f"experiment directory: {directory}")
        attach.prepare(
            directory, resume=options.resume, view=options.view, takeover=options.takeover
        )
        code = web.run(directory, listening, options.host, view_only=options.view)
    print(attach.farewell(directory))
    return code
