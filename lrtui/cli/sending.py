"""How the verbs that command send: one command for each run that is named, each answer printed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from lrtui.cli import attach, inspect
from lrtui.errors import UserError
from lrtui.sweep.events import AnyCommand
from lrtui.sweep.mailbox import send
from lrtui.text.clean import clean


def command_runs(options: argparse.Namespace, make: Callable[[str], AnyCommand]) -> int:
    """Send what `make` returns for the ID of each run in `options.runs`; return the highest exit code."""
    directory = attach.ours(options.directory)
    runs = inspect.find_runs(inspect.sweep_of(directory), directory, options.runs)
    return max(command(directory, make(run.id)) for run in runs)


def command(directory: Path, wanted: AnyCommand) -> int:
    """Send one command and print its answer; return 0 if it was carried out, 2 if it was refused."""
    answer = send(directory, wanted)
    said = clean(answer.answer)
    if answer.ok:
        print(said)
        return 0
    print(f"lrtui: refused: {said}", file=sys.stderr)
    if answer.hint:
        print(f"  {clean(answer.hint).replace(' DIR', f' {directory}')}", file=sys.stderr)
    return UserError.exit_code
