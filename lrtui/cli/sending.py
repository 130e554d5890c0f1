"""Sends commands for the verbs: one command per run, and prints each answer."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from lrtui.cli import attach, inspect
from lrtui.errors import NoAnswerError, UserError
from lrtui.sweep.allowed import Refusal
from lrtui.sweep.events import AnyCommand
from lrtui.sweep.mailbox import send
from lrtui.sweep.state import Run, Sweep
from lrtui.text.clean import clean


def command_runs(
    options: argparse.Namespace, request: Callable[[Sweep, Run], AnyCommand | Refusal]
) -> int:
    """Send what `request` returns for each run in `options.runs`; return the highest exit code."""
    directory = attach.ours(options.directory)
    sweep = inspect.sweep_of(directory)
    runs = inspect.find_runs(sweep, directory, options.runs)
    return max(_send(directory, request(sweep, run)) for run in runs)


def command_sweep(
    directory: Path,
    request: Callable[[Sweep], AnyCommand | Refusal | tuple[AnyCommand | Refusal, ...]],
) -> int:
    """Send what `request` returns; return the highest exit code."""
    wanted = request(inspect.sweep_of(attach.ours(directory)))
    each = wanted if isinstance(wanted, tuple) else (wanted,)
    return max(_send(directory, one) for one in each)


def _send(directory: Path, wanted: AnyCommand | Refusal) -> int:
    """Send one command and print its answer; return 0 if it was carried out, 2 if it was refused, 5 without an answer."""
    if isinstance(wanted, Refusal):
        return _refused(directory, wanted.what, wanted.hint)
    try:
        answer = send(directory, wanted)
    except NoAnswerError as error:  # the other named runs still get their commands
        print(f"lrtui: {error}", file=sys.stderr)
        return error.exit_code
    if not answer.ok:
        return _refused(directory, answer.answer, answer.hint)
    print(clean(answer.answer))
    return 0


def _refused(directory: Path, what: str, hint: str) -> int:
    print(f"lrtui: refused: {clean(what)}", file=sys.stderr)
    if hint:
        print(f"  {clean(hint).replace(' DIR', f' {directory}')}", file=sys.stderr)
    return UserError.exit_code
