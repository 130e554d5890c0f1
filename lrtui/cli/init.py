"""`lrtui init SCRIPT`: propose an experiment file for a script, from its source."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

_HELP_SECONDS = 60
_MOST_HELP = 1 << 18


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `init` takes."""
    parser.add_argument(
        "words",
        nargs="+",
        metavar="SCRIPT",
        help="train.py, or a launch line behind --: lrtui init -- torchrun train.py --data=x",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE.toml",
        help="the file to write, by default in this folder and with the script's name; - for stdout",
    )
    parser.add_argument(
        "--run",
        action="store_true",
        help="run the script with --help too, for options that its source does not show; without this nothing is run",
    )


def run(options: argparse.Namespace) -> int:
    """Write the file and print the next step; return 0."""
    from lrtui.config.proposal.draft import draft
    from lrtui.config.proposal.help_text import flags_of_help
    from lrtui.config.proposal.launch import launch_of
    from lrtui.config.proposal.python_source import modules
    from lrtui.errors import UserError
    from lrtui.text.clean import clean

    launch = launch_of(options.words, os.environ)
    helped = _help([*launch.before, *launch.name, "--help"]) if options.run else ""
    try:
        text = draft(launch, modules(launch.script) if launch.script else [], flags_of_help(helped))
    except RecursionError:
        raise UserError("is nested too deeply to be read", clean(options.words[0], 200)) from None
    target = options.output or f"{_name(launch.stem)}.toml"
    if target == "-":
        print(text, end="")
        return _check(text, "experiment.toml")
    _write(Path(target), text)
    print(f"{text}\nwrote {target}. Read it, then see what it reads and start it:\n")
    print(f"  lrtui try {target}\n  lrtui {target}")
    return _check(text, target)


def _write(target: Path, text: str) -> None:
    """Write a new file.

    Raises:
        UserError: it exists already.
        MachineError: it cannot be written; nothing is left of it.

    """
    from lrtui.errors import UserError
    from lrtui.sweep.files import write_or_remove

    try:
        target.open("x").close()
    except FileExistsError:
        hint = "init overwrites nothing; name another: lrtui init -o FILE.toml SCRIPT"
        raise UserError("is there already", str(target), hint) from None
    write_or_remove(target, text.encode())


def _check(text: str, target: str) -> int:
    """Print the faults that `lrtui check` finds in a proposal, if any; return 0."""
    from lrtui.config.validation import parse
    from lrtui.errors import ExperimentError

    folder = Path(target).absolute().parent
    try:
        parse(text, target, folder, folder)
    except ExperimentError as error:
        print(f"\nlrtui check does not accept it yet:\n\n{error}", file=sys.stderr)
    return 0


def _name(stem: str) -> str:
    """Return a name that an experiment may have."""
    return re.sub(r"[^A-Za-z0-9._+=@-]", "_", stem).lstrip("._+=@-")[:60] or "experiment"


def _help(command: Sequence[str]) -> str:
    """Return what a command prints within a minute.

    Raises:
        UserError: it cannot be started.

    """
    import signal
    import subprocess
    import tempfile
    from contextlib import suppress

    from lrtui.errors import UserError
    from lrtui.text.clean import clean

    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "COLUMNS": "200"},
            )
        except OSError as error:
            raise UserError(
                f"cannot be started: {error.strerror}", clean(command[0], 200), "leave --run out"
            ) from None
        with suppress(subprocess.TimeoutExpired):
            process.wait(_HELP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        output.seek(0)
        return output.read(_MOST_HELP).decode("utf-8", "replace")
