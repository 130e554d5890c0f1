"""`lrtui` without arguments: the experiments that changed last, and what to type next."""

from __future__ import annotations

import os
from pathlib import Path

_MOST = 5


def run() -> int:
    """Print the experiments under runs/ that changed last and the first commands; return 0."""
    from lrtui.cli.inspect import counts_text, sweep_of
    from lrtui.text.clean import clean

    found = [path.parent for path in Path("runs").glob("*/experiment.toml")]
    recent = sorted(found, key=lambda path: os.stat(path).st_mtime, reverse=True)[:_MOST]
    if recent:
        print("Recent experiments:\n")
    for directory in recent:
        sweep = sweep_of(directory)
        end = "open" if sweep.closed is None else "ended"
        print(clean(f"  lrtui {directory}  {end}, {counts_text(sweep) or 'no runs'}"))
    if recent:
        print()
    print(
        "Next:\n\n"
        "  lrtui FILE.toml       start an experiment, or attach to it\n"
        "  lrtui check FILE.toml print what would run\n"
        "  lrtui init train.py   propose an experiment file for your script\n"
        "  lrtui example         list the experiments that come with lrtui\n"
        "  lrtui doctor          check this machine\n"
        "  lrtui help            all verbs and options"
    )
    return 0
