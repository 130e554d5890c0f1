"""`lrtui FILE.toml` on a sweep with failed runs: report whether the script changed since, and run those runs again."""

from __future__ import annotations

import sys
from pathlib import Path

from lrtui.cli.inspect import sweep_of
from lrtui.errors import UserError
from lrtui.frontend import requests
from lrtui.supervisor.provenance import changed_scripts
from lrtui.sweep.allowed import Refusal
from lrtui.sweep.layout import Layout
from lrtui.sweep.mailbox import send
from lrtui.sweep.state import Sweep
from lrtui.text.clean import clean


def retry_failed(directory: Path, opened: Path, *, wanted: bool, asks: bool) -> None:
    """Run failed runs again if `wanted`, or if a script changed and the user agrees (asked only if `asks`); else print how to.

    Raises:
        UserError: the wanted restart was refused.

    """
    sweep = sweep_of(directory)
    if not sweep.failed():
        return
    changed = changed_in(sweep, directory)
    said = in_words(sweep, changed)
    if changed and asks and not wanted:
        wanted = _agrees(f"{said}. Run them again? [Y/n] ")
    if wanted:
        _restart(sweep, directory)
        print(f"{said}; running them again", file=sys.stderr)
    elif not asks and (changed or sweep.closed is not None):
        print(f"{said}; to run them again: lrtui {opened} --retry", file=sys.stderr)


def changed_in(sweep: Sweep, directory: Path) -> list[str]:
    """Return the names of the scripts of failed runs, if they changed since; [] if they are the same."""
    layout = Layout(directory)
    attempts = [
        layout.attempt(run.folder, run.attempt.number) for run in sweep.failed() if run.attempt
    ]
    return list(dict.fromkeys(name for each in attempts for name in changed_scripts(each)))


def in_words(sweep: Sweep, changed: list[str]) -> str:
    """Return how many runs failed, and which scripts changed since."""
    failed, runs = len(sweep.failed()), len(sweep.runs)
    said = f"{failed} of {runs} runs failed"
    return clean(f"{' or '.join(changed)} changed since {said}") if changed else said


def _agrees(question: str) -> bool:
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"", "y", "yes"}


def _restart(sweep: Sweep, directory: Path) -> None:
    asked = requests.restart_failed(sweep)
    if isinstance(asked, Refusal):
        raise UserError(asked.what, str(directory), asked.hint.replace("DIR", str(directory)))
    for command in asked:
        answer = send(directory, command)
        if not answer.ok:
            raise UserError(answer.answer, str(directory), answer.hint)
