"""`lrtui status DIR`: print the current state of a sweep."""

from __future__ import annotations

import argparse
import math
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from lrtui.cli.arguments import add_directory

if TYPE_CHECKING:
    from lrtui.frontend.snapshot import Snapshot


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `status` takes."""
    add_directory(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(options: argparse.Namespace) -> int:
    """Print the current state; return 0."""
    from lrtui.cli.inspect import snapshot_of

    snapshot = snapshot_of(options.directory)
    state, host = _supervisor(options.directory, snapshot)
    if options.json:
        _print_json(options.directory, snapshot, state, host)
    else:
        _print_text(options.directory, snapshot, f"{state} on {host}" if host else state)
    return 0


def _supervisor(directory: Path, snapshot: Snapshot) -> tuple[str, str]:
    """Return the supervisor's state, and the other host that it runs on ("" if none); that host's clock is not relied on."""
    from lrtui.supervisor import lease
    from lrtui.sweep.layout import Layout

    folder = Layout(directory).lease
    host = lease.host(folder)
    state = (
        "alive" if snapshot.supervisor != "alive" and lease.lives(folder) else snapshot.supervisor
    )
    return state, host if state == "alive" and host != socket.gethostname() else ""


def _print_json(directory: Path, snapshot: Snapshot, state: str, host: str) -> None:
    import json

    import msgspec

    sweep = snapshot.sweep
    rows = [msgspec.to_builtins(row) for row in snapshot.standings]
    closed = None if sweep.closed is None else {"code": sweep.closed.code, "why": sweep.closed.why}
    content = {
        "version": 1,
        "directory": str(directory),
        "supervisor": state,
        **({"supervisor_host": host} if host else {}),
        "runs": {run.id: str(run.state) for run in sweep.runs.values()},
        "leaderboard": [{k: _finite(v) for k, v in row.items()} for row in rows],
        "brake": sweep.brake,
        "closed": closed,
    }
    plain = msgspec.json.decode(msgspec.json.encode(content))
    print(
        json.dumps(plain, indent=1)
    )  # in ASCII: msgspec leaves C1 and bidi characters as they are


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _print_text(directory: Path, snapshot: Snapshot, supervisor: str) -> None:
    from lrtui.cli.inspect import counts_text
    from lrtui.frontend import log_mode
    from lrtui.text.clean import clean

    sweep, plan = snapshot.sweep, snapshot.sweep.plan
    name = clean(plan.name) if plan else directory
    print(f"{name}: {counts_text(sweep) or 'no run yet'}; supervisor: {supervisor}")
    if plan and snapshot.problem:
        print(f"  warning: {snapshot.problem}")
    if sweep.brake:
        print(f"  no run is launched: {clean(sweep.brake)}")
    for warned in sweep.warnings[-3:]:
        about = f"{warned.run}: " if warned.run else ""
        print(f"  warning: {clean(about + warned.text)}")
    if plan:
        for line in log_mode.leaderboard_text(snapshot.standings, plan, 100):
            print(line)
    if sweep.closed:
        first, *more = sweep.closed.why.splitlines() or [""]
        print(f"ended with exit code {sweep.closed.code}: {clean(first)}")
        for line in more:
            print(f"  {clean(line)}")
